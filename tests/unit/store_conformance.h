/* store_conformance.h - what every engine behind struct fed_store must do; run it for each of them.
 *
 * The engine's test brings how a new, empty store is made, how one is closed and opened again, and
 * how its disk (its server) is made to refuse for a while. */
#ifndef FEDLET_TESTS_UNIT_STORE_CONFORMANCE_H
#define FEDLET_TESTS_UNIT_STORE_CONFORMANCE_H

#include "ports/store.h"

struct store_engine {
    const char *name;
    bool history;
    /* A new, empty store with this epoch; fails the test by itself. */
    struct fed_store *(*fresh)(void *ctx, uint32_t epoch);
    /* Closes the store and opens it again; what was given before is no longer valid. */
    struct fed_store *(*reopen)(void *ctx);
    /* The same with another epoch, as after a restore from a backup; only with history. */
    struct fed_store *(*renew)(void *ctx, uint32_t epoch);
    /* From now on nothing can be made durable (a commit or flush that has changes fails), or again.
     */
    void (*refuse)(void *ctx);
    void (*allow)(void *ctx);
    /* Closes and forgets it. */
    void (*drop)(void *ctx);
    void *ctx;
};

/* Runs the suite as a group of tests; the number of failed ones. */
int store_conformance_run(const struct store_engine *engine);

#endif
