/* store_conformance.c - see store_conformance.h. */
#include "tests/unit/store_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH 0xdecafbadu

static const struct store_engine *engine; /* of the group that runs */
static struct fed_store *store;

static int setup(void **state)
{
    (void)state;
    store = engine->fresh(engine->ctx, EPOCH);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    engine->drop(engine->ctx);
    return 0;
}

/* ---- short forms ---- */

static struct fed_store_op put(const char *key, const char *value)
{
    return (struct fed_store_op){.key = fed_span_text(key), .value = fed_span_text(value)};
}

static struct fed_store_op removal(const char *key)
{
    return (struct fed_store_op){.key = fed_span_text(key), .remove = true};
}

static enum fed_err commit(const struct fed_store_op *ops, size_t n)
{
    struct fed_diag diag = {{0}};
    enum fed_err err = store->commit(store->ctx, NULL, 0, ops, n, NULL, &diag);

    assert_true(err == FED_OK || diag.text[0]); /* a refusal says why */
    return err;
}

static void commit_one(struct fed_store_op op)
{
    assert_int_equal(commit(&op, 1), FED_OK);
}

static enum fed_err commit_if(const char *key, uint64_t revision, struct fed_store_op op)
{
    struct fed_store_compare compare = {.key = fed_span_text(key), .revision = revision};

    return store->commit(store->ctx, &compare, 1, &op, 1, NULL, NULL);
}

static uint64_t revision(void)
{
    return store->revision(store->ctx);
}

static void assert_value(const char *key, const char *value, uint64_t at_revision)
{
    struct fed_buf got;
    uint64_t got_revision = 0;

    fed_buf_init(&got, fed_alloc_system(), FED_STORE_VALUE_MAX);
    assert_int_equal(store->get(store->ctx, fed_span_text(key), &got, &got_revision), FED_OK);
    assert_string_equal(fed_buf_cstr(&got), value);
    assert_int_equal(got_revision, at_revision);
    fed_buf_fini(&got);
}

static void assert_absent(const char *key)
{
    struct fed_buf got;

    fed_buf_init(&got, fed_alloc_system(), FED_STORE_VALUE_MAX);
    assert_int_equal(store->get(store->ctx, fed_span_text(key), &got, NULL), FED_ERR_NOT_FOUND);
    assert_int_equal(got.len, 0);
}

/* Items as "key=value@revision " or "key-value@revision " for a deletion. */
struct listing {
    struct fed_buf text;
    size_t stop_after;
};

static bool list_one(void *ctx, const struct fed_store_item *item)
{
    struct listing *list = ctx;

    fed_buf_put(&list->text, item->key);
    if (item->existed && !item->deleted) { /* before=value */
        fed_buf_put_text(&list->text, ":");
        fed_buf_put(&list->text, item->before);
    }
    fed_buf_put_text(&list->text, item->deleted ? "-" : "=");
    fed_buf_put(&list->text, item->value);
    fed_buf_printf(&list->text, "@%" PRIu64 " ", item->revision);
    return list->stop_after == 0 || --list->stop_after > 0;
}

static void assert_range(
    const char *from, const char *to, size_t limit, size_t stop_after, const char *expected)
{
    struct listing list = {.stop_after = stop_after};

    fed_buf_init(&list.text, fed_alloc_system(), 1u << 16);
    assert_int_equal(
        store->range(store->ctx, fed_span_text(from), fed_span_text(to), limit, list_one, &list),
        FED_OK);
    assert_string_equal(fed_buf_cstr(&list.text), expected);
    fed_buf_fini(&list.text);
}

static void assert_changes(uint64_t since, const char *from, const char *to, const char *expected)
{
    struct listing list = {0};

    fed_buf_init(&list.text, fed_alloc_system(), 1u << 16);
    assert_int_equal(
        store->changes(store->ctx, since, fed_span_text(from), fed_span_text(to), list_one, &list),
        FED_OK);
    assert_string_equal(fed_buf_cstr(&list.text), expected);
    fed_buf_fini(&list.text);
}

static void assert_count(const char *from, const char *to, size_t expected)
{
    size_t n = 999;

    assert_int_equal(store->count(store->ctx, fed_span_text(from), fed_span_text(to), &n), FED_OK);
    assert_int_equal(n, expected);
}

/* ---- the suite ---- */

static void a_new_store_is_empty_at_revision_1(void **state)
{
    (void)state;
    assert_int_equal(revision(), 1);
    assert_int_equal(store->epoch(store->ctx), EPOCH);
    assert_absent("a");
    assert_range("", "", 0, 0, "");
    assert_count("", "", 0);
}

static void every_commit_raises_the_revision_of_what_it_writes(void **state)
{
    const struct fed_store_op two[] = {put("b", "2"), put("c", "3")};
    uint64_t at = 0;
    struct fed_store_op one = put("a", "1");

    (void)state;
    assert_int_equal(store->commit(store->ctx, NULL, 0, &one, 1, &at, NULL), FED_OK);
    assert_int_equal(at, 2);
    assert_int_equal(commit(two, 2), FED_OK);
    assert_int_equal(revision(), 3);
    assert_value("a", "1", 2);
    assert_value("b", "2", 3);
    assert_value("c", "3", 3);
    commit_one(put("b", "22"));
    assert_value("b", "22", 4);
    commit_one(put("b", "22")); /* the same value is a change too */
    assert_value("b", "22", 5);
    commit_one(removal("b"));
    assert_absent("b");
    assert_int_equal(revision(), 6);
}

