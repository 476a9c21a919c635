/* rules.c - see rules.h. */
#include "hub/rollout/rules_parts.h"
#include "proto/base/bisect.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS 60000u

/* ---- a wave ---- */

static int by_name(const void *a, const void *b)
{
    const struct fed_span *x = a;
    const struct fed_span *y = b;

    return fed_span_cmp(*x, *y);
}

static enum fed_err read_names(const struct rules_reader *r, const struct fed_json *clusters,
    const char *base, struct hub_rollout_wave *out)
{
    const struct fed_json *list = rules_get(clusters, "names");
    size_t n = fed_json_count(list);

    if (!list)
        return FED_OK;
    if (!fed_json_is_array(list) || n == 0 || n > HUB_ROLLOUT_NAMES_MAX)
        return rules_wrong(
            r, base, "names", "Invalid value: a list of 1 to 10000 names of clusters");
    out->names = fed_alloc_array(r->mem, n, sizeof *out->names);
    if (!out->names)
        return FED_ERR_NOMEM;
    out->n_names = n;
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        char member[40];

        out->names[it.index] = fed_json_string(it.value);
        snprintf(member, sizeof member, "names[%zu]", it.index);
        if (!fed_text_is_dns_subdomain(out->names[it.index]))
            return rules_wrong(r, base, member, "Invalid value: no name of a cluster");
    }
    qsort(out->names, n, sizeof *out->names, by_name);
    for (size_t i = 1; i < n; i++)
        if (fed_span_eq(out->names[i - 1], out->names[i]))
            return rules_wrong(r, base, "names", "Duplicate value: a cluster stands twice");
    return FED_OK;
}

static enum fed_err read_clusters(const struct rules_reader *r, const struct fed_json *wave,
    const char *base, struct hub_rollout_wave *out)
{
    static const char *const members[] = {"names", "selector", "size", NULL};
    const struct fed_json *clusters = rules_get(wave, "clusters");
    char path[HUB_ROLLOUT_FIELD_MAX - 64];
    enum fed_err err;
    int given;

    snprintf(path, sizeof path, "%s.clusters", base);
    if (!clusters)
        return rules_wrong(r, path, "", "Required value: names, a selector or a size");
    err = rules_only(r, clusters, path, members);
    if (!err)
        err = read_names(r, clusters, path, out);
    if (!err)
        err = rules_read_selector(r, clusters, path, "selector", &out->selector);
    if (!err)
        err = rules_read_share(r, clusters, path, "size", RULES_SHARE_SOME, &out->size);
    if (err)
        return err;
    given = (out->n_names > 0) + (out->selector != NULL) + out->size.given;
    if (given != 1)
        return rules_wrong(
            r, path, "", "Invalid value: just one of names, selector and size says which clusters");
    return FED_OK;
}

static enum fed_err read_name(const struct rules_reader *r, const struct fed_json *wave,
    const char *base, struct hub_rollout_wave *out)
{
    out->name = fed_json_string(fed_json_get(wave, "name"));
    if (out->name.len == 0)
        return rules_wrong(r, base, "name", "Required value: the name of the wave");
    if (!fed_text_is_dns_label(out->name))
        return rules_wrong(r, base, "name",
            "Invalid value: lower-case letters, digits and \"-\", at most 63 characters");
    if (fed_span_is(out->name, HUB_ROLLOUT_REST))
        return rules_wrong(r, base, "name",
            "Invalid value: \"rest\" is the last wave, of the clusters that no other has");
    return FED_OK;
}

static enum fed_err read_approval(const struct rules_reader *r, const struct fed_json *wave,
    const char *base, struct hub_rollout_wave *out)
{
    const struct fed_json *v = rules_get(wave, "approval");

    out->approval = fed_span_is(fed_json_string(v), "Required");
    if (v && !out->approval)
        return rules_wrong(
            r, base, "approval", "Unsupported value: supported values: \"Required\"; absent: none");
    return FED_OK;
}

