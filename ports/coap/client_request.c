/* client_request.c - requests, the observation and pings of one session. Tokens are a counter: the
 * session is authenticated and ours alone, so nobody has to be kept from guessing them (RFC 7252
 * section 5.3.1). */
#include "ports/coap/client.h"

#include <stdio.h>
#include <string.h>

#define OBSERVE_HALF 0x800000u /* of the 24-bit number line, RFC 7641 section 3.4 */
#define OBSERVE_FORGET_MS 128000u
#define CONTINUE 231u /* RFC 7959 section 2.9.1 */

/* ---- round trips (RFC 6298 section 2) ---- */

void fed_coap_rtt_add(struct fed_coap_client *client, uint64_t rtt_ms)
{
    uint32_t rtt = rtt_ms > 60000 ? 60000 : (uint32_t)rtt_ms;
    uint32_t off;

    if (client->srtt_ms == 0) {
        client->srtt_ms = rtt + 1;
        client->rttvar_ms = rtt / 2;
        return;
    }
    off = rtt > client->srtt_ms ? rtt - client->srtt_ms : client->srtt_ms - rtt;
    client->rttvar_ms = (client->rttvar_ms * 3 + off) / 4;
    client->srtt_ms = (client->srtt_ms * 7 + rtt) / 8 + 1;
}

static void ack_timeout_set(struct fed_coap_client *client)
{
    uint32_t ms = FED_COAP_CLIENT_ACK_MS;

    if (client->srtt_ms > 0)
        ms = client->srtt_ms + 4 * client->rttvar_ms;
    if (ms < FED_COAP_CLIENT_ACK_FLOOR_MS)
        ms = FED_COAP_CLIENT_ACK_FLOOR_MS;
    if (ms > 2 * FED_COAP_CLIENT_ACK_MS)
        ms = 2 * FED_COAP_CLIENT_ACK_MS;
    coap_session_set_ack_timeout(
        client->session, (coap_fixed_point_t){(uint16_t)(ms / 1000), (uint16_t)(ms % 1000)});
}

/* ---- the list ---- */

static struct fed_coap_request *find_token(struct fed_coap_client *client, uint16_t token)
{
    struct fed_coap_request *r = client->requests;

    while (r && (r->kind == FED_COAP_KIND_PING || r->token != token))
        r = r->next;
    return r;
}

static struct fed_coap_request *find_mid(struct fed_coap_client *client, coap_mid_t mid)
{
    struct fed_coap_request *r = client->requests;

    while (r && (r->transfer || r->mid != mid))
        r = r->next;
    return r;
}

static uint16_t token_new(struct fed_coap_client *client)
{
    do
        client->next_token++;
    while (find_token(client, client->next_token) ||
           (client->observation.active && client->observation.token == client->next_token));
    return client->next_token;
}

static void request_free(struct fed_coap_client *client, struct fed_coap_request *r)
{
    if (r->upload)
        fed_alloc_free(client->mem, r->upload, sizeof(*r->upload) + r->upload->len);
    fed_alloc_free(client->mem, r, sizeof(*r));
}

void fed_coap_request_finish(struct fed_coap_client *client, struct fed_coap_request *r,
    enum fed_err err, const struct fed_link_message *message, const char *why)
{
    struct fed_coap_request **link = &client->requests;
    fed_link_done *done = r->done;
    void *done_ctx = r->done_ctx;
    struct fed_coap_transfer *transfer = r->transfer;
    struct fed_diag diag = {""};

    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    client->n_requests--;
    if (err)
        fed_diag_set(&diag, err, "%s %s: %s", client->peer,
            r->kind == FED_COAP_KIND_PING ? "ping" : r->path, why);
    request_free(client, r);
    done(done_ctx, err, err ? NULL : message, err ? &diag : NULL);
    fed_coap_transfer_free(client, transfer); /* the message was in it */
}

