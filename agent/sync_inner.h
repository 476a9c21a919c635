/* sync_inner.h - the inside of a session with the hub: sync.c (the session), sync_bundle.c
 * (frames, and pulling them), sync_removals.c and sync_kinds.c (what is asked for beside them). Not
 * for other files. */
#ifndef FEDLET_AGENT_SYNC_INNER_H
#define FEDLET_AGENT_SYNC_INNER_H

#include "agent/retry.h"
#include "agent/sync.h"

#define PULL_TIMEOUT_MS 600000u

struct agent_sync {
    struct agent_ports ports;
    struct agent_state *state;
    struct agent_table *table;
    struct agent_dial *dial;
    struct agent_sync_events events;
    enum agent_sync_state at;
    struct fed_timer *timer; /* heartbeat */
    struct fed_timer *pull_timer;
    struct agent_retry pull_retry;
    uint64_t told_ms; /* the hub last spoke of the bundle */
    int64_t since_unix_s;
    uint32_t heartbeat_ms;
    uint64_t report_seq;               /* that the hub holds, from its hello */
    struct fed_link_hello_items items; /* of its last hello */
    bool removals_asked;               /* for the orders (sync_removals.c), no answer yet */
    bool removals_again;               /* and once more after it */
    struct fed_timer *removals_timer;
    struct agent_retry removals_retry;
    bool kinds_asked; /* (sync_kinds.c), no answer yet */
    bool kinds_again; /* and once more after it */
    struct fed_timer *kinds_timer;
    struct agent_retry kinds_retry;
    bool kinds_known;
    uint8_t kinds[FED_LINK_KINDS_DIGEST_SIZE]; /* of what the daemon holds */
    bool has_mark;                             /* stored, for the next hello */
    bool mark_kept;                            /* that of this session */
    bool copied;
    uint8_t mark[FED_LINK_MARK_SIZE];
    unsigned pings_lost;
    uint64_t ping_ms; /* the last one went */
    uint32_t rtt_ms;  /* of the last that was answered */
    unsigned digest_failures;
    bool missed; /* told of something before the first answer was here */
    bool pulling;
    bool pull_again; /* something newer was announced meanwhile */
    bool want_full;
    uint64_t all_ms; /* 0, or not pulled whole again because of what was lost before that */
    bool pull_due;
    uint64_t pull_ms;   /* with pull_due: when */
    char pull_why[200]; /* the last refusal */
    struct agent_partial partial;
};

static inline uint64_t agent_sync_now(const struct agent_sync *s)
{
    return fed_loop_now_ms(s->ports.loop);
}

static inline bool agent_sync_is_up(const struct agent_sync *s)
{
    return s->at >= AGENT_SYNC_OBSERVING;
}

static inline const char *agent_sync_text(enum fed_err err, const struct fed_diag *diag)
{
    return diag && diag->text[0] ? diag->text : fed_err_text(err);
}

/* ---- sync_bundle.c ---- */
/* A frame from a notification or an answer: staged, or pulled. */
void agent_sync_take_frame(struct agent_sync *sync, struct fed_span bytes);
/* The hub wants to be left alone: the session is given up. */
bool agent_sync_is_busy(struct agent_sync *sync, const struct fed_link_message *message);
/* What is held, as the bundle resource wants to know it; in out. */
const char *agent_sync_bundle_query(struct agent_sync *sync, struct fed_buf *out);
void agent_sync_on_pull_timer(void *sync);

/* ---- sync_removals.c ---- */
/* When removals wait, the hub is asked which of them are ordered. */
void agent_sync_ask_for_removals(struct agent_sync *sync);
void agent_sync_on_removals_timer(void *sync);

/* ---- sync_kinds.c ---- */
/* The hub is asked which kinds are federated. */
void agent_sync_ask_for_kinds(struct agent_sync *sync);
void agent_sync_on_kinds_timer(void *sync);

#endif