static enum fed_err read_wave(const struct rules_reader *r, const struct fed_json *wave,
    const char *base, struct hub_rollout_wave *out)
{
    static const char *const members[] = {
        "name", "clusters", "soak", "approval", "maxConcurrency", "maxFailures", "windows", NULL};
    enum fed_err err = rules_only(r, wave, base, members);

    if (!err)
        err = read_name(r, wave, base, out);
    if (!err)
        err = read_clusters(r, wave, base, out);
    if (!err)
        err = rules_read_duration(r, wave, base, "soak", 0, &out->soak_ms);
    if (!err)
        err = read_approval(r, wave, base, out);
    if (!err)
        err =
            rules_read_share(r, wave, base, "maxConcurrency", RULES_SHARE_SOME, &out->concurrency);
    if (!err)
        err = rules_read_share(r, wave, base, "maxFailures", RULES_SHARE_ANY, &out->failures);
    return err ? err : rules_read_windows(r, wave, base, out);
}

/* ---- all waves ---- */

static bool name_is_taken(const struct hub_rollout_rules *rules, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (fed_span_eq(rules->waves[i].name, rules->waves[index].name))
            return true;
    return false;
}

static enum fed_err read_waves(const struct rules_reader *r, struct hub_rollout_rules *rules)
{
    const struct fed_json *list = rules_get(rules->spec, "waves");
    size_t n = fed_json_count(list);
    enum fed_err err = FED_OK;

    if (list && !fed_json_is_array(list))
        return rules_wrong(r, "spec.waves", "", "Invalid value: must be a list of waves");
    if (n > HUB_ROLLOUT_WAVES_MAX)
        return rules_wrong(r, "spec.waves", "", "Too many: must have at most 32 waves");
    rules->waves = fed_alloc_zero(rules->mem, (n + 1) * sizeof *rules->waves);
    if (!rules->waves)
        return FED_ERR_NOMEM;
    rules->n_waves = n + 1;
    rules->waves[n].name = FED_SPAN_LIT(HUB_ROLLOUT_REST);
    for (struct fed_json_iter it = fed_json_items(list); !err && fed_json_iter_next(&it);) {
        char base[32];

        snprintf(base, sizeof base, "spec.waves[%zu]", it.index);
        err = read_wave(r, it.value, base, &rules->waves[it.index]);
        if (!err && name_is_taken(rules, it.index))
            err = rules_wrong(r, base, "name", "Duplicate value: another wave has this name");
    }
    return err;
}

/* ---- the rest of the spec ---- */

static enum fed_err read_offline(const struct rules_reader *r, struct hub_rollout_rules *rules)
{
    static const char *const members[] = {"after", "then", NULL};
    const struct fed_json *offline = rules_get(rules->spec, "offline");
    enum fed_err err;

    if (!offline)
        return FED_OK;
    err = rules_only(r, offline, "spec.offline", members);
    if (!err)
        err = rules_read_duration(r, offline, "spec.offline", "after", 0, &rules->offline_after_ms);
    return err ? err
               : rules_read_choice(
                     r, offline, "spec.offline", "then", "Defer", "Hold", &rules->hold);
}

static enum fed_err read_min_reported(const struct rules_reader *r, struct hub_rollout_rules *rules)
{
    struct hub_rollout_share share = {.value = 1};
    enum fed_err err =
        rules_read_share(r, rules->spec, "spec", "minReported", RULES_SHARE_SOME, &share);

    if (!err && share.percent)
        err =
            rules_wrong(r, "spec", "minReported", "Invalid value: a number of clusters, 1 or more");
    rules->min_reported = share.value;
    return err;
}

static enum fed_err read_spec(const struct rules_reader *r, struct hub_rollout_rules *rules)
{
    static const char *const members[] = {"selector", "waves", "progressDeadline", "maxFailures",
        "onFailure", "offline", "minReported", "onNewChange", NULL};
    const struct fed_json *spec = rules->spec;
    enum fed_err err = rules_only(r, spec, "spec", members);

