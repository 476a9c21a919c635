/* hub_rollouts_test.c - rollouts with the real store, plan and status: what begins, what each
 * cluster has, what is shown, what survives. */
#include "hub_rollouts_world.h"
#include "refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL "'selector':{}"
#define PHASE(p) "\"phase\":\"" p "\",\"progress\""

/* An object that every cluster has, and a policy with a canary for it. */
static void begin(struct rollout_world *r, const char *spec)
{
    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_policy(r, "careful", spec);
    rollout_run(r, 20);
}

static void test_a_change_goes_wave_by_wave(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    assert_string_equal(rollout_shown(r, R_NAME("1")), "(absent)");
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "2 1 1");
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"estimate\":{\"bytes\":"));
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    assert_null(strstr(rollout_shown(r, R_NAME("1")), "estimate"));
    assert_string_equal(rollout_have(r), "2 2 2");
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"progress\":\"3/3\""));
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")),
        "\"action\":\"approve\",\"user\":\"ann\",\"reason\":\"because\""));
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"approvedBy\":\"ann\""));
    assert_null(strstr(rollout_shown(r, R_NAME("1")), "annotations"));
}

static void test_a_new_object_comes_wave_by_wave(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_put(r, '1', "");
    assert_string_equal(rollout_have(r), "- - -");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "1 - -");
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve:canary", NULL), FED_OK);
    rollout_wait_have(r, "1 1 1");
}

static void test_who_governs(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "labelled", "'selector':{'matchLabels':{'tier':'web'}}," R_CANARY);
    rollout_policy(r, "named", R_CANARY);
    rollout_put(r, '1', ""); /* nobody */
    rollout_wait_have(r, "1 1 1");
    rollout_put(r, '2', ",'labels':{'tier':'web'}"); /* by this write: what was there is `from` */
    rollout_wait_have(r, "2 1 1");
    rollout_put(r, '3', ",'labels':{'tier':'web'},'annotations':{'fedlet.io/rollout-policy':''}");
    rollout_wait_have(r, "3 3 3");
    rollout_put(r, '4', ",'annotations':{'fedlet.io/rollout-policy':'named'}");
    rollout_wait_have(r, "4 3 3");
}

/* At once: nobody has to look at all clusters for it. */
static void test_a_hold_that_ends(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL ",'waves':[]");
    hub_plan_hold(r->w.plan, fed_span_text("c2"), "quiet", fed_loop_unix_s(r->w.loop) + 3600);
    rollout_put(r, '2', "");
    rollout_wait_have(r, "2 1 2");
    rollout_wait(r, R_NAME("1"), "\"held\":1");
    r->silent[1] = true; /* and no report leads there */
    rollout_run(r, 300);
    hub_plan_hold(r->w.plan, fed_span_text("c2"), "", 0);
    rollout_wait_have(r, "2 2 2");
    r->silent[1] = false;
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
}

static void test_policies_that_conflict_let_nothing_out(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_policy(r, "other", ALL);
    rollout_put(r, '2', "");
    rollout_run(r, 200);
    assert_string_equal(rollout_have(r), "1 1 1");
    rollout_wait(r, R_NAME("1"), "\"phase\":\"Pending\"");
    rollout_wait(r, R_NAME("1"), "name the one that is meant by the annotation");
    assert_non_null(strstr(rollout_policy_shown(r, "careful"),
        "1 object is selected by another policy, too, FederatedConfigMap x: "));
    assert_non_null(strstr(rollout_policy_shown(r, "careful"), "\"waves\":\"canary, rest\""));
    rollout_put(r, '2', ",'annotations':{'fedlet.io/rollout-policy':'careful'}");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "2 1 1");
}

static void test_a_conflict_that_ends_lets_the_change_out(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_policy(r, "other", ALL);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), "\"phase\":\"Pending\"");
    hub_world_remove(&r->w, R_POLICIES, "ns", "other");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "2 1 1");
}

static void test_a_policy_that_is_not_there_lets_nothing_out(void **state)
{
    struct rollout_world *r = *state;

    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_put(r, '2', ",'annotations':{'fedlet.io/rollout-policy':'later'}");
    rollout_wait(r, R_NAME("1"), "\"reason\":\"PolicyNotFound\"");
    rollout_restart(r);
    rollout_run(r, 200);
    assert_string_equal(rollout_have(r), "1 1 1");
    rollout_policy(r, "later", "'waves':[]");
    rollout_wait_have(r, "2 2 2");
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
}