static void no_change_is_no_revision(void **state)
{
    struct fed_store_op op = removal("absent");
    uint64_t at = 0;

    (void)state;
    commit_one(put("a", "1"));
    assert_int_equal(store->commit(store->ctx, NULL, 0, &op, 1, &at, NULL), FED_OK);
    assert_int_equal(at, 2);
    assert_int_equal(commit(NULL, 0), FED_OK);
    assert_int_equal(revision(), 2);
}

static void a_compare_makes_a_commit_conditional(void **state)
{
    (void)state;
    assert_int_equal(commit_if("a", 0, put("a", "1")), FED_OK);
    assert_int_equal(commit_if("a", 0, put("a", "x")), FED_ERR_CONFLICT);
    assert_int_equal(commit_if("a", 2, put("a", "2")), FED_OK);
    assert_int_equal(commit_if("a", 2, put("a", "x")), FED_ERR_CONFLICT);
    assert_int_equal(commit_if("a", 4, put("a", "x")), FED_ERR_CONFLICT);
    assert_int_equal(commit_if("other", 1, put("a", "x")), FED_ERR_CONFLICT);
    assert_value("a", "2", 3);
    assert_int_equal(commit_if("a", 3, removal("a")), FED_OK);
    assert_int_equal(commit_if("a", 3, put("a", "x")), FED_ERR_CONFLICT);
    assert_int_equal(commit_if("a", 0, put("a", "again")), FED_OK);
    assert_value("a", "again", 5);
    assert_int_equal(revision(), 5);
}

static void one_failed_compare_fails_the_whole(void **state)
{
    const struct fed_store_op ops[] = {put("a", "x"), put("c", "x"), removal("b")};
    struct fed_store_compare compares[] = {
        {.key = fed_span_text("a"), .revision = 2}, {.key = fed_span_text("b"), .revision = 2}};
    uint64_t at = 77;
    struct fed_diag diag = {{0}};

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("b", "2"));
    assert_int_equal(store->commit(store->ctx, compares, 2, ops, 3, &at, &diag), FED_ERR_CONFLICT);
    assert_int_equal(at, 77);
    assert_true(diag.text[0]);
    assert_range("", "", 0, 0, "a=1@2 b=2@3 ");
    compares[1].revision = 3;
    assert_int_equal(store->commit(store->ctx, compares, 2, ops, 3, &at, NULL), FED_OK);
    assert_range("", "", 0, 0, "a=x@4 c=x@4 ");
}

static void ranges_are_half_open_and_in_byte_order(void **state)
{
    const struct fed_store_op ops[] = {put("b", "1"), put("a/1", "2"), put("a/10", "3"),
        put("a", "4"), put("\xff", "5"), put("a0", "6")};

    (void)state;
    assert_int_equal(commit(ops, 6), FED_OK);
    assert_range("", "", 0, 0, "a=4@2 a/1=2@2 a/10=3@2 a0=6@2 b=1@2 \xff=5@2 ");
    assert_range("a/", "a0", 0, 0, "a/1=2@2 a/10=3@2 ");
    assert_range("a", "b", 0, 0, "a=4@2 a/1=2@2 a/10=3@2 a0=6@2 ");
    assert_range("b", "", 0, 0, "b=1@2 \xff=5@2 ");
    assert_range("b", "a", 0, 0, "");
    assert_range("a", "a", 0, 0, "");
    assert_range("a", "b", 2, 0, "a=4@2 a/1=2@2 ");
    assert_range("a", "b", 0, 3, "a=4@2 a/1=2@2 a/10=3@2 ");
    assert_range("a", "b", 2, 3, "a=4@2 a/1=2@2 ");
    assert_count("a", "b", 4);
    assert_count("b", "", 2);
    assert_count("x", "y", 0);
}

static void keys_and_values_are_any_bytes(void **state)
{
    static const uint8_t key[] = {0, 1, 0, 255};
    static const uint8_t value[] = {0, 0, 7};
    struct fed_store_op ops[] = {
        {.key = fed_span_of(key, 4), .value = fed_span_of(value, 3)},
        {.key = fed_span_of(key, 3)}, /* an empty value */
    };
    struct fed_buf got;

    (void)state;
    assert_int_equal(commit(ops, 2), FED_OK);
    fed_buf_init(&got, fed_alloc_system(), 100);
    assert_int_equal(store->get(store->ctx, ops[0].key, &got, NULL), FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&got), ops[0].value));
    fed_buf_clear(&got);
    assert_int_equal(store->get(store->ctx, ops[1].key, &got, NULL), FED_OK);
    assert_int_equal(got.len, 0);
    fed_buf_fini(&got);
    assert_count("", "", 2);
}

