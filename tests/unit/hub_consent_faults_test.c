/* hub_consent_faults_test.c - removals in bulk at the hub when something goes wrong, or somebody
 * tries: consent that is meant for something else, memory that is refused, a disk that is full. */
#include "hub_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hub/plan/internal.h"
#include "refused_writes.h"

#define POOL 20u
#define C1 FED_SPAN_LIT("c1")
#define ALL "'clusterSelector':{}"
#define NOWHERE "'clusters':[]"
#define NONE_WAITS "'fedlet.io/removal-consent':'off',"

static unsigned content; /* of their templates */

static void stage_map(struct hub_world *w, size_t i, const char *placement)
{
    static unsigned generation;
    char name[8];
    char json[1024];

    generation++;
    snprintf(name, sizeof name, "m%02zu", i);
    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','namespace':'ns','generation':%u,'finalizers':['kubefed.io/"
        "sync-controller']},'spec':{'template':{'data':{'k':'%u'}},'placement':{%s}}}",
        name, generation, content, placement);
    hub_world_stage(w, W_CONFIGMAPS, "ns", name, json);
}

static void put_some(struct hub_world *w, size_t from, size_t to, const char *placement)
{
    for (size_t i = from; i < to; i++)
        stage_map(w, i, placement);
    (void)hub_objects_flush(w->objects, NULL);
    hub_world_settle(w);
}

static void put(struct hub_world *w, size_t i, const char *placement)
{
    put_some(w, i, i + 1, placement);
}

static void annotate(struct hub_world *w, const char *limit, const char *approval)
{
    char json[512];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'c1','namespace':'" W_SYSTEM
        "','annotations':{%s'fedlet.io/approve-removal':'%s'}},'spec':{}}",
        limit, approval);
    hub_world_put(w, W_CLUSTERS, W_SYSTEM, "c1", json);
}

static struct hub_plan_consent consent_of(struct hub_world *w)
{
    struct hub_plan_consent consent = {.id = ""};

    (void)hub_plan_consent(w->plan, C1, &consent);
    return consent;
}

/* Its name, which lives on. */
static const char *name_of(struct hub_world *w)
{
    static char id[64];

    snprintf(id, sizeof id, "%s", consent_of(w).id);
    return id;
}

static size_t waiting(struct hub_world *w)
{
    return consent_of(w).n;
}

/* All that it has of them is of one template. */
static bool is_uniform(struct hub_world *w, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 1; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].kind, "ConfigMap") &&
            fed_span_is(manifest->works[i - 1].kind, "ConfigMap") &&
            !fed_digest_eq(&manifest->works[i].blob, &manifest->works[i - 1].blob))
            return false;
    return true;
}

static size_t maps(struct hub_world *w)
{
    return hub_world_maps(w, "c1");
}

static size_t orders(struct hub_world *w)
{
    const struct fed_removal_id *ids;
    struct fed_buf out;
    size_t n;

    fed_buf_init(&out, fed_alloc_system(), FED_REMOVALS_BYTES_MAX);
    assert_int_equal(hub_plan_orders_put(w->plan, C1, &out), FED_OK);
    assert_int_equal(fed_removals_take(fed_buf_span(&out), &ids, &n), FED_OK);
    fed_buf_fini(&out);
    return n;
}

/* ---- consent to something else ---- */

/* Whoever may add works to what waits cannot search for a list of the same name. */
static void test_a_name_is_long_enough(void **state)
{
    struct hub_world *w = *state;

    put_some(w, 0, POOL, ALL);
    put_some(w, 0, POOL, NOWHERE);
    assert_int_equal(strlen(consent_of(w).id), 32);
}

/* The agent says that it holds more back, and the consent to what it held back before is written in
 * the same turn. */
static void test_consent_does_not_cover_what_came_since(void **state)
{
    struct hub_world *w = *state;
    const struct fed_span ids[] = {
        FED_SPAN_LIT("v1/ConfigMap/ns/x"), FED_SPAN_LIT("v1/ConfigMap/ns/y")};

    put_some(w, 0, POOL, ALL);
    hub_plan_asked(w->plan, C1, ids, 1);
    hub_world_settle(w);
    assert_int_equal(waiting(w), 1);
    hub_plan_asked(w->plan, C1, ids, 2);
    annotate(w, "", name_of(w));
    assert_int_equal(orders(w), 0);
    assert_int_equal(waiting(w), 2);
    annotate(w, "", name_of(w));
    assert_int_equal(orders(w), 2);
}

