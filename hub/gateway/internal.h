/* internal.h - the gateway's state, shared by its files. Not for others.
 *
 *   gateway.c   sessions: they come, go, and are told
 *   request.c   what agents ask for: who may ask, and the answers
 *   held.c      answers that wait for the sync
 *   certificate.c  new certificates for agents
 *   mark.c      whether two machines come as one cluster
 *   bundle.c    what a cluster is sent: answers to a pull, and frames for notifications
 *   knock.c     agents whose session a crash took, after a restart
 *   recall.c    agents that come back without a whole handshake
 *   notify.c    when it is sent: one notification under way per session, in slices
 *   hello.c     what both sides say of themselves
 *   kinds.c     which kinds are federated
 *   admit.c     how many agents may come in a second, and how many others may be there
 *   saved.c     sessions that outlive this process
 *   count.c     the bytes of sessions
 *   cache.c     compressed changes that the next cluster can use */
#ifndef FEDLET_HUB_GATEWAY_INTERNAL_H
#define FEDLET_HUB_GATEWAY_INTERNAL_H

#include "hub/gateway/gateway.h"
#include "proto/base/map.h"
#include "proto/bundle/consent.h"

#define GATEWAY_BINDINGS 4u
#define GATEWAY_HEARTBEAT_S 120u
#define GATEWAY_IDLE_HEARTBEAT_MS 2500u /* of silence for each second of heartbeat */
#define GATEWAY_IDLE_MIN_MS 600000u
#define GATEWAY_SLICE 256u /* notifications per turn of the loop */
#define GATEWAY_CACHE_BYTES (4u << 20)
#define GATEWAY_REPORT_MEMORY                                                                      \
    (8u << 20)                        /* a decoded report: at most some hundred bytes per entry */
#define GATEWAY_RETRY_S 2u            /* the plan has not seen the cluster yet */
#define GATEWAY_RETRY_STORE_S 10u     /* the store cannot take it now */
#define GATEWAY_RETRY_GUESS_S 60u     /* too many wrong proofs */
#define GATEWAY_GUESTS_LOGGED_MAX 30u /* refusals of peers without a certificate, in a window */
#define GATEWAY_GUESTS_WINDOW_MS 60000u
/* Sessions of tokens, and of certificates that speak for nobody, by CoAP: then the oldest ends. A
 * handshake with a token costs next to nothing, also with one that is used up, and a session that
 * asks for nothing stays for minutes: they would take the places of agents. */
#define GATEWAY_STRANGERS_MAX 2000u

#define GATEWAY_HELLOS_PER_S 4000u
#define GATEWAY_CERTIFICATES_PER_S 50u
#define GATEWAY_RETRY_CERTIFICATE_S 10u /* the first that are too many; others later */
#define GATEWAY_RETRY_SPREAD_S 60u
#define GATEWAY_ADDRESS_SIZE 64u
#define GATEWAY_COPIED_SIZE 320u
#define GATEWAY_WAITING_KEY_SIZE 320u /* a binding's name and a cluster's of at most 253 bytes */

enum gateway_role {
    GATEWAY_NOBODY, /* no certificate, no token: a join request's own proof decides */
    GATEWAY_TOKEN,
    GATEWAY_REFUSED, /* a certificate that speaks for nobody */
    GATEWAY_EXPIRED, /* an agent's that has ended, or not begun: it may ask for a new one */
    GATEWAY_AGENT
};

struct gateway_binding {
    struct hub_gateway *gateway;
    const struct fed_link_calls *link;
};

