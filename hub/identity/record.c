/* record.c - the objects that identity reads and writes, each a complete Kubernetes object. */
#include "hub/identity/internal.h"

#include <stdio.h>
#include <string.h>

/* Nothing connects to a member, but KubeFed's schema requires an endpoint and a secret: both get a
 * name that stays the same and cannot be resolved (RFC 2606 section 2). */
#define ENDPOINT_FORMAT "https://" FED_SPAN_FMT ".fedlet.invalid"

enum fed_err identity_record_open(struct hub_identity *identity, const char *resource,
    struct fed_span name, struct identity_record *out)
{
    (void)hub_objects_flush(identity->objects, NULL); /* agents are told of what is durable only */
    return identity_record_peek(identity, resource, name, out);
}

enum fed_err identity_record_peek(struct hub_identity *identity, const char *resource,
    struct fed_span name, struct identity_record *out)
{
    struct fed_buf bytes;
    enum fed_err err;

    *out = (struct identity_record){.resource = resource, .name = name};
    fed_buf_init(&out->bytes, identity->mem, HUB_OBJECT_BYTES_MAX);
    err = fed_json_doc_new(identity->mem, &out->doc);
    if (err)
        return err;

    struct hub_object_ref ref = identity_record_ref(out);

    fed_buf_init(&bytes, identity->mem, FED_STORE_VALUE_MAX);
    err = hub_objects_get(identity->objects, &ref, &bytes, &out->revision);
    if (!err)
        err = fed_json_parse(out->doc, fed_buf_span(&bytes), &out->object, NULL);
    else if (err == FED_ERR_NOT_FOUND)
        err = FED_OK;
    fed_buf_fini(&bytes);
    return err;
}

void identity_record_close(struct identity_record *record)
{
    fed_json_doc_free(record->doc);
    fed_buf_fini(&record->bytes);
    record->doc = NULL;
    record->object = NULL;
}

struct hub_object_ref identity_record_ref(const struct identity_record *record)
{
    return (struct hub_object_ref){.resource = fed_span_text(record->resource),
        .ns = FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE),
        .name = record->name};
}

struct fed_span identity_record_text(const struct identity_record *record, const char *dotted)
{
    return fed_json_string(fed_json_find(record->object, dotted));
}

enum fed_err identity_set_time(
    struct fed_json_doc *doc, struct fed_json *object, const char *key, int64_t unix_s)
{
    char text[FED_TEXT_TIME_SIZE];

    fed_text_time(unix_s, text);
    return fed_json_set_text(doc, object, key, text);
}

/* A random UUID (RFC 9562 section 5.4). */
static enum fed_err new_uid(struct hub_identity *identity, char out[40])
{
    uint8_t b[16];
    enum fed_err err = identity->crypto->random(identity->crypto->ctx, b, sizeof b);

    if (err)
        return err;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
        b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
        b[15]);
    return FED_OK;
}

static enum fed_err make_metadata(struct hub_identity *identity, struct identity_record *record)
{
    struct fed_json *metadata = fed_json_ensure_object(record->doc, record->object, "metadata");
    char uid[40];
    enum fed_err err = metadata ? new_uid(identity, uid) : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_string(record->doc, metadata, "name", record->name);
    if (!err)
        err = fed_json_set_text(record->doc, metadata, "namespace", HUB_SYSTEM_NAMESPACE);
    if (!err)
        err = fed_json_set_text(record->doc, metadata, "uid", uid);
    if (!err)
        err = fed_json_set_int(record->doc, metadata, "generation", 1);
    if (!err)
        err = identity_set_time(
            record->doc, metadata, "creationTimestamp", fed_loop_unix_s(identity->loop));
    return err;
}

enum fed_err identity_record_make(struct hub_identity *identity, struct identity_record *record,
    const char *api_version, const char *kind)
{
    struct fed_json *metadata;
    enum fed_err err;

    if (record->object) {
        metadata = fed_json_ensure_object(record->doc, record->object, "metadata");
        return metadata ? fed_json_set_int(record->doc, metadata, "generation",
                              fed_json_int(fed_json_get(metadata, "generation"), 0) + 1)
                        : FED_ERR_NOMEM;
    }
    record->object = fed_json_new_object(record->doc);
    if (!record->object)
        return FED_ERR_NOMEM;
    err = fed_json_set_text(record->doc, record->object, "apiVersion", api_version);
    if (!err)
        err = fed_json_set_text(record->doc, record->object, "kind", kind);
    return err ? err : make_metadata(identity, record);
}

enum fed_err identity_record_write(struct identity_record *record, struct hub_object_write *out)
{
    enum fed_err err;

    fed_buf_clear(&record->bytes);
    err = fed_json_put(&record->bytes, record->object);
    if (!err)
        err = fed_buf_err(&record->bytes);
    if (err)
        return err;
    *out = (struct hub_object_write){.ref = identity_record_ref(record),
        .bytes = fed_buf_span(&record->bytes),
        .expected = record->revision};
    return FED_OK;
}

enum fed_err identity_set_hex(
    struct identity_record *record, const char *key, const struct fed_digest *digest)
{
    struct fed_json *status = fed_json_ensure_object(record->doc, record->object, "status");
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, record->bytes.mem, 128);
    fed_text_put_hex(&text, fed_span_of(digest->bytes, sizeof digest->bytes));
    err = status ? fed_buf_err(&text) : FED_ERR_NOMEM;
    if (!err)
        err = fed_json_set_string(record->doc, status, key, fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

/* ---- KubeFedCluster ---- */

static enum fed_err fill_spec(struct hub_identity *identity, struct identity_record *cluster)
{
    struct fed_json *spec = fed_json_ensure_object(cluster->doc, cluster->object, "spec");
    struct fed_json *secret = spec ? fed_json_ensure_object(cluster->doc, spec, "secretRef") : NULL;
    struct fed_buf endpoint;
    enum fed_err err = secret ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&endpoint, identity->mem, 512);
    fed_buf_printf(&endpoint, ENDPOINT_FORMAT, FED_SPAN_ARG(cluster->name));
    if (!err)
        err = fed_buf_err(&endpoint);
    if (!err)
        err = fed_json_set_string(cluster->doc, spec, "apiEndpoint", fed_buf_span(&endpoint));
    if (!err)
        err = fed_json_set_string(cluster->doc, secret, "name", cluster->name);
    fed_buf_fini(&endpoint);
    return err;
}

enum fed_err identity_cluster_fill(
    struct hub_identity *identity, struct identity_record *cluster, const struct fed_json *labels)
{
    enum fed_err err =
        identity_record_make(identity, cluster, "core.kubefed.io/v1beta1", "KubeFedCluster");

    if (!err && fed_json_count(labels) > 0)
        err = fed_json_set(cluster->doc, fed_json_get(cluster->object, "metadata"), "labels",
            fed_json_clone(cluster->doc, labels));
    return err ? err : fill_spec(identity, cluster);
}

/* ---- JoinRequest ---- */

enum fed_err identity_request_key(const struct identity_record *request, struct fed_buf *spki)
{
    struct fed_span text = identity_record_text(request, "spec.publicKey");
    enum fed_err err;

    fed_buf_clear(spki);
    if (text.len == 0)
        return FED_ERR_NOT_FOUND;
    err = fed_text_base64(text, spki);
    if (!err)
        err = fed_buf_err(spki);
    if (err == FED_ERR_NOMEM)
        return err;
    return err || spki->len == 0 ? FED_ERR_CORRUPT : FED_OK;
}

bool identity_request_state_is(const struct identity_record *request, const char *state)
{
    return fed_span_is(identity_record_text(request, "status.state"), state);
}
