/* client_request.c - requests, the observation and pings of one session: sent, and sent again until
 * they are acknowledged (RFC 7252 section 4.2). Tokens are a counter: the session is authenticated
 * and ours alone, so nobody has to be kept from guessing them (section 5.3.1). */
#include "ports/coap/client.h"

#include <stdio.h>
#include <string.h>

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

/* Spread by ACK_RANDOM_FACTOR 1.5. */
static uint32_t ack_wait_ms(struct fed_coap_client *client)
{
    uint32_t ms = FED_COAP_CLIENT_ACK_MS;

    if (client->srtt_ms > 0)
        ms = client->srtt_ms + 4 * client->rttvar_ms;
    if (ms < FED_COAP_CLIENT_ACK_FLOOR_MS)
        ms = FED_COAP_CLIENT_ACK_FLOOR_MS;
    if (ms > FED_COAP_CLIENT_ACK_CEILING_MS)
        ms = FED_COAP_CLIENT_ACK_CEILING_MS;
    return ms + fed_coap_client_random(client) % (ms / 2 + 1);
}

/* ---- the list ---- */

struct fed_coap_request *fed_coap_request_of_token(struct fed_coap_client *client, uint16_t token)
{
    struct fed_coap_request *r = client->requests;

    while (r && (r->kind == FED_COAP_KIND_PING || r->token != token))
        r = r->next;
    return r;
}

struct fed_coap_request *fed_coap_request_of_mid(struct fed_coap_client *client, uint16_t mid)
{
    struct fed_coap_request *r = client->requests;

    while (r && (!r->sent || r->mid != mid))
        r = r->next;
    return r;
}

static bool token_in_use(struct fed_coap_client *client, uint16_t token)
{
    return fed_coap_request_of_token(client, token) ||
           (client->observation.active && client->observation.token == token);
}

void fed_coap_request_renew(struct fed_coap_client *client, struct fed_coap_request *r)
{
    do
        client->next_token++;
    while (token_in_use(client, client->next_token));
    r->token = client->next_token;
}

static void sent_free(struct fed_coap_client *client, struct fed_coap_request *r)
{
    if (r->sent)
        fed_alloc_free(client->mem, r->sent, sizeof(*r->sent) + r->sent->len);
    r->sent = NULL;
}

static void upload_free(struct fed_coap_client *client, struct fed_coap_request *r)
{
    if (r->upload)
        fed_alloc_free(client->mem, r->upload, sizeof(*r->upload) + r->upload->len);
    r->upload = NULL;
}

static void request_free(struct fed_coap_client *client, struct fed_coap_request *r)
{
    sent_free(client, r);
    upload_free(client, r);
    fed_alloc_free(client->mem, r, sizeof(*r));
}

/* The round trip of a message that was sent more than once says nothing (Karn's rule). */
void fed_coap_request_acknowledged(struct fed_coap_client *client, struct fed_coap_request *r)
{
    if (r->sent && r->tries == 1)
        fed_coap_rtt_add(client, fed_loop_now_ms(client->loop) - r->started_ms);
    sent_free(client, r);
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
        fed_diag_set(&diag, err, "%s %s: %s", fed_dtls_client_peer(client->dtls),
            r->kind == FED_COAP_KIND_PING ? "ping" : r->path, why);
    request_free(client, r);
    done(done_ctx, err, err ? NULL : message, err ? &diag : NULL);
    fed_coap_transfer_free(client, transfer); /* the message was in it */
}

void fed_coap_requests_end(struct fed_coap_client *client, enum fed_err err, const char *why)
{
    char reason[sizeof(((struct fed_diag *)NULL)->text)];

    snprintf(reason, sizeof(reason), "%s", why); /* an owner may overwrite it */
    while (client->requests) {
        fed_coap_transfer_keep(client, client->requests);
        fed_coap_request_finish(client, client->requests, err, NULL, reason);
    }
}

/* ---- sending ---- */

static void put_joined(struct fed_coap_writer *w, enum fed_coap_option_number number,
    const char *text, uint8_t separator)
{
    struct fed_span rest = fed_span_text(text);
    struct fed_span part;

    while (fed_span_split(&rest, separator, &part))
        fed_coap_writer_option(w, number, part);
}

void fed_coap_request_put(struct fed_coap_client *client, const struct fed_coap_request *r,
    enum fed_coap_type type, const struct fed_coap_ask *ask, struct fed_coap_writer *w)
{
    uint8_t token[FED_COAP_CLIENT_TOKEN_MAX] = {(uint8_t)(r->token >> 8), (uint8_t)r->token};
    size_t skip = r->token <= UINT8_MAX; /* each byte travels in every block, twice */

