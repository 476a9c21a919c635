/* gateway.h - the hub's end of the link: sessions by cluster, and the four resources of
 * proto/link/link.h.
 *
 * Who may do what is decided in one place (request.c): a session with a token may ask to join and
 * nothing else; a session with a certificate speaks for exactly one registered cluster, reads its
 * bundle and writes its status. A newer session of a cluster replaces the older one; a cluster that
 * is deleted, or whose key is no longer recorded, loses its session. A session whose certificate
 * has ended may ask for a new one (c) and nothing else. A session counts as the cluster's from its
 * first request that is served, so that a copy of an agent, whose hello is refused (mark.c), does
 * not drive out the one that is served.
 *
 * Answers: j and c 2.04 (approved or pending), h, b and k 2.05, s 2.04. Refusals carry a
 * sentence: 4.00 malformed, 4.01 no certificate, or one that has ended, 4.03 not allowed (also:
 * token expired, used up, revoked, wrong proof), 4.04, 4.05, 4.09 (report out of sequence, name
 * taken), 4.13, 5.03 with Max-Age: come back later.
 *
 * Notifications: one under way per session. What the agent holds is known from what it asked with,
 * what it was answered and what it acknowledged; the next notification carries the change from
 * there when that is small (FED_LINK_NOTIFY_BODY_MAX), else only says that there is something to
 * pull. A change for thousands of clusters is sent in slices, one per turn of the loop, so that the
 * API goes on answering. */
#ifndef FEDLET_HUB_GATEWAY_GATEWAY_H
#define FEDLET_HUB_GATEWAY_GATEWAY_H

#include "hub/identity/identity.h"
#include "hub/plan/plan.h"
#include "hub/status/status.h"
#include "hub/traffic/traffic.h"
#include "ports/link.h"

struct hub_gateway;

struct hub_gateway_options {
    uint32_t heartbeat_s;        /* told to agents; 0: 120 */
    struct hub_traffic *traffic; /* counts their bytes; NULL: nobody does */
};
#define HUB_GATEWAY_REQUESTS 64u
#define HUB_GATEWAY_PEERS 5u
struct hub_gateway_stats {
    size_t sessions;                    /* of agents */
    uint64_t refused;                   /* requests that the session had no right to */
    uint64_t notified;                  /* notifications sent */
    uint64_t knocked;                   /* at agents that had a session before the start */
    uint64_t cache_bytes;               /* compressed changes kept for the next cluster */
    uint64_t reports;                   /* taken */
    uint64_t opened[HUB_GATEWAY_PEERS]; /* sessions: of nobody, of tokens, refused, of ended
                                certificates, of agents */
    struct hub_gateway_request {
        const char *resource; /* "" for a path that is none */
        unsigned code;
        uint64_t n;
    } requests[HUB_GATEWAY_REQUESTS]; /* answers; further kinds of them are not counted */
    size_t n_requests;
};

/* Everything passed outlives the gateway. */
FED_MUST_USE enum fed_err hub_gateway_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, struct hub_objects *objects, struct hub_plan *plan,
    struct hub_status *status, struct hub_identity *identity,
    const struct hub_gateway_options *options, struct hub_gateway **out, struct fed_diag *diag);
/* Close the servers before: their sessions are not closed here, only forgotten. */
void hub_gateway_close(struct hub_gateway *gateway);
/* Events for one server; link is kept. FED_ERR_LIMIT when there are more than four. */
FED_MUST_USE enum fed_err hub_gateway_bind(struct hub_gateway *gateway,
    const struct fed_link_calls *link, struct fed_link_server_events *out);
/* How long a session may be silent, by the heartbeat that agents are told: two and a half of them,
 * at least 10 minutes. */
uint32_t hub_gateway_idle_ms(const struct hub_gateway *gateway);
/* Two machines came as one cluster. Called once each time, inside a request; it may change objects.
 */
typedef void hub_gateway_copied(void *ctx, struct fed_span cluster, const char *message);
void hub_gateway_on_copied(struct hub_gateway *gateway, hub_gateway_copied *copied, void *ctx);
/* A hub_plan_changed; ctx is the gateway. */
void hub_gateway_plan_changed(void *gateway, struct fed_span cluster, uint64_t revision);
/* Sends a word to an address: nobody here knows a session with it. ctx outlives the gateway, or is
 * taken back with call NULL. Those who were connected when they were last heard of and have no
 * session now are told, a few at a time, from soon after this call on. */
typedef void hub_gateway_knock(void *ctx, const char *address);
void hub_gateway_knock_by(struct hub_gateway *gateway, hub_gateway_knock *call, void *ctx);
/* Before the sessions of a binding are saved: those that nobody would want to go on with are
 * closed. */
void hub_gateway_quiet(struct hub_gateway *gateway, const struct fed_link_calls *link);
/* What the next process' gateway needs of a session that is being saved (struct fed_link_peer,
 * kept); the gateway knows it no longer. FED_ERR_UNSUPPORTED when it never did. */
FED_MUST_USE enum fed_err hub_gateway_session_save(
    const struct fed_link_calls *link, struct fed_link_session *session, struct fed_buf *out);
/* The binding's server is closed: none of its sessions and exchanges is there any more. */
void hub_gateway_forget(struct hub_gateway *gateway, const struct fed_link_calls *link);
void hub_gateway_stats(const struct hub_gateway *gateway, struct hub_gateway_stats *out);

#endif
