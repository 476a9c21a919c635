/* ports_coap_world.c - see ports_coap_world.h. */
#include "tests/unit/ports_coap_world.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- running ---- */

static void wake(struct world *w)
{
    w->loop->stop(w->loop->ctx);
}

static void on_guard(void *ctx)
{
    struct world *w = ctx;

    w->guard_rang = true;
    wake(w);
}

static void run(struct world *w, const unsigned *counter, unsigned wanted, unsigned timeout_ms)
{
    w->guard_rang = false;
    w->loop->timer_set(w->loop->ctx, w->guard, fed_loop_now_ms(w->loop) + timeout_ms);
    while (!w->guard_rang && (!counter || *counter < wanted))
        assert_int_equal(fed_linux_loop_run(w->linux_loop), FED_OK);
    w->loop->timer_stop(w->loop->ctx, w->guard);
}

void world_until(struct world *w, const unsigned *counter, unsigned wanted, unsigned timeout_ms)
{
    run(w, counter, wanted, timeout_ms);
    if (*counter < wanted)
        fail_msg("waited %u ms for %u, there are %u; down: %s; done: %s", timeout_ms, wanted,
            *counter, w->down_diag.text, w->done_diag.text);
}

void world_run_ms(struct world *w, unsigned ms)
{
    run(w, NULL, 0, ms);
}

/* ---- hub ---- */

static void hub_opened(
    void *ctx, struct fed_link_session *session, const struct fed_link_peer *peer)
{
    struct world *w = ctx;

    w->session = session;
    w->opened++;
    snprintf(w->peer_name, sizeof(w->peer_name), "%s",
        peer->cert ? peer->cert->common_name : peer->psk_identity);
    snprintf(w->peer_address, sizeof(w->peer_address), "%s", peer->address);
    wake(w);
}

static void hub_closed(void *ctx, struct fed_link_session *session, const char *why)
{
    struct world *w = ctx;

    (void)why;
    if (w->session == session)
        w->session = NULL;
    w->closed++;
    wake(w);
}

static void hub_alive(void *ctx, struct fed_link_session *session)
{
    struct world *w = ctx;

    (void)session;
    w->alive++;
    wake(w);
}

static void hub_request(void *ctx, struct fed_link_session *session,
    struct fed_link_exchange *exchange, const struct fed_link_server_request *request)
{
    struct world *w = ctx;
    struct fed_span none = {NULL, 0};

    (void)session;
    w->requests++;
    if (fed_span_is(request->path, "b"))
        fed_link_answer(exchange, FED_LINK_CONTENT, fed_buf_span(&w->body), 0);
    else if (fed_span_is(request->path, "h"))
        fed_link_answer(exchange, FED_LINK_CONTENT, FED_SPAN_LIT("twelve bytes"), 0);
    else if (fed_span_is(request->path, "q"))
        fed_link_answer(exchange, FED_LINK_CONTENT, request->query, 0);
    else if (fed_span_is(request->path, "busy"))
        fed_link_answer(exchange, FED_LINK_UNAVAILABLE, FED_SPAN_LIT("come back later"), 77);
    else if (fed_span_is(request->path, "s"))
        fed_link_answer(
            exchange, request->payload.len > 3 ? FED_LINK_CHANGED : FED_LINK_CONFLICT, none, 0);
    else if (fed_span_is(request->path, "echo"))
        fed_link_answer(exchange,
            request->payload.len > 0 ? FED_LINK_CREATED : FED_LINK_BAD_REQUEST,
            fed_buf_span(&w->body), 0);
    else if (fed_span_is(request->path, "mirror"))
        fed_link_answer(exchange, FED_LINK_CREATED, request->payload, 0);
    else if (fed_span_is(request->path, "late"))
        w->late = exchange;
    else
        fed_link_answer(exchange, FED_LINK_NOT_FOUND, none, 0);
    wake(w);
}

static void hub_notified(void *ctx, struct fed_link_session *session, uint64_t tag, bool delivered)
{
    struct world *w = ctx;

    (void)session;
    w->notified_tag = tag;
    if (delivered)
        w->notified_good++;
    else
        w->notified_bad++;
    wake(w);
}

