/* hub_store_test.c - objects over the store: expectations, order of delivery, changes made while
 * delivering, resuming. */
#include "hub/store/objects.h"
#include "tests/unit/refused_writes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct fed_sqlite_store *sqlite;
    struct hub_objects *objects;
    char heard[1024]; /* "A x,M x" */
    struct hub_subscription *subscription;
    bool answer; /* commit another object from inside */
};

static const struct hub_object_ref ref_a = {
    {(const uint8_t *)"things", 6}, {(const uint8_t *)"ns", 2}, {(const uint8_t *)"a", 1}};
static const struct hub_object_ref ref_b = {
    {(const uint8_t *)"things", 6}, {(const uint8_t *)"ns", 2}, {(const uint8_t *)"b", 1}};

static enum fed_err write_object(struct fixture *f, const struct hub_object_ref *ref,
    const char *text, uint64_t expected, uint64_t *revision)
{
    struct hub_object_write write = {
        .ref = *ref, .bytes = fed_span_text(text), .expected = expected, .remove = text == NULL};

    return hub_objects_commit(f->objects, &write, 1, NULL, 0, revision, NULL);
}

static void heard(void *ctx, const struct hub_change *change)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->heard);

    snprintf(f->heard + used, sizeof f->heard - used, "%s%c " FED_SPAN_FMT, used ? "," : "",
        "AMDT"[change->type], FED_SPAN_ARG(change->ref.name));
    if (f->answer) {
        f->answer = false;
        assert_int_equal(write_object(f, &ref_b, "{}", HUB_ANY_REVISION, NULL), FED_OK);
    }
}

static void open_objects(struct fixture *f)
{
    struct fed_sqlite_options options = {
        .history = true, .application_id = 1, .new_epoch = 1, .cache_kib = 256};
    struct fed_diag diag = {""};
    char path[96];

    snprintf(path, sizeof path, "%s/db", f->dir);
    assert_int_equal(
        fed_sqlite_store_open(fed_alloc_system(), path, &options, &f->sqlite, &diag), FED_OK);
    assert_int_equal(hub_objects_open(fed_alloc_system(), NULL, fed_sqlite_store_port(f->sqlite),
                         &f->objects, &diag),
        FED_OK);
}

static void close_objects(struct fixture *f)
{
    hub_objects_close(f->objects);
    fed_sqlite_store_close(f->sqlite);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/hub-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    open_objects(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"db", "db-wal", "db-shm"};
    struct fixture *f = *state;
    char path[96];

    close_objects(f);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
        unlink(path);
    }
    rmdir(f->dir);
    free(f);
    return 0;
}

static void test_expectations(void **state)
{
    struct fixture *f = *state;
    uint64_t first;
    uint64_t second;

    assert_int_equal(write_object(f, &ref_a, "{}", 5, NULL), FED_ERR_NOT_FOUND);
    assert_int_equal(write_object(f, &ref_a, NULL, HUB_ANY_REVISION, NULL), FED_ERR_NOT_FOUND);
    assert_int_equal(write_object(f, &ref_a, "{\"x\":1}", 0, &first), FED_OK);
    assert_int_equal(write_object(f, &ref_a, "{}", 0, NULL), FED_ERR_EXISTS);
    assert_int_equal(write_object(f, &ref_a, "{\"x\":2}", first, &second), FED_OK);
    assert_true(second > first);
    assert_int_equal(write_object(f, &ref_a, "{}", first, NULL), FED_ERR_CONFLICT);
    assert_int_equal(hub_objects_revision(f->objects), second);
    assert_int_equal(write_object(f, &ref_a, NULL, second, NULL), FED_OK);
}

static void test_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct hub_object_write writes[2] = {
        {.ref = ref_a, .bytes = FED_SPAN_LIT("{}")},
        {.ref = ref_b, .bytes = FED_SPAN_LIT("{}"), .expected = 77},
    };
    struct fed_buf bytes;

    fed_buf_init(&bytes, fed_alloc_system(), 100);
    assert_int_equal(
        hub_objects_commit(f->objects, writes, 2, NULL, 0, NULL, NULL), FED_ERR_NOT_FOUND);
    assert_int_equal(hub_objects_get(f->objects, &ref_a, &bytes, NULL), FED_ERR_NOT_FOUND);
    writes[1].expected = 0;
    assert_int_equal(hub_objects_commit(f->objects, writes, 2, NULL, 0, NULL, NULL), FED_OK);
    assert_int_equal(hub_objects_get(f->objects, &ref_b, &bytes, NULL), FED_OK);
    fed_buf_fini(&bytes);
}