void fed_coap_requests_end(struct fed_coap_client *client, enum fed_err err, const char *why)
{
    char reason[400];

    snprintf(reason, sizeof(reason), "%s", why); /* an owner may overwrite it */
    while (client->requests) {
        fed_coap_transfer_keep(client, client->requests);
        fed_coap_request_finish(client, client->requests, err, NULL, reason);
    }
}

uint64_t fed_coap_requests_due(const struct fed_coap_client *client)
{
    uint64_t due_ms = UINT64_MAX;

    for (const struct fed_coap_request *r = client->requests; r; r = r->next) {
        if (r->deadline_ms < due_ms)
            due_ms = r->deadline_ms;
        if (r->transfer && fed_coap_transfer_due(r->transfer) < due_ms)
            due_ms = fed_coap_transfer_due(r->transfer);
    }
    return due_ms;
}

void fed_coap_requests_run(struct fed_coap_client *client)
{
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    struct fed_coap_request *r = client->requests;

    while (r) {
        if (r->deadline_ms <= now_ms) {
            fed_coap_transfer_keep(client, r);
            fed_coap_request_finish(client, r, FED_ERR_TIMEOUT, NULL, "no answer in time");
            r = client->requests; /* its owner may have changed the list */
            continue;
        }
        if (r->transfer)
            fed_coap_transfer_run(client, r);
        r = r->next;
    }
}

/* ---- sending ---- */

static bool add_joined(
    coap_pdu_t *pdu, coap_option_num_t number, const char *text, uint8_t separator)
{
    struct fed_span rest = fed_span_text(text);
    struct fed_span part;

    while (fed_span_split(&rest, separator, &part))
        if (!coap_add_option(pdu, number, part.len, part.at))
            return false;
    return true;
}

coap_pdu_t *fed_coap_request_pdu(struct fed_coap_client *client, const struct fed_coap_request *r,
    coap_pdu_type_t type, const struct fed_coap_ask *ask)
{
    struct fed_coap_ask first = {.szx = client->small ? FED_COAP_SZX_SMALL : FED_COAP_SZX_LARGE};
    coap_pdu_code_t code =
        r->method == FED_LINK_GET ? COAP_REQUEST_CODE_GET : COAP_REQUEST_CODE_POST;
    coap_pdu_t *pdu = coap_new_pdu(type, code, client->session);
    uint8_t token[2] = {(uint8_t)(r->token >> 8), (uint8_t)r->token};
    uint8_t block[4];
    bool good;

    if (!pdu)
        return NULL;
    good = coap_add_token(pdu, sizeof(token), token);
    if (good && r->kind == FED_COAP_KIND_OBSERVE && !ask)
        good = coap_add_option(pdu, COAP_OPTION_OBSERVE, 0, NULL);
    good = good && add_joined(pdu, COAP_OPTION_URI_PATH, r->path, '/') &&
           add_joined(pdu, COAP_OPTION_URI_QUERY, r->query, '&');
    if (!ask && client->small && r->method == FED_LINK_GET)
        ask = &first; /* RFC 7959 section 2.4: early negotiation */
    if (good && ask)
        good = coap_add_option(pdu, COAP_OPTION_BLOCK2,
            coap_encode_var_safe(block, sizeof(block), ask->num << 4 | ask->szx), block);
    if (good && !ask && r->upload)
        good = fed_coap_upload_option(pdu, r->upload);
    if (good)
        return pdu;
    coap_delete_pdu(pdu);
    return NULL;
}

enum fed_err fed_coap_request_send(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_span payload)
{
    coap_pdu_t *pdu;

    r->token = token_new(client);
    r->started_ms = fed_loop_now_ms(client->loop);
    r->retransmits = client->retransmits;
    ack_timeout_set(client);
    pdu = fed_coap_request_pdu(client, r, COAP_MESSAGE_CON, NULL);
    if (!pdu)
        return FED_ERR_NOMEM;
    if (payload.len > 0 && !coap_add_data(pdu, payload.len, payload.at)) {
        coap_delete_pdu(pdu);
        return FED_ERR_LIMIT;
    }
    r->mid = coap_send(client->session, pdu);
    return r->mid == COAP_INVALID_MID ? FED_ERR_NETWORK : FED_OK;
}