static enum fed_err hub_psk(void *ctx, struct fed_span identity, struct fed_buf *key)
{
    (void)ctx;
    if (!fed_span_is(identity, WORLD_TOKEN_ID))
        return FED_ERR_NOT_FOUND;
    fed_buf_put(key, WORLD_TOKEN_KEY);
    return FED_OK;
}

void world_server_open(struct world *w)
{
    struct fed_link_server_options options = {.listen = "127.0.0.1:0",
        .cert_pem = pki_cert(&w->hub_id),
        .key_pem = pki_key(&w->hub_id),
        .client_ca_pem = pki_cert(&w->pki.ca)};
    struct fed_link_server_events events = {.ctx = w,
        .opened = hub_opened,
        .closed = hub_closed,
        .alive = hub_alive,
        .request = hub_request,
        .notified = hub_notified,
        .psk = hub_psk};
    struct fed_diag diag = {""};

    if (fed_coap_server_open(
            fed_alloc_system(), w->loop, NULL, &options, &events, &w->server, &diag))
        fail_msg("%s", diag.text);
}

/* ---- agent ---- */

static void agent_up(void *ctx)
{
    struct world *w = ctx;

    w->ups++;
    wake(w);
}

static void agent_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct world *w = ctx;

    w->downs++;
    w->down_err = err;
    w->down_diag = *diag;
    wake(w);
}

static void agent_notification(void *ctx, const struct fed_link_message *message)
{
    struct world *w = ctx;
    uint64_t number = 0;
    struct fed_span body = message->payload;

    if (body.len >= 8 && fed_span_take_u64(&body, &number) == FED_OK) {
        w->out_of_order = w->out_of_order || number <= w->last_number;
        w->last_number = number;
    }
    w->notifications++;
    wake(w);
}

static void agent_partial(void *ctx)
{
    struct world *w = ctx;

    w->partials++;
}

struct fed_link_events world_agent_events(struct world *w)
{
    return (struct fed_link_events){.ctx = w,
        .up = agent_up,
        .down = agent_down,
        .notification = agent_notification,
        .partial = agent_partial};
}

void world_done(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct world *w = ctx;

    w->dones++;
    w->done_err = err;
    w->done_diag.text[0] = 0;
    fed_buf_clear(&w->done_body);
    if (err) {
        w->done_diag = *diag;
    } else {
        w->done_code = message->code;
        w->done_max_age_s = message->max_age_s;
        fed_buf_put(&w->done_body, message->payload);
    }
    wake(w);
}

struct fed_link_client_identity world_agent_identity(const struct world *w)
{
    return (struct fed_link_client_identity){.cert_pem = pki_cert(&w->agent_id),
        .key_pem = pki_key(&w->agent_id),
        .ca_pem = pki_cert(&w->pki.ca)};
}

struct fed_link_client_identity world_token_identity(void)
{
    return (struct fed_link_client_identity){
        .psk_identity = WORLD_TOKEN_ID, .psk_key = WORLD_TOKEN_KEY};
}

void world_connect(struct world *w, uint16_t port, const struct fed_link_client_identity *identity)
{
    struct fed_diag diag = {""};
    unsigned ups = w->ups;

    if (w->link->connect(w->link->ctx, "127.0.0.1", port, identity, 20000, &diag))
        fail_msg("%s", diag.text);
    world_until(w, &w->ups, ups + 1, 25000);
}

void world_get(struct world *w, const char *path, const char *query, unsigned timeout_ms)
{
    unsigned dones = w->dones;
    struct fed_span none = {NULL, 0};

    assert_int_equal(
        w->link->request(w->link->ctx, FED_LINK_GET, path, query, none, timeout_ms, world_done, w),
        FED_OK);
    world_until(w, &w->dones, dones + 1, timeout_ms + 2000);
}

void world_post(struct world *w, const char *path, struct fed_span payload)
{
    unsigned dones = w->dones;

    assert_int_equal(
        w->link->request(w->link->ctx, FED_LINK_POST, path, NULL, payload, 20000, world_done, w),
        FED_OK);
    world_until(w, &w->dones, dones + 1, 22000);
}

