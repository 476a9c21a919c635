/* answer.c - answers: with the acknowledgement, or by themselves when they come late; large ones in
 * blocks.
 *
 * Blocks of one answer must come from the same bytes (RFC 7959 section 2.4), whatever the resource
 * does meanwhile: the body is kept with the peer for a while, one per peer, and each block request
 * is served from it without other state. */
#include "ports/coap/server.h"

#include "proto/digest/sha256.h"

#include <string.h>

static size_t block_size(unsigned szx)
{
    return (size_t)16 << szx;
}

/* ---- exchanges ---- */

static void exchange_unlink(struct fed_link_exchange *e)
{
    struct fed_link_exchange **link = e->session ? &e->session->exchanges : &e->server->orphans;

    while (*link != e)
        link = &(*link)->next;
    *link = e->next;
    if (e->session)
        e->session->n_exchanges--;
}

void fed_coap_exchange_free(struct fed_link_exchange *e)
{
    exchange_unlink(e);
    fed_alloc_free(e->server->mem, e, sizeof(*e));
}

static bool is_observation(const struct fed_link_session *s, const struct fed_coap_message *m)
{
    return s->observed && m->token_len == s->observe_token_len &&
           memcmp(m->token, s->observe_token, m->token_len) == 0;
}

struct fed_link_exchange fed_coap_exchange_of(struct fed_link_session *s,
    const struct fed_coap_message *m, const struct fed_coap_key *key, bool again)
{
    struct fed_link_exchange e = {.server = s->server,
        .session = s,
        .type = m->type,
        .method = m->code,
        .again = again,
        .observe = key && m->has_observe && m->observe == 0 && m->code == FED_COAP_CODE_GET &&
                   (!again || is_observation(s, m)),
        .mid = m->mid,
        .token_len = m->token_len,
        .block_num = m->block2_num,
        .block_szx = m->has_block2 ? m->block2_szx : FED_COAP_SZX_MAX,
        .has_block1 = m->has_block1,
        .block1 = m->block1_num << 4 | (uint32_t)m->block1_more << 3 | m->block1_szx,
        .ack_due_ms = fed_loop_now_ms(s->server->loop) + FED_COAP_SEPARATE_MS};

    memcpy(e.token, m->token, sizeof(e.token));
    if (key)
        e.key = *key;
    return e;
}

/* ---- sending ---- */

static void recent_add(struct fed_link_session *s, uint16_t mid, const struct fed_coap_writer *w)
{
    struct fed_coap_recent *r = &s->recent[s->recent_next++ % FED_COAP_RECENT_MAX];

    fed_alloc_free(s->server->mem, r->bytes, r->len);
    r->bytes = fed_alloc_get(s->server->mem, w->len);
    r->len = w->len;
    r->mid = mid;
    r->expires_ms = fed_loop_now_ms(s->server->loop) + FED_COAP_EXCHANGE_LIFETIME_MS;
    if (r->bytes)
        memcpy(r->bytes, w->bytes, w->len);
}

/* A POST whose answer went by itself: a repetition is acknowledged, as the first one was. */
static void recent_add_late(struct fed_link_session *s, uint16_t mid)
{
    struct fed_coap_writer w;

    fed_coap_writer_begin(&w, FED_COAP_ACK, FED_COAP_CODE_EMPTY, mid, NULL, 0);
    recent_add(s, mid, &w);
}

static void served_add(struct fed_link_session *s, uint16_t mid)
{
    s->served[s->served_next++ % FED_COAP_SERVED_MAX] = (struct fed_coap_served){
        .expires_ms = fed_loop_now_ms(s->server->loop) + FED_COAP_EXCHANGE_LIFETIME_MS, .mid = mid};
}

static void writer_begin(const struct fed_link_exchange *e, uint8_t code, struct fed_coap_writer *w)
{
    bool piggybacked = e->type == FED_COAP_CON && !e->acknowledged;
    enum fed_coap_type type = piggybacked ? FED_COAP_ACK : e->type;
    uint16_t mid = piggybacked ? e->mid : e->session->next_mid++;

    fed_coap_writer_begin(w, type, code, mid, e->token, e->token_len);
}

