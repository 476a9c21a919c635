/* protobuf.c - Kubernetes protobuf bodies of core kinds, to trees.
 *
 * Source: k8s.io/apimachinery runtime/serializer/protobuf (envelope: "k8s\0", then runtime.Unknown
 * {1 TypeMeta {1 apiVersion, 2 kind}, 2 raw, 3 contentEncoding, 4 contentType}). The table of core
 * kinds (core.h) names the fields; what it does not name is skipped, as an older server does. */
#include "hub/api/core.h"
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 100u /* a CustomResourceDefinition's schema may be deep */
#define TIME_MIN_S (-62135596800LL)
#define TIME_MAX_S 253402300799LL

/* ---- the wire format ---- */
struct wire {
    unsigned number;
    unsigned type;
    uint64_t value;
    struct fed_span bytes;
};

/* Protobuf allows overlong varints, so this is not fed_span_take_varint. */
static enum fed_err take_varint(struct fed_span *from, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        enum fed_err err = fed_span_take_u8(from, &byte);

        if (err)
            return err;
        value |= (uint64_t)(byte & 127u) << shift;
        if (!(byte & 128u)) {
            *out = value;
            return FED_OK;
        }
    }
    return FED_ERR_INVALID;
}

static enum fed_err take_wire(struct fed_span *from, struct wire *out)
{
    uint64_t tag = 0;
    enum fed_err err = take_varint(from, &tag);

    if (err)
        return err;
    out->number = (unsigned)(tag >> 3);
    out->type = (unsigned)(tag & 7);
    out->bytes = (struct fed_span){0};
    out->value = 0;
    if (tag >> 3 == 0 || tag >> 3 > 536870911)
        return FED_ERR_INVALID;
    if (out->type == 0)
        return take_varint(from, &out->value);
    if (out->type == 1)
        return fed_span_take_bytes(from, 8, &out->bytes);
    if (out->type == 5)
        return fed_span_take_bytes(from, 4, &out->bytes);
    if (out->type != 2)
        return FED_ERR_INVALID;
    err = take_varint(from, &out->value);
    if (!err && out->value > from->len)
        err = FED_ERR_TRUNCATED;
    return err ? err : fed_span_take_bytes(from, (size_t)out->value, &out->bytes);
}

/* ---- to a tree ---- */
struct decode {
    struct fed_json_doc *doc;
    struct fed_alloc *mem;
    unsigned depth;
};

static enum fed_err decode_message(struct decode *d, struct fed_span body,
    const struct hub_core_type *type, struct fed_json *into);

static struct fed_json *base64_value(struct decode *d, struct fed_span bytes)
{
    struct fed_buf text;
    struct fed_json *value = NULL;

    fed_buf_init(&text, d->mem, 2 * HUB_LIMIT_BODY_BYTES);
    fed_text_put_base64(&text, bytes);
    if (!fed_buf_err(&text))
        value = fed_json_new_string(d->doc, fed_buf_span(&text));
    fed_buf_fini(&text);
    return value;
}

/* {1 seconds, 2 nanoseconds}; empty: not set. */
static enum fed_err decode_time(
    struct decode *d, struct fed_span body, bool micro, struct fed_json **out)
{
    char text[FED_TEXT_TIME_SIZE];
    int64_t seconds = 0;
    int64_t nanos = 0;

    *out = NULL;
    if (body.len == 0)
        *out = fed_json_new_null(d->doc);
    while (body.len > 0) {
        struct wire wire;
        enum fed_err err = take_wire(&body, &wire);

        if (err)
            return err;
        if (wire.number == 1 && wire.type == 0)
            seconds = (int64_t)wire.value;
        else if (wire.number == 2 && wire.type == 0)
            nanos = (int32_t)wire.value;
    }
    if (*out)
        return FED_OK;
    if (seconds < TIME_MIN_S || seconds > TIME_MAX_S || nanos < 0 || nanos > 999999999)
        return FED_ERR_INVALID;
    if (micro)
        fed_text_time_micro(seconds * 1000000 + nanos / 1000, text);
    else
        fed_text_time(seconds, text);
    *out = fed_json_new_text(d->doc, text);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

/* {1 JSON text} */
static enum fed_err decode_raw(struct decode *d, struct fed_span body, struct fed_json **out)
{
    struct fed_span text = {0};

