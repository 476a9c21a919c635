/* stream.c - what browsers are told as it happens: one stream each, by server-sent events.
 *
 * Nothing is sent when it happens: a tick, every 500 ms while somebody listens, looks at the fleet
 * once and sends what is new since, encoded once for all that were told the same before. Who does
 * not read is told nothing until the rest was taken, and then all at once. Rights are looked at
 * with every message, so that a stream ends with them.
 * Source: HTML Living Standard, section 9.2 (server-sent events). */
#include "hub/console/internal.h"

#include <string.h>

#define TICK_MS 500u
#define SLOW_TICKS 20u /* with ?slow=1: 10 s */
#define BEAT_MS 15000u
#define CHECK_MS 15000u          /* between two looks at what a stream's rights rest on */
#define FLEET_RATE 50000u        /* bytes a second of changes to each of them, while much changes */
#define SNAPSHOT_ROW 4u          /* bytes of a cluster in the fleet's snapshot, as gzip */
#define FLEET_MS_MAX 10000u      /* what is new waits no longer for that */
#define WAITING_MAX (256u << 10) /* bytes on their way, beyond which nothing is added */
#define RETRY_S 5u

struct console_stream {
    struct console_stream *next;
    struct fed_http_exchange *exchange; /* NULL: over */
    struct hub_user user;
    uint64_t session;      /* its id; 0: none */
    struct fed_span token; /* of the request itself, its own copy; empty: none */
    int64_t until_unix_s;  /* of the certificate; 0: none */
    uint64_t seen;         /* version of the fleet */
    uint64_t sent_ms;
    uint64_t bytes;      /* that were sent */
    size_t tick_bytes;   /* of those, in this tick */
    uint64_t checked_ms; /* what its rights rest on */
    bool slow;
    bool missed; /* of what was touched */
};

/* ---- life of one ---- */

static void stream_free(struct hub_console *console, struct console_stream *stream)
{
    fed_alloc_free(console->mem, (void *)(uintptr_t)stream->token.at, stream->token.len);
    fed_alloc_free(console->mem, stream, sizeof *stream);
}

/* In order, as seen by the browser; it comes again, and is refused then. */
static void end(struct console_stream *stream)
{
    if (stream->exchange)
        fed_http_stream_end(stream->exchange);
    stream->exchange = NULL;
}

static void drop_ended(struct hub_console *console)
{
    struct console_stream **at = &console->streams;

    while (*at) {
        struct console_stream *stream = *at;

        if (stream->exchange) {
            at = &stream->next;
            continue;
        }
        *at = stream->next;
        console->n_streams--;
        stream_free(console, stream);
    }
}

void console_streams_closed(struct hub_console *console, const struct fed_http_exchange *exchange)
{
    for (struct console_stream *s = console->streams; s; s = s->next)
        if (s->exchange == exchange) {
            s->exchange = NULL;
            drop_ended(console);
            return;
        }
}

/* Called inside of what uses the sessions: they are taken out of the list at the next tick. */
void console_streams_session_ended(void *ctx, uint64_t session)
{
    struct hub_console *console = ctx;

    for (struct console_stream *s = console->streams; s; s = s->next)
        if (s->session == session)
            end(s);
}

void console_streams_stop(struct hub_console *console)
{
    for (struct console_stream *s = console->streams; s; s = s->next)
        end(s);
    drop_ended(console);
}

/* ---- sending ---- */

/* Behind what was written: bytes as they are sent. After an error the port has cut it, and says so
 * later. */
static void wrote(struct hub_console *console, struct console_stream *stream, enum fed_err err)
{
    uint64_t more;

    stream->sent_ms = fed_loop_now_ms(console->options.loop);
    if (err) {
        end(stream);
        return;
    }
    more = fed_http_stream_bytes(stream->exchange) - stream->bytes;
    stream->bytes += more;
    stream->tick_bytes += (size_t)more;
    console->counts.stream_bytes += more;
    console->counts.stream_events++;
    if (console->told < stream->tick_bytes)
        console->told = stream->tick_bytes;
}

