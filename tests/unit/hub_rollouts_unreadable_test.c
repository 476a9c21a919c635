/* Whatever of a rollout is damaged in the store: the hub starts, the Rollout says what cannot be
 * read and what to do, no cluster gets anything else, others go on, and it goes on itself once it
 * is mended. */
#include "hub_rollouts_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL "'selector':{}"
#define OBJECT "o/rollouts.fedlet.io"
#define OTHER "federatedconfigmap-y-1"

struct row {
    char key[600];
    size_t key_len;
    char value[8192];
    size_t len;
};

/* What is done to which row. */
struct damage {
    const char *name;
    const char *range; /* where its key begins */
    size_t skip;       /* so many rows of that range */
    const char *find;  /* in the value, put stands in its place; NULL: put is all of it */
    const char *put;   /* NULL: the row is gone */
    const char *says;  /* in the condition of the Rollout; NULL: nobody can show it */
};

struct finding {
    size_t skip;
    struct row *row;
};

static bool keep_row(void *ctx, const struct fed_store_item *item)
{
    struct finding *finding = ctx;
    struct row *row = finding->row;

    if (finding->skip-- > 0)
        return true;
    assert_true(item->key.len <= sizeof row->key && item->value.len < sizeof row->value);
    memcpy(row->key, item->key.at, item->key.len);
    row->key_len = item->key.len;
    memcpy(row->value, item->value.at, item->value.len);
    row->value[item->value.len] = '\0';
    row->len = item->value.len;
    return false;
}

static void get(struct rollout_world *r, const struct damage *damage, struct row *row)
{
    struct fed_store *store = hub_objects_store(r->w.objects);
    struct finding finding = {damage->skip, row};
    char end[64];

    snprintf(end, sizeof end, "%s", damage->range);
    end[strlen(end) - 1]++;
    row->key_len = 0;
    assert_int_equal(store->range(store->ctx, fed_span_text(damage->range), fed_span_text(end), 0,
                         keep_row, &finding),
        FED_OK);
    assert_true(row->key_len > 0);
}

static void put(struct rollout_world *r, const struct row *row, const char *value, size_t len)
{
    struct fed_store_op op = {
        .key = fed_span_of(row->key, row->key_len), .value = fed_span_of(value, len)};

    op.remove = !value;
    assert_int_equal(hub_objects_commit(r->w.objects, NULL, 0, &op, 1, NULL, NULL), FED_OK);
}

static void spoil(struct rollout_world *r, const struct damage *damage, const struct row *row)
{
    static char value[9000];
    const char *at;

    if (!damage->find) {
        put(r, row, damage->put, damage->put ? strlen(damage->put) : 0);
        return;
    }
    at = strstr(row->value, damage->find);
    if (!at)
        fail_msg("no %s in %s", damage->find, row->value);
    snprintf(value, sizeof value, "%.*s%s%s", (int)(at - row->value), row->value, damage->put,
        at + strlen(damage->find));
    put(r, row, value, strlen(value));
}

/* The Rollout as it is read. */
static const char *shown(struct rollout_world *r, const char *name)
{
    struct hub_object_ref ref = {
        fed_span_text(R_ROLLOUTS), fed_span_text("ns"), fed_span_text(name)};

    return rollout_composed(&r->hooks, &ref, rollout_shown(r, name));
}

static void put_other(struct rollout_world *r, int generation)
{
    char json[600];

    snprintf(json, sizeof json,
        "{'apiVersion':'types.kubefed.io/v1beta1','kind':'FederatedConfigMap','metadata':{'name':"
        "'y','namespace':'ns','uid':'u-y','generation':%d},'spec':{'template':{'data':{'l':'%d'}},"
        "'placement':{'clusterSelector':{}}}}",
        generation, generation);
    hub_world_put(&r->w, W_CONFIGMAPS, "ns", "y", json);
}

/* Rollout 1 of letter 2 waits for approval behind c1. */
static void begin(struct rollout_world *r)
{
    rollout_put(r, '1', "");
    put_other(r, 1);
    rollout_wait_have(r, "1 1 1");
    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_run(r, 30);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), "\"phase\":\"AwaitingApproval\"");
    assert_string_equal(rollout_have(r), "2 1 1");
}

static void assert_said(struct rollout_world *r, const struct damage *damage)
{
    const char *text;

    if (!damage->says)
        return;
    text = shown(r, R_NAME("1"));
    if (!strstr(text, "\"type\":\"Readable\",\"status\":\"False\"") ||
        !strstr(text, damage->says) || !strstr(text, "Restore a backup"))
        fail_msg("%s: %s", damage->name, text);
}

static void assert_kept(struct rollout_world *r, const struct damage *damage, const char *when)
{
    if (strcmp(rollout_have(r), "= = =") != 0)
        fail_msg("%s: %s: clusters have %s", damage->name, when, rollout_have(r));
}

