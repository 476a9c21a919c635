/* window.c - see window.h. */
#include "hub/traffic/window.h"

#define DAY_S 86400
#define DAY_MIN 1440
#define AHEAD_DAYS 15 /* hub_windows_next's fortnight, and the day that it begins in */
#define CHAIN_MAX 64u /* windows that follow each other: all the time is quiet, then */

/* ---- parsing ---- */

static struct fed_span trim(struct fed_span text)
{
    while (text.len > 0 && text.at[0] == ' ')
        text = fed_span_sub(text, 1, text.len);
    while (text.len > 0 && text.at[text.len - 1] == ' ')
        text.len--;
    return text;
}

static bool take_day(struct fed_span text, unsigned *out)
{
    static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

    for (unsigned i = 0; i < 7; i++)
        if (fed_span_is(text, names[i])) {
            *out = i;
            return true;
        }
    return false;
}

static enum fed_err parse_days(struct fed_span text, uint8_t *out, struct fed_diag *diag)
{
    struct fed_span range;

    *out = 0;
    while (fed_span_split(&text, ',', &range)) {
        size_t dash = fed_span_find(range, '-');
        unsigned first;
        unsigned last;

        if (!take_day(fed_span_sub(range, 0, dash), &first) ||
            !take_day(dash < range.len ? fed_span_sub(range, dash + 1, range.len) : range, &last))
            return fed_diag_set(diag, FED_ERR_INVALID,
                "\"" FED_SPAN_FMT "\" is no day or range of days: Mon Tue Wed Thu Fri Sat Sun, "
                "Mon-Fri",
                FED_SPAN_ARG(fed_span_sub(range, 0, 40)));
        for (;; first = (first + 1) % 7) {
            *out |= (uint8_t)(1u << first);
            if (first == last)
                break;
        }
    }
    return FED_OK;
}

static bool two_digits(struct fed_span text, size_t at, int *out)
{
    if (text.len < at + 2 || text.at[at] < '0' || text.at[at] > '9' || text.at[at + 1] < '0' ||
        text.at[at + 1] > '9')
        return false;
    *out = (text.at[at] - '0') * 10 + (text.at[at + 1] - '0');
    return true;
}

/* HH:MM as minutes. */
static bool minutes_of(struct fed_span text, int max, int *out)
{
    int hours;
    int minutes;

    if (text.len != 5 || text.at[2] != ':' || !two_digits(text, 0, &hours) ||
        !two_digits(text, 3, &minutes) || minutes > 59 || hours * 60 + minutes > max)
        return false;
    *out = hours * 60 + minutes;
    return true;
}

static enum fed_err parse_times(struct fed_span text, struct hub_window *out, struct fed_diag *diag)
{
    size_t dash = fed_span_find(text, '-');

    if (dash == text.len || !minutes_of(fed_span_sub(text, 0, dash), DAY_MIN - 1, &out->from_min) ||
        !minutes_of(fed_span_sub(text, dash + 1, text.len), DAY_MIN, &out->to_min))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "\"" FED_SPAN_FMT "\" is no time: HH:MM-HH:MM, from 00:00 to 24:00",
            FED_SPAN_ARG(fed_span_sub(text, 0, 40)));
    if (out->to_min <= out->from_min)
        out->to_min += DAY_MIN;
    return FED_OK;
}

static enum fed_err parse_zone(struct fed_span text, hub_zone_find *find, void *ctx,
    struct hub_window *out, struct fed_diag *diag)
{
    int minutes;

    if (fed_span_is(text, "UTC"))
        return FED_OK;
    if (fed_span_starts(text, "+") || fed_span_starts(text, "-")) {
        if (!minutes_of(fed_span_sub(text, 1, text.len), 18 * 60, &minutes))
            return fed_diag_set(diag, FED_ERR_INVALID,
                "\"" FED_SPAN_FMT "\" is no offset: +HH:MM or -HH:MM, at most 18 hours",
                FED_SPAN_ARG(fed_span_sub(text, 0, 40)));
        out->offset_s = (text.at[0] == '-' ? -60 : 60) * minutes;
        return FED_OK;
    }
    if (!hub_zone_is_name(text))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "\"" FED_SPAN_FMT "\" is no time zone: UTC, +HH:MM, or a name like Europe/Berlin",
            FED_SPAN_ARG(fed_span_sub(text, 0, 40)));
    return find(ctx, text, &out->zone, diag);
}

/* Up to three words: days, times, zone. */
static enum fed_err parse_window(struct fed_span text, hub_zone_find *find, void *ctx,
    struct hub_window *out, struct fed_diag *diag)
{
    struct fed_span words[3];
    struct fed_span word;
    size_t n = 0;
    size_t at = 0;
    enum fed_err err = FED_OK;