/* What the agent held back is placed again, of which it has not heard. */
static void test_what_came_back_is_not_consented_to(void **state)
{
    struct hub_world *w = *state;
    const struct fed_span ids[] = {
        FED_SPAN_LIT("v1/ConfigMap/ns/m00"), FED_SPAN_LIT("v1/ConfigMap/ns/m01")};
    char before[64];

    annotate(w, NONE_WAITS, "");
    put_some(w, 0, POOL, ALL);
    put_some(w, 0, 2, NOWHERE);
    hub_plan_asked(w->plan, C1, ids, 2);
    hub_world_settle(w);
    snprintf(before, sizeof before, "%s", name_of(w));
    put(w, 0, ALL);
    assert_int_equal(waiting(w), 1);
    hub_plan_asked(w->plan, C1, ids, 2); /* a report that was on its way */
    hub_world_settle(w);
    assert_int_equal(waiting(w), 1);
    annotate(w, NONE_WAITS, before);
    assert_int_equal(orders(w), 0);
    annotate(w, NONE_WAITS, name_of(w));
    assert_int_equal(orders(w), 1); /* m01 */
    put(w, 0, NOWHERE);
    assert_int_equal(orders(w), 1);
    hub_plan_asked(w->plan, C1, ids, 2);
    hub_world_settle(w);
    assert_int_equal(waiting(w), 1); /* m00 asks anew */
}

/* ---- counting ---- */

#define DENY                                                                                       \
    "{'metadata':{'name':'p'},'spec':{'effect':'Deny','kinds':[{'kind':'ConfigMap'}],'clusters':{" \
    "'names':['c1']},'deletionBudget':{'removals':2,'period':'24h'}}}"

/* What an agent holds back lets nothing past the budget of a policy. */
static void test_a_budget_where_the_hub_has_no_limit(void **state)
{
    struct hub_world *w = *state;
    const struct fed_span ids[] = {FED_SPAN_LIT("v1/ConfigMap/ns/x")};

    annotate(w, NONE_WAITS, "");
    put_some(w, 0, POOL, ALL);
    hub_plan_asked(w->plan, C1, ids, 1);
    hub_world_settle(w);
    hub_world_put(w, "placementpolicies.fedlet.io", "", "p", DENY);
    assert_int_equal(maps(w), POOL - 2);
    put(w, 5, ALL);
    assert_int_equal(maps(w), POOL - 2);
}

/* Six of 21 by placement, and in the same commit two more by a policy: eight of 21 are too many. */
static void test_a_commit_is_counted_once(void **state)
{
    struct hub_world *w = *state;

    put_some(w, 0, POOL, ALL);
    for (size_t i = 0; i < 6; i++)
        stage_map(w, i, NOWHERE);
    hub_world_stage(w, "placementpolicies.fedlet.io", "", "p", DENY);
    assert_int_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    hub_world_settle(w);
    assert_int_equal(maps(w), POOL - 6);
    assert_int_equal(waiting(w), POOL - 6);
}

/* ---- what is refused ---- */

/* Whoever takes a cluster out while the disk is full has taken nothing out. */
static void test_a_cluster_whose_removal_was_undone(void **state)
{
    struct hub_world *w = *state;

    put_some(w, 0, POOL, ALL);
    put_some(w, 0, POOL, NOWHERE);
    assert_int_equal(waiting(w), POOL);
    hub_world_stage(w, W_CLUSTERS, W_SYSTEM, "c1", NULL);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    test_writes_allow();
    plan_round_retry(w->plan);
    hub_world_settle(w);
    assert_int_equal(waiting(w), POOL);
    assert_int_equal(maps(w), POOL);
    hub_world_restart(w);
    assert_int_equal(waiting(w), POOL);
    assert_int_equal(maps(w), POOL);
}

/* Another one of the name is new, also in the same commit. */
static void test_a_cluster_that_is_made_anew(void **state)
{
    struct hub_world *w = *state;

    put_some(w, 0, POOL, ALL);
    put_some(w, 0, POOL, NOWHERE);
    hub_world_stage(w, W_CLUSTERS, W_SYSTEM, "c1", NULL);
    hub_world_stage(w, W_CLUSTERS, W_SYSTEM, "c1",
        "{'metadata':{'name':'c1','namespace':'" W_SYSTEM "'},'spec':{}}");
    assert_int_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    hub_world_settle(w);
    assert_int_equal(waiting(w), 0);
    assert_int_equal(maps(w), 0);
    hub_world_remove(w, W_CLUSTERS, W_SYSTEM, "c1");
    assert_null(plan_cluster_get(w->plan, C1));
}

static void test_ids_are_compared_without_version(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"v1/ConfigMap/ns/x", "v2/ConfigMap/ns/x", true},
        {"v1/Namespace//x", "v1/Namespace//x", true},
        {"v1/Namespace//x", "v1/Namespace/x/x", false},
        {"g.io/v1/Thing/ns/x", "g.io/v2beta1/Thing/ns/x", true},
        {"g.io/v1/Thing/ns/x", "h.io/v1/Thing/ns/x", false},
        {"g.io/v1/Thing/ns/x", "v1/Thing/ns/x", false},
        {"v1/Thing/ns/x", "v1/Thing/ns/y", false},
        {"v1/Thing/ns/x", "v1/Other/ns/x", false},
        {"", "v1/Thing/ns/x", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fed_span a = fed_span_text(cases[i].a);
        struct fed_span b = fed_span_text(cases[i].b);

        assert_int_equal(fed_work_id_same(a, b), cases[i].same);
        assert_int_equal(fed_work_id_same(b, a), cases[i].same);
    }
}