    rules->failures = (struct hub_rollout_share){.given = true};
    rules->deadline_ms = 10 * MINUTE_MS;
    rules->offline_after_ms = 10 * MINUTE_MS;
    if (!err)
        err = rules_read_selector(r, spec, "spec", "selector", &rules->objects);
    if (!err)
        err = read_waves(r, rules);
    if (!err)
        err = rules_read_duration(r, spec, "spec", "progressDeadline", 1000, &rules->deadline_ms);
    if (!err)
        err = rules_read_share(r, spec, "spec", "maxFailures", RULES_SHARE_ANY, &rules->failures);
    if (!err)
        err =
            rules_read_choice(r, spec, "spec", "onFailure", "Pause", "Rollback", &rules->rollback);
    if (!err)
        err = read_offline(r, rules);
    if (!err)
        err = read_min_reported(r, rules);
    return err ? err
               : rules_read_choice(
                     r, spec, "spec", "onNewChange", "Replace", "Queue", &rules->queue);
}

enum fed_err hub_rollout_rules_read(struct fed_alloc *mem, const struct fed_json *spec,
    struct hub_rollout_rules **out, char field[HUB_ROLLOUT_FIELD_MAX], struct fed_diag *diag)
{
    struct rules_reader reader = {mem, NULL, field, diag};
    struct hub_rollout_rules *rules = fed_alloc_zero(mem, sizeof *rules);
    enum fed_err err;

    if (!rules)
        return FED_ERR_NOMEM;
    reader.rules = rules;
    rules->mem = mem;
    rules->refs = 1;
    err = fed_json_doc_new(mem, &rules->doc);
    if (!err) {
        rules->spec = spec ? fed_json_clone(rules->doc, spec) : fed_json_new_object(rules->doc);
        err = rules->spec ? read_spec(&reader, rules) : FED_ERR_NOMEM;
    }
    if (err)
        hub_rollout_rules_free(rules);
    else
        *out = rules;
    return err;
}

struct hub_rollout_rules *hub_rollout_rules_keep(struct hub_rollout_rules *rules)
{
    if (rules)
        rules->refs++;
    return rules;
}

void hub_rollout_rules_free(struct hub_rollout_rules *rules)
{
    if (!rules || --rules->refs > 0)
        return;
    for (size_t i = 0; i < rules->n_waves; i++) {
        fed_alloc_free(rules->mem, rules->waves[i].names,
            rules->waves[i].n_names * sizeof *rules->waves[i].names);
        fed_selector_free(rules->waves[i].selector);
    }
    fed_alloc_free(rules->mem, rules->waves, rules->n_waves * sizeof *rules->waves);
    fed_selector_free(rules->objects);
    fed_json_doc_free(rules->doc);
    fed_alloc_free(rules->mem, rules, sizeof *rules);
}

/* ---- asking ---- */

bool hub_rollout_rules_select(const struct hub_rollout_rules *rules, const struct fed_json *labels)
{
    return rules->objects && fed_selector_match(rules->objects, labels);
}

struct among_names {
    const struct fed_span *names;
    struct fed_span name;
};

static int order_of_names(const void *ctx, size_t index)
{
    const struct among_names *among = ctx;

    return fed_span_cmp(among->names[index], among->name);
}

uint32_t hub_rollout_rules_waves(
    const struct hub_rollout_rules *rules, struct fed_span cluster, const struct fed_json *labels)
{
    uint32_t waves = 0;

    for (size_t i = 0; i + 1 < rules->n_waves; i++) {
        const struct hub_rollout_wave *wave = &rules->waves[i];
        struct among_names among = {wave->names, cluster};
        size_t index;

        if (wave->selector ? fed_selector_match(wave->selector, labels)
                           : fed_bisect(wave->n_names, order_of_names, &among, &index))
            waves |= 1u << i;
    }
    return waves;
}

size_t hub_rollout_share_up(const struct hub_rollout_share *share, size_t total)
{
    if (!share->given || total == 0)
        return total;
    if (!share->percent)
        return share->value;
    return (total * share->value + 99) / 100;
}

size_t hub_rollout_share_down(const struct hub_rollout_share *share, size_t total)
{
    if (!share->given)
        return SIZE_MAX;
    return share->percent ? total * share->value / 100 : share->value;
}
