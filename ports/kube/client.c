/* client.c - see ports/kube.h. All requests and watches are calls on one HTTP client; a watch is a
 * streaming call whose bytes are cut into lines. */
#include "ports/fs.h"
#include "ports/http.h"
#include "ports/kube.h"

#include <stdio.h>
#include <string.h>

#define TOKEN_REREAD_MS 60000u /* a projected token rotates about hourly */
#define WATCH_HEAD_MS 30000u
#define TARGET_MAX 8192u

struct fed_kube_client {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_http_client *http;
    struct fed_kube port;
    struct fed_fs fs;
    char base_path[256];
    char token_file[1024];
    struct fed_buf authorization; /* "Bearer ..."; empty without a token */
    uint64_t token_read_ms;
    bool token_doubted; /* the API server did not want it: there may be another one by now */
};

struct fed_kube_call {
    struct fed_kube_client *client;
    struct fed_http_call *http;
    fed_kube_done *done;
    void *done_ctx;
};

struct fed_kube_watch {
    struct fed_kube_client *client;
    struct fed_http_call *http;
    struct fed_kube_watch_events events;
    struct fed_buf line;
    unsigned status;
    unsigned retry_after_s;
    bool ended; /* by us, from inside a callback of ours */
    bool inside;
};

/* ---- headers ---- */

static void token_refresh(struct fed_kube_client *client)
{
    uint64_t now_ms = fed_loop_now_ms(client->loop);
    struct fed_diag diag = {""};
    struct fed_buf token;
    struct fed_span text;

    if (!client->token_file[0] || (client->authorization.len && !client->token_doubted &&
                                      now_ms - client->token_read_ms < TOKEN_REREAD_MS))
        return;
    client->token_doubted = false;
    fed_buf_init(&token, client->mem, 64u << 10);
    if (client->fs.read(client->fs.ctx, client->token_file, &token, &diag)) {
        fed_log(client->log, FED_LOG_WARN,
            "kube: cannot read the token: %s; going on with the last one", diag.text);
    } else {
        text = fed_buf_span(&token);
        while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == ' '))
            text.len--;
        fed_buf_clear(&client->authorization);
        fed_buf_put_text(&client->authorization, "Bearer ");
        fed_buf_put(&client->authorization, text);
        client->token_read_ms = now_ms;
    }
    fed_buf_fini(&token);
}

static void token_judge(struct fed_kube_client *client, unsigned status)
{
    if (status == 401)
        client->token_doubted = true;
}

static struct fed_http_header header(const char *name, const char *value)
{
    return (struct fed_http_header){.name = fed_span_text(name), .value = fed_span_text(value)};
}

static size_t headers_make(struct fed_kube_client *client, const char *accept,
    const char *content_type, struct fed_http_header out[5])
{
    size_t n = 0;

    token_refresh(client);
    out[n++] = header("accept", accept ? accept : "application/json");
    out[n++] = header("user-agent", "fedlet/" FEDLET_VERSION);
    if (content_type)
        out[n++] = header("content-type", content_type);
    if (client->authorization.len)
        out[n++] = (struct fed_http_header){
            .name = fed_span_text("authorization"), .value = fed_buf_span(&client->authorization)};
    return n;
}

/* ---- requests ---- */

static unsigned retry_after(const struct fed_http_response *response)
{
    for (size_t i = 0; i < response->n_headers; i++) {
        uint64_t seconds;

        if (fed_span_is(response->headers[i].name, "retry-after") &&
            fed_span_to_u64(response->headers[i].value, &seconds) == FED_OK)
            return seconds > 3600 ? 3600 : (unsigned)seconds;
    }
    return 0;
}

static void on_call_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct fed_kube_call *call = ctx;
    struct fed_kube_call copy = *call;
    struct fed_kube_answer answer = {0};

    fed_alloc_free(copy.client->mem, call, sizeof *call);
    if (!err)
        token_judge(copy.client, response->status);
    if (!err)
        answer = (struct fed_kube_answer){.status = response->status,
            .body = response->body,
            .retry_after_s = retry_after(response)};
    copy.done(copy.done_ctx, err, err ? NULL : &answer, diag);
}