static void limits_hold_exactly(void **state)
{
    uint8_t *bytes = calloc(1, FED_STORE_VALUE_MAX + 1);
    struct fed_store_op op = {.key = fed_span_of(bytes, FED_STORE_KEY_MAX),
        .value = fed_span_of(bytes, FED_STORE_VALUE_MAX)};
    struct fed_buf got;

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(commit(&op, 1), FED_OK);
    fed_buf_init(&got, fed_alloc_system(), FED_STORE_VALUE_MAX);
    assert_int_equal(store->get(store->ctx, op.key, &got, NULL), FED_OK);
    assert_int_equal(got.len, FED_STORE_VALUE_MAX);
    fed_buf_fini(&got);
    fed_buf_init(&got, fed_alloc_system(), 10);
    assert_int_equal(store->get(store->ctx, op.key, &got, NULL), FED_ERR_LIMIT);
    assert_int_equal(got.len, 0);
    fed_buf_fini(&got);
    op.key.len++;
    assert_int_equal(commit(&op, 1), FED_ERR_LIMIT);
    op.key.len = 1;
    op.value.len++;
    assert_int_equal(commit(&op, 1), FED_ERR_LIMIT);
    op.key.len = 0;
    op.value.len = 0;
    assert_int_equal(commit(&op, 1), FED_ERR_INVALID);
    assert_int_equal(revision(), 2);
    free(bytes);
}

static void the_largest_commit_is_taken_and_one_more_refused(void **state)
{
    enum { N = FED_STORE_OPS_MAX };
    struct fed_store_op *ops = calloc(N + 1, sizeof *ops);
    uint32_t *keys = calloc(N + 1, sizeof *keys);

    (void)state;
    assert_non_null(ops);
    assert_non_null(keys);
    for (size_t i = 0; i <= N; i++) {
        keys[i] = (uint32_t)(i * 2654435761u); /* distinct, in no order */
        ops[i].key = fed_span_of(&keys[i], sizeof keys[i]);
    }
    assert_int_equal(commit(ops, N + 1), FED_ERR_LIMIT);
    assert_int_equal(commit(ops, N), FED_OK);
    assert_count("", "", N);
    assert_int_equal(revision(), 2);
    free(ops);
    free(keys);
}

static void a_key_may_not_occur_twice_in_one_commit(void **state)
{
    const struct fed_store_op ops[][3] = {
        {put("b", "1"), put("a", "2"), put("b", "3")},
        {put("a", "1"), put("b", "2"), removal("b")},
        {removal("b"), put("a", "2"), put("b", "1")},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(commit(ops[i], 3), FED_ERR_INVALID);
    assert_int_equal(revision(), 1);
    assert_count("", "", 0);
}

static bool read_inside(void *ctx, const struct fed_store_item *item)
{
    unsigned *n = ctx;
    struct fed_buf got;
    struct fed_store_op op = put("z", "x");

    fed_buf_init(&got, fed_alloc_system(), 100);
    assert_int_equal(store->get(store->ctx, item->key, &got, NULL), FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&got), item->value));
    fed_buf_fini(&got);
    assert_range("a", "", 0, 0, "a=1@2 b=2@2 ");
    assert_int_equal(commit(&op, 1), FED_ERR_BUSY);
    (*n)++;
    return true;
}

static void reading_inside_a_range_is_fine_and_writing_is_not(void **state)
{
    const struct fed_store_op ops[] = {put("a", "1"), put("b", "2")};
    unsigned n = 0;

    (void)state;
    assert_int_equal(commit(ops, 2), FED_OK);
    assert_int_equal(
        store->range(store->ctx, fed_span_text("a"), fed_span_text(""), 0, read_inside, &n),
        FED_OK);
    assert_int_equal(n, 2);
    commit_one(put("c", "3"));
}

static void everything_is_there_after_opening_again(void **state)
{
    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("b", "2"));
    commit_one(removal("a"));
    store = engine->reopen(engine->ctx);
    assert_int_equal(revision(), 4);
    assert_int_equal(store->epoch(store->ctx), EPOCH);
    assert_range("", "", 0, 0, "b=2@3 ");
    commit_one(put("c", "3"));
    assert_value("c", "3", 5);
    if (engine->history)
        assert_changes(1, "", "", "a=1@2 b=2@3 a-1@4 c=3@5 ");
}

static void get_appends(void **state)
{
    struct fed_buf got;
    uint64_t at = 77;

    (void)state;
    commit_one(put("a", "1"));
    fed_buf_init(&got, fed_alloc_system(), 100);
    fed_buf_put_text(&got, "before:");
    assert_int_equal(store->get(store->ctx, fed_span_text("a"), &got, NULL), FED_OK);
    assert_string_equal(fed_buf_cstr(&got), "before:1");
    assert_int_equal(store->get(store->ctx, fed_span_text("b"), &got, &at), FED_ERR_NOT_FOUND);
    assert_string_equal(fed_buf_cstr(&got), "before:1");
    assert_int_equal(at, 77);
    fed_buf_fini(&got);
}

/* Compares have the limits of operations, may name other keys, and need no operation. */
static void compares_have_limits_too(void **state)
{
    static uint8_t bytes[FED_STORE_KEY_MAX + 1];
    enum { N = FED_STORE_OPS_MAX + 1 };
    struct fed_store_compare *compares = calloc(N, sizeof *compares);
    struct fed_store_compare one = {.key = fed_span_of(bytes, FED_STORE_KEY_MAX), .revision = 0};

    (void)state;
    assert_non_null(compares);
    for (size_t i = 0; i < N; i++)
        compares[i] = (struct fed_store_compare){.key = fed_span_text("absent"), .revision = 0};
    assert_int_equal(store->commit(store->ctx, compares, N, NULL, 0, NULL, NULL), FED_ERR_LIMIT);
    assert_int_equal(store->commit(store->ctx, compares, 2, NULL, 0, NULL, NULL), FED_OK);
    free(compares);
    assert_int_equal(store->commit(store->ctx, &one, 1, NULL, 0, NULL, NULL), FED_OK);
    one.key.len++;
    assert_int_equal(store->commit(store->ctx, &one, 1, NULL, 0, NULL, NULL), FED_ERR_LIMIT);
    one.key.len = 0;
    assert_int_equal(store->commit(store->ctx, &one, 1, NULL, 0, NULL, NULL), FED_ERR_INVALID);
    assert_int_equal(revision(), 1);
}

