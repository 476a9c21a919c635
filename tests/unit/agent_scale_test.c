/* agent_scale_test.c - what a bundle of 10,000 works costs where works are compared with each
 * other: removals that wait, versions on trial, templates that nobody needs any more. Twice as many
 * works must not cost four times as much. The store is a stub that only knows templates; what a
 * commit may be is checked with few works elsewhere. */
#include "agent/stage.h"
#include "agent/trial.h"
#include "proto/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKS 10000u
#define SMALL 1250u
#define NAME_SIZE 32u

enum templates { SHARED, OWN };

struct scale {
    struct fed_store store;
    struct agent_state state;
    struct agent_table table;
    size_t n;
    enum templates templates;
    char (*names)[NAME_SIZE];
    struct fed_work *works;
    struct fed_buf *blobs; /* two versions of each */
    struct fed_map by_digest;
    uint64_t revision;
    size_t removed_blobs; /* by commits */
    double spent_ms;      /* in what is measured */
};

static double cpu_ms(void)
{
    struct timespec at;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

/* ---- the store ---- */

static enum fed_err find_blob(void *ctx, const struct fed_digest *digest, struct fed_span *out)
{
    const struct scale *s = ctx;
    const struct fed_buf *blob =
        fed_map_get(&s->by_digest, fed_span_of(digest->bytes, sizeof digest->bytes));

    if (!blob)
        return FED_ERR_NOT_FOUND;
    *out = fed_buf_span(blob);
    return FED_OK;
}

static enum fed_err store_get(
    void *ctx, struct fed_span key, struct fed_buf *value, uint64_t *revision)
{
    struct fed_digest digest;
    struct fed_span blob;
    enum fed_err err = FED_ERR_NOT_FOUND;

    (void)revision;
    if (key.len == 2 + sizeof digest.bytes && key.at[0] == 'b') {
        memcpy(digest.bytes, key.at + 2, sizeof digest.bytes);
        err = find_blob(ctx, &digest, &blob);
    }
    if (!err)
        fed_buf_put(value, blob);
    return err ? err : fed_buf_err(value);
}

/* A key is at most once in a commit. */
static enum fed_err store_commit(void *ctx, const struct fed_store_compare *compares,
    size_t n_compares, const struct fed_store_op *ops, size_t n_ops, uint64_t *revision,
    struct fed_diag *diag)
{
    struct scale *s = ctx;
    struct fed_map keys;

    (void)compares;
    (void)n_compares;
    (void)revision;
    (void)diag;
    fed_map_init(&keys, fed_alloc_system());
    for (size_t i = 0; i < n_ops; i++) {
        assert_null(fed_map_get(&keys, ops[i].key));
        assert_int_equal(fed_map_put(&keys, ops[i].key, s), FED_OK);
        s->removed_blobs += ops[i].remove && ops[i].key.at[0] == 'b';
    }
    fed_map_fini(&keys);
    return FED_OK;
}

/* ---- bundles ---- */

static const struct fed_buf *template_of(const struct scale *s, unsigned version, size_t work)
{
    return &s->blobs[(version - 1) * s->n + (s->templates == SHARED ? 0 : work)];
}

static void make_template(struct scale *s, struct fed_buf *out, size_t number)
{
    struct fed_digest digest;

    fed_buf_init(out, fed_alloc_system(), 4096);
    fed_buf_printf(out,
        "{\"apiVersion\":\"v1\",\"data\":{\"k\":\"%zu\"},\"kind\":\"ConfigMap\",\"metadata\":{"
        "\"annotations\":{\"fedlet.io/health-deadline\":\"5m\"}}}",
        number);
    assert_int_equal(fed_digest_of(fed_buf_span(out), &digest), FED_OK);
    assert_int_equal(
        fed_map_put(&s->by_digest, fed_span_of(digest.bytes, sizeof digest.bytes), out), FED_OK);
}

static void scale_open(struct scale *s, size_t n, enum templates templates)
{
    *s = (struct scale){.n = n, .templates = templates};
    s->store = (struct fed_store){.ctx = s, .get = store_get, .commit = store_commit};
    s->state = (struct agent_state){.mem = fed_alloc_system(), .store = &s->store};
    fed_consent_limit_default(&s->state.consent.limit);
    fed_consent_window_init(&s->state.consent.window, fed_alloc_system());
    agent_table_init(&s->table, fed_alloc_system());
    fed_map_init(&s->by_digest, fed_alloc_system());
    s->names = calloc(n, sizeof *s->names);
    s->works = calloc(n, sizeof *s->works);
    s->blobs = calloc(2 * n, sizeof *s->blobs);
    assert_true(s->names && s->works && s->blobs);
    for (size_t i = 0; i < 2 * n; i++)
        if (templates == OWN || i % n == 0)
            make_template(s, &s->blobs[i], i);
    for (size_t i = 0; i < n; i++) {
        snprintf(s->names[i], sizeof s->names[i], "map-%06zu", i);
        s->works[i] = (struct fed_work){.api_version = FED_SPAN_LIT("v1"),
            .kind = FED_SPAN_LIT("ConfigMap"),
            .plural = FED_SPAN_LIT("configmaps"),
            .ns = FED_SPAN_LIT("web"),
            .name = fed_span_text(s->names[i]),
            .options = FED_WORK_NAMESPACED};
    }
}

static void scale_close(struct scale *s)
{
    for (size_t i = 0; i < 2 * s->n; i++)
        if (s->blobs[i].len > 0)
            fed_buf_fini(&s->blobs[i]);
    agent_table_fini(&s->table);
    fed_consent_window_fini(&s->state.consent.window);
    fed_map_fini(&s->by_digest);
    free(s->names);
    free(s->works);
    free(s->blobs);
}

/* The next full frame has the first n works, of that version. */
static void stage(struct scale *s, size_t n, unsigned version)
{
    struct fed_manifest base = {.epoch = 7};
    struct fed_manifest target = {
        .epoch = 7, .revision = ++s->revision, .works = s->works, .n_works = n};
    struct agent_staged staged;
    struct fed_diag diag = {""};
    struct fed_buf frame;
    double began_ms;

    for (size_t i = 0; i < n; i++)
        assert_int_equal(
            fed_digest_of(fed_buf_span(template_of(s, version, i)), &s->works[i].blob), FED_OK);
    fed_buf_init(&frame, fed_alloc_system(), FED_FRAME_MAX);
    assert_int_equal(
        fed_frame_encode(fed_alloc_system(), &base, &target, find_blob, s, NULL, &frame), FED_OK);
    began_ms = cpu_ms();
    if (agent_stage(&s->state, &s->table, fed_buf_span(&frame), 1000, &staged, &diag))
        fail_msg("%s", diag.text);
    s->spent_ms += cpu_ms() - began_ms;
    fed_buf_fini(&frame);
}

/* All is in the member, as it was asked for. */
static void apply_all(struct scale *s)
{
    for (size_t i = 0; i < s->table.n; i++) {
        struct agent_entry *entry = s->table.at[i];

        if (!entry->in_manifest)
            continue;
        snprintf(entry->uid, sizeof entry->uid, "%zu", i);
        assert_int_equal(agent_entry_content(s->table.mem, &entry->work, entry->applied), FED_OK);
        entry->has_applied = true;
        agent_entry_plan(entry, AGENT_STEP_NONE, 0);
        agent_entry_set(&s->table, entry, FED_WORK_APPLIED, "", NULL);
    }
}

static size_t answer(struct scale *s, const struct fed_removal_id *ids, size_t n_ids)
{
    double began_ms = cpu_ms();
    size_t n = 0;

    assert_int_equal(
        agent_consent_answer(&s->state, &s->table, ids, n_ids, 1000, &n, NULL), FED_OK);
    s->spent_ms += cpu_ms() - began_ms;
    return n;
}

static void persist(struct scale *s)
{
    double began_ms = cpu_ms();

    assert_int_equal(agent_state_persist(&s->state, &s->table, NULL), FED_OK);
    s->spent_ms += cpu_ms() - began_ms;
}

/* ---- what is measured ---- */

static int compare_ids(const void *a, const void *b)
{
    return fed_removal_id_cmp(a, b);
}

/* All of them leave, wait, and go when the hub says that they were ordered. */
static void ordered(struct scale *s)
{
    struct fed_removal_id *ids = calloc(s->n, sizeof *ids);

    assert_non_null(ids);
    stage(s, s->n, 1);
    apply_all(s);
    stage(s, 0, 1);
    assert_int_equal(agent_consent_waiting(&s->table), s->n);
    assert_int_equal(answer(s, NULL, 0), 0);
    for (size_t i = 0; i < s->n; i++)
        assert_int_equal(fed_removal_id_of(&s->works[i], &ids[i]), FED_OK);
    qsort(ids, s->n, sizeof *ids, compare_ids);
    assert_int_equal(answer(s, ids, s->n), s->n);
    assert_int_equal(s->removed_blobs, s->templates == SHARED ? 1 : s->n);
    free(ids);
}

/* All of them leave, nobody minds, and they come back. */
static void let_through(struct scale *s)
{
    s->state.consent.limit.share = 100;
    stage(s, s->n, 1);
    apply_all(s);
    stage(s, 0, 1);
    assert_int_equal(answer(s, NULL, 0), s->n);
    assert_int_equal(s->state.consent.window.n, s->n);
    stage(s, s->n, 1);
    assert_int_equal(s->state.consent.window.n, 0);
}

/* Another version of all of them, which gets well. */
static void tried(struct scale *s)
{
    stage(s, s->n, 1);
    apply_all(s);
    for (size_t i = 0; i < s->table.n; i++)
        agent_trial_passed(s->table.mem, s->table.at[i]);
    persist(s);
    stage(s, s->n, 2);
    assert_int_equal(s->removed_blobs, 0);
    apply_all(s);
    for (size_t i = 0; i < s->table.n; i++)
        agent_trial_passed(s->table.mem, s->table.at[i]);
    persist(s);
    assert_int_equal(s->removed_blobs, s->templates == SHARED ? 1 : s->n);
}

static double spent_ms(void (*what)(struct scale *s), size_t n, enum templates templates)
{
    struct scale s;

    scale_open(&s, n, templates);
    what(&s);
    scale_close(&s);
    return s.spent_ms;
}

/* Of quadratic cost the larger one would take 64 times as long, of linear cost 8 times. The rest is
 * sorting, and caches that are too small; SLACK_MS is for a clock that counts in steps. Who shares
 * the machine may spoil a measurement, and hardly three of them. */
#define FACTOR_MAX 24.0
#define SLACK_MS 40.0
#define TRIES 3
static void check_growth(void (*what)(struct scale *s), enum templates templates, const char *name)
{
    for (int i = 0; i < TRIES; i++) {
        double small_ms = spent_ms(what, SMALL, templates);
        double large_ms = spent_ms(what, WORKS, templates);

        print_message(
            "%s: %u works %.0f ms, %u works %.0f ms\n", name, SMALL, small_ms, WORKS, large_ms);
        if (large_ms <= small_ms * FACTOR_MAX + SLACK_MS)
            return;
    }
    fail_msg("%s: more than linear", name);
}

static void test_ordered(void **state)
{
    (void)state;
    check_growth(ordered, OWN, "ordered, templates of their own");
    check_growth(ordered, SHARED, "ordered, one template");
}

static void test_let_through(void **state)
{
    (void)state;
    check_growth(let_through, OWN, "let through, templates of their own");
    check_growth(let_through, SHARED, "let through, one template");
}

static void test_tried(void **state)
{
    (void)state;
    check_growth(tried, OWN, "on trial, templates of their own");
    check_growth(tried, SHARED, "on trial, one template");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordered),
        cmocka_unit_test(test_let_through),
        cmocka_unit_test(test_tried),
    };

    return cmocka_run_group_tests_name("agent_scale", tests, NULL, NULL);
}
