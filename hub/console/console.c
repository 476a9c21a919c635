/* console.c - the console's life, and which path is whose. */
#include "hub/console/internal.h"

#define PREFIX "/console/"

/* ---- what all answers have ---- */

#define COMMON_HEADERS 3u
#define MORE_HEADERS 4u

static size_t put_common(struct fed_http_header *headers)
{
    size_t n = 0;

    headers[n++] =
        (struct fed_http_header){FED_SPAN_LIT("x-content-type-options"), FED_SPAN_LIT("nosniff")};
    headers[n++] = (struct fed_http_header){
        FED_SPAN_LIT("cross-origin-resource-policy"), FED_SPAN_LIT("same-origin")};
    headers[n++] = (struct fed_http_header){
        FED_SPAN_LIT("vary"), FED_SPAN_LIT("cookie, authorization, accept-encoding, accept")};
    return n;
}

enum fed_err console_respond(
    struct hub_request *r, struct fed_buf *body, const struct fed_http_header *more, size_t n_more)
{
    struct fed_http_header headers[COMMON_HEADERS + MORE_HEADERS];
    size_t n = put_common(headers);
    enum fed_err err = fed_buf_err(body);

    for (size_t i = 0; i < n_more && i < MORE_HEADERS - 1; i++)
        headers[n++] = more[i];
    headers[n++] =
        (struct fed_http_header){FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("no-store")};
    return err ? err : hub_respond(r, 200, "application/json", fed_buf_span(body), headers, n);
}

enum fed_err console_respond_etag(
    struct hub_request *r, unsigned status, struct fed_http_shared *body, const char *etag)
{
    struct fed_http_header headers[COMMON_HEADERS + MORE_HEADERS];
    size_t n = put_common(headers);

    headers[n++] = (struct fed_http_header){FED_SPAN_LIT("etag"), fed_span_text(etag)};
    headers[n++] =
        (struct fed_http_header){FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("no-cache, private")};
    if (body)
        headers[n++] = (struct fed_http_header){
            FED_SPAN_LIT("content-type"), FED_SPAN_LIT("application/json")};
    r->answered = true;
    hub_request_record(r, status);
    if (body)
        fed_http_respond_shared(r->exchange, status, headers, n, body);
    else
        fed_http_respond(r->exchange, status, headers, n, (struct fed_span){0});
    return FED_OK;
}

enum fed_err console_require_read(struct hub_request *r)
{
    return hub_request_is_read(r->http) ? FED_OK
                                        : hub_fail(r, 405, "MethodNotAllowed", "this is only read");
}

enum fed_err console_require_fleet(struct hub_request *r)
{
    enum fed_err err = hub_identify_request(r);

    return err ? err : hub_require(r, &console_fleet_access);
}

const struct hub_access console_fleet_access = {.verb = {(const uint8_t *)"list", 4},
    .group = {(const uint8_t *)"core.kubefed.io", 15},
    .resource = {(const uint8_t *)"kubefedclusters", 15},
    .ns = {(const uint8_t *)HUB_SYSTEM_NAMESPACE, sizeof HUB_SYSTEM_NAMESPACE - 1}};

/* ---- paths ---- */

typedef enum fed_err handler(struct hub_console *console, struct hub_request *r);
static const struct {
    const char *path;
    handler *handle;
} paths[CONSOLE_PATHS] = {
    [CONSOLE_SESSION] = {"session", console_handle_session},
    [CONSOLE_LINKS] = {"links", console_handle_links},
    [CONSOLE_FLEET] = {"fleet", console_handle_fleet},
    [CONSOLE_STREAM] = {"stream", console_handle_stream},
    [CONSOLE_BANDWIDTH] = {"bandwidth", console_handle_bandwidth},
    [CONSOLE_COLUMN] = {"column", console_handle_column},
    [CONSOLE_AUDIT] = {"audit", console_handle_audit},
    [CONSOLE_AUDIT_VERIFY] = {"audit/verify", console_handle_audit_verify},
    [CONSOLE_SEARCH] = {"search", console_handle_search},
    [CONSOLE_ABOUT] = {"about", console_handle_about},
};

/* A link into the page that has the name of data: a browser goes there and wants a page. */
static bool is_navigation(const struct hub_request *r)
{
    return hub_request_is_read(r->http) && console_wants_page(console_header(r->http, "accept"));
}

enum console_path console_path_of(const struct hub_request *r)
{
    struct fed_span path = fed_span_sub(r->http->path, sizeof PREFIX - 1, r->http->path.len);

    for (unsigned i = CONSOLE_PAGE + 1; i < CONSOLE_PATHS && !is_navigation(r); i++)
        if (fed_span_is(path, paths[i].path))
            return (enum console_path)i;
    return CONSOLE_PAGE;
}