    while (body.len > 0) {
        struct wire wire;
        enum fed_err err = take_wire(&body, &wire);

        if (err)
            return err;
        if (wire.number == 1 && wire.type == 2)
            text = wire.bytes;
    }
    if (text.len > 0)
        return fed_json_parse(d->doc, text, out, NULL);
    *out = fed_json_new_null(d->doc);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

/* {1 repeated string} */
static enum fed_err decode_list(struct decode *d, struct fed_span body, struct fed_json **out)
{
    enum fed_err err = FED_OK;

    *out = fed_json_new_array(d->doc);
    if (!*out)
        return FED_ERR_NOMEM;
    while (!err && body.len > 0) {
        struct wire wire;

        err = take_wire(&body, &wire);
        if (!err && wire.number == 1 && wire.type == 2)
            err = fed_json_append(*out, fed_json_new_string(d->doc, wire.bytes));
    }
    return err;
}

/* The shortest digits that give the number again, as Go writes it. */
static enum fed_err decode_float(struct decode *d, struct fed_span bytes, struct fed_json **out)
{
    uint64_t bits = 0;
    char text[40];
    double number;

    for (size_t i = 0; i < 8; i++)
        bits |= (uint64_t)bytes.at[i] << (8 * i);
    memcpy(&number, &bits, sizeof number);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return fed_json_parse(d->doc, fed_span_text(text), out, NULL); /* refuses nan and inf */
}

/* JSON shows the member that is set, and of a choice with a struct, the struct. */
static enum fed_err decode_union(
    struct decode *d, struct fed_span body, const struct hub_core_type *type, struct fed_json **out)
{
    struct fed_json *members = fed_json_new_object(d->doc);
    struct fed_json *chosen = NULL;
    struct fed_json_iter it;
    enum fed_err err = members ? decode_message(d, body, type, members) : FED_ERR_NOMEM;

