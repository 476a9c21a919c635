/* client_call.c - one request under way: its copy, its answer, its time. */
#include "ports/http/client.h"

#include <string.h>

#define TIMEOUT_MS 30000u

/* ---- the answer ---- */
static bool streams(const struct fed_http_call *call)
{
    return call->events.data != NULL;
}

/* Calls the user back; whether the call survived it. A cancelled or finished call is unlinked from
 * the list. */
static bool still_there(struct fed_http_client *client, const struct fed_http_call *call)
{
    struct fed_http_call *at = client->first;

    while (at && at != call)
        at = at->next;
    return at != NULL;
}

bool fed_http_call_head(struct fed_http_call *call)
{
    struct fed_http_client *client = call->client;
    struct fed_http_response response;

    call->headed = true;
    if (!streams(call))
        return true;
    client->loop->timer_stop(client->loop->ctx, call->timer);
    if (!call->events.head)
        return true;
    response = (struct fed_http_response){
        .status = call->status, .headers = call->fields.list, .n_headers = call->fields.n_list};
    call->events.head(call->events.ctx, &response);
    return still_there(client, call);
}

/* The peer's fault or ours: leaves the link and ends. */
static void fail(struct fed_http_call *call, enum fed_err err, const struct fed_diag *diag)
{
    if (call->link)
        call->link->ops->cancel(call->link, call);
    fed_http_call_finish(call, err, diag);
}

bool fed_http_call_data(struct fed_http_call *call, struct fed_span bytes)
{
    struct fed_http_client *client = call->client;
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (streams(call)) {
        call->events.data(call->events.ctx, bytes);
        return still_there(client, call);
    }
    fed_buf_put(&call->answer, bytes);
    err = fed_buf_err(&call->answer);
    if (!err)
        return true;
    fed_diag_set(
        &diag, err, "answer of %s: more than %zu bytes", client->authority, client->response_max);
    fail(call, err, &diag);
    return false;
}

static void free_call(struct fed_http_call *call)
{
    struct fed_http_client *client = call->client;

    if (call->timer)
        client->loop->timer_free(client->loop->ctx, call->timer);
    fed_http_fields_fini(&call->request);
    fed_http_fields_fini(&call->fields);
    fed_buf_fini(&call->body);
    fed_buf_fini(&call->answer);
    fed_alloc_free(client->mem, call, sizeof(*call));
}

static void unlink_call(struct fed_http_call *call)
{
    struct fed_http_client *client = call->client;

    if (call->prev)
        call->prev->next = call->next;
    else
        client->first = call->next;
    if (call->next)
        call->next->prev = call->prev;
    else
        client->last = call->prev;
    if (call->link) {
        call->link->n_calls--;
        call->link = NULL;
        fed_http_client_kick(client); /* a place may be free now */
    }
}

void fed_http_call_finish(struct fed_http_call *call, enum fed_err err, const struct fed_diag *diag)
{
    struct fed_http_response response = {.status = call->status,
        .headers = call->fields.list,
        .n_headers = call->fields.n_list,
        .body = fed_buf_span(&call->answer)};
    struct fed_http_client *client = call->client;

    if (!err && call->link)
        call->link->n_served++;
    unlink_call(call);
    fed_http_client_enter(client);
    call->events.done(call->events.ctx, err, err ? NULL : &response, diag);
    free_call(call);
    fed_http_client_leave(client);
}

static bool is_idempotent(const struct fed_http_call *call)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    struct fed_span method = fed_http_fields_pseudo(&call->request, ":method");

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (fed_span_is(method, methods[i]))
            return true;
    return false;
}

void fed_http_call_lost(
    struct fed_http_call *call, bool untouched, enum fed_err err, const struct fed_diag *diag)
{
    struct fed_http_link *link = call->link;
    bool stale = link && link->n_served > 0 && is_idempotent(call);

    if (call->retried || call->heard || call->client->closed || !(untouched || stale)) {
        fed_http_call_finish(call, err, diag);
        return;
    }
    call->retried = true;
    call->body_sent = 0;
    call->stream_id = 0;
    if (link)
        link->n_calls--;
    call->link = NULL;
    fed_http_client_kick(call->client);
}

