/* sync.h - the agent's side of the link: connects, says hello, observes the bundle, pulls what does
 * not ride in a notification, keeps the session alive and notices when it is dead.
 *
 *   waiting -> connecting -> hello -> observing -> ready -> (down) -> waiting
 *
 * Several addresses are tried in turn, with full-jitter back-off per attempt and the hub's own wish
 * (Max-Age of a 5.03). A session that ends soon after it came up counts as a failure, so that a hub
 * that kicks is not hammered. Frames are staged before anything else happens; a frame that is
 * refused is pulled again with back-off, and one that fails its digest twice in full.
 *
 * A session that an orderly stop kept (session.h) is gone on with: no handshake, but hello and
 * observation anew. When the hub does not know it, a new one is made at once. */
#ifndef FEDLET_AGENT_SYNC_H
#define FEDLET_AGENT_SYNC_H

#include "agent/partial.h"
#include "agent/ports.h"
#include "agent/session.h"
#include "agent/stage.h"
#include "proto/link/link.h"

struct agent_sync;

enum agent_sync_state {
    AGENT_SYNC_STOPPED,
    AGENT_SYNC_WAITING,
    AGENT_SYNC_CONNECTING,
    AGENT_SYNC_HELLO,
    AGENT_SYNC_OBSERVING,
    AGENT_SYNC_READY,
    AGENT_SYNC_STATES
};
const char *agent_sync_state_name(enum agent_sync_state state);

struct agent_sync_events {
    void *ctx;
    /* The session is up; report_seq is what the hub holds. */
    void (*up)(void *ctx, uint64_t report_seq);
    void (*down)(void *ctx);
    /* Which kinds are federated, as the hub says (proto/link/link.h): after a connect unless they
     * are known (agent_sync_know_kinds), and when they changed. Not called with a hub that does not
     * say. */
    void (*kinds)(void *ctx, struct fed_span kinds);
    /* A bundle was staged: durable, its works planned. */
    void (*staged)(void *ctx, const struct agent_staged *staged);
};

struct agent_sync_options {
    const struct agent_identity *identity; /* borrowed */
    struct fed_span key_pem;               /* borrowed */
    const char (*hubs)[281];               /* borrowed; at least one with scheme coaps */
    size_t n_hubs;
    const struct agent_session_place *session; /* borrowed; NULL: none is kept */
    const struct agent_partial_place *partial; /* borrowed; NULL: nothing is kept */
};

FED_MUST_USE enum fed_err agent_sync_new(const struct agent_ports *ports, struct agent_state *state,
    struct agent_table *table, const struct agent_sync_options *options,
    const struct agent_sync_events *events, struct agent_sync **out);
void agent_sync_free(struct agent_sync *sync);
void agent_sync_start(struct agent_sync *sync);
/* Ends the session, keeping it for the next start when that can be done; down is not called. */
void agent_sync_stop(struct agent_sync *sync);

/* The answer to k that the daemon holds: while the hub's hello speaks of the same, nobody asks. */
void agent_sync_know_kinds(struct agent_sync *sync, struct fed_span kinds);
/* Of the hub's last hello (proto/link/knows.h). */
uint64_t agent_sync_hub_knows(const struct agent_sync *sync);

/* What the link's implementation is given when it is opened: sync may be NULL until agent_sync_new
 * filled it in. */
struct agent_sync_slot {
    struct agent_sync *sync;
};
struct fed_link_events agent_sync_link_events(struct agent_sync_slot *slot);

struct agent_sync_status {
    enum agent_sync_state state;
    const char *hub;      /* address in use or tried last */
    int64_t since_unix_s; /* of the present connected or unconnected time */
    bool connected;
};
void agent_sync_status(const struct agent_sync *sync, struct agent_sync_status *out);

#endif