static enum fed_err client_request(void *ctx, const struct fed_kube_request *request,
    fed_kube_done *done, void *done_ctx, struct fed_kube_call **out)
{
    struct fed_kube_client *client = ctx;
    struct fed_kube_call *call = fed_alloc_zero(client->mem, sizeof *call);
    struct fed_http_header headers[5];
    char target[TARGET_MAX];
    struct fed_http_call_options options = {.method = request->method,
        .target = target,
        .headers = headers,
        .body = request->body,
        .timeout_ms = request->timeout_ms};
    struct fed_http_call_events events = {.ctx = call, .done = on_call_done};
    int n = snprintf(target, sizeof target, "%s%s", client->base_path, request->path);
    enum fed_err err;

    if (!call)
        return FED_ERR_NOMEM;
    *call = (struct fed_kube_call){.client = client, .done = done, .done_ctx = done_ctx};
    options.n_headers = headers_make(client, request->accept, request->content_type, headers);
    if (request->impersonate)
        headers[options.n_headers++] = header("impersonate-user", request->impersonate);
    err = !*request->path || n < 0 || (size_t)n >= sizeof target
              ? FED_ERR_LIMIT
              : fed_http_call(client->http, &options, &events, &call->http);
    if (err) {
        fed_alloc_free(client->mem, call, sizeof *call);
        return err;
    }
    if (out)
        *out = call;
    return FED_OK;
}

static void client_cancel(void *ctx, struct fed_kube_call *call)
{
    struct fed_kube_client *client = ctx;

    fed_http_call_cancel(call->http);
    fed_alloc_free(client->mem, call, sizeof *call);
}

/* ---- watches ---- */

static void watch_free(struct fed_kube_watch *watch)
{
    fed_buf_fini(&watch->line);
    fed_alloc_free(watch->client->mem, watch, sizeof *watch);
}

/* Ends a watch from our side and tells its owner. */
static void watch_fail(struct fed_kube_watch *watch, enum fed_err err, const char *text)
{
    struct fed_kube_watch_events events = watch->events;
    struct fed_diag diag;

    fed_diag_set(&diag, err, "%s", text);
    fed_http_call_cancel(watch->http);
    watch_free(watch);
    events.ended(events.ctx, err, NULL, &diag);
}

static void on_watch_head(void *ctx, const struct fed_http_response *response)
{
    struct fed_kube_watch *watch = ctx;

    watch->status = response->status;
    watch->retry_after_s = retry_after(response);
    if (watch->status != 200)
        return;
    watch->inside = true;
    watch->events.open(watch->events.ctx);
    watch->inside = false;
    if (watch->ended)
        watch_free(watch);
}

/* Hands out the whole lines that are there. false when the owner cancelled the watch meanwhile. */
static bool give_lines(struct fed_kube_watch *watch)
{
    size_t given = 0;

    watch->inside = true;
    while (!watch->ended) {
        struct fed_span rest = fed_span_sub(fed_buf_span(&watch->line), given, watch->line.len);
        size_t end = fed_span_find(rest, '\n');

        if (end == rest.len)
            break;
        given += end + 1;
        if (end > 0)
            watch->events.line(watch->events.ctx, fed_span_sub(rest, 0, end));
    }
    watch->inside = false;
    if (watch->ended) {
        watch_free(watch);
        return false;
    }
    fed_buf_drop(&watch->line, given);
    return true;
}

static void on_watch_data(void *ctx, struct fed_span bytes)
{
    struct fed_kube_watch *watch = ctx;

    fed_buf_put(&watch->line, bytes);
    if (fed_buf_err(&watch->line)) {
        watch_fail(watch, fed_buf_err(&watch->line), "a watch event is larger than its limit");
        return;
    }
    if (watch->status == 200 && give_lines(watch) && watch->line.len == 0 &&
        watch->line.cap > (64u << 10))
        fed_buf_fini(&watch->line); /* a large event came by: do not keep its memory */
}