static void writer_send(struct fed_link_exchange *e, struct fed_coap_writer *w)
{
    struct fed_link_session *s = e->session;
    enum fed_err err;

    if (e->type == FED_COAP_CON && e->acknowledged) {
        err = fed_coap_outgoing_add(s, w, false, 0);
        if (!err && e->method == FED_COAP_CODE_POST)
            recent_add_late(s, e->mid);
        if (err)
            fed_log(s->server->log, FED_LOG_WARN, "coap: an answer is lost: %s", fed_err_text(err));
        return;
    }
    if (w->failed)
        return; /* no message of ours is that large */
    if (e->type == FED_COAP_CON && e->method == FED_COAP_CODE_POST)
        recent_add(s, e->mid, w);
    fed_coap_peer_send(s, fed_span_of(w->bytes, w->len));
}

static void put_block1(const struct fed_link_exchange *e, struct fed_coap_writer *w)
{
    if (e->has_block1)
        fed_coap_writer_uint(w, FED_COAP_OPTION_BLOCK1, e->block1);
}

static void put_max_age(struct fed_coap_writer *w, uint8_t code, uint32_t max_age_s)
{
    if (code == FED_COAP_CODE(FED_LINK_UNAVAILABLE) && max_age_s > 0)
        fed_coap_writer_uint(w, FED_COAP_OPTION_MAX_AGE, max_age_s);
}

static void send_code(struct fed_link_exchange *e, unsigned code, uint32_t max_age_s)
{
    struct fed_coap_writer w;

    writer_begin(e, FED_COAP_CODE(code), &w);
    put_max_age(&w, FED_COAP_CODE(code), max_age_s);
    put_block1(e, &w);
    if (code == FED_LINK_TOO_LARGE)
        fed_coap_writer_uint(&w, FED_COAP_OPTION_SIZE1, FED_COAP_UPLOAD_MAX);
    writer_send(e, &w);
}

void fed_coap_answer_code(
    struct fed_link_session *s, const struct fed_coap_message *m, unsigned code)
{
    struct fed_link_exchange e = fed_coap_exchange_of(s, m, NULL, false);

    send_code(&e, code, code == FED_LINK_UNAVAILABLE);
}

static void put_observe(const struct fed_link_exchange *e, struct fed_coap_writer *w)
{
    if (e->observe && e->session->observed)
        fed_coap_writer_uint(w, FED_COAP_OPTION_OBSERVE, e->session->observe_seq);
}

static void send_whole(
    struct fed_link_exchange *e, uint8_t code, struct fed_span payload, uint32_t max_age_s)
{
    struct fed_coap_writer w;

    writer_begin(e, code, &w);
    put_observe(e, &w);
    put_max_age(&w, code, max_age_s);
    put_block1(e, &w);
    fed_coap_writer_payload(&w, payload);
    writer_send(e, &w);
}

/* ---- large ones ---- */

void fed_coap_body_free(struct fed_link_session *s)
{
    if (!s->body)
        return;
    s->server->bodies_size -= s->body->len;
    fed_alloc_free(s->server->mem, s->body, sizeof(*s->body) + s->body->len);
    s->body = NULL;
}

static struct fed_coap_body *body_keep(
    struct fed_link_exchange *e, uint8_t code, struct fed_span bytes)
{
    struct fed_link_session *s = e->session;
    struct fed_digest digest;
    struct fed_coap_body *body;

    fed_coap_body_free(s);
    if (bytes.len > FED_COAP_BODIES_MAX - s->server->bodies_size || fed_digest_of(bytes, &digest))
        return NULL;
    body = fed_alloc_get(s->server->mem, sizeof(*body) + bytes.len);
    if (!body)
        return NULL;
    body->key = e->key;
    body->code = code;
    memcpy(body->etag, digest.bytes, sizeof(body->etag));
    body->len = bytes.len;
    memcpy(body->bytes, bytes.at, bytes.len);
    s->server->bodies_size += bytes.len;
    s->body = body;
    return body;
}

