/* remote.c - see remote.h. */
#include "agent/remote.h"

#include "agent/limits.h"
#include "proto/object/fields.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 253u /* of a member that can be named */

static enum fed_err size_of(struct fed_alloc *mem, const struct fed_json *value, size_t *out)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, mem, AGENT_BODY_MAX);
    err = fed_json_put_canonical(&text, value);
    if (!err)
        err = fed_buf_err(&text);
    *out = text.len;
    fed_buf_fini(&text);
    return err;
}

/* The name of the largest member, "" when there is none. */
static enum fed_err find_largest(
    struct fed_alloc *mem, struct fed_json *status, struct fed_span *name)
{
    struct fed_json_iter iter = fed_json_each(status);
    enum fed_err err = FED_OK;
    size_t most = 0;

    *name = (struct fed_span){0};
    while (!err && fed_json_iter_next(&iter)) {
        size_t size = 0;

        err = size_of(mem, iter.value, &size);
        if (size > most || (size == most && fed_span_cmp(iter.key, *name) < 0)) {
            most = size;
            *name = iter.key;
        }
    }
    return err;
}

struct omitted {
    char names[AGENT_REMOTE_OMITTED_MAX][NAME_MAX_BYTES + 1];
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Takes the largest member out; FED_ERR_LIMIT when that is not to be. */
static enum fed_err omit(struct fed_alloc *mem, struct fed_json *status, struct omitted *o)
{
    struct fed_span name;
    enum fed_err err = find_largest(mem, status, &name);

    if (!err && (name.len == 0 || o->n == AGENT_REMOTE_OMITTED_MAX ||
                    fed_span_to_cstr(name, o->names[o->n], sizeof o->names[0])))
        err = FED_ERR_LIMIT;
    if (err)
        return err;
    fed_json_remove(status, o->names[o->n++]);
    qsort(o->names, o->n, sizeof o->names[0], by_name);
    return FED_OK;
}

static enum fed_err note(struct fed_json_doc *doc, struct fed_json *to, const struct omitted *o)
{
    struct fed_json *names = fed_json_new_array(doc);
    enum fed_err err = names ? fed_json_set(doc, to, AGENT_REMOTE_OMITTED, names) : FED_ERR_NOMEM;

    for (size_t i = 0; i < o->n && !err; i++)
        err = fed_json_append(names, fed_json_new_string(doc, fed_span_text(o->names[i])));
    return err;
}

/* What is left, with the note, as a document of its own. */
static enum fed_err put_noted(struct fed_alloc *mem, const struct fed_json *status,
    const struct omitted *o, struct fed_buf *out)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *copy = NULL;
    struct fed_buf text;
    enum fed_err err = fed_json_doc_new(mem, &doc);

    fed_buf_init(&text, mem, AGENT_BODY_MAX);
    if (!err)
        err = fed_json_put_canonical(&text, status);
    if (!err)
        err = fed_json_parse(doc, fed_buf_span(&text), &copy, NULL);
    if (!err)
        err = note(doc, copy, o);
    if (!err)
        err = fed_json_put_canonical(out, copy);
    fed_buf_fini(&text);
    fed_json_doc_free(doc);
    return err;
}

/* *status becomes NULL when nothing of it is wanted. */
static enum fed_err select_fields(struct fed_span text, struct fed_json **status)
{
    struct fed_fields fields;
    enum fed_err err = fed_fields_parse(text, &fields, NULL);

    if (!err && !fed_fields_select(&fields, *status))
        *status = NULL;
    return err;
}

static enum fed_err put_bounded(struct fed_alloc *mem, struct fed_json *status, struct fed_buf *out)
{
    struct omitted *o;
    struct fed_buf text;
    size_t size = 0;
    enum fed_err err = status ? size_of(mem, status, &size) : FED_OK;

    if (!status || err)
        return err;
    if (size <= FED_REPORT_REMOTE_MAX)
        return fed_json_put_canonical(out, status);
    o = fed_alloc_zero(mem, sizeof *o);
    if (!o)
        return FED_ERR_NOMEM;
    fed_buf_init(&text, mem, AGENT_BODY_MAX);
    do {
        fed_buf_clear(&text);
        err = fed_json_is_object(status) ? omit(mem, status, o) : FED_ERR_LIMIT;
        if (!err)
            err = put_noted(mem, status, o, &text);
    } while (!err && text.len > FED_REPORT_REMOTE_MAX);
    if (!err)
        fed_buf_put(out, fed_buf_span(&text));
    fed_buf_fini(&text);
    fed_alloc_free(mem, o, sizeof *o);
    return err == FED_ERR_LIMIT ? FED_OK : err;
}

enum fed_err agent_remote_put(
    struct fed_alloc *mem, struct fed_span fields, struct fed_json *status, struct fed_buf *out)
{
    enum fed_err err = status && fields.len > 0 ? select_fields(fields, &status) : FED_OK;

    return err ? err : put_bounded(mem, status, out);
}
