/* column.c - one more figure of every cluster, for who colours the fleet by it: read when it is
 * asked for, so that the fleet itself stays small.
 *
 * Rows are in the order of the fleet's list; clusters are named by the fleet's numbers. What has
 * no value is -1. Of texts the values are indices into "strings". An answer is shared by all that
 * ask within COLUMN_AGE_MS. */
#include "hub/console/internal.h"
#include "hub/console/texts.h"

#include <stdio.h>

#define COLUMN_BYTES_MAX (16u << 20)
#define COLUMN_AGE_MS 5000u

typedef enum fed_err put_value(struct hub_console *console,
    const struct console_fleet_cluster *cluster, struct console_texts *strings,
    struct fed_buf *out);

static enum fed_err put_number(struct fed_buf *out, uint64_t number)
{
    fed_buf_printf(out, "%llu", (unsigned long long)number);
    return FED_OK;
}

static enum fed_err put_text(
    struct fed_span text, struct console_texts *strings, struct fed_buf *out)
{
    size_t at = 0;
    enum fed_err err = text.len > 0 ? console_texts_index(strings, text, &at) : FED_OK;

    fed_buf_printf(out, "%d", text.len > 0 ? (int)at : -1);
    return err;
}

static enum fed_err put_bytes(struct hub_console *console,
    const struct console_fleet_cluster *cluster, struct console_texts *strings, struct fed_buf *out)
{
    struct hub_traffic_counts counts;

    (void)strings;
    hub_traffic_of(console->options.traffic, fed_span_text(cluster->name), false, &counts);
    return put_number(out, counts.from_bytes + counts.to_bytes);
}

static struct hub_status_detail detail_of(
    struct hub_console *console, const struct console_fleet_cluster *cluster)
{
    struct hub_status_detail detail;

    hub_status_detail(console->options.status, fed_span_text(cluster->name), &detail);
    return detail;
}

static enum fed_err put_behind(struct hub_console *console,
    const struct console_fleet_cluster *cluster, struct console_texts *strings, struct fed_buf *out)
{
    (void)strings;
    return put_number(out, detail_of(console, cluster).behind);
}

static enum fed_err put_agent(struct hub_console *console,
    const struct console_fleet_cluster *cluster, struct console_texts *strings, struct fed_buf *out)
{
    return put_text(detail_of(console, cluster).agent_version, strings, out);
}

static enum fed_err put_kubernetes(struct hub_console *console,
    const struct console_fleet_cluster *cluster, struct console_texts *strings, struct fed_buf *out)
{
    return put_text(detail_of(console, cluster).kubernetes_version, strings, out);
}

static const struct column {
    const char *name;
    put_value *put;
} columns[CONSOLE_COLUMNS] = {
    {"bytes", put_bytes},
    {"behind", put_behind},
    {"agent", put_agent},
    {"kubernetes", put_kubernetes},
};

/* ---- an answer ---- */

static enum fed_err put_values(struct hub_console *console, const struct column *column,
    struct console_texts *strings, struct fed_buf *out)
{
    const struct console_fleet *fleet = console->fleet;
    const char *comma = "";
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < fleet->n; i++) {
        if (!console_fleet_is_there(fleet, fleet->list[i]))
            continue;
        fed_buf_put_text(out, comma);
        comma = ",";
        err = column->put(console, fleet->list[i], strings, out);
    }
    return err;
}

static enum fed_err put_column(
    struct hub_console *console, const struct column *column, struct fed_buf *out)
{
    struct console_texts strings;
    enum fed_err err;

    console_texts_init(&strings, console->mem, COLUMN_BYTES_MAX);
    fed_buf_printf(out, "{\"of\":\"%s\",\"version\":%llu,\"begun\":%llu,\"ids\":[", column->name,
        (unsigned long long)console->fleet->version, (unsigned long long)console->fleet->begun);
    console_fleet_put_ids(out, console->fleet);
    fed_buf_put_text(out, "],\"values\":[");
    err = put_values(console, column, &strings, out);
    fed_buf_put_text(out, "],\"strings\":[");
    fed_buf_put(out, fed_buf_span(&strings.json));
    fed_buf_put_text(out, "]}\n");
    if (!err)
        err = fed_buf_err(&strings.json);
    console_texts_fini(&strings);
    return err ? err : fed_buf_err(out);
}

static enum fed_err refresh(
    struct hub_console *console, const struct column *column, struct console_column *kept)
{
    uint64_t now_ms = fed_loop_now_ms(console->options.loop);
    struct fed_buf text;
    enum fed_err err;

    if (kept->body && now_ms - kept->at_ms < COLUMN_AGE_MS)
        return FED_OK;
    fed_buf_init(&text, console->mem, COLUMN_BYTES_MAX);
    err = put_column(console, column, &text);
    if (!err) {
        fed_http_shared_unref(kept->body);
        kept->body = fed_http_shared_take(&text);
        kept->at_ms = now_ms;
    }
    fed_buf_fini(&text);
    return err || kept->body ? err : FED_ERR_NOMEM;
}

void console_columns_clear(struct hub_console *console)
{
    for (size_t i = 0; i < CONSOLE_COLUMNS; i++) {
        fed_http_shared_unref(console->columns[i].body);
        console->columns[i].body = NULL;
    }
}

/* ---- GET /console/column?of= ---- */

static enum fed_err answer(struct hub_console *console, struct hub_request *r, size_t index)
{
    struct console_column *kept = &console->columns[index];
    char etag[64];
    enum fed_err err;

    if (columns[index].put == put_bytes && !console->options.traffic)
        return hub_fail(r, 404, "NotFound", "this hub counts no bytes");
    console_fleet_look(console->fleet);
    err = refresh(console, &columns[index], kept);
    if (err)
        return err;
    snprintf(
        etag, sizeof etag, "W/\"%s-%llu\"", columns[index].name, (unsigned long long)kept->at_ms);
    if (console_etag_matches(console_header(r->http, "if-none-match"), fed_span_text(etag)))
        return console_respond_etag(r, 304, NULL, etag);
    return console_respond_etag(r, 200, kept->body, etag);
}

enum fed_err console_handle_column(struct hub_console *console, struct hub_request *r)
{
    struct fed_span of = console_query(r->http->query, "of");
    enum fed_err err = console_require_read(r);

    if (!err)
        err = console_require_fleet(r);
    if (err)
        return err;
    for (size_t i = 0; i < CONSOLE_COLUMNS; i++)
        if (fed_span_is(of, columns[i].name))
            return answer(console, r, i);
    return hub_fail(r, 400, "BadRequest", "of: one of bytes, behind, agent and kubernetes");
}