struct gateway_session {
    struct gateway_binding *binding;
    struct fed_link_session *link;
    enum gateway_role role;
    char *name; /* cluster of an agent, id of a token; else "" */
    char *why;  /* of GATEWAY_REFUSED */
    char address[GATEWAY_ADDRESS_SIZE];
    int64_t begins_unix_s; /* of an agent's certificate */
    int64_t ends_unix_s;
    bool counts; /* an agent's whose hello, or other request, was served: it is the cluster's one */
    bool waits;  /* an agent's that asked for nothing yet: it is in the map waiting */
    bool refusal_logged;
    bool unstored; /* its address (knock.c) */
    bool marked;   /* it was given a mark, and came with another */
    uint8_t mark[FED_LINK_MARK_SIZE];
    uint8_t mark_came[FED_LINK_MARK_SIZE];
    struct gateway_session *newer; /* in the list of all */
    struct gateway_session *older;
    bool stranger; /* in the list of those, with: */
    struct gateway_session *stranger_newer;
    struct gateway_session *stranger_older;
    /* what the agent observes and holds */
    bool observing;
    bool unheard;  /* a notification was given up: the link tells it nothing more until it asks */
    bool away;     /* it said that it stops for a while: then it asks anew in this session */
    uint64_t held; /* revision that it holds, as far as we know */
    uint64_t told; /* newest revision that it knows of */
    bool brief; /* the change itself did not get through: the next one only says that it is there */
    bool kinds_due;      /* it is to hear that the federated kinds changed */
    unsigned kinds_told; /* kinds_moved when its hello spoke of them */
    bool under_way;      /* a notification, with: */
    bool under_way_body;
    uint64_t under_way_revision;
    uint64_t tag;
    struct fed_link_stats counted; /* of the link's, what was passed on */
    /* in the queue of those to be notified */
    bool queued;
    struct gateway_session *previous;
    struct gateway_session *next;
};

struct gateway_knock;
struct gateway_held; /* an answer to what is not durable yet */

struct gateway_cache_entry;
struct gateway_cache {
    struct fed_alloc *mem;
    struct fed_map entries; /* digest -> entry */
    struct gateway_cache_entry *newest;
    struct gateway_cache_entry *oldest;
    size_t bytes;
};

struct hub_gateway {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct hub_objects *objects;
    struct hub_plan *plan;
    struct hub_status *status;
    struct hub_identity *identity;
    uint32_t heartbeat_s;
    struct hub_traffic *traffic; /* may be NULL */
    struct gateway_binding bindings[GATEWAY_BINDINGS];
    size_t n_bindings;
    struct gateway_session *all;
    struct gateway_session *strangers_newest;
    struct gateway_session *strangers_oldest;
    size_t n_strangers;
    uint64_t strangers_logged_ms; /* that there were too many; 0: never */
    struct fed_map sessions;      /* cluster -> struct gateway_session, the newest of each */
    /* binding's name "/" cluster -> the newest session that does not count yet */
    struct fed_map waiting;
    struct hub_subscription *clusters;
    struct hub_subscription *requests;
    struct hub_subscription *types;
    struct fed_digest kinds; /* of the federated kinds as agents were told last */
    unsigned kinds_moved;    /* how often they changed */
    struct gateway_session *queue_first;
    struct gateway_session *queue_last;
    struct fed_timer *drain; /* set for now while the queue is not empty */
    struct gateway_cache cache;
    struct gateway_knock *knock;
    struct hub_objects_member member; /* of the turn's commit */
    struct gateway_held *held;        /* oldest first */
    struct gateway_held **held_end;
    uint64_t guests_since_ms;
    unsigned guests_logged;
    struct hub_gateway_stats stats;
    uint64_t hellos_since_ms; /* agents that came in the present second */
    unsigned hellos;
    uint64_t certificates_since_ms; /* new certificates of the present second */
    unsigned certificates;
    hub_gateway_copied *copied;
    void *copied_ctx;
};

/* ---- gateway.c ---- */
void gateway_session_forget(struct gateway_session *session); /* its link has ended by itself */
/* Ends a session that its agent did not end. */
void gateway_session_cut(struct gateway_session *session);
/* From now on it is the cluster's session, in place of an older one. how: "connected", for the log.
 */
