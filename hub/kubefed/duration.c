/* duration.c - see duration.h. */
#include "hub/kubefed/duration.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S 1000000000u

static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {/* longer names first: "ms" before "m" */
    {"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", 1000000},
    {"s", NS_PER_S}, {"m", 60ull * NS_PER_S}, {"h", 3600ull * NS_PER_S}};

/* Digits, a dot and digits: value of the first, and the others as a fraction. */
struct number {
    uint64_t whole;
    uint64_t fraction;
    uint64_t scale; /* of the fraction; 1: none */
    size_t digits;
};

static enum fed_err take_number(struct fed_span *text, struct number *out)
{
    bool behind = false;

    *out = (struct number){.scale = 1};
    for (; text->len > 0; *text = fed_span_sub(*text, 1, text->len)) {
        uint8_t c = text->at[0];

        if (c == '.' && !behind) {
            behind = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        out->digits++;
        if (!behind && out->whole > (UINT64_MAX / 2 - (c - '0')) / 10)
            return FED_ERR_INVALID;
        if (!behind)
            out->whole = out->whole * 10 + (c - '0');
        else if (out->scale < NS_PER_S) { /* finer than what counts */
            out->fraction = out->fraction * 10 + (c - '0');
            out->scale *= 10;
        }
    }
    return out->digits > 0 ? FED_OK : FED_ERR_INVALID;
}

static const struct unit *take_unit(struct fed_span *text)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i].name);

        if (!fed_span_starts(*text, units[i].name))
            continue;
        *text = fed_span_sub(*text, len, text->len);
        return &units[i];
    }
    return NULL;
}

/* One "1.5h". */
static enum fed_err take_part(struct fed_span *text, uint64_t *total)
{
    struct number number;
    const struct unit *unit;
    uint64_t part;
    enum fed_err err = take_number(text, &number);

    if (err)
        return err;
    unit = take_unit(text);
    if (!unit || number.whole > (uint64_t)INT64_MAX / unit->ns)
        return FED_ERR_INVALID;
    part = number.whole * unit->ns +
           (uint64_t)((double)number.fraction * ((double)unit->ns / (double)number.scale));
    if (part > (uint64_t)INT64_MAX - *total)
        return FED_ERR_INVALID;
    *total += part;
    return FED_OK;
}

enum fed_err hub_duration_parse(struct fed_span text, int64_t *ns)
{
    bool negative = fed_span_starts(text, "-");
    uint64_t total = 0;
    enum fed_err err = FED_OK;

    if (negative || fed_span_starts(text, "+"))
        text = fed_span_sub(text, 1, text.len);
    if (fed_span_is(text, "0")) {
        *ns = 0;
        return FED_OK;
    }
    if (text.len == 0)
        return FED_ERR_INVALID;
    while (!err && text.len > 0)
        err = take_part(&text, &total);
    if (!err)
        *ns = negative ? -(int64_t)total : (int64_t)total;
    return err;
}

/* value / per, with the digits behind the dot that are not zero. */
static void put_decimal(char *out, size_t size, uint64_t value, uint64_t per)
{
    char digits[24];
    size_t len;

    snprintf(out, size, "%llu", (unsigned long long)(value / per));
    if (value % per == 0)
        return;
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)(per + value % per));
    digits[0] = '.'; /* in the place of the 1 that kept the zeros */
    len = strlen(digits);
    while (len > 0 && digits[len - 1] == '0')
        digits[--len] = 0;
    strncat(out, digits, size - strlen(out) - 1);
}

static const char *small_unit(uint64_t ns, uint64_t *per)
{
    *per = ns < 1000 ? 1 : ns < 1000000 ? 1000 : 1000000;
    return ns < 1000 ? "ns" : ns < 1000000 ? "\xc2\xb5s" : "ms";
}

void hub_duration_text(int64_t ns, char out[HUB_DURATION_TEXT_SIZE])
{
    uint64_t all = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t minutes = all / (60ull * NS_PER_S);
    char number[24];
    char before[24] = "";
    const char *unit = "s";
    uint64_t per = NS_PER_S;

    if (all > 0 && all < NS_PER_S)
        unit = small_unit(all, &per);
    put_decimal(number, sizeof number, all % (60ull * NS_PER_S), per);
    if (minutes >= 60)
        snprintf(before, sizeof before, "%lluh%llum", (unsigned long long)(minutes / 60),
            (unsigned long long)(minutes % 60));
    else if (minutes > 0)
        snprintf(before, sizeof before, "%llum", (unsigned long long)minutes);
    snprintf(
        out, HUB_DURATION_TEXT_SIZE, "%s%.12s%.15s%s", ns < 0 ? "-" : "", before, number, unit);
}