/* ---- staged commits ---- */

static enum fed_err stage_if(const char *key, uint64_t at, struct fed_store_op op)
{
    struct fed_store_compare compare = {.key = fed_span_text(key), .revision = at};

    return store->stage(store->ctx, &compare, 1, &op, 1, NULL, NULL);
}

static uint64_t stage_one(struct fed_store_op op)
{
    uint64_t at = 0;

    assert_int_equal(store->stage(store->ctx, NULL, 0, &op, 1, &at, NULL), FED_OK);
    return at;
}

static void flush(void)
{
    assert_int_equal(store->flush(store->ctx, NULL), FED_OK);
    assert_false(store->staged(store->ctx));
}

static void staged_commits_are_seen_at_once_and_kept_by_a_flush(void **state)
{
    (void)state;
    commit_one(put("a", "1"));
    assert_int_equal(stage_one(put("b", "2")), 3);
    assert_int_equal(stage_one(put("a", "3")), 4);
    assert_int_equal(stage_one(removal("b")), 5);
    assert_int_equal(stage_one(put("c", "4")), 6);
    assert_int_equal(revision(), 6);
    assert_range("", "", 0, 0, "a=3@4 c=4@6 ");
    assert_absent("b");
    assert_count("", "", 2);
    flush();
    flush(); /* nothing is staged: nothing happens */
    assert_int_equal(revision(), 6);
    store = engine->reopen(engine->ctx);
    assert_range("", "", 0, 0, "a=3@4 c=4@6 ");
    assert_int_equal(revision(), 6);
    if (engine->history)
        assert_changes(1, "", "", "a=1@2 b=2@3 a:1=3@4 b-2@5 c=4@6 ");
}

static void a_staged_commit_is_compared_with_those_before_it(void **state)
{
    const struct fed_store_op twice[] = {put("x", "1"), removal("x")};

    (void)state;
    assert_int_equal(stage_if("a", 0, put("a", "1")), FED_OK);
    assert_int_equal(stage_if("a", 0, put("a", "x")), FED_ERR_CONFLICT);
    assert_int_equal(stage_if("a", 2, put("a", "2")), FED_OK);
    assert_int_equal(stage_if("a", 2, removal("a")), FED_ERR_CONFLICT);
    assert_int_equal(commit_if("a", 2, put("a", "x")), FED_ERR_CONFLICT);
    assert_int_equal(store->stage(store->ctx, NULL, 0, twice, 2, NULL, NULL), FED_ERR_INVALID);
    assert_int_equal(stage_one(removal("absent")), 3);
    assert_value("a", "2", 3); /* refusals left it staged */
    flush();
    store = engine->reopen(engine->ctx);
    assert_value("a", "2", 3);
    assert_int_equal(revision(), 3);
}

/* Whatever refuses a commit, what was staged before it stays staged. */
static void a_refused_commit_leaves_what_is_staged(void **state)
{
    static uint8_t bytes[FED_STORE_KEY_MAX + 1];
    const struct fed_store_op twice[] = {put("x", "1"), removal("x")};
    struct fed_store_op large = {.key = fed_span_of(bytes, sizeof bytes)};
    uint64_t at = 77;

    (void)state;
    stage_one(put("a", "1"));
    assert_int_equal(commit_if("a", 9, put("b", "x")), FED_ERR_CONFLICT);
    assert_int_equal(store->commit(store->ctx, NULL, 0, twice, 2, &at, NULL), FED_ERR_INVALID);
    assert_int_equal(store->commit(store->ctx, NULL, 0, &large, 1, &at, NULL), FED_ERR_LIMIT);
    assert_int_equal(store->stage(store->ctx, NULL, 0, &large, 1, &at, NULL), FED_ERR_LIMIT);
    assert_int_equal(at, 77);
    assert_range("", "", 0, 0, "a=1@2 ");
    flush();
    store = engine->reopen(engine->ctx);
    assert_range("", "", 0, 0, "a=1@2 ");
}

/* Each staged commit is one of its own, however many share the sync. */
static void many_staged_commits_are_as_many_committed_ones(void **state)
{
    enum { N = 500 };
    char key[8];
    char expected[64];

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        snprintf(key, sizeof key, "k%03u", i);
        assert_int_equal(stage_one(put(key, "v")), 2 + i);
    }
    flush();
    store = engine->reopen(engine->ctx);
    assert_int_equal(revision(), 1 + N);
    assert_count("", "", N);
    snprintf(expected, sizeof expected, "k%03u=v@%u k%03u=v@%u ", N - 2, N, N - 1, N + 1);
    assert_range("k498", "", 0, 0, expected);
    if (engine->history)
        assert_changes(N - 1, "", "", expected);
}

static void a_refused_first_stage_leaves_nothing_staged(void **state)
{
    (void)state;
    assert_int_equal(stage_if("a", 7, put("a", "1")), FED_ERR_CONFLICT);
    assert_false(store->staged(store->ctx));
    assert_int_equal(stage_one(removal("absent")), 1);
    assert_false(store->staged(store->ctx));
    commit_one(put("a", "1"));
    assert_value("a", "1", 2);
}