static void send(struct hub_console *console, struct console_stream *stream, struct fed_span bytes)
{
    if (stream->exchange)
        wrote(console, stream, fed_http_stream_write(stream->exchange, bytes));
}

static void share(
    struct hub_console *console, struct console_stream *stream, struct fed_http_shared *bytes)
{
    if (!bytes) /* no memory: the next tick tries again, or says that something was missed */
        stream->missed = true;
    else if (stream->exchange)
        wrote(console, stream, fed_http_stream_share(stream->exchange, bytes));
}

static void send_reset(struct hub_console *console, struct console_stream *stream)
{
    struct fed_buf out;

    fed_buf_init(&out, console->mem, 128);
    fed_buf_printf(&out, "event: reset\nid: %llu\ndata: {\"version\":%llu}\n\n",
        (unsigned long long)console->fleet->version, (unsigned long long)console->fleet->version);
    if (!fed_buf_err(&out))
        send(console, stream, fed_buf_span(&out));
    fed_buf_fini(&out);
    console->counts.resets++;
    /* What the page fetches for it counts as what it is sent. */
    if (console->told < console->fleet->n * SNAPSHOT_ROW)
        console->told = console->fleet->n * SNAPSHOT_ROW;
}

static void send_fleet(struct hub_console *console, struct console_stream *stream)
{
    struct console_fleet *fleet = console->fleet;
    struct fed_http_shared *changes;

    if (stream->seen == fleet->version)
        return;
    if (!console_fleet_follows(fleet, stream->seen)) {
        send_reset(console, stream);
    } else {
        changes = console_fleet_changes(fleet, stream->seen);
        if (!changes)
            return;
        share(console, stream, changes);
    }
    stream->seen = fleet->version;
}

static bool may_list(struct hub_console *console, const struct console_stream *stream,
    const struct console_touched_group *group)
{
    struct fed_span resource = fed_buf_span(&group->resource);
    size_t dot = fed_span_find(resource, '.');
    struct hub_access access = {.verb = FED_SPAN_LIT("list"),
        .group = fed_span_sub(resource, dot + 1, resource.len),
        .resource = fed_span_sub(resource, 0, dot),
        .ns = fed_buf_span(&group->ns)};

    return hub_api_authorize(console->options.api, &stream->user, &access, NULL);
}

static void send_touched(struct hub_console *console, struct console_stream *stream)
{
    struct console_touched *touched = stream->slow ? &console->touched_slow : &console->touched;

    if (stream->missed || touched->overflow) {
        stream->missed = false;
        send(console, stream, console_touched_anything());
        return;
    }
    for (size_t i = 0; i < touched->n; i++)
        if (may_list(console, stream, &touched->groups[i]))
            share(console, stream, console_touched_event(touched, &touched->groups[i]));
}

/* Whether it may go on: its certificate, and the right. */
static bool may_go_on(struct hub_console *console, const struct console_stream *stream)
{
    if (stream->until_unix_s > 0 && fed_loop_unix_s(console->options.loop) >= stream->until_unix_s)
        return false;
    return hub_api_authorize(console->options.api, &stream->user, &console_fleet_access, NULL);
}

static void tell(struct hub_console *console, struct console_stream *stream, bool fleet_too)
{
    stream->tick_bytes = 0;
    if (!may_go_on(console, stream)) {
        end(stream);
        return;
    }
    if (fed_http_stream_waiting(stream->exchange) > WAITING_MAX) {
        console->counts.behind++;
        stream->missed = true;
        return;
    }
    if (fleet_too)
        send_fleet(console, stream);
    if (stream->exchange)
        send_touched(console, stream);
}

/* What a stream's rights rest on, however much there is to tell: a token that was taken back, a
 * session that is over with it. */
static void check(struct hub_console *console, struct console_stream *stream)
{
    if (stream->token.len > 0 &&
        console_check_token(console, stream->token) == FED_ERR_UNAUTHENTICATED)
        end(stream);
    else if (stream->session > 0)
        console_check_session(console, stream->session);
    stream->checked_ms = fed_loop_now_ms(console->options.loop);
}

