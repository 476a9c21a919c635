/* client_transfer.c - the blocks of a large answer: what fetch.c decides, as CoAP messages. These
 * requests are non-confirmable, as their repetition is ours.
 *
 * What is here when a session ends is kept. The next answer from the same path goes on from there
 * when it is the same body: its ETag is from a digest, so a hub that was restarted says the same,
 * and the query need not be the same (the first of a session says more than a later one). So it
 * does in another process that was given what fed_link.partial_get wrote:
 *
 *   u8 2; strings path, ETag (proto/base/span.h); u32 code; what fetch.h writes */
#include "ports/coap/client.h"

#include <string.h>

void fed_coap_transfer_free(struct fed_coap_client *client, struct fed_coap_transfer *t)
{
    if (!t)
        return;
    fed_coap_fetch_free(t->fetch);
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

uint64_t fed_coap_transfer_due(const struct fed_coap_transfer *t)
{
    return fed_coap_fetch_due(t->fetch);
}

/* What one transfer found out about the path is good for the next. Where large answers pass, large
 * requests are tried again. */
static void note_size(struct fed_coap_client *client, const struct fed_coap_fetch *f)
{
    bool small = f->szx < FED_COAP_SZX_LARGE;

    if (client->small && !small)
        client->small_requests = client->small_proven;
    client->small = small;
}

void fed_coap_transfer_run(struct fed_coap_client *client, struct fed_coap_request *r)
{
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    struct fed_coap_writer w;
    struct fed_coap_ask ask;

    while (fed_coap_fetch_next(r->transfer->fetch, now_ms, rto_ms(client), &ask)) {
        fed_coap_request_put(client, r, FED_COAP_NON, &ask, &w);
        fed_coap_client_send(client, &w); /* what cannot be sent is repeated like what is lost */
    }
    note_size(client, r->transfer->fetch);
}

/* ---- keeping ---- */

/* Another large answer has no say about it: neither one to a POST nor one from elsewhere. */
static bool concerns(const struct fed_coap_request *r, const struct fed_coap_kept *k)
{
    return k->transfer && r->method == FED_LINK_GET && strcmp(k->path, r->path) == 0;
}

static bool is_kept(const struct fed_coap_kept *k, const struct fed_coap_request *r, size_t size,
    struct fed_span etag)
{
    return concerns(r, k) && k->transfer->fetch->size == size &&
           fed_span_eq(fed_span_of(k->transfer->etag, k->transfer->etag_len), etag);
}

void fed_coap_kept_drop(struct fed_coap_client *client)
{
    fed_coap_transfer_free(client, client->kept.transfer);
    client->kept.transfer = NULL;
}

void fed_coap_transfer_keep(struct fed_coap_client *client, struct fed_coap_request *r)
{
    struct fed_coap_kept *k = &client->kept;

    if (!r->transfer || r->method != FED_LINK_GET || r->transfer->etag_len == 0)
        return;
    if (k->transfer && k->transfer->fetch->count > r->transfer->fetch->count)
        return; /* one is kept, and that is worth more */
    fed_coap_kept_drop(client);
    k->transfer = r->transfer;
    memcpy(k->path, r->path, sizeof(k->path));
    r->transfer = NULL;
}

static void partial_put(struct fed_buf *out, const struct fed_coap_transfer *t, const char *path)
{
    fed_buf_put_u8(out, FED_COAP_PARTIAL_FORMAT);
    fed_buf_put_string(out, fed_span_text(path));
    fed_buf_put_string(out, fed_span_of(t->etag, t->etag_len));
    fed_buf_put_u32(out, t->code);
    fed_coap_fetch_put_to(t->fetch, out);
}

/* The largest: of those under way, and what is kept of an earlier session. */
enum fed_err fed_coap_partial_get(void *ctx, struct fed_buf *out)
{
    struct fed_coap_client *client = ctx;
    const struct fed_coap_transfer *best = client->kept.transfer;
    const char *path = client->kept.path;

    for (const struct fed_coap_request *r = client->requests; r; r = r->next) {
        const struct fed_coap_transfer *t = r->transfer;

        if (!t || r->method != FED_LINK_GET || t->etag_len == 0 ||
            (best && best->fetch->count >= t->fetch->count))
            continue;
        best = t;
        path = r->path;
    }
    if (!best)
        return FED_ERR_NOT_FOUND;
    partial_put(out, best, path);
    return fed_buf_err(out);
}

static enum fed_err path_take(struct fed_span *from, struct fed_coap_kept *k)
{
    struct fed_span path;
    enum fed_err err = fed_span_take_string(from, FED_COAP_PATH_MAX, &path);

    return err ? err : fed_span_to_cstr(path, k->path, sizeof(k->path));
}

static enum fed_err transfer_take(struct fed_span *from, struct fed_coap_transfer *t)
{
    struct fed_span etag;
    uint32_t code;
    enum fed_err err = fed_span_take_string(from, sizeof(t->etag), &etag);

    if (!err)
        err = fed_span_take_u32(from, &code);
    if (err)
        return err;
    if (etag.len == 0 || code != FED_LINK_CONTENT)
        return FED_ERR_INVALID;
    memcpy(t->etag, etag.at, etag.len);
    t->etag_len = etag.len;
    t->code = code;
    return FED_OK;
}

enum fed_err fed_coap_partial_set(void *ctx, struct fed_span bytes)
{
    struct fed_coap_client *client = ctx;
    struct fed_coap_kept k = {0};
    struct fed_coap_transfer *t;
    uint8_t format = 0;
    enum fed_err err;

    if (bytes.len == 0) {
        fed_coap_kept_drop(client);
        return FED_OK;
    }
    t = fed_alloc_zero(client->mem, sizeof(*t));
    err = t ? fed_span_take_u8(&bytes, &format) : FED_ERR_NOMEM;
    if (!err && format != FED_COAP_PARTIAL_FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = path_take(&bytes, &k);
    if (!err)
        err = transfer_take(&bytes, t);
    if (!err)
        err = fed_coap_fetch_take_from(client->mem, &bytes, FED_COAP_CLIENT_BODY_MAX, &t->fetch);
    if (err) {
        fed_coap_transfer_free(client, t);
        return err;
    }
    fed_coap_kept_drop(client);
    client->kept = k;
    client->kept.transfer = t;
    client->told = t->fetch->count;
    return FED_OK;
}

/* Writing all of it costs as much as it is large: told again when it has doubled, all writes
 * together cost twice the body. */
static void tell_of_progress(struct fed_coap_client *client, const struct fed_coap_fetch *f)
{
    uint32_t step = client->told > FED_COAP_PARTIAL_STEP ? client->told : FED_COAP_PARTIAL_STEP;

    if (!client->events.partial || f->count < client->told + step || fed_coap_fetch_complete(f))
        return;
    client->told = f->count;
    client->events.partial(client->events.ctx);
}

/* ---- what arrives ---- */

static void fail(
    struct fed_coap_client *client, struct fed_coap_request *r, enum fed_err err, const char *why)
{
    fed_coap_request_finish(client, r, err, NULL, why);
}

static enum fed_err transfer_new(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m)
{
    struct fed_coap_transfer *t;
    enum fed_err err;

    if (is_kept(&client->kept, r, m->size2, fed_span_of(m->etag, m->etag_len))) {
        r->transfer = client->kept.transfer;
        client->kept.transfer = NULL;
        return FED_OK;
    }
    if (concerns(r, &client->kept))
        fed_coap_kept_drop(client);
    if (!client->kept.transfer)
        client->told = 0;
    t = fed_alloc_zero(client->mem, sizeof(*t));
    if (!t)
        return FED_ERR_NOMEM;
    err = fed_coap_fetch_new(client->mem, m->size2, &t->fetch);
    if (err) {
        fed_coap_transfer_free(client, t);
        return err;
    }
    t->code = (m->code >> 5) * 100u + (m->code & 31u);
    memcpy(t->etag, m->etag, sizeof(t->etag));
    t->etag_len = m->etag_len;
    r->transfer = t;
    return FED_OK;
}

static void go_on(struct fed_coap_client *client, struct fed_coap_request *r)
{
    struct fed_coap_transfer *t = r->transfer;
    struct fed_link_message m = {.code = t->code};

    if (fed_coap_fetch_complete(t->fetch)) {
        m.payload = fed_span_of(t->fetch->body, t->fetch->size);
        fed_coap_request_finish(client, r, FED_OK, &m, "");
        return;
    }
    fed_coap_transfer_run(client, r);
    tell_of_progress(client, t->fetch);
}

void fed_coap_transfer_begin(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m)
{
    size_t size = m->size2;

    if (m->block2_num != 0 || m->block2_szx < FED_COAP_SZX_SMALL ||
        m->block2_szx > FED_COAP_SZX_LARGE || size <= (size_t)16 << m->block2_szx) {
        fail(
            client, r, FED_ERR_UNSUPPORTED, "the answer comes in blocks that a hub would not send");
        return;
    }
    if (size > FED_COAP_CLIENT_BODY_MAX) {
        fail(client, r, FED_ERR_LIMIT, "the answer is larger than 32 MiB");
        return;
    }
    if (transfer_new(client, r, m)) {
        fail(client, r, FED_ERR_NOMEM, "out of memory");
        return;
    }
    fed_coap_fetch_begin(r->transfer->fetch, m->block2_szx, fed_loop_now_ms(client->loop));
    if (!fed_coap_fetch_put(r->transfer->fetch, 0, m->block2_szx, m->payload)) {
        fail(client, r, FED_ERR_INVALID, "a block of the wrong size");
        return;
    }
    go_on(client, r);
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

void fed_coap_transfer_received(
    struct fed_coap_client *client, struct fed_coap_request *r, const struct fed_coap_message *m)
{
    struct fed_coap_transfer *t = r->transfer;
    uint32_t rtt_ms;

    /* Without a block it is gone, or a body that is one block now; with another ETag it is another
     * body: asking from the start shows which. */
    if (!m->has_block2 || m->etag_len != t->etag_len ||
        memcmp(m->etag, t->etag, t->etag_len) != 0) {
        restart(client, r);
        return;
    }
    if (!fed_coap_fetch_received(t->fetch, m->block2_num, m->block2_szx, m->payload,
            fed_loop_now_ms(client->loop), &rtt_ms))
        return; /* a duplicate, or nothing that was asked for */
    if (rtt_ms > 0)
        fed_coap_rtt_add(client, rtt_ms);
    go_on(client, r);
}
