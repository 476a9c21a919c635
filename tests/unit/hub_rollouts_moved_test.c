/* hub_rollouts_moved_test.c - rollouts look at the clusters of which something is said to be new.
 * Whatever happened, a look at all of them afterwards finds nothing that was not told.
 *
 * SEED=N plays the events of that number, and says which. */
#include "hub_rollouts_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALL "'selector':{}"
#define ROUNDS 40u

static uint64_t seed;
static bool refused; /* what could not be stored is tried again later */

static unsigned below(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 16) % n);
}

static const char *cluster_name(size_t i)
{
    static const char *const names[] = {"c1", "c2", "c3", "c4", "c5"};

    return names[i];
}

static void policy(struct rollout_world *r)
{
    static const char *const specs[] = {ALL "," R_CANARY, ALL ",'waves':[]",
        ALL ",'waves':[{'name':'half','clusters':{'size':'50%'}}],'maxFailures':'50%'",
        ALL ",'waves':[{'name':'a','clusters':{'selector':{'matchLabels':{'k':'1'}}}}]",
        ALL ",'onFailure':'Rollback','onNewChange':'Queue'," R_CANARY};

    rollout_policy(r, "careful", specs[below(sizeof specs / sizeof *specs)]);
}

/* The newest that is stored; its number, 0: there is none. */
static unsigned newest(struct rollout_world *r, char name[64])
{
    unsigned found = 0;

    for (unsigned n = 1; n < ROUNDS + 2; n++) {
        snprintf(name, 64, "federatedconfigmap-x-%u", n);
        if (strcmp(rollout_shown(r, name), "(absent)") != 0)
            found = n;
    }
    snprintf(name, 64, "federatedconfigmap-x-%u", found);
    return found;
}

static void act(struct rollout_world *r)
{
    static const char *const actions[] = {
        "pause", "resume", "approve", "approve", "retry", "abort", "undo"};
    char name[64];

    if (newest(r, name))
        (void)rollout_do(r, name, actions[below(7)], NULL);
}

static bool is_there(struct rollout_world *r, size_t i)
{
    const char *stored = hub_world_stored(&r->w, W_CLUSTERS, W_SYSTEM, cluster_name(i));

    return strcmp(stored, "(absent)") != 0;
}

static void change_cluster(struct rollout_world *r, size_t i)
{
    static const char *const labels[] = {"{}", "{'k':'1'}", "{'k':'2'}"};

    if (is_there(r, i) && below(3) == 0)
        hub_world_remove(&r->w, W_CLUSTERS, W_SYSTEM, cluster_name(i));
    else
        hub_world_cluster(&r->w, cluster_name(i), labels[below(3)]);
}

static void event(struct rollout_world *r)
{
    unsigned what = below(100);
    size_t i = below(3);

    if (getenv("SEED"))
        print_message("event %u of cluster %zu\n", what, i);
    if (what < 25)
        rollout_put(r, (char)('1' + below(9)), "");
    else if (what < 35)
        policy(r);
    else if (what < 55)
        act(r);
    else if (what < 75)
        change_cluster(r, below(5));
    else if (what < 85)
        r->bad[i] = r->bad[i] ? NULL : "Unhealthy";
    else if (what < 92)
        r->silent[i] = !r->silent[i];
    else if (what < 96)
        rollout_restart(r);
    else {
        refused = true;
        test_writes_refuse();
        rollout_run(r, 50);
        test_writes_allow();
    }
}

/* Without the number of its steps. */
static void show(struct rollout_world *r, const char *name, char *out, size_t size)
{
    char *step;

    snprintf(out, size, "%s", rollout_shown(r, name));
    step = strstr(out, ",\"step\":");
    if (step)
        *step = '\0';
}

/* Until nothing moves any more, also where the machine is busy. */
static void calm(struct rollout_world *r, const char *name, char *out, size_t size)
{
    static char last[16384];
    char have[8] = "";
    bool still = false;

    for (unsigned i = 0; i < 20 && !still; i++) {
        snprintf(last, sizeof last, "%s", i ? out : "");
        rollout_run(r, 500);
        show(r, name, out, size);
        still = strcmp(last, out) == 0 && strcmp(have, rollout_have(r)) == 0;
        snprintf(have, sizeof have, "%s", rollout_have(r));
    }
}

static void check(struct rollout_world *r, unsigned long fleet)
{
    static char before[16384], after[16384];
    const struct hub_object_ref x = {
        fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")};
    char have[8];
    char name[64];

    if (!newest(r, name))
        return;
    calm(r, name, before, sizeof before);
    snprintf(have, sizeof have, "%s", rollout_have(r));
    hub_rollouts_planned(r->rollouts, &x);
    rollout_run(r, 300);
    show(r, name, after, sizeof after);
    if (strcmp(before, after) != 0)
        fail_msg("SEED=%lu: told late:\n%s\n%s", fleet, before, after);
    assert_string_equal(rollout_have(r), have);
}

static void live(struct rollout_world *r, unsigned long fleet)
{
    seed = fleet * 0x9e3779b97f4a7c15u + 1;
    rollout_put(r, '1', "");
    policy(r);
    for (unsigned i = 0; i < ROUNDS; i++) {
        event(r);
        if (below(2))
            event(r);
        rollout_run(r, below(3) ? 500 : 20);
        if (i % 4 != 3)
            continue;
        rollout_run(r, refused ? 3500 : 0);
        refused = false;
        check(r, fleet);
    }
}

static void test_a_look_at_all_finds_nothing(void **state)
{
    const char *only = getenv("SEED");

    live(*state, only ? strtoul(only, NULL, 10) : 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_a_look_at_all_finds_nothing, rollout_world_open, rollout_world_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
