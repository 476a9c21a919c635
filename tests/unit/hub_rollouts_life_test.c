/* hub_rollouts_life_test.c - what becomes of rollouts when what they are of comes and goes: types,
 * objects, policies, namespaces. */
#include "hub_rollouts_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL "'selector':{}"
#define PHASE(p) "\"phase\":\"" p "\",\"progress\""
#define SECRETS "federatedsecrets.types.kubefed.io"
#define SECRET(n) "federatedsecret-x-" n

static void begin(struct rollout_world *r, const char *spec)
{
    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_policy(r, "careful", spec);
    rollout_run(r, 20);
}

/* ---- types ---- */

static const char secrets_type[] =
    "{'metadata':{'name':'secrets'},'spec':{'propagation':'Enabled','targetType':{'version':"
    "'v1','kind':'Secret','pluralName':'secrets','scope':'Namespaced'},'federatedType':"
    "{'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedSecret','pluralName':"
    "'federatedsecrets','scope':'Namespaced'}}}";

static void put_type(struct rollout_world *r)
{
    hub_world_put(&r->w, W_TYPES, W_SYSTEM, "secrets", secrets_type);
}

static void put_secret(struct rollout_world *r, char letter)
{
    static int generation;
    char json[600];

    snprintf(json, sizeof json,
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedSecret','metadata':{'name':'x',"
        "'namespace':'ns','uid':'u-s','generation':%d},'spec':{'template':{'data':{'k':'%c'}},"
        "'placement':{'clusterSelector':{}}}}",
        ++generation, letter);
    hub_world_put(&r->w, SECRETS, "ns", "x", json);
}

static char letter_in(struct rollout_world *r, const char *cluster)
{
    const struct fed_manifest *manifest;
    struct fed_span blob;

    assert_int_equal(hub_plan_manifest(r->w.plan, fed_span_text(cluster), &manifest), FED_OK);
    for (size_t i = 0; i < manifest->n_works; i++) {
        if (!fed_span_is(manifest->works[i].kind, "Secret"))
            continue;
        assert_int_equal(hub_plan_blob(r->w.plan, &manifest->works[i].blob, &blob), FED_OK);
        for (size_t k = 0; k + 6 < blob.len; k++)
            if (memcmp(blob.at + k, "\"k\":\"", 5) == 0)
                return (char)blob.at[k + 5];
    }
    return '-';
}

static const char *letters(struct rollout_world *r)
{
    static char text[8];

    snprintf(
        text, sizeof text, "%c %c %c", letter_in(r, "c1"), letter_in(r, "c2"), letter_in(r, "c3"));
    return text;
}

/* What was there before its type is new to every cluster. */
static void test_a_type_that_comes_later(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", ALL "," R_CANARY);
    put_secret(r, '1');
    assert_string_equal(letters(r), "- - -");
    put_type(r);
    assert_string_equal(letters(r), "- - -");
    rollout_wait(r, SECRET("1"), PHASE("AwaitingApproval"));
    assert_string_equal(letters(r), "1 - -");
    rollout_restart(r);
    assert_string_equal(letters(r), "1 - -");
    assert_int_equal(rollout_do(r, SECRET("1"), "approve", NULL), FED_OK);
    rollout_wait(r, SECRET("1"), PHASE("Complete"));
    assert_string_equal(letters(r), "1 1 1");
    put_secret(r, '2');
    rollout_wait(r, SECRET("2"), PHASE("AwaitingApproval"));
    assert_string_equal(letters(r), "2 1 1");
    assert_int_equal(rollout_do(r, SECRET("2"), "undo", NULL), FED_OK);
    rollout_wait(r, SECRET("2"), PHASE("RolledBack"));
    assert_string_equal(letters(r), "1 1 1");
}

static void commit(struct rollout_world *r, const char *resource, const char *ns, const char *name,
    const char *text)
{
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .ref = {fed_span_text(resource), fed_span_text(ns), fed_span_text(name)}};
    char json[1024];

    snprintf(json, sizeof json, "%s", text);
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    write.bytes = fed_span_text(json);
    assert_int_equal(hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
}

