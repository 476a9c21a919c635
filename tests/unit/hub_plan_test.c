/* hub_plan_test.c - placement, namespaces, overrides, deletion and revisions, on a real store. */
#include "hub_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct hub_world w;

    hub_world_open(&w);
    hub_world_types(&w);
    hub_world_cluster(&w, "c1", "{'zone':'a','tier':'web'}");
    hub_world_cluster(&w, "c2", "{'zone':'b'}");
    hub_world_cluster(&w, "c3", "{}");
    hub_world_put(&w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    hub_world_close(*state);
    return 0;
}

/* The clusters, of c1 c2 c3, that hold ConfigMap ns/x: "c1 c3". */
static const char *where(struct hub_world *w)
{
    static const char *const clusters[] = {"c1", "c2", "c3"};
    static char text[16];

    text[0] = '\0';
    for (size_t i = 0; i < 3; i++) {
        if (strstr(hub_world_works(w, clusters[i]), "ConfigMap/ns/x"))
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? " " : "",
                clusters[i]);
    }
    return text;
}

static void put_map(struct hub_world *w, const char *spec)
{
    char json[2048];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'x','namespace':'ns','generation':1,'finalizers':['kubefed.io/"
        "sync-controller']},'spec':%s}",
        spec);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
}

static void test_placement_table(void **state)
{
    static const struct {
        const char *placement;
        const char *clusters;
    } rows[] = {
        {"{}", ""},
        {"null", ""},
        {"{'clusterSelector':{}}", "c1 c2 c3"},
        {"{'clusterSelector':{'matchLabels':{}}}", "c1 c2 c3"},
        {"{'clusterSelector':{'matchLabels':{'zone':'a'}}}", "c1"},
        {"{'clusterSelector':{'matchLabels':{'zone':'a'},'matchExpressions':[{'key':'tier','"
         "operator':'Exists'}]}}",
            "c1"},
        {"{'clusterSelector':{'matchExpressions':[{'key':'zone','operator':'In','values':['a','b']}"
         "]}}",
            "c1 c2"},
        {"{'clusterSelector':{'matchExpressions':[{'key':'zone','operator':'NotIn','values':['a']}]"
         "}}",
            "c2 c3"},
        {"{'clusterSelector':{'matchExpressions':[{'key':'zone','operator':'DoesNotExist'}]}}",
            "c3"},
        {"{'clusters':[]}", ""},
        {"{'clusters':[],'clusterSelector':{}}", ""},
        {"{'clusters':null,'clusterSelector':{}}", "c1 c2 c3"},
        {"{'clusters':[{'name':'c2'},{'name':'nowhere'}]}", "c2"},
        {"{'clusters':[{'name':'c2'}],'clusterSelector':{}}", "c2"},
    };
    char spec[512];

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(
            spec, sizeof spec, "{'template':{'data':{'k':'v'}},'placement':%s}", rows[i].placement);
        put_map(*state, spec);
        if (strcmp(where(*state), rows[i].clusters) != 0)
            fail_msg("placement %s: in \"%s\", expected \"%s\"", rows[i].placement, where(*state),
                rows[i].clusters);
    }
}

static void test_bad_selector_keeps_what_is_there(void **state)
{
    put_map(*state, "{'placement':{'clusters':[{'name':'c1'}]}}");
    assert_string_equal(where(*state), "c1");
    put_map(*state,
        "{'placement':{'clusterSelector':{'matchExpressions':[{'key':'a','operator':'Is'}]}}}");
    assert_string_equal(where(*state), "c1");
    assert_non_null(
        strstr(hub_world_composed(*state, W_CONFIGMAPS, "ns", "x"), "ComputePlacementFailed"));
}

static void test_namespace_intersection(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'placement':{'clusterSelector':{}}}");
    hub_world_put(w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusters':[{'name':'c1'},"
        "{'name':'c3'}]}}}");
    assert_string_equal(where(w), "c1 c3");
    assert_string_equal(hub_world_works(w, "c2"), "");
    hub_world_remove(w, W_NAMESPACES, "ns", "ns");
    assert_string_equal(where(w), "");
    assert_non_null(
        strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "NamespaceNotFederated"));
    /* A FederatedNamespace under another name does not count. */
    hub_world_put(w, W_NAMESPACES, "ns", "other",
        "{'metadata':{'name':'other','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}"
        "}");
    assert_string_equal(where(w), "");
}

