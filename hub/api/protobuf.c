/* protobuf.c - Kubernetes protobuf bodies of the few kinds that typed clients send to the hub, to
 * trees.
 *
 * Source: k8s.io/apimachinery runtime/serializer/protobuf (envelope: "k8s\0", then runtime.Unknown
 * {1 TypeMeta {1 apiVersion, 2 kind}, 2 raw}) and generated.proto of core/v1, meta/v1,
 * authorization/v1, authentication/v1. Tables name the fields; what they do not name is skipped, as
 * an older server does. */
#include "hub/api/internal.h"

#include "proto/base/text.h"

#define NESTING_MAX 8u

enum type { TEXT, BYTES, BOOL, INT, MESSAGE, MAP_TEXT, MAP_BYTES };
struct message;
struct field {
    unsigned number;
    enum type type;
    bool repeated;
    const char *name;
    const struct message *message;
};
struct message {
    const struct field *fields;
    size_t n;
};
#define MESSAGE_OF(list)                                                                           \
    {                                                                                              \
        list, sizeof(list) / sizeof *(list)                                                        \
    }

static const struct field owner_fields[] = {{1, TEXT, false, "kind", NULL},
    {3, TEXT, false, "name", NULL}, {4, TEXT, false, "uid", NULL},
    {5, TEXT, false, "apiVersion", NULL}, {6, BOOL, false, "controller", NULL},
    {7, BOOL, false, "blockOwnerDeletion", NULL}};
static const struct message owner_message = MESSAGE_OF(owner_fields);
static const struct field meta_fields[] = {{1, TEXT, false, "name", NULL},
    {2, TEXT, false, "generateName", NULL}, {3, TEXT, false, "namespace", NULL},
    {5, TEXT, false, "uid", NULL}, {6, TEXT, false, "resourceVersion", NULL},
    {11, MAP_TEXT, false, "labels", NULL}, {12, MAP_TEXT, false, "annotations", NULL},
    {13, MESSAGE, true, "ownerReferences", &owner_message}, {14, TEXT, true, "finalizers", NULL}};
static const struct message meta_message = MESSAGE_OF(meta_fields);

static const struct field namespace_spec_fields[] = {{1, TEXT, true, "finalizers", NULL}};
static const struct message namespace_spec = MESSAGE_OF(namespace_spec_fields);
static const struct field namespace_fields[] = {
    {1, MESSAGE, false, "metadata", &meta_message}, {2, MESSAGE, false, "spec", &namespace_spec}};
static const struct message namespace_message = MESSAGE_OF(namespace_fields);
static const struct field configmap_fields[] = {{1, MESSAGE, false, "metadata", &meta_message},
    {2, MAP_TEXT, false, "data", NULL}, {3, MAP_BYTES, false, "binaryData", NULL},
    {4, BOOL, false, "immutable", NULL}};
static const struct message configmap_message = MESSAGE_OF(configmap_fields);
static const struct field secret_fields[] = {{1, MESSAGE, false, "metadata", &meta_message},
    {2, MAP_BYTES, false, "data", NULL}, {3, TEXT, false, "type", NULL},
    {4, MAP_TEXT, false, "stringData", NULL}, {5, BOOL, false, "immutable", NULL}};
static const struct message secret_message = MESSAGE_OF(secret_fields);

static const struct field resource_fields[] = {{1, TEXT, false, "namespace", NULL},
    {2, TEXT, false, "verb", NULL}, {3, TEXT, false, "group", NULL},
    {4, TEXT, false, "version", NULL}, {5, TEXT, false, "resource", NULL},
    {6, TEXT, false, "subresource", NULL}, {7, TEXT, false, "name", NULL}};
static const struct message resource_message = MESSAGE_OF(resource_fields);
static const struct field non_resource_fields[] = {
    {1, TEXT, false, "path", NULL}, {2, TEXT, false, "verb", NULL}};
static const struct message non_resource_message = MESSAGE_OF(non_resource_fields);
static const struct field access_spec_fields[] = {
    {1, MESSAGE, false, "resourceAttributes", &resource_message},
    {2, MESSAGE, false, "nonResourceAttributes", &non_resource_message}};
