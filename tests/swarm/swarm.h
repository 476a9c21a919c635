/* swarm.h - thousands of agents in one process, for the load on a hub.
 *
 * Each agent speaks the link of docs/protocol.md as fedlet does: real keys and certificates, a
 * session of its own through ports/link.h, frames decoded and verified with proto/bundle, reports
 * with their sequence, heartbeats, the same waits. What it has not is a cluster: everything counts
 * as applied once it is decoded, and the bundle is held in memory.
 *
 *   main.c      options, the ports, the loop
 *   fleet.c     all agents: starting them a few at a time, counting them
 *   enrol.c     joining with a token
 *   session.c   the session's state machine (protocol.md section 10)
 *   pull.c      what it does with frames
 *   bundle.c    what an agent holds; blobs are held once for all agents
 *   report.c    what it reports
 *   keep.c      the files: keys made in advance, and who has joined
 *   link.c      the binding
 *   command.c   commands on stdin, events as JSON lines on stdout */
#ifndef FEDLET_TESTS_SWARM_SWARM_H
#define FEDLET_TESTS_SWARM_SWARM_H

#include "agent/retry.h"
#include "ports/crypto.h"
#include "ports/fs.h"
#include "ports/link.h"
#include "ports/log.h"
#include "ports/loop.h"
#include "proto/base/map.h"
#include "proto/bundle/frame.h"
#include "proto/bundle/report.h"
#include "proto/link/link.h"

#define SWARM_AGENTS_MAX 200000u
#define SWARM_TEXT_MAX 200u /* of an expectation */

enum swarm_at {
    SWARM_OFF,
    SWARM_WAITING,
    SWARM_CONNECTING,
    SWARM_HELLO,
    SWARM_OBSERVING,
    SWARM_READY,
    SWARM_ATS
};
const char *swarm_at_name(enum swarm_at at);

/* ---- link.c ---- */
struct swarm_link {
    struct fed_link *port;
    void (*close)(void *owner);
    void *owner;
};
FED_MUST_USE enum fed_err swarm_link_open(struct fed_alloc *mem, struct fed_loop *loop, bool coap,
    const struct fed_link_events *events, struct swarm_link *out, struct fed_diag *diag);
void swarm_link_close(struct swarm_link *link); /* not inside one of its callbacks */

/* ---- bundle.c ---- */
struct swarm_note { /* about one work, for reports */
    uint32_t generation;
    uint8_t deed; /* enum fed_work_deed, not told yet */
    bool dirty;   /* not reported as it is */
};
struct swarm_bundle {
    uint32_t epoch;
    uint64_t revision;
    uint8_t digest[16];
    struct fed_buf works; /* their encodings in order: what the digest is made of */
    size_t n_works;
    struct swarm_note *notes; /* one per work */
};
struct swarm_blob;
struct swarm_blobs { /* of all agents; each is there as long as one agent's bundle uses it */
    struct fed_alloc *mem;
    struct fed_map map;                /* digest -> struct swarm_blob */
    char expected[SWARM_TEXT_MAX + 1]; /* "" for nothing */
};
void swarm_blobs_init(struct swarm_blobs *blobs, struct fed_alloc *mem);
void swarm_blobs_fini(struct swarm_blobs *blobs);
void swarm_blobs_expect(struct swarm_blobs *blobs, const char *text);

void swarm_bundle_init(struct swarm_bundle *bundle, struct fed_alloc *mem);
void swarm_bundle_fini(struct swarm_bundle *bundle, struct swarm_blobs *blobs);
/* Takes the frame in, whole or not at all. FED_ERR_CONFLICT, FED_ERR_GONE (older than what is
 * held), the decoder's refusals. */
FED_MUST_USE enum fed_err swarm_bundle_take(struct swarm_bundle *bundle, struct swarm_blobs *blobs,
    struct fed_span frame, struct fed_diag *diag);
/* Whether it has a blob that contains the expected text. */
bool swarm_bundle_meets(const struct swarm_bundle *bundle, const struct swarm_blobs *blobs);

