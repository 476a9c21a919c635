/* bandwidth.c - bytes of all clusters in steps of five minutes, for a day, by binding; who has most
 * of them this month; and of one cluster, in steps of fifteen.
 *
 * A ring in memory, filled from the counters of hub/traffic: it begins with the process. */
#include "hub/console/bandwidth.h"
#include "hub/console/internal.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX (256u << 10)
#define TOP 20u

/* ---- the ring ---- */

static struct console_binding *binding_of(struct console_bandwidth *bandwidth, const char *name)
{
    struct console_binding *binding;

    for (size_t i = 0; i < bandwidth->n_bindings; i++)
        if (strcmp(bandwidth->bindings[i].name, name) == 0)
            return &bandwidth->bindings[i];
    if (bandwidth->n_bindings == CONSOLE_BINDINGS)
        return &bandwidth->bindings[CONSOLE_BINDINGS - 1];
    binding = &bandwidth->bindings[bandwidth->n_bindings++];
    snprintf(binding->name, sizeof binding->name, "%s", name);
    return binding;
}

/* What came since the last look goes into the present step. */
static void take(struct console_bandwidth *bandwidth, struct hub_traffic *traffic)
{
    struct hub_traffic_counts counts;
    const char *name;

    for (size_t i = 0; hub_traffic_total(traffic, i, &name, &counts); i++) {
        struct console_binding *binding = binding_of(bandwidth, name);
        size_t at = bandwidth->n_steps % CONSOLE_STEPS;

        binding->from[at] += counts.from_bytes - binding->from_seen;
        binding->to[at] += counts.to_bytes - binding->to_seen;
        binding->from_seen = counts.from_bytes;
        binding->to_seen = counts.to_bytes;
    }
}

void console_bandwidth_step(struct console_bandwidth *bandwidth, struct hub_traffic *traffic)
{
    size_t at;

    take(bandwidth, traffic);
    at = ++bandwidth->n_steps % CONSOLE_STEPS;
    if (bandwidth->n_steps % CONSOLE_CLUSTER_EVERY == 0)
        hub_traffic_step(traffic);
    for (size_t i = 0; i < CONSOLE_BINDINGS; i++) {
        bandwidth->bindings[i].from[at] = 0;
        bandwidth->bindings[i].to[at] = 0;
    }
}

/* ---- as JSON ---- */

static void put_steps(struct fed_buf *out, const struct console_bandwidth *bandwidth,
    const uint64_t steps[CONSOLE_STEPS])
{
    uint64_t n = bandwidth->n_steps + 1 < CONSOLE_STEPS ? bandwidth->n_steps + 1 : CONSOLE_STEPS;

    for (uint64_t i = 0; i < n; i++)
        fed_buf_printf(out, "%s%llu", i > 0 ? "," : "",
            (unsigned long long)steps[(bandwidth->n_steps + 1 - n + i) % CONSOLE_STEPS]);
}

static void put_counts(struct fed_buf *out, const struct hub_traffic_counts *counts)
{
    fed_buf_printf(out,
        "\"from_bytes\":%llu,\"to_bytes\":%llu,\"from_datagrams\":%llu,\"to_datagrams\":%llu",
        (unsigned long long)counts->from_bytes, (unsigned long long)counts->to_bytes,
        (unsigned long long)counts->from_datagrams, (unsigned long long)counts->to_datagrams);
}

static void put_top(struct fed_buf *out, struct hub_traffic *traffic)
{
    struct hub_traffic_talker top[TOP];
    size_t n = hub_traffic_top(traffic, top, TOP);

    fed_buf_put_text(out, "],\"top\":[");
    for (size_t i = 0; i < n; i++) {
        fed_buf_put_text(out, i > 0 ? ",{\"name\":" : "{\"name\":");
        hub_json_put(out, top[i].cluster);
        fed_buf_put_u8(out, ',');
        put_counts(out, &top[i].counts);
        fed_buf_put_u8(out, '}');
    }
    fed_buf_put_text(out, "]}\n");
}

