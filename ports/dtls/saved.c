/* saved.c - open sessions as bytes, for the process that goes on with them.
 *
 * The library writes keys, connection IDs, the replay window and the counter of what was sent, and
 * makes its own context useless in the same call: from then on only the bytes can go on. It also
 * writes its version and build options, and refuses what another one wrote.
 *
 *   format 1, flags, address (family, ip, port, scope), our connection ID, milliseconds since the
 *   peer was heard, four counters, context */
#include "ports/dtls/internal.h"

#include <mbedtls/platform_util.h>

#include <string.h>

#define FORMAT 1u
#define WITH_CID 1u
#define UNPROVEN 2u

struct saved {
    bool with_cid;
    bool unproven;
    struct dtls_address address;
    uint8_t cid[DTLS_CID_SIZE];
    uint32_t silent_ms;
    struct fed_dtls_session_stats stats;
    struct fed_span context;
};

static void saved_put(struct fed_buf *out, const struct saved *v)
{
    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u8(out, (uint8_t)((v->with_cid ? WITH_CID : 0) | (v->unproven ? UNPROVEN : 0)));
    fed_buf_put_u16(out, v->address.family);
    fed_buf_put(out, fed_span_of(v->address.ip, sizeof(v->address.ip)));
    fed_buf_put_u16(out, v->address.port);
    fed_buf_put_u32(out, v->address.scope);
    fed_buf_put(out, fed_span_of(v->cid, sizeof(v->cid)));
    fed_buf_put_u32(out, v->silent_ms);
    fed_buf_put_u64(out, v->stats.sent_bytes);
    fed_buf_put_u64(out, v->stats.received_bytes);
    fed_buf_put_u64(out, v->stats.sent_datagrams);
    fed_buf_put_u64(out, v->stats.received_datagrams);
    fed_buf_put_string(out, v->context);
}

static enum fed_err take_into(struct fed_span *from, uint8_t *out, size_t len)
{
    struct fed_span bytes;
    enum fed_err err = fed_span_take_bytes(from, len, &bytes);

    if (!err)
        memcpy(out, bytes.at, len);
    return err;
}

static enum fed_err take_address(struct fed_span *from, struct dtls_address *out)
{
    enum fed_err err = fed_span_take_u16(from, &out->family);

    if (!err)
        err = take_into(from, out->ip, sizeof(out->ip));
    if (!err)
        err = fed_span_take_u16(from, &out->port);
    if (!err)
        err = fed_span_take_u32(from, &out->scope);
    if (!err && out->family != AF_INET && out->family != AF_INET6)
        err = FED_ERR_CORRUPT;
    return err;
}

static enum fed_err take_stats(struct fed_span *from, struct fed_dtls_session_stats *out)
{
    enum fed_err err = fed_span_take_u64(from, &out->sent_bytes);

    if (!err)
        err = fed_span_take_u64(from, &out->received_bytes);
    if (!err)
        err = fed_span_take_u64(from, &out->sent_datagrams);
    return err ? err : fed_span_take_u64(from, &out->received_datagrams);
}

static enum fed_err saved_take(struct fed_span from, struct saved *out)
{
    uint8_t format;
    uint8_t flags;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u8(&from, &flags);
    if (err)
        return FED_ERR_CORRUPT;
    out->with_cid = flags & WITH_CID;
    out->unproven = flags & UNPROVEN;
    err = take_address(&from, &out->address);
    if (!err)
        err = take_into(&from, out->cid, sizeof(out->cid));
    if (!err)
        err = fed_span_take_u32(&from, &out->silent_ms);
    if (!err)
        err = take_stats(&from, &out->stats);
    if (!err)
        err = fed_span_take_string(&from, FED_DTLS_SAVED_MAX, &out->context);
    return err || from.len > 0 ? FED_ERR_CORRUPT : FED_OK;
}

/* ---- save ---- */