static void a_commit_makes_durable_what_was_staged(void **state)
{
    (void)state;
    stage_one(put("a", "1"));
    commit_one(put("b", "2"));
    assert_false(store->staged(store->ctx));
    stage_one(put("c", "3"));
    assert_int_equal(commit(NULL, 0), FED_OK); /* without a change of its own as well */
    assert_false(store->staged(store->ctx));
    store = engine->reopen(engine->ctx);
    assert_range("", "", 0, 0, "a=1@2 b=2@3 c=3@4 ");
}

static void a_failed_flush_undoes_all_that_is_staged(void **state)
{
    struct fed_diag diag = {{0}};

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("b", "2"));
    for (unsigned i = 0; i < 2; i++) {
        stage_one(put("a", "x"));
        stage_one(removal("b"));
        stage_one(put("c", "x"));
        if (!store->staged(store->ctx))
            return; /* this engine makes a staged commit durable at once */
        diag.text[0] = 0;
        engine->refuse(engine->ctx);
        assert_int_not_equal(store->flush(store->ctx, &diag), FED_OK);
        engine->allow(engine->ctx);
        assert_true(diag.text[0]);
        assert_false(store->staged(store->ctx));
        assert_int_equal(revision(), 3);
        assert_range("", "", 0, 0, "a=1@2 b=2@3 ");
        if (engine->history)
            assert_changes(1, "", "", "a=1@2 b=2@3 ");
    }
    commit_one(put("c", "3"));
    store = engine->reopen(engine->ctx);
    assert_range("", "", 0, 0, "a=1@2 b=2@3 c=3@4 ");
    if (engine->history)
        assert_changes(1, "", "", "a=1@2 b=2@3 c=3@4 ");
}

static void a_failed_commit_undoes_what_was_staged_too(void **state)
{
    struct fed_store_op op = put("b", "x");
    uint64_t at = 77;

    (void)state;
    commit_one(put("a", "1"));
    stage_one(put("a", "x"));
    if (store->staged(store->ctx)) {
        engine->refuse(engine->ctx);
        assert_int_not_equal(store->commit(store->ctx, NULL, 0, &op, 1, &at, NULL), FED_OK);
        engine->allow(engine->ctx);
        assert_int_equal(at, 77);
        assert_false(store->staged(store->ctx));
        assert_range("", "", 0, 0, "a=1@2 ");
        assert_int_equal(revision(), 2);
    }
}

static void a_refused_commit_is_forgotten_and_later_ones_are_taken(void **state)
{
    struct fed_store_op op = put("a", "x");

    (void)state;
    commit_one(put("a", "1"));
    engine->refuse(engine->ctx);
    assert_int_not_equal(store->commit(store->ctx, NULL, 0, &op, 1, NULL, NULL), FED_OK);
    assert_value("a", "1", 2); /* reading goes on */
    engine->allow(engine->ctx);
    assert_int_equal(revision(), 2);
    commit_one(put("b", "2"));
    store = engine->reopen(engine->ctx);
    assert_range("", "", 0, 0, "a=1@2 b=2@3 ");
}

static void what_was_not_flushed_may_be_gone_but_never_in_part(void **state)
{
    const struct fed_store_op ops[] = {put("b", "2"), put("c", "3"), removal("a")};

    (void)state;
    commit_one(put("a", "1"));
    assert_int_equal(store->stage(store->ctx, NULL, 0, ops, 3, NULL, NULL), FED_OK);
    store = engine->reopen(engine->ctx);
    if (revision() == 2)
        assert_range("", "", 0, 0, "a=1@2 ");
    else
        assert_range("", "", 0, 0, "b=2@3 c=3@3 ");
}

static bool stage_inside(void *ctx, const struct fed_store_item *item)
{
    struct fed_store_op op = put("z", "x");

    (void)item;
    ++*(unsigned *)ctx;
    assert_int_equal(store->stage(store->ctx, NULL, 0, &op, 1, NULL, NULL), FED_ERR_BUSY);
    if (store->staged(store->ctx))
        assert_int_equal(store->flush(store->ctx, NULL), FED_ERR_BUSY);
    return true;
}

static void staging_and_flushing_inside_a_read_are_refused(void **state)
{
    unsigned n = 0;

    (void)state;
    commit_one(put("a", "1"));
    stage_one(put("b", "2"));
    assert_int_equal(
        store->range(store->ctx, fed_span_text("a"), fed_span_text(""), 0, stage_inside, &n),
        FED_OK);
    assert_int_equal(n, 2);
    flush();
    assert_range("", "", 0, 0, "a=1@2 b=2@3 ");
}

/* ---- as of a past revision ---- */

static void assert_range_at(uint64_t at, const char *from, const char *to, size_t limit,
    size_t stop_after, const char *expected)
{
    struct listing list = {.stop_after = stop_after};
    size_t n = 999;

    fed_buf_init(&list.text, fed_alloc_system(), 1u << 16);
    assert_int_equal(store->range_at(store->ctx, at, fed_span_text(from), fed_span_text(to), limit,
                         list_one, &list),
        FED_OK);
    assert_string_equal(fed_buf_cstr(&list.text), expected);
    if (limit == 0 && stop_after == 0) {
        size_t there = 0;

        for (const char *c = expected; *c; c++)
            there += *c == ' ';
        assert_int_equal(
            store->count_at(store->ctx, at, fed_span_text(from), fed_span_text(to), &n), FED_OK);
        assert_int_equal(n, there);
    }
    fed_buf_fini(&list.text);
}

