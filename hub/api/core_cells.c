/* core_cells.c - what kubectl shows of core kinds, column by column: see core.table.
 *
 * An event is shown alike through both of its APIs, so its cells look under both names. Source:
 * k8s.io/kubernetes pkg/printers/internalversion. */
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <string.h>

static void put_string(struct fed_buf *out, const struct fed_json *value)
{
    hub_json_put(out, fed_json_string(value));
}

static const struct fed_json *either(
    const struct fed_json *object, const char *core, const char *events)
{
    const struct fed_json *value = fed_json_find(object, core);

    return value ? value : fed_json_find(object, events);
}

static void cell_name(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    hub_json_put(out, hub_meta(object, "name"));
}

static void cell_age(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    hub_table_put_age(out, fed_json_find(object, "metadata.creationTimestamp"), now_unix_s);
}

static void cell_created(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    hub_json_put(out, hub_meta(object, "creationTimestamp"));
}

static void cell_secrets(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    fed_buf_printf(out, "%zu", fed_json_count(fed_json_get(object, "secrets")));
}

static void cell_data(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    fed_buf_printf(out, "%zu",
        fed_json_count(fed_json_get(object, "data")) +
            fed_json_count(fed_json_get(object, "binaryData")));
}

/* "A/B" */
static void put_pair(struct fed_buf *out, struct fed_span a, struct fed_span b)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), 2048);
    fed_buf_printf(&text, FED_SPAN_FMT "/" FED_SPAN_FMT, FED_SPAN_ARG(a), FED_SPAN_ARG(b));
    hub_json_put(out, fed_buf_span(&text));
    fed_buf_fini(&text);
}

static void cell_role(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    put_pair(out, fed_json_string(fed_json_find(object, "roleRef.kind")),
        fed_json_string(fed_json_find(object, "roleRef.name")));
}

static void put_subjects(struct fed_buf *out, const struct fed_json *object, const char *kind)
{
    const struct fed_json *list = fed_json_get(object, "subjects");
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), HUB_LIMIT_BODY_BYTES);
    for (struct fed_json_iter it = fed_json_items(list); fed_json_iter_next(&it);) {
        const struct fed_json *one = it.value;
        struct fed_span ns = fed_json_string(fed_json_get(one, "namespace"));

        if (!fed_span_is(fed_json_string(fed_json_get(one, "kind")), kind))
            continue;
        fed_buf_put_text(&text, text.len ? ", " : "");
        if (strcmp(kind, "ServiceAccount") == 0) {
            fed_buf_put(&text, ns);
            fed_buf_put_text(&text, "/");
        }
        fed_buf_put(&text, fed_json_string(fed_json_get(one, "name")));
    }
    hub_json_put(out, fed_buf_span(&text));
    fed_buf_fini(&text);
}

static void cell_users(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    put_subjects(out, object, "User");
}

static void cell_groups(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    put_subjects(out, object, "Group");
}

static void cell_accounts(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s)
{
    (void)now_unix_s;
    put_subjects(out, object, "ServiceAccount");
}

/* ---- events ---- */
static const struct fed_json *event_first(const struct fed_json *event)
{
    const struct fed_json *time = either(event, "firstTimestamp", "deprecatedFirstTimestamp");

    return fed_json_is_string(time) ? time : fed_json_get(event, "eventTime");
}

static void cell_first_seen(struct fed_buf *out, const struct fed_json *event, int64_t now_unix_s)
{
    hub_table_put_age(out, event_first(event), now_unix_s);
}

static void cell_last_seen(struct fed_buf *out, const struct fed_json *event, int64_t now_unix_s)
{
    const struct fed_json *time = fed_json_find(event, "series.lastObservedTime");

    if (!fed_json_is_object(fed_json_get(event, "series")))
        time = either(event, "lastTimestamp", "deprecatedLastTimestamp");
    if (!fed_json_is_string(time) && !fed_json_is_object(fed_json_get(event, "series")))
        time = event_first(event);
    hub_table_put_age(out, time, now_unix_s);
}

