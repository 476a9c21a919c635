/* yaml_put.c - JSON as YAML, byte for byte as kube-apiserver and kubectl print it: keys sorted,
 * lists not indented, text quoted only where YAML 1.1 would read something else.
 *
 * Source: sigs.k8s.io/yaml JSONToYAML, and encode.go and sorter.go of go.yaml.in/yaml/v2, whose
 * emitter is libyaml's in Go. Numbers keep their digits, and << is quoted: plain, it means another
 * mapping. */
#include "ports/kube/yaml_scalar.h"
#include "ports/yaml.h"
#include "proto/object/json.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct emit {
    yaml_emitter_t emitter;
    struct fed_alloc *mem;
    struct fed_buf *out;
};

static int take_bytes(void *ctx, unsigned char *bytes, size_t n)
{
    struct fed_buf *out = ctx;

    fed_buf_put(out, fed_span_of(bytes, n));
    return fed_buf_err(out) == FED_OK;
}

/* The emitter takes the event, also when it fails. */
static enum fed_err emit(struct emit *e, int made, yaml_event_t *event)
{
    if (!made)
        return FED_ERR_NOMEM;
    if (yaml_emitter_emit(&e->emitter, event))
        return FED_OK;
    if (fed_buf_err(e->out))
        return fed_buf_err(e->out);
    return e->emitter.error == YAML_MEMORY_ERROR ? FED_ERR_NOMEM : FED_ERR_INVALID;
}

static enum fed_err put_text(struct emit *e, struct fed_span text, yaml_scalar_style_t style)
{
    yaml_event_t event;
    const uint8_t *at = text.at ? text.at : (const uint8_t *)"";
    int made = yaml_scalar_event_initialize(
        &event, NULL, NULL, (yaml_char_t *)(uintptr_t)at, (int)text.len, 1, 1, style);

    return emit(e, made, &event);
}

static enum fed_err put_string(struct emit *e, struct fed_span text)
{
    if (fed_span_find(text, '\n') < text.len)
        return put_text(e, text, YAML_LITERAL_SCALAR_STYLE);
    return put_text(e, text,
        yaml_scalar_is_text(text) ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

/* An exponent says its sign: without one YAML 1.1 reads text. */
static void put_exponent(struct fed_buf *out, struct fed_span number)
{
    size_t e = fed_span_find(number, 'e');

    if (e == number.len)
        e = fed_span_find(number, 'E');
    fed_buf_put(out, fed_span_sub(number, 0, e));
    if (e == number.len)
        return;
    fed_buf_put_text(out, "e");
    number = fed_span_sub(number, e + 1, number.len);
    if (!fed_span_starts(number, "-") && !fed_span_starts(number, "+"))
        fed_buf_put_text(out, "+");
    fed_buf_put(out, number);
}

static enum fed_err put_number(struct emit *e, const struct fed_json *value)
{
    struct fed_buf json;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&json, e->mem, FED_JSON_BYTES_MAX);
    fed_buf_init(&text, e->mem, FED_JSON_BYTES_MAX);
    err = fed_json_put(&json, value);
    put_exponent(&text, fed_buf_span(&json));
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = put_text(e, fed_buf_span(&text), YAML_PLAIN_SCALAR_STYLE);
    fed_buf_fini(&text);
    fed_buf_fini(&json);
    return err;
}

/* ---- the order of keys: letters behind everything else, numbers by value ---- */
static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The number at the place where two keys part; *end behind it. */
static uint64_t number_at(struct fed_span key, size_t at, uint64_t before, size_t *end)
{
    uint64_t number = before;

    for (*end = at; *end < key.len && is_digit(key.at[*end]); (*end)++)
        number = number * 10 + (key.at[*end] - '0');
    return number;
}

/* Whether a digit other than 0 stands directly before the place: then zeros there count. */
static bool is_inside_number(struct fed_span key, size_t at)
{
    while (at > 0 && is_digit(key.at[at - 1]))
        if (key.at[--at] != '0')
            return true;
    return false;
}

static int key_cmp_at(struct fed_span a, struct fed_span b, size_t at)
{
    uint8_t x = a.at[at];
    uint8_t y = b.at[at];
    uint64_t inside = (x == '0' || y == '0') && is_inside_number(a, at);
    uint64_t m;
    uint64_t n;
    size_t a_end;
    size_t b_end;

    if (is_letter(x) != is_letter(y))
        return is_letter(y) ? -1 : 1;
    if (is_letter(x))
        return x < y ? -1 : 1;
    m = number_at(a, at, inside, &a_end);
    n = number_at(b, at, inside, &b_end);
    if (m != n)
        return m < n ? -1 : 1;
    if (a_end != b_end)
        return a_end < b_end ? -1 : 1;
    return x < y ? -1 : 1;
}

struct pair {
    struct fed_span key;
    struct fed_json *value;
    size_t index;
};

static int pair_cmp(const void *a, const void *b)
{
    const struct pair *x = a;
    const struct pair *y = b;

    for (size_t i = 0; i < x->key.len && i < y->key.len; i++)
        if (x->key.at[i] != y->key.at[i])
            return key_cmp_at(x->key, y->key, i);
    if (x->key.len != y->key.len)
        return x->key.len < y->key.len ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* ---- trees ---- */
static enum fed_err put_value(struct emit *e, struct fed_json *value);

static enum fed_err put_pairs(struct emit *e, struct fed_json *object, struct pair *pairs)
{
    struct fed_json_iter it;
    size_t n = 0;
    enum fed_err err = FED_OK;

    fed_json_iter_init(&it, object);
    while (fed_json_iter_next(&it)) {
        pairs[n] = (struct pair){it.key, it.value, n};
        n++;
    }
    qsort(pairs, n, sizeof *pairs, pair_cmp);
    for (size_t i = 0; !err && i < n; i++) {
        if (i + 1 < n && fed_span_eq(pairs[i].key, pairs[i + 1].key))
            continue; /* of several the last one counts, as in Go */
        err = put_string(e, pairs[i].key);
        if (!err)
            err = put_value(e, pairs[i].value);
    }
    return err;
}

static enum fed_err put_object(struct emit *e, struct fed_json *object)
{
    size_t size = (fed_json_count(object) + 1) * sizeof(struct pair);
    struct pair *pairs = fed_alloc_get(e->mem, size);
    yaml_event_t event;
    enum fed_err err;

    if (!pairs)
        return FED_ERR_NOMEM;
    err = emit(e,
        yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE),
        &event);
    if (!err)
        err = put_pairs(e, object, pairs);
    if (!err)
        err = emit(e, yaml_mapping_end_event_initialize(&event), &event);
    fed_alloc_free(e->mem, pairs, size);
    return err;
}

static enum fed_err put_array(struct emit *e, struct fed_json *array)
{
    struct fed_json_iter it;
    yaml_event_t event;
    enum fed_err err = emit(e,
        yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE),
        &event);