static void a_past_state_is_as_it_was(void **state)
{
    const struct fed_store_op two[] = {put("b", "x"), removal("a")};

    (void)state;
    commit_one(put("a", "1")); /* 2 */
    commit_one(put("c", "2"));
    commit_one(put("b", "3"));
    assert_int_equal(commit(two, 2), FED_OK); /* 5 */
    commit_one(put("a", "4"));
    commit_one(put("a", "5"));
    commit_one(removal("c")); /* 8 */
    commit_one(put("d", "6"));
    commit_one(removal("d"));
    assert_range_at(1, "", "", 0, 0, "");
    assert_range_at(2, "", "", 0, 0, "a=1@2 ");
    assert_range_at(4, "", "", 0, 0, "a=1@2 b=3@4 c=2@3 ");
    assert_range_at(5, "", "", 0, 0, "b=x@5 c=2@3 ");
    assert_range_at(6, "", "", 0, 0, "a=4@6 b=x@5 c=2@3 ");
    assert_range_at(7, "", "", 0, 0, "a=5@7 b=x@5 c=2@3 ");
    assert_range_at(9, "", "", 0, 0, "a=5@7 b=x@5 d=6@9 ");
    assert_range_at(10, "", "", 0, 0, "a=5@7 b=x@5 ");
    assert_range_at(4, "b", "c", 0, 0, "b=3@4 ");
    assert_range_at(4, "b", "", 0, 0, "b=3@4 c=2@3 ");
    assert_range_at(4, "", "", 2, 0, "a=1@2 b=3@4 ");
    assert_range_at(4, "", "", 0, 1, "a=1@2 ");
    store = engine->reopen(engine->ctx);
    assert_range_at(4, "", "", 0, 0, "a=1@2 b=3@4 c=2@3 ");
}

static void a_past_state_has_an_end_and_a_beginning(void **state)
{
    struct listing none = {0};
    size_t n = 999;

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("a", "2"));
    commit_one(put("b", "3"));
    assert_int_equal(
        store->range_at(store->ctx, 5, fed_span_text(""), fed_span_text(""), 0, list_one, &none),
        FED_ERR_INVALID);
    assert_int_equal(
        store->count_at(store->ctx, 5, fed_span_text(""), fed_span_text(""), &n), FED_ERR_INVALID);
    assert_int_equal(store->compact(store->ctx, 3), FED_OK);
    assert_range_at(3, "", "", 0, 0, "a=2@3 ");
    assert_int_equal(
        store->range_at(store->ctx, 2, fed_span_text(""), fed_span_text(""), 0, list_one, &none),
        FED_ERR_GONE);
    assert_int_equal(
        store->count_at(store->ctx, 2, fed_span_text(""), fed_span_text(""), &n), FED_ERR_GONE);
    assert_int_equal(n, 999);
    commit_one(removal("a")); /* what it was before is known though its put is forgotten */
    assert_range_at(3, "", "", 0, 0, "a=2@3 ");
    assert_range_at(4, "", "", 0, 0, "a=2@3 b=3@4 ");
}

static void a_past_state_can_be_what_is_staged(void **state)
{
    (void)state;
    commit_one(put("a", "1"));
    stage_one(put("a", "2"));
    stage_one(put("b", "3"));
    assert_range_at(2, "", "", 0, 0, "a=1@2 ");
    assert_range_at(3, "", "", 0, 0, "a=2@3 ");
    assert_range_at(4, "", "", 0, 0, "a=2@3 b=3@4 ");
    flush();
    assert_range_at(3, "", "", 0, 0, "a=2@3 ");
}

static bool commit_inside(void *ctx, const struct fed_store_item *item)
{
    struct fed_store_op op = put("z", "x");

    (void)item;
    ++*(unsigned *)ctx;
    assert_int_equal(commit(&op, 1), FED_ERR_BUSY);
    assert_int_equal(store->compact(store->ctx, 2), FED_ERR_BUSY);
    return true;
}

static void writing_while_the_past_or_history_is_read_is_refused(void **state)
{
    unsigned n = 0;

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("a", "2"));
    assert_int_equal(
        store->range_at(store->ctx, 2, fed_span_text(""), fed_span_text(""), 0, commit_inside, &n),
        FED_OK);
    assert_int_equal(
        store->changes(store->ctx, 1, fed_span_text(""), fed_span_text(""), commit_inside, &n),
        FED_OK);
    assert_int_equal(n, 3);
    assert_int_equal(revision(), 3);
}

/* Every state that a random history went through is kept beside it and read again. */
static void random_past_states_agree_with_a_model(void **state)
{
    enum { KEYS = 6, ROUNDS = 120 };
    static char states[ROUNDS + 2][256];
    uint64_t model[KEYS] = {0};
    unsigned seed = 97;
    uint64_t last = 1;

    (void)state;
    print_message("seed %u\n", seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned k = (unsigned)rand_r(&seed) % KEYS;
        char key[2] = {(char)('a' + k), 0};
        char value[24];
        size_t used = 0;

        snprintf(value, sizeof value, "%" PRIu64, last + 1);
        if (model[k] && rand_r(&seed) % 3 == 0) {
            stage_one(removal(key));
            model[k] = 0;
        } else {
            stage_one(put(key, value));
            model[k] = last + 1;
        }
        last++;
        if (rand_r(&seed) % 4 == 0)
            flush();
        for (unsigned i = 0; i < KEYS; i++)
            if (model[i])
                used += (size_t)snprintf(states[last] + used, sizeof states[0] - used,
                    "%c=%" PRIu64 "@%" PRIu64 " ", 'a' + (int)i, model[i], model[i]);
    }
    flush();
    assert_int_equal(revision(), last);
    for (uint64_t at = last; at >= 1; at--)
        assert_range_at(at, "", "", 0, 0, states[at]);
}

