/* server_answer.c - codes of the link in HTTP, ETags and ranges. */
#include "ports/https/server.h"

#include <stdio.h>

#define TEXT "text/plain; charset=utf-8"
#define HEADERS_MAX 5u

/* ---- exchanges ---- */
static void put(struct fed_https_exchange **list, struct fed_https_exchange *x)
{
    x->prev = NULL;
    x->next = *list;
    if (x->next)
        x->next->prev = x;
    *list = x;
}

static void take(struct fed_https_exchange *x)
{
    struct fed_https_exchange **list = x->session ? &x->session->exchanges : &x->server->orphans;

    if (x->streaming)
        return; /* in neither */
    if (x->prev)
        x->prev->next = x->next;
    else
        *list = x->next;
    if (x->next)
        x->next->prev = x->prev;
    if (x->session)
        x->session->n_exchanges--;
}

struct fed_https_exchange *fed_https_exchange_new(struct fed_https_session *session,
    struct fed_http_exchange *http, const struct fed_https_ask *ask)
{
    struct fed_https_exchange *x = session->n_exchanges < FED_HTTPS_EXCHANGES_MAX
                                       ? fed_alloc_get(session->server->mem, sizeof(*x))
                                       : NULL;

    if (!x)
        return NULL;
    *x = (struct fed_https_exchange){.server = session->server,
        .session = session,
        .http = http,
        .get = ask->method == FED_HTTPS_GET,
        .json = fed_span_is(ask->path, "j") || fed_span_is(ask->path, "c"),
        .observe = ask->observe,
        .has_range = ask->has_range,
        .from = ask->from,
        .if_range = ask->if_range};
    put(&session->exchanges, x);
    session->n_exchanges++;
    fed_http_exchange_set_user(http, x);
    return x;
}

void fed_https_exchange_orphan(struct fed_https_exchange *x)
{
    take(x);
    x->session = NULL;
    put(&x->server->orphans, x);
}

void fed_https_exchange_free(struct fed_https_exchange *x)
{
    take(x);
    fed_alloc_free(x->server->mem, x, sizeof(*x));
}

/* ---- headers ---- */
struct head {
    struct fed_http_header list[HEADERS_MAX];
    size_t n;
    char etag[FED_HTTPS_ETAG_SIZE + 1];
    char range[80];
    char retry[16];
};

static void add(struct head *head, const char *name, const char *value)
{
    head->list[head->n++] =
        (struct fed_http_header){.name = fed_span_text(name), .value = fed_span_text(value)};
}

static void add_retry(struct head *head, uint32_t retry_after_s)
{
    snprintf(head->retry, sizeof(head->retry), "%u", (unsigned)retry_after_s);
    add(head, "retry-after", head->retry);
}

void fed_https_refuse(
    struct fed_http_exchange *http, unsigned status, const char *why, uint32_t retry_after_s)
{
    struct head head = {.n = 0};

    add(&head, "content-type", TEXT);
    if (retry_after_s > 0)
        add_retry(&head, retry_after_s);
    if (status == 405)
        add(&head, "allow", "GET, POST");
    fed_http_respond(http, status, head.list, head.n, fed_span_text(why));
}

/* ---- answers ---- */
static unsigned status_of(unsigned code, struct fed_span body)
{
    switch (code) {
    case FED_LINK_CHANGED:
        return body.len > 0 ? 200 : 204;
    case FED_LINK_CONTENT:
        return 200;
    case FED_LINK_CREATED:
        return 201;
    default:
        return code >= 400 && code <= 599 ? code : 500;
    }
}

/* What is sent of the body: all, or when it is the one that the agent has the beginning of, the
 * rest. */
static struct fed_span range_of(
    const struct fed_https_exchange *x, struct head *head, struct fed_span body, unsigned *status)
{
    if (fed_https_etag(body, head->etag))
        return body; /* without an ETag a lost transfer begins anew */
    add(head, "etag", head->etag);
    add(head, "accept-ranges", "bytes");
    if (!x->has_range || x->from >= body.len || !fed_span_is(x->if_range, head->etag))
        return body;
    snprintf(head->range, sizeof(head->range), "bytes %llu-%zu/%zu", (unsigned long long)x->from,
        body.len - 1, body.len);
    add(head, "content-range", head->range);
    *status = 206;
    return fed_span_sub(body, (size_t)x->from, body.len);
}

static void respond(
    struct fed_https_exchange *x, unsigned code, struct fed_span body, uint32_t max_age_s)
{
    struct head head = {.n = 0};
    unsigned status = status_of(code, body);
    const char *good = x->json ? "application/json" : "application/octet-stream";

    if (status != 204)
        add(&head, "content-type", status < 300 ? good : TEXT);
    if (status == 200 && x->get)
        body = range_of(x, &head, body, &status);
    if (status == 503)
        add_retry(&head, max_age_s);
    if (status == 405)
        add(&head, "allow", "GET, POST");
    fed_http_respond(x->http, status, head.list, head.n, body);
}

void fed_https_answer(
    struct fed_link_exchange *exchange, unsigned code, struct fed_span body, uint32_t max_age_s)
{
    struct fed_https_exchange *x = (struct fed_https_exchange *)exchange;

    if (x->http && x->session && x->observe && code == FED_LINK_CONTENT) {
        fed_https_stream_begin(x, body);
        return;
    }
    if (x->http)
        respond(x, code, body, max_age_s);
    fed_https_exchange_free(x);
}
