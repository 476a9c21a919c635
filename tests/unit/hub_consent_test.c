/* hub_consent_test.c - removals in bulk at the hub: what waits, what does not, and how that ends.
 */
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
#define ALL "'clusterSelector':{}"
#define NOWHERE "'clusters':[]"

static const char *name_of(size_t i)
{
    static char name[8];

    snprintf(name, sizeof name, "m%02zu", i);
    return name;
}

static void put(struct hub_world *w, size_t i, const char *placement, const char *metadata)
{
    static unsigned generation;
    char json[1024];

    generation++;
    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','namespace':'ns','generation':%u,'finalizers':['kubefed.io/"
        "sync-controller']%s},'spec':{'template':{'data':{'k':'%u'}},'placement':{%s}}}",
        name_of(i), generation, metadata, generation, placement);
    hub_world_put(w, W_CONFIGMAPS, "ns", name_of(i), json);
}

static void put_all(struct hub_world *w, const char *placement)
{
    for (size_t i = 0; i < POOL; i++)
        put(w, i, placement, "");
}

static void annotate(struct hub_world *w, const char *cluster, const char *annotations)
{
    char json[512];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'%s','namespace':'" W_SYSTEM "','annotations':{%s}},'spec':{}}",
        cluster, annotations);
    hub_world_put(w, W_CLUSTERS, W_SYSTEM, cluster, json);
}

static size_t waiting(struct hub_world *w, const char *cluster)
{
    struct hub_plan_consent consent;

    return hub_plan_consent(w->plan, fed_span_text(cluster), &consent) ? consent.n : 0;
}

static void approve(struct hub_world *w, const char *cluster)
{
    struct hub_plan_consent consent;
    char annotation[128];

    if (!hub_plan_consent(w->plan, fed_span_text(cluster), &consent))
        return;
    snprintf(annotation, sizeof annotation, "'fedlet.io/approve-removal':'%s'", consent.id);
    annotate(w, cluster, annotation);
}

static size_t orders(struct hub_world *w, const char *cluster)
{
    const struct fed_removal_id *ids;
    struct fed_buf out;
    size_t n;

    fed_buf_init(&out, fed_alloc_system(), FED_REMOVALS_BYTES_MAX);
    assert_int_equal(hub_plan_orders_put(w->plan, fed_span_text(cluster), &out), FED_OK);
    assert_int_equal(fed_removals_take(fed_buf_span(&out), &ids, &n), FED_OK);
    fed_buf_fini(&out);
    return n;
}

static void narrow(struct hub_world *w, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        put(w, i, NOWHERE, "");
}

static void test_a_label_that_takes_many_waits(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    hub_world_cluster(w, "c1", "{'tier':'on'}");
    put_all(w, "'clusterSelector':{'matchLabels':{'tier':'on'}}");
    assert_int_equal(hub_world_maps(w, "c1"), POOL);
    before = hub_world_revision(w, "c1");
    hub_world_cluster(w, "c1", "{}");
    assert_int_equal(waiting(w, "c1"), POOL);
    assert_int_equal(hub_world_revision(w, "c1"), before);
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "m00"),
        "\"name\":\"c1\",\"status\":\"WaitingForRemoval\",\"message\":\"20 of 21 works (95 %)"));
    put(w, 3, "'clusterSelector':{'matchLabels':{'tier':'on'}}", ""); /* follows its template */
    assert_true(hub_world_revision(w, "c1") > before);
    hub_world_restart(w);
    assert_int_equal(waiting(w, "c1"), POOL);
    assert_int_equal(hub_world_maps(w, "c1"), POOL);
    hub_world_cluster(w, "c1", "{'tier':'on'}");
    assert_int_equal(waiting(w, "c1"), 0);
    hub_world_cluster(w, "c1", "{}");
    assert_int_equal(waiting(w, "c1"), POOL);
    approve(w, "c1");
    assert_int_equal(waiting(w, "c1"), 0);
    assert_int_equal(hub_world_maps(w, "c1"), 0);
    assert_int_equal(orders(w, "c1"), POOL);
    hub_world_restart(w);
    assert_int_equal(orders(w, "c1"), POOL);
    hub_world_confirm(w, "c1");
    assert_int_equal(orders(w, "c1"), 0);
}