static void send_block(struct fed_link_exchange *e)
{
    struct fed_link_session *s = e->session;
    struct fed_coap_body *body = s->body;
    size_t size = block_size(e->block_szx);
    size_t at = (size_t)e->block_num * size;
    bool more = body->len - at > size;
    struct fed_coap_writer w;

    writer_begin(e, body->code, &w);
    fed_coap_writer_option(&w, FED_COAP_OPTION_ETAG, fed_span_of(body->etag, sizeof(body->etag)));
    if (e->block_num == 0)
        put_observe(e, &w);
    fed_coap_writer_uint(
        &w, FED_COAP_OPTION_BLOCK2, e->block_num << 4 | (uint32_t)more << 3 | e->block_szx);
    put_block1(e, &w);
    if (e->block_num == 0)
        fed_coap_writer_uint(&w, FED_COAP_OPTION_SIZE2, (uint32_t)body->len);
    fed_coap_writer_payload(&w, fed_span_sub(fed_span_of(body->bytes, body->len), at, size));
    writer_send(e, &w);
    body->expires_ms =
        fed_loop_now_ms(s->server->loop) + (more ? FED_COAP_BODY_MS : FED_COAP_BODY_LAST_MS);
    fed_coap_peer_arm(s);
}

/* e->session->body is what the exchange asked for; is there such a block? */
static void send_block_or_refuse(struct fed_link_exchange *e)
{
    if (e->block_num > 0 && (e->session->body->len - 1) / block_size(e->block_szx) < e->block_num) {
        send_code(e, FED_LINK_BAD_REQUEST, 0);
        return;
    }
    send_block(e);
}

bool fed_coap_answer_block(struct fed_link_session *s, const struct fed_coap_message *m,
    const struct fed_coap_key *key, bool again)
{
    struct fed_link_exchange e;

    if ((!again && (!m->has_block2 || m->block2_num == 0)) || !s->body ||
        s->body->key.len != key->len || memcmp(s->body->key.bytes, key->bytes, key->len) != 0)
        return false;
    e = fed_coap_exchange_of(s, m, again ? key : NULL, again);
    send_block_or_refuse(&e);
    return true;
}

static void send_large(struct fed_link_exchange *e, unsigned code, struct fed_span body)
{
    if (body_keep(e, FED_COAP_CODE(code), body)) {
        send_block_or_refuse(e);
        return;
    }
    fed_log(e->server->log, FED_LOG_WARN,
        "coap: no memory for an answer of %zu bytes, asking to come back", body.len);
    send_code(e, FED_LINK_UNAVAILABLE, 10);
}

/* ---- the contract ---- */

static void observation_set(struct fed_link_exchange *e)
{
    struct fed_link_session *s = e->session;

    fed_coap_observation_drop(s);
    s->observed = true;
    s->observe_token_len = e->token_len;
    memcpy(s->observe_token, e->token, e->token_len);
    s->observe_seq = (s->observe_seq + 1) & 0xffffffu;
}

void fed_link_answer(
    struct fed_link_exchange *e, unsigned code, struct fed_span body, uint32_t max_age_s)
{
    if (e->session && !e->session->closed) {
        if (e->observe && !e->again && code == FED_LINK_CONTENT)
            observation_set(e);
        if (e->type == FED_COAP_CON && e->method == FED_COAP_CODE_GET && !e->again &&
            code == FED_LINK_CONTENT)
            served_add(e->session, e->mid);
        if (body.len > block_size(e->block_szx) || (e->block_num > 0 && body.len > 0))
            send_large(e, code, body);
        else if (body.len > 0 || code == FED_LINK_CONTENT)
            send_whole(e, FED_COAP_CODE(code), body, max_age_s);
        else
            send_code(e, code, max_age_s);
    }
    fed_coap_exchange_free(e);
}
