/* What a rollout must outlive: rows that cannot be read, commits that fail, names that come back,
 * types and preferences that come and go. No cluster gets anything that was not its turn. */
#include "hub_rollouts_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL "'selector':{}"
#define PHASE(p) "\"phase\":\"" p "\""
#define SCALERS "replicaschedulingpreferences.scheduling.kubefed.io"

/* Rollout 1 of letter 2 waits for approval behind c1. */
static void begin(struct rollout_world *r)
{
    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_run(r, 50);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "2 1 1");
}

struct row {
    char key[600];
    size_t key_len;
    char value[4096];
    size_t len;
};

static bool keep_row(void *ctx, const struct fed_store_item *item)
{
    struct row *row = ctx;

    assert_true(item->key.len <= sizeof row->key && item->value.len <= sizeof row->value);
    memcpy(row->key, item->key.at, item->key.len);
    row->key_len = item->key.len;
    memcpy(row->value, item->value.at, item->value.len);
    row->len = item->value.len;
    return false;
}

/* The first row of a rollout is its record. */
static void record_get(struct rollout_world *r, struct row *row)
{
    struct fed_store *store = hub_objects_store(r->w.objects);

    assert_int_equal(
        store->range(store->ctx, fed_span_text("w/"), fed_span_text("w0"), 0, keep_row, row),
        FED_OK);
}

static void record_put(struct rollout_world *r, const struct row *row, struct fed_span value)
{
    struct fed_store_op op = {.key = fed_span_of(row->key, row->key_len), .value = value};

    assert_int_equal(hub_objects_commit(r->w.objects, NULL, 0, &op, 1, NULL, NULL), FED_OK);
}

static void test_rows_that_cannot_be_read_change_nothing(void **state)
{
    struct rollout_world *r = *state;
    const struct hub_object_ref x = {
        fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")};
    struct row row;
    enum fed_err refused;

    begin(r);
    record_get(r, &row);
    record_put(r, &row, FED_SPAN_LIT("\xff\xff\xff"));
    test_writes_refuse();
    refused = rollout_do(r, R_NAME("1"), "approve", NULL);
    test_writes_allow();
    assert_int_not_equal(refused, FED_OK);
    assert_int_equal(hub_plan_regate(r->w.plan, &x, NULL, 0), FED_OK); /* as whatever may */
    rollout_run(r, 1500);
    assert_string_equal(rollout_have(r), "2 1 1");
    record_put(r, &row, fed_span_of(row.value, row.len));
    rollout_run(r, 2500);
    assert_string_equal(rollout_have(r), "2 1 1");
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"failed\":0"));
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "2 2 2");
}

static void put_other(struct rollout_world *r, char letter)
{
    char json[600];

    snprintf(json, sizeof json,
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':"
        "'x','namespace':'ns','uid':'u-z','generation':1},'spec':{'template':{'data':{'k':'%c'}},"
        "'placement':{'clusterSelector':{}}}}",
        letter);
    hub_world_put(&r->w, W_CONFIGMAPS, "ns", "x", json);
}

/* What the former one left behind is collected later, perhaps by the next hub. */
static void test_an_object_made_anew_keeps_its_rollout_at_a_restart(void **state)
{
    struct rollout_world *r = *state;

    begin(r);
    hub_world_remove(&r->w, W_CONFIGMAPS, "ns", "x");
    rollout_run(r, 50);
    put_other(r, '3');
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "3 - -");
    rollout_restart(r);
    rollout_run(r, 300);
    assert_string_equal(rollout_have(r), "3 - -");
    assert_int_equal(rollout_do(r, R_NAME("2"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "3 3 3");
}

/* Rows of a rollout that was superseded go behind the commit in which it was, and not with one that
 * was refused. */
static void test_rows_of_the_superseded(void **state)
{
    struct rollout_world *r = *state;
    enum fed_err refused;
    size_t rows;
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .ref = {fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")},
        .bytes = FED_SPAN_LIT(
            "{\"kind\":\"FederatedConfigMap\",\"metadata\":{\"name\":\"x\",\"namespace\":"
            "\"ns\",\"uid\":\"u-x\",\"generation\":9},\"spec\":{\"template\":{\"data\":{\"k\":"
            "\"3\"}},\"placement\":{\"clusterSelector\":{}}}}")};

    begin(r);
    rows = rollout_rows(r, "w/");
    test_writes_refuse();
    refused = hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, NULL);
    test_writes_allow();
    assert_int_not_equal(refused, FED_OK);
    rollout_run(r, 500);
    assert_int_equal(rollout_rows(r, "w/"), rows);
    rollout_restart(r);
    assert_string_equal(rollout_have(r), "2 1 1");
    rollout_put(r, '3', "");
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    rollout_run(r, 500);
    assert_int_equal(rollout_rows(r, "w/"), rows);
    rollout_restart(r);
    rollout_run(r, 100);
    assert_string_equal(rollout_have(r), "3 1 1");
}

static void test_a_deletion_that_is_not_durable_keeps_the_rollout(void **state)
{
    struct rollout_world *r = *state;
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .remove = true,
        .ref = {fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")}};
    enum fed_err refused;

    begin(r);
    test_writes_refuse();
    refused = hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, NULL);
    test_writes_allow();
    assert_int_not_equal(refused, FED_OK);
    rollout_run(r, 400);
    assert_string_equal(rollout_have(r), "2 1 1");
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "2 2 2");
}

