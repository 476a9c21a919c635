/* answer.c - see answer.h. */
#include "agent/answer.h"

#include "proto/base/text.h"
#include "proto/object/json.h"

#include <stdio.h>
#include <string.h>

#define STATUS_ARENA_MAX (4u << 20)

/* Cuts at a character boundary; control characters become spaces, so that a message stays one line.
 */
static void copy_cut(struct fed_span text, char *out, size_t size)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    while (len > 0 && len < text.len && (text.at[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = text.at[i] < 0x20 ? ' ' : (char)text.at[i];
    out[len] = '\0';
}

/* How kinds say it; the texts stand in the causes, behind the value that was refused, which may be
 * longer than any message that is kept. */
static bool is_immutable(struct fed_span text)
{
    static const char *const parts[] = {
        "immutable", "may not change", "may not be changed", "cannot change", "updates to "};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (text.len > 0 && memmem(text.at, text.len, parts[i], strlen(parts[i])))
            return true;
    }
    return false;
}

/* Only when nothing else is wrong: then an object made anew would be accepted. */
static void read_field(const struct fed_json *root, struct agent_answer *out)
{
    struct fed_json_iter iter = fed_json_items(fed_json_find(root, "details.causes"));

    if (out->status != 422)
        return;
    while (fed_json_iter_next(&iter)) {
        struct fed_span field = fed_json_string(fed_json_get(iter.value, "field"));

        if (field.len == 0 || fed_span_starts(field, "metadata.") ||
            !is_immutable(fed_json_string(fed_json_get(iter.value, "message")))) {
            out->field[0] = '\0';
            return;
        }
        if (out->field[0] == '\0')
            copy_cut(field, out->field, sizeof out->field);
    }
}

/* Items of one name, or none, of which each could be alone: the outermost list that has them. A
 * field that does not go with another: the map that has both, which is never all of the spec. */
static size_t part_of(struct fed_span reason, struct fed_span field)
{
    size_t len = fed_span_find(field, '[');

    if (len < field.len &&
        (fed_span_is(reason, "FieldValueDuplicate") || fed_span_is(reason, "FieldValueRequired")))
        return len;
    if (len < field.len || !fed_span_is(reason, "FieldValueForbidden"))
        return 0;
    while (len > 0 && field.at[--len] != '.')
        ;
    return fed_span_find(fed_span_sub(field, 0, len), '.') < len ? len : 0;
}

/* A path that would need escaping in a JSON pointer is none that is known. */
static void read_part(const struct fed_json *root, struct agent_answer *out)
{
    struct fed_json_iter iter = fed_json_items(fed_json_find(root, "details.causes"));

    while (out->status == 422 && fed_json_iter_next(&iter)) {
        struct fed_span field = fed_json_string(fed_json_get(iter.value, "field"));
        size_t len = part_of(fed_json_string(fed_json_get(iter.value, "reason")), field);

        if (out->part[0] == '\0')
            copy_cut(fed_span_sub(field, 0, len), out->part, sizeof out->part);
        if (len == 0 || strpbrk(out->part, "\"\\/~")) {
            out->part[0] = '\0';
            return;
        }
    }
}

static bool read_status(
    struct fed_arena *arena, const struct fed_kube_answer *answer, struct agent_answer *out)
{
    struct fed_json_doc *doc = NULL;
    struct fed_json *root = NULL;
    bool is_status;

    if (fed_json_doc_new(&arena->alloc, &doc))
        return false;
    is_status = fed_json_parse(doc, answer->body, &root, NULL) == FED_OK &&
                fed_span_is(fed_json_string(fed_json_get(root, "kind")), "Status");
    if (is_status) {
        copy_cut(fed_json_string(fed_json_get(root, "reason")), out->reason, sizeof out->reason);
        copy_cut(fed_json_string(fed_json_find(root, "details.kind")), out->details_kind,
            sizeof out->details_kind);
        copy_cut(fed_json_string(fed_json_get(root, "message")), out->message, sizeof out->message);
        read_field(root, out);
        read_part(root, out);
    }
    fed_json_doc_free(doc);
    return is_status;
}

void agent_answer_read(
    struct fed_alloc *mem, const struct fed_kube_answer *answer, struct agent_answer *out)
{
    struct fed_arena arena;

    *out = (struct agent_answer){.status = answer->status};
    fed_arena_init(&arena, mem, STATUS_ARENA_MAX);
    if (!read_status(&arena, answer, out) && fed_text_is_utf8(answer->body))
        copy_cut(answer->body, out->message, sizeof out->message);
    fed_arena_fini(&arena);
    if (out->message[0] == '\0')
        snprintf(out->message, sizeof out->message, "HTTP status %u", answer->status);
}
