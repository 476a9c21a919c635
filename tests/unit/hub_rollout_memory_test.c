/* hub_rollout_memory_test.c - a rollout whose memory is refused, at each of its allocations in
 * turn: it says so, loses nothing and can be gone on with; and rows that are not ours. */
#include "hub/rollout/content.h"
#include "hub/rollout/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CLUSTERS 70u /* more than the first room for them */

static struct refusing {
    struct fed_alloc alloc;
    size_t left; /* this many are given */
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

/* Once more with memory after it was refused. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum fed_err err_ = (call);                                                                \
                                                                                                   \
        if (err_ == FED_ERR_NOMEM) {                                                               \
            assert_true(memory.refused);                                                           \
            memory.left = SIZE_MAX;                                                                \
            err_ = (call);                                                                         \
        }                                                                                          \
        assert_int_equal(err_, FED_OK);                                                            \
    } while (0)

static enum fed_err find_zone(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag)
{
    static const struct hub_zone zone = {.first = 3600};

    (void)ctx;
    (void)name;
    (void)diag;
    *out = &zone;
    return FED_OK;
}

static const struct hub_rollout_now now = {1795996800000, 1000};
static const struct hub_rollout_options options = {
    .mem = &memory.alloc, .uid = {(const uint8_t *)"uid", 3}, .find_zone = find_zone};

static struct fed_json *parse(struct fed_json_doc *doc, const char *text)
{
    struct fed_json *v;

    assert_int_equal(fed_json_parse(doc, fed_span_text(text), &v, NULL), FED_OK);
    return v;
}

static void read_rules(struct fed_json_doc *doc, struct hub_rollout_rules **out)
{
    char field[HUB_ROLLOUT_FIELD_MAX];
    struct fed_json *spec = parse(doc,
        "{\"selector\":{},\"waves\":[{\"name\":\"a\",\"clusters\":{\"names\":[\"c1\",\"c2\"]}},"
        "{\"name\":\"b\",\"clusters\":{\"selector\":{\"matchLabels\":{\"k\":\"1\"}}},\"windows\":"
        "[{\"from\":\"00:00\",\"to\":\"24:00\",\"timeZoneLabel\":\"tz\"}]}],\"maxFailures\":9}");

    TRY(hub_rollout_rules_read(&memory.alloc, spec, out, field, NULL));
}

static void name_of(char name[16], size_t i)
{
    snprintf(name, 16, "c%zu", i);
}

static void tell(struct hub_rollout *r, struct fed_json_doc *doc)
{
    for (size_t i = 0; i < CLUSTERS; i++) {
        char name[16];
        char labels[48];

        name_of(name, i);
        snprintf(labels, sizeof labels, "{\"k\":\"1\",\"tz\":\"Test.Z%zu\"}", i % 5);
        TRY(hub_rollout_cluster(r, fed_span_text(name), parse(doc, labels)));
        assert_true(hub_rollout_reach(r, fed_span_text(name), 0, now));
    }
}

static void say(struct hub_rollout *r)
{
    for (size_t i = 0; i < CLUSTERS; i++) {
        char name[16];
        struct hub_rollout_fact fact = {
            .copy = i % 9 ? HUB_ROLLOUT_COPY_APPLIED : HUB_ROLLOUT_COPY_FAILED,
            .reason = FED_SPAN_LIT("ApplyFailed"),
            .message = fed_span_text(i % 2 ? "one" : "another")};

        name_of(name, i);
        assert_int_equal(
            hub_rollout_answer(r, fed_span_text(name), &fact.version), HUB_ROLLOUT_ANSWER_VERSION);
        TRY(hub_rollout_note(r, fed_span_text(name), &fact, now));
    }
}

/* Reads back what it would have stored. */
static void reopen(struct hub_rollout *r, struct hub_rollout_rules *rules)
{
    struct hub_rollout *again;
    struct fed_buf text;
    char name[16];

    fed_buf_init(&text, fed_alloc_system(), HUB_ROLLOUT_RECORD_MAX);
    hub_rollout_record(r, &text);
    TRY(hub_rollout_open(&options, rules, fed_buf_span(&text), now, &again));
    for (size_t i = 0; i < CLUSTERS; i++) {
        name_of(name, i);
        fed_buf_clear(&text);
        if (!hub_rollout_row(r, fed_span_text(name), &text))
            TRY(hub_rollout_recall(again, fed_span_text(name), fed_buf_span(&text)));
    }
    fed_buf_fini(&text);
    hub_rollout_free(again);
}

static void life(struct fed_json_doc *doc)
{
    struct hub_rollout_group groups[HUB_ROLLOUT_GROUPS_MAX];
    struct fed_digest from = {{1}};
    struct fed_digest to = {{2}};
    struct hub_rollout_rules *rules;
    struct hub_rollout_view view;
    struct hub_rollout *r;

    read_rules(doc, &rules);
    TRY(hub_rollout_new(&options, now, &r));
    hub_rollout_adopt(r, &from);
    TRY(hub_rollout_begin(r, rules, &to, now));
    tell(r, doc);
    for (size_t i = 0; i < 4; i++) {
        TRY(hub_rollout_step(r, now));
        say(r);
    }
    TRY(hub_rollout_step(r, now));
    hub_rollout_view(r, &view);
    assert_int_equal(view.phase, HUB_ROLLOUT_COMPLETE);
    assert_int_equal(view.counts.failed, 8);
    assert_int_equal(hub_rollout_groups(r, groups), 2);
    reopen(r, rules);
    hub_rollout_kept(r);
    hub_rollout_free(r);
    hub_rollout_rules_free(rules);
}

static void test_refused_memory(void **state)
{
    struct fed_json_doc *doc;
    size_t n = 0;

    (void)state;
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    do {
        memory = (struct refusing){.alloc = {&memory, resize}, .left = n++};
        life(doc);
    } while (memory.refused);
    assert_true(n > 100);
    fed_json_doc_free(doc);
}

static void test_content_memory(void **state)
{
    static const char object[] =
        "{\"spec\":{\"template\":1,\"placement\":{\"clusters\":[{\"name\":\"x\"}]},\"overrides\":["
        "{\"clusterName\":\"x\",\"clusterOverrides\":[{\"path\":\"/spec/replicas\",\"value\":3}]}]}"
        "}";
    struct fed_buf out;
    size_t n = 0;

    (void)state;
    fed_buf_init(&out, fed_alloc_system(), 4096);
    do {
        memory = (struct refusing){.alloc = {&memory, resize}, .left = n++};
        TRY(hub_rollout_content(&memory.alloc, fed_span_text(object), true, &out));
        assert_true(fed_span_is(fed_buf_span(&out), "{\"spec\":{\"template\":1}}"));
        TRY(hub_rollout_content_refresh(
            &memory.alloc, fed_buf_span(&out), fed_span_text(object), true, &out));
        fed_buf_clear(&out);
    } while (memory.refused);
    fed_buf_fini(&out);
}

static void test_corrupt(void **state)
{
    struct fed_digest from = {{1}};
    struct fed_json_doc *doc;
    struct hub_rollout_rules *rules;
    struct hub_rollout *r;
    struct hub_rollout *again;
    struct fed_buf text;
    uint8_t row[22] = {1, 1, 1, 2, 1, 0};

    (void)state;
    memory = (struct refusing){.alloc = {&memory, resize}, .left = SIZE_MAX};
    fed_buf_init(&text, fed_alloc_system(), HUB_ROLLOUT_RECORD_MAX);
    assert_int_equal(fed_json_doc_new(fed_alloc_system(), &doc), FED_OK);
    read_rules(doc, &rules);
    assert_int_equal(hub_rollout_new(&options, now, &r), FED_OK);
    hub_rollout_adopt(r, &from);
    assert_int_equal(hub_rollout_begin(r, rules, &(struct fed_digest){{2}}, now), FED_OK);
    hub_rollout_record(r, &text);
    for (size_t len = 0; len < text.len; len++)
        assert_int_equal(hub_rollout_open(&options, rules,
                             fed_span_sub(fed_buf_span(&text), 0, len), now, &again),
            FED_ERR_CORRUPT);
    assert_int_equal(
        hub_rollout_open(&options, NULL, fed_buf_span(&text), now, &again), FED_ERR_CORRUPT);
    fed_buf_put_u8(&text, 0);
    assert_int_equal(
        hub_rollout_open(&options, rules, fed_buf_span(&text), now, &again), FED_ERR_CORRUPT);
    for (size_t len = 0; len < sizeof row; len++)
        assert_int_equal(
            hub_rollout_recall(r, FED_SPAN_LIT("c1"), fed_span_of(row, len)), FED_ERR_CORRUPT);
    for (size_t i = 0; i < 6; i++) {
        uint8_t other[sizeof row];

        memcpy(other, row, sizeof row);
        other[i] = 77;
        assert_int_equal(
            hub_rollout_recall(r, FED_SPAN_LIT("c1"), fed_span_of(other, sizeof other)),
            FED_ERR_CORRUPT);
    }
    assert_int_equal(
        hub_rollout_recall(r, FED_SPAN_LIT("c1"), fed_span_of(row, sizeof row)), FED_OK);
    assert_int_equal(
        hub_rollout_recall(r, FED_SPAN_LIT("c1"), fed_span_of(row, sizeof row)), FED_ERR_EXISTS);
    fed_buf_fini(&text);
    hub_rollout_free(r);
    hub_rollout_rules_free(rules);
    fed_json_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_content_memory), cmocka_unit_test(test_corrupt)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