FED_MUST_USE enum fed_err gateway_session_count(struct gateway_session *session, const char *how);
/* It is no more; its link stays. */
void gateway_session_uncount(struct gateway_session *session);
char *gateway_copy_text(struct fed_alloc *mem, const char *text); /* NULL: no memory */

/* ---- request.c ---- */
/* request of the bindings' events; ctx is the struct gateway_binding. */
void gateway_request(void *ctx, struct fed_link_session *link, struct fed_link_exchange *exchange,
    const struct fed_link_server_request *request);

/* ---- admit.c ---- */
/* Whether one more agent may begin its session now; else when it should come back. */
bool gateway_admit(struct hub_gateway *gateway, uint32_t *later_s);
/* A session that is no agent's begins, and may end the oldest of its kind; and is over. */
void gateway_stranger_add(struct gateway_session *session);
void gateway_stranger_forget(struct gateway_session *session);

/* ---- certificate.c ---- */
/* The answer to c. FED_ERR_BUSY with *later_s: come back after that. */
FED_MUST_USE enum fed_err gateway_certificate(const struct gateway_session *session,
    struct fed_span payload, struct fed_buf *body, uint32_t *later_s, struct fed_diag *diag);
bool gateway_certificate_counts(const struct gateway_session *session);     /* now */
const char *gateway_certificate_why(const struct gateway_session *session); /* it does not */

/* ---- mark.c ---- */
/* What a hello says of marks; what it changes is durable with the turn's commit. FED_ERR_FORBIDDEN
 * when the session is that of a copy, FED_ERR_INVALID for a query that is none, each with diag. */
FED_MUST_USE enum fed_err gateway_mark_hello(struct gateway_session *session, struct fed_span query,
    struct fed_link_hello_items *items, struct fed_diag *diag);
/* The agent stored the mark of the session's hello. */
void gateway_mark_kept(struct gateway_session *session);
/* Whoever comes next as this cluster is the one that counts. */
void gateway_mark_open_to_all(struct hub_gateway *gateway, struct fed_span cluster);
void gateway_mark_forget(struct hub_gateway *gateway, struct fed_span cluster); /* it is gone */
/* A join request was changed: perhaps a person decided. */
void gateway_mark_request(struct hub_gateway *gateway, const struct hub_change *change);
/* Tells the status of copies that an earlier process noticed. */
FED_MUST_USE enum fed_err gateway_mark_open(struct hub_gateway *gateway);

/* ---- saved.c ---- */
/* FED_ERR_UNSUPPORTED, FED_ERR_CORRUPT: nothing changed. */
FED_MUST_USE enum fed_err gateway_session_restore(
    struct gateway_session *session, struct fed_span kept);

/* ---- held.c ---- */
/* Answers when what is staged is durable; at once when nothing is. body is copied. FED_ERR_NOMEM.
 */
FED_MUST_USE enum fed_err gateway_hold(struct hub_gateway *gateway,
    const struct fed_link_calls *link, struct fed_link_exchange *exchange, unsigned code,
    struct fed_span body);
/* settled of the member; ctx is the gateway. */
void gateway_held_settle(void *ctx, enum fed_err err, const struct fed_diag *diag);
/* The exchanges of that binding, or of all (NULL), are gone. */
void gateway_held_forget(struct hub_gateway *gateway, const struct fed_link_calls *link);

/* ---- bundle.c ---- */
enum gateway_frame { GATEWAY_FRAME_HEAD, GATEWAY_FRAME_BODY };
/* What brings an agent that holds (epoch, revision) to the cluster's present manifest. Only a head
 * when it has that already. *target is the revision it then has. FED_ERR_NOT_FOUND while the plan
 * does not know the cluster. */
FED_MUST_USE enum fed_err gateway_bundle_pull(struct hub_gateway *gateway, struct fed_span cluster,
    uint32_t epoch, uint64_t revision, struct fed_buf *out, uint64_t *target);