/* When it began, and how far the last step is. */
static void put_time(const struct hub_console *console, struct fed_buf *out, unsigned step_s)
{
    uint64_t age_s = (fed_loop_now_ms(console->options.loop) - console->started_ms) / 1000u;

    fed_buf_printf(out,
        "\"since_unix_s\":%lld,\"until_unix_s\":%lld,\"step_s\":%u,\"last_step_s\":%llu,\"series\":"
        "[",
        (long long)console->started_unix_s, (long long)fed_loop_unix_s(console->options.loop),
        step_s, (unsigned long long)age_s % step_s);
}

static void put_all(struct hub_console *console, struct fed_buf *out)
{
    struct console_bandwidth *bandwidth = &console->bandwidth;

    take(bandwidth, console->options.traffic);
    fed_buf_put_u8(out, '{');
    put_time(console, out, CONSOLE_STEP_MS / 1000u);
    for (size_t i = 0; i < bandwidth->n_bindings; i++) {
        fed_buf_printf(
            out, "%s{\"binding\":\"%s\",\"from\":[", i > 0 ? "," : "", bandwidth->bindings[i].name);
        put_steps(out, bandwidth, bandwidth->bindings[i].from);
        fed_buf_put_text(out, "],\"to\":[");
        put_steps(out, bandwidth, bandwidth->bindings[i].to);
        fed_buf_put_text(out, "]}");
    }
    put_top(out, console->options.traffic);
}

static void put_numbers(struct fed_buf *out, const uint64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fed_buf_printf(out, "%s%llu", i > 0 ? "," : "", (unsigned long long)numbers[i]);
}

static void put_day(struct hub_console *console, struct fed_span name, struct fed_buf *out)
{
    struct hub_traffic_steps steps;

    hub_traffic_steps(console->options.traffic, name, &steps);
    put_time(console, out, CONSOLE_CLUSTER_EVERY * CONSOLE_STEP_MS / 1000u);
    fed_buf_put_text(out, "{\"from\":[");
    put_numbers(out, steps.from, steps.n);
    fed_buf_put_text(out, "],\"to\":[");
    put_numbers(out, steps.to, steps.n);
    fed_buf_put_text(out, "]}]");
}

static enum fed_err put_one(
    struct hub_console *console, struct hub_request *r, struct fed_span query, struct fed_buf *out)
{
    struct hub_traffic_counts counts;
    struct fed_span name;
    enum fed_err err = hub_percent_decode(r->mem, query, true, &name);

    if (err == FED_ERR_INVALID || (!err && !fed_map_get(&console->fleet->by_name, name))) {
        hub_fail(r, 404, "NotFound", "there is no such cluster");
        return FED_ERR_NOT_FOUND;
    }
    if (err)
        return err;
    fed_buf_put_text(out, "{\"cluster\":");
    hub_json_put(out, name);
    fed_buf_put_text(out, ",\"month\":{");
    hub_traffic_of(console->options.traffic, name, false, &counts);
    put_counts(out, &counts);
    fed_buf_put_text(out, "},\"month_before\":{");
    hub_traffic_of(console->options.traffic, name, true, &counts);
    put_counts(out, &counts);
    fed_buf_put_text(out, "},");
    put_day(console, name, out);
    fed_buf_put_text(out, "}\n");
    return FED_OK;
}

enum fed_err console_handle_bandwidth(struct hub_console *console, struct hub_request *r)
{
    struct fed_span cluster = console_query(r->http->query, "cluster");
    struct fed_buf body;
    enum fed_err err = console_require_read(r);

    if (!err)
        err = console_require_fleet(r);
    if (!err && !console->options.traffic)
        return hub_fail(r, 404, "NotFound", "this hub counts no bytes");
    if (err)
        return err;
    fed_buf_init(&body, r->mem, BODY_MAX);
    if (cluster.len > 0)
        err = put_one(console, r, cluster, &body);
    else
        put_all(console, &body);
    return err ? err : console_respond(r, &body, NULL, 0);
}
