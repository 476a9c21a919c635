/* client.c - see ports/link.h, agent side over HTTPS: one session at a time. It is up when the hub
 * has answered a ping in it, so that TCP, proxy and TLS have shown that they carry something. */
#include "ports/https/client.h"

#include <stdio.h>
#include <string.h>

#include <sys/random.h>

/* ---- time ---- */

void fed_https_client_arm(struct fed_https_client *client)
{
    uint64_t due_ms = fed_https_requests_due(client);

    if (client->state == FED_HTTPS_CONNECTING && client->deadline_ms < due_ms)
        due_ms = client->deadline_ms;
    if (client->state == FED_HTTPS_FAILED)
        due_ms = 0;
    if (due_ms == UINT64_MAX)
        client->loop->timer_stop(client->loop->ctx, client->timer);
    else
        client->loop->timer_set(client->loop->ctx, client->timer, due_ms);
}

void fed_https_client_fail(
    struct fed_https_client *client, enum fed_err err, const struct fed_diag *diag)
{
    if (client->state != FED_HTTPS_CONNECTING && client->state != FED_HTTPS_UP)
        return;
    client->down_err = err;
    client->down_diag = *diag;
    client->state = FED_HTTPS_FAILED;
    fed_https_client_arm(client);
}

/* ---- the end of a session ---- */

static void session_end(struct fed_https_client *client, const char *why)
{
    struct fed_http_client *http = client->http;

    client->state = FED_HTTPS_CLOSED;
    client->lost = false;
    fed_https_requests_end(client, FED_ERR_CLOSED, why);
    client->http = NULL;
    fed_http_client_close(http);
    fed_https_client_arm(client);
}

static void report_down(struct fed_https_client *client)
{
    enum fed_err err = client->down_err;
    struct fed_diag diag = client->down_diag;

    session_end(client, diag.text);
    client->events.down(client->events.ctx, err, &diag);
}

static void on_timer(void *ctx)
{
    struct fed_https_client *client = ctx;
    struct fed_diag diag = {""};

    if (client->state == FED_HTTPS_CONNECTING &&
        client->deadline_ms <= fed_loop_now_ms(client->loop)) {
        fed_diag_set(&diag, FED_ERR_TIMEOUT,
            "%s: no session within %u ms: wrong address, hub down, or TCP blocked on the way",
            client->peer, client->timeout_ms);
        fed_https_client_fail(client, FED_ERR_TIMEOUT, &diag);
    }
    if (client->state == FED_HTTPS_FAILED) {
        report_down(client);
        return;
    }
    fed_https_requests_run(client);
    fed_https_client_arm(client);
}

void fed_https_client_opened(struct fed_https_client *client)
{
    if (client->state != FED_HTTPS_CONNECTING)
        return;
    client->state = FED_HTTPS_UP;
    fed_https_client_arm(client);
    client->events.up(client->events.ctx);
}

/* ---- connecting ---- */

static enum fed_err draw_session(struct fed_https_client *client, struct fed_diag *diag)
{
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return fed_diag_set(diag, FED_ERR_INTERNAL, "no random numbers");
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(client->session + i * 2, 3, "%02x", random[i]);
    return FED_OK;
}

static enum fed_err open_http(struct fed_https_client *client, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, struct fed_diag *diag)
{
    struct fed_http_client_options options = {.host = host,
        .port = port,
        .trust = identity->ca_pin ? FED_HTTP_TRUST_PIN : FED_HTTP_TRUST_HUB,
        .ca_pin = identity->ca_pin,
        .ca_pem = identity->ca_pem,
        .cert_pem = identity->cert_pem,
        .key_pem = identity->key_pem,
        .proxy = fed_https_no_proxy(client->no_proxy, host) ? NULL : client->proxy,
        .http1_only = client->http1_only,
        .connect_timeout_ms = FED_HTTPS_CLIENT_CONNECT_MS,
        .keepalive_ms = FED_HTTP_NO_KEEPALIVE,
        .total_sent = &client->past_sent,
        .total_received = &client->past_received};

    return fed_http_client_open(
        client->mem, client->loop, client->log, &options, &client->http, diag);
}

