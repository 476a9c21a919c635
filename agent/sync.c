/* sync.c - see sync.h: the session. */
#include "agent/sync_inner.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_TIMEOUT_MS 60000u
#define PING_TIMEOUT_MS 20000u
#define PING_HTTPS_TIMEOUT_MS                                                                      \
    30000u /* one is enough: TCP has repeated it several times by then                             \
            */
#define HEARTBEAT_MIN_S 5u
#define HEARTBEAT_MAX_S 3600u
#define CLOCK_OFF_S 300
/* After that long without a word about the bundle the observation is renewed: the hub may have
 * dropped it while the session lives on (RFC 7641 section 3.3.1). */
#define RENEW_MS 1800000u

const char *agent_sync_state_name(enum agent_sync_state state)
{
    static const char *const names[AGENT_SYNC_STATES] = {
        "stopped", "connecting", "observing", "ready"};

    return (unsigned)state < AGENT_SYNC_STATES ? names[state] : "?";
}

/* The one place that changes the state. */
static void enter(struct agent_sync *s, enum agent_sync_state next)
{
    bool was_ready = s->at == AGENT_SYNC_READY;

    if (s->at == next)
        return;
    fed_log(s->ports.log, FED_LOG_DEBUG, "hub session: %s -> %s", agent_sync_state_name(s->at),
        agent_sync_state_name(next));
    s->at = next;
    if ((next == AGENT_SYNC_READY) != was_ready)
        s->since_unix_s = fed_loop_unix_s(s->ports.loop);
}

/* We end the session ourselves. */
static void give_up(struct agent_sync *s, enum agent_dial_cause cause, const char *why)
{
    agent_dial_lost(s->dial, cause, why, 0);
}

/* ---- kinds ---- */

/* Whether what is held is what the hub's hello spoke of. */
static bool are_kinds_same(const struct agent_sync *s)
{
    return s->kinds_known && s->items.has_kinds &&
           memcmp(s->kinds, s->items.kinds, sizeof s->kinds) == 0;
}

void agent_sync_know_kinds(struct agent_sync *s, struct fed_span kinds)
{
    s->kinds_known = fed_link_kinds_digest(kinds, s->kinds) == FED_OK;
}

bool agent_sync_is_current(const struct agent_sync *s)
{
    return s->at == AGENT_SYNC_READY && s->table->revision > 0 && !s->pulling && !s->pull_due &&
           !s->want_full && !s->missed;
}

uint64_t agent_sync_hub_knows(const struct agent_sync *s)
{
    return s->items.knows;
}

/* The head of the bundle in place once more: the hub has no other news of it. */
static bool tells_of_kinds(const struct agent_sync *s, struct fed_span frame)
{
    struct fed_frame_head head;

    return fed_frame_head_take(&frame, &head) == FED_OK && !head.has_body &&
           head.epoch == s->table->epoch && head.revision == s->table->revision;
}

/* ---- session ---- */

/* The hub gives up after a beat and a half. TCP repeats what is lost by itself, but each of its
 * segments has 52 bytes of headers: a fifth fewer pings keep an idle hour below 6 KB. */
static void arm_heartbeat(struct agent_sync *s)
{
    uint32_t more_ms = agent_dial_is_https(s->dial) ? s->heartbeat_ms / 5 : 0;

    agent_timer_at(&s->ports, s->timer, agent_sync_now(s) + s->heartbeat_ms + more_ms);
}

static void on_renewed(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;

    if (s->at != AGENT_SYNC_READY || err == FED_ERR_CLOSED)
        return;
    if (err)
        give_up(s, AGENT_DIAL_SILENT, agent_sync_text(err, diag));
    else if (!agent_sync_is_busy(s, message) && message->code != FED_LINK_CONTENT)
        give_up(s, AGENT_DIAL_REFUSED, "it refused the observation");
    else if (message->code == FED_LINK_CONTENT)
        agent_sync_take_frame(s, message->payload);
}

static enum fed_err ask_to_observe(struct agent_sync *s, fed_link_done *done)
{
    struct fed_buf query;
    enum fed_err err;