static void compaction_keeps_what_is_staged(void **state)
{
    (void)state;
    commit_one(put("a", "1"));
    stage_one(put("a", "2"));
    assert_int_equal(store->compact(store->ctx, 2), FED_OK);
    assert_false(store->staged(store->ctx));
    store = engine->reopen(engine->ctx);
    assert_changes(2, "", "", "a:1=2@3 ");
    assert_value("a", "2", 3);
}

static void changes_are_told_in_order(void **state)
{
    const struct fed_store_op ops[] = {
        put("c", "3"), put("b", "22"), removal("a"), removal("none")};

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("b", "2"));
    assert_int_equal(commit(ops, 4), FED_OK);
    assert_changes(0, "", "", "a=1@2 b=2@3 c=3@4 b:2=22@4 a-1@4 ");
    assert_changes(2, "", "", "b=2@3 c=3@4 b:2=22@4 a-1@4 ");
    assert_changes(3, "b", "c", "b:2=22@4 ");
    assert_changes(1, "a", "b", "a=1@2 a-1@4 ");
    assert_changes(4, "", "", "");
    assert_changes(99, "", "", "");
}

static void staged_changes_are_told_until_they_are_undone(void **state)
{
    (void)state;
    commit_one(put("a", "1"));
    stage_one(put("a", "2"));
    stage_one(removal("a"));
    assert_changes(2, "", "", "a:1=2@3 a-2@4 ");
    if (store->staged(store->ctx)) {
        engine->refuse(engine->ctx);
        assert_int_not_equal(store->flush(store->ctx, NULL), FED_OK);
        engine->allow(engine->ctx);
        assert_changes(1, "", "", "a=1@2 ");
        assert_range_at(2, "", "", 0, 0, "a=1@2 ");
        stage_one(put("a", "3")); /* the number is given again, to another change */
        flush();
        assert_changes(2, "", "", "a:1=3@3 ");
        assert_range_at(2, "", "", 0, 0, "a=1@2 ");
    }
}

static void changes_can_be_left_early(void **state)
{
    struct listing list = {.stop_after = 2};

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("b", "2"));
    commit_one(put("c", "3"));
    fed_buf_init(&list.text, fed_alloc_system(), 1u << 16);
    assert_int_equal(
        store->changes(store->ctx, 1, fed_span_text(""), fed_span_text(""), list_one, &list),
        FED_OK);
    assert_string_equal(fed_buf_cstr(&list.text), "a=1@2 b=2@3 ");
    fed_buf_fini(&list.text);
    commit_one(put("d", "4")); /* nobody reads any more */
}

/* No number from before names a state of afterwards. */
static void another_epoch_keeps_the_keys_and_no_history(void **state)
{
    struct listing none = {0};
    uint64_t before;
    size_t n;

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("a", "2"));
    before = revision();
    store = engine->renew(engine->ctx, EPOCH + 1);
    assert_int_equal(store->epoch(store->ctx), EPOCH + 1);
    assert_true(revision() > before);
    assert_value("a", "2", before);
    assert_int_equal(
        store->changes(store->ctx, before, fed_span_text(""), fed_span_text(""), list_one, &none),
        FED_ERR_GONE);
    assert_int_equal(store->count_at(store->ctx, before, fed_span_text(""), fed_span_text(""), &n),
        FED_ERR_GONE);
    before = revision();
    assert_int_equal(commit_if("a", 3, put("a", "3")), FED_OK);
    assert_value("a", "3", before + 1);
    assert_range_at(before, "", "", 0, 0, "a=2@3 ");
    store = engine->reopen(engine->ctx);
    assert_int_equal(store->epoch(store->ctx), EPOCH + 1);
}

static void a_refused_commit_leaves_no_change(void **state)
{
    (void)state;
    commit_one(put("a", "1"));
    assert_int_equal(commit_if("a", 9, put("a", "x")), FED_ERR_CONFLICT);
    commit_one(put("b", "2"));
    assert_changes(1, "", "", "a=1@2 b=2@3 ");
}

static void compaction_forgets_history_only(void **state)
{
    struct listing none = {0};

    (void)state;
    commit_one(put("a", "1"));
    commit_one(put("a", "2"));
    commit_one(put("b", "3"));
    assert_int_equal(store->compact(store->ctx, 5), FED_ERR_INVALID);
    assert_int_equal(store->compact(store->ctx, 3), FED_OK);
    assert_int_equal(store->compact(store->ctx, 2), FED_OK); /* forgotten already */
    assert_int_equal(
        store->changes(store->ctx, 2, fed_span_text(""), fed_span_text(""), list_one, &none),
        FED_ERR_GONE);
    assert_changes(3, "", "", "b=3@4 ");
    assert_range("", "", 0, 0, "a=2@3 b=3@4 ");
    assert_int_equal(revision(), 4);
    store = engine->reopen(engine->ctx);
    assert_int_equal(
        store->changes(store->ctx, 2, fed_span_text(""), fed_span_text(""), list_one, &none),
        FED_ERR_GONE);
    assert_changes(3, "", "", "b=3@4 ");
}

