/* client_transfer.c - the blocks of a large answer (RFC 7959), ten asked for at a time.
 *
 * Plain Block2 takes a round trip for each block and stands still for seconds at each loss. The hub
 * answers any block by itself, so we ask for several at once and repeat what is missing: when
 * answers to later requests have passed it, or after a time measured from round trips. These
 * requests are non-confirmable, as their repetition is ours. */
#include "ports/coap/client.h"

#include <string.h>

static size_t have_size(uint32_t blocks)
{
    return (blocks + 7) / 8;
}

void fed_coap_transfer_free(struct fed_coap_client *client, struct fed_coap_transfer *t)
{
    if (!t)
        return;
    fed_alloc_free(client->mem, t->body, t->size);
    fed_alloc_free(client->mem, t->have, have_size(t->blocks));
    fed_alloc_free(client->mem, t, sizeof(*t));
}

/* ---- asking ---- */

static uint32_t rto_ms(const struct fed_coap_client *client)
{
    uint32_t ms = FED_COAP_RTO_MS;

    if (client->srtt_ms > 0)
        ms = client->srtt_ms + 4 * client->rttvar_ms;
    if (ms < FED_COAP_RTO_FLOOR_MS)
        return FED_COAP_RTO_FLOOR_MS;
    return ms < FED_COAP_RTO_CEILING_MS ? ms : FED_COAP_RTO_CEILING_MS;
}

static void slot_send(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_coap_slot *slot)
{
    struct fed_coap_writer w;

    fed_coap_request_put(client, r, FED_COAP_NON, slot->num, &w);
    slot->sent_ms = fed_loop_now_ms(client->loop);
    slot->order = ++r->transfer->order;
    slot->passed = 0;
    fed_coap_client_send(client, &w); /* what could not be sent is repeated like what was lost */
}

static void slots_fill(struct fed_coap_client *client, struct fed_coap_request *r)
{
    struct fed_coap_transfer *t = r->transfer;

    for (size_t i = 0; i < FED_COAP_WINDOW && t->next < t->blocks; i++) {
        if (t->slots[i].used)
            continue;
        t->slots[i] =
            (struct fed_coap_slot){.used = true, .num = t->next++, .rto_ms = rto_ms(client)};
        slot_send(client, r, &t->slots[i]);
    }
}

uint64_t fed_coap_transfer_due(const struct fed_coap_transfer *t)
{
    uint64_t due_ms = UINT64_MAX;

    for (size_t i = 0; i < FED_COAP_WINDOW; i++)
        if (t->slots[i].used && t->slots[i].sent_ms + t->slots[i].rto_ms < due_ms)
            due_ms = t->slots[i].sent_ms + t->slots[i].rto_ms;
    return due_ms;
}

/* Doubling stops at four times the first wait: with a window of ten the load is bounded, and on a
 * link that loses a third of the exchanges a longer wait would only make the transfer longer. */
void fed_coap_transfer_run(struct fed_coap_client *client, struct fed_coap_request *r)
{
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    uint32_t longest_ms = 4 * rto_ms(client);

    if (longest_ms > FED_COAP_RTO_CEILING_MS)
        longest_ms = FED_COAP_RTO_CEILING_MS;
    for (size_t i = 0; i < FED_COAP_WINDOW; i++) {
        struct fed_coap_slot *slot = &r->transfer->slots[i];

        if (!slot->used || slot->sent_ms + slot->rto_ms > now_ms)
            continue;
        slot->repeated = true;
        slot->rto_ms = slot->rto_ms * 2 < longest_ms ? slot->rto_ms * 2 : longest_ms;
        slot_send(client, r, slot);
    }
}

/* ---- what arrives ---- */

static void fail(
    struct fed_coap_client *client, struct fed_coap_request *r, enum fed_err err, const char *why)
{
    fed_coap_request_finish(client, r, err, NULL, why);
}

static struct fed_coap_transfer *transfer_new(struct fed_coap_client *client, size_t size)
{
    struct fed_coap_transfer *t = fed_alloc_zero(client->mem, sizeof(*t));

    if (!t)
        return NULL;
    t->size = size;
    t->blocks = (uint32_t)((size + FED_COAP_CLIENT_BLOCK - 1) / FED_COAP_CLIENT_BLOCK);
    t->body = fed_alloc_get(client->mem, size);
    t->have = fed_alloc_zero(client->mem, have_size(t->blocks));
    if (t->body && t->have)
        return t;
    fed_coap_transfer_free(client, t);
    return NULL;
}