    fed_buf_init(&query, s->ports.mem, 128);
    (void)agent_sync_bundle_query(s, &query);
    if (s->mark_kept)
        fed_buf_put_text(&query, "&" FED_LINK_MARK_KEPT);
    s->mark_kept = false; /* said once */
    err = fed_buf_err(&query);
    if (!err)
        err = s->ports.link->observe(s->ports.link->ctx, FED_LINK_PATH_BUNDLE, fed_buf_cstr(&query),
            PULL_TIMEOUT_MS, done, s);
    fed_buf_fini(&query);
    return err;
}

static void renew(struct agent_sync *s)
{
    enum fed_err err;

    /* Over HTTPS it lives and dies with the session. */
    if (agent_sync_now(s) - s->told_ms < RENEW_MS || s->pulling || agent_dial_is_https(s->dial))
        return;
    s->told_ms = agent_sync_now(s);
    err = ask_to_observe(s, on_renewed);
    if (err)
        give_up(s, AGENT_DIAL_REFUSED, fed_err_text(err));
}

static void send_ping(struct agent_sync *s);

static void on_pong(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;
    unsigned lost_max = agent_dial_is_https(s->dial) ? 1 : AGENT_PINGS_LOST_MAX;

    (void)message;
    (void)diag;
    if (s->at != AGENT_SYNC_READY || err == FED_ERR_CLOSED)
        return;
    if (!err) {
        s->pings_lost = 0;
        s->rtt_ms = (uint32_t)(agent_sync_now(s) - s->ping_ms);
        arm_heartbeat(s);
        renew(s);
    } else if (++s->pings_lost >= lost_max) {
        give_up(s, AGENT_DIAL_SILENT, "it does not answer any more");
    } else {
        send_ping(s);
    }
}

static void send_ping(struct agent_sync *s)
{
    unsigned timeout_ms = agent_dial_is_https(s->dial) ? PING_HTTPS_TIMEOUT_MS : PING_TIMEOUT_MS;
    enum fed_err err;

    s->ping_ms = agent_sync_now(s);
    err = s->ports.link->ping(s->ports.link->ctx, timeout_ms, on_pong, s);

    if (err)
        give_up(s, AGENT_DIAL_REFUSED, fed_err_text(err));
}

static void on_observed(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;
    struct agent_dial_status dial;
    char text[64];

    if (s->at != AGENT_SYNC_OBSERVING || err == FED_ERR_CLOSED)
        return;
    if (err) {
        give_up(s, AGENT_DIAL_SILENT, agent_sync_text(err, diag));
        return;
    }
    if (agent_sync_is_busy(s, message))
        return;
    if (message->code != FED_LINK_CONTENT) {
        snprintf(text, sizeof text, "it answered %u.%02u to the observation", message->code / 100,
            message->code % 100);
        give_up(s, AGENT_DIAL_REFUSED, text);
        return;
    }
    enter(s, AGENT_SYNC_READY);
    agent_dial_ready(s->dial);
    agent_dial_status(s->dial, &dial);
    fed_log(s->ports.log, FED_LOG_INFO, "hub %s: connected", dial.hub);
    arm_heartbeat(s);
    agent_sync_take_frame(s, message->payload);
    if (!agent_sync_is_up(s))
        return;
    s->events.up(s->events.ctx, s->report_seq); /* reports speak of the bundle: after it */
    if (s->missed && !s->pulling && !s->pull_due)
        agent_sync_on_pull_timer(s);
    if (s->missed || !are_kinds_same(s))
        agent_sync_ask_for_kinds(s);
    s->missed = false;
    agent_sync_ask_for_removals(s);
}

static void observe(struct agent_sync *s)
{
    enum fed_err err;

    enter(s, AGENT_SYNC_OBSERVING);
    s->missed = false;
    err = ask_to_observe(s, on_observed);
    if (err)
        give_up(s, AGENT_DIAL_REFUSED, fed_err_text(err));
}

static void take_hello(struct agent_sync *s, const struct fed_link_hello *hello)
{
    int64_t off_s = fed_loop_unix_s(s->ports.loop) - hello->unix_s;
    uint32_t beat_s = hello->heartbeat_s;

    beat_s = beat_s < HEARTBEAT_MIN_S ? HEARTBEAT_MIN_S : beat_s;
    beat_s = beat_s > HEARTBEAT_MAX_S ? HEARTBEAT_MAX_S : beat_s;
    s->heartbeat_ms = beat_s * 1000u;
    if (off_s > CLOCK_OFF_S || off_s < -CLOCK_OFF_S)
        fed_log(s->ports.log, FED_LOG_WARN, "this machine's clock is %lld s %s the hub's",
            (long long)(off_s < 0 ? -off_s : off_s), off_s < 0 ? "behind" : "ahead of");
}