enum fed_err fed_dtls_session_save(
    struct fed_dtls_session *session, struct fed_buf *out, unsigned *steer)
{
    uint64_t now_ms = fed_loop_now_ms(session->server->loop);
    uint8_t context[FED_DTLS_SAVED_MAX];
    size_t len = 0;
    struct saved v = {.with_cid = session->with_cid,
        .unproven = session->unproven,
        .address = session->address,
        .silent_ms = (uint32_t)(now_ms - session->heard_ms),
        .stats = session->stats};

    if (session->state != DTLS_OPEN || session == session->server->current ||
        !mbedtls_ssl_get_peer_cert(&session->ssl))
        return FED_ERR_UNSUPPORTED;
    memcpy(v.cid, session->cid, sizeof(v.cid));
    if (mbedtls_ssl_context_save(&session->ssl, context, sizeof(context), &len) != 0)
        return FED_ERR_UNSUPPORTED;
    *steer = v.with_cid ? v.cid[0] : FED_DTLS_STEER_NONE;
    v.context = fed_span_of(context, len);
    saved_put(out, &v);
    mbedtls_platform_zeroize(context, sizeof(context));
    dtls_session_unlist(session);
    if (fed_buf_err(out))
        dtls_session_free(session);
    return fed_buf_err(out);
}

void fed_dtls_session_forget(struct fed_dtls_session *session)
{
    dtls_session_free(session);
}

/* ---- restore ---- */

static enum fed_err check(
    const struct fed_dtls_server *server, const struct saved *v, uint32_t away_ms)
{
    if ((uint64_t)v->silent_ms + away_ms >= server->session_idle_ms)
        return FED_ERR_GONE;
    if (v->with_cid && server->steer_count > 0 &&
        v->cid[0] % server->steer_count != server->steer_index)
        return FED_ERR_UNSUPPORTED;
    if (dtls_table_by_cid(&server->table, v->cid))
        return FED_ERR_CORRUPT;
    return server->table.count >= server->sessions_max ? FED_ERR_LIMIT : FED_OK;
}

static enum fed_err context_load(
    struct fed_dtls_session *s, const struct saved *v, struct fed_crypto_cert_info *cert)
{
    int code = mbedtls_ssl_context_load(&s->ssl, v->context.at, v->context.len);
    const mbedtls_x509_crt *peer = code ? NULL : mbedtls_ssl_get_peer_cert(&s->ssl);

    if (code)
        return code == MBEDTLS_ERR_SSL_VERSION_MISMATCH ? FED_ERR_UNSUPPORTED : FED_ERR_CORRUPT;
    return peer ? fed_mbed_cert_info(peer, cert, NULL) : FED_ERR_CORRUPT;
}

enum fed_err fed_dtls_session_restore(struct fed_dtls_server *server, struct fed_span saved,
    uint32_t away_ms, struct fed_crypto_cert_info *cert, struct fed_dtls_session **out)
{
    uint64_t now_ms = fed_loop_now_ms(server->loop);
    struct saved v = {0};
    struct fed_dtls_session *s;
    enum fed_err err = saved_take(saved, &v);

    if (!err)
        err = check(server, &v, away_ms);
    if (err)
        return err;
    s = dtls_session_new(server);
    if (!s)
        return FED_ERR_NOMEM;
    err = context_load(s, &v, cert);
    if (err) {
        dtls_session_free(s);
        return err;
    }
    mbedtls_ssl_set_verify(&s->ssl, NULL, NULL);
    dtls_handshake_free(s);
    memcpy(s->cid, v.cid, sizeof(s->cid));
    s->address = v.address;
    s->stats = v.stats;
    s->with_cid = v.with_cid;
    s->unproven = v.unproven; /* with no budget: its next record proves the address */
    s->heard_ms = now_ms - (v.silent_ms + away_ms < now_ms ? v.silent_ms + away_ms : now_ms);
    s->state = DTLS_OPEN;
    dtls_table_add(&server->table, server->mem, s);
    if (!dtls_session_arm(s))
        return FED_ERR_NOMEM;
    dtls_server_arm(server);
    server->stats.restored++;
    *out = s;
    return FED_OK;
}