void fed_http_call_carry(struct fed_http_call *call, struct fed_http_link *link)
{
    call->link = link;
    if (link->n_calls++ == 0)
        link->heard_ms = fed_loop_now_ms(call->client->loop);
}

/* ---- the request ---- */
static void on_timeout(void *ctx)
{
    struct fed_http_call *call = ctx;
    struct fed_http_client *client = call->client;
    struct fed_diag diag = {{0}};

    fed_http_client_enter(client);
    fed_diag_set(
        &diag, FED_ERR_TIMEOUT, "%s: no answer within %u ms", client->authority, call->timeout_ms);
    fail(call, FED_ERR_TIMEOUT, &diag);
    fed_http_client_leave(client);
}

static enum fed_err copy_request(
    struct fed_http_call *call, const struct fed_http_call_options *options)
{
    struct fed_http_fields *to = &call->request;
    struct fed_http_header method = {FED_SPAN_LIT("m"), fed_span_text(options->method)};
    struct fed_span target = fed_span_text(options->target);
    enum fed_err err;

    if (!fed_span_starts(target, "/") || !fed_http_header_ok(&method))
        return FED_ERR_INVALID;
    for (size_t i = 0; i < target.len; i++)
        if (target.at[i] <= ' ' || target.at[i] >= 0x7f)
            return FED_ERR_INVALID;
    err = fed_http_fields_add(to, FED_SPAN_LIT(":method"), method.value);
    if (!err)
        err = fed_http_fields_add(to, FED_SPAN_LIT(":path"), target);
    for (size_t i = 0; !err && i < options->n_headers; i++) {
        if (!fed_http_header_ok(&options->headers[i]))
            err = FED_ERR_INVALID;
        else if (!fed_http_header_is_framing(options->headers[i].name))
            err = fed_http_fields_add(to, options->headers[i].name, options->headers[i].value);
    }
    if (!err)
        err = fed_http_fields_finish(to);
    fed_buf_put(&call->body, options->body);
    return err ? err : fed_buf_err(&call->body);
}

static enum fed_err init_call(
    struct fed_http_call *call, const struct fed_http_call_options *options)
{
    struct fed_http_client *client = call->client;
    struct fed_loop *loop = client->loop;
    enum fed_err err;

    fed_http_fields_init(&call->request, client->mem, FED_HTTP_CLIENT_HEADER_MAX);
    fed_http_fields_init(&call->fields, client->mem, FED_HTTP_CLIENT_HEADER_MAX);
    fed_buf_init(&call->body, client->mem, SIZE_MAX / 2);
    fed_buf_init(&call->answer, client->mem, client->response_max);
    call->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
    err = loop->timer_new(loop->ctx, on_timeout, call, &call->timer);
    return err ? err : copy_request(call, options);
}

enum fed_err fed_http_call(struct fed_http_client *client,
    const struct fed_http_call_options *options, const struct fed_http_call_events *events,
    struct fed_http_call **out)
{
    struct fed_loop *loop = client->loop;
    struct fed_http_call *call;
    enum fed_err err;

    if (client->closed)
        return FED_ERR_CLOSED;
    call = fed_alloc_zero(client->mem, sizeof(*call));
    if (!call)
        return FED_ERR_NOMEM;
    call->client = client;
    call->events = *events;
    call->number = client->next_number++;
    err = init_call(call, options);
    if (err) {
        free_call(call);
        return err;
    }
    loop->timer_set(loop->ctx, call->timer, fed_loop_now_ms(loop) + call->timeout_ms);
    call->prev = client->last;
    if (call->prev)
        call->prev->next = call;
    else
        client->first = call;
    client->last = call;
    fed_http_client_kick(client);
    if (out)
        *out = call;
    return FED_OK;
}

void fed_http_call_cancel(struct fed_http_call *call)
{
    if (call->link)
        call->link->ops->cancel(call->link, call);
    unlink_call(call);
    free_call(call);
}
