/* client.c - see ports/link.h, agent side: one session at a time on ports/dtls, and one timer that
 * is set for whatever comes first, so that nothing wakes an idle agent. */
#include "ports/coap/client.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* ---- time ---- */

void fed_coap_client_arm(struct fed_coap_client *client)
{
    uint64_t due_ms = fed_coap_requests_due(client);

    if (client->proof_ms && client->proof_ms < due_ms)
        due_ms = client->proof_ms;
    if (client->announce)
        due_ms = 0;
    if (due_ms == UINT64_MAX)
        client->loop->timer_stop(client->loop->ctx, client->timer);
    else
        client->loop->timer_set(client->loop->ctx, client->timer, due_ms);
}

static void on_timer(void *ctx)
{
    struct fed_coap_client *client = ctx;
    struct fed_diag diag = {""};

    if (client->announce) {
        client->announce = false;
        fed_coap_client_arm(client);
        client->events.up(client->events.ctx);
        return;
    }
    if (client->proof_ms && client->proof_ms <= fed_loop_now_ms(client->loop)) {
        fed_diag_set(&diag, FED_ERR_TIMEOUT, "%s: no answer in the session of before",
            fed_dtls_client_peer(client->dtls));
        fed_coap_client_over(client, FED_ERR_TIMEOUT, &diag);
        return;
    }
    fed_coap_requests_run(client);
    fed_coap_client_arm(client);
}

/* xorshift64*: spreads retries, guards nothing. */
uint32_t fed_coap_client_random(struct fed_coap_client *client)
{
    uint64_t x = client->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    client->random = x;
    return (uint32_t)(x * 0x2545f4914f6cdd1dull >> 32);
}

/* ---- the session ---- */

void fed_coap_client_begin(struct fed_coap_client *client, enum fed_coap_state state)
{
    client->state = state;
    client->announce = false;
    client->proof_ms = 0;
    client->heard_ms = 0;
    client->srtt_ms = 0;
    client->rttvar_ms = 0;
    client->next_mid = (uint16_t)fed_coap_client_random(client);
    client->observation = (struct fed_coap_observation){0};
    memset(client->recent, 0, sizeof(client->recent));
    client->doubt = (struct fed_coap_doubt){0};
}

static void session_end(struct fed_coap_client *client, const char *why)
{
    client->state = FED_COAP_CLOSED;
    client->announce = false;
    client->proof_ms = 0;
    client->observation.active = false;
    fed_coap_requests_end(client, FED_ERR_CLOSED, why);
}

void fed_coap_client_over(
    struct fed_coap_client *client, enum fed_err err, const struct fed_diag *diag)
{
    struct fed_diag why = *diag;

    fed_dtls_client_disconnect(client->dtls);
    session_end(client, why.text);
    fed_coap_client_arm(client);
    client->events.down(client->events.ctx, err, &why);
}

void fed_coap_client_send(struct fed_coap_client *client, const struct fed_coap_writer *w)
{
    /* Whatever fails here is repaired like a loss on the way: by repetition. */
    if (w->failed || fed_dtls_client_send(client->dtls, fed_span_of(w->bytes, w->len)))
        fed_log(
            client->log, FED_LOG_DEBUG, "coap: a message of %zu bytes could not be sent", w->len);
}

static void on_opened(void *ctx)
{
    struct fed_coap_client *client = ctx;

    client->state = FED_COAP_UP;
    client->small_proven = false;
    client->small = client->small_requests = fed_dtls_client_is_narrow(client->dtls);
    client->events.up(client->events.ctx);
}

static void on_received(void *ctx, struct fed_span record)
{
    struct fed_coap_client *client = ctx;

    client->proof_ms = 0;
    client->heard_ms = fed_loop_now_ms(client->loop);
    fed_coap_client_received(client, record);
    fed_coap_client_arm(client);
}

static void on_doubted(void *ctx)
{
    fed_coap_client_doubt(ctx);
}

static void on_closed(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    fed_coap_client_over(ctx, err, diag);
}

