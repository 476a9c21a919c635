/* saved.c - what a peer's messages need besides its DTLS session when another process goes on with
 * it: message ids that were not used, the observation and its number, and the answers to POSTs that
 * may be repeated. A large answer that is being fetched is not kept: the peer's next block is
 * answered as for a body that expired, and it asks anew. Nor is a notification that waits for its
 * acknowledgement: its owner knows what was acknowledged and sends a newer one.
 *
 *   format 1, next message id, size of its blocks, observed, token, observe number, count of
 * answers with id, milliseconds that each is kept, and bytes; the DTLS session */
#include "ports/coap/server.h"

#include <string.h>

#define FORMAT 1u
#define RECENT_BYTES_MAX 1232u

static void put_recent(struct fed_buf *out, const struct fed_link_session *s, uint64_t now_ms)
{
    uint8_t n = 0;

    for (size_t i = 0; i < FED_COAP_RECENT_MAX; i++)
        n += s->recent[i].bytes && s->recent[i].expires_ms > now_ms;
    fed_buf_put_u8(out, n);
    for (size_t i = 0; i < FED_COAP_RECENT_MAX; i++) {
        const struct fed_coap_recent *r = &s->recent[i];

        if (!r->bytes || r->expires_ms <= now_ms)
            continue;
        fed_buf_put_u16(out, r->mid);
        fed_buf_put_u32(out, (uint32_t)(r->expires_ms - now_ms));
        fed_buf_put_string(out, fed_span_of(r->bytes, r->len));
    }
}

static void put_peer(struct fed_buf *out, const struct fed_link_session *s)
{
    fed_buf_put_u8(out, FORMAT);
    fed_buf_put_u16(out, s->next_mid);
    fed_buf_put_u8(out, (uint8_t)s->szx);
    fed_buf_put_u8(out, s->observed);
    fed_buf_put_string(out, fed_span_of(s->observe_token, s->observe_token_len));
    fed_buf_put_u32(out, s->observe_seq);
    put_recent(out, s, fed_loop_now_ms(s->server->loop));
}

/* ---- save ---- */

/* An answer is missing, or may have got lost: its peer asks anew sooner when it is told. */
static bool owes(const struct fed_link_session *s)
{
    const struct fed_coap_outgoing *o = s->outgoing;

    while (o && o->notification)
        o = o->next;
    return s->exchanges || o;
}

static void save_one(
    struct fed_link_session *s, struct fed_buf *out, fed_link_saved *each, void *ctx)
{
    enum fed_err err;
    unsigned steer;

    fed_buf_clear(out);
    put_peer(out, s);
    if (fed_buf_err(out) || owes(s))
        err = FED_ERR_UNSUPPORTED;
    else
        err = fed_dtls_session_save(s->transport, out, &steer);
    if (err == FED_ERR_UNSUPPORTED)
        s->server->transport->close(s->transport);
    if (!err) {
        each(ctx, s, fed_buf_span(out), steer);
        fed_dtls_session_forget(s->transport);
    }
    fed_coap_peer_free(s);
}

void fed_coap_server_save(struct fed_link_server *server, fed_link_saved *each, void *ctx)
{
    struct fed_buf out;

    fed_coap_server_pause(server, true);
    fed_buf_init(&out, server->mem, FED_LINK_SAVED_MAX);
    while (server->sessions)
        save_one(server->sessions, &out, each, ctx);
    if (out.at)
        memset(out.at, 0, out.cap); /* keys */
    fed_buf_fini(&out);
}

/* ---- restore ---- */

static enum fed_err take_recent(struct fed_span *from, struct fed_link_session *s, uint32_t away_ms)
{
    struct fed_coap_recent *r = &s->recent[s->recent_next % FED_COAP_RECENT_MAX];
    struct fed_span bytes;
    uint32_t left_ms;
    uint16_t mid;
    enum fed_err err = fed_span_take_u16(from, &mid);

    if (!err)
        err = fed_span_take_u32(from, &left_ms);
    if (!err)
        err = fed_span_take_string(from, RECENT_BYTES_MAX, &bytes);
    if (err || left_ms <= away_ms || bytes.len == 0 || r->bytes)
        return err;
    r->bytes = fed_alloc_get(s->server->mem, bytes.len);
    if (!r->bytes)
        return FED_ERR_NOMEM;
    memcpy(r->bytes, bytes.at, bytes.len);
    r->len = bytes.len;
    r->mid = mid;
    r->expires_ms = fed_loop_now_ms(s->server->loop) + left_ms - away_ms;
    s->recent_next++;
    return FED_OK;
}

static enum fed_err take_observation(struct fed_span *from, struct fed_link_session *s)
{
    struct fed_span token;
    uint8_t observed;
    enum fed_err err = fed_span_take_u8(from, &observed);

    if (!err)
        err = fed_span_take_string(from, FED_COAP_TOKEN_MAX, &token);
    if (!err)
        err = fed_span_take_u32(from, &s->observe_seq);
    if (err)
        return err;
    s->observed = observed;
    s->observe_token_len = token.len;
    memcpy(s->observe_token, token.at, token.len);
    return FED_OK;
}

static enum fed_err take_peer(struct fed_span *from, struct fed_link_session *s, uint32_t away_ms)
{
    uint8_t format;
    uint8_t szx;
    uint8_t n;
    enum fed_err err = fed_span_take_u8(from, &format);

    if (!err && format != FORMAT)
        return FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u16(from, &s->next_mid);
    if (!err)
        err = fed_span_take_u8(from, &szx);
    if (!err && szx > FED_COAP_SZX_MAX)
        err = FED_ERR_CORRUPT;
    if (!err)
        err = take_observation(from, s);
    if (!err)
        err = fed_span_take_u8(from, &n);
    if (!err)
        s->szx = szx;
    for (uint8_t i = 0; !err && i < n; i++)
        err = take_recent(from, s, away_ms);
    return err == FED_ERR_NOMEM ? err : err ? FED_ERR_CORRUPT : FED_OK;
}

enum fed_err fed_coap_server_restore(
    struct fed_link_server *server, struct fed_span saved, struct fed_span kept, uint32_t away_ms)
{
    struct fed_link_session *s = fed_coap_peer_new(server, NULL);
    struct fed_crypto_cert_info cert;
    struct fed_dtls_session *dtls;
    struct fed_link_peer facts = {.cert = &cert, .kept = kept};
    enum fed_err err;

    if (!s)
        return FED_ERR_NOMEM;
    err = take_peer(&saved, s, away_ms);
    if (!err)
        err = fed_dtls_session_restore(server->dtls, saved, away_ms, &cert, &dtls);
    if (err) {
        fed_coap_peer_free(s);
        return err;
    }
    s->transport = dtls;
    fed_dtls_session_set_user(dtls, s);
    facts.address = fed_dtls_session_address(dtls);
    fed_coap_peer_enter(s);
    server->events.opened(server->events.ctx, s, &facts);
    fed_coap_peer_leave(s);
    return FED_OK;
}