static bool counts_on(struct hub_world *w, const char *cluster)
{
    return hub_plan_namespace_in(w->plan, FED_SPAN_LIT("ns"), fed_span_text(cluster));
}

static void test_scheduler_counts_on_any_cluster_until_the_namespace_is_federated(void **state)
{
    struct hub_world *w = *state;

    assert_true(counts_on(w, "c1"));
    assert_true(counts_on(w, "c2"));
    hub_world_put(w, W_NAMESPACES, "ns", "ns",
        "{'metadata':{'name':'ns','namespace':'ns'},'spec':{'placement':{'clusters':[{'name':'c1'}]"
        "}}}");
    assert_true(counts_on(w, "c1"));
    assert_false(counts_on(w, "c2"));
    hub_world_remove(w, W_NAMESPACES, "ns", "ns");
    assert_true(counts_on(w, "c2"));
    assert_false(counts_on(w, "nobody"));
}

static void test_cluster_scoped_needs_no_namespace(void **state)
{
    hub_world_put(*state, W_CLUSTERROLES, "", "r",
        "{'metadata':{'name':'r'},'spec':{'placement':{'clusters':[{'name':'c2'}]}}}");
    assert_string_equal(hub_world_works(*state, "c2"), "Namespace//ns,ClusterRole//r");
}