static void test_changes_from_inside_come_after(void **state)
{
    struct fixture *f = *state;
    struct hub_subscription *other;

    assert_int_equal(
        hub_objects_subscribe(f->objects, FED_SPAN_LIT("things"), heard, f, &f->subscription),
        FED_OK);
    assert_int_equal(hub_objects_subscribe(f->objects, FED_SPAN_LIT(""), heard, f, &other), FED_OK);
    f->answer = true;
    assert_int_equal(write_object(f, &ref_a, "{}", 0, NULL), FED_OK);
    assert_string_equal(f->heard, "A a,A a,A b,A b");
    hub_objects_unsubscribe(other);
    f->heard[0] = 0;
    hub_objects_touch(f->objects, &ref_a, 9);
    assert_int_equal(write_object(f, &ref_a, NULL, HUB_ANY_REVISION, NULL), FED_OK);
    hub_objects_touch(f->objects, &ref_a, 9); /* gone: nobody hears of it */
    assert_string_equal(f->heard, "T a,D a");
    hub_objects_unsubscribe(f->subscription);
}

/* ---- staged writes ---- */
struct settled {
    struct hub_objects_member member;
    struct fixture *f;
    unsigned n;
    enum fed_err err;
    char heard[64]; /* by then */
    char why[200];
};

static void settled(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct settled *s = ctx;

    s->n++;
    s->err = err;
    snprintf(s->heard, sizeof s->heard, "%.60s", s->f->heard);
    snprintf(s->why, sizeof s->why, "%.190s", diag->text);
}

static void listen(struct fixture *f, struct settled *s)
{
    s->member = (struct hub_objects_member){.ctx = s, .settled = settled};
    hub_objects_join(f->objects, &s->member);
}

static enum fed_err stage_object(
    struct fixture *f, const struct hub_object_ref *ref, const char *text)
{
    struct hub_object_write write = {.ref = *ref,
        .bytes = fed_span_text(text ? text : ""),
        .expected = HUB_ANY_REVISION,
        .remove = text == NULL};

    return hub_objects_stage(f->objects, &write, 1, NULL, 0, NULL, NULL);
}

static void assert_object(struct fixture *f, const struct hub_object_ref *ref, const char *text)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, fed_alloc_system(), 100);
    err = hub_objects_get(f->objects, ref, &bytes, NULL);
    assert_int_equal(err, text ? FED_OK : FED_ERR_NOT_FOUND);
    assert_string_equal(fed_buf_cstr(&bytes), text ? text : "");
    fed_buf_fini(&bytes);
}

static void test_staged_is_seen_at_once_and_told_when_durable(void **state)
{
    struct fixture *f = *state;
    struct settled s = {.f = f};

    listen(f, &s);
    assert_int_equal(
        hub_objects_subscribe(f->objects, FED_SPAN_LIT("things"), heard, f, &f->subscription),
        FED_OK);
    assert_int_equal(stage_object(f, &ref_a, "{\"x\":1}"), FED_OK);
    assert_int_equal(stage_object(f, &ref_a, "{\"x\":2}"), FED_OK);
    assert_int_equal(stage_object(f, &ref_b, "{}"), FED_OK);
    assert_int_equal(stage_object(f, &ref_b, NULL), FED_OK);
    assert_object(f, &ref_a, "{\"x\":2}");
    assert_object(f, &ref_b, NULL);
    assert_string_equal(f->heard, "");
    assert_true(hub_objects_staged(f->objects));
    f->answer = true; /* a subscriber commits: that is told after, and the listener hears once */
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_string_equal(f->heard, "A a,M a,A b,D b,A b");
    assert_int_equal(s.n, 1);
    assert_int_equal(s.err, FED_OK);
    assert_string_equal(s.heard, f->heard); /* told before the listener */
    assert_false(hub_objects_staged(f->objects));
    hub_objects_unsubscribe(f->subscription);
    close_objects(f);
    open_objects(f);
    assert_object(f, &ref_a, "{\"x\":2}");
}