static bool block_put(struct fed_coap_transfer *t, uint32_t num, struct fed_span payload)
{
    size_t at = (size_t)num * FED_COAP_CLIENT_BLOCK;
    size_t expected = t->size - at < FED_COAP_CLIENT_BLOCK ? t->size - at : FED_COAP_CLIENT_BLOCK;

    if (payload.len != expected)
        return false;
    if (!(t->have[num / 8] & 1u << num % 8)) {
        t->have[num / 8] |= (uint8_t)(1u << num % 8);
        memcpy(t->body + at, payload.at, payload.len);
        t->count++;
    }
    return true;
}

void fed_coap_transfer_begin(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m)
{
    size_t size = m->size2;

    if (m->block2_num != 0 || m->block2_szx != FED_COAP_SZX_MAX || size <= FED_COAP_CLIENT_BLOCK) {
        fail(
            client, r, FED_ERR_UNSUPPORTED, "the answer comes in blocks that a hub would not send");
        return;
    }
    if (size > FED_COAP_CLIENT_BODY_MAX) {
        fail(client, r, FED_ERR_LIMIT, "the answer is larger than 32 MiB");
        return;
    }
    r->transfer = transfer_new(client, size);
    if (!r->transfer) {
        fail(client, r, FED_ERR_NOMEM, "out of memory");
        return;
    }
    r->transfer->code = (m->code >> 5) * 100u + (m->code & 31u);
    r->transfer->etag_len = m->etag_len;
    memcpy(r->transfer->etag, m->etag, sizeof(m->etag));
    r->transfer->next = 1;
    if (!block_put(r->transfer, 0, m->payload)) {
        fail(client, r, FED_ERR_INVALID, "a block of the wrong size");
        return;
    }
    slots_fill(client, r);
    fed_coap_client_arm(client);
}

/* The body changed under way: what is here belongs to the old one. */
static void restart(struct fed_coap_client *client, struct fed_coap_request *r)
{
    if (r->method != FED_LINK_GET || r->restarts++ >= FED_COAP_RESTARTS_MAX) {
        fail(client, r, FED_ERR_CONFLICT, "the answer keeps changing while it is fetched");
        return;
    }
    fed_coap_transfer_free(client, r->transfer);
    r->transfer = NULL;
    if (fed_coap_request_send(client, r, (struct fed_span){NULL, 0}))
        fail(client, r, FED_ERR_NETWORK, "cannot be asked for again");
}

static void slots_answered(
    struct fed_coap_client *client, struct fed_coap_request *r, struct fed_coap_slot *answered)
{
    uint64_t order = answered->order;

    if (!answered->repeated)
        fed_coap_rtt_add(client, fed_loop_now_ms(client->loop) - answered->sent_ms);
    answered->used = false;
    for (size_t i = 0; i < FED_COAP_WINDOW; i++) {
        struct fed_coap_slot *slot = &r->transfer->slots[i];

        if (!slot->used || slot->order > order || ++slot->passed < FED_COAP_PASSED_MAX)
            continue;
        slot->repeated = true;
        slot->rto_ms = rto_ms(client);
        slot_send(client, r, slot);
    }
}

static struct fed_coap_slot *slot_of(struct fed_coap_transfer *t, uint32_t num)
{
    for (size_t i = 0; i < FED_COAP_WINDOW; i++)
        if (t->slots[i].used && t->slots[i].num == num)
            return &t->slots[i];
    return NULL;
}

void fed_coap_transfer_received(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m)
{
    struct fed_coap_transfer *t = r->transfer;
    struct fed_link_message whole = {.code = t->code};
    struct fed_coap_slot *slot = NULL;

    /* Without a block it is gone, or a body that is one block now; with another ETag it is another
     * body: asking from the start shows which. */
    if (!m->has_block2 || m->etag_len != t->etag_len ||
        memcmp(m->etag, t->etag, t->etag_len) != 0) {
        restart(client, r);
        return;
    }
    if (m->block2_num < t->blocks && m->block2_szx == FED_COAP_SZX_MAX)
        slot = slot_of(t, m->block2_num);
    if (!slot || !block_put(t, m->block2_num, m->payload))
        return; /* a duplicate, or nothing that was asked for */
    slots_answered(client, r, slot);
    if (t->count == t->blocks) {
        whole.payload = fed_span_of(t->body, t->size);
        fed_coap_request_finish(client, r, FED_OK, &whole, "");
        return;
    }
    slots_fill(client, r);
}