static const struct message access_spec = MESSAGE_OF(access_spec_fields);
static const struct field access_fields[] = {
    {1, MESSAGE, false, "metadata", &meta_message}, {2, MESSAGE, false, "spec", &access_spec}};
static const struct message access_message = MESSAGE_OF(access_fields);
static const struct field rules_spec_fields[] = {{1, TEXT, false, "namespace", NULL}};
static const struct message rules_spec = MESSAGE_OF(rules_spec_fields);
static const struct field rules_fields[] = {
    {1, MESSAGE, false, "metadata", &meta_message}, {2, MESSAGE, false, "spec", &rules_spec}};
static const struct message rules_message = MESSAGE_OF(rules_fields);
static const struct field self_fields[] = {{1, MESSAGE, false, "metadata", &meta_message}};
static const struct message self_message = MESSAGE_OF(self_fields);

static const struct field delete_preconditions_fields[] = {
    {1, TEXT, false, "uid", NULL}, {2, TEXT, false, "resourceVersion", NULL}};
static const struct message delete_preconditions = MESSAGE_OF(delete_preconditions_fields);
static const struct field delete_fields[] = {{1, INT, false, "gracePeriodSeconds", NULL},
    {2, MESSAGE, false, "preconditions", &delete_preconditions},
    {3, BOOL, false, "orphanDependents", NULL}, {4, TEXT, false, "propagationPolicy", NULL},
    {5, TEXT, true, "dryRun", NULL}};
static const struct message delete_message = MESSAGE_OF(delete_fields);

static const struct {
    const char *kind;
    const struct message *message;
} kinds[] = {
    {"Namespace", &namespace_message},
    {"ConfigMap", &configmap_message},
    {"Secret", &secret_message},
    {"SelfSubjectAccessReview", &access_message},
    {"SelfSubjectRulesReview", &rules_message},
    {"SelfSubjectReview", &self_message},
    {"DeleteOptions", &delete_message},
};

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
static enum fed_err decode_message(struct fed_json_doc *doc, struct fed_span body,
    const struct message *message, struct fed_json *into, unsigned depth, struct fed_alloc *mem);

static struct fed_json *base64_value(
    struct fed_json_doc *doc, struct fed_alloc *mem, struct fed_span bytes)
{
    struct fed_buf text;
    struct fed_json *value = NULL;

    fed_buf_init(&text, mem, 2 * HUB_LIMIT_BODY_BYTES);
    fed_text_put_base64(&text, bytes);
    if (!fed_buf_err(&text))
        value = fed_json_new_string(doc, fed_buf_span(&text));
    fed_buf_fini(&text);
    return value;
}

/* A map entry is a message {1 key, 2 value}. */
static enum fed_err decode_entry(struct fed_json_doc *doc, const struct wire *wire, bool bytes,
    struct fed_json *map, struct fed_alloc *mem)
{
    struct fed_span rest = wire->bytes;
    struct fed_span key = {0};
    struct fed_span value = {0};

    while (rest.len > 0) {
        struct wire part;
        enum fed_err err = take_wire(&rest, &part);

        if (err)
            return err;
        if (part.number == 1)
            key = part.bytes;
        else if (part.number == 2)
            value = part.bytes;
    }
    if (!fed_text_is_utf8(key) || (!bytes && !fed_text_is_utf8(value)))
        return FED_ERR_INVALID;
    return fed_json_set_span(
        doc, map, key, bytes ? base64_value(doc, mem, value) : fed_json_new_string(doc, value));
}

static const struct field *field_find(const struct message *message, unsigned number)
{
    for (size_t i = 0; i < message->n; i++)
        if (message->fields[i].number == number)
            return &message->fields[i];
    return NULL;
}