static void test_what_cannot_be_flushed_never_was(void **state)
{
    struct fixture *f = *state;
    struct settled s = {.f = f};
    struct fed_store_op op = {.key = FED_SPAN_LIT("s/x"), .value = FED_SPAN_LIT("1")};
    struct fed_store *store = hub_objects_store(f->objects);
    uint64_t before;

    assert_int_equal(write_object(f, &ref_a, "{\"x\":1}", 0, &before), FED_OK);
    listen(f, &s);
    assert_int_equal(
        hub_objects_subscribe(f->objects, FED_SPAN_LIT("things"), heard, f, &f->subscription),
        FED_OK);
    assert_int_equal(stage_object(f, &ref_a, NULL), FED_OK);
    assert_int_equal(stage_object(f, &ref_b, "{}"), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    test_writes_allow();
    assert_int_equal(s.n, 1);
    assert_int_not_equal(s.err, FED_OK);
    assert_non_null(strstr(s.why, "cannot commit"));
    assert_int_equal(hub_objects_revision(f->objects), before);
    assert_object(f, &ref_a, "{\"x\":1}");
    assert_object(f, &ref_b, NULL);
    /* A commit of somebody else that fails takes what is staged along, and says so. */
    assert_int_equal(stage_object(f, &ref_b, "{}"), FED_OK);
    test_writes_refuse();
    assert_int_not_equal(store->commit(store->ctx, NULL, 0, &op, 1, NULL, NULL), FED_OK);
    test_writes_allow();
    assert_int_equal(s.n, 2);
    assert_object(f, &ref_b, NULL);
    assert_string_equal(f->heard, "");
    assert_int_equal(
        hub_objects_since(f->objects, FED_SPAN_LIT("things"), before, heard, f), FED_OK);
    assert_string_equal(f->heard, "");
    assert_int_equal(write_object(f, &ref_b, "{}", 0, NULL), FED_OK);
    assert_string_equal(f->heard, "A b");
    hub_objects_unsubscribe(f->subscription);
}

static void test_others_see_and_tell_what_is_durable_only(void **state)
{
    struct fixture *f = *state;
    struct settled s = {.f = f};
    struct fed_store *store = hub_objects_store(f->objects);
    struct fed_buf value;

    listen(f, &s);
    assert_int_equal(
        hub_objects_subscribe(f->objects, FED_SPAN_LIT("things"), heard, f, &f->subscription),
        FED_OK);
    assert_int_equal(stage_object(f, &ref_a, "{}"), FED_OK);
    fed_buf_init(&value, fed_alloc_system(), 100);
    assert_int_equal(store->get(store->ctx, FED_SPAN_LIT("o/x"), &value, NULL), FED_ERR_NOT_FOUND);
    fed_buf_fini(&value);
    assert_int_equal(s.n, 1); /* the read flushed */
    assert_string_equal(f->heard, "A a");
    hub_objects_unsubscribe(f->subscription);
}

static void test_touches_of_a_turn_are_told_once_when_it_is_settled(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(stage_object(f, &ref_a, "{}"), FED_OK);
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_int_equal(
        hub_objects_subscribe(f->objects, FED_SPAN_LIT("things"), heard, f, &f->subscription),
        FED_OK);
    assert_int_equal(stage_object(f, &ref_b, "{}"), FED_OK);
    hub_objects_touch(f->objects, &ref_a, 3);
    hub_objects_touch(f->objects, &ref_b, 3);
    hub_objects_touch(f->objects, &ref_a, 3);
    assert_string_equal(f->heard, "");
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_string_equal(f->heard, "A b,T a,T b");
    f->heard[0] = 0;
    assert_int_equal(stage_object(f, &ref_b, NULL), FED_OK);
    hub_objects_touch(f->objects, &ref_a, 4);
    test_writes_refuse();
    assert_int_not_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    test_writes_allow();
    assert_string_equal(f->heard, "T a"); /* the cause of a touch may be an older one */
    hub_objects_unsubscribe(f->subscription);
}

/* A member that adds a row of its own to every commit, and notes what it is told. */
struct joined {
    struct hub_objects_member member;
    struct fixture *f;
    enum fed_err staged;
    bool once;
    bool refuse; /* what it stages */
    char told[200];
};

static void note(struct joined *j, const char *text)
{
    size_t used = strlen(j->told);

    snprintf(j->told + used, sizeof j->told - used, "%s ", text);
}

static void joined_prepare(void *ctx)
{
    static uint8_t large[2u << 20];
    struct joined *j = ctx;
    struct fed_store_op op = {
        .key = FED_SPAN_LIT("b/x"), .value = fed_span_of(large, j->refuse ? sizeof large : 1)};

    note(j, "prepare");
    assert_int_equal(hub_objects_flush(j->f->objects, NULL), FED_ERR_BUSY);
    if (j->once)
        return;
    j->once = true;
    if (j->refuse)
        test_writes_refuse();
    j->staged = hub_objects_stage(j->f->objects, NULL, 0, &op, 1, NULL, NULL);
}

static void note_staged(void *ctx, const struct hub_change *change)
{
    struct joined *j = ctx;

    note(j, change->ref.name.at[0] == 'a' ? "a" : "b");
}

static void joined_ended(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct joined *j = ctx;

    (void)diag;
    if (j->refuse)
        test_writes_allow();
    note(j, err ? "undone" : "durable");
    hub_objects_touch(j->f->objects, &ref_a, 9); /* is told after what is durable */
    hub_objects_each_staged(j->f->objects, note_staged, j);
    assert_string_equal(j->f->heard, "");
}

static void joined_settled(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    (void)err;
    (void)diag;
    note(ctx, "settled");
}

static void join(struct fixture *f, struct joined *j)
{
    j->f = f;
    j->member = (struct hub_objects_member){
        .ctx = j, .prepare = joined_prepare, .ended = joined_ended, .settled = joined_settled};
    hub_objects_join(f->objects, &j->member);
    assert_int_equal(
        hub_objects_subscribe(f->objects, FED_SPAN_LIT("things"), heard, f, &f->subscription),
        FED_OK);
}

static void assert_row(struct fixture *f, size_t len)
{
    struct fed_buf value;

    fed_buf_init(&value, fed_alloc_system(), FED_STORE_VALUE_MAX);
    assert_int_equal(hub_objects_get_row(f->objects, FED_SPAN_LIT("b/x"), &value, NULL),
        len ? FED_OK : FED_ERR_NOT_FOUND);
    assert_int_equal(value.len, len);
    fed_buf_fini(&value);
}

static void test_a_member_adds_to_the_commit(void **state)
{
    struct fixture *f = *state;
    struct joined j = {.once = false};

    join(f, &j);
    assert_int_equal(stage_object(f, &ref_a, "{}"), FED_OK);
    assert_int_equal(stage_object(f, &ref_b, "{}"), FED_OK);
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_int_equal(j.staged, FED_OK);
    assert_string_equal(j.told, "prepare durable a b settled ");
    assert_string_equal(f->heard, "A a,A b,T a");
    close_objects(f); /* all of it was durable */
    open_objects(f);
    assert_object(f, &ref_b, "{}");
    assert_row(f, 1);
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_string_equal(j.told, "prepare durable a b settled "); /* nobody is a member any more */
}

/* An engine may meet the error of a member's part at once, not only at the flush. */
static void touch_only(void *ctx)
{
    struct joined *j = ctx;

    hub_objects_touch(j->f->objects, &ref_a, 9);
    note(j, j->f->heard[0] ? "heard" : "prepare");
}

static void test_a_member_may_have_nothing_to_store(void **state)
{
    struct fixture *f = *state;
    struct joined j = {.once = true};

    assert_int_equal(write_object(f, &ref_a, "{}", 0, NULL), FED_OK);
    join(f, &j);
    j.member.prepare = touch_only;
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_string_equal(j.told, "prepare ");
    assert_string_equal(f->heard, "T a");
    hub_objects_unsubscribe(f->subscription);
}

static void test_a_member_that_fails_undoes_the_whole(void **state)
{
    struct fixture *f = *state;
    struct joined j = {.refuse = true};

    join(f, &j);
    assert_int_equal(stage_object(f, &ref_a, "{}"), FED_OK);
    assert_int_not_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_string_equal(j.told, "prepare undone a settled ");
    assert_string_equal(f->heard, "");
    assert_object(f, &ref_a, NULL);
    assert_row(f, 0);
    hub_objects_leave(f->objects, &j.member);
    assert_int_equal(stage_object(f, &ref_a, "{}"), FED_OK);
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    assert_string_equal(f->heard, "A a");
    hub_objects_unsubscribe(f->subscription);
}

static void test_much_is_flushed_before_the_end(void **state)
{
    struct fixture *f = *state;
    struct settled s = {.f = f};
    size_t size = 2u << 20;
    char *text = malloc(size + 1);

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = 0;
    listen(f, &s);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(stage_object(f, i % 2 ? &ref_a : &ref_b, text), FED_OK);
    assert_true(s.n >= 1);
    assert_int_equal(hub_objects_flush(f->objects, NULL), FED_OK);
    free(text);
}

static void test_since(void **state)
{
    struct fixture *f = *state;
    uint64_t first;

    assert_int_equal(write_object(f, &ref_a, "{\"x\":1}", 0, &first), FED_OK);
    assert_int_equal(write_object(f, &ref_a, "{\"x\":2}", first, NULL), FED_OK);
    assert_int_equal(write_object(f, &ref_a, NULL, HUB_ANY_REVISION, NULL), FED_OK);
    assert_int_equal(
        hub_objects_since(f->objects, FED_SPAN_LIT("things"), first, heard, f), FED_OK);
    assert_string_equal(f->heard, "M a,D a");
    f->heard[0] = 0;
    assert_int_equal(hub_objects_since(f->objects, FED_SPAN_LIT("other"), first, heard, f), FED_OK);
    assert_string_equal(f->heard, "");
    close_objects(f); /* the ring is empty now: the store's own history answers */
    open_objects(f);
    assert_int_equal(
        hub_objects_since(f->objects, FED_SPAN_LIT("things"), first, heard, f), FED_OK);
    assert_string_equal(f->heard, "M a,D a");
}

static bool list_each(void *ctx, const struct hub_object *object)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->heard);

    snprintf(f->heard + used, sizeof f->heard - used, FED_SPAN_FMT "/" FED_SPAN_FMT " ",
        FED_SPAN_ARG(object->ref.ns), FED_SPAN_ARG(object->ref.name));
    return true;
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    struct hub_object_ref ref = {FED_SPAN_LIT("things"), FED_SPAN_LIT("m"), FED_SPAN_LIT("z")};
    struct hub_object_ref root = {FED_SPAN_LIT("thingses"), {NULL, 0}, FED_SPAN_LIT("z")};

    assert_int_equal(write_object(f, &ref_b, "{}", 0, NULL), FED_OK);
    assert_int_equal(write_object(f, &ref_a, "{}", 0, NULL), FED_OK);
    assert_int_equal(write_object(f, &ref, "{}", 0, NULL), FED_OK);
    assert_int_equal(write_object(f, &root, "{}", 0, NULL), FED_OK);
    assert_int_equal(
        hub_objects_list(f->objects, ref.resource, FED_SPAN_LIT(""), NULL, list_each, f), FED_OK);
    assert_string_equal(f->heard, "m/z ns/a ns/b ");
    f->heard[0] = 0;
    assert_int_equal(
        hub_objects_list(f->objects, ref.resource, FED_SPAN_LIT("ns"), &ref_a, list_each, f),
        FED_OK);
    assert_string_equal(f->heard, "ns/b ");
    ref.name = fed_span_of("a\0b", 3);
    assert_int_equal(write_object(f, &ref, "{}", 0, NULL), FED_ERR_INVALID);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {CASE(test_expectations), CASE(test_all_or_nothing),
        CASE(test_changes_from_inside_come_after),
        CASE(test_staged_is_seen_at_once_and_told_when_durable),
        CASE(test_what_cannot_be_flushed_never_was),
        CASE(test_others_see_and_tell_what_is_durable_only),
        CASE(test_touches_of_a_turn_are_told_once_when_it_is_settled),
        CASE(test_a_member_adds_to_the_commit), CASE(test_a_member_that_fails_undoes_the_whole),
        CASE(test_a_member_may_have_nothing_to_store), CASE(test_much_is_flushed_before_the_end),
        CASE(test_since), CASE(test_list)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