/* It keeps what is between awake, and tells the page, which does not get to see comments, that the
 * hub is there: without it a connection that is cut in silence looks like a fleet at rest. */
static void beat(struct hub_console *console, struct console_stream *stream)
{
    if (fed_http_stream_waiting(stream->exchange) <= WAITING_MAX)
        send(console, stream, FED_SPAN_LIT("event: beat\ndata: {}\n\n"));
}

/* ---- the tick ---- */

static void arm(struct hub_console *console)
{
    struct fed_loop *loop = console->options.loop;

    loop->timer_set(loop->ctx, console->tick, fed_loop_now_ms(loop) + TICK_MS);
}

/* Those that were told the same before come together, so that they share what is encoded. */
static void tell_all(struct hub_console *console, bool slow, bool fleet_too)
{
    for (struct console_stream *s = console->streams; s; s = s->next)
        if (s->exchange && s->slow == slow)
            tell(console, s, fleet_too);
}

/* The more there was to say, the longer is gathered before the next: all at the same time, so that
 * they still share what is encoded. */
static void tell_fast(struct hub_console *console)
{
    uint64_t now_ms = fed_loop_now_ms(console->options.loop);
    bool fleet_too = now_ms >= console->fleet_due_ms;
    uint64_t pause_ms;

    console->told = 0;
    tell_all(console, false, fleet_too);
    pause_ms = (uint64_t)console->told * 1000u / FLEET_RATE;
    if (fleet_too)
        console->fleet_due_ms = now_ms + (pause_ms < FLEET_MS_MAX ? pause_ms : FLEET_MS_MAX);
}

static void check_all(struct hub_console *console)
{
    uint64_t now_ms = fed_loop_now_ms(console->options.loop);

    for (struct console_stream *s = console->streams; s; s = s->next) {
        if (s->exchange && now_ms - s->checked_ms >= CHECK_MS)
            check(console, s);
        if (s->exchange && now_ms - s->sent_ms >= BEAT_MS)
            beat(console, s);
    }
}

void console_streams_tick(void *ctx)
{
    struct hub_console *console = ctx;
    bool slow_too = ++console->n_ticks % SLOW_TICKS == 0;

    drop_ended(console);
    console->ticking = console->streams != NULL;
    if (console->streams)
        console_fleet_look(console->fleet);
    check_all(console);
    tell_fast(console);
    if (slow_too)
        tell_all(console, true, true);
    console_touched_clear(&console->touched);
    if (slow_too || !console->streams)
        console_touched_clear(&console->touched_slow);
    drop_ended(console);
    if (console->ticking)
        arm(console);
}

/* What a page shows beside the fleet. */
static bool is_shown(struct hub_console *console, struct fed_span resource)
{
    static const char *const shown[] = {"rollouts.fedlet.io", "rolloutpolicies.fedlet.io",
        "joinrequests.fedlet.io", "jointokens.fedlet.io", "placementpolicies.fedlet.io",
        HUB_CLUSTERS, HUB_TYPE_CONFIGS};
    struct hub_planned_type type;

    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (fed_span_is(resource, shown[i]))
            return true;
    return !hub_plan_type(console->options.plan, resource, &type);
}

void console_streams_changed(void *ctx, const struct hub_change *change)
{
    struct hub_console *console = ctx;

    if (!console->streams || !is_shown(console, change->ref.resource))
        return;
    console_touched_add(&console->touched, &change->ref);
    console_touched_add(&console->touched_slow, &change->ref);
}

/* ---- GET /console/stream ---- */

static enum fed_err check_room(struct hub_console *console, struct hub_request *r)
{
    size_t own = 0;