static enum fed_err send_hello(
    void *ctx, struct fed_link *link, unsigned timeout_ms, fed_link_done *done, void *done_ctx)
{
    struct agent_sync *s = ctx;
    struct fed_buf query;
    enum fed_err err;

    fed_buf_init(&query, s->ports.mem, 128);
    fed_link_hello_query_put(&query, s->has_mark ? s->mark : NULL);
    fed_link_hello_query_put_knows(&query, FED_LINK_KNOWS_ALL);
    err = fed_buf_err(&query);
    if (!err)
        err = link->request(link->ctx, FED_LINK_GET, FED_LINK_PATH_HELLO, fed_buf_cstr(&query),
            (struct fed_span){0}, timeout_ms, done, done_ctx);
    fed_buf_fini(&query);
    return err;
}

/* Its number: of two hellos side by side the later one's mark is the one to keep. */
static bool is_newer(const uint8_t *mark, const uint8_t *than)
{
    return memcmp(mark, than, 4) > 0;
}

/* Durable before the hub hears that it is kept. One that cannot be stored is not used either: the
 * hub takes the one of before as long. */
static void take_mark(struct agent_sync *s, const struct fed_link_hello *hello,
    const struct fed_link_hello_items *items)
{
    struct fed_diag diag = {""};
    enum fed_err err;

    s->mark_kept = false;
    if (items->copied && !s->copied)
        fed_log(s->ports.log, FED_LOG_WARN,
            "another machine came to the hub with this cluster's identity: its state directory is "
            "a copy of ours; the hub refuses it");
    s->copied = items->copied;
    if (!items->has_mark || (s->has_mark && !is_newer(items->mark, s->mark)))
        return;
    err = agent_state_set_mark(s->state, items->mark, hello->unix_s, &diag);
    if (err) {
        fed_log(s->ports.log, FED_LOG_WARN, "state file: the hub's mark: %s",
            agent_sync_text(err, &diag));
        return;
    }
    memcpy(s->mark, items->mark, sizeof s->mark);
    s->has_mark = s->mark_kept = true;
}

static void on_up(void *ctx, const struct fed_link_hello *hello, struct fed_span items)
{
    struct agent_sync *s = ctx;

    s->pings_lost = 0;
    take_hello(s, hello);
    fed_link_hello_items_take(items, &s->items);
    take_mark(s, hello, &s->items);
    s->report_seq = hello->report_seq;
    s->events.hello(s->events.ctx, hello, &s->items);
    observe(s);
}

static bool on_ended(void *ctx, struct fed_link *link)
{
    struct agent_sync *s = ctx;

    return s->events.ended(s->events.ctx, link);
}

static void on_down(void *ctx)
{
    struct agent_sync *s = ctx;

    enter(s, AGENT_SYNC_CONNECTING);
    s->pulling = s->pull_again = s->pull_due = false;
    agent_timer_stop(&s->ports, s->timer);
    agent_timer_stop(&s->ports, s->pull_timer);
    agent_timer_stop(&s->ports, s->removals_timer);
    agent_timer_stop(&s->ports, s->kinds_timer);
    s->removals_asked = s->removals_again = s->kinds_asked = s->kinds_again = false;
    s->events.down(s->events.ctx);
}

/* A frame that is on its way would have to come once more. */
static bool may_move(void *ctx)
{
    const struct agent_sync *s = ctx;

    return s->at == AGENT_SYNC_READY && !s->pulling;
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    struct agent_sync *s = ctx;

    if (!agent_sync_is_up(s))
        return;
    if (message->code == FED_LINK_CONTENT && s->at == AGENT_SYNC_OBSERVING) {
        s->missed = true; /* what it starts from is still on its way, and it does not come again */
    } else if (message->code == FED_LINK_CONTENT) {
        arm_heartbeat(s); /* its acknowledgement proved our life */
        if (tells_of_kinds(s, message->payload)) {
            agent_sync_ask_for_kinds(s);
            agent_sync_ask_for_removals(s);
        }
        agent_sync_take_frame(s, message->payload);
    } else if (!agent_sync_is_busy(s, message)) {
        give_up(s, AGENT_DIAL_REFUSED, "it ended the observation");
    }
}

