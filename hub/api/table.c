/* table.c - meta.k8s.io/v1 Table: Name and the kind's printer columns. Core kinds have all their
 * columns in their table, the name among them. */
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

static void put_column(struct fed_buf *out, const char *name, const char *type, const char *format,
    const char *description, int priority)
{
    fed_buf_put_text(out, "{\"name\":");
    hub_json_put_text(out, name);
    fed_buf_put_text(out, ",\"type\":");
    hub_json_put_text(out, type);
    fed_buf_put_text(out, ",\"format\":");
    hub_json_put_text(out, format);
    fed_buf_put_text(out, ",\"description\":");
    hub_json_put_text(out, description);
    fed_buf_printf(out, ",\"priority\":%d}", priority);
}

static void put_core_columns(struct fed_buf *out, const struct hub_kind_version *version)
{
    for (size_t i = 0; i < version->n_columns; i++) {
        const struct hub_column *column = &version->columns[i];

        fed_buf_put_text(out, i ? "," : "");
        put_column(out, column->name, column->type, column->format,
            strcmp(column->json_path, "name") == 0  ? HUB_COLUMN_NAME_TEXT
            : strcmp(column->json_path, "age") == 0 ? HUB_COLUMN_AGE_TEXT
                                                    : "",
            column->priority);
    }
}

static void put_columns(struct fed_buf *out, const struct hub_kind_version *version)
{
    char described[512];

    put_column(out, "Name", "string", "name", HUB_COLUMN_NAME_TEXT, 0);
    for (size_t i = 0; i < version->n_columns; i++) {
        const struct hub_column *column = &version->columns[i];

        fed_buf_put_text(out, ",");
        snprintf(described, sizeof described,
            "Custom resource definition column (in JSONPath format): %s", column->json_path);
        put_column(out, column->name, column->type, column->format,
            column->description[0] ? column->description : described, column->priority);
    }
    if (version->n_columns == 0) {
        fed_buf_put_text(out, ",");
        put_column(out, "Age", "date", "", HUB_COLUMN_AGE_TEXT, 0);
    }
}

void hub_table_begin(struct fed_buf *out, const struct hub_view *view, bool columns)
{
    fed_buf_printf(out, "{\"kind\":\"Table\",\"apiVersion\":\"%s\",\"columnDefinitions\":",
        hub_view_meta_version(view));
    if (columns) {
        fed_buf_put_text(out, "[");
        if (view->kind->core)
            put_core_columns(out, view->version);
        else
            put_columns(out, view->version);
        fed_buf_put_text(out, "]");
    } else {
        fed_buf_put_text(out, "null");
    }
    fed_buf_put_text(out, ",\"rows\":[");
}

void hub_table_put_age(struct fed_buf *out, const struct fed_json *value, int64_t now_unix_s)
{
    char text[FED_TEXT_TIME_SIZE];
    int64_t at;

    if (!fed_json_is_string(value) || fed_text_time_parse(fed_json_string(value), &at)) {
        fed_buf_put_text(out, "\"<unknown>\"");
        return;
    }
    fed_text_age(now_unix_s - at, text);
    hub_json_put_text(out, text);
}

/* What kube-apiserver prints of a value in a column of type string. */
static void put_printed(struct fed_buf *out, const struct fed_json *value)
{
    struct fed_buf text;

    if (fed_json_is_string(value)) {
        hub_json_put(out, fed_json_string(value));
        return;
    }
    fed_buf_init(&text, fed_alloc_system(), HUB_LIMIT_ANSWER_BYTES);
    if (!fed_json_put_canonical(&text, value))
        hub_json_put(out, fed_buf_span(&text));
    else
        fed_buf_put_text(out, "null");
    fed_buf_fini(&text);
}

