/* hub_plan_commit_test.c - revisions, and one commit for a change and what it plans. */
#include "hub_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void test_revisions_survive_a_restart(void **state)
{
    struct hub_world *w = *state;
    uint64_t before;

    hub_world_put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c1");
    hub_world_restart(w);
    assert_int_equal(hub_world_revision(w, "c1"), before);
    assert_string_equal(hub_world_works(w, "c1"), "ConfigMap/ns/x,Namespace//ns");
}

static void test_earlier_manifests_are_remembered(void **state)
{
    struct hub_world *w = *state;
    const struct fed_manifest *old;
    uint64_t before;

    hub_world_put_map(w, "{'template':{'data':{'k':'1'}},'placement':{'clusterSelector':{}}}");
    before = hub_world_revision(w, "c1");
    hub_world_put_map(w, "{'template':{'data':{'k':'2'}},'placement':{'clusterSelector':{}}}");
    assert_int_equal(hub_plan_manifest_at(w->plan, fed_span_text("c1"), before, &old), FED_OK);
    assert_int_equal(old->n_works, 2);
    for (int i = 0; i < 6; i++) {
        char spec[128];

        snprintf(spec, sizeof spec,
            "{'template':{'data':{'k':'%d'}},'placement':{'clusterSelector':{}}}", i + 3);
        hub_world_put_map(w, spec);
    }
    assert_int_equal(
        hub_plan_manifest_at(w->plan, fed_span_text("c1"), before, &old), FED_ERR_NOT_FOUND);
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

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    hub_world_put_deleting_map(w, "");
    store->stage = refuse_commit;
    hub_world_confirm(w, "c1");
    store->stage = well.stage;
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    for (int i = 0;
         i < 3000 && strcmp(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)") != 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        hub_world_settle(w);
    }
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
}

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
    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c2 c3");
    assert_int_equal(commits, 1);
    hub_world_put_deleting_map(w, "");
    assert_int_equal(commits, 2);
    hub_world_confirm(w, "c1");
    hub_world_confirm(w, "c2");
    assert_int_equal(commits, 2); /* nothing to store */
    hub_world_confirm(w, "c3");
    assert_string_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    assert_int_equal(commits, 3);
    hub_objects_leave(w->objects, &counter);
}

/* Stages a write of which the disk refuses the sync. */
static void write_refused(
    struct hub_world *w, const char *resource, const char *ns, const char *name, const char *json)
{
    hub_world_stage(w, resource, ns, name, json);
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

    hub_world_put_map(w, "{'template':{'data':{'k':'v'}},'placement':{'clusterSelector':{}}}");
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
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c1 c2 c3");
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

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}");
    hub_world_put_deleting_map(w, "");
    before = hub_world_revision(w, "c1");
    hub_world_confirm(w, "c2");
    write_refused(w, W_CLUSTERS, W_SYSTEM, "c1", NULL); /* with it the object would be gone */
    pass_retry(w);
    assert_string_not_equal(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "(absent)");
    assert_string_equal(hub_world_works(w, "c1"), "Namespace//ns");
    assert_int_equal(hub_world_revision(w, "c1"), before);
    hub_world_confirm(w, "c1");
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
    hub_world_put_map(w, "{'placement':{'clusterSelector':{}}}");
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c2'}]}}");
    store->stage = well.stage;
    assert_int_equal(refused, 1); /* not with every write of others */
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "");
    pass_retry(w);
    assert_string_equal(hub_world_where(w, "ConfigMap/ns/x"), "c2");
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

    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'}]}}");
    hub_world_put_deleting_map(w, "");
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
    hub_world_put_map(w, "{'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]}}");
    assert_string_equal(hub_world_works(w, "c2"), "ConfigMap/ns/x,Namespace//ns");
    assert_non_null(
        strstr(hub_world_composed(w, W_CONFIGMAPS, "ns", "x"), "20000 works, which is the most"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_revisions_survive_a_restart, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_earlier_manifests_are_remembered, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_deletion_ends_when_the_store_is_back, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_change_and_its_plan_share_a_commit, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_what_was_undone_is_not_planned, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_cluster_whose_removal_was_undone_is_awaited, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_plan_that_cannot_be_stored_holds_up_nobody, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_a_deletion_that_cannot_end_holds_up_no_manifest, hub_world_three, hub_world_end),
        cmocka_unit_test_setup_teardown(
            test_full_cluster_holds_up_nobody, hub_world_three, hub_world_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