static void on_partial(void *ctx)
{
    struct agent_sync *s = ctx;

    agent_partial_keep(&s->partial, &s->ports);
}

static void on_timer(void *ctx)
{
    struct agent_sync *s = ctx;

    if (s->at == AGENT_SYNC_READY)
        send_ping(s);
}

void agent_sync_start(struct agent_sync *s)
{
    s->since_unix_s = fed_loop_unix_s(s->ports.loop);
    enter(s, AGENT_SYNC_CONNECTING);
    agent_partial_load(&s->partial, &s->ports);
    agent_dial_start(s->dial);
}

void agent_sync_stop(struct agent_sync *s)
{
    bool ready = s->at == AGENT_SYNC_READY;

    s->at = AGENT_SYNC_STOPPED;
    if (ready)
        agent_dial_suspend(s->dial, s->heartbeat_ms);
    else
        agent_dial_stop(s->dial);
    agent_partial_keep(&s->partial, &s->ports);
    agent_timer_stop(&s->ports, s->timer);
    agent_timer_stop(&s->ports, s->pull_timer);
    agent_timer_stop(&s->ports, s->removals_timer);
    agent_timer_stop(&s->ports, s->kinds_timer);
}

void agent_sync_status(const struct agent_sync *s, struct agent_sync_status *out)
{
    *out = (struct agent_sync_status){.state = s->at,
        .since_unix_s = s->since_unix_s,
        .connected = s->at == AGENT_SYNC_READY,
        .pull_ms = s->pull_due ? s->pull_ms : 0,
        .pull_why = s->pull_why,
        .copied = s->copied,
        .rtt_ms = s->rtt_ms,
        .told_unix_s = s->told_ms ? fed_loop_unix_s(s->ports.loop) -
                                        (int64_t)((agent_sync_now(s) - s->told_ms) / 1000)
                                  : 0};
    agent_dial_status(s->dial, &out->dial);
}

struct agent_dial *agent_sync_dial(struct agent_sync *s)
{
    return s->dial;
}

static enum fed_err load_mark(struct agent_sync *s)
{
    enum fed_err err = agent_state_mark(s->state, s->mark, NULL);

    s->has_mark = !err;
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

enum fed_err agent_sync_new(const struct agent_ports *ports, struct agent_state *state,
    struct agent_table *table, const struct agent_dial_options *options,
    const struct agent_sync_events *events, struct agent_sync **out)
{
    struct agent_sync *s = fed_alloc_zero(ports->mem, sizeof *s);
    struct agent_dial_events dial = {.ctx = s,
        .up = on_up,
        .ended = on_ended,
        .down = on_down,
        .notification = on_notification,
        .partial = on_partial,
        .hello = send_hello,
        .may_move = may_move};
    enum fed_err err;

    if (!s)
        return FED_ERR_NOMEM;
    s->ports = *ports;
    s->state = state;
    s->table = table;
    s->partial.place = options->partial;
    s->events = *events;
    s->heartbeat_ms = 60000;
    err = ports->loop->timer_new(ports->loop->ctx, on_timer, s, &s->timer);
    if (!err)
        err = ports->loop->timer_new(ports->loop->ctx, agent_sync_on_pull_timer, s, &s->pull_timer);
    if (!err)
        err = ports->loop->timer_new(
            ports->loop->ctx, agent_sync_on_removals_timer, s, &s->removals_timer);
    if (!err)
        err =
            ports->loop->timer_new(ports->loop->ctx, agent_sync_on_kinds_timer, s, &s->kinds_timer);
    if (!err)
        err = load_mark(s);
    if (!err)
        err = agent_dial_new(ports, options, &dial, &s->dial);
    if (err) {
        agent_sync_free(s);
        return err;
    }
    s->ports.link = agent_dial_port(s->dial);
    *out = s;
    return FED_OK;
}

void agent_sync_free(struct agent_sync *s)
{
    if (!s)
        return;
    agent_dial_free(s->dial);
    s->ports.loop->timer_free(s->ports.loop->ctx, s->timer);
    s->ports.loop->timer_free(s->ports.loop->ctx, s->pull_timer);
    s->ports.loop->timer_free(s->ports.loop->ctx, s->removals_timer);
    s->ports.loop->timer_free(s->ports.loop->ctx, s->kinds_timer);
    fed_alloc_free(s->ports.mem, s, sizeof *s);
}
