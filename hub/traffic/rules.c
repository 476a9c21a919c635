/* rules.c - what annotations of a KubeFedCluster say of its link. */
#include "hub/traffic/internal.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define ZONE_DIR "/usr/share/zoneinfo"
#define PATH_MAX_LEN 256u
#define BYTES_MAX ((uint64_t)1 << 50) /* a pebibyte: a slip of the pen */
#define REFUSAL_MAX (64u << 10)

/* ---- zones ---- */

static enum fed_err read_zone(struct hub_traffic *traffic, struct traffic_zone *zone)
{
    const struct fed_fs *fs = traffic->options.fs;
    const char *dir = traffic->options.zone_dir ? traffic->options.zone_dir : ZONE_DIR;
    char path[PATH_MAX_LEN];
    struct fed_buf file;
    int n = snprintf(path, sizeof path, "%s/%s", dir, zone->name);
    enum fed_err err = !fs || n < 0 || (size_t)n >= sizeof path ? FED_ERR_NOT_FOUND : FED_OK;

    fed_buf_init(&file, traffic->options.mem, HUB_ZONE_FILE_MAX);
    if (!err)
        err = fs->read(fs->ctx, path, &file, NULL);
    if (!err)
        err = hub_zone_parse(traffic->options.mem, fed_buf_span(&file), &zone->zone);
    fed_buf_fini(&file);
    return err;
}

/* Kept until the hub ends: there are some hundred names at most. */
static enum fed_err find_zone(
    void *ctx, struct fed_span name, const struct hub_zone **out, struct fed_diag *diag)
{
    struct hub_traffic *traffic = ctx;
    struct traffic_zone *zone = fed_map_get(&traffic->zones, name);
    enum fed_err err;

    if (zone) {
        *out = &zone->zone;
        return FED_OK;
    }
    zone = fed_alloc_zero(traffic->options.mem, sizeof *zone);
    if (!zone)
        return FED_ERR_NOMEM;
    err = fed_span_to_cstr(name, zone->name, sizeof zone->name);
    if (!err)
        err = read_zone(traffic, zone);
    if (!err) {
        err = fed_map_put(&traffic->zones, name, zone);
        if (!err) {
            *out = &zone->zone;
            return FED_OK;
        }
        hub_zone_fini(&zone->zone);
    }
    fed_alloc_free(traffic->options.mem, zone, sizeof *zone);
    if (err == FED_ERR_NOMEM)
        return err;
    return fed_diag_set(diag, FED_ERR_INVALID,
        "time zone \"" FED_SPAN_FMT "\" is not in this machine's database (%s); an offset like "
        "+01:00 needs none",
        FED_SPAN_ARG(name), fed_err_text(err));
}

void traffic_zones_fini(struct hub_traffic *traffic)
{
    struct fed_map_iter it;

    fed_map_iter_init(&it, &traffic->zones);
    while (fed_map_iter_next(&it)) {
        struct traffic_zone *zone = it.value;

        hub_zone_fini(&zone->zone);
        fed_alloc_free(traffic->options.mem, zone, sizeof *zone);
    }
    fed_map_fini(&traffic->zones);
}

/* ---- rules ---- */

/* A whole number with a suffix of resource.Quantity: 500k, 50Mi, 2G. */
static bool parse_bytes(struct fed_span text, uint64_t *out)
{
    static const struct suffix {
        const char *name;
        uint64_t factor;
    } suffixes[] = {{"", 1}, {"k", 1000}, {"Ki", 1u << 10}, {"M", 1000000}, {"Mi", 1u << 20},
        {"G", 1000000000}, {"Gi", 1u << 30}, {"T", 1000000000000}, {"Ti", (uint64_t)1 << 40}};
    size_t digits = 0;
    uint64_t number;

    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
        digits++;
    if (fed_span_to_u64(fed_span_sub(text, 0, digits), &number))
        return false;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (!fed_span_is(fed_span_sub(text, digits, text.len), suffixes[i].name))
            continue;
        *out = number * suffixes[i].factor;
        return number > 0 && number <= BYTES_MAX / suffixes[i].factor;
    }
    return false;
}

static void read_budget(
    struct traffic_rules *rules, struct fed_span text, struct hub_kubefed_errors *errors)
{
    if (text.at && !parse_bytes(text, &rules->monthly_bytes)) {
        rules->monthly_bytes = 0;
        hub_kubefed_invalid_text(errors, "metadata.annotations[" HUB_TRAFFIC_BUDGET_ANNOTATION "]",
            text,
            "must be a whole number of bytes, with one of the suffixes k, M, G, T, Ki, Mi, Gi, Ti, "
            "like 50Mi");
    }
}