static enum fed_err request_new(struct fed_coap_client *client, enum fed_coap_kind kind,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx, struct fed_coap_request **out)
{
    struct fed_coap_request *r;

    if (client->state != FED_COAP_UP)
        return FED_ERR_CLOSED;
    if (client->n_requests >= FED_COAP_CLIENT_REQUESTS_MAX)
        return FED_ERR_BUSY;
    r = fed_alloc_zero(client->mem, sizeof(*r));
    if (!r)
        return FED_ERR_NOMEM;
    r->kind = kind;
    r->mid = COAP_INVALID_MID;
    r->deadline_ms = fed_loop_now_ms(client->loop) + timeout_ms;
    r->done = done;
    r->done_ctx = done_ctx;
    *out = r;
    return FED_OK;
}

static enum fed_err request_start(struct fed_coap_client *client, struct fed_coap_request *r,
    enum fed_err err, struct fed_span payload)
{
    if (!err)
        err = fed_coap_request_send(client, r, payload);
    if (err) {
        request_free(client, r);
        return err;
    }
    r->next = client->requests;
    client->requests = r;
    client->n_requests++;
    fed_coap_client_arm(client);
    return FED_OK;
}

static enum fed_err names_set(struct fed_coap_request *r, const char *path, const char *query)
{
    enum fed_err err = fed_span_to_cstr(fed_span_text(path), r->path, sizeof(r->path));

    return err ? err : fed_span_to_cstr(fed_span_text(query), r->query, sizeof(r->query));
}

enum fed_err fed_coap_client_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx)
{
    struct fed_coap_client *client = ctx;
    struct fed_coap_request *r;
    enum fed_err err;

    if (payload.len > FED_COAP_CLIENT_PAYLOAD_MAX)
        return FED_ERR_LIMIT;
    err = request_new(client, FED_COAP_KIND_REQUEST, timeout_ms, done, done_ctx, &r);
    if (err)
        return err;
    r->method = method;
    err = names_set(r, path, query);
    if (!err && payload.len > FED_COAP_CLIENT_BLOCK) {
        err = fed_coap_upload_begin(client, r, payload);
        payload = err ? payload : fed_coap_upload_block(r->upload);
    }
    return request_start(client, r, err, payload);
}

enum fed_err fed_coap_client_observe(void *ctx, const char *path, const char *query,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct fed_coap_client *client = ctx;
    struct fed_coap_request *r;
    enum fed_err err = request_new(client, FED_COAP_KIND_OBSERVE, timeout_ms, done, done_ctx, &r);

    if (err)
        return err;
    r->method = FED_LINK_GET;
    return request_start(client, r, names_set(r, path, query), (struct fed_span){NULL, 0});
}

/* RFC 7252 section 4.3: an empty confirmable message, answered with a reset by whoever is alive. */
enum fed_err fed_coap_client_ping(
    void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct fed_coap_client *client = ctx;
    struct fed_coap_request *r;
    enum fed_err err = request_new(client, FED_COAP_KIND_PING, timeout_ms, done, done_ctx, &r);
    coap_pdu_t *pdu;

    if (err)
        return err;
    r->started_ms = fed_loop_now_ms(client->loop);
    r->retransmits = client->retransmits;
    ack_timeout_set(client);
    pdu = coap_new_pdu(COAP_MESSAGE_CON, COAP_EMPTY_CODE, client->session);
    r->mid = pdu ? coap_send(client->session, pdu) : COAP_INVALID_MID;
    if (r->mid == COAP_INVALID_MID) {
        fed_alloc_free(client->mem, r, sizeof(*r));
        return pdu ? FED_ERR_NETWORK : FED_ERR_NOMEM;
    }
    r->next = client->requests;
    client->requests = r;
    client->n_requests++;
    fed_coap_client_arm(client);
    return FED_OK;
}