static void test_label_federates_a_namespace(void **state)
{
    struct hub_world *w = *state;

    hub_world_put(
        w, "namespaces", "", "shop", "{'metadata':{'name':'shop','labels':{'federated':'true'}}}");
    hub_world_put(w, W_CONFIGMAPS, "shop", "m",
        "{'metadata':{'name':'m','namespace':'shop'},'spec':{'template':{}}}");
    assert_string_equal(hub_world_works(w, "c3"), "ConfigMap/shop/m,Namespace//ns,Namespace//shop");
    /* A FederatedNamespace takes over. */
    hub_world_put(w, W_NAMESPACES, "shop", "shop",
        "{'metadata':{'name':'shop','namespace':'shop'},'spec':{'placement':{'clusters':[{'name':'"
        "c1'}]}}}");
    assert_string_equal(hub_world_works(w, "c3"), "Namespace//ns");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/shop/m,Namespace//ns,Namespace//shop");
    hub_world_remove(w, W_NAMESPACES, "shop", "shop");
    hub_world_put(w, "namespaces", "", "shop", "{'metadata':{'name':'shop'}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    /* The system's own namespaces are never propagated. */
    hub_world_put(w, "namespaces", "", "kube-system",
        "{'metadata':{'name':'kube-system','labels':{'federated':'true'}}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void put_shop(struct hub_world *w, const char *labels)
{
    char json[256];

    snprintf(json, sizeof json, "{'metadata':{'name':'shop','labels':%s}}", labels);
    hub_world_put(w, "namespaces", "", "shop", json);
}

static const char shop_federated[] =
    "{'metadata':{'name':'shop','namespace':'shop','finalizers':"
    "['kubefed.io/sync-controller']%s},'spec':{'placement':{'clusterSelector':{}}}}";

static void put_shop_federated(struct hub_world *w, const char *more)
{
    char json[512];

    snprintf(json, sizeof json, shop_federated, more);
    hub_world_put(w, W_NAMESPACES, "shop", "shop", json);
}

/* Label and FederatedNamespace stand for one object: as long as either asks for it, nobody may
 * remove it. */
static void test_label_keeps_what_the_federated_namespace_leaves(void **state)
{
    static const char gone[] = ",'deletionTimestamp':'2026-01-01T00:00:00Z'";
    static const char orphaned[] =
        ",'deletionTimestamp':'2026-01-01T00:00:00Z','annotations':{'kubefed.io/orphan':'true'}";
    const char *const ways[] = {gone, orphaned, NULL};
    struct hub_world *w = *state;

    put_shop(w, "{'federated':'true'}");
    for (size_t i = 0; i < 3; i++) {
        put_shop_federated(w, "");
        assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
        if (ways[i])
            put_shop_federated(w, ways[i]);
        else
            hub_world_remove(w, W_NAMESPACES, "shop", "shop");
        assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
        /* Nothing was taken from a member, so nobody has to confirm. */
        assert_string_equal(hub_world_composed(w, W_NAMESPACES, "shop", "shop"), "(absent)");
    }
    put_shop_federated(w, "");
    put_shop(w, "{}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
    put_shop_federated(w, gone);
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void test_label_keeps_it_across_a_restart(void **state)
{
    struct hub_world *w = *state;

    put_shop_federated(w, "");
    put_shop_federated(w, ",'deletionTimestamp':'2026-01-01T00:00:00Z'");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    put_shop(w, "{'federated':'true'}");
    hub_world_restart(w);
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
}

static void test_federated_namespace_that_cannot_be_sent_takes_nothing(void **state)
{
    struct hub_world *w = *state;

    put_shop(w, "{'federated':'true'}");
    hub_world_put(w, W_NAMESPACES, "shop", "shop",
        "{'metadata':{'name':'shop','namespace':'shop'},'spec':{'placement':{'clusterSelector':{}},"
        "'overrides':[{"
        "'clusterName':'c1','clusterOverrides':[{'op':'remove','path':'/metadata/labels/"
        "none'}]}]}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
    hub_world_remove(w, W_NAMESPACES, "shop", "shop");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,Namespace//shop");
    put_shop(w, "{}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void test_another_api_group_is_another_object(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusters':[{'name':'c1'}]}}");
    put_map(w, "{'template':{'apiVersion':'other.io/"
               "v1','data':{'k':'v'}},'placement':{'clusters':[{'name':'c1'}]}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns,ConfigMap/ns/x");
    put_map(w, "{'placement':{'clusters':[]}}");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
}

static void test_overrides(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}},'overrides':[{'"
               "clusterName':'c2',"
               "'clusterOverrides':[{'path':'/data/k','value':'w'}]}]}");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x,Namespace//ns");
    assert_string_equal(hub_world_works(w, "c2"), "ConfigMap/ns/x+,Namespace//ns");
}

static void test_override_that_does_not_fit_keeps_the_last_version(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c2");
    put_map(w, "{'template':{'data':{'k':'v2'}},'placement':{'clusterSelector':{}},'overrides':[{'"
               "clusterName':'c2',"
               "'clusterOverrides':[{'op':'remove','path':'/nothing/here'}]}]}");
    assert_int_equal(hub_world_revision(w, "c2"), before);
    assert_true(hub_world_revision(w, "c1") > before);
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"),
        "\"name\":\"c2\",\"status\":\"ApplyOverridesFailed\""));
}

static void test_invalid_override_refuses_all(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'placement':{'clusterSelector':{}},'overrides':[{'clusterName':'c2','"
               "clusterOverrides':[{'path':'/kind',"
               "'value':'w'}]}]}");
    assert_string_equal(where(w), "");
    put_map(w, "{'placement':{'clusterSelector':{}},'overrides':[{'clusterName':'c2','"
               "clusterOverrides':[]},{'clusterName':"
               "'c2','clusterOverrides':[]}]}");
    assert_string_equal(where(w), "");
}

static void test_unchanged_objects_move_nothing(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;
    unsigned told;

    put_map(w, "{'template':{'a':{'x':1,'y':2}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c1");
    told = w->changed;
    put_map(w, "{'placement':{'clusterSelector':{}},'template':{'a':{'y':2,'x':1}}}");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    assert_int_equal(w->changed, told);
}

static void test_labels_replan_only_that_cluster(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    put_map(w, "{'placement':{'clusterSelector':{'matchLabels':{'zone':'a'}}}}");
    before = hub_world_revision(w, "c1");
    hub_world_cluster(w, "c2", "{'zone':'a'}");
    assert_string_equal(where(w), "c1 c2");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    hub_world_cluster(w, "c1", "{'zone':'z'}");
    assert_string_equal(where(w), "c2");
}

static void test_revisions_survive_a_restart(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c1");
    hub_world_restart(w);
    assert_int_equal(hub_world_revision(w, "c1"), before);
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x,Namespace//ns");
}

static void confirm(struct hub_world *w, const char *cluster)
{
    hub_plan_removed(w->plan, fed_span_text(cluster), hub_world_revision(w, cluster), NULL, 0);
    hub_world_settle(w);
}

static const char deleting[] =
    "{'metadata':{'name':'x','namespace':'ns','generation':2,'deletionTimestamp':'2026-01-01T00:00:"
    "00Z','finalizers':"
    "['kubefed.io/sync-controller']%s},'spec':{'placement':{'clusterSelector':{}}}}";

static void put_deleting(struct hub_world *w, const char *extra)
{
    char json[512];

    snprintf(json, sizeof json, deleting, extra);
    hub_world_put(w, W_CONFIGMAPS, "ns", "x", json);
}

static void test_deletion_waits_for_every_cluster(void **state)
{
    struct hub_world *w = *state;
    uint64_t stale;
    struct fed_span still = fed_span_text("v1/ConfigMap/ns/x");

    put_map(w, "{'placement':{'clusterSelector':{}}}");
    stale = hub_world_revision(w, "c1");
    put_deleting(w, "");
    assert_string_equal(where(w), "");
    confirm(w, "c2");
    confirm(w, "c3");
    /* An older report, and one that still holds the object, confirm nothing. */
    hub_plan_removed(w->plan, fed_span_text("c1"), stale, NULL, 0);
    hub_plan_removed(w->plan, fed_span_text("c1"), hub_world_revision(w, "c1"), &still, 1);
    hub_world_settle(w);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_deletion_goes_on_after_a_restart(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'placement':{'clusterSelector':{}}}");
    put_deleting(w, "");
    hub_world_restart(w);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    confirm(w, "c1");
    confirm(w, "c2");
    confirm(w, "c3");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static enum fed_err refuse_commit(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    (void)ctx;
    (void)compares;
    (void)n_compares;
    (void)ops;
    (void)n_ops;
    (void)revision;
    return fed_diag_set(diag, FED_ERR_FULL, "the disk is full");
}

static void test_deletion_ends_when_the_store_is_back(void **state)
{
    struct hub_world *w = *state;
    struct fed_store *store = fed_sqlite_store_port(w->sqlite);
    struct fed_store well = *store;

    put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    put_deleting(w, "");
    store->stage = refuse_commit;
    confirm(w, "c1");
    store->stage = well.stage;
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    for (int i = 0;
         i < 300 && strcmp(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)") != 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        hub_world_settle(w);
    }
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

/* ---- one commit for a change and what it plans ---- */

static unsigned commits;

static void count_commit(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)ctx;
    (void)diag;
    commits += err == FED_OK;
}

static void test_a_change_and_its_plan_share_a_commit(void **state)
{
    struct hub_world *w = *state;
    struct hub_objects_member counter = {.ended = count_commit};

    hub_objects_join(w->objects, &counter);
    commits = 0;
    put_map(w, "{'placement':{'clusterSelector':{}}}");
    assert_string_equal(where(w), "c1 c2 c3");
    assert_int_equal(commits, 1);
    put_deleting(w, "");
    assert_int_equal(commits, 2);
    confirm(w, "c1");
    confirm(w, "c2");
    assert_int_equal(commits, 2); /* nothing to store */
    confirm(w, "c3");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    assert_int_equal(commits, 3);
    hub_objects_leave(w->objects, &counter);
}

/* Stages a write of which the disk refuses the sync. */
static void write_refused(
    struct hub_world *w, const char *resource, const char *ns, const char *name, const char *json)
{
    struct hub_object_write write = {.ref = {.resource = fed_span_text(resource),
                                         .ns = fed_span_text(ns),
                                         .name = fed_span_text(name)},
        .expected = HUB_ANY_REVISION,
        .remove = json == NULL};
    char text[512] = "";

    for (size_t i = 0; json && i <= strlen(json); i++)
        text[i] = (char)(json[i] == '\'' ? '"' : json[i]);
    write.bytes = fed_span_text(text);
    assert_int_equal(hub_objects_stage(w->objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(w->objects, NULL), FED_OK);
    test_writes_allow();
    hub_world_settle(w);
}

/* Until the plan, which waits a while after a failure, has gone on. */
static void pass_retry(struct hub_world *w)
{
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
    hub_world_settle(w);
}

static void test_what_was_undone_is_not_planned(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;
    unsigned told;

    put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c1");
    told = w->changed;
    write_refused(w, W_CONFIGMAPS, "ns", "x", NULL);
    write_refused(w, W_CONFIGMAPS, "ns", "y",
        "{'metadata':{'name':'y','namespace':'ns'},'spec':{'placement':{'clusterSelector':{}}}}");
    write_refused(w, W_NAMESPACES, "ns", "ns", NULL);
    write_refused(w, W_TYPES, W_SYSTEM, "configmaps", NULL);
    write_refused(w, W_CLUSTERS, W_SYSTEM, "c4", "{'metadata':{'name':'c4'},'spec':{}}");
    write_refused(
        w, W_CLUSTERS, W_SYSTEM, "c1", "{'metadata':{'name':'c1','labels':{'z':'1'}},'spec':{}}");
    pass_retry(w);
    assert_string_equal(where(w), "c1 c2 c3");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x,Namespace//ns");
    assert_string_equal(hub_world_works(w, "c4"), "(none)");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    assert_int_equal(w->changed, told);
    hub_world_put(w, W_CONFIGMAPS, "ns", "y",
        "{'metadata':{'name':'y','namespace':'ns'},'spec':{'placement':{'clusters':[{'name':'c2'}]}"
        "}}");
    assert_string_equal(hub_world_works(w, "c2"), "ConfigMap/ns/x,ConfigMap/ns/y,Namespace//ns");
    assert_true(hub_world_revision(w, "c2") > before);
    assert_int_equal(hub_world_revision(w, "c1"), before);
}

static void test_a_cluster_whose_removal_was_undone_is_awaited(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    put_map(w, "{'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}");
    put_deleting(w, "");
    before = hub_world_revision(w, "c1");
    confirm(w, "c2");
    write_refused(w, W_CLUSTERS, W_SYSTEM, "c1", NULL); /* with it the object would be gone */
    pass_retry(w);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static struct fed_store well;
static unsigned refused;

static enum fed_err refuse_rows(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    if (n_ops > 0 && fed_span_starts(ops[0].key, "b/")) {
        refused++;
        return fed_diag_set(diag, FED_ERR_FULL, "the disk is full");
    }
    return well.stage(ctx, compares, n_compares, ops, n_ops, revision, diag);
}

static void test_a_plan_that_cannot_be_stored_holds_up_nobody(void **state)
{
    struct hub_world *w = *state;
    struct fed_store *store = fed_sqlite_store_port(w->sqlite);

    well = *store;
    refused = 0;
    store->stage = refuse_rows;
    put_map(w, "{'placement':{'clusterSelector':{}}}");
    assert_string_equal(where(w), "");
    put_map(w, "{'placement':{'clusters':[{'name':'c2'}]}}");
    store->stage = well.stage;
    assert_int_equal(refused, 1); /* not with every write of others */
    assert_string_equal(where(w), "");
    pass_retry(w);
    assert_string_equal(where(w), "c2");
}

static enum fed_err refuse_removals(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    if (n_ops > 0 && ops[0].remove)
        return fed_diag_set(diag, FED_ERR_LIMIT, "no removals today");
    return well.stage(ctx, compares, n_compares, ops, n_ops, revision, diag);
}

static void test_a_deletion_that_cannot_end_holds_up_no_manifest(void **state)
{
    struct hub_world *w = *state;
    struct fed_store *store = fed_sqlite_store_port(w->sqlite);

    put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    put_deleting(w, "");
    well = *store;
    store->stage = refuse_removals;
    hub_plan_removed(w->plan, fed_span_text("c1"), hub_world_revision(w, "c1"), NULL, 0);
    hub_world_put(w, W_CONFIGMAPS, "ns", "y",
        "{'metadata':{'name':'y','namespace':'ns'},'spec':{'placement':{'clusters':[{'name':'c1'}]}"
        "}}");
    store->stage = well.stage;
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/y,Namespace//ns");
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    pass_retry(w);
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

/* As many FederatedConfigMaps as a cluster may have works, and a few more, in few commits. */
static void fill_cluster(struct hub_world *w)
{
    enum { BATCH = 2001 };
    static struct hub_object_write writes[BATCH];
    static char names[BATCH][24];
    static char texts[BATCH][160];
    struct fed_diag diag = {""};

    for (unsigned n = 0; n < FED_WORKS_MAX; n += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            snprintf(names[i], sizeof names[i], "m%05u", n + i);
            snprintf(texts[i], sizeof texts[i],
                "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\"},\"spec\":{\"placement\":{"
                "\"clusters\":"
                "[{\"name\":\"c1\"}]}}}",
                names[i]);
            writes[i] = (struct hub_object_write){.ref = {.resource = fed_span_text(W_CONFIGMAPS),
                                                      .ns = fed_span_text("ns"),
                                                      .name = fed_span_text(names[i])},
                .bytes = fed_span_text(texts[i]),
                .expected = HUB_ANY_REVISION};
        }
        assert_int_equal(
            hub_objects_commit(w->objects, writes, BATCH, NULL, 0, NULL, &diag), FED_OK);
        hub_world_settle(w);
    }
}

static void test_full_cluster_holds_up_nobody(void **state)
{
    struct hub_world *w = *state;
    const struct fed_manifest *manifest;

    fill_cluster(w);
    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text("c1"), &manifest), FED_OK);
    assert_int_equal(manifest->n_works, FED_WORKS_MAX);
    put_map(w, "{'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}");
    assert_string_equal(hub_world_works(w, "c2"), "ConfigMap/ns/x,Namespace//ns");
    assert_non_null(
        strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "20000 works, which is the most"));
}

static void test_unregistered_cluster_is_not_waited_for(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    put_deleting(w, "");
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_world_remove(w, W_CLUSTERS, W_SYSTEM, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_who_is_away_is_not_waited_for(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'placement':{'clusterSelector':{}}}");
    put_deleting(w, "");
    confirm(w, "c2");
    confirm(w, "c3");
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    hub_plan_away(w->plan, fed_span_text("c1"), true);
    hub_world_settle(w);
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    /* It has left the manifest, so the agent removes it when it is back; a new one of the name
     * comes to all. */
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    put_map(w, "{'placement':{'clusterSelector':{}}}");
    assert_string_equal(where(w), "c1 c2 c3");
    confirm(w, "c1");
    assert_string_equal(where(w), "c1 c2 c3");
}

static void test_copies_that_stay_are_waited_for_also_where_it_is_away(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    hub_plan_away(w->plan, fed_span_text("c1"), true);
    put_deleting(w, ",'annotations':{'kubefed.io/orphan':'true'}");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x!,Namespace//ns");
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static uint32_t options_of_map(struct hub_world *w, const char *cluster)
{
    const struct fed_manifest *manifest;

    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++)
        if (fed_span_is(manifest->works[i].kind, "ConfigMap"))
            return manifest->works[i].options & FED_WORK_DELETE_ALL;
    fail_msg("no ConfigMap in %s", cluster);
    return 0;
}

static void test_how_to_delete_comes_before_the_deletion(void **state)
{
    struct hub_world *w = *state;
    uint32_t foreground = FED_WORK_DELETE_WITH(FED_WORK_DELETE_FOREGROUND) | FED_WORK_GRACE |
                          30u << FED_WORK_GRACE_SHIFT;

    put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    assert_int_equal(options_of_map(w, "c1"), 0);
    put_deleting(w,
        ",'annotations':{'kubefed.io/deleteoption':'{\\\"propagationPolicy\\\":\\\"Foreground\\\","
        "\\\"gracePeriodSeconds\\\":30}'}");
    assert_int_equal(options_of_map(w, "c1"), foreground);
    confirm(w, "c1");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_unusable_delete_options_block_and_say_so(void **state)
{
    static const char *const rows[][2] = {{"{oops", "deleteoption: "}, {"[]", "not an object"},
        {"{\\\"propagationPolicy\\\":\\\"Sideways\\\"}", "none of Orphan"},
        {"{\\\"gracePeriodSeconds\\\":-1}", "gracePeriodSeconds"},
        {"{\\\"gracePeriodSeconds\\\":2097152}", "gracePeriodSeconds"},
        {"{\\\"preconditions\\\":{\\\"uid\\\":\\\"u\\\"}}", "preconditions"}};
    struct hub_world *w = *state;
    char annotation[200];

    put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(annotation, sizeof annotation, ",'annotations':{'kubefed.io/deleteoption':'%s'}",
            rows[i][0]);
        put_deleting(w, annotation);
        assert_string_equal(where(w), "c1");
        assert_non_null(
            strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "\"DeletionFailed\""));
        assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), rows[i][1]));
    }
    put_deleting(w, ",'annotations':{'kubefed.io/deleteoption':'{}'}");
    assert_string_equal(where(w), "");
}

static void test_overrides_may_change_the_version_and_not_the_identity(void **state)
{
    struct hub_world *w = *state;
    const struct fed_manifest *manifest;

    put_map(w, "{'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]},'overrides':["
               "{'clusterName':'c1','clusterOverrides':[{'path':'/apiVersion','value':'v2'}]},"
               "{'clusterName':'c2','clusterOverrides':[{'path':'/metadata','value':{}}]}]}");
    assert_int_equal(hub_plan_manifest(w->plan, fed_span_text("c1"), &manifest), FED_OK);
    assert_true(fed_span_is(manifest->works[0].api_version, "v2"));
    assert_string_equal(hub_world_works(w, "c2"), "Namespace//ns");
    assert_non_null(strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "\"CreationFailed\""));
}