    fed_coap_writer_begin(w, type,
        r->method == FED_LINK_GET ? FED_COAP_CODE_GET : FED_COAP_CODE_POST, client->next_mid++,
        token + skip, sizeof(token) - skip);
    if (r->kind == FED_COAP_KIND_OBSERVE && !ask)
        fed_coap_writer_uint(w, FED_COAP_OPTION_OBSERVE, 0);
    put_joined(w, FED_COAP_OPTION_URI_PATH, r->path, '/');
    put_joined(w, FED_COAP_OPTION_URI_QUERY, r->query, '&');
    if (ask)
        fed_coap_writer_uint(w, FED_COAP_OPTION_BLOCK2, ask->num << 4 | ask->szx);
    else if (client->small) /* early negotiation, RFC 7959 section 2.4 */
        fed_coap_writer_uint(w, FED_COAP_OPTION_BLOCK2, FED_COAP_SZX_SMALL);
    if (ask || !r->upload)
        return;
    fed_coap_writer_uint(w, FED_COAP_OPTION_BLOCK1, fed_coap_upload_option(r->upload));
    if (r->upload->at == 0)
        fed_coap_writer_uint(w, FED_COAP_OPTION_SIZE1, (uint32_t)r->upload->len);
}

/* Sends a confirmable message and remembers it in the place of what was sent before, which stays
 * when this fails. */
static enum fed_err send_confirmable(struct fed_coap_client *client, struct fed_coap_request *r,
    const struct fed_coap_writer *w, size_t payload_len)
{
    struct fed_coap_unacknowledged *sent;

    if (w->failed)
        return FED_ERR_LIMIT;
    sent = fed_alloc_get(client->mem, sizeof(*sent) + w->len);
    if (!sent)
        return FED_ERR_NOMEM;
    sent_free(client, r);
    r->sent = sent;
    r->sent->len = w->len;
    r->sent->payload_at = w->len - payload_len;
    memcpy(r->sent->bytes, w->bytes, w->len);
    r->mid = (uint16_t)(w->bytes[2] << 8 | w->bytes[3]);
    r->tries = 1;
    r->started_ms = fed_loop_now_ms(client->loop);
    r->wait_ms = ack_wait_ms(client);
    r->retry_ms = r->started_ms + r->wait_ms;
    fed_coap_client_send(client, w);
    return FED_OK;
}

enum fed_err fed_coap_request_send(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_span payload)
{
    struct fed_coap_writer w;

    fed_coap_request_renew(client, r);
    fed_coap_request_put(client, r, FED_COAP_CON, NULL, &w);
    fed_coap_writer_payload(&w, payload);
    return send_confirmable(client, r, &w, payload.len);
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
    r->deadline_ms = fed_loop_now_ms(client->loop) + timeout_ms;
    r->done = done;
    r->done_ctx = done_ctx;
    *out = r;
    return FED_OK;
}

/* err: of what came before, which the request does not outlive. */
static enum fed_err request_start(
    struct fed_coap_client *client, struct fed_coap_request *r, enum fed_err err)
{
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
    if (!err && payload.len > fed_coap_upload_size(client)) {
        err = fed_coap_upload_begin(client, r, payload);
        payload = err ? payload : fed_coap_upload_block(r->upload);
    }
    if (!err)
        err = fed_coap_request_send(client, r, payload);
    return request_start(client, r, err);
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
    err = names_set(r, path, query);
    if (!err)
        err = fed_coap_request_send(client, r, (struct fed_span){NULL, 0});
    return request_start(client, r, err);
}

/* RFC 7252 section 4.3: an empty confirmable message, answered with a reset by whoever is alive. */
enum fed_err fed_coap_client_ping(
    void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct fed_coap_client *client = ctx;
    struct fed_coap_request *r;
    struct fed_coap_writer w;
    enum fed_err err = request_new(client, FED_COAP_KIND_PING, timeout_ms, done, done_ctx, &r);

    if (err)
        return err;
    fed_coap_writer_begin(&w, FED_COAP_CON, FED_COAP_CODE_EMPTY, client->next_mid++, NULL, 0);
    return request_start(client, r, send_confirmable(client, r, &w, 0));
}

/* ---- time ---- */

uint64_t fed_coap_requests_due(const struct fed_coap_client *client)
{
    uint64_t due_ms = UINT64_MAX;

    for (const struct fed_coap_request *r = client->requests; r; r = r->next) {
        if (r->deadline_ms < due_ms)
            due_ms = r->deadline_ms;
        if (r->sent && r->retry_ms < due_ms)
            due_ms = r->retry_ms;
        if (r->transfer && fed_coap_transfer_due(r->transfer) < due_ms)
            due_ms = fed_coap_transfer_due(r->transfer);
    }
    return due_ms;
}

/* All repetitions of a message were in vain. When nothing else came meanwhile, the session is dead.
 */
