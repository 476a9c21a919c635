/* fleet_put.c - the fleet as JSON: all of it, and what changed since a version.
 *
 * Rows are arrays in the order of "fields"; labels are pairs of indices, into "labelKeys" and into
 * "strings". "ids" are the clusters' numbers, each as the difference to the one before, which
 * compress to nothing. What changed names clusters by their numbers, and labels in full: each page
 * has tables of its own. */
#include "hub/console/internal.h"
#include "hub/console/texts.h"

#include <stdio.h>

#define SNAPSHOT_BYTES_MAX (64u << 20)
#define SNAPSHOT_AGE_S 10

/* ---- the snapshot ---- */

/* Of what has been well for long the minute is enough, and then the hour: ten thousand different
 * seconds are a third of what is sent. */
static int64_t shown_since(const struct hub_status_glance *glance, int64_t now_s)
{
    int64_t age_s = now_s - glance->since_unix_s;
    int64_t step_s = age_s >= 86400 ? 3600 : age_s >= 300 ? 60 : 1;

    return glance->connectivity == HUB_ONLINE ? glance->since_unix_s - glance->since_unix_s % step_s
                                              : glance->since_unix_s;
}

static void put_glance(struct fed_buf *out, const struct hub_status_glance *glance, int64_t now_s)
{
    fed_buf_printf(out, "%d,%d,%lld,%zu,%zu", glance->connectivity, glance->delivery,
        (long long)shown_since(glance, now_s), glance->drifted, glance->failed);
}

static enum fed_err put_labels(struct fed_buf *out, const struct console_fleet_cluster *cluster,
    struct console_texts *keys, struct console_texts *strings)
{
    struct fed_span rest = fed_span_of(cluster->labels, cluster->labels_len);
    struct fed_span key;
    struct fed_span value;
    const char *comma = "";
    enum fed_err err = FED_OK;

    fed_buf_put_u8(out, '[');
    while (!err && fed_span_split(&rest, 0, &key)) {
        size_t key_at = 0;
        size_t value_at = 0;

        if (!fed_span_split(&rest, 0, &value))
            value = (struct fed_span){0};
        err = console_texts_index(keys, key, &key_at);
        if (!err)
            err = console_texts_index(strings, value, &value_at);
        fed_buf_printf(out, "%s%zu,%zu", comma, key_at, value_at);
        comma = ",";
    }
    fed_buf_put_u8(out, ']');
    return err;
}

bool console_fleet_is_there(
    const struct console_fleet *fleet, const struct console_fleet_cluster *cluster)
{
    return cluster->born <= fleet->version;
}

static enum fed_err put_rows(struct fed_buf *out, const struct console_fleet *fleet,
    struct console_texts *keys, struct console_texts *strings)
{
    int64_t now_s = fed_loop_unix_s(fleet->loop);
    const char *comma = "";
    enum fed_err err = FED_OK;

    for (size_t i = 0; !err && i < fleet->n; i++) {
        const struct console_fleet_cluster *cluster = fleet->list[i];

        if (!console_fleet_is_there(fleet, cluster))
            continue;
        fed_buf_printf(out, "%s[", comma);
        comma = ",";
        hub_json_put_text(out, cluster->name);
        fed_buf_put_u8(out, ',');
        put_glance(out, &cluster->glance, now_s);
        fed_buf_put_u8(out, ',');
        err = put_labels(out, cluster, keys, strings);
        fed_buf_put_u8(out, ']');
    }
    return err;
}

void console_fleet_put_ids(struct fed_buf *out, const struct console_fleet *fleet)
{
    const char *comma = "";
    uint64_t before = 0;

    for (size_t i = 0; i < fleet->n; i++) {
        uint64_t id = fleet->list[i]->id;

        if (!console_fleet_is_there(fleet, fleet->list[i]))
            continue;
        fed_buf_printf(out, "%s%lld", comma, (long long)(int64_t)(id - before));
        comma = ",";
        before = id;
    }
}

