/* rules_value.c - numbers, durations, windows and choices of a RolloutPolicy's spec. */
#include "hub/rollout/rules_parts.h"
#include "proto/base/text.h"

#include <stdio.h>

#define DAY_MIN 1440

enum fed_err rules_wrong(
    const struct rules_reader *r, const char *base, const char *member, const char *why)
{
    snprintf(r->field, HUB_ROLLOUT_FIELD_MAX, "%s%s%s", base, member[0] ? "." : "", member);
    return fed_diag_set(r->diag, FED_ERR_INVALID, "%s", why);
}

const struct fed_json *rules_get(const struct fed_json *object, const char *member)
{
    const struct fed_json *v = fed_json_get(object, member);

    return fed_json_type(v) == FED_JSON_NULL ? NULL : v;
}

static bool is_among(struct fed_span name, const char *const *names)
{
    for (; *names; names++)
        if (fed_span_is(name, *names))
            return true;
    return false;
}

enum fed_err rules_only(const struct rules_reader *r, const struct fed_json *object,
    const char *base, const char *const *members)
{
    if (!fed_json_is_object(object))
        return rules_wrong(r, base, "", "Invalid value: must be an object");
    for (struct fed_json_iter it = fed_json_each(object); fed_json_iter_next(&it);) {
        char name[64];

        if (is_among(it.key, members))
            continue;
        snprintf(name, sizeof name, FED_SPAN_FMT, FED_SPAN_ARG(fed_span_sub(it.key, 0, 60)));
        return rules_wrong(r, base, name, "Forbidden: there is no such field");
    }
    return FED_OK;
}

/* ---- numbers ---- */

static bool percent_of(struct fed_span text, uint32_t *out)
{
    uint64_t number;

    if (!fed_span_ends(text, "%") ||
        fed_span_to_u64(fed_span_sub(text, 0, text.len - 1), &number) || number < 1 || number > 100)
        return false;
    *out = (uint32_t)number;
    return true;
}

enum fed_err rules_read_share(const struct rules_reader *r, const struct fed_json *from,
    const char *base, const char *member, enum rules_share_kind kind, struct hub_rollout_share *out)
{
    static const char *const whys[] = {
        "Invalid value: a whole number from 1 to 1000000, or a whole "
        "percentage from \"1%\" to \"100%\"",
        "Invalid value: a whole number from 0 to 1000000, or a whole percentage from \"1%\" to "
        "\"100%\""};
    const struct fed_json *v = rules_get(from, member);
    struct hub_rollout_share share = {.given = true};
    int64_t number = fed_json_int(v, -1);

    if (!v)
        return FED_OK;
    if (fed_json_is_string(v)) {
        share.percent = true;
        if (!percent_of(fed_json_string(v), &share.value))
            return rules_wrong(r, base, member, whys[kind]);
    } else {
        if (fed_json_type(v) != FED_JSON_INT || number < (kind == RULES_SHARE_SOME ? 1 : 0) ||
            number > HUB_ROLLOUT_NUMBER_MAX)
            return rules_wrong(r, base, member, whys[kind]);
        share.value = (uint32_t)number;
    }
    *out = share;
    return FED_OK;
}

enum fed_err rules_read_duration(const struct rules_reader *r, const struct fed_json *from,
    const char *base, const char *member, uint64_t min_ms, uint64_t *out)
{
    const struct fed_json *v = rules_get(from, member);
    uint64_t ms = 0;

    if (!v)
        return FED_OK;
    if (!fed_json_is_string(v) || fed_text_duration_ms(fed_json_string(v), &ms) || ms < min_ms ||
        ms > HUB_ROLLOUT_DURATION_MAX_MS)
        return rules_wrong(r, base, member,
            min_ms ? "Invalid value: a duration from 1s to 720h, as in 90s, 10m or 24h"
                   : "Invalid value: a duration from 0s to 720h, as in 90s, 10m or 24h");
    *out = ms;
    return FED_OK;
}

enum fed_err rules_read_choice(const struct rules_reader *r, const struct fed_json *from,
    const char *base, const char *member, const char *first, const char *other, bool *second)
{
    const struct fed_json *v = rules_get(from, member);
    char why[128];

    if (!v)
        return FED_OK;
    *second = fed_span_is(fed_json_string(v), other);
    if (*second || fed_span_is(fed_json_string(v), first))
        return FED_OK;
    snprintf(why, sizeof why, "Unsupported value: supported values: \"%s\", \"%s\"", first, other);
    return rules_wrong(r, base, member, why);
}

enum fed_err rules_read_selector(const struct rules_reader *r, const struct fed_json *from,
    const char *base, const char *member, struct fed_selector **out)
{
    const struct fed_json *v = rules_get(from, member);
    enum fed_err err;

    if (!v)
        return FED_OK;
    if (!fed_json_is_object(v))
        return rules_wrong(r, base, member, "Invalid value: must be a label selector");
    err = fed_selector_from_object(r->mem, v, out, r->diag);
    if (err && err != FED_ERR_NOMEM) {
        snprintf(r->field, HUB_ROLLOUT_FIELD_MAX, "%s.%s", base, member);
        err = fed_diag_prefix(r->diag, FED_ERR_INVALID, "Invalid value");
    }
    return err;
}

/* ---- windows ---- */