static void one(const struct damage *damage)
{
    static struct row row;
    struct rollout_world *r;
    void *state;

    rollout_world_open(&state);
    r = state;
    begin(r);
    get(r, damage, &row);
    spoil(r, damage, &row);
    rollout_restart(r);
    assert_true(r->errors > 0);
    assert_kept(r, damage, "started");
    rollout_run(r, 60);
    assert_kept(r, damage, "runs");
    assert_said(r, damage);
    rollout_put(r, '3', "");
    put_other(r, 2);
    rollout_wait(r, OTHER, "\"phase\":\"AwaitingApproval\"");
    assert_kept(r, damage, "written");
    rollout_restart(r);
    rollout_run(r, 60);
    assert_kept(r, damage, "started again");
    assert_said(r, damage);
    put(r, &row, row.value, row.len);
    rollout_restart(r);
    rollout_wait(r, R_NAME("2"), "\"phase\":\"AwaitingApproval\"");
    assert_string_equal(rollout_have(r), "3 1 1");
    assert_null(strstr(shown(r, R_NAME("1")), "Readable"));
    assert_null(strstr(shown(r, R_NAME("2")), "Readable"));
    rollout_world_close(&state);
}

static void test_each_row_that_is_damaged(void **state)
{
    static const struct damage all[] = {
        {"no JSON", OBJECT, 0, NULL, "{\"metadata\":", NULL},
        {"nothing", OBJECT, 0, NULL, "", NULL},
        {"of no object", OBJECT, 0, "\"object\":{", "\"objcet\":{", NULL},
        {"of another owner", OBJECT, 0, "\"uid\":\"u-x\"", "\"uid\":\"u-y\"", NULL},
        {"another number", OBJECT, 0, "\"number\":1", "\"number\":7", "spec.number"},
        {"no rules", OBJECT, 0, "\"Required\"", "\"Maybe\"", "rules"},
        {"no version", OBJECT, 0, "\"to\":{\"digest\":\"", "\"to\":{\"digest\":\"x", "spec.to"},
        {"record", "w/", 0, NULL, "\xff\xff\xff", "record"},
        {"record cut", "w/", 0, NULL, "\x01", "record"},
        {"no record", "w/", 0, NULL, NULL, "is missing"},
        {"cluster", "w/", 1, NULL, "\x01\x02", "row of cluster c1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        one(&all[i]);
}

/* A person says that it decides nothing any more. */
static void test_a_rollout_that_is_deleted(void **state)
{
    static const struct damage damage = {"record", "w/", 0, NULL, "\xff", "record"};
    struct rollout_world *r = *state;
    struct hub_kind kind = {.resource = R_ROLLOUTS};
    struct hub_admission admission = {.operation = HUB_DELETE, .kind = &kind};
    struct fed_diag diag = {""};
    const char *refusal;
    struct row row;
    struct fed_json *object;

    begin(r);
    get(r, &damage, &row);
    spoil(r, &damage, &row);
    rollout_restart(r);
    assert_int_not_equal(rollout_do(r, R_NAME("1"), "approve", &refusal), FED_OK);
    assert_non_null(strstr(refusal, "cannot be read"));
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &admission.doc), FED_OK);
    assert_int_equal(
        fed_json_parse(admission.doc, fed_span_text(rollout_shown(r, R_NAME("1"))), &object, NULL),
        FED_OK);
    admission.object = object;
    assert_int_equal(r->hooks.admit(r->hooks.ctx, &admission, &diag), FED_OK);
    fed_json_doc_free(admission.doc);
    hub_world_remove(&r->w, R_ROLLOUTS, "ns", R_NAME("1"));
    rollout_wait_have(r, "2 2 2");
    rollout_put(r, '4', "");
    /* Not once more by that name: rows of the former one are still there. */
    rollout_wait(r, R_NAME("2"), "\"phase\":\"AwaitingApproval\"");
    assert_string_equal(rollout_have(r), "4 2 2");
    rollout_restart(r);
    rollout_run(r, 100);
    assert_string_equal(rollout_have(r), "4 2 2");
}

/* What clusters have may not be made of anything else. */
static void test_a_version_that_is_damaged(void **state)
{
    struct rollout_world *r = *state;
    struct damage damage = {"version", "V/", 0, NULL, "{\"spec\":", NULL};
    struct row row[2];

    begin(r);
    for (damage.skip = 0; damage.skip < 2; damage.skip++)
        get(r, &damage, &row[damage.skip]);
    for (size_t i = 0; i < 2; i++)
        spoil(r, &damage, &row[i]);
    rollout_restart(r);
    rollout_run(r, 60);
    assert_string_equal(rollout_have(r), "2 = =");
    for (size_t i = 0; i < 2; i++)
        put(r, &row[i], row[i].value, row[i].len);
    rollout_restart(r);
    assert_int_equal(rollout_do(r, R_NAME("1"), "approve", NULL), FED_OK);
    rollout_wait_have(r, "2 2 2");
}

static void test_a_policy_that_is_damaged(void **state)
{
    static const struct damage damage = {
        "policy", "o/rolloutpolicies.fedlet.io", 0, NULL, "{\"metadata\"", NULL};
    struct rollout_world *r = *state;
    struct row row;

    rollout_put(r, '1', "");
    rollout_wait_have(r, "1 1 1");
    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_run(r, 30);
    get(r, &damage, &row);
    spoil(r, &damage, &row);
    rollout_restart(r);
    rollout_put(r, '2', "");
    rollout_wait(r, R_NAME("1"), "PolicyInvalid");
    assert_string_equal(rollout_have(r), "1 1 1");
    rollout_policy(r, "careful", ALL "," R_CANARY);
    rollout_wait_have(r, "2 1 1");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, rollout_world_open, rollout_world_close)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_that_is_damaged),
        CASE(test_a_rollout_that_is_deleted),
        CASE(test_a_version_that_is_damaged),
        CASE(test_a_policy_that_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