    if (err)
        return err;
    fed_json_iter_init(&it, members);
    while (fed_json_iter_next(&it))
        if (!chosen || fed_span_is(it.key, "schema"))
            chosen = it.value;
    *out = chosen ? fed_json_clone(d->doc, chosen) : fed_json_new_bool(d->doc, false);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

static unsigned wire_type(enum hub_core_basis basis)
{
    switch (basis) {
    case HUB_CORE_BOOL:
    case HUB_CORE_INT32:
    case HUB_CORE_INT64:
        return 0;
    case HUB_CORE_FLOAT64:
        return 1;
    default:
        return 2;
    }
}

/* A value of the type. before: the message that stands there already and is gone on with; NULL for
 * none. */
static enum fed_err decode_value(struct decode *d, const struct hub_core_type *type,
    const struct wire *wire, struct fed_json *before, struct fed_json **out)
{
    if (wire->type != wire_type(type->basis))
        return FED_ERR_INVALID;
    switch (type->basis) {
    case HUB_CORE_STRING:
        *out = fed_json_new_string(d->doc, wire->bytes);
        break;
    case HUB_CORE_BYTES:
        *out = base64_value(d, wire->bytes);
        break;
    case HUB_CORE_BOOL:
        *out = fed_json_new_bool(d->doc, wire->value != 0);
        break;
    case HUB_CORE_INT32:
        *out = fed_json_new_int(d->doc, (int32_t)wire->value);
        break;
    case HUB_CORE_INT64:
        *out = fed_json_new_int(d->doc, (int64_t)wire->value);
        break;
    case HUB_CORE_FLOAT64:
        return decode_float(d, wire->bytes, out);
    case HUB_CORE_TIME:
    case HUB_CORE_MICRO_TIME:
        return decode_time(d, wire->bytes, type->basis == HUB_CORE_MICRO_TIME, out);
    case HUB_CORE_RAW:
        return decode_raw(d, wire->bytes, out);
    case HUB_CORE_LIST:
        return decode_list(d, wire->bytes, out);
    case HUB_CORE_UNION:
        return decode_union(d, wire->bytes, type, out);
    case HUB_CORE_STRUCT:
        *out = before ? before : fed_json_new_object(d->doc);
        return *out ? decode_message(d, wire->bytes, type, *out) : FED_ERR_NOMEM;
    }
    return *out ? FED_OK : FED_ERR_NOMEM;
}

/* A map's entry is a message {1 key, 2 value}. Added without looking, so that a large map stays
 * linear; keys that stand twice are found at the end. */
static enum fed_err decode_entry(struct decode *d, const struct hub_core_type *type,
    const struct wire *wire, struct fed_json *map)
{
    struct wire value_wire = {.type = wire_type(type->basis)};
    struct fed_span rest = wire->bytes;
    struct fed_span key = {0};
    struct fed_json *value = NULL;
    enum fed_err err = wire->type == 2 ? FED_OK : FED_ERR_INVALID;

    while (!err && rest.len > 0) {
        struct wire part;

        err = take_wire(&rest, &part);
        if (!err && part.number == 1)
            key = part.bytes;
        else if (!err && part.number == 2)
            value_wire = part;
    }
    if (!err)
        err = decode_value(d, type, &value_wire, NULL, &value);
    return err ? err : fed_json_add_span(d->doc, map, key, value);
}

static struct fed_json *container(
    struct decode *d, const struct hub_core_field *field, struct fed_json *into)
{
    struct fed_json *there = fed_json_get_span(into, field->name);

    if (there)
        return there;
    there = field->map ? fed_json_new_object(d->doc) : fed_json_new_array(d->doc);
    return fed_json_set_span(d->doc, into, field->name, there) ? NULL : there;
}

static enum fed_err decode_field(struct decode *d, const struct hub_core_field *field,
    const struct wire *wire, struct fed_json *into)
{
    struct fed_json *before = fed_json_get_span(into, field->name);
    struct fed_json *value = NULL;
    enum fed_err err;

    if (field->map || field->list) {
        before = container(d, field, into);
        if (!before)
            return FED_ERR_NOMEM;
        if (field->map)
            return decode_entry(d, field->type, wire, before);
        err = decode_value(d, field->type, wire, NULL, &value);
        return err ? err : fed_json_append(before, value);
    }
    err = decode_value(d, field->type, wire, before, &value);
    return err || value == before ? err : fed_json_set_span(d->doc, into, field->name, value);
}

static enum fed_err decode_message(
    struct decode *d, struct fed_span body, const struct hub_core_type *type, struct fed_json *into)
{
    enum fed_err err = d->depth < NESTING_MAX ? FED_OK : FED_ERR_LIMIT;

    d->depth++;
    while (!err && body.len > 0) {
        struct wire wire;
        const struct hub_core_field *field;

        err = take_wire(&body, &wire);
        field = err ? NULL : hub_core_field_number(type, wire.number);
        if (field)
            err = decode_field(d, field, &wire, into);
    }
    d->depth--;
    return err;
}

/* ---- the envelope ---- */
struct envelope {
    struct fed_span api_version;
    struct fed_span kind;
    struct fed_span raw;
    struct fed_span encoding;
    struct fed_span type;
};

static enum fed_err take_type_meta(struct fed_span meta, struct envelope *out)
{
    enum fed_err err = FED_OK;

    while (!err && meta.len > 0) {
        struct wire part;

        err = take_wire(&meta, &part);
        if (!err && part.number == 1)
            out->api_version = part.bytes;
        else if (!err && part.number == 2)
            out->kind = part.bytes;
    }
    return err;
}

static enum fed_err take_envelope(struct fed_span body, struct envelope *out)
{
    static const uint8_t magic[4] = {0x6b, 0x38, 0x73, 0x00};
    struct fed_span head;
    enum fed_err err = fed_span_take_bytes(&body, 4, &head);