static bool take_day(struct fed_span text, uint8_t *days)
{
    static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

    for (unsigned i = 0; i < 7; i++)
        if (fed_span_is(text, names[i])) {
            *days |= (uint8_t)(1u << i);
            return true;
        }
    return false;
}

static enum fed_err read_days(
    const struct rules_reader *r, const struct fed_json *window, const char *base, uint8_t *out)
{
    static const char why[] =
        "Invalid value: a list of days, each of Mon, Tue, Wed, Thu, Fri, Sat, Sun; absent: every "
        "day";
    const struct fed_json *list = rules_get(window, "days");

    *out = list ? 0 : 0x7f;
    if (list && (!fed_json_is_array(list) || fed_json_count(list) == 0))
        return rules_wrong(r, base, "days", why);
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);)
        if (!take_day(fed_json_string(it.value), out))
            return rules_wrong(r, base, "days", why);
    return FED_OK;
}

static bool digits(struct fed_span text, size_t at, int *out)
{
    int tens = text.at[at] - '0';
    int ones = text.at[at + 1] - '0';

    *out = tens * 10 + ones;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
}

static enum fed_err read_time(const struct rules_reader *r, const struct fed_json *window,
    const char *base, const char *member, int max, int *out)
{
    struct fed_span text = fed_json_string(fed_json_get(window, member));
    int hours;
    int minutes;

    if (text.len != 5 || text.at[2] != ':' || !digits(text, 0, &hours) ||
        !digits(text, 3, &minutes) || minutes > 59 || hours * 60 + minutes > max)
        return rules_wrong(r, base, member,
            max == DAY_MIN ? "Invalid value: a local time from \"00:00\" to \"24:00\""
                           : "Invalid value: a local time from \"00:00\" to \"23:59\"");
    *out = hours * 60 + minutes;
    return FED_OK;
}

/* *out: which of the policy's labels; one more when it is new. */
static enum fed_err find_label(
    const struct rules_reader *r, struct fed_span label, const char *base, unsigned *out)
{
    struct hub_rollout_rules *rules = r->rules;

    for (*out = 0; *out < rules->n_zone_labels; ++*out)
        if (fed_span_eq(rules->zone_labels[*out], label))
            return FED_OK;
    if (rules->n_zone_labels == HUB_ROLLOUT_ZONE_LABELS_MAX)
        return rules_wrong(
            r, base, "timeZoneLabel", "Too many: at most 4 different ones in a policy");
    rules->zone_labels[rules->n_zone_labels++] = label;
    return FED_OK;
}

/* Of all windows of a wave the same, so that a cluster has one time in it. */
static enum fed_err read_label(const struct rules_reader *r, const struct fed_json *window,
    const struct fed_json *first, const char *base, unsigned *out)
{
    const struct fed_json *v = rules_get(window, "timeZoneLabel");
    struct fed_span label = fed_json_string(v);

    if (v && !fed_text_is_label_key(label))
        return rules_wrong(r, base, "timeZoneLabel",
            "Invalid value: the key of a cluster's label whose value is a time zone's name; a "
            "label's value has no \"/\", so Europe/Berlin is Europe.Berlin there");
    if (!fed_span_eq(label, fed_json_string(rules_get(first, "timeZoneLabel"))))
        return rules_wrong(r, base, "timeZoneLabel",
            "Invalid value: all windows of a wave have the same one, or none");
    *out = UINT32_MAX;
    return v ? find_label(r, label, base, out) : FED_OK;
}

static enum fed_err read_window(const struct rules_reader *r, const struct fed_json *window,
    const char *base, struct hub_rollout_window *out)
{
    static const char *const members[] = {"days", "from", "to", "timeZoneLabel", NULL};
    enum fed_err err = rules_only(r, window, base, members);

    if (!err)
        err = read_days(r, window, base, &out->days);
    if (!err)
        err = read_time(r, window, base, "from", DAY_MIN - 1, &out->from_min);
    if (!err)
        err = read_time(r, window, base, "to", DAY_MIN, &out->to_min);
    if (err)
        return err;
    if (out->to_min == out->from_min)
        return rules_wrong(r, base, "to",
            "Invalid value: the window is over when it begins; 00:00 to 24:00 is a whole day");
    if (out->to_min < out->from_min)
        out->to_min += DAY_MIN;
    return FED_OK;
}

enum fed_err rules_read_windows(const struct rules_reader *r, const struct fed_json *from,
    const char *base, struct hub_rollout_wave *out)
{
    const struct fed_json *list = rules_get(from, "windows");
    enum fed_err err = FED_OK;

    if (!list)
        return FED_OK;
    if (!fed_json_is_array(list) || fed_json_count(list) == 0 ||
        fed_json_count(list) > HUB_ROLLOUT_WINDOWS_MAX)
        return rules_wrong(
            r, base, "windows", "Invalid value: a list of 1 to 8 windows; absent: at any time");
    for (struct fed_json_iter it = fed_json_items(list); !err && fed_json_iter_next(&it);) {
        char path[HUB_ROLLOUT_FIELD_MAX - 32];

        snprintf(path, sizeof path, "%s.windows[%zu]", base, out->n_windows);
        err = read_window(r, it.value, path, &out->windows[out->n_windows++]);
        if (!err)
            err = read_label(r, it.value, fed_json_at(list, 0), path, &out->zone_label);
    }
    return err;
}
