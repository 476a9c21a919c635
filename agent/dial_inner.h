/* dial_inner.h - the inside of choosing: dial.c (passes, lanes, trust) and dial_life.c (the way in
 * from the links, the port, making and ending). Not for other files. */
#ifndef FEDLET_AGENT_DIAL_INNER_H
#define FEDLET_AGENT_DIAL_INNER_H

#include "agent/clock.h"
#include "agent/dial.h"
#include "agent/retry.h"

#define AGENT_DIAL_NEVER UINT64_MAX

enum agent_lane_state {
    AGENT_LANE_IDLE,
    AGENT_LANE_CONNECTING,
    AGENT_LANE_HELLO,
    AGENT_LANE_IN_USE
};

struct agent_lane {
    struct agent_dial *dial;
    struct fed_link *link; /* NULL: there is none */
    const char *name;
    const char *hubs[AGENT_HUBS_MAX];
    size_t n;
    size_t at;     /* in use or next to try */
    size_t tried;  /* in this pass */
    bool started;  /* in this pass */
    bool renewing; /* the hello waits for another certificate */
    enum agent_lane_state state;
    struct fed_digest certificate; /* that its session is made with */
    char why[200];                 /* its last failure */
};

struct agent_dial {
    struct agent_ports ports;
    struct agent_dial_options options;
    struct agent_dial_events events;
    struct fed_link port;
    enum agent_dial_state state;
    struct agent_lane lanes[AGENT_DIAL_BINDINGS];
    struct agent_lane *used;  /* or tried last */
    struct agent_lane *first; /* of the present pass */
    const char *hub;          /* tried or used last */
    struct fed_timer *timer;
    uint64_t next_ms;   /* waiting: the next pass */
    uint64_t second_ms; /* dialing: the second lane starts; AGENT_DIAL_NEVER: it has */
    uint64_t up_ms;
    uint64_t away_ms; /* since when there is no session */
    bool ready;
    bool resumed; /* CoAP goes on with the session of before, and the hub did not answer yet */
    struct agent_retry retry;
    /* ---- trust in CoAP ---- */
    uint64_t coap_ms; /* not before: in a pass it goes second, beside HTTPS it is probed then */
    uint32_t coap_wait_ms; /* 0: trusted */
    char why[240];
    struct agent_dial_counts counts;
    uint64_t moved_ms; /* the state changed last */
};

static inline uint64_t agent_dial_now(const struct agent_dial *d)
{
    return fed_loop_now_ms(d->ports.loop);
}

static inline struct agent_lane *agent_dial_coap(struct agent_dial *d)
{
    return &d->lanes[AGENT_DIAL_COAP];
}

static inline bool agent_dial_can_choose(const struct agent_dial *d)
{
    return d->lanes[AGENT_DIAL_COAP].n > 0 && d->lanes[AGENT_DIAL_HTTPS].n > 0;
}

static inline const char *agent_lane_hub(const struct agent_lane *l)
{
    return l->hubs[l->at];
}

/* ---- dial_life.c ---- */
/* The lane's session is, and was, made with the present certificate: another one may be stored at
 * any time, and what comes up then proves nothing about it. */
FED_MUST_USE enum fed_err agent_lane_certify(struct agent_lane *lane);
bool agent_lane_is_present(const struct agent_lane *lane);

/* ---- dial.c ---- */
/* With the session that was kept, else a pass over all addresses. */
void agent_dial_begin(struct agent_dial *dial);
void agent_dial_on_timer(void *dial);
void agent_lane_up(struct agent_lane *lane);
void agent_lane_down(struct agent_lane *lane, enum fed_err err, const struct fed_diag *diag);
void agent_lane_end(struct agent_lane *lane);

#endif