    fed_json_iter_init(&it, array);
    while (!err && fed_json_iter_next(&it))
        err = put_value(e, it.value);
    return err ? err : emit(e, yaml_sequence_end_event_initialize(&event), &event);
}

static enum fed_err put_value(struct emit *e, struct fed_json *value)
{
    switch (fed_json_type(value)) {
    case FED_JSON_OBJECT:
        return put_object(e, value);
    case FED_JSON_ARRAY:
        return put_array(e, value);
    case FED_JSON_STRING:
        return put_string(e, fed_json_string(value));
    case FED_JSON_INT:
    case FED_JSON_REAL:
        return put_number(e, value);
    case FED_JSON_BOOL:
        return put_text(e,
            fed_json_bool(value, false) ? FED_SPAN_LIT("true") : FED_SPAN_LIT("false"),
            YAML_PLAIN_SCALAR_STYLE);
    case FED_JSON_NULL:
    case FED_JSON_ABSENT:
        break;
    }
    return put_text(e, FED_SPAN_LIT("null"), YAML_PLAIN_SCALAR_STYLE);
}

static enum fed_err put_document(struct emit *e, struct fed_json *root)
{
    yaml_event_t event;
    enum fed_err err =
        emit(e, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event);

    if (!err)
        err = emit(e, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event);
    if (!err)
        err = put_value(e, root);
    if (!err)
        err = emit(e, yaml_document_end_event_initialize(&event, 1), &event);
    return err ? err : emit(e, yaml_stream_end_event_initialize(&event), &event);
}

enum fed_err fed_yaml_put_json(
    struct fed_alloc *mem, struct fed_span json, struct fed_buf *out, struct fed_diag *diag)
{
    struct emit e = {.mem = mem, .out = out};
    struct fed_json_doc *doc;
    struct fed_json *root;
    enum fed_err err;

    if (json.len > FED_YAML_PUT_BYTES_MAX)
        return fed_diag_set(diag, FED_ERR_LIMIT,
            "%zu bytes of JSON, of which at most %u are "
            "written as YAML",
            json.len, FED_YAML_PUT_BYTES_MAX);
    err = fed_json_doc_new(mem, &doc);
    if (err)
        return err;
    err = fed_json_parse(doc, json, &root, diag);
    if (!err && !yaml_emitter_initialize(&e.emitter))
        err = FED_ERR_NOMEM;
    if (!err) {
        yaml_emitter_set_output(&e.emitter, take_bytes, out);
        yaml_emitter_set_unicode(&e.emitter, 1);
        err = put_document(&e, root);
        yaml_emitter_delete(&e.emitter);
    }
    fed_json_doc_free(doc);
    return err;
}