/* For a notification: the change from the revision held when that is small enough, else a head.
 * FED_ERR_EXISTS when the agent was told of the present manifest already. */
FED_MUST_USE enum fed_err gateway_bundle_notification(struct hub_gateway *gateway,
    const struct gateway_session *session, struct fed_buf *out, enum gateway_frame *form,
    uint64_t *target);

/* A head of the present manifest. */
FED_MUST_USE enum fed_err gateway_bundle_head(
    struct hub_gateway *gateway, const struct gateway_session *session, struct fed_buf *out);

/* A head of what the agent was told last; false when there is a newer manifest. */
bool gateway_bundle_repeat(
    struct hub_gateway *gateway, const struct gateway_session *session, struct fed_buf *out);

/* ---- count.c ---- */
/* Passes on what its link counted since the last call. */
void gateway_count(struct gateway_session *session);
/* A hub_traffic_collect; ctx is the gateway. */
void gateway_collect(void *ctx, struct fed_span cluster);

/* ---- hello.c ---- */
/* Takes in what the agent says that it understands. FED_ERR_INVALID, FED_ERR_LIMIT. */
FED_MUST_USE enum fed_err gateway_hello_take(
    struct gateway_session *session, struct fed_span query);
/* Appends the hello: the items, and what is the same for all agents. */
FED_MUST_USE enum fed_err gateway_hello_put(
    struct gateway_session *session, const struct fed_link_hello_items *items, struct fed_buf *out);

/* ---- kinds.c ---- */
/* The answer to GET /k. Errors stick in out. */
void gateway_kinds_put(struct hub_gateway *gateway, struct fed_buf *out);
/* A hub_plan_orders_changed; ctx is the gateway. */
void gateway_orders_changed(void *ctx, struct fed_span cluster);
/* A FederatedTypeConfig changed; ctx is the gateway. */
void gateway_kinds_changed(void *ctx, const struct hub_change *change);

/* ---- notify.c ---- */
void gateway_notify_want(struct gateway_session *session);
void gateway_notify_forget(struct gateway_session *session); /* takes it out of the queue */
void gateway_notify_drain(void *gateway);
void gateway_notified(struct gateway_session *session, uint64_t tag, bool delivered);
void gateway_notify_unfit(struct gateway_session *session, uint64_t tag);

/* ---- knock.c ---- */
FED_MUST_USE enum fed_err gateway_knock_open(struct hub_gateway *gateway);
void gateway_knock_close(struct hub_gateway *gateway);
/* The session is its cluster's: its address is to be stored. */
void gateway_knock_note(struct gateway_session *session);
/* Stores those that wait for it: the sessions may not outlive the process, after all. */
void gateway_knock_flush(struct hub_gateway *gateway);
void gateway_knock_gone(struct hub_gateway *gateway, struct fed_span cluster);

/* ---- recall.c ---- */
/* Stores what the agent is known by the next time, when its session brought that; durable with the
 * turn's commit. */
void gateway_recall_note(const struct gateway_session *session, const struct fed_link_peer *peer);
/* Its certificate counts no more. */
void gateway_recall_forget(struct hub_gateway *gateway, struct fed_span cluster);
/* recall of the bindings' events, for one of them. FED_ERR_NOT_FOUND. */
FED_MUST_USE enum fed_err gateway_recall(
    struct hub_gateway *gateway, struct fed_span id, struct fed_buf *out);

/* ---- cache.c ---- */
void gateway_cache_init(struct gateway_cache *cache, struct fed_alloc *mem);
void gateway_cache_fini(struct gateway_cache *cache);
/* The functions of a struct fed_frame_cache; ctx is the cache. A span from get is valid until the
 * next put. */
bool gateway_cache_get(void *cache, const struct fed_digest *key, struct fed_span *out);
void gateway_cache_put(void *cache, const struct fed_digest *key, struct fed_span deflated);

#endif