static void on_watch_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct fed_kube_watch *watch = ctx;
    struct fed_kube_watch_events events = watch->events;
    bool refused = !err && watch->status != 200;
    struct fed_buf body = watch->line;
    struct fed_kube_answer refusal = {.status = watch->status,
        .body = fed_buf_span(&body),
        .retry_after_s = watch->retry_after_s};

    (void)response;
    if (refused)
        token_judge(watch->client, watch->status);
    fed_buf_init(&watch->line, watch->client->mem, FED_KUBE_LINE_MAX);
    watch_free(watch);
    events.ended(events.ctx, err, refused ? &refusal : NULL, diag);
    fed_buf_fini(&body);
}

static enum fed_err client_watch(void *ctx, const char *path, const char *accept,
    const struct fed_kube_watch_events *events, struct fed_kube_watch **out)
{
    struct fed_kube_client *client = ctx;
    struct fed_kube_watch *watch = fed_alloc_zero(client->mem, sizeof *watch);
    struct fed_http_header headers[5];
    char target[TARGET_MAX];
    struct fed_http_call_options options = {
        .method = "GET", .target = target, .headers = headers, .timeout_ms = WATCH_HEAD_MS};
    struct fed_http_call_events http_events = {
        .ctx = watch, .head = on_watch_head, .data = on_watch_data, .done = on_watch_done};
    int n = snprintf(target, sizeof target, "%s%s", client->base_path, path);
    enum fed_err err;

    if (!watch)
        return FED_ERR_NOMEM;
    *watch = (struct fed_kube_watch){.client = client, .events = *events};
    fed_buf_init(&watch->line, client->mem, FED_KUBE_LINE_MAX);
    options.n_headers = headers_make(client, accept, NULL, headers);
    err = !*path || n < 0 || (size_t)n >= sizeof target
              ? FED_ERR_LIMIT
              : fed_http_call(client->http, &options, &http_events, &watch->http);
    if (err) {
        watch_free(watch);
        return err;
    }
    *out = watch;
    return FED_OK;
}

static void client_watch_cancel(void *ctx, struct fed_kube_watch *watch)
{
    (void)ctx;
    fed_http_call_cancel(watch->http);
    if (watch->inside)
        watch->ended = true; /* freed where the callback returns to */
    else
        watch_free(watch);
}

/* ---- life ---- */

enum fed_err fed_kube_client_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_kube_config *config, struct fed_kube_client **out, struct fed_diag *diag)
{
    struct fed_kube_client *client = fed_alloc_zero(mem, sizeof *client);
    struct fed_http_client_options options = {.host = config->server_host,
        .port = config->server_port,
        .server_name = config->tls_server_name[0] ? config->tls_server_name : NULL,
        .ca_pem = fed_buf_span(&config->ca_pem),
        .insecure_skip_verify = config->insecure_skip_tls_verify,
        .cert_pem = fed_buf_span(&config->cert_pem),
        .key_pem = fed_buf_span(&config->key_pem)};
    enum fed_err err;

    if (!client)
        return FED_ERR_NOMEM;
    client->mem = mem;
    client->loop = loop;
    client->log = log;
    client->fs = fed_fs_posix(mem);
    snprintf(client->base_path, sizeof client->base_path, "%s", config->base_path);
    snprintf(client->token_file, sizeof client->token_file, "%s", config->token_file);
    fed_buf_init(&client->authorization, mem, 65u << 10);
    if (config->token.len) {
        fed_buf_put_text(&client->authorization, "Bearer ");
        fed_buf_put(&client->authorization, fed_buf_span(&config->token));
    }
    client->port = (struct fed_kube){.ctx = client,
        .request = client_request,
        .cancel = client_cancel,
        .watch = client_watch,
        .watch_cancel = client_watch_cancel};
    err = fed_buf_err(&client->authorization);
    if (!err)
        err = fed_http_client_open(mem, loop, log, &options, &client->http, diag);
    if (err) {
        fed_kube_client_close(client);
        return err;
    }
    *out = client;
    return FED_OK;
}

void fed_kube_client_close(struct fed_kube_client *client)
{
    if (!client)
        return;
    if (client->http)
        fed_http_client_close(client->http);
    fed_buf_fini(&client->authorization);
    fed_alloc_free(client->mem, client, sizeof *client);
}

struct fed_kube *fed_kube_client_port(struct fed_kube_client *client)
{
    return &client->port;
}
