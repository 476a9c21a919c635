/* series.c - see series.h. */
#include "hub/traffic/series.h"

#define VALUE_BITS 11u
#define VALUE_MAX ((1u << VALUE_BITS) - 1u)
#define SCALE_MAX 31u

uint16_t traffic_series_short(uint64_t value)
{
    unsigned scale = 0;

    while (scale <= SCALE_MAX && value >> scale > VALUE_MAX)
        scale++;
    if (scale > 0 && scale <= SCALE_MAX) {
        value += UINT64_C(1) << (scale - 1); /* to the nearest, which may be one more digit */
        scale += value >> scale > VALUE_MAX;
    }
    if (scale > SCALE_MAX)
        return UINT16_MAX;
    return (uint16_t)(scale << VALUE_BITS | value >> scale);
}

uint64_t traffic_series_long(uint16_t kept)
{
    return (uint64_t)(kept & VALUE_MAX) << (kept >> VALUE_BITS);
}

/* Ends the steps before this one. */
static void advance(struct traffic_series *series, uint64_t step)
{
    if (step - series->step >= TRAFFIC_STEPS) { /* all that was is over */
        *series = (struct traffic_series){.step = step};
        return;
    }
    while (series->step < step) {
        size_t at = series->step++ % TRAFFIC_STEPS;

        series->past_from[at] = traffic_series_short(series->from);
        series->past_to[at] = traffic_series_short(series->to);
        series->from = series->to = 0;
    }
}

void traffic_series_add(struct traffic_series *series, uint64_t step, uint64_t from, uint64_t to)
{
    advance(series, step);
    series->from += from;
    series->to += to;
}

void traffic_series_read(
    struct traffic_series *series, uint64_t step, size_t n, uint64_t *from, uint64_t *to)
{
    advance(series, step);
    for (size_t i = 0; i + 1 < n; i++) {
        size_t at = (size_t)((step + 1 - n + i) % TRAFFIC_STEPS);

        from[i] = traffic_series_long(series->past_from[at]);
        to[i] = traffic_series_long(series->past_to[at]);
    }
    from[n - 1] = series->from;
    to[n - 1] = series->to;
}
