/* rollout_engine_bench - the engine of rollouts alone: 10,000 clusters in five waves, with windows in 40
 * time zones, without store and network. Prints "NAME VALUE UNIT" lines. */
#include "hub/rollout/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLUSTERS 10000u
#define ROUNDS 101u

static const char policy[] =
    "{\"waves\":[{\"name\":\"canary\",\"clusters\":{\"size\":\"1%\"}},{\"name\":\"early\","
    "\"clusters\":{\"size\":\"9%\"},\"maxConcurrency\":\"50%\"},{\"name\":\"shops\",\"clusters\":{"
    "\"selector\":{\"matchLabels\":{\"kind\":\"shop\"}}},\"windows\":[{\"from\":\"00:00\",\"to\":"
    "\"24:00\",\"timeZoneLabel\":\"tz\"}]},{\"name\":\"trains\",\"clusters\":{\"selector\":{"
    "\"matchLabels\":{\"kind\":\"train\"}}}}],\"maxFailures\":\"1%\",\"onFailure\":\"Rollback\"}";

struct bench {
    struct hub_rollout *rollout;
    struct hub_rollout_rules *rules;
    struct hub_rollout_now now;
    struct fed_alloc mem;
    size_t bytes;
    size_t released;
    char names[CLUSTERS][16];
};

static double now_us(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static void check(enum fed_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "rollout_engine_bench: %s: %s\n", what, fed_err_text(err));
        exit(1);
    }
}

static void *resize(void *ctx, void *at, size_t old_size, size_t new_size)
{
    struct bench *b = ctx;
    struct fed_alloc *system = fed_alloc_system();
    void *next = system->resize(system->ctx, at, old_size, new_size);

    if (next || new_size == 0)
        b->bytes += new_size - old_size;
    return next;
}

static enum fed_err find_zone(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag)
{
    static const struct hub_zone zone = {.has_rule = true,
        .has_dst = true,
        .std_s = 3600,
        .dst_s = 7200,
        .to_dst = {HUB_ZONE_MONTH_WEEK_DAY, 3, 5, 0, 7200},
        .from_dst = {HUB_ZONE_MONTH_WEEK_DAY, 10, 5, 0, 10800}};

    (void)ctx;
    (void)name;
    (void)diag;
    *out = &zone;
    return FED_OK;
}

static void read_rules(struct bench *b)
{
    char field[HUB_ROLLOUT_FIELD_MAX];
    struct fed_json_doc *doc;
    struct fed_json *spec;

    check(fed_json_doc_new(fed_alloc_system(), &doc), "rules");
    check(fed_json_parse(doc, fed_span_text(policy), &spec, NULL), "rules");
    check(hub_rollout_rules_read(fed_alloc_system(), spec, &b->rules, field, NULL), field);
    fed_json_doc_free(doc);
}

static void tell_all(struct bench *b)
{
    static const char *const kinds[] = {"shop", "train", "plant"};
    struct fed_json_doc *doc;

    check(fed_json_doc_new(fed_alloc_system(), &doc), "labels");
    for (size_t i = 0; i < CLUSTERS; i++) {
        char text[80];
        struct fed_json *labels;

        snprintf(
            text, sizeof text, "{\"kind\":\"%s\",\"tz\":\"Region.Town%zu\"}", kinds[i % 3], i % 40);
        check(fed_json_parse(doc, fed_span_text(text), &labels, NULL), "labels");
        check(hub_rollout_cluster(b->rollout, fed_span_text(b->names[i]), labels), "cluster");
        hub_rollout_reach(b->rollout, fed_span_text(b->names[i]), 0, b->now);
    }
    fed_json_doc_free(doc);
}

static void on_change(void *ctx, const struct hub_rollout_change *change)
{
    struct bench *b = ctx;

    b->released += change->answer;
}

static double step(struct bench *b)
{
    double before = now_us();

    check(hub_rollout_step(b->rollout, b->now), "step");
    before = now_us() - before;
    hub_rollout_each_changed(b->rollout, on_change, b);
    hub_rollout_kept(b->rollout);
    b->now.mono_ms += 100;
    b->now.unix_ms += 100;
    return before;
}

static void note(struct bench *b, size_t i, enum hub_rollout_health health)
{
    struct hub_rollout_fact fact = {.copy = HUB_ROLLOUT_COPY_APPLIED,
        .health = health,
        .reason = FED_SPAN_LIT("Unhealthy"),
        .message = FED_SPAN_LIT("Deployment shop/web: 0 of 3 pods ready")};

    if (hub_rollout_answer(b->rollout, fed_span_text(b->names[i]), &fact.version) ==
        HUB_ROLLOUT_ANSWER_NOTHING)
        memset(&fact.version, 0, sizeof fact.version);
    check(hub_rollout_note(b->rollout, fed_span_text(b->names[i]), &fact, b->now), "note");
}

static int by_value(const void *a, const void *b)
{
    const double *x = a;
    const double *y = b;

    return (*x > *y) - (*x < *y);
}

/* From nothing to complete: the longest step is one in which a wave opens and thousands get their
 * turn. */
static void whole(struct bench *b)
{
    struct hub_rollout_view view;
    double longest = 0;
    double spent = 0;
    size_t notes = 0;

    for (size_t rounds = 0; rounds < 100; rounds++) {
        double one = step(b);
        double before;

        longest = one > longest ? one : longest;
        hub_rollout_view(b->rollout, &view);
        if (view.phase == HUB_ROLLOUT_COMPLETE)
            break;
        before = now_us();
        for (size_t i = 0; i < CLUSTERS; i++)
            note(b, i, HUB_ROLLOUT_HEALTH_GOOD);
        spent += now_us() - before;
        notes += CLUSTERS;
    }
    if (view.phase != HUB_ROLLOUT_COMPLETE || b->released != CLUSTERS)
        check(FED_ERR_INTERNAL, "it is not complete");
    printf("rollout_step_longest %.2f ms\n", longest / 1e3);
    printf("rollout_fact %.2f us\n", spent / (double)notes);
}

/* One cluster falls ill, or is well again, between two steps. */
static void one_by_one(struct bench *b)
{
    double times[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        note(b, i * 97, i % 2 ? HUB_ROLLOUT_HEALTH_GOOD : HUB_ROLLOUT_HEALTH_BAD);
        times[i] = step(b);
    }
    qsort(times, ROUNDS, sizeof *times, by_value);
    printf("rollout_step %.2f ms\n", times[ROUNDS / 2] / 1e3);
}

int main(void)
{
    static struct bench b;
    struct hub_rollout_options options = {
        .mem = &b.mem, .uid = FED_SPAN_LIT("5f0c"), .find_zone = find_zone};
    struct fed_digest from = {{1}};
    struct fed_digest to = {{2}};

    b.mem = (struct fed_alloc){.ctx = &b, .resize = resize};
    b.now = (struct hub_rollout_now){1795996800000, 1000};
    for (size_t i = 0; i < CLUSTERS; i++)
        snprintf(b.names[i], sizeof b.names[i], "edge-%05zu", i);
    read_rules(&b);
    check(hub_rollout_new(&options, b.now, &b.rollout), "new");
    hub_rollout_adopt(b.rollout, &from);
    tell_all(&b);
    step(&b);
    b.released = 0;
    check(hub_rollout_begin(b.rollout, b.rules, &to, b.now), "begin");
    tell_all(&b);
    printf("rollout_bytes_per_cluster %.0f bytes\n", (double)b.bytes / CLUSTERS);
    whole(&b);
    one_by_one(&b);
    hub_rollout_free(b.rollout);
    hub_rollout_rules_free(b.rules);
    return 0;
}