/* ---- agents ---- */
struct swarm;
struct swarm_agent {
    struct swarm *swarm;
    char name[64];
    struct fed_span key_pem; /* of the swarm's arena, as below */
    struct fed_span cert_pem;
    struct swarm_link link;
    struct fed_timer *timer; /* reconnect, next try to join, or heartbeat */
    struct fed_timer *pull_timer;
    struct fed_timer *report_timer;
    /* session.c */
    enum swarm_at at;
    bool enrolling;
    bool starting; /* counts against the window */
    struct agent_retry retry;
    struct agent_retry pull_retry;
    uint64_t up_ms;
    uint64_t told_ms; /* the hub last spoke of the bundle */
    uint64_t ready_us;
    uint32_t heartbeat_ms;
    unsigned pings_lost;
    unsigned digest_failures;
    bool pulling;
    bool pull_again;
    bool want_full;
    bool kinds_known;
    bool kinds_same; /* as the hello of this session says */
    uint8_t kinds[FED_LINK_KINDS_DIGEST_SIZE];
    bool marked; /* it has a mark (proto/link/link.h) */
    bool kept;   /* that of this session's hello */
    uint8_t mark[FED_LINK_MARK_SIZE];
    struct swarm_bundle bundle;
    /* report.c */
    struct agent_retry report_retry;
    uint64_t hub_seq;         /* of the last report that the hub holds */
    uint64_t report_revision; /* that the one under way speaks of */
    bool report_full;         /* the next one has to be */
    bool reporting;
    bool report_set; /* its timer */
    bool news;       /* a revision that no report named yet */
    bool failing;    /* as it says, its works are */
    /* the expectation */
    bool met;
    bool told; /* a report of it was acknowledged */
    uint64_t met_revision;
    uint64_t met_us;
    uint64_t told_us;
};

struct swarm_counts {
    uint64_t sessions; /* made: handshakes */
    uint64_t lost;     /* sessions that ended */
    uint64_t failed;   /* attempts to connect */
    uint64_t frames;   /* taken in */
    uint64_t full;     /* of them full ones */
    uint64_t notified;
    uint64_t pulls;
    uint64_t refused; /* frames */
    uint64_t older;   /* of them: an older revision of the same epoch */
    uint64_t reports;
    uint64_t conflicts; /* reports out of sequence */
    uint64_t later;     /* answers "come back later" */
    uint64_t errors;    /* any other answer that was not expected, time-outs */
    uint64_t pings;
    uint64_t pings_lost;
};

struct swarm {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_crypto crypto;
    struct fed_fs fs;
    struct fed_arena texts; /* keys and certificates */
    struct fed_link_address hub;
    struct fed_token token;
    bool has_token;
    struct fed_span ca_pem;
    const char *state_path;
    const char *keys_path; /* NULL: keys are made */
    const char *prefix;    /* of the names */
    size_t window;         /* agents that are being started at once */
    size_t n;
    struct swarm_agent *agents;
    struct swarm_blobs blobs;
    struct swarm_counts counts;
    char trouble[256]; /* the last one */
    size_t n_at[SWARM_ATS];
    /* fleet.c */
    bool enrolling;
    bool more_due;
    size_t next; /* to be started */
    size_t starting;
    size_t n_enrolled;
    uint64_t began_us;
    bool failed;
    /* command.c */
    struct fed_watch *input;
    struct fed_buf line;
    bool expecting;
    uint64_t expected_us; /* when it was asked for */
    size_t n_met;
    size_t n_told;
    bool ready_asked;
    size_t ready_wanted;
    uint64_t ready_us;
};

static inline uint64_t swarm_now_ms(const struct swarm *swarm)
{
    return fed_loop_now_ms(swarm->loop);
}
/* Kept for `stats`, and logged. */
void swarm_trouble(struct swarm *swarm, const char *format, ...) FED_PRINTF(2, 3);
uint8_t swarm_spread(struct swarm *swarm); /* a random byte, for jitter */

