/* A rollout's stored record and rows ("R", then per part a length of two bytes: record, rows), a
 * policy's spec ("{"), a federated object's version ("C"). What is decoded is encoded to the same
 * again, and can be gone on with. */
#include "hub/rollout/content.h"
#include "hub/rollout/engine.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>

static const char policy[] =
    "{\"waves\":[{\"name\":\"a\",\"clusters\":{\"size\":\"30%\"},\"soak\":\"1m\"},{\"name\":\"b\","
    "\"clusters\":{\"names\":[\"c1\",\"c2\"]},\"maxConcurrency\":1,\"windows\":[{\"from\":\"02:"
    "00\","
    "\"to\":\"05:00\"}]}],\"onFailure\":\"Rollback\",\"maxFailures\":1}";

static struct hub_rollout_rules *read_rules(struct fed_span text)
{
    char field[HUB_ROLLOUT_FIELD_MAX] = "";
    struct fed_diag diag = {""};
    struct hub_rollout_rules *rules = NULL;
    struct fed_json_doc *doc;
    struct fed_json *spec;

    FUZZ_CHECK(!fed_json_doc_new(fed_alloc_system(), &doc));
    if (!fed_json_parse(doc, text, &spec, NULL) &&
        hub_rollout_rules_read(fed_alloc_system(), spec, &rules, field, &diag))
        FUZZ_CHECK(field[0] && diag.text[0]);
    fed_json_doc_free(doc);
    return rules;
}

/* ---- rules ---- */

static void rules_of(struct fed_span text)
{
    struct hub_rollout_rules *rules = read_rules(text);

    if (!rules)
        return;
    FUZZ_CHECK(rules->n_waves >= 1 && rules->min_reported >= 1);
    for (size_t i = 0; i < rules->n_waves; i++) {
        const struct hub_rollout_wave *wave = &rules->waves[i];
        size_t down = hub_rollout_share_down(&wave->failures, 10);

        FUZZ_CHECK(wave->name.len > 0);
        FUZZ_CHECK(hub_rollout_share_up(&wave->concurrency, 10) >= 1);
        FUZZ_CHECK(!wave->failures.percent || down <= 10);
        for (size_t w = 0; w < wave->n_windows; w++)
            FUZZ_CHECK(wave->windows[w].to_min > wave->windows[w].from_min);
    }
    (void)hub_rollout_rules_waves(rules, FED_SPAN_LIT("c1"), NULL);
    hub_rollout_rules_free(rules);
}

/* ---- versions ---- */

static void content_of(struct fed_span object)
{
    for (int scaled = 0; scaled <= 1; scaled++) {
        struct fed_buf once;
        struct fed_buf twice;

        fed_buf_init(&once, fed_alloc_system(), 1u << 20);
        fed_buf_init(&twice, fed_alloc_system(), 1u << 20);
        if (!hub_rollout_content(fed_alloc_system(), object, scaled, &once)) {
            FUZZ_CHECK(
                !hub_rollout_content(fed_alloc_system(), fed_buf_span(&once), scaled, &twice));
            FUZZ_CHECK(fed_span_eq(fed_buf_span(&once), fed_buf_span(&twice)));
            fed_buf_clear(&twice);
            FUZZ_CHECK(!hub_rollout_content_refresh(
                fed_alloc_system(), fed_buf_span(&once), object, scaled, &twice));
            fed_buf_clear(&once);
            FUZZ_CHECK(
                !hub_rollout_content(fed_alloc_system(), fed_buf_span(&twice), scaled, &once));
        }
        fed_buf_fini(&once);
        fed_buf_fini(&twice);
    }
}

/* ---- record and rows ---- */

static bool take_part(struct fed_span *from, struct fed_span *part)
{
    uint16_t len;

    return !fed_span_take_u16(from, &len) && !fed_span_take_bytes(from, len, part);
}

/* Only times of the future are read as now. */
static void check_record(const struct hub_rollout_options *options, struct hub_rollout_rules *rules,
    const struct hub_rollout *r, struct hub_rollout_now now, size_t len)
{
    struct hub_rollout *again = NULL;
    struct fed_buf once;
    struct fed_buf twice;

    fed_buf_init(&once, fed_alloc_system(), 4 * HUB_ROLLOUT_RECORD_MAX);
    fed_buf_init(&twice, fed_alloc_system(), 4 * HUB_ROLLOUT_RECORD_MAX);
    hub_rollout_record(r, &once);
    FUZZ_CHECK(once.len == len);
    FUZZ_CHECK(!hub_rollout_open(options, rules, fed_buf_span(&once), now, &again));
    hub_rollout_record(again, &twice);
    FUZZ_CHECK(fed_span_eq(fed_buf_span(&once), fed_buf_span(&twice)));
    hub_rollout_free(again);
    fed_buf_fini(&once);
    fed_buf_fini(&twice);
}