    *out = (struct envelope){.raw = {0}};
    if (err || !fed_span_eq(head, fed_span_of(magic, 4)))
        return FED_ERR_INVALID;
    while (!err && body.len > 0) {
        struct wire wire;

        err = take_wire(&body, &wire);
        if (err)
            break;
        if (wire.number == 1)
            err = take_type_meta(wire.bytes, out);
        else if (wire.number == 2)
            out->raw = wire.bytes;
        else if (wire.number == 3)
            out->encoding = wire.bytes;
        else if (wire.number == 4)
            out->type = wire.bytes;
    }
    return err;
}

static enum fed_err check_envelope(const struct envelope *envelope, struct fed_diag *diag)
{
    if (!fed_text_is_utf8(envelope->kind) || !fed_text_is_utf8(envelope->api_version))
        return fed_diag_set(diag, FED_ERR_INVALID, "not a Kubernetes protobuf envelope");
    if (envelope->encoding.len > 0)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "the protobuf envelope has content encoding \"" FED_SPAN_FMT
            "\", which is not supported",
            FED_SPAN_ARG(envelope->encoding));
    if (envelope->type.len > 0 &&
        !fed_span_starts(envelope->type, "application/vnd.kubernetes.protobuf"))
        return fed_diag_set(diag, FED_ERR_INVALID,
            "the protobuf envelope holds \"" FED_SPAN_FMT "\"", FED_SPAN_ARG(envelope->type));
    return FED_OK;
}

static enum fed_err decode_root(const struct hub_core_type *type, const struct envelope *envelope,
    struct fed_json_doc *doc, struct fed_json *object, struct fed_diag *diag)
{
    struct decode d = {.doc = doc, .mem = fed_alloc_system()};
    struct fed_buf path;
    enum fed_err err = decode_message(&d, envelope->raw, type, object);

    if (err == FED_ERR_NOMEM)
        return err;
    fed_buf_init(&path, fed_alloc_system(), 4096);
    if (err)
        err = fed_diag_set(diag, FED_ERR_INVALID, "protobuf of " FED_SPAN_FMT " is malformed",
            FED_SPAN_ARG(envelope->kind));
    else if (fed_json_duplicate_key(object, &path))
        err = fed_diag_set(diag, FED_ERR_INVALID, "protobuf of " FED_SPAN_FMT ": %s stands twice",
            FED_SPAN_ARG(envelope->kind), fed_buf_cstr(&path));
    fed_buf_fini(&path);
    return err;
}

enum fed_err hub_protobuf_decode(const struct hub_core *core, struct fed_json_doc *doc,
    struct fed_span body, struct fed_json **out, struct fed_diag *diag)
{
    struct fed_json *object = fed_json_new_object(doc);
    const struct hub_core_type *type;
    struct envelope envelope;
    enum fed_err err;

    if (take_envelope(body, &envelope))
        return fed_diag_set(diag, FED_ERR_INVALID, "not a Kubernetes protobuf envelope");
    err = check_envelope(&envelope, diag);
    if (err)
        return err;
    type = hub_core_find(core, envelope.api_version, envelope.kind);
    if (!type)
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED,
            "no kind \"" FED_SPAN_FMT "\" is registered for version \"" FED_SPAN_FMT "\"",
            FED_SPAN_ARG(envelope.kind), FED_SPAN_ARG(envelope.api_version));
    if (!object || fed_json_set_string(doc, object, "kind", envelope.kind) ||
        fed_json_set_string(doc, object, "apiVersion", envelope.api_version))
        return FED_ERR_NOMEM;
    err = decode_root(type, &envelope, doc, object, diag);
    if (!err)
        *out = object;
    return err;
}
