/* json_put.c - see json.h: writing text. One walk without recursion for all three forms. */
#include "proto/object/json_tree.h"

#include <inttypes.h>
#include <string.h>

enum form { FORM_COMPACT, FORM_CANONICAL, FORM_PRETTY };

struct put_frame {
    yyjson_mut_val *at; /* next key or item; not used for canonical objects */
    size_t left;
    size_t seg; /* canonical objects: their pairs */
    size_t pair;
    bool object;
};
struct put {
    struct fed_buf *out;
    enum form form;
    struct fed_json_pairs pairs;
    size_t depth;
    struct put_frame frames[FED_JSON_TREE_DEPTH_MAX];
};

static void put_escape(struct fed_buf *out, uint8_t c)
{
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(plain, c) : NULL;

    if (at)
        fed_buf_put(out, fed_span_of((const uint8_t[]){'\\', (uint8_t)letters[at - plain]}, 2));
    else
        fed_buf_printf(out, "\\u%04x", c);
}

static void put_string(struct fed_buf *out, struct fed_span text)
{
    size_t start = 0;

    fed_buf_put_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        fed_buf_put(out, fed_span_sub(text, start, i - start));
        put_escape(out, c);
        start = i + 1;
    }
    fed_buf_put(out, fed_span_sub(text, start, text.len));
    fed_buf_put_u8(out, '"');
}

/* Shortest text that reads back as the same double; yyjson knows how. */
static enum fed_err put_real(struct fed_buf *out, const yyjson_mut_val *v)
{
    _Alignas(max_align_t) char room[1024];
    yyjson_alc alc;
    yyjson_write_err failure;
    size_t len = 0;
    char *text;

    if (!yyjson_alc_pool_init(&alc, room, sizeof room))
        return FED_ERR_INTERNAL;
    text = yyjson_mut_val_write_opts(v, YYJSON_WRITE_NOFLAG, &alc, &len, &failure);
    if (!text)
        return FED_ERR_INTERNAL;
    fed_buf_put(out, fed_span_of(text, len));
    return FED_OK;
}

static enum fed_err put_number(struct fed_buf *out, yyjson_mut_val *v)
{
    if (unsafe_yyjson_is_real(v))
        return put_real(out, v);
    if (unsafe_yyjson_is_uint(v))
        fed_buf_printf(out, "%" PRIu64, v->uni.u64);
    else
        fed_buf_printf(out, "%" PRId64, v->uni.i64);
    return FED_OK;
}

static enum fed_err put_scalar(struct fed_buf *out, yyjson_mut_val *v)
{
    switch (unsafe_yyjson_get_type(v)) {
    case YYJSON_TYPE_NULL:
        fed_buf_put_text(out, "null");
        return FED_OK;
    case YYJSON_TYPE_BOOL:
        fed_buf_put_text(out, unsafe_yyjson_get_bool(v) ? "true" : "false");
        return FED_OK;
    case YYJSON_TYPE_NUM:
        return put_number(out, v);
    case YYJSON_TYPE_RAW:
        fed_buf_put(out, fed_json_text_of(v));
        return FED_OK;
    case YYJSON_TYPE_STR:
        put_string(out, fed_json_text_of(v));
        return FED_OK;
    default:
        return FED_ERR_INTERNAL;
    }
}

static enum fed_err put_open(struct put *p, yyjson_mut_val *v)
{
    struct put_frame *f;
    enum fed_err err = FED_OK;

    if (p->depth == FED_JSON_TREE_DEPTH_MAX)
        return FED_ERR_LIMIT;
    f = &p->frames[p->depth];
    *f = (struct put_frame){.at = fed_json_first(v),
        .left = unsafe_yyjson_get_len(v),
        .seg = p->pairs.n,
        .pair = p->pairs.n,
        .object = unsafe_yyjson_is_obj(v)};
    if (f->object && p->form == FORM_CANONICAL) {
        err = fed_json_pairs_push_last(&p->pairs, v);
        f->left = p->pairs.n - f->seg;
    }
    fed_buf_put_u8(p->out, f->object ? '{' : '[');
    p->depth++;
    return err;
}

static void put_indent(struct put *p, size_t depth)
{
    if (p->form != FORM_PRETTY)
        return;
    fed_buf_put_u8(p->out, '\n');
    for (size_t i = 0; i < depth; i++)
        fed_buf_put_text(p->out, "  ");
}

static bool put_first(const struct put *p)
{
    uint8_t last = p->out->len ? p->out->at[p->out->len - 1] : 0;

    return last == '{' || last == '[';
}

/* Closes the frames that are through, then starts the next member and gives its value; NULL at the
 * end. */
static yyjson_mut_val *put_next(struct put *p)
{
    struct put_frame *f;
    yyjson_mut_val *at;

    for (;;) {
        if (p->depth == 0)
            return NULL;
        f = &p->frames[p->depth - 1];
        if (f->left)
            break;
        if (!put_first(p))
            put_indent(p, p->depth - 1);
        fed_buf_put_u8(p->out, f->object ? '}' : ']');
        p->pairs.n = f->seg;
        p->depth--;
    }
    if (!put_first(p))
        fed_buf_put_u8(p->out, ',');
    put_indent(p, p->depth);
    f->left--;
    at = f->object && p->form == FORM_CANONICAL ? p->pairs.at[f->pair++].key : f->at;
    if (!f->object) {
        f->at = at->next;
        return at;
    }
    f->at = at->next->next;
    put_string(p->out, fed_json_text_of(at));
    fed_buf_put_text(p->out, p->form == FORM_PRETTY ? ": " : ":");
    return at->next;
}

static enum fed_err put_run(struct put *p, yyjson_mut_val *v)
{
    while (v) {
        enum fed_err err = unsafe_yyjson_is_ctn(v) ? put_open(p, v) : put_scalar(p->out, v);

        if (err)
            return err;
        v = put_next(p);
        if (p->out->err)
            return p->out->err;
    }
    return FED_OK;
}

static enum fed_err put_form(struct fed_buf *out, const struct fed_json *v, enum form form)
{
    struct put p;
    enum fed_err err = fed_buf_err(out);

    if (err)
        return err;
    p.out = out;
    p.form = form;
    p.pairs = (struct fed_json_pairs){.mem = fed_alloc_system()};
    p.depth = 0;
    err = v ? put_run(&p, fed_json_raw(v)) : FED_ERR_INVALID;
    fed_json_pairs_fini(&p.pairs);
    if (err && !out->err)
        out->err = err;
    return fed_buf_err(out);
}

enum fed_err fed_json_put(struct fed_buf *out, const struct fed_json *v)
{
    return put_form(out, v, FORM_COMPACT);
}

enum fed_err fed_json_put_canonical(struct fed_buf *out, const struct fed_json *v)
{
    return put_form(out, v, FORM_CANONICAL);
}

enum fed_err fed_json_put_pretty(struct fed_buf *out, const struct fed_json *v)
{
    return put_form(out, v, FORM_PRETTY);
}
