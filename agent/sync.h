/* sync.h - the agent's side of a session with the hub: observes the bundle, pulls what does not
 * ride in a notification, keeps the session alive and notices when it is dead. dial.h brings
 * sessions.
 *
 *   connecting -> observing -> ready -> (down) -> connecting
 *
 * A session that ends soon after it came up counts as a failure, so that a hub that kicks is not
 * hammered. Frames are staged before anything else happens; a frame that is refused is pulled again
 * with back-off, and one that fails its digest twice in full. */
#ifndef FEDLET_AGENT_SYNC_H
#define FEDLET_AGENT_SYNC_H

#include "agent/dial.h"
#include "agent/partial.h"
#include "agent/stage.h"
#include "proto/link/link.h"

struct agent_sync;

enum agent_sync_state {
    AGENT_SYNC_STOPPED,
    AGENT_SYNC_CONNECTING,
    AGENT_SYNC_OBSERVING,
    AGENT_SYNC_READY,
    AGENT_SYNC_STATES
};
const char *agent_sync_state_name(enum agent_sync_state state);

struct agent_sync_events {
    void *ctx;
    /* The hub answered the hello; before up. */
    void (*hello)(
        void *ctx, const struct fed_link_hello *hello, const struct fed_link_hello_items *items);
    /* As of struct agent_dial_events. */
    bool (*ended)(void *ctx, struct fed_link *link);
    /* The session is up; report_seq is what the hub holds. */
    void (*up)(void *ctx, uint64_t report_seq);
    void (*down)(void *ctx);
    /* Which kinds are federated, as the hub says (proto/link/link.h): after a connect unless they
     * are known (agent_sync_know_kinds), and when they changed. Not called with a hub that does not
     * say. */
    void (*kinds)(void *ctx, struct fed_span kinds);
    /* The hub said what becomes of removals that waited (consent.h), and something changed. */
    void (*removals)(void *ctx);
    /* A bundle was staged: durable, its works planned. */
    void (*staged)(void *ctx, const struct agent_staged *staged);
};

/* ports.link is not used: sessions are those of ports.coap and ports.https. FED_ERR_UNSUPPORTED
 * when no address can be used (agent_dial_check). */
FED_MUST_USE enum fed_err agent_sync_new(const struct agent_ports *ports, struct agent_state *state,
    struct agent_table *table, const struct agent_dial_options *options,
    const struct agent_sync_events *events, struct agent_sync **out);
void agent_sync_free(struct agent_sync *sync);
void agent_sync_start(struct agent_sync *sync);
/* Ends the session, keeping it for the next start when that can be done; down is not called. */
void agent_sync_stop(struct agent_sync *sync);

/* The answer to k that the daemon holds: while the hub's hello speaks of the same, nobody asks. */
void agent_sync_know_kinds(struct agent_sync *sync, struct fed_span kinds);
/* Something of the bundle in place was lost: it is pulled whole, now or in the next session, and
 * not again within AGENT_PULL_ALL_PAUSE_MS. */
#define AGENT_PULL_ALL_PAUSE_MS 600000u
void agent_sync_pull_all(struct agent_sync *sync);
/* The session is up, and the bundle in place is the newest that the hub told of. */
bool agent_sync_is_current(const struct agent_sync *sync);
/* Of the hub's last hello (proto/link/knows.h). */
uint64_t agent_sync_hub_knows(const struct agent_sync *sync);

/* For the events of the links, and for who speaks to the hub. */
struct agent_dial *agent_sync_dial(struct agent_sync *sync);

struct agent_sync_status {
    enum agent_sync_state state;
    struct agent_dial_status dial;
    int64_t since_unix_s; /* of the present connected or unconnected time */
    bool connected;
    uint64_t pull_ms;     /* a bundle was refused, and is pulled again then; 0: none was */
    const char *pull_why; /* its refusal */
    bool copied;          /* another machine came with this identity, as the hub says */
    uint32_t rtt_ms;      /* of the last ping, 0: none was answered yet */
    int64_t told_unix_s;  /* the hub last spoke of the bundle, 0: not yet */
};
void agent_sync_status(const struct agent_sync *sync, struct agent_sync_status *out);

#endif