/* A value of another type than the column's is nothing. */
static void put_cell(struct fed_buf *out, const struct hub_column *column,
    const struct fed_json *object, int64_t now_unix_s)
{
    const struct fed_json *value = hub_json_path(object, column->json_path);
    enum fed_json_type type = fed_json_type(value);
    bool number = type == FED_JSON_INT || type == FED_JSON_REAL;
    int64_t ignored;
    enum fed_err err = FED_OK;

    if (fed_span_ends(fed_span_text(column->json_path), HUB_COLUMN_TIME))
        hub_json_put(out, fed_json_string(value));
    else if (!value)
        fed_buf_put_text(out, "null");
    else if (strcmp(column->type, "string") == 0)
        put_printed(out, value);
    else if (strcmp(column->type, "date") == 0 && type == FED_JSON_STRING &&
             fed_text_time_parse(fed_json_string(value), &ignored))
        fed_buf_put_text(out, "\"<invalid>\"");
    else if (strcmp(column->type, "date") == 0 && type == FED_JSON_STRING)
        hub_table_put_age(out, value, now_unix_s);
    else if (strcmp(column->type, "integer") == 0 && type == FED_JSON_REAL &&
             fed_json_real(value, 0) > -9e18 && fed_json_real(value, 0) < 9e18)
        fed_buf_printf(out, "%lld", (long long)fed_json_real(value, 0));
    else if ((number &&
                 (strcmp(column->type, "integer") == 0 || strcmp(column->type, "number") == 0)) ||
             (type == FED_JSON_BOOL && strcmp(column->type, "boolean") == 0))
        err = fed_json_put(out, value);
    else
        fed_buf_put_text(out, "null");
    if (err)
        fed_buf_put_text(out, "null");
}

static void put_row_object(struct fed_buf *out, const struct hub_view *view,
    const struct fed_json *object, struct fed_span include)
{
    enum fed_err err;

    if (fed_span_is(include, "None")) {
        fed_buf_put_text(out, ",\"object\":null");
        return;
    }
    fed_buf_put_text(out, ",\"object\":");
    if (fed_span_is(include, "Object")) {
        err = fed_json_put(out, object);
    } else {
        fed_buf_printf(out,
            "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"%s\",\"metadata\":",
            hub_view_meta_version(view));
        err = fed_json_put(out, fed_json_get(object, "metadata"));
        fed_buf_put_text(out, "}");
    }
    if (err && !fed_buf_err(out))
        fed_buf_put_text(out, "null");
}

static void put_cells(struct fed_buf *out, const struct hub_view *view,
    const struct fed_json *object, int64_t now_unix_s)
{
    static const struct hub_column age = {
        .type = "date", .json_path = ".metadata.creationTimestamp"};

    hub_json_put(out, hub_meta(object, "name"));
    for (size_t i = 0; i < view->version->n_columns; i++) {
        fed_buf_put_text(out, ",");
        put_cell(out, &view->version->columns[i], object, now_unix_s);
    }
    if (view->version->n_columns == 0) {
        fed_buf_put_text(out, ",");
        put_cell(out, &age, object, now_unix_s);
    }
}

void hub_table_row(struct fed_buf *out, const struct hub_view *view, const struct fed_json *object,
    struct fed_span include_object, int64_t now_unix_s)
{
    fed_buf_put_text(out, "{\"cells\":[");
    if (!view->kind->core)
        put_cells(out, view, object, now_unix_s);
    for (size_t i = 0; view->kind->core && i < view->version->n_columns; i++) {
        fed_buf_put_text(out, i ? "," : "");
        hub_core_put_cell(out, view->version->columns[i].json_path, object, now_unix_s);
    }
    fed_buf_put_text(out, "]");
    put_row_object(out, view, object, include_object);
    fed_buf_put_text(out, "}");
}

void hub_table_end(
    struct fed_buf *out, uint64_t revision, struct fed_span continue_token, int64_t remaining)
{
    const char *separator = "";

    fed_buf_put_text(out, "],\"metadata\":{");
    if (revision > 0) { /* not of what was never stored */
        fed_buf_printf(out, "\"resourceVersion\":\"%llu\"", (unsigned long long)revision);
        separator = ",";
    }
    if (continue_token.len > 0) {
        fed_buf_printf(out, "%s\"continue\":", separator);
        hub_json_put(out, continue_token);
        separator = ",";
    }
    if (remaining >= 0)
        fed_buf_printf(out, "%s\"remainingItemCount\":%lld", separator, (long long)remaining);
    fed_buf_put_text(out, "}}");
}