/* ---- fleet.c ---- */
FED_MUST_USE enum fed_err swarm_fleet_open(struct swarm *swarm, size_t n, struct fed_diag *diag);
void swarm_fleet_close(struct swarm *swarm);
void swarm_fleet_begin(struct swarm *swarm); /* joins those who have not, then connects all */
/* The agent was started, for better or worse: it goes on by itself. */
void swarm_fleet_started(struct swarm_agent *agent);
void swarm_fleet_failed(struct swarm *swarm); /* the whole undertaking; why was logged */
void swarm_fleet_drop(struct swarm *swarm);   /* all sessions; they come back by themselves */
void swarm_fleet_stop(struct swarm *swarm);   /* all sessions; nobody comes back until start */
void swarm_fleet_start(struct swarm *swarm);

/* ---- enrol.c ---- */
void swarm_enrol_start(struct swarm_agent *agent);
void swarm_enrol_up(struct swarm_agent *agent);
void swarm_enrol_down(struct swarm_agent *agent, const struct fed_diag *diag);

/* ---- session.c ---- */
FED_MUST_USE enum fed_err swarm_agent_open(
    struct swarm *swarm, struct swarm_agent *agent, struct fed_diag *diag);
void swarm_agent_close(struct swarm_agent *agent);
void swarm_agent_connect(struct swarm_agent *agent);
/* Its session ends, and it comes back by the back-off; asked_s: the hub's wish. */
void swarm_session_give_up(struct swarm_agent *agent, const char *why, uint32_t asked_s);
/* An answer that says "come back later", which ends the session. */
bool swarm_session_later(struct swarm_agent *agent, const struct fed_link_message *message);
/* Counts it, and keeps what it was. */
void swarm_session_unexpected(struct swarm_agent *agent, const char *what, enum fed_err err,
    const struct fed_link_message *message, const struct fed_diag *diag);
/* Ends its session, by close_notify. again: it comes back by the back-off. */
enum swarm_end { SWARM_END_STAY, SWARM_END_AGAIN };
void swarm_agent_end(struct swarm_agent *agent, enum swarm_end end);

/* ---- pull.c ---- */
/* A frame from a notification or an answer. */
void swarm_frame_take(struct swarm_agent *agent, struct fed_span bytes);
void swarm_pull_timer(void *agent);
/* What it holds, as a query. */
const char *swarm_bundle_query(struct swarm_agent *agent, struct fed_buf *out);

/* ---- report.c ---- */
void swarm_report_timer(void *agent);
void swarm_report_up(struct swarm_agent *agent);
void swarm_report_down(struct swarm_agent *agent);
void swarm_report_soon(struct swarm_agent *agent);
void swarm_report_full(struct swarm_agent *agent); /* a full one, at once when there is a session */

/* ---- keep.c ---- */
/* Fills keys of n agents from the file, makes those that lack and writes them there. */
FED_MUST_USE enum fed_err swarm_keys(struct swarm *swarm, struct fed_diag *diag);
/* FED_ERR_NOT_FOUND when there is no state. */
FED_MUST_USE enum fed_err swarm_state_read(struct swarm *swarm, struct fed_diag *diag);
FED_MUST_USE enum fed_err swarm_state_write(struct swarm *swarm, struct fed_diag *diag);
/* A copy that lives as long as the swarm. NULL at when there is no memory. */
struct fed_span swarm_keep(struct swarm *swarm, struct fed_span text);

/* ---- command.c ---- */
FED_MUST_USE enum fed_err swarm_command_open(struct swarm *swarm, struct fed_diag *diag);
void swarm_command_close(struct swarm *swarm);
void swarm_event_enrolled(struct swarm *swarm, uint64_t took_us);
void swarm_event_met(struct swarm_agent *agent);   /* its bundle changed */
void swarm_event_told(struct swarm_agent *agent);  /* its report was acknowledged */
void swarm_event_ready(struct swarm_agent *agent); /* its session is ready */

#endif
