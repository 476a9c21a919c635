/* hold.c - answers wait for the sync that makes durable what they tell.
 *
 * Writes of one turn of the loop are staged in the store and share one sync at its end. Until then
 * the answers to them, and to whoever read meanwhile, are held here, and with them what the audit
 * log will say. When the sync fails, the writes are undone: reads are then answered again from what
 * is there, everything else with the reason, and that is what is recorded. */
#include "hub/api/internal.h"

#include <string.h>

#define HELD_BYTES_MAX                                                                             \
    (16u << 20)                /* answers; when there are more the sync comes before the end       \
                                */
#define RECORD_MAX (64u << 10) /* of the audit log: 32 groups in escapes */

struct hub_held {
    struct hub_held *next;
    struct fed_http_exchange *exchange; /* NULL: over, nobody is answered */
    char audit_id[HUB_UUID_SIZE];
    unsigned status;
    size_t size; /* of this allocation */
    size_t n_headers;
    struct fed_span body;
    struct fed_span record;         /* for the audit log; empty: none */
    struct fed_http_shared *shared; /* the body, when it is not NULL */
    struct fed_http_header headers[];
};

static struct fed_span copy(uint8_t **at, struct fed_span text)
{
    struct fed_span out = fed_span_of(*at, text.len);

    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return out;
}

static struct hub_held *held_new(struct hub_request *r, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body)
{
    size_t size = sizeof(struct hub_held) + n_headers * sizeof *headers + body.len;
    struct hub_held *held;
    struct fed_buf record;
    uint8_t *at;

    fed_buf_init(&record, r->mem, RECORD_MAX);
    hub_request_put_record(r, status, &record);
    if (fed_buf_err(&record))
        return NULL;
    size += record.len;
    for (size_t i = 0; i < n_headers; i++)
        size += headers[i].name.len + headers[i].value.len;
    if (size > HELD_BYTES_MAX || r->api->held_bytes > HELD_BYTES_MAX - size)
        return NULL;
    held = fed_alloc_get(r->api->mem, size);
    if (!held)
        return NULL;
    *held = (struct hub_held){
        .exchange = r->exchange, .status = status, .size = size, .n_headers = n_headers};
    memcpy(held->audit_id, r->audit_id, sizeof held->audit_id);
    at = (uint8_t *)(held->headers + n_headers);
    for (size_t i = 0; i < n_headers; i++) {
        held->headers[i].name = copy(&at, headers[i].name);
        held->headers[i].value = copy(&at, headers[i].value);
    }
    held->body = copy(&at, body);
    held->record = copy(&at, fed_buf_span(&record));
    return held;
}

static void held_free(struct hub_api *api, struct hub_held *held)
{
    api->held_bytes -= held->size;
    fed_http_shared_unref(held->shared);
    fed_alloc_free(api->mem, held, held->size);
}

enum fed_err hub_stage(struct hub_api *api, const struct hub_object_write *write,
    const struct hub_admission *admission, uint64_t *revision, struct fed_diag *diag)
{
    enum fed_err err = hub_objects_stage(
        api->objects, write, 1, admission->extra, admission->n_extra, revision, diag);

    return err || hub_objects_flush_soon(api->objects) ? err
                                                       : hub_objects_flush(api->objects, diag);
}

static void send(struct fed_http_exchange *exchange, unsigned status,
    const struct fed_http_header *headers, size_t n_headers, struct fed_span body,
    struct fed_http_shared *shared)
{
    if (shared)
        fed_http_respond_shared(exchange, status, headers, n_headers, shared);
    else
        fed_http_respond(exchange, status, headers, n_headers, body);
}

void hub_hold(struct hub_request *r, unsigned status, const struct fed_http_header *headers,
    size_t n_headers, struct fed_span body, struct fed_http_shared *shared)
{
    struct hub_api *api = r->api;
    struct hub_held *held =
        hub_objects_flush_soon(api->objects) ? held_new(r, status, headers, n_headers, body) : NULL;
    struct fed_diag diag = {""};
    enum fed_err err;

    if (held) {
        /* Before the sync, whose failure is counted as another answer. */
        hub_metrics_count(r, status);
        held->shared = shared ? fed_http_shared_ref(shared) : NULL;
        api->held_bytes += held->size;
        *api->held_end = held;
        api->held_end = &held->next;
        return;
    }
    err = hub_objects_flush(api->objects, &diag);
    if (err) {
        hub_request_again(api, r->exchange, r->audit_id, err, &diag);
        return;
    }
    hub_request_record(r, status);
    send(r->exchange, status, headers, n_headers, body, shared);
}

/* All of them in one go, before the first answer leaves. */
static void record_all(struct hub_api *api, const struct hub_held *held)
{
    struct hub_audit *audit = api->options.audit;

    if (!audit || !held)
        return;
    for (; held; held = held->next)
        hub_audit_add_line(audit, held->record);
    hub_audit_write(audit);
}

static void settle(
    struct hub_api *api, struct hub_held *held, enum fed_err err, const struct fed_diag *diag)
{
    if (!held->exchange)
        return;
    if (err)
        hub_request_again(api, held->exchange, held->audit_id, err, diag);
    else
        send(
            held->exchange, held->status, held->headers, held->n_headers, held->body, held->shared);
}

void hub_held_settle(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct hub_api *api = ctx;
    struct hub_held *held = api->held;

    api->held = NULL;
    api->held_end = &api->held;
    if (!err)
        record_all(api, held);
    while (held) {
        struct hub_held *next = held->next;

        settle(api, held, err, diag);
        held_free(api, held);
        held = next;
    }
}

void hub_held_forget(struct hub_api *api, const struct fed_http_exchange *exchange)
{
    struct hub_held *next;

    for (struct hub_held *held = api->held; held; held = next) {
        next = held->next;
        if (!exchange)
            held_free(api, held);
        else if (held->exchange == exchange)
            held->exchange = NULL;
    }
    if (exchange)
        return;
    api->held = NULL;
    api->held_end = &api->held;
}