/* Its first rollout is not durable: it is still new to everybody. */
static void test_a_type_that_comes_and_the_disk_refuses(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", ALL "," R_CANARY);
    put_secret(r, '1');
    commit(r, W_TYPES, W_SYSTEM, "secrets", secrets_type);
    test_writes_refuse();
    rollout_run(r, 100);
    test_writes_allow();
    rollout_wait(r, SECRET("1"), PHASE("AwaitingApproval"));
    assert_string_equal(letters(r), "1 - -");
}

/* A hub that is killed right behind the commit of the type: the next one knows of the rollout. */
static void test_a_type_that_comes_and_the_hub_is_killed(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", ALL "," R_CANARY);
    put_secret(r, '1');
    commit(r, W_TYPES, W_SYSTEM, "secrets", secrets_type);
    rollout_restart(r);
    assert_string_equal(letters(r), "- - -");
    rollout_wait(r, SECRET("1"), PHASE("AwaitingApproval"));
    assert_string_equal(letters(r), "1 - -");
}

/* Whose replicas a scheduler spreads is new to every cluster, too. */
static void test_a_type_that_comes_and_is_scaled(void **state)
{
    struct rollout_world *r = *state;

    hub_world_put(&r->w, "replicaschedulingpreferences.scheduling.kubefed.io", "ns", "x",
        "{'metadata':{'name':'x','namespace':'ns'},'spec':{'targetKind':'FederatedSecret',"
        "'totalReplicas':3}}");
    rollout_policy(r, "careful", ALL "," R_CANARY);
    put_secret(r, '1');
    put_type(r);
    rollout_wait(r, SECRET("1"), PHASE("AwaitingApproval"));
    assert_string_equal(letters(r), "1 - -");
}

static void set_type(struct rollout_world *r, const char *propagation)
{
    char json[600];

    snprintf(json, sizeof json,
        "{'metadata':{'name':'configmaps'},'spec':{'propagation':'%s','targetType':{'version':"
        "'v1','kind':'ConfigMap','pluralName':'configmaps','scope':'Namespaced'},'federatedType':"
        "{'group':'types.kubefed.io','version':'v1beta1','kind':'FederatedConfigMap','pluralName':"
        "'federatedconfigmaps','scope':'Namespaced'}}}",
        propagation);
    hub_world_put(&r->w, W_TYPES, W_SYSTEM, "configmaps", json);
}

/* Clusters have what is governed, and was never rolled out: it is not new to them. */
static void test_a_type_that_goes_and_comes_again(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    set_type(r, "Disabled");
    rollout_run(r, 100);
    set_type(r, "Enabled");
    rollout_run(r, 300);
    assert_string_equal(rollout_have(r), "1 1 1");
    hub_world_remove(&r->w, W_TYPES, W_SYSTEM, "configmaps");
    rollout_run(r, 100);
    set_type(r, "Enabled");
    rollout_run(r, 300);
    assert_string_equal(rollout_have(r), "1 1 1");
    assert_string_equal(rollout_shown(r, R_NAME("1")), "(absent)");
}

static void test_a_type_that_comes_while_policies_conflict(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_policy(r, "other", ALL);
    put_secret(r, '1');
    put_type(r);
    rollout_wait(r, SECRET("1"), "\"phase\":\"Pending\"");
    assert_string_equal(letters(r), "- - -");
    hub_world_remove(&r->w, R_POLICIES, "ns", "other");
    rollout_wait(r, SECRET("1"), PHASE("AwaitingApproval"));
    assert_string_equal(letters(r), "1 - -");
}

static void test_a_type_that_comes_and_memory_is_out(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", ALL "," R_CANARY);
    put_secret(r, '1');
    r->refuse_after = 60;
    put_type(r);
    rollout_run(r, 2100);
    r->refuse_after = -1;
    rollout_wait(r, SECRET("1"), PHASE("AwaitingApproval"));
    assert_string_equal(letters(r), "1 - -");
}

/* ---- clusters that come and go in the midst of it ---- */

