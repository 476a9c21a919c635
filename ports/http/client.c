/* client.c - the client as such: opening, closing, and giving waiting calls to links. */
#include "ports/http/client.h"

#include <stdio.h>
#include <string.h>

void fed_http_client_kick(struct fed_http_client *client)
{
    if (!client->closed)
        client->loop->timer_set(
            client->loop->ctx, client->flush_timer, fed_loop_now_ms(client->loop));
}

static void destroy(struct fed_http_client *client)
{
    while (client->links)
        fed_http_link_free(client->links);
    if (client->total_sent)
        *client->total_sent += client->traffic.sent;
    if (client->total_received)
        *client->total_received += client->traffic.received;
    if (client->flush_timer)
        client->loop->timer_free(client->loop->ctx, client->flush_timer);
    fed_tls_config_free(client->tls);
    memset(client->proxy.secret, 0, sizeof(client->proxy.secret));
    fed_alloc_free(client->mem, client, sizeof(*client));
}

void fed_http_client_enter(struct fed_http_client *client)
{
    client->busy++;
}

void fed_http_client_leave(struct fed_http_client *client)
{
    client->busy--;
    if (client->closed && client->busy == 0)
        destroy(client);
}

/* ---- giving calls to links ---- */
static struct fed_http_link *find_link(struct fed_http_client *client)
{
    for (struct fed_http_link *link = client->links; link; link = link->next)
        if (link->state == FED_HTTP_OPEN && !link->dead && !link->draining &&
            link->ops->takes(link))
            return link;
    return NULL;
}

static struct fed_http_call *next_waiting(struct fed_http_call *call)
{
    while (call && call->link)
        call = call->next;
    return call;
}

/* Links that will be able to take calls once they are open. Those that are, and do not take one now,
 * may be full of streams that never end. */
static size_t count_hopes(struct fed_http_client *client)
{
    size_t n = 0;

    for (struct fed_http_link *link = client->links; link; link = link->next)
        n += !link->dead && !link->draining && link->state != FED_HTTP_OPEN;
    return n;
}

static void open_links(struct fed_http_client *client, size_t n_waiting)
{
    size_t hopes = count_hopes(client);
    size_t wanted = client->speaks_h1 ? n_waiting : 1;

    while (hopes < wanted && client->n_links < FED_HTTP_LINKS_MAX) {
        if (fed_http_link_open(client))
            return; /* The calls' own time-outs end them. */
        hopes++;
    }
}

static void give_calls(struct fed_http_client *client)
{
    size_t n_waiting = 0;
    struct fed_http_call *call = next_waiting(client->first);

    while (call && !client->closed) {
        struct fed_http_link *link = find_link(client);
        struct fed_http_call *next = next_waiting(call->next);
        enum fed_err err;

        if (!link)
            break;
        fed_http_call_carry(call, link);
        err = link->ops->submit(link, call);
        if (err) {
            struct fed_diag diag = {{0}};

            fed_diag_set(&diag, err, "request not sent: %s", fed_err_text(err));
            link->n_calls--;
            call->link = NULL;
            fed_http_call_finish(call, err, &diag);
            next = next_waiting(client->first);
        }
        call = next;
    }
    for (; call && !client->closed; call = next_waiting(call->next))
        n_waiting++;
    if (n_waiting)
        open_links(client, n_waiting);
}

static void on_flush(void *ctx)
{
    struct fed_http_client *client = ctx;
    struct fed_http_link *next;

    fed_http_client_enter(client);
    give_calls(client);
    for (struct fed_http_link *link = client->links; link && !client->closed; link = next) {
        next = link->next;
        if (link->dead || link->state == FED_HTTP_OPEN)
            fed_http_link_step(link);
    }
    fed_http_client_leave(client);
}

/* ---- life ---- */
static enum fed_err make_tls(struct fed_http_client *client,
    const struct fed_http_client_options *options, struct fed_diag *diag)
{
    static const char *const both[] = {"h2", "http/1.1"};
    struct fed_tls_client_options tls = {.trust = (enum fed_tls_trust)options->trust,
        .ca_pin = options->ca_pin,
        .ca_pem = options->ca_pem,
        .server_name = options->server_name ? options->server_name : options->host,
        .insecure_skip_verify = options->insecure_skip_verify,
        .cert_pem = options->cert_pem,
        .key_pem = options->key_pem,
        .alpn = options->http1_only ? both + 1 : both,
        .n_alpn = options->http1_only ? 1 : 2};

    return fed_tls_config_new_client(client->mem, &tls, &client->tls, diag);
}

static enum fed_err set_up(struct fed_http_client *client,
    const struct fed_http_client_options *options, struct fed_diag *diag)
{
    size_t len = strlen(options->host);
    bool bare_v6 = strchr(options->host, ':') != NULL;
    enum fed_err err;

    if (len == 0 || len >= sizeof(client->host))
        return fed_diag_set(diag, FED_ERR_INVALID, "host name is empty or too long");
    memcpy(client->host, options->host, len + 1);
    snprintf(client->authority, sizeof(client->authority), bare_v6 ? "[%s]:%u" : "%s:%u",
        client->host, options->port);
    client->port = options->port;
    client->trust = options->trust;
    client->total_sent = options->total_sent;
    client->total_received = options->total_received;
    client->speaks_h1 = options->http1_only;
    client->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : 10000;
    client->keepalive_ms = options->keepalive_ms ? options->keepalive_ms : 30000;
    client->response_max = options->response_max ? options->response_max : 16u * 1024 * 1024;
    err = fed_http_proxy_parse(options->proxy, &client->proxy, diag);
    return err ? err : make_tls(client, options, diag);
}

enum fed_err fed_http_client_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_http_client_options *options, struct fed_http_client **out,
    struct fed_diag *diag)
{
    struct fed_http_client *client = fed_alloc_zero(mem, sizeof(*client));
    enum fed_err err;

    if (!client)
        return FED_ERR_NOMEM;
    client->mem = mem;
    client->loop = loop;
    client->log = log;
    err = set_up(client, options, diag);
    if (!err)
        err = loop->timer_new(loop->ctx, on_flush, client, &client->flush_timer);
    if (err) {
        destroy(client);
        return err;
    }
    *out = client;
    return FED_OK;
}

void fed_http_client_close(struct fed_http_client *client)
{
    struct fed_diag diag = {{0}};

    if (!client || client->closed)
        return;
    fed_diag_set(&diag, FED_ERR_CLOSED, "client closed");
    fed_http_client_enter(client);
    client->closed = true;
    while (client->first) {
        struct fed_http_call *call = client->first;

        if (call->link)
            call->link->ops->cancel(call->link, call);
        fed_http_call_finish(call, FED_ERR_CLOSED, &diag);
    }
    fed_http_client_leave(client);
}

/* ---- what a user of one connection asks ---- */
enum fed_err fed_http_client_ping(struct fed_http_client *client, fed_loop_call *pong, void *ctx)
{
    for (struct fed_http_link *link = client->links; link; link = link->next) {
        enum fed_err err;

        if (link->state != FED_HTTP_OPEN || link->dead || !link->ops->ping)
            continue;
        err = link->ops->ping(link);
        if (err)
            return err;
        client->pong = pong;
        client->pong_ctx = ctx;
        fed_http_client_kick(client);
        return FED_OK;
    }
    return FED_ERR_UNSUPPORTED;
}

void fed_http_client_traffic(
    const struct fed_http_client *client, uint64_t *sent, uint64_t *received)
{
    *sent = client->traffic.sent;
    *received = client->traffic.received;
}