void world_observe(struct world *w, unsigned timeout_ms)
{
    unsigned dones = w->dones;

    assert_int_equal(
        w->link->observe(w->link->ctx, "b", "e=1&r=2", timeout_ms, world_done, w), FED_OK);
    world_until(w, &w->dones, dones + 1, timeout_ms + 2000);
    assert_int_equal(w->done_err, FED_OK);
}

void world_body_fill(struct world *w, size_t size, unsigned seed)
{
    uint32_t x = seed * 2654435761u + 1;

    fed_buf_clear(&w->body);
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        fed_buf_put_u8(&w->body, (uint8_t)(x >> 24));
    }
    assert_int_equal(fed_buf_err(&w->body), FED_OK);
}

/* ---- counting wake-ups ---- */

struct counted {
    struct world *w;
    fed_loop_ready *ready;
    void *ctx;
};
static struct counted counted[64];
static size_t n_counted;

static void counted_ready(void *ctx, unsigned events)
{
    struct counted *c = ctx;

    c->w->wakes++;
    c->ready(c->ctx, events);
}

static enum fed_err counting_watch_new(void *ctx, int fd, unsigned events, fed_loop_ready *ready,
    void *ready_ctx, struct fed_watch **out)
{
    struct fed_linux_loop *linux_loop = ctx;
    struct fed_loop *inner = fed_linux_loop_port(linux_loop);
    struct counted *c = &counted[n_counted++ % 64];

    c->w = counted[0].w ? counted[0].w : NULL;
    c->ready = ready;
    c->ctx = ready_ctx;
    return inner->watch_new(inner->ctx, fd, events, counted_ready, c, out);
}

/* ---- all of it ---- */

void world_init(struct world *w)
{
    struct fed_diag diag = {""};
    struct fed_link_events events = world_agent_events(w);

    memset(w, 0, sizeof(*w));
    pki_init(&w->pki);
    pki_issue(&w->pki, &w->pki.ca, "hub", "hub.example", -60, 3600, &w->hub_id);
    pki_issue(&w->pki, &w->pki.ca, "berlin", NULL, -60, 3600, &w->agent_id);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w->linux_loop, &diag), FED_OK);
    w->loop_with_count = *fed_linux_loop_port(w->linux_loop);
    w->loop_with_count.watch_new = counting_watch_new;
    w->loop = &w->loop_with_count;
    n_counted = 0;
    for (size_t i = 0; i < 64; i++)
        counted[i].w = w;
    assert_int_equal(w->loop->timer_new(w->loop->ctx, on_guard, w, &w->guard), FED_OK);
    fed_buf_init(&w->body, fed_alloc_system(), 4u << 20);
    fed_buf_init(&w->done_body, fed_alloc_system(), 4u << 20);
    fed_buf_put_text(&w->body, "a small bundle");
    world_server_open(w);
    assert_int_equal(
        fed_coap_client_open(fed_alloc_system(), w->loop, NULL, &events, &w->client, &diag),
        FED_OK);
    w->link = fed_coap_client_port(w->client);
}

void world_fini(struct world *w)
{
    fed_coap_client_close(w->client);
    fed_coap_server_close(w->server);
    w->loop->timer_free(w->loop->ctx, w->guard);
    fed_linux_loop_close(w->linux_loop);
    fed_buf_fini(&w->body);
    fed_buf_fini(&w->done_body);
    pki_id_fini(&w->hub_id);
    pki_id_fini(&w->agent_id);
    pki_fini(&w->pki);
}

/* ---- the bad network ---- */

static unsigned chance(struct relay *r)
{
    r->random = r->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(r->random >> 33) % 100;
}

static void deliver(struct relay *r, bool to_hub, const uint8_t *bytes, size_t len)
{
    struct sockaddr_storage agent;

    if (r->cut)
        return;
    r->forwarded++;
    if (to_hub) {
        (void)!send(r->back, bytes, len, 0);
        return;
    }
    r->to_agent_bytes += len;
    memcpy(&agent, r->agent, r->agent_len);
    (void)!sendto(r->front, bytes, len, 0, (struct sockaddr *)&agent, r->agent_len);
}