static enum fed_err put_snapshot(const struct console_fleet *fleet, struct fed_buf *out)
{
    struct console_texts keys;
    struct console_texts strings;
    enum fed_err err;

    console_texts_init(&keys, fleet->mem, SNAPSHOT_BYTES_MAX);
    console_texts_init(&strings, fleet->mem, SNAPSHOT_BYTES_MAX);
    fed_buf_printf(out,
        "{\"version\":%llu,\"begun\":%llu,\"at_unix_s\":%lld,\"fields\":[\"name\",\"connectivity\","
        "\"delivery\","
        "\"since_unix_s\",\"drift\",\"failed\",\"labels\"],\"clusters\":[",
        (unsigned long long)fleet->version, (unsigned long long)fleet->begun,
        (long long)fed_loop_unix_s(fleet->loop));
    err = put_rows(out, fleet, &keys, &strings);
    fed_buf_put_text(out, "],\"ids\":[");
    console_fleet_put_ids(out, fleet);
    fed_buf_put_text(out, "],\"labelKeys\":[");
    fed_buf_put(out, fed_buf_span(&keys.json));
    fed_buf_put_text(out, "],\"strings\":[");
    fed_buf_put(out, fed_buf_span(&strings.json));
    fed_buf_put_text(out, "]}\n");
    if (!err)
        err = fed_buf_err(&keys.json);
    if (!err)
        err = fed_buf_err(&strings.json);
    console_texts_fini(&keys);
    console_texts_fini(&strings);
    return err ? err : fed_buf_err(out);
}

struct fed_http_shared *console_fleet_snapshot(struct console_fleet *fleet)
{
    int64_t now_s = fed_loop_unix_s(fleet->loop);
    int64_t age_s = now_s - fleet->snapshot_unix_s;
    struct fed_buf text;

    if (fleet->snapshot && fleet->snapshot_version == fleet->version && age_s >= 0 &&
        age_s < SNAPSHOT_AGE_S)
        return fleet->snapshot;
    fed_http_shared_unref(fleet->snapshot);
    fleet->snapshot = NULL;
    fed_buf_init(&text, fleet->mem, SNAPSHOT_BYTES_MAX);
    if (!put_snapshot(fleet, &text))
        fleet->snapshot = fed_http_shared_take(&text);
    fed_buf_fini(&text);
    fleet->snapshot_version = fleet->version;
    fleet->snapshot_unix_s = now_s;
    return fleet->snapshot;
}

/* ---- changes ---- */

bool console_fleet_follows(const struct console_fleet *fleet, uint64_t version)
{
    return version >= fleet->reset && version <= fleet->version;
}

/* What is of a later version than the present one is said with that. */
static bool is_new(const struct console_fleet *fleet, uint64_t version, uint64_t since)
{
    return version > since && version <= fleet->version;
}

static void put_glances(const struct console_fleet *fleet, uint64_t since, struct fed_buf *out)
{
    int64_t now_s = fed_loop_unix_s(fleet->loop);
    const char *comma = "";

    fed_buf_put_text(out, ",\"changes\":[");
    for (size_t i = 0; i < fleet->n; i++) {
        const struct console_fleet_cluster *cluster = fleet->list[i];

        if (!is_new(fleet, cluster->changed, since))
            continue;
        fed_buf_printf(out, "%s[%llu,", comma, (unsigned long long)cluster->id);
        put_glance(out, &cluster->glance, now_s);
        fed_buf_put_u8(out, ']');
        comma = ",";
    }
    fed_buf_put_u8(out, ']');
}

/* The member begins with its first element, and is not there without one. */
static void begin_element(struct fed_buf *out, const char *member, size_t n_before)
{
    if (n_before == 0)
        fed_buf_printf(out, ",\"%s\":[", member);
    else
        fed_buf_put_u8(out, ',');
}

static void end_member(struct fed_buf *out, size_t n)
{
    if (n > 0)
        fed_buf_put_u8(out, ']');
}

