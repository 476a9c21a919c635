/* doc_put.c - writing documents: cJSON's printer turns 2^53 into 9.00719925474099e+15 and indents
 * with tabs. */
#include "proto/doc/doc.h"

#include "proto/doc/doc_check.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdio.h>

struct put {
    struct fed_buf *out;
    bool pretty;
    unsigned depth;
};

static void put_string(struct fed_buf *out, const char *text)
{
    fed_buf_put_u8(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fed_buf_put_u8(out, '\\');
        if (c == '\n')
            fed_buf_put_text(out, "\\n");
        else if (c < 0x20)
            fed_buf_printf(out, "\\u%04x", c);
        else
            fed_buf_put_u8(out, c);
    }
    fed_buf_put_u8(out, '"');
}

static void put_number(struct fed_buf *out, double d)
{
    char text[40];

    if (d >= -(double)FED_DOC_INT_MAX && d <= (double)FED_DOC_INT_MAX && (double)(int64_t)d == d)
        snprintf(text, sizeof text, "%" PRId64, (int64_t)d);
    else
        snprintf(text, sizeof text, "%.17g", d);
    fed_buf_put_text(out, text);
}

static void put_line(const struct put *p)
{
    if (!p->pretty)
        return;
    fed_buf_put_u8(p->out, '\n');
    for (unsigned i = 0; i < p->depth; i++)
        fed_buf_put_text(p->out, "  ");
}

static enum fed_err put_value(struct put *p, const cJSON *v);

static enum fed_err put_members(struct put *p, const cJSON *v)
{
    bool object = cJSON_IsObject(v);
    enum fed_err err = FED_OK;

    if (p->depth == FED_DOC_DEPTH_MAX)
        return FED_ERR_LIMIT;
    fed_buf_put_u8(p->out, object ? '{' : '[');
    p->depth++;
    for (const cJSON *at = v->child; at && !err; at = at->next) {
        if (at != v->child)
            fed_buf_put_u8(p->out, ',');
        put_line(p);
        if (object) {
            put_string(p->out, at->string);
            fed_buf_put_text(p->out, p->pretty ? ": " : ":");
        }
        err = put_value(p, at);
    }
    p->depth--;
    if (v->child)
        put_line(p);
    fed_buf_put_u8(p->out, object ? '}' : ']');
    return err;
}

/* Recursive, with the depth of the limit. */
static enum fed_err put_value(struct put *p, const cJSON *v)
{
    if (cJSON_IsObject(v) || cJSON_IsArray(v))
        return put_members(p, v);
    if (cJSON_IsString(v))
        put_string(p->out, v->valuestring);
    else if (cJSON_IsNumber(v))
        put_number(p->out, v->valuedouble);
    else if (cJSON_IsBool(v))
        fed_buf_put_text(p->out, cJSON_IsTrue(v) ? "true" : "false");
    else
        fed_buf_put_text(p->out, "null");
    return FED_OK;
}

static enum fed_err put_document(struct fed_buf *out, const struct fed_doc *v, bool pretty)
{
    struct put p = {.out = out, .pretty = pretty};
    enum fed_err err = v ? put_value(&p, (const cJSON *)v) : FED_ERR_INVALID;

    if (err && !out->err)
        out->err = err;
    return fed_buf_err(out);
}

enum fed_err fed_doc_put(struct fed_buf *out, const struct fed_doc *v)
{
    return put_document(out, v, false);
}

enum fed_err fed_doc_put_pretty(struct fed_buf *out, const struct fed_doc *v)
{
    return put_document(out, v, true);
}
