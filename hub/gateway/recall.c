/* recall.c - agents that come back without a whole handshake, also to another process
 * (docs/protocol.md section 3.5). What a session left is stored with it; it stays when the session
 * goes, and goes when the certificate counts no more.
 *
 * Row "y/" and 32 hex digits of the first half of the SHA-256 of the cluster's name, which is the
 * first half of the identifier: u8 format 1, the second half, string sealed (hub/identity). So the
 * store's copies show nothing of it, and nothing of before counts when the set of CAs changed. */
#include "hub/gateway/internal.h"

#include "proto/base/text.h"

#include <string.h>

#define ROW_FORMAT 1u
#define ID_SIZE 32u
#define HALF 16u
#define PREFIX "y/"
#define KEY_LEN (sizeof PREFIX - 1u + 2u * HALF)
#define SEALED_MAX (4096u + FED_SEAL_EXTRA)
#define ROW_MAX (SEALED_MAX + 64u)

static struct fed_span key_of(const uint8_t half[HALF], char out[KEY_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    memcpy(out, PREFIX, sizeof PREFIX - 1);
    for (size_t i = 0; i < HALF; i++) {
        out[sizeof PREFIX - 1 + 2 * i] = digits[half[i] >> 4];
        out[sizeof PREFIX + 2 * i] = digits[half[i] & 0x0f];
    }
    out[KEY_LEN] = 0;
    return fed_span_of(out, KEY_LEN);
}

static enum fed_err stage(struct hub_gateway *gateway, const struct fed_store_op *op)
{
    enum fed_err err = hub_objects_stage(gateway->objects, NULL, 0, op, 1, NULL, NULL);

    if (!err && !hub_objects_flush_soon(gateway->objects))
        err = hub_objects_flush(gateway->objects, NULL);
    return err;
}

/* The identifier is of that cluster: a worker says whom it authenticated, and for nobody else. */
static bool is_of(struct fed_span id, struct fed_span cluster)
{
    struct fed_digest name;

    return id.len == ID_SIZE && !fed_digest_of(cluster, &name) &&
           memcmp(id.at, name.bytes, HALF) == 0;
}

void gateway_recall_note(const struct gateway_session *session, const struct fed_link_peer *peer)
{
    struct hub_gateway *gateway = session->binding->gateway;
    char key[KEY_LEN + 1];
    struct fed_store_op op = {0};
    struct fed_buf sealed;
    struct fed_buf row;
    enum fed_err err;

    if (peer->recall.len == 0 || !is_of(peer->recall_id, fed_span_text(session->name)))
        return;
    fed_buf_init(&sealed, gateway->mem, SEALED_MAX);
    fed_buf_init(&row, gateway->mem, ROW_MAX);
    err = hub_identity_seal(gateway->identity, peer->recall_id, peer->recall, &sealed);
    fed_buf_put_u8(&row, ROW_FORMAT);
    fed_buf_put(&row, fed_span_sub(peer->recall_id, HALF, HALF));
    fed_buf_put_string(&row, fed_buf_span(&sealed));
    op.key = key_of(peer->recall_id.at, key);
    op.value = fed_buf_span(&row);
    if (!err)
        err = fed_buf_err(&row);
    if (!err)
        err = stage(gateway, &op);
    if (err) /* it costs a whole handshake the next time */
        fed_log(gateway->log, FED_LOG_DEBUG, "gateway: cluster %s will not be known again: %s",
            session->name, fed_err_text(err));
    fed_buf_fini(&sealed);
    fed_buf_fini(&row);
}

void gateway_recall_forget(struct hub_gateway *gateway, struct fed_span cluster)
{
    char key[KEY_LEN + 1];
    struct fed_store_op op = {.remove = true};
    struct fed_digest name;
    enum fed_err err = fed_digest_of(cluster, &name);

    op.key = key_of(name.bytes, key);
    if (!err)
        err = stage(gateway, &op);
    /* Whoever comes back by it is refused like one who shows that certificate. */
    if (err)
        fed_log(gateway->log, FED_LOG_WARN,
            "gateway: what cluster " FED_SPAN_FMT " is known by stays stored",
            FED_SPAN_ARG(cluster));
}

enum fed_err gateway_recall(struct hub_gateway *gateway, struct fed_span id, struct fed_buf *out)
{
    char key[KEY_LEN + 1];
    struct fed_span from;
    struct fed_span half;
    struct fed_span sealed;
    struct fed_buf row;
    uint8_t format = 0;
    enum fed_err err;

    if (id.len != ID_SIZE)
        return FED_ERR_NOT_FOUND;
    fed_buf_init(&row, gateway->mem, ROW_MAX);
    err = hub_objects_get_row(gateway->objects, key_of(id.at, key), &row, NULL);
    from = fed_buf_span(&row);
    if (!err)
        err = fed_span_take_u8(&from, &format);
    if (!err && format != ROW_FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_bytes(&from, HALF, &half);
    if (!err)
        err = fed_span_take_string(&from, SEALED_MAX, &sealed);
    if (!err && !fed_span_eq(half, fed_span_sub(id, HALF, HALF)))
        err = FED_ERR_NOT_FOUND;
    if (!err)
        err = hub_identity_unseal(gateway->identity, id, sealed, out);
    fed_buf_fini(&row);
    return err;
}