static void test_orphaning_releases_before_it_removes(void **state)
{
    struct hub_world *w = *state;

    put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    put_deleting(w, ",'annotations':{'kubefed.io/orphan':'true'}");
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x!,Namespace//ns");
    confirm(w, "c1");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    confirm(w, "c1");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

static void test_earlier_manifests_are_remembered(void **state)
{
    struct hub_world *w = *state;
    const struct fed_manifest *old;
    uint64_t before;

    put_map(w, "{'template':{'data':{'k':'1'}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c1");
    put_map(w, "{'template':{'data':{'k':'2'}},'placement':{'clusterSelector':{}}}");
    assert_int_equal(hub_plan_manifest_at(w->plan, fed_span_text("c1"), before, &old), FED_OK);
    assert_int_equal(old->n_works, 2);
    for (int i = 0; i < 6; i++) {
        char spec[128];

        snprintf(spec, sizeof spec,
            "{'template':{'data':{'k':'%d'}},'placement':{'clusterSelector':{}}}", i + 3);
        put_map(w, spec);
    }
    assert_int_equal(
        hub_plan_manifest_at(w->plan, fed_span_text("c1"), before, &old), FED_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_placement_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_selector_keeps_what_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_namespace_intersection, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_scheduler_counts_on_any_cluster_until_the_namespace_is_federated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cluster_scoped_needs_no_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_label_federates_a_namespace, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_label_keeps_what_the_federated_namespace_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_label_keeps_it_across_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_federated_namespace_that_cannot_be_sent_takes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_api_group_is_another_object, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overrides, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_override_that_does_not_fit_keeps_the_last_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invalid_override_refuses_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unchanged_objects_move_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels_replan_only_that_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revisions_survive_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletion_waits_for_every_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletion_goes_on_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_unregistered_cluster_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deletion_ends_when_the_store_is_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_change_and_its_plan_share_a_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_was_undone_is_not_planned, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_cluster_whose_removal_was_undone_is_awaited, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_plan_that_cannot_be_stored_holds_up_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_deletion_that_cannot_end_holds_up_no_manifest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_cluster_holds_up_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_is_away_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_copies_that_stay_are_waited_for_also_where_it_is_away, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_how_to_delete_comes_before_the_deletion, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_unusable_delete_options_block_and_say_so, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_overrides_may_change_the_version_and_not_the_identity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_orphaning_releases_before_it_removes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_earlier_manifests_are_remembered, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
