/* api_world.h - the hub's API over a store in memory, as hub/serve.c puts it together, but with a
 * clock that is moved, keys that are none, and no sockets: sessions of ports/http are fed by hand.
 *
 * The world lives from one input to the next, for opening it takes a hundred times as long as an
 * input. After each, what it stored is taken back through the store, so that all who subscribe
 * follow; when that does not lead back to where it began, the world is opened anew. */
#ifndef FEDLET_TESTS_FUZZ_API_WORLD_H
#define FEDLET_TESTS_FUZZ_API_WORLD_H

#include "hub/access/audit.h"
#include "hub/access/token.h"
#include "hub/api/api.h"
#include "hub/api/events.h"
#include "hub/api/federated_types.h"
#include "ports/http/session.h"

#define API_WORLD_TIMERS 32u
#define API_WORLD_CALLS 16u

struct fed_timer {
    fed_loop_call *call;
    void *ctx;
    uint64_t due_ms; /* 0: not set */
    bool used;
};

struct api_memory { /* counts */
    struct fed_alloc alloc;
    size_t in_use;
};

struct api_world {
    struct api_memory hub_memory;
    struct api_memory http_memory;
    char dir[64];
    uint64_t now_ms;
    struct fed_timer timers[API_WORLD_TIMERS];
    struct fed_loop loop;
    struct {
        fed_loop_call *call;
        void *ctx;
    } calls[API_WORLD_CALLS]; /* at the end of the turn */
    size_t n_calls;
    struct fed_crypto crypto;
    uint64_t random;
    struct fed_fs fs; /* of the audit log: takes everything */
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    struct hub_kinds *kinds;
    struct hub_crds *crds;
    struct hub_federated_types *types;
    struct hub_events *events;
    struct hub_tokens *tokens;
    struct hub_audit *audit;
    struct hub_api *api;
    struct fed_http_engine engine; /* whoever opens sessions sets handler, closed and ctx */
    struct fed_buf snapshot;       /* what the store held, see _keep */
    uint64_t kept_revision;        /* of the store, when it last held that */
    size_t kept_memory;            /* what the API held then */
};

void api_world_open(struct api_world *w);
/* Everything has given its memory back then. */
void api_world_close(struct api_world *w);
/* Ends the turn of the loop. */
void api_world_turn(struct api_world *w);
/* Moves the clock and runs the timers that are due on the way. */
void api_world_pass(struct api_world *w, uint64_t ms);
/* The present state is the one to come back to. */
void api_world_keep(struct api_world *w);
/* Takes back what was stored since; false when the store did not come to rest there. Each object
 * that was stored is an object, under its own name, with what every object has. */
bool api_world_restore(struct api_world *w);

/* Requests that make what is there to begin with, in which ' stands for "; ends with NULL. */
extern const char *const api_beginning[];

#endif