static enum fed_err decode_value(struct fed_json_doc *doc, const struct field *field,
    const struct wire *wire, struct fed_json **out, unsigned depth, struct fed_alloc *mem)
{
    bool number = field->type == BOOL || field->type == INT;

    if (wire->type != (number ? 0u : 2u) || (field->type == TEXT && !fed_text_is_utf8(wire->bytes)))
        return FED_ERR_INVALID;
    if (field->type == BOOL)
        *out = fed_json_new_bool(doc, wire->value != 0);
    else if (field->type == INT)
        *out = fed_json_new_int(doc, (int64_t)wire->value);
    else if (field->type == MESSAGE) {
        *out = fed_json_new_object(doc);
        return *out ? decode_message(doc, wire->bytes, field->message, *out, depth + 1, mem)
                    : FED_ERR_NOMEM;
    } else
        *out = fed_json_new_string(doc, wire->bytes);
    return *out ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err decode_field(struct fed_json_doc *doc, const struct field *field,
    const struct wire *wire, struct fed_json *into, unsigned depth, struct fed_alloc *mem)
{
    struct fed_json *value = NULL;
    enum fed_err err;

    if (field->type == MAP_TEXT || field->type == MAP_BYTES) {
        value = fed_json_ensure_object(doc, into, field->name);
        return value ? decode_entry(doc, wire, field->type == MAP_BYTES, value, mem)
                     : FED_ERR_NOMEM;
    }
    err = decode_value(doc, field, wire, &value, depth, mem);
    if (err)
        return err;
    if (field->repeated) {
        struct fed_json *list = fed_json_get(into, field->name);

        if (!list) {
            list = fed_json_new_array(doc);
            err = fed_json_set(doc, into, field->name, list);
        }
        return err ? err : fed_json_append(list, value);
    }
    /* gogo's generated code writes empty texts too; absent says the same. */
    if (field->type == TEXT && wire->bytes.len == 0)
        return FED_OK;
    return fed_json_set(doc, into, field->name, value);
}

static enum fed_err decode_message(struct fed_json_doc *doc, struct fed_span body,
    const struct message *message, struct fed_json *into, unsigned depth, struct fed_alloc *mem)
{
    enum fed_err err = depth > NESTING_MAX ? FED_ERR_LIMIT : FED_OK;

    while (!err && body.len > 0) {
        struct wire wire;
        const struct field *field;

        err = take_wire(&body, &wire);
        field = err ? NULL : field_find(message, wire.number);
        if (field)
            err = decode_field(doc, field, &wire, into, depth, mem);
    }
    return err;
}

struct envelope {
    struct fed_span api_version;
    struct fed_span kind;
    struct fed_span raw;
};

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
        if (!err && wire.number == 1) {
            struct fed_span meta = wire.bytes;

            while (!err && meta.len > 0) {
                struct wire part;

                err = take_wire(&meta, &part);
                if (!err && part.number == 1)
                    out->api_version = part.bytes;
                else if (!err && part.number == 2)
                    out->kind = part.bytes;
            }
        } else if (!err && wire.number == 2) {
            out->raw = wire.bytes;
        }
    }
    return err;
}

enum fed_err hub_protobuf_decode(
    struct fed_json_doc *doc, struct fed_span body, struct fed_json **out, struct fed_diag *diag)
{
    const struct message *message = NULL;
    struct fed_json *object = fed_json_new_object(doc);
    struct envelope envelope;

    if (take_envelope(body, &envelope) || !fed_text_is_utf8(envelope.kind) ||
        !fed_text_is_utf8(envelope.api_version))
        return fed_diag_set(diag, FED_ERR_INVALID, "not a Kubernetes protobuf envelope");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (fed_span_is(envelope.kind, kinds[i].kind))
            message = kinds[i].message;
    if (!message)
        return fed_diag_set(diag, FED_ERR_UNSUPPORTED,
            "protobuf bodies of kind \"" FED_SPAN_FMT
            "\" are not accepted - accepted media types include: application/json",
            FED_SPAN_ARG(envelope.kind));
    if (!object || fed_json_set_string(doc, object, "kind", envelope.kind) ||
        fed_json_set_string(doc, object, "apiVersion", envelope.api_version))
        return FED_ERR_NOMEM;
    if (decode_message(doc, envelope.raw, message, object, 0, fed_alloc_system()))
        return fed_diag_set(diag, FED_ERR_INVALID, "protobuf of " FED_SPAN_FMT " is malformed",
            FED_SPAN_ARG(envelope.kind));
    *out = object;
    return FED_OK;
}