static void test_a_drip_waits_and_takes_company(void **state)
{
    struct hub_world *w = *state;

    put_all(w, ALL);
    narrow(w, 0, 6); /* 6 of 21 */
    assert_int_equal(hub_world_maps(w, "c1"), 14);
    assert_int_equal(orders(w, "c1"), 0);
    hub_world_restart(w);
    narrow(w, 6, 8);
    assert_int_equal(hub_world_maps(w, "c1"), 14);
    assert_int_equal(waiting(w, "c1"), 2);
    put(w, 6, ALL, "");
    assert_int_equal(waiting(w, "c1"), 1);
    hub_world_remove(w, W_CONFIGMAPS, "ns", "m07"); /* by name: it goes, though it waited */
    assert_int_equal(waiting(w, "c1"), 0);
    assert_int_equal(hub_world_maps(w, "c1"), 13);
    put(w, 0, ALL, ""); /* came back: counts no more */
    put(w, 1, ALL, "");
    narrow(w, 8, 9);
    assert_int_equal(waiting(w, "c1"), 0);
}

#define DENY_MAPS "{'metadata':{'name':'p'},'spec':{'effect':'Deny','kinds':[{'kind':'ConfigMap'}],"

/* However many rounds there are, what waits for a person uses nothing up: the share that a policy
 * may take is of what is to go, each copy once. */
static void test_what_waits_is_within_the_budget_of_its_policy(void **state)
{
    struct hub_world *w = *state;

    put_all(w, ALL);
    hub_world_put(w, "placementpolicies.fedlet.io", "", "p",
        DENY_MAPS "'clusters':{'names':['c1']},'deletionBudget':{'removals':'50%','period':'24h'}}"
                  "}");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(waiting(w, "c1"), 20); /* he is asked once */
        assert_int_equal(hub_world_maps(w, "c1"), 20);
        hub_world_restart(w);
        put(w, i, ALL, "");
    }
    approve(w, "c1");
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(waiting(w, "c1"), 0);
        assert_int_equal(hub_world_maps(w, "c1"), 10);
        hub_world_restart(w);
        put(w, i, ALL, "");
    }
}

static void test_what_waits_leaves_the_budget_to_other_clusters(void **state)
{
    struct hub_world *w = *state;

    for (size_t i = 0; i < POOL; i++)
        put(w, i, i < 18 ? "'clusters':[{'name':'c1'}]" : "'clusters':[{'name':'c2'}]", "");
    hub_world_put(w, "placementpolicies.fedlet.io", "", "p",
        DENY_MAPS "'clusters':{'selector':{}},'deletionBudget':{'removals':8,'period':'24h'}}}");
    assert_int_equal(waiting(w, "c1"), 18);
    assert_int_equal(hub_world_maps(w, "c2"), 0); /* of few works nobody is asked */
    hub_world_restart(w);
    assert_int_equal(waiting(w, "c1"), 18);
    approve(w, "c1");
    assert_int_equal(hub_world_maps(w, "c1"), 12); /* what c2 left of the budget */
}