    *out = (struct hub_window){.days = 0x7f};
    for (text = trim(text); fed_span_split(&text, ' ', &word); text = trim(text)) {
        if (n == 3)
            return fed_diag_set(diag, FED_ERR_INVALID, "a window is DAYS HH:MM-HH:MM ZONE");
        words[n++] = word;
    }
    if (n == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "a window is DAYS HH:MM-HH:MM ZONE");
    if (n == 3 || (words[0].len > 0 && words[0].at[0] >= 'A'))
        err = parse_days(words[at++], &out->days, diag);
    if (!err)
        err = parse_times(at < n ? words[at] : fed_span_text(""), out, diag);
    at++;
    if (!err && at < n)
        err = parse_zone(words[at++], find, ctx, out, diag);
    if (!err && at < n)
        err = fed_diag_set(diag, FED_ERR_INVALID, "a window is DAYS HH:MM-HH:MM ZONE");
    return err;
}

enum fed_err hub_windows_parse(struct fed_span text, hub_zone_find *find, void *ctx,
    struct hub_windows *out, struct fed_diag *diag)
{
    struct hub_windows windows = {0};
    struct fed_span part;
    enum fed_err err = FED_OK;

    if (text.len > HUB_WINDOWS_TEXT_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT, "at most %u characters", HUB_WINDOWS_TEXT_MAX);
    while (!err && fed_span_split(&text, ';', &part)) {
        if (windows.n == HUB_WINDOWS_MAX)
            return fed_diag_set(diag, FED_ERR_LIMIT, "at most %u windows", HUB_WINDOWS_MAX);
        err = parse_window(part, find, ctx, &windows.at[windows.n++], diag);
    }
    if (!err && windows.n == 0)
        err = fed_diag_set(diag, FED_ERR_INVALID, "a window is DAYS HH:MM-HH:MM ZONE");
    if (!err)
        *out = windows;
    return err;
}

/* ---- asking ---- */

static int32_t offset_of(const struct hub_window *window, int64_t unix_s)
{
    return window->zone ? hub_zone_offset(window->zone, unix_s) : window->offset_s;
}

static bool has_day(const struct hub_window *window, int64_t day)
{
    int64_t weekday = (day + 3) % 7; /* 1970-01-01 was a Thursday */

    return window->days >> (weekday < 0 ? weekday + 7 : weekday) & 1;
}

/* 0 when the window is not open. */
static int64_t end_of(const struct hub_window *window, int64_t unix_s)
{
    int64_t local = unix_s + offset_of(window, unix_s);
    int64_t today = local / DAY_S - (local % DAY_S < 0);
    int64_t end = 0;

    for (int64_t day = today - 1; day <= today; day++) {
        int64_t from_s = day * DAY_S + window->from_min * 60;
        int64_t to_s = day * DAY_S + window->to_min * 60;

        if (has_day(window, day) && local >= from_s && local < to_s && to_s > end)
            end = to_s;
    }
    if (end == 0)
        return 0;
    /* With the offset that holds then, if that changes before. */
    unix_s = end - offset_of(window, unix_s);
    return end - offset_of(window, unix_s);
}

int64_t hub_windows_end(const struct hub_windows *windows, int64_t unix_s)
{
    int64_t end = 0;

    for (unsigned i = 0; i < CHAIN_MAX; i++) {
        int64_t next = end;

        for (size_t w = 0; w < windows->n; w++) {
            int64_t of_this = end_of(&windows->at[w], end ? end : unix_s);

            if (of_this > next)
                next = of_this;
        }
        if (next == end)
            break;
        end = next;
    }
    return end;
}

/* A begin that falls into a change of the clocks is on both sides of it, or on neither. */
static int64_t begin_of(const struct hub_window *window, int64_t local_s, int64_t unix_s)
{
    const int64_t begins[] = {
        local_s - offset_of(window, local_s - DAY_S), local_s - offset_of(window, local_s + DAY_S)};
    int64_t first = 0;

    for (size_t i = 0; i < 2; i++)
        if (begins[i] >= unix_s && end_of(window, begins[i]) && (!first || begins[i] < first))
            first = begins[i];
    return first;
}

static int64_t next_of(const struct hub_window *window, int64_t unix_s)
{
    int64_t local = unix_s + offset_of(window, unix_s);
    int64_t today = local / DAY_S - (local % DAY_S < 0);

    for (int64_t day = today - 1; day <= today + AHEAD_DAYS; day++) {
        int64_t begin = has_day(window, day)
                            ? begin_of(window, day * DAY_S + window->from_min * 60, unix_s)
                            : 0;

        if (begin)
            return begin;
    }
    return 0;
}

int64_t hub_windows_next(const struct hub_windows *windows, int64_t unix_s)
{
    int64_t first = 0;

    if (hub_windows_end(windows, unix_s))
        return unix_s;
    for (size_t i = 0; i < windows->n; i++) {
        int64_t next = next_of(&windows->at[i], unix_s);

        if (next && (!first || next < first))
            first = next;
    }
    return first;
}
