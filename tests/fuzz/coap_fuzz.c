/* coap_fuzz.c - the hub's message layer with whatever an authenticated peer sends: datagrams, each
 * behind half its length in one byte, and time that passes between them. What is sent back must
 * parse again. */
#include "ports/coap/server.h"
#include "tests/unit/still_loop.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct fed_link_exchange *kept;
static const uint8_t large[5000];

static enum fed_err fake_send(void *session, struct fed_span record)
{
    struct fed_coap_message m;

    (void)session;
    if (record.len > FED_COAP_MESSAGE_MAX || fed_coap_message_parse(record, &m) != FED_COAP_GOOD)
        abort();
    return FED_OK;
}

static void fake_close(void *session)
{
    (void)session;
}

static const struct fed_coap_transport transport = {.send = fake_send, .close = fake_close};

static void on_alive(void *ctx, struct fed_link_session *session)
{
    (void)ctx;
    (void)session;
}

static void on_request(void *ctx, struct fed_link_session *session,
    struct fed_link_exchange *exchange, const struct fed_link_server_request *request)
{
    (void)ctx;
    (void)session;
    if (fed_span_is(request->path, "b"))
        fed_link_answer(exchange, FED_LINK_CONTENT, fed_span_of(large, sizeof(large)), 0);
    else if (fed_span_is(request->path, "l") && !kept)
        kept = exchange;
    else
        fed_link_answer(exchange, FED_LINK_UNAVAILABLE, (struct fed_span){NULL, 0}, 5);
}

static void on_notified(void *ctx, struct fed_link_session *session, uint64_t tag, bool delivered)
{
    (void)ctx;
    (void)session;
    (void)tag;
    (void)delivered;
}

static void pass(uint64_t ms)
{
    uint64_t end_ms = now_ms + ms;

    while (timer.due_ms <= end_ms) {
        now_ms = timer.due_ms > now_ms ? timer.due_ms : now_ms;
        timer.due_ms = UINT64_MAX;
        timer.call(timer.ctx);
    }
    now_ms = end_ms;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct fed_link_server_events events = {
        .alive = on_alive, .request = on_request, .notified = on_notified};
    struct fed_span rest = fed_span_of(bytes, len);
    struct fed_link_server server;
    struct fed_link_session *peer;
    uint8_t size;

    now_ms = 1;
    kept = NULL;
    if (fed_coap_server_init(&server, fed_alloc_system(), &loop, NULL, &events, &transport))
        abort();
    peer = fed_coap_peer_new(&server, NULL);
    if (!peer)
        abort();
    while (fed_span_take_u8(&rest, &size) == FED_OK) {
        struct fed_span one = fed_span_sub(rest, 0, size * 2u);

        fed_coap_peer_received(peer, one);
        rest = fed_span_sub(rest, one.len, rest.len - one.len);
        if (fed_link_notify(peer, fed_span_of(large, size), size) == FED_OK && size % 3 == 0)
            pass(2500);
        pass(size);
    }
    if (kept)
        fed_link_answer(kept, FED_LINK_CONTENT, FED_SPAN_LIT("late"), 0);
    pass(300000);
    fed_coap_server_fini(&server);
    return 0;
}