static void without_history_there_are_no_changes(void **state)
{
    struct listing none = {0};
    size_t n = 999;

    (void)state;
    commit_one(put("a", "1"));
    assert_int_equal(
        store->changes(store->ctx, 1, fed_span_text(""), fed_span_text(""), list_one, &none),
        FED_ERR_UNSUPPORTED);
    assert_int_equal(store->compact(store->ctx, 1), FED_ERR_UNSUPPORTED);
    assert_int_equal(
        store->range_at(store->ctx, 1, fed_span_text(""), fed_span_text(""), 0, list_one, &none),
        FED_ERR_UNSUPPORTED);
    assert_int_equal(store->count_at(store->ctx, 1, fed_span_text(""), fed_span_text(""), &n),
        FED_ERR_UNSUPPORTED);
    assert_int_equal(n, 999);
}

/* A simple model beside it: random commits, then both must tell the same. */
static void random_commits_agree_with_a_model(void **state)
{
    enum { KEYS = 12, ROUNDS = 300 };
    uint64_t model[KEYS] = {
        0}; /* revision at which the key was put, 0: absent; the value is that number */
    unsigned seed = 41;

    (void)state;
    print_message("seed %u\n", seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned k = (unsigned)rand_r(&seed) % KEYS;
        bool remove = rand_r(&seed) % 3 == 0;
        uint64_t expect = rand_r(&seed) % 4 ? model[k] : model[k] + 1;
        uint64_t next = revision() + (remove && model[k] == 0 ? 0 : 1);
        char key[8];
        char value[24];
        enum fed_err err;

        snprintf(key, sizeof key, "k%02u", k);
        snprintf(value, sizeof value, "%" PRIu64, next);
        err = commit_if(key, expect, remove ? removal(key) : put(key, value));
        assert_int_equal(err, expect == model[k] ? FED_OK : FED_ERR_CONFLICT);
        if (!err)
            model[k] = remove ? 0 : next;
        if (round % 50 == 49)
            store = engine->reopen(engine->ctx);
    }
    for (unsigned k = 0; k < KEYS; k++) {
        char key[8];
        char value[24];

        snprintf(key, sizeof key, "k%02u", k);
        snprintf(value, sizeof value, "%" PRIu64, model[k]);
        if (model[k])
            assert_value(key, value, model[k]);
        else
            assert_absent(key);
    }
}

int store_conformance_run(const struct store_engine *of)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest always[] = {
        TEST(a_new_store_is_empty_at_revision_1),
        TEST(every_commit_raises_the_revision_of_what_it_writes),
        TEST(no_change_is_no_revision),
        TEST(a_compare_makes_a_commit_conditional),
        TEST(one_failed_compare_fails_the_whole),
        TEST(ranges_are_half_open_and_in_byte_order),
        TEST(keys_and_values_are_any_bytes),
        TEST(limits_hold_exactly),
        TEST(the_largest_commit_is_taken_and_one_more_refused),
        TEST(a_key_may_not_occur_twice_in_one_commit),
        TEST(reading_inside_a_range_is_fine_and_writing_is_not),
        TEST(get_appends),
        TEST(compares_have_limits_too),
        TEST(everything_is_there_after_opening_again),
        TEST(staged_commits_are_seen_at_once_and_kept_by_a_flush),
        TEST(a_staged_commit_is_compared_with_those_before_it),
        TEST(a_refused_commit_leaves_what_is_staged),
        TEST(many_staged_commits_are_as_many_committed_ones),
        TEST(a_refused_first_stage_leaves_nothing_staged),
        TEST(a_commit_makes_durable_what_was_staged),
        TEST(a_failed_flush_undoes_all_that_is_staged),
        TEST(a_failed_commit_undoes_what_was_staged_too),
        TEST(a_refused_commit_is_forgotten_and_later_ones_are_taken),
        TEST(what_was_not_flushed_may_be_gone_but_never_in_part),
        TEST(staging_and_flushing_inside_a_read_are_refused),
        TEST(random_commits_agree_with_a_model),
    };
    const struct CMUnitTest with_history[] = {
        TEST(changes_are_told_in_order),
        TEST(a_refused_commit_leaves_no_change),
        TEST(staged_changes_are_told_until_they_are_undone),
        TEST(changes_can_be_left_early),
        TEST(another_epoch_keeps_the_keys_and_no_history),
        TEST(compaction_forgets_history_only),
        TEST(compaction_keeps_what_is_staged),
        TEST(a_past_state_is_as_it_was),
        TEST(a_past_state_has_an_end_and_a_beginning),
        TEST(a_past_state_can_be_what_is_staged),
        TEST(writing_while_the_past_or_history_is_read_is_refused),
        TEST(random_past_states_agree_with_a_model),
    };
    const struct CMUnitTest without_history[] = {
        TEST(without_history_there_are_no_changes),
    };
    int failed;

    engine = of;
    failed = cmocka_run_group_tests_name(of->name, always, NULL, NULL);
    if (of->history)
        failed += cmocka_run_group_tests_name(of->name, with_history, NULL, NULL);
    else
        failed += cmocka_run_group_tests_name(of->name, without_history, NULL, NULL);
    return failed;
}
