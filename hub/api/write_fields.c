/* write_fields.c - members of a body that its kind does not know, or that stand in it twice: said
 * in warnings or in a refusal, as the fieldValidation of the request asks. */
#include "hub/api/write.h"

#include <stdlib.h>

static bool has_line(struct fed_span lines, struct fed_span wanted)
{
    struct fed_span line;

    while (fed_span_split(&lines, '\n', &line))
        if (fed_span_eq(line, wanted))
            return true;
    return false;
}

/* all: what is said already, behind commas. */
static void report_line(struct hub_request *r, struct fed_buf *all, const char *sentence)
{
    if (r->query.field_validation == HUB_VALIDATE_WARN)
        hub_request_warn(r, sentence);
    fed_buf_printf(all, "%s%s", all->len ? ", " : "", sentence);
}

static int line_cmp(const void *a, const void *b)
{
    return fed_span_cmp(*(const struct fed_span *)a, *(const struct fed_span *)b);
}

enum fed_err hub_write_sort_lines(struct hub_request *r, struct fed_span *lines)
{
    struct fed_span rest = *lines;
    struct fed_span *list;
    struct fed_buf out;
    size_t n = 0;

    for (size_t i = 0; i < lines->len; i++)
        n += lines->at[i] == '\n';
    list = fed_alloc_get(r->mem, (n + 1) * sizeof *list);
    if (!list)
        return FED_ERR_NOMEM;
    n = 0;
    fed_buf_init(&out, r->mem, lines->len + 1);
    while (fed_span_split(&rest, '\n', &list[n]))
        n++;
    qsort(list, n, sizeof *list, line_cmp);
    for (size_t i = 0; i < n; i++) {
        fed_buf_put(&out, list[i]);
        fed_buf_put_text(&out, "\n");
    }
    *lines = fed_buf_span(&out);
    return fed_buf_err(&out);
}

static void report_fields(struct hub_request *r, struct fed_buf *all, struct fed_span fields)
{
    struct fed_span line;

    while (fed_span_split(&fields, '\n', &line)) {
        struct fed_buf one;

        if (line.len == 0 || has_line(fields, line))
            continue; /* the last of several that are equal is enough */
        fed_buf_init(&one, r->mem, 4096);
        fed_buf_printf(&one, "unknown field \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(line));
        report_line(r, all, fed_buf_cstr(&one));
    }
}

/* Whether "duplicate field "PATH"" is of a field that is unknown: to a struct it does not matter
 * then.
 */
static bool is_unknown(
    struct fed_span sentence, struct fed_span of_metadata, struct fed_span of_rest)
{
    size_t quote = fed_span_find(sentence, '"');
    struct fed_span path =
        fed_span_sub(sentence, quote + 1, sentence.len > quote + 2 ? sentence.len - quote - 2 : 0);

    return has_line(of_metadata, path) || has_line(of_rest, path);
}

enum fed_err hub_write_report_fields(struct hub_request *r, const struct fed_json *given,
    struct fed_span of_metadata, struct fed_span of_rest)
{
    struct fed_span doubled = fed_buf_span(&r->doubled);
    struct fed_buf all;
    struct fed_buf message;
    struct fed_span line;

    fed_buf_init(&all, r->mem, 65536);
    while (fed_span_split(&doubled, '\n', &line))
        if (line.len > 0 && !(r->version->core && is_unknown(line, of_metadata, of_rest)))
            report_line(r, &all, hub_request_cstr(r, line));
    report_fields(r, &all, of_metadata);
    report_fields(r, &all, of_rest);
    if (all.len == 0 || r->query.field_validation != HUB_VALIDATE_STRICT)
        return FED_OK;
    if (given) {
        fed_buf_init(&message, r->mem, 65536);
        fed_buf_printf(&message, "strict decoding error: %s", fed_buf_cstr(&all));
        return hub_write_patch_invalid(r, given, fed_buf_cstr(&message));
    }
    return hub_fail(r, 400, "BadRequest",
        "%s in version \"%s\" cannot be handled as a %s: strict decoding error: %s", r->kind->kind,
        r->version->name, r->kind->kind, fed_buf_cstr(&all));
}