static void on_silence(struct fed_coap_client *client, struct fed_coap_request *r)
{
    struct fed_diag diag = {""};

    if (client->heard_ms > r->started_ms) {
        fed_coap_request_finish(client, r, FED_ERR_TIMEOUT, NULL, "no answer");
        return;
    }
    fed_diag_set(&diag, FED_ERR_TIMEOUT, "%s: no answer to %u sends in %u s",
        fed_dtls_client_peer(client->dtls), FED_COAP_CLIENT_RETRANSMIT + 1,
        (unsigned)((fed_loop_now_ms(client->loop) - r->started_ms) / 1000));
    fed_coap_request_finish(client, r, FED_ERR_TIMEOUT, NULL, "no answer");
    if (client->state == FED_COAP_UP)
        fed_coap_client_over(client, FED_ERR_TIMEOUT, &diag);
}

/* ---- paths that carry no large datagrams ---- */

/* Neither the request nor its answer may be what is too large, but one of them can be. */
static bool may_be_too_large(const struct fed_coap_client *client, const struct fed_coap_request *r)
{
    size_t payload = r->sent->len - r->sent->payload_at;
    bool anew = r->method == FED_LINK_POST && client->srtt_ms > 0;

    if (r->kind == FED_COAP_KIND_PING || r->shrunk || (payload <= FED_COAP_UNIT && client->small))
        return false;
    return r->tries >= (anew ? FED_COAP_CLIENT_SENDS_POST : FED_COAP_CLIENT_SENDS_SMALL);
}

static struct fed_span payload_of(const struct fed_coap_request *r)
{
    return fed_span_of(r->sent->bytes + r->sent->payload_at, r->sent->len - r->sent->payload_at);
}

/* Goes on in small blocks from where the upload is; a payload that was sent whole becomes one. */
static enum fed_err shrink_payload(struct fed_coap_client *client, struct fed_coap_request *r)
{
    client->small_requests = client->small_proven = true;
    if (!r->upload)
        return fed_coap_upload_begin(client, r, payload_of(r));
    r->upload->szx = FED_COAP_SZX_SMALL;
    return FED_OK;
}

/* When it fails, what was sent last goes on to count: its token, and where its payload was cut. */
static enum fed_err shrink(struct fed_coap_client *client, struct fed_coap_request *r)
{
    struct fed_coap_client_upload *upload = r->upload;
    unsigned szx = upload ? upload->szx : 0;
    uint16_t token = r->token;
    enum fed_err err = payload_of(r).len > FED_COAP_UNIT ? shrink_payload(client, r) : FED_OK;

    client->small = true;
    if (!err)
        err = fed_coap_request_send(
            client, r, r->upload ? fed_coap_upload_block(r->upload) : payload_of(r));
    r->shrunk = !err;
    if (!err)
        return FED_OK;
    r->token = token;
    if (upload)
        upload->szx = szx;
    else
        upload_free(client, r);
    return err;
}

/* False when the request ended, and its owner may have changed the list. */
static bool resend(struct fed_coap_client *client, struct fed_coap_request *r, uint64_t now_ms)
{
    if (r->tries > FED_COAP_CLIENT_RETRANSMIT) {
        on_silence(client, r);
        return false;
    }
    if (may_be_too_large(client, r) && shrink(client, r) == FED_OK)
        return true;
    r->tries++;
    r->wait_ms *= 2;
    r->retry_ms = now_ms + r->wait_ms;
    if (fed_dtls_client_send(client->dtls, fed_span_of(r->sent->bytes, r->sent->len)))
        fed_log(client->log, FED_LOG_DEBUG, "coap: a message could not be sent again");
    return true;
}

/* Blocks are not confirmed: a hub that was killed and forgot the session is silent about them. */
static bool is_unheard(const struct fed_coap_client *client, const struct fed_coap_request *r)
{
    return r->transfer->fetch->silent >= FED_COAP_SILENT_SENDS &&
           fed_loop_now_ms(client->loop) >= client->heard_ms + FED_COAP_SILENCE_MS;
}

static void session_lost(struct fed_coap_client *client)
{
    struct fed_diag diag = {""};

    fed_diag_set(&diag, FED_ERR_TIMEOUT, "%s: no block of an answer came for %u s",
        fed_dtls_client_peer(client->dtls), FED_COAP_SILENCE_MS / 1000);
    fed_coap_client_over(client, FED_ERR_TIMEOUT, &diag);
}

void fed_coap_requests_run(struct fed_coap_client *client)
{
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    struct fed_coap_request *r = client->requests;

    while (r) {
        if (r->deadline_ms <= now_ms) {
            fed_coap_transfer_keep(client, r);
            fed_coap_request_finish(client, r, FED_ERR_TIMEOUT, NULL, "no answer in time");
            r = client->requests;
            continue;
        }
        if (r->sent && r->retry_ms <= now_ms && !resend(client, r, now_ms)) {
            r = client->requests;
            continue;
        }
        if (r->transfer && is_unheard(client, r)) {
            session_lost(client);
            return;
        }
        if (r->transfer)
            fed_coap_transfer_run(client, r);
        r = r->next;
    }
}