/* ---- what comes back ---- */

static bool option_uint(const coap_pdu_t *pdu, coap_option_num_t number, uint32_t *out)
{
    coap_opt_iterator_t it;
    coap_opt_t *option = coap_check_option(pdu, number, &it);

    if (!option || coap_opt_length(option) > 4)
        return false;
    *out = coap_decode_var_bytes(coap_opt_value(option), coap_opt_length(option));
    return true;
}

static struct fed_link_message message_of(const coap_pdu_t *pdu)
{
    struct fed_link_message m = {0};
    uint8_t code = (uint8_t)coap_pdu_get_code(pdu);
    const uint8_t *at = NULL;
    size_t len = 0;

    m.code = (code >> 5) * 100u + (code & 31u);
    if (coap_get_data(pdu, &len, &at))
        m.payload = fed_span_of(at, len);
    if (m.code == FED_LINK_UNAVAILABLE && !option_uint(pdu, COAP_OPTION_MAXAGE, &m.max_age_s))
        m.max_age_s = 60; /* the default, RFC 7252 section 5.10.5 */
    return m;
}

static bool is_newer(const struct fed_coap_observation *o, uint32_t seq, uint64_t now_ms)
{
    if (o->fresh || now_ms > o->seen_ms + OBSERVE_FORGET_MS)
        return true;
    return (o->seq < seq && seq - o->seq < OBSERVE_HALF) ||
           (o->seq > seq && o->seq - seq > OBSERVE_HALF);
}

static void on_notification(struct fed_coap_client *client, const coap_pdu_t *pdu)
{
    struct fed_coap_observation *o = &client->observation;
    struct fed_link_message m = message_of(pdu);
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    uint32_t seq;

    if (!option_uint(pdu, COAP_OPTION_OBSERVE, &seq)) {
        if (m.code < FED_LINK_BAD_REQUEST)
            return;        /* a repeated answer, or a hub that no longer lets us observe */
        o->active = false; /* an error ends it (RFC 7641 section 4.2) */
        client->events.notification(client->events.ctx, &m);
        return;
    }
    if (!is_newer(o, seq, now_ms))
        return;
    o->fresh = false;
    o->seq = seq;
    o->seen_ms = now_ms;
    client->events.notification(client->events.ctx, &m);
}

static void observation_begin(
    struct fed_coap_client *client, const struct fed_coap_request *r, const coap_pdu_t *pdu)
{
    uint32_t seq;

    if (r->kind != FED_COAP_KIND_OBSERVE || !option_uint(pdu, COAP_OPTION_OBSERVE, &seq))
        return;
    client->observation = (struct fed_coap_observation){
        .active = true, .token = r->token, .seq = seq, .seen_ms = fed_loop_now_ms(client->loop)};
}

static void on_answer(
    struct fed_coap_client *client, struct fed_coap_request *r, const coap_pdu_t *pdu)
{
    struct fed_link_message m = message_of(pdu);
    struct fed_coap_block block;

    if (r->transfer) {
        fed_coap_transfer_received(client, r, pdu, m.payload);
        return;
    }
    if (client->retransmits == r->retransmits && coap_pdu_get_type(pdu) == COAP_MESSAGE_ACK)
        fed_coap_rtt_add(client, fed_loop_now_ms(client->loop) - r->started_ms);
    observation_begin(client, r, pdu);
    if (r->upload && m.code == CONTINUE) {
        fed_coap_upload_continue(client, r);
        return;
    }
    if (fed_coap_block_of(pdu, &block) && (block.more || block.num > 0)) {
        r->token = token_new(client); /* the old one is the observation's */
        fed_coap_transfer_begin(client, r, pdu, &block, m.payload);
        return;
    }
    fed_coap_request_finish(client, r, FED_OK, &m, "");
}

static bool token_of(const coap_pdu_t *pdu, uint16_t *out)
{
    coap_bin_const_t token = coap_pdu_get_token(pdu);

    if (token.length != 2)
        return false;
    *out = (uint16_t)(token.s[0] << 8 | token.s[1]);
    return true;
}