/* By whichever version the agent has heard of it. */
static void test_what_is_still_there_in_another_version(void **state)
{
    struct hub_world *w = *state;
    const struct fed_span ids[] = {FED_SPAN_LIT("v0/ConfigMap/ns/x")};

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    hub_world_put_deleting_map(w, "");
    hub_plan_removed(w->plan, C1, hub_world_revision(w, "c1"), ids, 1);
    hub_world_settle(w);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_world_confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static struct refusing {
    struct fed_alloc alloc;
    size_t left; /* this many are given, and one is not */
    bool refused;
} memory;

static void *resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct refusing *m = ctx;
    struct fed_alloc *system = fed_alloc_system();

    if (size > 0 && size > old_size && m->left-- == 0) {
        m->refused = true;
        return NULL;
    }
    return system->resize(system->ctx, at, old_size, size);
}

static void begin_refusing(struct hub_world *w)
{
    memory = (struct refusing){.alloc = {&memory, resize}, .left = SIZE_MAX};
    w->plan_mem = &memory.alloc;
    hub_world_restart(w);
}

static void try_again(struct hub_world *w)
{
    memory.left = SIZE_MAX;
    plan_round_retry(w->plan);
    hub_world_settle(w);
}

/* One more refusal later than before. The changes are taken in already: it is the round's. */
static void flush_refusing(struct hub_world *w, size_t n)
{
    plan_take_staged(w->plan);
    memory.refused = false;
    memory.left = n;
    (void)hub_objects_flush(w->objects, NULL);
    memory.left = SIZE_MAX;
}

/* Few leave, and memory is refused on the way: the rest follows by itself. */
static void test_few_without_memory(void **state)
{
    struct hub_world *w = *state;

    put_some(w, 0, POOL, ALL);
    begin_refusing(w);
    for (size_t n = 0; n == 0 || memory.refused; n++) {
        put_some(w, 0, 5, ALL);
        assert_int_equal(maps(w), POOL);
        for (size_t i = 0; i < 5; i++)
            stage_map(w, i, NOWHERE);
        flush_refusing(w, n);
        try_again(w);
        assert_int_equal(maps(w), POOL - 5);
        assert_int_equal(hub_world_maps(w, "c2"), POOL - 5);
        assert_int_equal(hub_world_maps(w, "c3"), POOL - 5);
        assert_int_equal(waiting(w), 0);
    }
}

/* What waits follows its template, whatever was refused when it began to wait. */
static void test_many_without_memory(void **state)
{
    static const char *const clusters[] = {"c1", "c2", "c3"};
    struct hub_world *w = *state;

    put_some(w, 0, POOL, ALL);
    begin_refusing(w);
    for (size_t n = 0; n == 0 || memory.refused; n++) {
        uint64_t before = hub_world_revision(w, "c1");

        put_some(w, 0, POOL, ALL);
        content++;
        for (size_t i = 0; i < POOL; i++)
            stage_map(w, i, NOWHERE);
        flush_refusing(w, n);
        try_again(w);
        assert_int_equal(maps(w), POOL);
        assert_int_equal(waiting(w), POOL);
        assert_true(hub_world_revision(w, "c1") > before);
        for (size_t i = 0; i < 3; i++)
            assert_true(is_uniform(w, clusters[i]));
    }
}

/* Consent that came to nothing for want of memory takes nothing away that is placed again. */
static void test_consent_without_memory(void **state)
{
    struct hub_world *w = *state;
    char json[256];

    put_some(w, 0, POOL, ALL);
    begin_refusing(w);
    for (size_t n = 0; n == 0 || memory.refused; n++) {
        put_some(w, 0, POOL, NOWHERE);
        assert_int_equal(waiting(w), POOL);
        snprintf(json, sizeof json,
            "{'metadata':{'name':'c1','annotations':{'fedlet.io/approve-removal':'%s'}},'spec':{}}",
            name_of(w));
        hub_world_stage(w, W_CLUSTERS, W_SYSTEM, "c1", json);
        flush_refusing(w, n);
        put_some(w, 0, POOL, ALL);
        try_again(w);
        assert_int_equal(maps(w), POOL);
        assert_int_equal(waiting(w), 0);
        assert_int_equal(orders(w), 0);
    }
}

#define IN_THREE(test) cmocka_unit_test_setup_teardown(test, hub_world_three, hub_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THREE(test_a_name_is_long_enough),
        IN_THREE(test_consent_does_not_cover_what_came_since),
        IN_THREE(test_what_came_back_is_not_consented_to),
        IN_THREE(test_a_budget_where_the_hub_has_no_limit),
        IN_THREE(test_a_commit_is_counted_once),
        IN_THREE(test_a_cluster_whose_removal_was_undone),
        IN_THREE(test_a_cluster_that_is_made_anew),
        cmocka_unit_test(test_ids_are_compared_without_version),
        IN_THREE(test_what_is_still_there_in_another_version),
        IN_THREE(test_few_without_memory),
        IN_THREE(test_many_without_memory),
        IN_THREE(test_consent_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