static enum fed_err handle(void *ctx, struct hub_request *r)
{
    enum console_path path = console_path_of(r);

    if (r->http->path.len < sizeof PREFIX - 1)
        return console_redirect(r);
    return path == CONSOLE_PAGE ? console_serve_file(r, fed_span_sub(r->http->path,
                                                            sizeof PREFIX - 1, r->http->path.len))
                                : paths[path].handle(ctx, r);
}

static void closed(void *ctx, struct fed_http_exchange *exchange)
{
    console_streams_closed(ctx, exchange);
}

/* ---- life ---- */

static void on_sweep(void *ctx)
{
    struct hub_console *console = ctx;
    struct fed_loop *loop = console->options.loop;

    console_keep_sweep(&console->sessions);
    console_keep_sweep(&console->links);
    loop->timer_set(loop->ctx, console->sweep, fed_loop_now_ms(loop) + CONSOLE_SWEEP_MS);
}

static void on_step(void *ctx)
{
    struct hub_console *console = ctx;
    struct fed_loop *loop = console->options.loop;
    uint64_t age_ms = fed_loop_now_ms(loop) - console->started_ms;

    /* Steps begin where the process began, however late the timer was. */
    while (console->bandwidth.n_steps < age_ms / CONSOLE_STEP_MS)
        console_bandwidth_step(&console->bandwidth, console->options.traffic);
    loop->timer_set(loop->ctx, console->step,
        console->started_ms + (console->bandwidth.n_steps + 1) * CONSOLE_STEP_MS);
}

static void keep_of(
    struct hub_console *console, struct console_keep *keep, size_t max, size_t user_max)
{
    keep->mem = console->mem;
    keep->loop = console->options.loop;
    keep->crypto = console->options.crypto;
    keep->max = max;
    keep->user_max = user_max;
    console_keep_init(keep);
}

enum fed_err hub_console_open(
    const struct hub_console_options *options, struct hub_console **out, struct fed_diag *diag)
{
    struct hub_console *console = fed_alloc_zero(options->mem, sizeof *console);
    struct fed_loop *loop = options->loop;
    enum fed_err err;

    if (!console)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the console");
    console->options = *options;
    console->mem = options->mem;
    console->started_ms = fed_loop_now_ms(loop);
    console->started_unix_s = fed_loop_unix_s(loop);
    keep_of(console, &console->sessions, CONSOLE_SESSIONS_MAX, CONSOLE_USER_SESSIONS_MAX);
    console->sessions.ended = console_streams_session_ended;
    console->sessions.ctx = console;
    console->sessions.idle_ms = (uint64_t)options->idle_s * 1000u;
    keep_of(console, &console->links, CONSOLE_LINKS_MAX, CONSOLE_USER_LINKS_MAX);
    console_touched_init(&console->touched, console->mem);
    console_touched_init(&console->touched_slow, console->mem);
    err = loop->timer_new(loop->ctx, on_sweep, console, &console->sweep);
    if (!err)
        err = loop->timer_new(loop->ctx, console_streams_tick, console, &console->tick);
    if (!err)
        err = loop->timer_new(loop->ctx, on_step, console, &console->step);
    if (!err)
        err = hub_objects_subscribe(options->objects, fed_span_text(""), console_streams_changed,
            console, &console->subscription);
    if (!err)
        err = console_fleet_open(
            options->mem, loop, options->objects, options->status, &console->fleet, diag);
    if (err) {
        hub_console_close(console);
        return err;
    }
    console->guest = (struct hub_api_guest){.ctx = console,
        .session = console_session,
        .handle = handle,
        .answered = console_answered,
        .closed = closed};
    hub_api_set_guest(options->api, &console->guest);
    on_sweep(console);
    if (options->traffic)
        on_step(console);
    *out = console;
    return FED_OK;
}

void hub_console_stop(struct hub_console *console)
{
    console->stopping = true;
    console_streams_stop(console);
}

void hub_console_close(struct hub_console *console)
{
    struct fed_loop *loop;

    if (!console)
        return;
    loop = console->options.loop;
    hub_api_set_guest(console->options.api, NULL);
    console_streams_stop(console);
    if (console->subscription)
        hub_objects_unsubscribe(console->subscription);
    loop->timer_free(loop->ctx, console->sweep);
    loop->timer_free(loop->ctx, console->tick);
    loop->timer_free(loop->ctx, console->step);
    console_touched_clear(&console->touched);
    console_touched_clear(&console->touched_slow);
    console_columns_clear(console);
    console_fleet_close(console->fleet);
    console_keep_fini(&console->sessions);
    console_keep_fini(&console->links);
    fed_alloc_free(console->mem, console, sizeof *console);
}

void hub_console_planned(struct hub_console *console, struct fed_span cluster)
{
    console_fleet_stir(console->fleet, cluster);
}