/* Whoever may read Rollouts, and not the object, confirms no guess of what it says. */
static void test_names_of_versions_confirm_nothing(void **state)
{
    struct rollout_world *r = *state;
    struct fed_span guess = FED_SPAN_LIT("{\"spec\":{\"placement\":{\"clusterSelector\":{}},"
                                         "\"template\":{\"data\":{\"k\":\"1\"}}}}");
    struct fed_digest digest;
    char name[FED_DIGEST_SIZE * 2 + 1];
    char from[200];

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_int_equal(fed_digest_of(guess, &digest), FED_OK);
    for (size_t i = 0; i < FED_DIGEST_SIZE; i++)
        snprintf(name + 2 * i, 3, "%02x", digest.bytes[i]);
    assert_null(strstr(rollout_shown(r, R_NAME("1")), name));
    snprintf(from, sizeof from, "%.82s", strstr(rollout_shown(r, R_NAME("1")), "\"from\":{"));
    rollout_restart(r); /* the name of the same is the same */
    rollout_put(r, '1', "");
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "1 1 1");
    assert_non_null(strstr(rollout_shown(r, R_NAME("2")), from + 7));
    assert_non_null(strstr(strstr(rollout_shown(r, R_NAME("2")), "\"to\":{"), from + 17));
}

/* It says so until the work is another one. */
static void test_what_a_member_took_back_is_tried_again(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    r->gave_up[0] = "";
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("Paused"));
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"reason\":\"RolledBack\""));
    rollout_restart(r);
    assert_int_equal(rollout_do(r, R_NAME("1"), "retry", NULL), FED_OK);
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "2 1 1");
    rollout_restart(r);
    rollout_run(r, 300);
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), PHASE("AwaitingApproval")));
}

static void test_a_newer_change_supersedes(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait_have(r, "2 1 1");
    rollout_put(r, '3', "");
    rollout_wait_have(r, "3 1 1");
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"phase\":\"Superseded\""));
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    assert_int_equal(rollout_do(r, R_NAME("2"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "3 3 3");
}

static void test_a_newer_change_waits_where_it_is_to(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL ",'onNewChange':'Queue'," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    rollout_put(r, '3', "");
    rollout_put(r, '4', "");
    rollout_run(r, 150);
    assert_string_equal(rollout_have(r), "2 1 1");
    assert_non_null(strstr(rollout_shown(r, R_NAME("2")), "\"phase\":\"Queued\""));
    rollout_restart(r);
    assert_string_equal(rollout_have(r), "2 1 1");
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "4 2 2");
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_shown(r, R_NAME("3")), "(absent)");
}

/* Until its engine has given its clusters up: 3 * 230 bytes and more. */
static void wait_rest(struct rollout_world *r, size_t bytes)
{
    for (unsigned waited = 0; waited < 10000; waited += 10) {
        if (r->bytes < bytes)
            return;
        rollout_run(r, 10);
    }
    fail_msg("it does not rest: it has %zu bytes, not %zu", r->bytes, bytes);
}

/* A rollout that is over answers without its engine's clusters, and has them again for whatever
 * is new. */
static void test_what_is_over_rests(void **state)
{
    struct rollout_world *r = *state;
    size_t bytes;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    bytes = r->bytes - 600;
    rollout_run(r, 300);
    assert_true(r->bytes > bytes);
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    wait_rest(r, bytes);
    assert_string_equal(rollout_have(r), "2 2 2");

    r->bad[1] = "CrashLoopBackOff"; /* that is shown */
    rollout_wait(r, R_NAME("1"), "\"updating\":1");
    assert_true(r->bytes > bytes);
    r->bad[1] = NULL;
    rollout_wait(r, R_NAME("1"), "\"healthy\":3");
    wait_rest(r, bytes);

    rollout_restart(r);
    bytes = r->bytes - 600;
    wait_rest(r, bytes);
    assert_string_equal(rollout_have(r), "2 2 2");
    rollout_put(r, '3', "");
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    bytes = r->bytes - 600;
    assert_int_equal(rollout_do(r, R_NAME("2"), "approve", NULL), FED_OK);
    rollout_wait(r, R_NAME("2"), PHASE("Complete"));
    wait_rest(r, bytes);
    assert_int_equal(rollout_do(r, R_NAME("2"), "undo", NULL), FED_OK);
    rollout_wait(r, R_NAME("2"), PHASE("RolledBack"));
    assert_string_equal(rollout_have(r), "2 2 2");
}

struct row {
    char key[200];
    size_t len;
};