/* What was written while nobody listened is rolled out, or it would never be. */
static void test_a_change_while_its_type_was_away_is_rolled_out(void **state)
{
    struct rollout_world *r = *state;

    begin(r);
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    hub_world_remove(&r->w, W_TYPES, W_SYSTEM, "configmaps");
    rollout_run(r, 200);
    rollout_put(r, '5', "");
    rollout_run(r, 200);
    hub_world_types(&r->w);
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "5 2 2");
}

static void put_scaled(struct rollout_world *r, char letter, int generation)
{
    char json[1200];

    snprintf(json, sizeof json,
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':"
        "'x','namespace':'ns','uid':'u-x','generation':%d},'spec':{'template':{'data':{'k':'%c'},"
        "'spec':{'replicas':1}},'placement':{'clusters':[{'name':'c1'},{'name':'c2'}]},'overrides':"
        "[{'clusterName':'c1','clusterOverrides':[{'path':'/spec/replicas','value':7}]},"
        "{'clusterName':'c2','clusterOverrides':[{'path':'/spec/replicas','value':9}]}]}}",
        generation, letter);
    hub_world_put(&r->w, W_CONFIGMAPS, "ns", "x", json);
}

/* The shares that it left are people's from then on; no cluster falls back to the template's. */
static void test_a_preference_that_goes_takes_no_replicas_away(void **state)
{
    struct rollout_world *r = *state;

    hub_world_put(&r->w, SCALERS, "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'targetKind':'FederatedConfigMap',"
        "'totalReplicas':16}}");
    rollout_policy(r, "careful", ALL ",'waves':[]");
    put_scaled(r, '1', 1);
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    assert_string_equal(rollout_have(r), "1 1 -");
    rollout_policy(r, "careful", ALL "," R_CANARY);
    put_scaled(r, '2', 2);
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "2 1 -");
    assert_non_null(strstr(hub_world_works(&r->w, "c2"), "ConfigMap/ns/x+"));
    hub_world_remove(&r->w, SCALERS, "ns", "x");
    rollout_run(r, 200);
    assert_string_equal(rollout_have(r), "2 1 -");
    assert_non_null(strstr(hub_world_works(&r->w, "c1"), "ConfigMap/ns/x+"));
    assert_non_null(strstr(hub_world_works(&r->w, "c2"), "ConfigMap/ns/x+"));
    rollout_restart(r);
    rollout_run(r, 200);
    assert_string_equal(rollout_have(r), "2 1 -");
    assert_non_null(strstr(hub_world_works(&r->w, "c2"), "ConfigMap/ns/x+"));
    assert_string_equal(rollout_shown(r, R_NAME("3")), "(absent)");
    assert_int_equal(rollout_do(r, R_NAME("2"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "2 2 -");
    assert_non_null(strstr(hub_world_works(&r->w, "c2"), "ConfigMap/ns/x+"));
}

/* A round that failed is tried again later than a rollout is stepped. What a cluster says of its
 * former copy meanwhile proves nothing. */
static void test_the_plan_is_waited_for(void **state)
{
    struct rollout_world *r = *state;
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .bytes = FED_SPAN_LIT("{\"metadata\":{\"name\":\"ns\"}}"),
        .ref = {fed_span_text("namespaces"), fed_span_text(""), fed_span_text("ns")}};
    enum fed_err refused;

    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_policy(r, "careful", ALL ",'waves':[{'name':'canary','clusters':{'names':['c1']}}]");
    rollout_run(r, 150);
    test_writes_refuse();
    refused = hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, NULL);
    test_writes_allow();
    assert_int_not_equal(refused, FED_OK);
    rollout_put(r, '2', "");
    rollout_run(r, 150); /* PLAN_RETRY_MS is a second, of which a busy machine takes its part */
    assert_string_equal(rollout_have(r), "1 1 1");
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), PHASE("Running")));
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"wave\":\"canary\""));
    rollout_wait_have(r, "2 2 2");
}

/* A namespace that goes takes Rollouts away before the objects that they are of. */
static void test_a_rollout_that_is_taken_away_lets_nothing_out(void **state)
{
    struct rollout_world *r = *state;

    begin(r);
    hub_world_remove(&r->w, R_ROLLOUTS, "ns", R_NAME("1"));
    hub_world_cluster(&r->w, "c2", "{'zone':'a'}"); /* it would be stepped */
    rollout_run(r, 300);
    assert_string_equal(rollout_have(r), "2 1 1");
    hub_world_remove(&r->w, W_CONFIGMAPS, "ns", "x");
    rollout_wait_no_rows(r, "w/");
}

/* One that was stored by another hub, say. */
static void test_a_policy_that_makes_no_sense_lets_nothing_out(void **state)
{
    struct rollout_world *r = *state;

    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_policy(r, "careful", ALL ",'maxFailures':'101%'");
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), "may select the object");
    rollout_run(r, 200);
    assert_string_equal(rollout_have(r), "1 1 1");
    rollout_policy(r, "careful", ALL ",'maxFailures':'100%'");
    rollout_wait_have(r, "2 2 2");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, rollout_world_open, rollout_world_close)
    const struct CMUnitTest tests[] = {
        CASE(test_rows_that_cannot_be_read_change_nothing),
        CASE(test_an_object_made_anew_keeps_its_rollout_at_a_restart),
        CASE(test_rows_of_the_superseded),
        CASE(test_a_deletion_that_is_not_durable_keeps_the_rollout),
        CASE(test_a_change_while_its_type_was_away_is_rolled_out),
        CASE(test_the_plan_is_waited_for),
        CASE(test_a_rollout_that_is_taken_away_lets_nothing_out),
        CASE(test_a_policy_that_makes_no_sense_lets_nothing_out),
        CASE(test_a_preference_that_goes_takes_no_replicas_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