    drop_ended(console);
    for (const struct console_stream *s = console->streams; s; s = s->next)
        own += strcmp(s->user.name, r->user.name) == 0;
    if (!console->stopping && own < CONSOLE_USER_STREAMS_MAX &&
        console->n_streams < CONSOLE_STREAMS_MAX)
        return FED_OK;
    hub_fail(r, 503, "ServiceUnavailable", "%s",
        console->stopping                 ? "the hub is stopping"
        : own >= CONSOLE_USER_STREAMS_MAX ? "too many streams of this user"
                                          : "too many streams");
    r->failure.retry_after_s = RETRY_S;
    return FED_ERR_BUSY;
}

static enum fed_err stream_new(
    struct hub_console *console, struct hub_request *r, struct console_stream **out)
{
    struct console_stream *stream = fed_alloc_zero(console->mem, sizeof *stream);
    struct console_grant *grant = fed_alloc_zero(r->mem, sizeof *grant);
    struct console_kept *kept = NULL;
    enum fed_err err = stream && grant ? FED_OK : FED_ERR_NOMEM;
    uint8_t *token = NULL;

    if (!err && r->by_session)
        err = console_find_session(console, r->http, &kept);
    if (!err && !kept)
        err = console_grant_of_request(console, r, grant);
    if (!err && grant->token.len > 0)
        token = fed_alloc_get(console->mem, grant->token.len);
    if (!err && grant->token.len > 0 && !token)
        err = FED_ERR_NOMEM;
    if (err) {
        fed_alloc_free(console->mem, stream, sizeof *stream);
        return err;
    }
    stream->user = r->user;
    stream->session = kept ? kept->id : 0;
    stream->until_unix_s = grant->until_unix_s;
    if (token)
        memcpy(token, grant->token.at, grant->token.len);
    stream->token = fed_span_of(token, token ? grant->token.len : 0);
    *out = stream;
    return FED_OK;
}

/* Where it goes on: Last-Event-ID of a browser that comes again, ?since= of one that has a
 * snapshot. 0 is no version: all is new. */
static uint64_t version_of(const struct hub_request *r)
{
    struct fed_span text = console_header(r->http, "last-event-id");
    uint64_t version = 0;

    if (text.len == 0)
        text = console_query(r->http->query, "since");
    return fed_span_to_u64(text, &version) ? 0 : version;
}

static enum fed_err begin(struct hub_request *r)
{
    static const struct fed_http_header headers[] = {
        {FED_SPAN_LIT("content-type"), FED_SPAN_LIT("text/event-stream")},
        {FED_SPAN_LIT("cache-control"), FED_SPAN_LIT("no-store")},
        {FED_SPAN_LIT("x-content-type-options"), FED_SPAN_LIT("nosniff")},
        {FED_SPAN_LIT("cross-origin-resource-policy"), FED_SPAN_LIT("same-origin")},
        {FED_SPAN_LIT("x-accel-buffering"), FED_SPAN_LIT("no")}};

    r->answered = true;
    hub_request_record(r, 200);
    return fed_http_stream_begin_gzip(r->exchange, 200, headers, sizeof headers / sizeof *headers);
}

enum fed_err console_handle_stream(struct hub_console *console, struct hub_request *r)
{
    struct console_stream *stream;
    enum fed_err err = fed_span_is(r->http->method, "GET")
                           ? console_require_fleet(r)
                           : hub_fail(r, 405, "MethodNotAllowed", "this is only read");

    if (!err)
        err = check_room(console, r);
    if (!err)
        err = stream_new(console, r, &stream);
    if (err)
        return err;
    if (begin(r)) { /* cut: nobody is there to be told */
        stream_free(console, stream);
        return FED_OK;
    }
    console_fleet_look(console->fleet);
    stream->exchange = r->exchange;
    stream->checked_ms = fed_loop_now_ms(console->options.loop);
    stream->seen = version_of(r);
    stream->slow = fed_span_is(console_query(r->http->query, "slow"), "1");
    stream->next = console->streams;
    console->streams = stream;
    console->n_streams++;
    send(console, stream, FED_SPAN_LIT("retry: 3000\n\n"));
    send_fleet(console, stream);
    if (!console->ticking)
        arm(console);
    console->ticking = true;
    return FED_OK;
}
