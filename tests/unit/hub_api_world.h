/* hub_api_world.h - the API over a store in a temporary folder, a clock that the test moves, and an
 * HTTP server that is the test itself: requests go straight to the handler, answers are kept. */
#ifndef FEDLET_TESTS_UNIT_HUB_API_WORLD_H
#define FEDLET_TESTS_UNIT_HUB_API_WORLD_H

#include "hub/access/audit.h"
#include "hub/api/api.h"
#include "hub/api/events.h"
#include "hub/api/federated_types.h"

#define JSON "application/json"
#define MERGE "application/merge-patch+json"
#define CM "/api/v1/namespaces/default/configmaps"
#define FD "/apis/types.kubefed.io/v1beta1/namespaces/default/federateddeployments"
#define FD_SHORT "/apis/types.kubefed.io/v1alpha2/namespaces/default/federateddeployments"
#define FD_HEAD "'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedDeployment',"

#define WORLD_TIMERS 12u
#define WORLD_CALLS 8u
#define WORLD_REST 10000u /* calls of timers while time passes */

struct fed_timer {
    fed_loop_call *call;
    void *ctx;
    uint64_t due_ms; /* 0: not set */
    bool used;
};

struct fed_http_exchange {
    struct fed_http_request request;
    struct fed_http_header headers[3]; /* of the request */
    void *user;
    unsigned status;
    char content_type[128];
    char warning[512];
    struct fed_buf body;
    bool streaming;
    bool behind; /* it takes no more: what is written is refused, and it is closed later */
    bool ended;
};

/* The memory of everything below; it can be told to refuse. */
struct world_memory {
    struct fed_alloc alloc;
    long left;     /* so many times more is given; below 0: always */
    bool refused;  /* it was refused since left was set */
    size_t in_use; /* bytes */
};

struct world {
    struct world_memory memory;
    char dir[64];
    uint64_t now_ms;
    struct fed_timer timers[WORLD_TIMERS];
    struct fed_loop loop;
    struct { /* asked for at the end of the turn */
        fed_loop_call *call;
        void *ctx;
    } calls[WORLD_CALLS];
    size_t n_calls;
    struct fed_crypto crypto;
    uint8_t random;
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    struct hub_kinds *kinds;
    struct hub_crds *crds;
    struct hub_federated_types *types;
    struct hub_events *events;
    struct fed_fs fs; /* of the audit log alone */
    struct hub_audit *audit;
    struct fed_buf audited; /* what was written to it */
    struct hub_api *api;
    struct fed_crypto_cert_info peer; /* of requests; common_name "": no certificate */
    const char *accept;
    struct fed_http_exchange last; /* of world_call */
};

/* Of cmocka: *state is an open world. */
int world_setup(void **state);
int world_teardown(void **state);
void world_open(struct world *w);
/* From now on memory is given `left` times, then refused; below 0: given. */
void world_ration(struct world *w, long left);
void world_close(struct world *w);
void world_restart(struct world *w);
/* Moves the clock and runs the timers that are due on the way. */
void world_pass(struct world *w, uint64_t ms);
/* Ends the turn of the loop: what was asked for then is called. */
void world_turn(struct world *w);
/* Hands a request to the API, and does not end the turn: the answer may come later. x lives until
 * then; target and body (NULL: none) too. */
void world_send(struct world *w, struct fed_http_exchange *x, const char *method,
    const char *target, const char *body);
/* Sends one request; ' in body stands for ". Returns the status; the answer is in w->last. */
unsigned world_call(
    struct world *w, const char *method, const char *target, const char *type, const char *body);
/* The same, which must be answered so. */
void world_must(struct world *w, unsigned status, const char *method, const char *target,
    const char *type, const char *body);
/* Makes a ConfigMap in default, with more in its metadata. */
void world_make(struct world *w, const char *name, const char *more);
/* The answer's text at a dotted path (numbers as text), "" when absent. Valid until the next call.
 */
const char *world_at(struct world *w, const char *dotted);
bool world_says(const struct fed_http_exchange *x, const char *part);
/* How many records of the audit log have that text. */
size_t world_audited(const struct world *w, const char *part);
/* A watch, which stays open until world_unwatch. */
struct fed_http_exchange *world_watch(struct world *w, const char *target);
void world_unwatch(struct world *w, struct fed_http_exchange *x);
/* Types and names of the events so far, then forgets them: "ADDED a,MODIFIED b". */
const char *world_events(struct fed_http_exchange *x);

#endif