coap_response_t fed_coap_client_response(coap_session_t *session, const coap_pdu_t *sent,
    const coap_pdu_t *received, const coap_mid_t mid)
{
    struct fed_coap_client *client = coap_session_get_app_data(session);
    struct fed_coap_request *r;
    uint16_t token;

    (void)sent;
    (void)mid;
    if (!client || session != client->session || client->state != FED_COAP_UP)
        return COAP_RESPONSE_OK;
    client->heard_ms = fed_loop_now_ms(client->loop);
    if (!token_of(received, &token))
        return COAP_RESPONSE_FAIL;
    r = find_token(client, token);
    if (r) {
        on_answer(client, r, received);
        return COAP_RESPONSE_OK;
    }
    if (client->observation.active && client->observation.token == token) {
        on_notification(client, received);
        return COAP_RESPONSE_OK;
    }
    /* A reset ends an observation that we have no more; a late block or answer is of no interest.
     */
    return coap_pdu_get_type(received) == COAP_MESSAGE_CON ? COAP_RESPONSE_FAIL : COAP_RESPONSE_OK;
}

/* ---- what does not come back ---- */

static void on_reset(struct fed_coap_client *client, coap_mid_t mid)
{
    struct fed_coap_request *r = find_mid(client, mid);
    struct fed_link_message pong = {0};

    client->heard_ms = fed_loop_now_ms(client->loop);
    if (!r)
        return;
    if (r->kind != FED_COAP_KIND_PING) {
        fed_coap_request_finish(
            client, r, FED_ERR_NETWORK, NULL, "the hub does not understand the request");
        return;
    }
    if (client->retransmits == r->retransmits)
        fed_coap_rtt_add(client, client->heard_ms - r->started_ms);
    fed_coap_request_finish(client, r, FED_OK, &pong, "");
}

/* All repetitions of a message were in vain. When nothing else came meanwhile, the session is dead.
 */
static void on_silence(struct fed_coap_client *client, coap_mid_t mid)
{
    struct fed_coap_request *r = find_mid(client, mid);

    if (!r)
        return;
    if (client->heard_ms <= r->started_ms)
        fed_coap_client_fail(client, FED_ERR_TIMEOUT, "%s: no answer to %u sends in %u s",
            client->peer, FED_COAP_CLIENT_RETRANSMIT + 1,
            (unsigned)((fed_loop_now_ms(client->loop) - r->started_ms) / 1000));
    fed_coap_request_finish(client, r, FED_ERR_TIMEOUT, NULL, "no answer");
}

static void on_session_over(struct fed_coap_client *client)
{
    if (client->state == FED_COAP_CONNECTING)
        fed_coap_client_dtls_failed(client, false);
    else
        fed_coap_client_fail(
            client, FED_ERR_CLOSED, "%s: the hub closed the session", client->peer);
}

void fed_coap_client_nack(coap_session_t *session, const coap_pdu_t *sent,
    const coap_nack_reason_t reason, const coap_mid_t mid)
{
    struct fed_coap_client *client = coap_session_get_app_data(session);

    (void)sent;
    if (!client || session != client->session)
        return;
    switch (reason) {
    case COAP_NACK_RST:
        on_reset(client, mid);
        break;
    case COAP_NACK_TOO_MANY_RETRIES:
    case COAP_NACK_NOT_DELIVERABLE:
        on_silence(client, mid);
        break;
    case COAP_NACK_TLS_FAILED:
    case COAP_NACK_TLS_LAYER_FAILED:
        on_session_over(client);
        break;
    case COAP_NACK_ICMP_ISSUE:
        /* In a session it may be a hub that restarts and knows us again; repetition finds out. */
        if (client->state == FED_COAP_CONNECTING)
            fed_coap_client_fail(
                client, FED_ERR_NETWORK, "%s: nothing listens there", client->peer);
        break;
    default:
        break;
    }
}
