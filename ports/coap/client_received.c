/* client_received.c - what comes from the hub: answers with the acknowledgement or by themselves,
 * resets, notifications. */
#include "ports/coap/client.h"

#include <string.h>

#define OBSERVE_HALF 0x800000u /* of the 24-bit number line, RFC 7641 section 3.4 */
#define OBSERVE_FORGET_MS 128000u
#define CONTINUE 231u /* RFC 7959 section 2.9.1 */
#define MAX_AGE_S 60u /* the default, RFC 7252 section 5.10.5 */

static struct fed_link_message message_of(const struct fed_coap_message *m)
{
    struct fed_link_message out = {
        .code = (m->code >> 5) * 100u + (m->code & 31u), .payload = m->payload};

    if (out.code == FED_LINK_UNAVAILABLE)
        out.max_age_s = m->has_max_age ? m->max_age_s : MAX_AGE_S;
    return out;
}

/* ---- notifications ---- */

static bool is_newer(const struct fed_coap_observation *o, uint32_t seq, uint64_t now_ms)
{
    if (o->fresh || now_ms > o->seen_ms + OBSERVE_FORGET_MS)
        return true;
    return (o->seq < seq && seq - o->seq < OBSERVE_HALF) ||
           (o->seq > seq && o->seq - seq > OBSERVE_HALF);
}

static void on_notification(struct fed_coap_client *client, const struct fed_coap_message *m)
{
    struct fed_coap_observation *o = &client->observation;
    struct fed_link_message message = message_of(m);
    uint64_t now_ms = fed_loop_now_ms(client->loop);

    if (!m->has_observe) {
        if (message.code < FED_LINK_BAD_REQUEST)
            return;        /* a repeated answer, or a hub that no longer lets us observe */
        o->active = false; /* an error ends it (RFC 7641 section 4.2) */
        client->events.notification(client->events.ctx, &message);
        return;
    }
    if (!is_newer(o, m->observe, now_ms))
        return;
    o->fresh = false;
    o->seq = m->observe;
    o->seen_ms = now_ms;
    client->events.notification(client->events.ctx, &message);
}

static void observation_begin(struct fed_coap_client *client, const struct fed_coap_request *r,
    const struct fed_coap_message *m)
{
    if (r->kind != FED_COAP_KIND_OBSERVE || !m->has_observe)
        return;
    client->observation = (struct fed_coap_observation){.active = true,
        .token = r->token,
        .seq = m->observe,
        .seen_ms = fed_loop_now_ms(client->loop)};
}

/* ---- answers ---- */

static void on_answer(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m)
{
    struct fed_link_message message = message_of(m);

    if (r->transfer) {
        fed_coap_transfer_received(client, r, m);
        return;
    }
    fed_coap_request_acknowledged(client, r);
    observation_begin(client, r, m);
    if (r->upload && message.code == CONTINUE) {
        fed_coap_upload_continue(client, r);
    } else if (m->has_block2 && (m->block2_more || m->block2_num > 0)) {
        fed_coap_request_renew(client, r); /* the old token is the observation's */
        fed_coap_transfer_begin(client, r, m);
    } else {
        fed_coap_request_finish(client, r, FED_OK, &message, "");
    }
}

static bool token_of(const struct fed_coap_message *m, uint16_t *out)
{
    uint16_t token = m->token[0];

    if (m->token_len == 0 || m->token_len > FED_COAP_CLIENT_TOKEN_MAX)
        return false;
    if (m->token_len == 2)
        token = (uint16_t)(token << 8 | m->token[1]);
    *out = token;
    return m->token_len == 1 || token > UINT8_MAX; /* as it was sent */
}

/* An empty acknowledgement: the answer comes by itself. With an answer in it: of this request. */
static void on_acknowledgement(struct fed_coap_client *client, const struct fed_coap_message *m)
{
    struct fed_coap_request *r = fed_coap_request_of_mid(client, m->mid);
    uint16_t token;

    if (m->code == FED_COAP_CODE_EMPTY) {
        if (r && r->kind != FED_COAP_KIND_PING)
            fed_coap_request_acknowledged(client, r);
        return;
    }
    if (r && r->kind != FED_COAP_KIND_PING && token_of(m, &token) && token == r->token)
        on_answer(client, r, m);
}

static void on_reset(struct fed_coap_client *client, const struct fed_coap_message *m)
{
    struct fed_coap_request *r = fed_coap_request_of_mid(client, m->mid);
    struct fed_link_message pong = {0};

    if (!r)
        return;
    if (r->kind != FED_COAP_KIND_PING) {
        fed_coap_request_finish(
            client, r, FED_ERR_NETWORK, NULL, "the hub does not understand the request");
        return;
    }
    fed_coap_request_acknowledged(client, r);
    fed_coap_request_finish(client, r, FED_OK, &pong, "");
}

/* ---- the hub's own messages ---- */

static void reply(struct fed_coap_client *client, uint16_t mid, bool reset)
{
    struct fed_coap_writer w;

    fed_coap_writer_begin(
        &w, reset ? FED_COAP_RST : FED_COAP_ACK, FED_COAP_CODE_EMPTY, mid, NULL, 0);
    fed_coap_client_send(client, &w);
}

/* Replies, and remembers what; false: a repetition, which has no other effect. */
static bool reply_once(struct fed_coap_client *client, uint16_t mid, bool reset)
{
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    struct fed_coap_client_recent *r;

    for (size_t i = 0; i < FED_COAP_CLIENT_RECENT_MAX; i++) {
        r = &client->recent[i];
        if (r->mid != mid || r->expires_ms <= now_ms)
            continue;
        reply(client, mid, r->reset);
        return false;
    }
    r = &client->recent[client->recent_next++ % FED_COAP_CLIENT_RECENT_MAX];
    *r = (struct fed_coap_client_recent){
        .mid = mid, .reset = reset, .expires_ms = now_ms + FED_COAP_CLIENT_LIFETIME_MS};
    reply(client, mid, reset);
    return true;
}

/* An answer that comes by itself, or a notification. What has a token that we do not know is reset:
 * that ends an observation which we have no more. A late block or answer is of no interest. */
static void on_separate(struct fed_coap_client *client, const struct fed_coap_message *m, bool good)
{
    const struct fed_coap_observation *o = &client->observation;
    struct fed_coap_request *r = NULL;
    bool observed = false;
    uint16_t token;

    if (good && token_of(m, &token)) {
        r = fed_coap_request_of_token(client, token);
        observed = o->active && o->token == token;
    }
    if (m->type == FED_COAP_CON && !reply_once(client, m->mid, !r && !observed))
        return;
    if (r)
        on_answer(client, r, m);
    else if (observed)
        on_notification(client, m);
}

void fed_coap_client_received(struct fed_coap_client *client, struct fed_span record)
{
    struct fed_coap_message m;
    enum fed_coap_verdict verdict = fed_coap_message_parse(record, &m);
    bool good = verdict == FED_COAP_GOOD;

    if (client->state != FED_COAP_UP || verdict == FED_COAP_IGNORE)
        return;
    switch (m.type) {
    case FED_COAP_ACK:
        if (good)
            on_acknowledgement(client, &m);
        break;
    case FED_COAP_RST:
        if (good && m.code == FED_COAP_CODE_EMPTY)
            on_reset(client, &m);
        break;
    default:
        /* Neither pings nor requests have a token of ours: they are reset, which is the answer to a
         * ping (RFC 7252 section 4.3). */
        on_separate(client, &m, good && m.code >> 5 >= 2);
        break;
    }
}
