/* fields.c - see fields.h. */
#include "proto/object/fields.h"

/* ---- reading ---- */

static bool is_name_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_';
}

static bool take(struct fed_span *from, const char *text)
{
    struct fed_span wanted = fed_span_text(text);

    if (!fed_span_eq(fed_span_sub(*from, 0, wanted.len), wanted))
        return false;
    *from = fed_span_sub(*from, wanted.len, from->len);
    return true;
}

static void skip_spaces(struct fed_span *from)
{
    while (take(from, " "))
        ;
}

/* The next len bytes, false for none. */
static bool take_name(struct fed_span *from, size_t len, struct fed_span *out)
{
    *out = fed_span_sub(*from, 0, len);
    *from = fed_span_sub(*from, len, from->len);
    return len > 0;
}

/* first: nothing stands between it and the beginning of the path. */
static bool take_step(struct fed_span *from, bool first, struct fed_span *out)
{
    size_t len = 0;

    *out = (struct fed_span){0};
    if (take(from, "[*]"))
        return true;
    if (take(from, "['"))
        return take_name(from, fed_span_find(*from, '\''), out) && take(from, "']");
    if (!take(from, ".") && !first)
        return false;
    while (len < from->len && is_name_byte(from->at[len]))
        len++;
    return take_name(from, len, out);
}

static enum fed_err take_field(struct fed_span *from, struct fed_field *out, struct fed_diag *diag)
{
    *out = (struct fed_field){0};
    skip_spaces(from);
    do {
        if (out->n == FED_FIELDS_DEPTH_MAX)
            return fed_diag_set(
                diag, FED_ERR_LIMIT, "a path of more than %u steps", FED_FIELDS_DEPTH_MAX);
        if (!take_step(from, out->n == 0, &out->steps[out->n]))
            return fed_diag_set(diag, FED_ERR_INVALID,
                "not a list of paths such as readyReplicas, conditions[*].type or labels['a.b']");
        out->n++;
    } while (from->len > 0 && from->at[0] != ',' && from->at[0] != ' ');
    skip_spaces(from);
    return FED_OK;
}

enum fed_err fed_fields_parse(struct fed_span text, struct fed_fields *out, struct fed_diag *diag)
{
    enum fed_err err;

    out->n = 0;
    if (text.len > FED_FIELDS_TEXT_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "more than %u bytes of paths", FED_FIELDS_TEXT_MAX);
    do {
        if (out->n == FED_FIELDS_MAX)
            return fed_diag_set(diag, FED_ERR_LIMIT, "more than %u paths", FED_FIELDS_MAX);
        err = take_field(&text, &out->at[out->n++], diag);
    } while (!err && take(&text, ","));
    if (!err && text.len > 0)
        err = fed_diag_set(diag, FED_ERR_INVALID, "a comma is missing between two paths");
    return err;
}

/* ---- selecting ---- */

/* The paths of the set that go on through this child; *whole: one of them ends there. */
static uint32_t through(
    const struct fed_fields *fields, uint32_t set, size_t depth, struct fed_span name, bool *whole)
{
    uint32_t on = 0;

    *whole = false;
    for (size_t i = 0; i < fields->n; i++) {
        const struct fed_field *field = &fields->at[i];

        if (!(set >> i & 1u))
            continue;
        if (field->steps[depth].len > 0 && !fed_span_eq(field->steps[depth], name))
            continue;
        if (field->n == depth + 1)
            *whole = true;
        else
            on |= 1u << i;
    }
    return on;
}

/* Not deeper than FED_FIELDS_DEPTH_MAX. Names are never empty, as an element's is. */
static bool prune(
    const struct fed_fields *fields, uint32_t set, size_t depth, struct fed_json *value)
{
    struct fed_json_iter iter;

    fed_json_iter_init(&iter, value);
    while (fed_json_iter_next(&iter)) {
        bool whole;
        uint32_t on = through(fields, set, depth, iter.key, &whole);

        if (!whole && (on == 0 || !prune(fields, on, depth + 1, iter.value)))
            fed_json_iter_remove(&iter);
    }
    return fed_json_count(value) > 0;
}

bool fed_fields_select(const struct fed_fields *fields, struct fed_json *value)
{
    return prune(fields, (uint32_t)((1ull << fields->n) - 1), 0, value);
}
