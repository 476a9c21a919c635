/* kinds.c - see link.h: the kinds that are federated. */
#include "proto/link/link.h"

#include "proto/bundle/work.h"

#include <string.h>

#define KINDS_FORMAT 1u

enum fed_err fed_link_kinds_digest(struct fed_span answer, uint8_t out[FED_LINK_KINDS_DIGEST_SIZE])
{
    struct fed_digest digest;
    enum fed_err err = fed_digest_of(answer, &digest);

    if (!err)
        memcpy(out, digest.bytes, FED_LINK_KINDS_DIGEST_SIZE);
    return err;
}

void fed_link_kinds_begin(struct fed_buf *out, size_t n)
{
    fed_buf_put_u8(out, KINDS_FORMAT);
    fed_buf_put_varint(out, n);
}

void fed_link_kinds_add(struct fed_buf *out, const struct fed_link_kind *kind)
{
    fed_buf_put_string(out, kind->api_version);
    fed_buf_put_string(out, kind->kind);
    fed_buf_put_string(out, kind->plural);
}

static enum fed_err take_kind(struct fed_span *from, struct fed_link_kind *out)
{
    enum fed_err err = fed_span_take_string(from, FED_WORK_API_VERSION_MAX, &out->api_version);

    if (!err)
        err = fed_span_take_string(from, FED_WORK_KIND_MAX, &out->kind);
    if (!err)
        err = fed_span_take_string(from, FED_WORK_PLURAL_MAX, &out->plural);
    if (!err && (!out->api_version.len || !out->kind.len || !out->plural.len))
        err = FED_ERR_INVALID;
    return err;
}

enum fed_err fed_link_kinds_take(
    struct fed_span bytes, struct fed_link_kind *out, size_t max, size_t *n)
{
    uint64_t count;
    uint8_t format;
    enum fed_err err = fed_span_take_u8(&bytes, &format);

    if (!err && format != KINDS_FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_varint(&bytes, max, &count);
    for (uint64_t i = 0; !err && i < count; i++)
        err = take_kind(&bytes, &out[i]);
    if (!err && bytes.len > 0)
        err = FED_ERR_INVALID;
    if (!err)
        *n = (size_t)count;
    return err;
}
