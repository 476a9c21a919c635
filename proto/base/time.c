/* time.c - the times and durations of text.h. Calendar arithmetic is our own: the C library's knows
 * time zones and locales, and these must give the same text everywhere. */
#include "proto/base/text.h"

#include <stdio.h>

#define DAY_S 86400

struct civil {
    int64_t year;
    int month;
    int day;
};

/* Days since 1970-01-01 of the proleptic Gregorian calendar, and back. Eras of 400 years that begin
 * in March, so that the leap day is the last one. */
static int64_t days_of(struct civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static struct civil civil_of(int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    return (struct civil){.year = yoe + era * 400 + (month <= 2),
        .month = month,
        .day = (int)(doy - (153 * mp + 2) / 5 + 1)};
}

/* Rounds down, also below zero. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Clipped to the years 0 to 9999, which is what four digits can say. */
static int64_t clip_time(int64_t unix_s)
{
    const int64_t min = -62167219200;
    const int64_t max = 253402300799;

    return unix_s < min ? min : unix_s > max ? max : unix_s;
}

/* n digits of value, and the character behind them. */
static char *put_digits(char *to, int64_t value, size_t n, char behind)
{
    for (size_t i = n; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    to[n] = behind;
    return to + n + 1;
}

/* Up to the seconds; behind follows them. */
static char *put_time(char *to, int64_t unix_s, char behind)
{
    int64_t days;
    int64_t rest;
    struct civil c;

    unix_s = clip_time(unix_s);
    days = floor_div(unix_s, DAY_S);
    rest = unix_s - days * DAY_S;
    c = civil_of(days);
    to = put_digits(to, c.year, 4, '-');
    to = put_digits(to, c.month, 2, '-');
    to = put_digits(to, c.day, 2, 'T');
    to = put_digits(to, rest / 3600, 2, ':');
    to = put_digits(to, rest / 60 % 60, 2, ':');
    return put_digits(to, rest % 60, 2, behind);
}

void fed_text_time(int64_t unix_s, char out[FED_TEXT_TIME_SIZE])
{
    *put_time(out, unix_s, 'Z') = '\0';
}

void fed_text_time_micro(int64_t unix_us, char out[FED_TEXT_TIME_SIZE])
{
    int64_t unix_s = floor_div(unix_us, 1000000);
    char *to = put_time(out, unix_s, '.');

    *put_digits(to, unix_us - unix_s * 1000000, 6, 'Z') = '\0';
}

/* n decimal digits, value in [min, max]. */
static bool take_digits(struct fed_span *from, size_t n, int min, int max, int *out)
{
    int value = 0;

    if (from->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (from->at[i] < '0' || from->at[i] > '9')
            return false;
        value = value * 10 + (from->at[i] - '0');
    }
    if (value < min || value > max)
        return false;
    *from = fed_span_sub(*from, n, from->len);
    *out = value;
    return true;
}

static bool take_char(struct fed_span *from, char c)
{
    if (from->len == 0 || from->at[0] != (uint8_t)c)
        return false;
    *from = fed_span_sub(*from, 1, from->len);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct fed_span *from, int64_t *days)
{
    int year;
    int month;
    int day;

    if (!take_digits(from, 4, 0, 9999, &year) || !take_char(from, '-') ||
        !take_digits(from, 2, 1, 12, &month) || !take_char(from, '-') ||
        !take_digits(from, 2, 1, days_in_month(year, month), &day))
        return false;
    *days = days_of((struct civil){.year = year, .month = month, .day = day});
    return true;
}

static bool take_clock(struct fed_span *from, int *seconds)
{
    int hour;
    int minute;
    int second;
    size_t digits = 0;

    if (!take_digits(from, 2, 0, 23, &hour) || !take_char(from, ':') ||
        !take_digits(from, 2, 0, 59, &minute) || !take_char(from, ':') ||
        !take_digits(from, 2, 0, 59, &second))
        return false;
    if (take_char(from, '.')) {
        int ignored;

        while (take_digits(from, 1, 0, 9, &ignored))
            digits++;
        if (digits == 0)
            return false;
    }
    *seconds = hour * 3600 + minute * 60 + second;
    return true;
}

static bool take_offset(struct fed_span *from, int *seconds)
{
    int hour;
    int minute;
    int sign = 1;

    if (take_char(from, 'Z')) {
        *seconds = 0;
        return true;
    }
    if (take_char(from, '-'))
        sign = -1;
    else if (!take_char(from, '+'))
        return false;
    if (!take_digits(from, 2, 0, 23, &hour) || !take_char(from, ':') ||
        !take_digits(from, 2, 0, 59, &minute))
        return false;
    *seconds = sign * (hour * 3600 + minute * 60);
    return true;
}

enum fed_err fed_text_time_parse(struct fed_span text, int64_t *unix_s)
{
    int64_t days;
    int clock;
    int offset;

    if (!take_date(&text, &days) || !take_char(&text, 'T') || !take_clock(&text, &clock) ||
        !take_offset(&text, &offset) || text.len)
        return FED_ERR_INVALID;
    *unix_s = days * DAY_S + clock - offset;
    return FED_OK;
}

/* "3m12s", or "3m" when the small part is 0. */
static void put_pair(char *out, int64_t large, char large_unit, int64_t small, char small_unit)
{
    if (small)
        snprintf(out, FED_TEXT_TIME_SIZE, "%lld%c%lld%c", (long long)large, large_unit,
            (long long)small, small_unit);
    else
        snprintf(out, FED_TEXT_TIME_SIZE, "%lld%c", (long long)large, large_unit);
}

void fed_text_age(int64_t seconds, char out[FED_TEXT_TIME_SIZE])
{
    int64_t minutes = seconds / 60;
    int64_t hours = seconds / 3600;
    int64_t days = seconds / DAY_S;

    if (seconds < -1)
        snprintf(out, FED_TEXT_TIME_SIZE, "<invalid>");
    else if (seconds < 0)
        snprintf(out, FED_TEXT_TIME_SIZE, "0s");
    else if (seconds < 120)
        put_pair(out, seconds, 's', 0, 0);
    else if (minutes < 10)
        put_pair(out, minutes, 'm', seconds % 60, 's');
    else if (minutes < 180)
        put_pair(out, minutes, 'm', 0, 0);
    else if (hours < 8)
        put_pair(out, hours, 'h', minutes % 60, 'm');
    else if (hours < 48)
        put_pair(out, hours, 'h', 0, 0);
    else if (days < 8)
        put_pair(out, days, 'd', hours % 24, 'h');
    else if (days < 730)
        put_pair(out, days, 'd', 0, 0);
    else if (days < 8 * 365)
        put_pair(out, days / 365, 'y', days % 365, 'd');
    else
        put_pair(out, days / 365, 'y', 0, 0);
}

/* Nanoseconds of one unit at the front; 0 when there is none. */
static uint64_t take_unit(struct fed_span *from)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", 1000000},
        {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (fed_span_starts(*from, units[i].name)) {
            *from = fed_span_sub(*from, fed_span_text(units[i].name).len, from->len);
            return units[i].ns;
        }
    }
    return 0;
}

/* "1.5h": digits, fraction, unit. */
static enum fed_err take_part(struct fed_span *from, uint64_t *ns)
{
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t scale = 1;
    uint64_t unit;
    size_t digits = 0;
    int digit;

    while (take_digits(from, 1, 0, 9, &digit)) {
        if (whole > (uint64_t)INT64_MAX / 10)
            return FED_ERR_LIMIT;
        whole = whole * 10 + (uint64_t)digit;
        digits++;
    }
    if (take_char(from, '.')) {
        while (take_digits(from, 1, 0, 9, &digit)) {
            /* More than six digits say nothing about nanoseconds that matters here. */
            if (scale < 1000000) {
                fraction = fraction * 10 + (uint64_t)digit;
                scale *= 10;
            }
            digits++;
        }
    }
    unit = take_unit(from);
    if (digits == 0 || unit == 0)
        return FED_ERR_INVALID;
    if (whole > (uint64_t)INT64_MAX / unit)
        return FED_ERR_LIMIT;
    *ns = whole * unit + fraction * unit / scale;
    return FED_OK;
}

enum fed_err fed_text_duration_ms(struct fed_span text, uint64_t *out)
{
    uint64_t total = 0;

    if (fed_span_is(text, "0")) {
        *out = 0;
        return FED_OK;
    }
    if (text.len == 0)
        return FED_ERR_INVALID;
    while (text.len) {
        uint64_t ns;
        enum fed_err err = take_part(&text, &ns);

        if (err)
            return err;
        if (ns > (uint64_t)INT64_MAX - total)
            return FED_ERR_LIMIT;
        total += ns;
    }
    *out = total / 1000000;
    return FED_OK;
}
