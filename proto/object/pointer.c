/* pointer.c - see pointer.h. */
#include "proto/object/pointer.h"

struct fed_span fed_pointer_key_span(const struct fed_pointer_key *key)
{
    return fed_span_of(key->text, key->len);
}

/* What an escape at the front stands for; NUL when it is none. */
static char escaped(struct fed_span at)
{
    if (fed_span_starts(at, "~0"))
        return '~';
    return fed_span_starts(at, "~1") ? '/' : '\0';
}

enum fed_err fed_pointer_unescape_loose(struct fed_span step, struct fed_pointer_key *out)
{
    size_t n = 0;

    for (size_t i = 0; i < step.len; i++) {
        char c = escaped(fed_span_sub(step, i, 2));

        if (n == sizeof out->text)
            return FED_ERR_LIMIT;
        out->text[n++] = c ? c : (char)step.at[i];
        if (c)
            i++;
    }
    out->len = n;
    return FED_OK;
}

enum fed_err fed_pointer_unescape(struct fed_span step, struct fed_pointer_key *out)
{
    for (size_t i = 0; i < step.len; i++) {
        if (step.at[i] == '~' && !escaped(fed_span_sub(step, i, 2)))
            return FED_ERR_INVALID;
    }
    return fed_pointer_unescape_loose(step, out);
}

enum fed_err fed_pointer_index(struct fed_span step, size_t *out)
{
    uint64_t value;
    enum fed_err err = fed_span_to_u64(step, &value);

    if (err)
        return err;
    if (value > SIZE_MAX / 2)
        return FED_ERR_LIMIT;
    *out = (size_t)value;
    return FED_OK;
}

size_t fed_pointer_depth(const struct fed_json *v, size_t *nodes)
{
    struct fed_json_iter frames[FED_JSON_TREE_DEPTH_MAX];
    struct fed_json *at = (struct fed_json *)(uintptr_t)v;
    size_t depth = 0;
    size_t deepest = 0;
    size_t count = 1;

    do {
        if (fed_json_is_object(at) || fed_json_is_array(at)) {
            if (depth == FED_JSON_TREE_DEPTH_MAX) {
                deepest = FED_JSON_TREE_DEPTH_MAX + 1;
                break;
            }
            fed_json_iter_init(&frames[depth++], at);
            if (depth > deepest)
                deepest = depth;
        }
        while (depth && !fed_json_iter_next(&frames[depth - 1]))
            depth--;
        if (depth) {
            at = frames[depth - 1].value;
            count++;
        }
    } while (depth);
    if (nodes)
        *nodes = count;
    return deepest;
}
