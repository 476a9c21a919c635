/* client_h1.c - HTTP/1.1 for the client: one call at a time on a link. */
#include "ports/http/client.h"

#include <llhttp.h>

struct h1 {
    struct fed_http_link *link;
    llhttp_t parser;
    struct fed_http_call *call; /* NULL: idle, or its call was cancelled */
    bool keep_alive;
    bool complete; /* the answer ended; what follows is not ours */
};

/* ---- parser callbacks; HPE_USER when the call is gone or cannot go on ---- */
static int checked(enum fed_err err)
{
    return err ? HPE_USER : 0;
}

static int on_begin(llhttp_t *parser)
{
    struct h1 *h = parser->data;

    if (!h->call)
        return HPE_USER;
    h->call->heard = true;
    fed_http_fields_fini(&h->call->fields);
    fed_http_fields_init(&h->call->fields, h->link->client->mem, FED_HTTP_CLIENT_HEADER_MAX);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = parser->data;

    if (!h->call || h->call->headed)
        return h->call ? 0 : HPE_USER;
    return checked(fed_http_fields_name(&h->call->fields, fed_span_of(at, len)));
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = parser->data;

    if (!h->call || h->call->headed)
        return h->call ? 0 : HPE_USER;
    return checked(fed_http_fields_value(&h->call->fields, fed_span_of(at, len)));
}

static int on_value_complete(llhttp_t *parser)
{
    struct h1 *h = parser->data;

    if (!h->call || h->call->headed)
        return h->call ? 0 : HPE_USER;
    return checked(fed_http_fields_end(&h->call->fields));
}

static bool is_interim(const llhttp_t *parser)
{
    return parser->status_code >= 100 && parser->status_code < 200;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct h1 *h = parser->data;
    bool to_head =
        h->call && fed_span_is(fed_http_fields_pseudo(&h->call->request, ":method"), "HEAD");

    if (!h->call || parser->http_major != 1 || parser->status_code == 101)
        return -1;
    if (is_interim(parser))
        return 0;
    parser->upgrade = 0;
    h->call->status = parser->status_code;
    if (fed_http_fields_finish(&h->call->fields))
        return -1;
    if (!fed_http_call_head(h->call) || !h->call)
        return -1;
    return to_head ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = parser->data;

    if (!h->call)
        return HPE_USER;
    return fed_http_call_data(h->call, fed_span_of(at, len)) ? 0 : HPE_USER;
}

static int on_message_complete(llhttp_t *parser)
{
    struct h1 *h = parser->data;

    if (!h->call)
        return HPE_USER;
    if (is_interim(parser))
        return 0;
    h->complete = true;
    h->keep_alive = llhttp_should_keep_alive(parser) && !h->link->draining;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* ---- the link's operations ---- */
static enum fed_err h1_start(struct fed_http_link *link)
{
    struct h1 *h = fed_alloc_zero(link->client->mem, sizeof(*h));

    if (!h)
        return FED_ERR_NOMEM;
    h->link = link;
    llhttp_init(&h->parser, HTTP_RESPONSE, &settings);
    h->parser.data = h;
    link->protocol = h;
    return FED_OK;
}

static void h1_free(struct fed_http_link *link)
{
    fed_alloc_free(link->client->mem, link->protocol, sizeof(struct h1));
}

/* The present answer is complete: gives it to the user, and the link back to the pool. */
static void complete(struct h1 *h)
{
    struct fed_http_call *call = h->call;

    h->call = NULL;
    h->complete = false;
    /* An answer that came before the whole request was sent: the connection cannot be used again.
     */
    if (!h->keep_alive || fed_http_queue_len(&h->link->out))
        h->link->draining = true;
    call->ended = true;
    fed_http_call_finish(call, FED_OK, NULL);
}

static enum fed_err h1_feed(
    struct fed_http_link *link, struct fed_span bytes, struct fed_diag *diag)
{
    struct h1 *h = link->protocol;
    const char *at = (const char *)bytes.at;
    llhttp_errno_t rc;

    if (!h->call) {
        link->dead = true; /* bytes that nobody asked for */
        return FED_OK;
    }
    rc = llhttp_execute(&h->parser, at, bytes.len);
    if (rc == HPE_PAUSED && h->complete) {
        if (llhttp_get_error_pos(&h->parser) != at + bytes.len)
            h->keep_alive = false;
        llhttp_resume(&h->parser);
        complete(h);
        return FED_OK;
    }
    if (rc == HPE_OK)
        return FED_OK;
    if (!h->call) { /* cancelled meanwhile */
        link->dead = true;
        return FED_OK;
    }
    return fed_diag_set(diag, FED_ERR_NETWORK, "bad HTTP/1.1 answer: %s",
        rc == HPE_USER ? "refused" : llhttp_errno_name(rc));
}

static void h1_eof(struct fed_http_link *link)
{
    struct h1 *h = link->protocol;

    link->draining = true;
    if (h->call && llhttp_message_needs_eof(&h->parser) && h->call->headed &&
        llhttp_finish(&h->parser) == HPE_PAUSED && h->complete)
        complete(h);
}

static enum fed_err h1_pull(struct fed_http_link *link, struct fed_diag *diag)
{
    (void)link;
    (void)diag;
    return FED_OK;
}

static bool h1_takes(struct fed_http_link *link)
{
    return link->n_calls == 0;
}

static bool sends_length(struct fed_span method, size_t body_len)
{
    return body_len || fed_span_is(method, "POST") || fed_span_is(method, "PUT") ||
           fed_span_is(method, "PATCH");
}

static enum fed_err h1_submit(struct fed_http_link *link, struct fed_http_call *call)
{
    struct h1 *h = link->protocol;
    struct fed_buf *out = &link->out.buf;
    struct fed_span method = fed_http_fields_pseudo(&call->request, ":method");

    fed_buf_put(out, method);
    fed_buf_put_text(out, " ");
    fed_buf_put(out, fed_http_fields_pseudo(&call->request, ":path"));
    fed_buf_put_text(out, " HTTP/1.1\r\n");
    if (!fed_http_headers_find(call->request.list, call->request.n_list, "host", NULL))
        fed_buf_printf(out, "host: %s\r\n", link->client->authority);
    for (size_t i = 0; i < call->request.n_list; i++) {
        fed_buf_put(out, call->request.list[i].name);
        fed_buf_put_text(out, ": ");
        fed_buf_put(out, call->request.list[i].value);
        fed_buf_put_text(out, "\r\n");
    }
    if (sends_length(method, call->body.len))
        fed_buf_printf(out, "content-length: %zu\r\n", call->body.len);
    fed_buf_put_text(out, "\r\n");
    fed_buf_put(out, fed_buf_span(&call->body));
    h->call = call;
    return fed_buf_err(out);
}

static void h1_cancel(struct fed_http_link *link, struct fed_http_call *call)
{
    struct h1 *h = link->protocol;

    /* HTTP/1.1 cannot take a request back: the connection goes with it. */
    if (h->call == call)
        h->call = NULL;
    link->dead = true;
    fed_http_client_kick(link->client);
}

const struct fed_http_link_ops fed_http_link_h1 = {
    .start = h1_start,
    .free = h1_free,
    .feed = h1_feed,
    .pull = h1_pull,
    .takes = h1_takes,
    .submit = h1_submit,
    .cancel = h1_cancel,
    .eof = h1_eof,
};