static bool find_row(void *ctx, const struct fed_store_item *item)
{
    struct row *row = ctx;

    if (!fed_span_is(fed_span_sub(item->key, item->key.len - 3, item->key.len), "/c3"))
        return true;
    assert_true(item->key.len <= sizeof row->key);
    row->len = item->key.len;
    memcpy(row->key, item->key.at, row->len);
    return false;
}

static void remove_row(struct fed_store *store)
{
    struct row row = {.len = 0};
    struct fed_store_op op = {.remove = true};

    assert_int_equal(
        store->range(store->ctx, FED_SPAN_LIT("w/"), FED_SPAN_LIT("w0"), 0, find_row, &row),
        FED_OK);
    assert_true(row.len > 0);
    op.key = fed_span_of(row.key, row.len);
    assert_int_equal(store->commit(store->ctx, NULL, 0, &op, 1, NULL, NULL), FED_OK);
}

/* Rows that are not what it gave up: it is read as at a start, and goes on from there. */
static void test_rows_that_are_not_those_of_the_rest(void **state)
{
    struct rollout_world *r = *state;
    struct fed_store *store = hub_objects_store(r->w.objects);
    size_t bytes;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    bytes = r->bytes - 600;
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    wait_rest(r, bytes);
    remove_row(store);
    r->bad[1] = "CrashLoopBackOff";
    rollout_wait(r, R_NAME("1"), "\"updating\":1");
    rollout_wait_have(r, "2 2 2");
}

static void test_undo_gives_back_what_was(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_int_equal(rollout_do(r, R_NAME("1"), "undo", NULL), FED_OK);
    rollout_wait(r, R_NAME("1"), PHASE("RolledBack"));
    assert_string_equal(rollout_have(r), "1 1 1");
    rollout_restart(r);
    rollout_run(r, 150);
    assert_string_equal(rollout_have(r), "1 1 1");
    rollout_put(r, '1', ""); /* ends the hold: there is nothing to do */
    rollout_wait(r, R_NAME("2"), PHASE("Complete"));
    rollout_put(r, '3', "");
    rollout_wait_have(r, "3 1 1");
}

/* A label alone makes nobody's content new, and what clusters have is kept all the same. */
static void test_undo_of_the_first_change_since_a_label(void **state)
{
    struct rollout_world *r = *state;

    rollout_policy(r, "labelled", "'selector':{'matchLabels':{'tier':'web'}}");
    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_put(r, '1', ",'labels':{'tier':'web'}");
    assert_int_equal(r->errors, 0);
    assert_int_equal(rollout_rows(r, "V/"), 1);
    rollout_restart(r);
    rollout_put(r, '2', ",'labels':{'tier':'web'}");
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    rollout_put(r, '3', ",'labels':{'tier':'web'}");
    rollout_wait(r, R_NAME("2"), PHASE("Complete"));
    assert_int_equal(rollout_do(r, R_NAME("2"), "undo", NULL), FED_OK);
    rollout_wait(r, R_NAME("2"), PHASE("RolledBack"));
    rollout_wait_have(r, "2 2 2");
    rollout_restart(r);
    rollout_run(r, 150);
    assert_string_equal(rollout_have(r), "2 2 2");
    rollout_put(r, '3', ",'labels':{'tier':'web'},'annotations':{'a':'b'}"); /* still held */
    rollout_run(r, 150);
    assert_string_equal(rollout_have(r), "2 2 2");
    assert_int_equal(rollout_do(r, R_NAME("2"), "retry", NULL), FED_OK);
    rollout_wait_have(r, "3 3 3");
}

static void test_what_does_not_get_healthy_goes_back(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL ",'progressDeadline':'1s','onFailure':'Rollback'," R_CANARY);
    r->bad[0] = "Unhealthy";
    rollout_put(r, '2', "");
    rollout_wait_have(r, "2 1 1");
    rollout_wait(r, R_NAME("1"), "\"reason\":\"Unhealthy\",\"message\":\"0 of 3 pods ready\"");
    rollout_wait(r, R_NAME("1"), "\"phase\":\"Roll");
    r->bad[0] = NULL;
    rollout_wait(r, R_NAME("1"), PHASE("RolledBack"));
    assert_string_equal(rollout_have(r), "1 1 1");
}

static void test_policies_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *spec, *field;
    } cases[] = {
        {"{'waves':[{'name':'a','clusters':{'size':'0%'}}]}", "spec.waves[0].clusters.size"},
        {"{'waves':[{'name':'a','clusters':{'names':['c1']},'maxConcurrency':0}]}",
            "spec.waves[0].maxConcurrency"},
        {"{'maxFailures':'101%'}", "spec.maxFailures"}, {"{'onFailure':'Hope'}", "spec.onFailure"}};
    struct rollout_world *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(rollout_policy_refusal(r, cases[i].spec), cases[i].field);
    assert_string_equal(rollout_policy_refusal(r, "{'selector':{}}"), "");
}

