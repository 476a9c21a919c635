/* seen.c - see seen.h. */
#include "agent/seen.h"

#include "proto/object/render.h"

#include <string.h>

static bool is_ours(const struct fed_json *entry, const char *operation)
{
    return fed_span_is(fed_json_string(fed_json_get(entry, "manager")), AGENT_FIELD_MANAGER) &&
           fed_span_is(fed_json_string(fed_json_get(entry, "operation")), operation) &&
           !fed_json_is_string(fed_json_get(entry, "subresource"));
}

static enum fed_err read_fields(
    struct fed_alloc *mem, const struct fed_json *entry, struct agent_seen *out)
{
    struct fed_json *fields = fed_json_get(entry, "fieldsV1");
    struct fed_buf text;
    struct fed_digest digest;
    enum fed_err err;

    fed_buf_init(&text, mem, AGENT_BODY_MAX);
    err = fields ? fed_json_put_canonical(&text, fields) : FED_OK;
    fed_buf_put(&text, fed_json_string(fed_json_get(entry, "time")));
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = fed_digest_of(fed_buf_span(&text), &digest);
    if (!err)
        memcpy(out->fields, digest.bytes, sizeof out->fields);
    fed_buf_fini(&text);
    return err;
}

static enum fed_err read_managers(
    struct fed_alloc *mem, const struct fed_json *managed, struct agent_seen *out)
{
    struct fed_json_iter it = fed_json_items(managed);
    enum fed_err err = FED_OK;

    while (!err && fed_json_iter_next(&it)) {
        if (is_ours(it.value, "Update")) {
            out->has_update = true;
            out->update_index = it.index;
        }
        if (!is_ours(it.value, "Apply"))
            continue;
        out->has_fields = true;
        out->fields_index = it.index;
        if (it.index < 64)
            out->fields_all |= UINT64_C(1) << it.index;
        out->has_replicas =
            fed_json_get(fed_json_get(fed_json_get(it.value, "fieldsV1"), "f:spec"), "f:replicas");
        err = read_fields(mem, it.value, out);
    }
    return err;
}

/* A uid is put into requests as it is, so it must need no escaping. */
static bool is_plain(const char *text)
{
    return text[strspn(
               text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:")] == '\0';
}

enum fed_err agent_seen_read(struct fed_alloc *mem, const struct fed_json *object,
    struct fed_span api_version, struct fed_span kind, struct agent_seen *out,
    struct fed_diag *diag)
{
    const struct fed_json *meta = fed_json_get(object, "metadata");
    const struct fed_json *label =
        fed_json_get(fed_json_get(meta, "labels"), FED_RENDER_MANAGED_LABEL);
    struct agent_seen seen = {0};
    enum fed_err err;

    seen.ns = fed_json_string(fed_json_get(meta, "namespace"));
    seen.name = fed_json_string(fed_json_get(meta, "name"));
    if (seen.name.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "the member's object has no metadata.name");
    if (fed_span_to_cstr(fed_json_string(fed_json_get(meta, "uid")), seen.uid, sizeof seen.uid) ||
        !is_plain(seen.uid))
        return fed_diag_set(diag, FED_ERR_INVALID, "the member's object has an unusable uid");
    seen.generation = (uint64_t)fed_json_int(fed_json_get(meta, "generation"), 0);
    if (fed_span_to_u64(
            fed_json_string(fed_json_get(meta, "resourceVersion")), &seen.resource_version))
        seen.resource_version = 0;
    seen.managed = fed_json_string(label);
    seen.has_managed = fed_json_is_string(label);
    seen.deleting = fed_json_is_string(fed_json_get(meta, "deletionTimestamp"));
    agent_health_of(api_version, kind, object, &seen.health);
    seen.status = fed_json_get(object, "status");
    seen.object = object;
    err = read_managers(mem, fed_json_get(meta, "managedFields"), &seen);
    if (err)
        return fed_diag_set(diag, err, "managedFields of the member's object");
    *out = seen;
    return FED_OK;
}

enum fed_err agent_seen_parse(struct fed_alloc *mem, struct fed_json_doc *doc, struct fed_span text,
    struct fed_span api_version, struct fed_span kind, struct agent_seen *out,
    struct fed_diag *diag)
{
    struct fed_json *object = NULL;
    enum fed_err err = fed_json_parse(doc, text, &object, diag);

    if (err)
        return fed_diag_prefix(diag, err, "answer of the member's API server");
    return agent_seen_read(mem, object, api_version, kind, out, diag);
}