static void test_by_name_does_not_wait(void **state)
{
    struct hub_world *w = *state;

    put_all(w, ALL);
    for (size_t i = 0; i < POOL; i++)
        put(w, i, ALL, ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_int_equal(hub_world_maps(w, "c1"), 0);
    assert_int_equal(waiting(w, "c1"), 0);
    assert_int_equal(orders(w, "c1"), POOL);
    put_all(w, ALL);
    assert_int_equal(orders(w, "c1"), 0);
    /* The namespace of them. */
    hub_world_remove(w, W_NAMESPACES, "ns", "ns");
    assert_int_equal(hub_world_maps(w, "c1"), 0);
    assert_int_equal(waiting(w, "c1"), 0);
}

static void test_a_namespace_by_placement_waits_with_all_that_is_in_it(void **state)
{
    struct hub_world *w = *state;

    put_all(w, ALL);
    hub_world_put(w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns','generation':9},'spec':{'placement':{'clusters':"
        "["
        "{'name':'c2'}]}}}");
    assert_int_equal(waiting(w, "c1"), POOL + 1);
    assert_int_equal(hub_world_maps(w, "c1"), POOL);
    assert_int_equal(waiting(w, "c2"), 0);
    approve(w, "c1");
    assert_string_equal(hub_world_works(w, "c1"), "");
    assert_int_equal(waiting(w, "c3"), POOL + 1);
}

static void test_limits(void **state)
{
    struct hub_world *w = *state;
    struct fed_consent_limit off = {.share = 100, .least = 1};

    annotate(w, "c1", "'fedlet.io/removal-consent':'off'");
    annotate(w, "c2", "'fedlet.io/removal-consent':'share=0%,least=1'");
    put_all(w, ALL);
    put(w, 0, NOWHERE, "");
    assert_int_equal(hub_world_maps(w, "c1"), POOL - 1);
    assert_int_equal(hub_world_maps(w, "c2"), POOL);
    assert_int_equal(waiting(w, "c2"), 1);
    hub_plan_consent_limit(w->plan, &off);
    narrow(w, 0, POOL);
    assert_int_equal(hub_world_maps(w, "c1"), 0);
    assert_int_equal(hub_world_maps(w, "c3"), 0);
    assert_int_equal(waiting(w, "c2"), POOL);
}

static void test_consent_is_for_what_waited_then(void **state)
{
    struct hub_world *w = *state;
    struct hub_plan_consent consent;
    char stale[128];

    annotate(w, "c1", "'fedlet.io/removal-consent':'share=0%,least=1'");
    put_all(w, ALL);
    put(w, 0, NOWHERE, "");
    assert_true(hub_plan_consent(w->plan, FED_SPAN_LIT("c1"), &consent));
    snprintf(stale, sizeof stale,
        "'fedlet.io/removal-consent':'share=0%%,least=1','fedlet.io/approve-removal':'%s'",
        consent.id);
    put(w, 1, NOWHERE, "");
    annotate(w, "c1", stale); /* admission would have refused it */
    assert_int_equal(waiting(w, "c1"), 2);
    approve(w, "c1");
    assert_int_equal(waiting(w, "c1"), 0);
    assert_int_equal(hub_world_maps(w, "c1"), POOL - 2);
}

/* Whatever the clock says: the annotation that consented to one removal stays on the cluster. */
static void test_the_same_removal_again_asks_again(void **state)
{
    struct hub_world *w = *state;
    struct hub_plan_consent consent;
    char given[128];

    annotate(w, "c1", "'fedlet.io/removal-consent':'share=0%,least=1'");
    put_all(w, ALL);
    put(w, 0, NOWHERE, "");
    assert_true(hub_plan_consent(w->plan, FED_SPAN_LIT("c1"), &consent));
    snprintf(given, sizeof given,
        "'fedlet.io/removal-consent':'share=0%%,least=1','fedlet.io/approve-removal':'%s'",
        consent.id);
    annotate(w, "c1", given);
    assert_int_equal(hub_world_maps(w, "c1"), POOL - 1);
    hub_world_confirm(w, "c1");
    for (size_t i = 0; i < 3; i++) {
        put(w, 0, ALL, "");
        assert_int_equal(hub_world_maps(w, "c1"), POOL);
        put(w, 0, NOWHERE, "");
        annotate(w, "c1", given); /* some other field of the cluster is written */
        assert_int_equal(waiting(w, "c1"), 1);
        if (i == 1)
            hub_world_restart(w);
        assert_int_equal(hub_world_maps(w, "c1"), POOL);
    }
}

static void test_an_agent_that_asks_by_itself(void **state)
{
    struct hub_world *w = *state;
    const struct fed_span ids[] = {
        FED_SPAN_LIT("v1/ConfigMap/ns/m00"), FED_SPAN_LIT("v1/ConfigMap/ns/unknown")};
    struct hub_plan_consent consent;

    put_all(w, ALL);
    put(w, 0, NOWHERE, "");
    assert_int_equal(hub_world_maps(w, "c1"), POOL - 1);
    hub_plan_asked(w->plan, FED_SPAN_LIT("c1"), ids, 2);
    hub_world_settle(w);
    assert_true(hub_plan_consent(w->plan, FED_SPAN_LIT("c1"), &consent));
    assert_int_equal(consent.n, 2);
    assert_int_equal(consent.n_agent, 2);
    assert_int_equal(orders(w, "c1"), 0);
    /* Deleting the object is an order. */
    put(w, 0, NOWHERE, ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_int_equal(orders(w, "c1"), 1);
    assert_int_equal(waiting(w, "c1"), 1);
    approve(w, "c1");
    assert_int_equal(orders(w, "c1"), 2);
    assert_int_equal(waiting(w, "c1"), 0);
    hub_plan_asked(w->plan, FED_SPAN_LIT("c1"), NULL, 0);
    hub_world_confirm(w, "c1");
    assert_int_equal(orders(w, "c1"), 0);
}

/* An agent asks for its orders also when none of its removals waits in the end. */
static void test_an_agent_that_asks_a_hub_without_limit(void **state)
{
    struct hub_world *w = *state;
    const struct fed_span ids[] = {FED_SPAN_LIT("v1/ConfigMap/ns/m00")};

    annotate(w, "c1", "'fedlet.io/removal-consent':'off'");
    put_all(w, ALL);
    put(w, 0, NOWHERE, "");
    hub_plan_asked(w->plan, FED_SPAN_LIT("c1"), ids, 1);
    hub_world_settle(w);
    put(w, 1, NOWHERE, "");
    assert_int_equal(hub_world_maps(w, "c1"), POOL - 2);
    hub_plan_asked(w->plan, FED_SPAN_LIT("c1"), NULL, 0);
    hub_world_settle(w);
    assert_int_equal(waiting(w, "c1"), 0);
}

static void spoil_row(struct hub_world *w, const char *key, const char *value)
{
    struct fed_store *store = fed_sqlite_store_port(w->sqlite);
    const struct fed_store_op op = {.key = fed_span_text(key), .value = fed_span_text(value)};

    assert_int_equal(store->commit(store->ctx, NULL, 0, &op, 1, NULL, NULL), FED_OK);
    hub_world_restart(w);
}

static bool is_lost(struct hub_world *w, const char *cluster)
{
    struct fed_buf out;
    enum fed_err err;

    fed_buf_init(&out, fed_alloc_system(), FED_REMOVALS_BYTES_MAX);
    err = hub_plan_orders_put(w->plan, fed_span_text(cluster), &out);
    fed_buf_fini(&out);
    assert_true(err == FED_OK || err == FED_ERR_CORRUPT);
    return err == FED_ERR_CORRUPT;
}

/* What is not known any more is asked of the agent, and of a person. The hub goes on. */
static void test_a_row_that_cannot_be_read(void **state)
{
    static const char *const spoiled[] = {"", "\7", "\2\0\0", "\2 and so on"};
    struct hub_world *w = *state;
    const struct fed_span ids[] = {
        FED_SPAN_LIT("v1/ConfigMap/ns/m00"), FED_SPAN_LIT("v1/ConfigMap/ns/m01")};

    annotate(w, "c1", "'fedlet.io/removal-consent':'share=0%,least=1'");
    annotate(w, "c2", "'fedlet.io/removal-consent':'share=0%,least=1'");
    put_all(w, ALL);
    narrow(w, 0, 2);
    assert_int_equal(waiting(w, "c1"), 2);
    for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++) {
        spoil_row(w, "x/c1", spoiled[i]);
        assert_true(is_lost(w, "c1"));
        assert_false(is_lost(w, "c2"));
        assert_int_equal(waiting(w, "c2"), 2);
        assert_int_equal(hub_world_maps(w, "c2"), POOL);
        assert_int_equal(waiting(w, "c1"), 0); /* by what the hub knows */
        assert_int_equal(hub_world_maps(w, "c1"), POOL - 2);
    }
    hub_world_restart(w);
    assert_true(is_lost(w, "c1")); /* until somebody consents */
    hub_plan_asked(w->plan, FED_SPAN_LIT("c1"), ids, 2);
    hub_world_settle(w);
    assert_int_equal(waiting(w, "c1"), 2);
    narrow(w, 2, 3); /* joins them */
    assert_int_equal(waiting(w, "c1"), 3);
    approve(w, "c1");
    assert_int_equal(orders(w, "c1"), 3);
    hub_world_restart(w);
    assert_int_equal(orders(w, "c1"), 3);
}

/* A cluster that holds nothing back has nothing to be asked about. */
static void test_a_row_that_is_not_needed(void **state)
{
    struct hub_world *w = *state;

    put_all(w, ALL);
    spoil_row(w, "x/c1", "?");
    assert_true(is_lost(w, "c1"));
    assert_int_equal(hub_world_maps(w, "c1"), POOL);
    hub_plan_removed(w->plan, FED_SPAN_LIT("c1"), hub_world_revision(w, "c1") - 1, NULL, 0);
    assert_true(is_lost(w, "c1"));
    hub_world_confirm(w, "c1");
    assert_false(is_lost(w, "c1"));
    hub_world_settle(w);
    hub_world_restart(w);
    assert_false(is_lost(w, "c1"));
}

static void test_frames_mark_what_was_ordered(void **state)
{
    struct hub_world *w = *state;
    const struct fed_manifest *base;
    uint64_t revision;
    size_t marked = 0;

    put_all(w, ALL);
    revision = hub_world_revision(w, "c1");
    put(w, 0, NOWHERE, "");
    put(w, 1, ALL, ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    for (unsigned knows = 0; knows < 2; knows++) {
        hub_plan_agent_knows(w->plan, FED_SPAN_LIT("c1"),
            FED_LINK_KNOWS_FIRST | (knows ? FED_LINK_KNOWS_CONSENT : 0));
        assert_int_equal(
            hub_plan_manifest_base(w->plan, FED_SPAN_LIT("c1"), revision, &base), FED_OK);
        marked = 0;
        for (size_t i = 0; i < base->n_works; i++) {
            bool is = base->works[i].options & FED_WORK_ORDERED;

            marked += is;
            assert_true(!is || fed_span_is(base->works[i].name, "m01"));
        }
        assert_int_equal(marked, knows);
    }
}

/* Consent whose commit the disk refuses was never given: whoever gave it was told so. */
static void test_consent_that_is_not_stored_was_not_given(void **state)
{
    struct hub_world *w = *state;
    const struct fed_span ids[] = {FED_SPAN_LIT("v1/ConfigMap/ns/unknown")};
    struct hub_object_write write = {.ref = {.resource = FED_SPAN_LIT(W_CLUSTERS),
                                         .ns = FED_SPAN_LIT(W_SYSTEM),
                                         .name = FED_SPAN_LIT("c1")},
        .expected = HUB_ANY_REVISION};
    struct hub_plan_consent consent;
    char text[256];

    put_all(w, ALL);
    narrow(w, 0, POOL);
    hub_plan_asked(w->plan, FED_SPAN_LIT("c1"), ids, 1);
    hub_world_settle(w);
    assert_true(hub_plan_consent(w->plan, FED_SPAN_LIT("c1"), &consent));
    snprintf(text, sizeof text,
        "{\"metadata\":{\"name\":\"c1\",\"annotations\":{\"fedlet.io/approve-removal\":\"%s\"}},"
        "\"spec\":{}}",
        consent.id);
    write.bytes = fed_span_text(text);
    assert_int_equal(hub_objects_stage(w->objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    test_writes_allow();
    hub_world_settle(w);
    hub_world_wait(1100); /* the plan tries again */
    hub_world_settle(w);
    assert_int_equal(waiting(w, "c1"), consent.n);
    assert_int_equal(hub_world_maps(w, "c1"), consent.n - 1);
    assert_int_equal(orders(w, "c1"), 0);
    hub_world_restart(w);
    assert_int_equal(waiting(w, "c1"), consent.n - 1); /* the agent reports again */
    approve(w, "c1");
    assert_int_equal(waiting(w, "c1"), 0);
    assert_int_equal(hub_world_maps(w, "c1"), 0);
}

/* Its type is stopped while it waits, and the hub restarts. */
static void test_a_type_that_is_stopped_meanwhile(void **state)
{
    struct hub_world *w = *state;
    static const char type[] =
        "{'metadata':{'name':'configmaps'},'spec':{'propagation':'%s','targetType':{'group':'','"
        "version':'v1','kind':'ConfigMap','pluralName':'configmaps','scope':'Namespaced'},'"
        "federatedType':{'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedConfigMap'"
        ",'pluralName':'federatedconfigmaps','scope':'Namespaced'}}}";
    char json[512];

    put_all(w, ALL);
    narrow(w, 0, POOL);
    assert_int_equal(waiting(w, "c1"), 14);
    snprintf(json, sizeof json, type, "Disabled");
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", json);
    assert_int_equal(hub_world_maps(w, "c1"), 14);
    hub_world_restart(w);
    assert_int_equal(
        hub_world_maps(w, "c1"), POOL); /* held in every cluster, which may mean nothing */
    assert_int_equal(waiting(w, "c1"), 14);
    snprintf(json, sizeof json, type, "Enabled");
    hub_world_put(w, W_TYPES, W_SYSTEM, "configmaps", json);
    assert_true(hub_world_maps(w, "c1") >= 14);
    hub_world_restart(w);
    assert_true(waiting(w, "c1") >= 14);
    approve(w, "c1");
    assert_int_equal(hub_world_maps(w, "c1"), 0);
}

/* The last good version stays over a restart, as well as anybody can know it. */
static void test_what_cannot_be_sent_stays_over_a_restart(void **state)
{
    struct hub_world *w = *state;

    put(w, 0, ALL, "");
    put(w, 0,
        ALL "},'overrides':[{'clusterName':'c1','clusterOverrides':[{'path':'/x/y/z','op':"
            "'remove'}]}],'q':{",
        "");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/m00,Namespace//ns");
    hub_world_restart(w);
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/m00=,Namespace//ns");
    assert_string_equal(hub_world_works(w, "c2"), "ConfigMap/ns/m00,Namespace//ns");
    assert_non_null(
        strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "m00"), "ApplyOverridesFailed"));
    put(w, 0, ALL, "");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/m00,Namespace//ns");
    /* A placement that cannot be computed. */
    put(w, 0, "'clusterSelector':{'matchExpressions':[{'key':'z','operator':'Is'}]}", "");
    hub_world_restart(w);
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/m00=,Namespace//ns");
    hub_world_remove(w, W_CONFIGMAPS, "ns", "m00");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

/* ---- over random histories ---- */

struct history {
    struct hub_world *w;
    unsigned seed;
    bool placed[POOL], exists[POOL];
    bool there[POOL];   /* in the manifest before the step */
    bool ordered[POOL]; /* consented to, or deleted, since it left */
    bool passed[POOL];
};

static unsigned draw(struct history *h, unsigned n)
{
    h->seed = h->seed * 1103515245u + 12345u;
    return (h->seed >> 16) % n;
}

static bool is_in(struct hub_world *w, size_t i)
{
    char work[64];

    snprintf(work, sizeof work, "ConfigMap/ns/%s", name_of(i));
    return strncmp(hub_world_where(w, work), "c1", 2) == 0;
}

static void step(struct history *h)
{
    size_t i = draw(h, POOL);
    size_t n = draw(h, 3) ? 1 : 8;

    switch (draw(h, 8)) {
    case 0:
        hub_world_restart(h->w);
        break;
    case 1:
        for (size_t k = 0; k < POOL; k++)
            h->ordered[k] = h->ordered[k] || !h->placed[k];
        approve(h->w, "c1");
        break;
    case 2:
        if (!h->exists[i])
            break;
        h->exists[i] = h->placed[i] = false;
        h->ordered[i] = true;
        hub_world_remove(h->w, W_CONFIGMAPS, "ns", name_of(i));
        break;
    case 3:
        hub_world_confirm(h->w, "c1");
        break;
    case 4:
        for (size_t k = 0; k < POOL; k++)
            if (!h->placed[k] && draw(h, 2)) {
                h->exists[k] = h->placed[k] = true;
                h->ordered[k] = false;
                put(h->w, k, ALL, "");
            }
        break;
    default:
        for (size_t k = i; k < POOL && k < i + n; k++)
            if (h->placed[k]) {
                h->placed[k] = false;
                put(h->w, k, NOWHERE, "");
            }
    }
    hub_world_settle(h->w);
}

/* Each change is a turn of its own, so that at most one goes at once; together never too many. */
static void check(struct history *h)
{
    size_t before = 1; /* the namespace */
    size_t passed = 0;
    size_t stays = 0;
    bool fresh = false;

    for (size_t i = 0; i < POOL; i++) {
        bool now = is_in(h->w, i);

        before += h->there[i];
        if (now)
            h->passed[i] = false;
        else if (h->there[i] && !h->ordered[i])
            fresh = h->passed[i] = true;
        passed += h->passed[i];
        stays += now && !h->placed[i];
        if (h->placed[i] && !now)
            fail_msg("%s is placed, and not there", name_of(i));
    }
    if (fresh && passed >= FED_CONSENT_LEAST &&
        passed * 100 > FED_CONSENT_SHARE * (before + passed))
        fail_msg("%zu went, of %zu", passed, before);
    assert_int_equal(waiting(h->w, "c1"), stays);
}

static void test_random_histories(void **state)
{
    struct history h = {.w = *state, .seed = 7};

    put_all(h.w, ALL);
    for (size_t i = 0; i < POOL; i++)
        h.exists[i] = h.placed[i] = true;
    for (unsigned n = 0; n < 300; n++) {
        for (size_t i = 0; i < POOL; i++)
            h.there[i] = is_in(h.w, i);
        step(&h);
        check(&h);
    }
    approve(h.w, "c1");
    assert_int_equal(waiting(h.w, "c1"), 0);
    for (size_t i = 0; i < POOL; i++)
        assert_int_equal(is_in(h.w, i), h.placed[i]);
}

#define IN_THREE(test) cmocka_unit_test_setup_teardown(test, hub_world_three, hub_world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_THREE(test_a_label_that_takes_many_waits),
        IN_THREE(test_a_drip_waits_and_takes_company),
        IN_THREE(test_what_waits_is_within_the_budget_of_its_policy),
        IN_THREE(test_what_waits_leaves_the_budget_to_other_clusters),
        IN_THREE(test_by_name_does_not_wait),
        IN_THREE(test_a_namespace_by_placement_waits_with_all_that_is_in_it),
        IN_THREE(test_limits),
        IN_THREE(test_consent_is_for_what_waited_then),
        IN_THREE(test_the_same_removal_again_asks_again),
        IN_THREE(test_an_agent_that_asks_by_itself),
        IN_THREE(test_an_agent_that_asks_a_hub_without_limit),
        IN_THREE(test_a_row_that_cannot_be_read),
        IN_THREE(test_a_row_that_is_not_needed),
        IN_THREE(test_frames_mark_what_was_ordered),
        IN_THREE(test_consent_that_is_not_stored_was_not_given),
        IN_THREE(test_a_type_that_is_stopped_meanwhile),
        IN_THREE(test_what_cannot_be_sent_stays_over_a_restart),
        IN_THREE(test_random_histories),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