static void cell_object(struct fed_buf *out, const struct fed_json *event, int64_t now_unix_s)
{
    const struct fed_json *object = either(event, "involvedObject", "regarding");
    struct fed_span kind = fed_json_string(fed_json_get(object, "kind"));
    struct fed_span name = fed_json_string(fed_json_get(object, "name"));
    struct fed_buf lower;

    (void)now_unix_s;
    fed_buf_init(&lower, fed_alloc_system(), 4096);
    for (size_t i = 0; i < kind.len; i++)
        fed_buf_put_u8(
            &lower, kind.at[i] >= 'A' && kind.at[i] <= 'Z' ? kind.at[i] | 32 : kind.at[i]);
    if (name.len > 0)
        put_pair(out, fed_buf_span(&lower), name);
    else
        hub_json_put(out, fed_buf_span(&lower));
    fed_buf_fini(&lower);
}

static void cell_subobject(struct fed_buf *out, const struct fed_json *event, int64_t now_unix_s)
{
    (void)now_unix_s;
    put_string(out, either(event, "involvedObject.fieldPath", "regarding.fieldPath"));
}

static void cell_source(struct fed_buf *out, const struct fed_json *event, int64_t now_unix_s)
{
    struct fed_span who =
        fed_json_string(either(event, "source.component", "deprecatedSource.component"));
    struct fed_span where = fed_json_string(either(event, "source.host", "deprecatedSource.host"));
    struct fed_buf text;

    (void)now_unix_s;
    if (who.len == 0)
        who = fed_json_string(either(event, "reportingComponent", "reportingController"));
    if (where.len == 0)
        where = fed_json_string(fed_json_get(event, "reportingInstance"));
    fed_buf_init(&text, fed_alloc_system(), 16384);
    fed_buf_printf(&text, FED_SPAN_FMT "%s" FED_SPAN_FMT, FED_SPAN_ARG(who), where.len ? ", " : "",
        FED_SPAN_ARG(where));
    hub_json_put(out, fed_buf_span(&text));
    fed_buf_fini(&text);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void cell_message(struct fed_buf *out, const struct fed_json *event, int64_t now_unix_s)
{
    struct fed_span text = fed_json_string(either(event, "message", "note"));

    (void)now_unix_s;
    while (text.len > 0 && is_space(text.at[0]))
        text = fed_span_sub(text, 1, text.len);
    while (text.len > 0 && is_space(text.at[text.len - 1]))
        text.len--;
    hub_json_put(out, text);
}

static void cell_count(struct fed_buf *out, const struct fed_json *event, int64_t now_unix_s)
{
    const struct fed_json *series = fed_json_get(event, "series");
    int64_t count = fed_json_int(either(event, "count", "deprecatedCount"), 0);

    (void)now_unix_s;
    if (fed_json_is_object(series))
        count = fed_json_int(fed_json_get(series, "count"), 0);
    else if (count == 0)
        count = 1;
    fed_buf_printf(out, "%lld", (long long)count);
}

void hub_core_put_cell(
    struct fed_buf *out, const char *cell, const struct fed_json *object, int64_t now_unix_s)
{
    static const struct {
        const char *name;
        void (*put)(struct fed_buf *out, const struct fed_json *object, int64_t now_unix_s);
    } cells[] = {
        {"name", cell_name},
        {"age", cell_age},
        {"created", cell_created},
        {"secrets", cell_secrets},
        {"data", cell_data},
        {"role", cell_role},
        {"users", cell_users},
        {"groups", cell_groups},
        {"service_accounts", cell_accounts},
        {"first_seen", cell_first_seen},
        {"last_seen", cell_last_seen},
        {"object", cell_object},
        {"subobject", cell_subobject},
        {"source", cell_source},
        {"message", cell_message},
        {"count", cell_count},
    };

    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        if (strcmp(cell, cells[i].name) == 0) {
            cells[i].put(out, object, now_unix_s);
            return;
        }
    put_string(out, hub_json_path(object, cell));
}
