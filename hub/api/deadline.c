/* deadline.c - timeout= of a request: how long its client waits for the answer. Later than that the
 * answer is 504, whatever it would have been; a write may have been done.
 *
 * Source: apiserver WithRequestDeadline; Go's time.ParseDuration, with its sentences. */
#include "hub/api/internal.h"

#define NS_PER_US 1000u

static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", NS_PER_US},
    {"\xc2\xb5s", NS_PER_US}, /* U+00B5 */
    {"\xce\xbcs", NS_PER_US}, /* U+03BC */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60000000000},
    {"h", 3600000000000},
};

enum fault { FAULT_NONE, FAULT_INVALID, FAULT_NO_UNIT, FAULT_UNKNOWN_UNIT };
struct reading {
    struct fed_span rest;
    struct fed_span unit; /* that is unknown */
    uint64_t ns;
};

static bool is_digit_or_dot(uint8_t c)
{
    return c == '.' || (c >= '0' && c <= '9');
}

/* "12.5": the whole part and what of a unit the fraction is, rounded down. */
static enum fault take_number(struct reading *r, uint64_t *whole, double *part)
{
    double scale = 1;
    size_t digits = 0;
    bool dot = false;
    size_t i = 0;

    *whole = 0;
    *part = 0;
    for (; i < r->rest.len && is_digit_or_dot(r->rest.at[i]) && !(dot && r->rest.at[i] == '.');
         i++) {
        unsigned digit = r->rest.at[i] - '0';

        if (r->rest.at[i] == '.') {
            dot = true;
            continue;
        }
        digits++;
        if (dot)
            *part += digit * (scale /= 10);
        else if (*whole > (UINT64_MAX >> 1) / 10)
            return FAULT_INVALID;
        else
            *whole = *whole * 10 + digit;
    }
    r->rest = fed_span_sub(r->rest, i, r->rest.len);
    return digits > 0 ? FAULT_NONE : FAULT_INVALID;
}

static enum fault take_unit(struct reading *r, uint64_t *ns)
{
    size_t n = 0;

    while (n < r->rest.len && !is_digit_or_dot(r->rest.at[n]))
        n++;
    r->unit = fed_span_sub(r->rest, 0, n);
    r->rest = fed_span_sub(r->rest, n, r->rest.len);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (fed_span_is(r->unit, units[i].name)) {
            *ns = units[i].ns;
            return FAULT_NONE;
        }
    return n == 0 ? FAULT_NO_UNIT : FAULT_UNKNOWN_UNIT;
}

static enum fault take_all(struct reading *r)
{
    if (r->rest.len == 0)
        return FAULT_INVALID;
    while (r->rest.len > 0) {
        uint64_t whole;
        uint64_t ns;
        double part;
        enum fault fault =
            is_digit_or_dot(r->rest.at[0]) ? take_number(r, &whole, &part) : FAULT_INVALID;

        if (!fault)
            fault = take_unit(r, &ns);
        if (fault)
            return fault;
        if (whole > (uint64_t)INT64_MAX / ns)
            return FAULT_INVALID;
        r->ns += whole * ns + (uint64_t)(part * (double)ns);
        if (r->ns > (uint64_t)INT64_MAX)
            return FAULT_INVALID;
    }
    return FAULT_NONE;
}

static enum fed_err refuse(struct hub_request *r, enum fault fault, struct fed_span unit)
{
    struct fed_buf what;
    struct fed_buf text;

    fed_buf_init(&what, r->mem, 65536);
    fed_buf_init(&text, r->mem, 65536);
    if (fault == FAULT_UNKNOWN_UNIT) {
        fed_buf_put_text(&what, "unknown unit ");
        hub_put_quoted(&what, unit);
        fed_buf_put_text(&what, " in");
    } else {
        fed_buf_put_text(&what, fault == FAULT_NO_UNIT ? "missing unit in" : "invalid");
    }
    hub_put_quoted(&text, r->query.request_timeout);
    return hub_fail(r, 400, "BadRequest",
        "invalid timeout specified in the request URL - time: %s duration %s", fed_buf_cstr(&what),
        fed_buf_cstr(&text));
}

enum fed_err hub_deadline_take(struct hub_request *r)
{
    struct fed_span text = r->query.request_timeout;
    bool negative = fed_span_starts(text, "-");
    struct reading reading = {.ns = 0};
    enum fault fault;

    if (text.len == 0)
        return FED_OK;
    reading.rest = fed_span_sub(text, negative || fed_span_starts(text, "+"), text.len);
    fault = fed_span_is(reading.rest, "0") ? FAULT_NONE : take_all(&reading);
    if (fault)
        return refuse(r, fault, reading.unit);
    if (reading.ns > 0 && !negative)
        r->deadline_us = r->started_us + reading.ns / NS_PER_US;
    return FED_OK;
}

bool hub_deadline_is_over(const struct hub_api *api, uint64_t deadline_us)
{
    return deadline_us > 0 && fed_loop_clock_us(api->options.loop) > deadline_us;
}

struct fed_span hub_deadline_answer(void)
{
    return FED_SPAN_LIT(
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
        "\"message\":\"Timeout: request did not complete within the allotted timeout\","
        "\"reason\":\"Timeout\",\"details\":{},\"code\":504}\n");
}