static void put_left(const struct console_fleet *fleet, uint64_t since, struct fed_buf *out)
{
    uint64_t first = fleet->n_left > CONSOLE_LEFT_MAX ? fleet->n_left - CONSOLE_LEFT_MAX : 0;
    size_t n = 0;

    for (uint64_t i = first; i < fleet->n_left; i++) {
        const struct console_fleet_left *left = &fleet->left[i % CONSOLE_LEFT_MAX];

        if (!is_new(fleet, left->version, since))
            continue;
        begin_element(out, "removed", n++);
        fed_buf_printf(out, "%llu", (unsigned long long)left->id);
    }
    end_member(out, n);
}

static void put_come(const struct console_fleet *fleet, uint64_t since, struct fed_buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < fleet->n; i++) {
        const struct console_fleet_cluster *cluster = fleet->list[i];

        if (!is_new(fleet, cluster->born, since))
            continue;
        begin_element(out, "added", n++);
        fed_buf_printf(out, "[%llu,", (unsigned long long)cluster->id);
        hub_json_put_text(out, cluster->name);
        fed_buf_put_u8(out, ']');
    }
    end_member(out, n);
}

static void put_relabelled(const struct console_fleet *fleet, uint64_t since, struct fed_buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < fleet->n; i++) {
        const struct console_fleet_cluster *cluster = fleet->list[i];
        struct fed_span rest = fed_span_of(cluster->labels, cluster->labels_len);
        struct fed_span text;
        const char *comma = "";

        if (!is_new(fleet, cluster->labelled, since))
            continue;
        begin_element(out, "labels", n++);
        fed_buf_printf(out, "[%llu,[", (unsigned long long)cluster->id);
        while (rest.len > 0 && fed_span_split(&rest, 0, &text)) {
            fed_buf_put_text(out, comma);
            hub_json_put(out, text);
            comma = ",";
        }
        fed_buf_put_text(out, "]]");
    }
    end_member(out, n);
}

static void put_changes(const struct console_fleet *fleet, uint64_t since, struct fed_buf *out)
{
    fed_buf_printf(out, "event: fleet\nid: %llu\ndata: {\"version\":%llu",
        (unsigned long long)fleet->version, (unsigned long long)fleet->version);
    put_glances(fleet, since, out);
    put_left(fleet, since, out);
    put_come(fleet, since, out);
    put_relabelled(fleet, since, out);
    fed_buf_put_text(out, "}\n\n");
}

struct fed_http_shared *console_fleet_changes(struct console_fleet *fleet, uint64_t since)
{
    struct fed_buf text;

    if (fleet->changes && fleet->changes_from == since && fleet->changes_to == fleet->version)
        return fleet->changes;
    fed_http_shared_unref(fleet->changes);
    fleet->changes = NULL;
    fed_buf_init(&text, fleet->mem, SNAPSHOT_BYTES_MAX);
    put_changes(fleet, since, &text);
    if (!fed_buf_err(&text))
        fleet->changes = fed_http_shared_take(&text);
    fed_buf_fini(&text);
    fleet->changes_from = since;
    fleet->changes_to = fleet->version;
    return fleet->changes;
}

/* ---- GET /console/fleet ---- */

enum fed_err console_handle_fleet(struct hub_console *console, struct hub_request *r)
{
    struct console_fleet *fleet = console->fleet;
    struct fed_http_shared *snapshot;
    char etag[40];
    enum fed_err err = console_require_read(r);

    if (!err)
        err = console_require_fleet(r);
    if (err)
        return err;
    console_fleet_look(fleet);
    snprintf(etag, sizeof etag, "W/\"%llu\"", (unsigned long long)fleet->version);
    if (console_etag_matches(console_header(r->http, "if-none-match"), fed_span_text(etag)))
        return console_respond_etag(r, 304, NULL, etag);
    snapshot = console_fleet_snapshot(fleet);
    return snapshot ? console_respond_etag(r, 200, snapshot, etag) : FED_ERR_NOMEM;
}