/* It has nothing of the object, and its turn has not come. */
static void test_a_cluster_that_is_deleted_before_its_turn(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_put(r, '1', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    rollout_wait(r, R_NAME("1"), "\"progress\":\"1/3\"");
    hub_world_remove(&r->w, W_CLUSTERS, W_SYSTEM, "c3");
    rollout_run(r, 500);
    rollout_wait(r, R_NAME("1"), "\"progress\":\"1/2\"");
}

/* ---- two writes in one turn ---- */

static void stage(struct rollout_world *r, const char *labels, char letter)
{
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .ref = {fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")}};
    char json[512];

    snprintf(json, sizeof json,
        "{\"kind\":\"FederatedConfigMap\",\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\","
        "\"uid\":\"u-x\",\"generation\":9%s},\"spec\":{\"template\":{\"data\":{\"k\":\"%c\"}},"
        "\"placement\":{\"clusterSelector\":{}}}}",
        labels, letter);
    write.bytes = fed_span_text(json);
    assert_int_equal(hub_objects_stage(r->w.objects, &write, 1, NULL, 0, NULL, NULL), FED_OK);
}

/* The first one makes it governed; what clusters have is what it said before that. */
static void test_two_changes_of_one_turn(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", "'selector':{'matchLabels':{'a':'b'}}," R_CANARY);
    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    stage(r, ",\"labels\":{\"a\":\"b\"}", '2');
    stage(r, ",\"labels\":{\"a\":\"b\"}", '3');
    assert_int_equal(hub_objects_flush(r->w.objects, NULL), FED_OK);
    rollout_wait_have(r, "3 1 1");
    rollout_run(r, 300);
    assert_string_equal(rollout_have(r), "3 1 1");
}

/* ---- history ---- */

/* Whoever changes an object to and fro while its change waits fills no store. */
static void test_to_and_fro(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_policy(r, "other", ALL);
    for (int i = 0; i < 14; i++) {
        rollout_put(r, '2', "");
        rollout_put(r, '1', "");
    }
    rollout_run(r, 50);
    assert_string_equal(rollout_have(r), "1 1 1");
    assert_non_null(strstr(rollout_shown(r, R_NAME("14")), "\"phase\":\"Superseded\""));
    assert_string_equal(rollout_shown(r, R_NAME("4")), "(absent)");
    assert_string_not_equal(rollout_shown(r, R_NAME("5")), "(absent)");
    assert_true(rollout_rows(r, "V/") <= 2);
}

/* ---- who is governed ---- */

static void on_policy(void *ctx, const struct hub_change *change)
{
    unsigned *told = ctx;

    *told += change->type == HUB_CHANGE_TOUCHED && fed_span_is(change->ref.name, "careful");
}

/* Who watches policies hears how many objects each governs. */
static void test_watchers_of_policies(void **state)
{
    struct rollout_world *r = *state;
    struct hub_subscription *subscription;
    unsigned told = 0;

    assert_int_equal(hub_objects_subscribe(
                         r->w.objects, fed_span_text(R_POLICIES), on_policy, &told, &subscription),
        FED_OK);
    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_run(r, 50);
    assert_int_equal(told, 0);
    rollout_put(r, '1', "");
    assert_int_equal(told, 1);
    assert_non_null(strstr(rollout_policy_shown(r, "careful"), "\"objects\":1"));
    rollout_put(r, '2', "");
    rollout_run(r, 150);
    assert_int_equal(told, 1); /* nothing new */
    rollout_policy(r, "other", ALL);
    assert_int_equal(told, 2);
    assert_non_null(strstr(rollout_policy_shown(r, "careful"), "\"Conflict\""));
    hub_world_remove(&r->w, R_POLICIES, "ns", "other");
    assert_int_equal(told, 3);
    hub_world_remove(&r->w, W_CONFIGMAPS, "ns", "x");
    assert_int_equal(told, 4);
    assert_non_null(strstr(rollout_policy_shown(r, "careful"), "\"objects\":0"));
    hub_objects_unsubscribe(subscription);
}

/* ---- the end ---- */

static enum fed_err removal(struct rollout_world *r, const struct hub_kind_hooks *hooks,
    const char *resource, const char *name, const char *user)
{
    struct hub_kind kind = {.resource = resource};
    struct hub_admission admission = {
        .operation = HUB_DELETE, .kind = &kind, .user = fed_span_text(user)};
    struct fed_diag diag = {""};
    enum fed_err err;

    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
    assert_int_equal(
        fed_json_parse(admission.doc, fed_span_text(hub_world_stored(&r->w, resource, "ns", name)),
            &admission.object, NULL),
        FED_OK);
    err = hooks->admit(hooks->ctx, &admission, &diag);
    fed_json_doc_free(admission.doc);
    return err;
}

/* A namespace that goes takes objects first, then what decides about them. */
static void test_what_decides_goes_after_its_object(void **state)
{
    static const char *const users[] = {"system:namespace-controller",
        "system:serviceaccount:kube-system:generic-garbage-collector", "ann"};
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            removal(r, &r->hooks, R_ROLLOUTS, R_NAME("1"), users[i]), FED_ERR_FORBIDDEN);
    assert_int_equal(
        removal(r, &r->policy_hooks, R_POLICIES, "careful", users[0]), FED_ERR_FORBIDDEN);
    assert_int_equal(removal(r, &r->policy_hooks, R_POLICIES, "careful", users[2]), FED_OK);
    rollout_put(r, '2', ",'deletionTimestamp':'2026-11-30T00:00:00Z'");
    assert_int_equal(removal(r, &r->policy_hooks, R_POLICIES, "careful", users[0]), FED_OK);
    assert_int_equal(removal(r, &r->hooks, R_ROLLOUTS, R_NAME("1"), users[0]), FED_ERR_FORBIDDEN);
    hub_world_remove(&r->w, W_CONFIGMAPS, "ns", "x");
    assert_int_equal(removal(r, &r->hooks, R_ROLLOUTS, R_NAME("1"), users[0]), FED_OK);
    hub_world_remove(&r->w, R_ROLLOUTS, "ns", R_NAME("1"));
    rollout_wait_no_rows(r, "w/");
    rollout_wait_no_rows(r, "V/");
    /* Another one of its name begins anew. */
    hub_world_remove(&r->w, R_POLICIES, "ns", "careful");
    rollout_put(r, '3', "");
    rollout_wait_have(r, "3 3 3");
}

static void test_deleted_while_it_waits(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL ",'onNewChange':'Queue'," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    rollout_put(r, '3', "");
    rollout_wait(r, R_NAME("2"), "\"phase\":\"Queued\"");
    rollout_put(r, '3', ",'deletionTimestamp':'2026-11-30T00:00:00Z'");
    hub_world_remove(&r->w, R_POLICIES, "ns", "careful");
    rollout_restart(r);
    rollout_run(r, 150);
    assert_string_not_equal(rollout_have(r), "3 3 3");
    if (strcmp(hub_world_stored(&r->w, W_CONFIGMAPS, "ns", "x"), "(absent)") != 0)
        hub_world_remove(&r->w, W_CONFIGMAPS, "ns", "x");
    rollout_wait_no_rows(r, "w/");
    rollout_wait_no_rows(r, "V/");
}

/* Without its policy a rollout goes on by the rules with which it began, to its end; then nobody
 * decides any more. */
static void test_a_policy_that_goes_in_the_middle(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    hub_world_remove(&r->w, R_POLICIES, "ns", "careful");
    rollout_restart(r);
    rollout_run(r, 150);
    assert_string_equal(rollout_have(r), "2 1 1");
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "2 2 2");
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    rollout_wait_no_rows(r, "w/");
    hub_world_cluster(&r->w, "c4", "{}");
    rollout_put(r, '3', "");
    rollout_wait_have(r, "3 3 3");
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), PHASE("Complete")));
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, rollout_world_open, rollout_world_close)
    const struct CMUnitTest tests[] = {
        CASE(test_a_cluster_that_is_deleted_before_its_turn),
        CASE(test_a_type_that_comes_later),
        CASE(test_a_type_that_comes_and_the_disk_refuses),
        CASE(test_a_type_that_comes_and_the_hub_is_killed),
        CASE(test_a_type_that_comes_and_is_scaled),
        CASE(test_a_type_that_goes_and_comes_again),
        CASE(test_a_type_that_comes_while_policies_conflict),
        CASE(test_a_type_that_comes_and_memory_is_out),
        CASE(test_two_changes_of_one_turn),
        CASE(test_to_and_fro),
        CASE(test_watchers_of_policies),
        CASE(test_what_decides_goes_after_its_object),
        CASE(test_deleted_while_it_waits),
        CASE(test_a_policy_that_goes_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