static enum fed_err read_windows(struct hub_traffic *traffic, struct traffic_rules *rules,
    struct fed_span text, struct hub_kubefed_errors *errors)
{
    struct fed_diag diag = {""};
    enum fed_err err;

    if (!text.at)
        return FED_OK;
    err = hub_windows_parse(text, find_zone, traffic, &rules->windows, &diag);
    if (!err || err == FED_ERR_NOMEM)
        return err;
    rules->windows.n = 0;
    hub_kubefed_invalid_text(
        errors, "metadata.annotations[" HUB_TRAFFIC_WINDOWS_ANNOTATION "]", text, diag.text);
    return FED_OK;
}

static void read_cordon(
    struct traffic_rules *rules, struct fed_span text, struct hub_kubefed_errors *errors)
{
    rules->cordoned = fed_span_is(text, "true");
    if (text.at && !rules->cordoned && !fed_span_is(text, "false"))
        hub_kubefed_invalid_text(errors, "metadata.annotations[" HUB_TRAFFIC_CORDON_ANNOTATION "]",
            text, "must be true or false");
}

static void read_through(
    struct traffic_rules *rules, struct fed_span text, struct hub_kubefed_errors *errors)
{
    if (text.at && fed_text_time_parse(text, &rules->through_unix_s)) {
        rules->through_unix_s = 0;
        hub_kubefed_invalid_text(errors, "metadata.annotations[" HUB_TRAFFIC_THROUGH_ANNOTATION "]",
            text, "must be a time, like 2026-11-30T17:00:00Z");
    }
}

static struct fed_span annotation(const struct fed_json *object, const char *key)
{
    return fed_json_string(fed_json_get(fed_json_find(object, "metadata.annotations"), key));
}

enum fed_err traffic_rules_read(struct hub_traffic *traffic, const struct fed_json *object,
    struct hub_kubefed_errors *errors, struct traffic_rules **out)
{
    struct traffic_rules rules = {0};
    enum fed_err err;

    read_budget(&rules, annotation(object, HUB_TRAFFIC_BUDGET_ANNOTATION), errors);
    err = read_windows(traffic, &rules, annotation(object, HUB_TRAFFIC_WINDOWS_ANNOTATION), errors);
    if (err)
        return err;
    read_cordon(&rules, annotation(object, HUB_TRAFFIC_CORDON_ANNOTATION), errors);
    read_through(&rules, annotation(object, HUB_TRAFFIC_THROUGH_ANNOTATION), errors);
    *out = NULL;
    if (rules.monthly_bytes == 0 && rules.windows.n == 0 && !rules.cordoned)
        return FED_OK;
    *out = fed_alloc_get(traffic->options.mem, sizeof rules);
    if (!*out)
        return FED_ERR_NOMEM;
    **out = rules;
    return FED_OK;
}

void traffic_rules_free(struct hub_traffic *traffic, struct traffic_rules *rules)
{
    fed_alloc_free(traffic->options.mem, rules, sizeof *rules);
}

/* ---- admission ---- */

/* As KubeFed's webhooks say it. */
static enum fed_err deny(struct hub_admission *a, const struct hub_kubefed_errors *errors)
{
    struct fed_json *kept;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, errors->mem, REFUSAL_MAX);
    fed_buf_put_text(
        &text, "admission webhook \"kubefedclusters.core.kubefed.io\" denied the request: ");
    hub_kubefed_errors_put(errors, &text);
    kept = fed_json_new_string(a->doc, fed_buf_span(&text));
    err = fed_buf_err(&text) || !kept ? FED_ERR_NOMEM : FED_ERR_FORBIDDEN;
    a->refusal = kept ? (const char *)fed_json_string(kept).at : NULL;
    fed_buf_fini(&text);
    return err;
}

enum fed_err traffic_admit(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    struct hub_traffic *traffic = ctx;
    struct hub_kubefed_errors errors;
    struct traffic_rules *rules = NULL;
    enum fed_err err =
        traffic->inner.admit ? traffic->inner.admit(traffic->inner.ctx, a, diag) : FED_OK;

    if (err || a->operation == HUB_DELETE || a->subresource.len > 0)
        return err;
    hub_kubefed_errors_init(&errors, traffic->options.mem);
    err = traffic_rules_read(traffic, a->object, &errors, &rules);
    if (!err && errors.n > 0)
        err = deny(a, &errors);
    traffic_rules_free(traffic, rules);
    hub_kubefed_errors_fini(&errors);
    return err;
}