static void relay_arm(struct relay *r)
{
    uint64_t due_ms = UINT64_MAX;

    for (size_t i = 0; i < RELAY_HELD_MAX; i++)
        if (r->held[i].used && r->held[i].due_ms < due_ms)
            due_ms = r->held[i].due_ms;
    if (due_ms != UINT64_MAX)
        r->loop->timer_set(r->loop->ctx, r->timer, due_ms);
}

static void relay_due(void *ctx)
{
    struct relay *r = ctx;
    uint64_t now_ms = fed_loop_now_ms(r->loop);

    for (size_t i = 0; i < RELAY_HELD_MAX; i++) {
        if (!r->held[i].used || r->held[i].due_ms > now_ms)
            continue;
        r->held[i].used = false;
        deliver(r, r->held[i].to_hub, r->held[i].bytes, r->held[i].len);
    }
    relay_arm(r);
}

static void hold(struct relay *r, bool to_hub, const uint8_t *bytes, size_t len, unsigned ms)
{
    for (size_t i = 0; i < RELAY_HELD_MAX; i++) {
        struct held *h = &r->held[i];

        if (h->used)
            continue;
        h->used = true;
        h->to_hub = to_hub;
        h->due_ms = fed_loop_now_ms(r->loop) + ms;
        h->len = len;
        memcpy(h->bytes, bytes, len);
        relay_arm(r);
        return;
    }
    r->lost++;
}

static void pass(struct relay *r, bool to_hub, const uint8_t *bytes, size_t len)
{
    unsigned ms = r->delay_ms;

    if (++r->seen == r->drop || (r->mtu && len > r->mtu) || chance(r) < r->lose) {
        r->lost++;
        return;
    }
    if (chance(r) < r->late)
        ms += 5 + chance(r) % 30;
    if (ms > 0)
        hold(r, to_hub, bytes, len, ms);
    else
        deliver(r, to_hub, bytes, len);
}

static void relay_read(struct relay *r, bool to_hub)
{
    uint8_t bytes[RELAY_DATAGRAM_MAX];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(to_hub ? r->front : r->back, bytes, sizeof(bytes), MSG_DONTWAIT,
        (struct sockaddr *)&from, &from_len);

    if (len <= 0)
        return;
    if (to_hub) {
        memcpy(r->agent, &from, from_len);
        r->agent_len = from_len;
    }
    pass(r, to_hub, bytes, (size_t)len);
    if (chance(r) < r->twice)
        pass(r, to_hub, bytes, (size_t)len);
}

static void front_ready(void *ctx, unsigned events)
{
    (void)events;
    relay_read(ctx, true);
}

static void back_ready(void *ctx, unsigned events)
{
    (void)events;
    relay_read(ctx, false);
}

void relay_init(struct relay *r, struct world *w, uint64_t seed)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    memset(r, 0, sizeof(*r));
    r->loop = w->loop;
    r->random = seed;
    r->front = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    r->back = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->front, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(r->front, (struct sockaddr *)&address, &len), 0);
    r->port = ntohs(address.sin_port);
    address.sin_port = htons(fed_coap_server_port(w->server));
    assert_int_equal(connect(r->back, (struct sockaddr *)&address, len), 0);
    assert_int_equal(w->loop->timer_new(w->loop->ctx, relay_due, r, &r->timer), FED_OK);
    assert_int_equal(
        w->loop->watch_new(w->loop->ctx, r->front, FED_LOOP_READ, front_ready, r, &r->front_watch),
        FED_OK);
    assert_int_equal(
        w->loop->watch_new(w->loop->ctx, r->back, FED_LOOP_READ, back_ready, r, &r->back_watch),
        FED_OK);
}

void relay_fini(struct relay *r)
{
    r->loop->watch_free(r->loop->ctx, r->front_watch);
    r->loop->watch_free(r->loop->ctx, r->back_watch);
    r->loop->timer_free(r->loop->ctx, r->timer);
    close(r->front);
    close(r->back);
}
