/* held.c - what is answered when it is durable, many with one sync. */
#include "hub/gateway/internal.h"

#include <string.h>

struct gateway_held {
    struct gateway_held *next;
    const struct fed_link_calls *link;
    struct fed_link_exchange *exchange; /* lives until it is answered, whatever its session does */
    unsigned code;
    size_t len;
    uint8_t body[];
};

enum fed_err gateway_hold(struct hub_gateway *gateway, const struct fed_link_calls *link,
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body)
{
    struct gateway_held *held;

    if (!hub_objects_staged(gateway->objects)) {
        link->answer(exchange, code, body, 0);
        return FED_OK;
    }
    held = fed_alloc_get(gateway->mem, sizeof *held + body.len);
    if (!held)
        return FED_ERR_NOMEM;
    *held =
        (struct gateway_held){.link = link, .exchange = exchange, .code = code, .len = body.len};
    if (body.len > 0)
        memcpy(held->body, body.at, body.len);
    *gateway->held_end = held;
    gateway->held_end = &held->next;
    return FED_OK;
}

static struct gateway_held *take_all(struct hub_gateway *gateway)
{
    struct gateway_held *first = gateway->held;

    gateway->held = NULL;
    gateway->held_end = &gateway->held;
    return first;
}

void gateway_held_settle(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct hub_gateway *gateway = ctx;
    struct gateway_held *held = take_all(gateway);
    size_t n = 0;

    while (held) {
        struct gateway_held *next = held->next;

        if (err)
            held->link->answer(held->exchange, FED_LINK_UNAVAILABLE,
                fed_span_text(fed_err_text(err)), GATEWAY_RETRY_STORE_S);
        else
            held->link->answer(held->exchange, held->code, fed_span_of(held->body, held->len), 0);
        fed_alloc_free(gateway->mem, held, sizeof *held + held->len);
        held = next;
        n++;
    }
    if (err && n > 0)
        fed_log(gateway->log, FED_LOG_ERROR,
            "gateway: %zu reports and hellos are not stored: %s; their agents are told to come "
            "back",
            n, diag->text[0] ? diag->text : fed_err_text(err));
}

void gateway_held_forget(struct hub_gateway *gateway, const struct fed_link_calls *link)
{
    struct gateway_held **at = &gateway->held;

    while (*at) {
        struct gateway_held *held = *at;

        if (link && held->link != link) {
            at = &held->next;
            continue;
        }
        *at = held->next;
        fed_alloc_free(gateway->mem, held, sizeof *held + held->len);
    }
    gateway->held_end = at;
}