static void on_change(void *ctx, const struct hub_rollout_change *change)
{
    struct hub_rollout *r = ctx;
    struct fed_buf row;

    fed_buf_init(&row, fed_alloc_system(), HUB_ROLLOUT_ROW_MAX);
    FUZZ_CHECK(!change->row || !hub_rollout_row(r, change->cluster, &row));
    fed_buf_fini(&row);
}

static void look(const struct hub_rollout *r)
{
    struct hub_rollout_group groups[HUB_ROLLOUT_GROUPS_MAX];
    struct hub_rollout_condition conditions[HUB_ROLLOUT_CONDITIONS_MAX];
    struct hub_rollout_view view;

    hub_rollout_view(r, &view);
    for (size_t i = 0; i < view.n_waves; i++) {
        struct hub_rollout_wave_view wave;

        hub_rollout_wave_view(r, i, &wave);
    }
    FUZZ_CHECK(hub_rollout_groups(r, groups) <= HUB_ROLLOUT_GROUPS_MAX);
    FUZZ_CHECK(hub_rollout_conditions(r, conditions) <= HUB_ROLLOUT_CONDITIONS_MAX);
}

/* All say that all is well, and people do what fits. */
static void go_on(struct hub_rollout *r, size_t n, struct hub_rollout_now now)
{
    for (unsigned round = 0; round < 8; round++) {
        for (size_t i = 0; i < n; i++) {
            char name[16];
            struct hub_rollout_fact fact = {.copy = HUB_ROLLOUT_COPY_APPLIED};

            snprintf(name, sizeof name, "c%zu", i);
            hub_rollout_reach(r, fed_span_text(name), 0, now);
            if (hub_rollout_answer(r, fed_span_text(name), &fact.version) ==
                HUB_ROLLOUT_ANSWER_NOTHING)
                memset(&fact.version, 0, sizeof fact.version);
            (void)!hub_rollout_note(r, fed_span_text(name), &fact, now);
        }
        FUZZ_CHECK(!hub_rollout_step(r, now));
        look(r);
        hub_rollout_each_changed(r, on_change, r);
        hub_rollout_kept(r);
        (void)!hub_rollout_act(r, (enum hub_rollout_action)(round % 6), FED_SPAN_LIT(""),
            FED_SPAN_LIT("fuzz"), now, NULL);
        now.unix_ms += 3600000;
        now.mono_ms += 3600000;
    }
}

static void recall(struct hub_rollout *r, size_t n, struct fed_span row)
{
    struct fed_buf again;
    char name[16];

    snprintf(name, sizeof name, "c%zu", n);
    if (!hub_rollout_recall(r, fed_span_text(name), row)) {
        fed_buf_init(&again, fed_alloc_system(), HUB_ROLLOUT_ROW_MAX);
        (void)!hub_rollout_row(r, fed_span_text(name), &again);
        fed_buf_fini(&again);
    }
    FUZZ_CHECK(!hub_rollout_cluster(r, fed_span_text(name), NULL));
}

static void record_of(struct fed_span bytes)
{
    struct hub_rollout_options options = {.mem = fed_alloc_system(), .uid = FED_SPAN_LIT("uid")};
    struct hub_rollout_now now = {1795996800000, 1000};
    struct hub_rollout_rules *rules = read_rules(fed_span_text(policy));
    struct hub_rollout *r = NULL;
    struct fed_span record;
    struct fed_span row;
    size_t n = 0;

    if (!take_part(&bytes, &record) || hub_rollout_open(&options, rules, record, now, &r))
        goto done;
    check_record(&options, rules, r, now, record.len);
    for (; n < 20 && take_part(&bytes, &row); n++)
        recall(r, n, row);
    hub_rollout_ready(r);
    go_on(r, n, now);
done:
    hub_rollout_free(r);
    hub_rollout_rules_free(rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fed_span bytes = fed_span_of(data, size);

    if (size == 0)
        return 0;
    if (data[0] == 'R')
        record_of(fed_span_sub(bytes, 1, size));
    else if (data[0] == 'C')
        content_of(fed_span_sub(bytes, 1, size));
    else
        rules_of(bytes);
    return 0;
}