static enum fed_err client_connect(void *ctx, const char *host, uint16_t port,
    const struct fed_link_client_identity *identity, unsigned timeout_ms, struct fed_diag *diag)
{
    struct fed_https_client *client = ctx;
    enum fed_err err;

    if (client->state != FED_HTTPS_CLOSED)
        return fed_diag_set(diag, FED_ERR_BUSY, "there is a session already");
    if (identity->ca_pin ? identity->cert_pem.len > 0
                         : identity->cert_pem.len == 0 || identity->ca_pem.len == 0)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "neither a certificate with its CA nor the pin of one");
    snprintf(client->peer, sizeof(client->peer), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
        (unsigned)port);
    err = draw_session(client, diag);
    if (!err)
        err = open_http(client, host, port, identity, diag);
    if (err)
        return err;
    client->state = FED_HTTPS_CONNECTING;
    client->timeout_ms = timeout_ms;
    client->deadline_ms = fed_loop_now_ms(client->loop) + timeout_ms;
    err = fed_https_request_open(client);
    if (err)
        session_end(client, "");
    else
        fed_https_client_arm(client);
    return err ? fed_diag_set(diag, err, "%s: %s", client->peer, fed_err_text(err)) : FED_OK;
}

static void client_disconnect(void *ctx)
{
    session_end(ctx, "disconnected");
}

static void client_stats(void *ctx, struct fed_link_stats *out)
{
    const struct fed_https_client *client = ctx;
    uint64_t sent = 0;
    uint64_t received = 0;

    if (client->http)
        fed_http_client_traffic(client->http, &sent, &received);
    *out = (struct fed_link_stats){
        .sent_bytes = client->past_sent + sent, .received_bytes = client->past_received + received};
}

/* ---- making and ending ---- */

enum fed_err fed_https_proxy_check(const char *proxy, struct fed_diag *diag)
{
    return fed_http_proxy_check(proxy, diag);
}

enum fed_err fed_https_client_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_https_client_options *options,
    const struct fed_link_events *events, struct fed_https_client **out, struct fed_diag *diag)
{
    const char *proxy = options->proxy ? options->proxy : "";
    const char *no_proxy = options->no_proxy ? options->no_proxy : "";
    enum fed_err err = fed_https_proxy_check(proxy, diag);
    struct fed_https_client *client;

    if (!proxy[0])
        no_proxy = ""; /* of no use */
    if (!err && strlen(no_proxy) > FED_HTTPS_NO_PROXY_MAX)
        err = fed_diag_set(
            diag, FED_ERR_LIMIT, "NO_PROXY: longer than %u bytes", FED_HTTPS_NO_PROXY_MAX);
    if (err)
        return err;
    client = fed_alloc_zero(mem, sizeof(*client));
    if (!client)
        return fed_diag_set(diag, FED_ERR_NOMEM, "HTTPS client: out of memory");
    client->mem = mem;
    client->loop = loop;
    client->log = log;
    client->events = *events;
    client->http1_only = options->http1_only;
    memcpy(client->proxy, proxy, strlen(proxy) + 1); /* checked: not longer than it may be */
    memcpy(client->no_proxy, no_proxy, strlen(no_proxy) + 1);
    if (loop->timer_new(loop->ctx, on_timer, client, &client->timer)) {
        fed_alloc_free(mem, client, sizeof(*client));
        return fed_diag_set(diag, FED_ERR_NOMEM, "HTTPS client: out of memory");
    }
    client->port = (struct fed_link){.ctx = client,
        .connect = client_connect,
        .disconnect = client_disconnect,
        .request = fed_https_client_request,
        .observe = fed_https_client_observe,
        .ping = fed_https_client_ping,
        .stats = client_stats,
        .partial_get = fed_https_partial_get,
        .partial_set = fed_https_partial_set};
    fed_https_kept_drop(client);
    *out = client;
    return FED_OK;
}

void fed_https_client_close(struct fed_https_client *client)
{
    if (!client)
        return;
    session_end(client, "closed");
    fed_buf_fini(&client->kept.body);
    client->loop->timer_free(client->loop->ctx, client->timer);
    memset(client->proxy, 0, sizeof(client->proxy));
    fed_alloc_free(client->mem, client, sizeof(*client));
}

struct fed_link *fed_https_client_port(struct fed_https_client *client)
{
    return &client->port;
}