static void test_actions_that_do_not_fit_are_refused(void **state)
{
    struct rollout_world *r = *state;
    const char *refusal;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_int_equal(rollout_do(r, R_NAME("1"), "resume", &refusal), FED_ERR_INVALID);
    assert_true(strlen(refusal) > 20);
    assert_int_equal(rollout_do(r, R_NAME("1"), "leap", &refusal), FED_ERR_INVALID);
    assert_non_null(strstr(refusal, "approve"));
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve:rest", &refusal), FED_ERR_INVALID);
    rollout_put(r, '3', "");
    rollout_wait(r, R_NAME("2"), PHASE("AwaitingApproval"));
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", &refusal), FED_ERR_INVALID);
    assert_non_null(strstr(refusal, "the present one is " R_NAME("2")));
}

static void test_pause_holds_what_comes(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL ",'waves':[{'name':'one','clusters':{'selector':{}},'maxConcurrency':1}]");
    r->silent[0] = r->silent[1] = r->silent[2] = true; /* nothing gets healthy */
    rollout_put(r, '2', "");
    rollout_run(r, 200);
    assert_int_equal(rollout_do(r, R_NAME("1"), "pause", NULL), FED_OK);
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), PHASE("Paused"))); /* in that commit */
    r->silent[0] = r->silent[1] = r->silent[2] = false;
    rollout_wait(r, R_NAME("1"), "\"healthy\":1,");
    rollout_run(r, 300);
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"progress\":\"1/3\""));
    assert_int_equal(rollout_do(r, R_NAME("1"), "resume", NULL), FED_OK);
    rollout_wait_have(r, "2 2 2");
}

static void test_it_goes_on_after_a_restart_at_any_time(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_restart(r);
    rollout_wait_have(r, "2 1 1");
    rollout_restart(r);
    assert_string_equal(rollout_have(r), "2 1 1");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    rollout_restart(r);
    assert_string_equal(rollout_have(r), "2 1 1");
    rollout_run(r, 100);
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_restart(r);
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    rollout_restart(r);
    assert_string_equal(rollout_have(r), "2 2 2");
    rollout_run(r, 150);
    assert_string_equal(rollout_have(r), "2 2 2");
}

/* Rollout, rows and the change are there together, or none of them is. */
static void test_what_is_not_durable_has_not_begun(void **state)
{
    struct rollout_world *r = *state;
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .ref = {fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")},
        .bytes = FED_SPAN_LIT("{\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\",\"uid\":\"u-x\","
                              "\"generation\":99},\"spec\":{\"template\":{\"data\":{\"k\":\"2\"}},"
                              "\"placement\":{\"clusterSelector\":{}}}}")};
    enum fed_err refused;

    begin(r, ALL "," R_CANARY);
    test_writes_refuse();
    refused = hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, NULL);
    test_writes_allow();
    assert_int_not_equal(refused, FED_OK);
    rollout_run(r, 300);
    assert_string_equal(rollout_shown(r, R_NAME("1")), "(absent)");
    assert_string_equal(rollout_have(r), "1 1 1");
    rollout_put(r, '3', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    assert_string_equal(rollout_have(r), "3 1 1");
}

/* A step that cannot be stored is taken again, from what is stored. */
static void test_a_step_that_is_not_durable_was_not_taken(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL ",'waves':[{'name':'one','clusters':{'names':['c1']},'soak':'1s'}]");
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("Soaking"));
    test_writes_refuse();
    hub_world_wait(1200); /* the soak ends */
    hub_world_settle(&r->w);
    test_writes_allow();
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), PHASE("Soaking")));
    rollout_wait(r, R_NAME("1"), PHASE("Complete"));
    assert_string_equal(rollout_have(r), "2 2 2");
}

static void test_an_action_that_is_not_durable_was_not_done(void **state)
{
    struct rollout_world *r = *state;
    enum fed_err refused;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    test_writes_refuse();
    refused = rollout_do(r, R_NAME("1"), "approve", NULL);
    test_writes_allow();
    assert_int_not_equal(refused, FED_OK);
    rollout_wait_have(r, "2 1 1");
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "2 2 2");
}