static enum fed_err client_connect(void *ctx, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct fed_coap_client *client = ctx;
    struct fed_dtls_identity dtls = {.cert_pem = identity->cert_pem,
        .key_pem = identity->key_pem,
        .ca_pem = identity->ca_pem,
        .psk_identity = identity->psk_identity,
        .psk_key = identity->psk_key};
    enum fed_err err;

    if (client->state != FED_COAP_CLOSED)
        return fed_diag_set(diag, FED_ERR_BUSY, "there is a session already");
    if (identity->psk_identity ? identity->psk_key.len == 0
                               : identity->cert_pem.len == 0 || identity->ca_pem.len == 0)
        return fed_diag_set(diag, FED_ERR_INVALID, "neither a certificate with its CA nor a token");
    err = fed_dtls_client_connect(client->dtls, host, port, &dtls, timeout_ms, diag);
    if (err)
        return err;
    fed_coap_client_begin(client, FED_COAP_CONNECTING);
    return FED_OK;
}

static void client_disconnect(void *ctx)
{
    struct fed_coap_client *client = ctx;

    fed_dtls_client_disconnect(client->dtls);
    session_end(client, "disconnected");
    fed_coap_client_arm(client);
}

static void client_stats(void *ctx, struct fed_link_stats *out)
{
    const struct fed_coap_client *client = ctx;
    struct fed_dtls_session_stats stats;

    fed_dtls_client_stats(client->dtls, &stats);
    *out = (struct fed_link_stats){.sent_bytes = stats.sent_bytes,
        .received_bytes = stats.received_bytes,
        .sent_datagrams = stats.sent_datagrams,
        .received_datagrams = stats.received_datagrams};
}

/* ---- making and ending ---- */

static enum fed_err client_init(struct fed_coap_client *client, struct fed_diag *diag)
{
    struct fed_dtls_client_events events = {.ctx = client,
        .opened = on_opened,
        .received = on_received,
        .closed = on_closed,
        .doubted = on_doubted};
    struct fed_loop *loop = client->loop;

    client->port = (struct fed_link){.ctx = client,
        .connect = client_connect,
        .disconnect = client_disconnect,
        .request = fed_coap_client_request,
        .observe = fed_coap_client_observe,
        .ping = fed_coap_client_ping,
        .stats = client_stats,
        .partial_get = fed_coap_partial_get,
        .partial_set = fed_coap_partial_set,
        .suspend = fed_coap_client_suspend,
        .resume = fed_coap_client_resume};
    if (getrandom(&client->random, sizeof(client->random), GRND_NONBLOCK) !=
        (ssize_t)sizeof(client->random))
        client->random = fed_loop_now_ms(loop);
    client->random |= 1; /* never zero */
    if (loop->timer_new(loop->ctx, on_timer, client, &client->timer))
        return fed_diag_set(diag, FED_ERR_NOMEM, "CoAP client: out of memory");
    return fed_dtls_client_open(client->mem, loop, &events, &client->dtls, diag);
}

enum fed_err fed_coap_client_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_link_events *events, struct fed_coap_client **out, struct fed_diag *diag)
{
    struct fed_coap_client *client = fed_alloc_zero(mem, sizeof(*client));
    enum fed_err err;

    if (!client)
        return fed_diag_set(diag, FED_ERR_NOMEM, "CoAP client: out of memory");
    client->mem = mem;
    client->loop = loop;
    client->log = log;
    client->events = *events;
    err = client_init(client, diag);
    if (err) {
        loop->timer_free(loop->ctx, client->timer);
        fed_alloc_free(mem, client, sizeof(*client));
        return err;
    }
    *out = client;
    return FED_OK;
}

void fed_coap_client_close(struct fed_coap_client *client)
{
    if (!client)
        return;
    fed_dtls_client_disconnect(client->dtls);
    session_end(client, "closed"); /* what ends names the peer */
    fed_dtls_client_close(client->dtls);
    fed_coap_kept_drop(client);
    client->loop->timer_free(client->loop->ctx, client->timer);
    fed_alloc_free(client->mem, client, sizeof(*client));
}

struct fed_link *fed_coap_client_port(struct fed_coap_client *client)
{
    return &client->port;
}
