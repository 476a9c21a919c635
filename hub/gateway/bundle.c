/* bundle.c - frames from what the plan remembers. */
#include "hub/gateway/internal.h"

#include "proto/link/knows.h"

#include <string.h>

/* A head says what is there; without a body no base matters. */
static enum fed_err put_head(const struct fed_manifest *target, struct fed_buf *out)
{
    struct fed_frame_head head = {.epoch = target->epoch, .revision = target->revision};
    struct fed_digest digest;
    enum fed_err err = fed_manifest_digest(target, &digest);

    if (err)
        return err;
    memcpy(head.digest, digest.bytes, sizeof head.digest);
    fed_frame_head_put(out, &head);
    return fed_buf_err(out);
}

static enum fed_err encode(struct hub_gateway *gateway, struct fed_span cluster,
    const struct fed_manifest *base, const struct fed_manifest *target, struct fed_buf *out)
{
    struct fed_frame_cache cache = {.ctx = &gateway->cache,
        .get = gateway_cache_get,
        .put = gateway_cache_put,
        .plain = !(hub_plan_knows(gateway->plan, cluster) & FED_LINK_KNOWS_DICTIONARY_1)};

    return fed_frame_encode(gateway->mem, base, target, hub_plan_blob, gateway->plan, &cache, out);
}

static enum fed_err encode_full(struct hub_gateway *gateway, struct fed_span cluster,
    const struct fed_manifest *target, struct fed_buf *out)
{
    struct fed_manifest nothing = {.epoch = target->epoch};

    fed_buf_clear(out);
    return encode(gateway, cluster, &nothing, target, out);
}

/* The change from a revision that is still remembered, with all its blobs. FED_ERR_NOT_FOUND
 * otherwise. */
static enum fed_err encode_change(struct hub_gateway *gateway, struct fed_span cluster,
    uint64_t revision, const struct fed_manifest *target, struct fed_buf *out)
{
    const struct fed_manifest *base;
    enum fed_err err = hub_plan_manifest_base(gateway->plan, cluster, revision, &base);

    fed_buf_clear(out);
    return err ? err : encode(gateway, cluster, base, target, out);
}

enum fed_err gateway_bundle_pull(struct hub_gateway *gateway, struct fed_span cluster,
    uint32_t epoch, uint64_t revision, struct fed_buf *out, uint64_t *target_revision)
{
    const struct fed_manifest *target;
    enum fed_err err = hub_plan_manifest(gateway->plan, cluster, &target);

    if (err)
        return err;
    if (revision == target->revision && epoch == target->epoch)
        err = put_head(target, out);
    else if (revision != 0 && epoch == target->epoch)
        err = encode_change(gateway, cluster, revision, target, out);
    else
        err = FED_ERR_NOT_FOUND;
    if (err == FED_ERR_NOT_FOUND)
        err = encode_full(gateway, cluster, target, out);
    if (!err)
        *target_revision = target->revision;
    return err;
}

enum fed_err gateway_bundle_notification(struct hub_gateway *gateway,
    const struct gateway_session *session, struct fed_buf *out, enum gateway_frame *form,
    uint64_t *target_revision)
{
    struct fed_span cluster = fed_span_text(session->name);
    const struct fed_manifest *target;
    enum fed_err err = hub_plan_manifest(gateway->plan, cluster, &target);

    if (err)
        return err;
    if (target->revision == session->told)
        return FED_ERR_EXISTS;
    *target_revision = target->revision;
    *form = GATEWAY_FRAME_HEAD;
    if (session->brief)
        return put_head(target, out);
    *form = GATEWAY_FRAME_BODY;
    err = session->held == 0 ? encode_full(gateway, cluster, target, out)
                             : encode_change(gateway, cluster, session->held, target, out);
    if (!err && out->len <= FED_LINK_NOTIFY_BODY_MAX)
        return FED_OK;
    if (err && err != FED_ERR_NOT_FOUND && err != FED_ERR_LIMIT)
        return err;
    *form = GATEWAY_FRAME_HEAD;
    fed_buf_clear(out);
    return put_head(target, out);
}

enum fed_err gateway_bundle_head(
    struct hub_gateway *gateway, const struct gateway_session *session, struct fed_buf *out)
{
    const struct fed_manifest *target;
    enum fed_err err = hub_plan_manifest(gateway->plan, fed_span_text(session->name), &target);

    fed_buf_clear(out);
    return err ? err : put_head(target, out);
}

bool gateway_bundle_repeat(
    struct hub_gateway *gateway, const struct gateway_session *session, struct fed_buf *out)
{
    const struct fed_manifest *target;

    return !hub_plan_manifest(gateway->plan, fed_span_text(session->name), &target) &&
           target->revision == session->told && !put_head(target, out);
}