static void test_history_is_bounded(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL ",'waves':[]");
    for (char letter = 'a'; letter < 'o'; letter++) {
        rollout_put(r, letter, "");
        rollout_wait_have(
            r, (const char[]){letter, ' ', letter, ' ', letter, 0}); /* complete, or superseded */
    }
    rollout_wait(r, R_NAME("14"), PHASE("Complete"));
    assert_string_equal(rollout_shown(r, R_NAME("3")), "(absent)");
    assert_string_not_equal(rollout_shown(r, R_NAME("4")), "(absent)");
    assert_true(rollout_rows(r, "V/") <= 13);
    assert_true(rollout_rows(r, "w/") <= 4);
}

static void test_nothing_stays_of_an_object_that_is_gone(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    hub_world_remove(&r->w, W_CONFIGMAPS, "ns", "x");
    rollout_wait_no_rows(r, "w/");
    rollout_wait_no_rows(r, "V/");
}

static void test_without_a_policy_the_next_change_goes_everywhere(void **state)
{
    struct rollout_world *r = *state;

    begin(r, ALL "," R_CANARY);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), PHASE("AwaitingApproval"));
    hub_world_remove(&r->w, R_POLICIES, "ns", "careful");
    rollout_run(r, 150);
    assert_string_equal(rollout_have(r), "2 1 1"); /* what has begun goes on by its own rules */
    rollout_put(r, '3', "");
    rollout_wait_have(r, "3 3 3");
    assert_non_null(strstr(rollout_shown(r, R_NAME("1")), "\"phase\":\"Superseded\""));
    assert_int_equal(rollout_rows(r, "w/"), 0);
}

static void refused_once(struct rollout_world *r, long after)
{
    struct hub_object_write write = {.expected = HUB_ANY_REVISION,
        .ref = {fed_span_text(W_CONFIGMAPS), fed_span_text("ns"), fed_span_text("x")}};
    char json[512];

    snprintf(json, sizeof json,
        "{\"metadata\":{\"name\":\"x\",\"namespace\":\"ns\",\"uid\":\"u-x\",\"generation\":%ld},"
        "\"spec\":{\"template\":{\"data\":{\"k\":\"%c\"}},\"placement\":{\"clusterSelector\":{}}}}",
        after + 1000, (char)('a' + after % 20));
    write.bytes = fed_span_text(json);
    r->refused = false;
    r->refuse_after = after;
    if (hub_objects_commit(r->w.objects, &write, 1, NULL, 0, NULL, NULL))
        assert_true(r->refused);
    hub_world_settle(&r->w);
    hub_world_wait(1);
    hub_world_settle(&r->w);
    r->refuse_after = -1;
}

/* Whatever allocation is refused: nothing breaks, and all of it goes on once there is memory. */
static void test_memory_may_be_out(void **state)
{
    struct rollout_world *r = *state;
    long after = 0;

    begin(r, ALL ",'waves':[{'name':'one','clusters':{'selector':{}},'maxConcurrency':1}]");
    do
        refused_once(r, after++);
    while (r->refused && after < 3000);
    assert_true(after > 20 && after < 3000);
    rollout_put(r, 'z', "");
    rollout_wait_have(r, "z z z");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, rollout_world_open, rollout_world_close)
    const struct CMUnitTest tests[] = {
        CASE(test_a_change_goes_wave_by_wave),
        CASE(test_a_new_object_comes_wave_by_wave),
        CASE(test_who_governs),
        CASE(test_a_hold_that_ends),
        CASE(test_policies_that_conflict_let_nothing_out),
        CASE(test_a_conflict_that_ends_lets_the_change_out),
        CASE(test_a_policy_that_is_not_there_lets_nothing_out),
        CASE(test_names_of_versions_confirm_nothing),
        CASE(test_what_a_member_took_back_is_tried_again),
        CASE(test_a_newer_change_supersedes),
        CASE(test_a_newer_change_waits_where_it_is_to),
        CASE(test_what_is_over_rests),
        CASE(test_rows_that_are_not_those_of_the_rest),
        CASE(test_undo_gives_back_what_was),
        CASE(test_undo_of_the_first_change_since_a_label),
        CASE(test_what_does_not_get_healthy_goes_back),
        CASE(test_policies_that_make_no_sense_are_refused),
        CASE(test_actions_that_do_not_fit_are_refused),
        CASE(test_pause_holds_what_comes),
        CASE(test_it_goes_on_after_a_restart_at_any_time),
        CASE(test_what_is_not_durable_has_not_begun),
        CASE(test_a_step_that_is_not_durable_was_not_taken),
        CASE(test_an_action_that_is_not_durable_was_not_done),
        CASE(test_history_is_bounded),
        CASE(test_nothing_stays_of_an_object_that_is_gone),
        CASE(test_without_a_policy_the_next_change_goes_everywhere),
        CASE(test_memory_may_be_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
