/* sync.c - see sync.h. */
#include "agent/sync.h"

#include "agent/retry.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 60000u
#define REQUEST_TIMEOUT_MS 60000u
#define PULL_TIMEOUT_MS 600000u
#define PING_TIMEOUT_MS 20000u
#define RETRY_FLOOR_MS 500u
#define RETRY_CEILING_MS 300000u
#define PULL_FLOOR_MS 1000u
#define PULL_CEILING_MS 300000u
#define STABLE_MS 60000u /* a session that lived that long was no failure */
#define HEARTBEAT_MIN_S 5u
#define HEARTBEAT_MAX_S 3600u
#define CLOCK_OFF_S 300
#define DIGEST_FAILURES_MAX 2u
/* After that long without a word about the bundle the observation is renewed: the hub may have
 * dropped it while the session lives on (RFC 7641 section 3.3.1). */
#define RENEW_MS 1800000u

struct agent_sync {
    struct agent_ports ports;
    struct agent_state *state;
    struct agent_table *table;
    struct agent_sync_options options;
    struct agent_sync_events events;
    enum agent_sync_state at;
    struct fed_timer *timer; /* reconnect, or heartbeat when up */
    struct fed_timer *pull_timer;
    size_t hub; /* in use or next to try */
    struct agent_retry retry;
    struct agent_retry pull_retry;
    uint64_t up_ms;
    uint64_t told_ms; /* the hub last spoke of the bundle */
    int64_t since_unix_s;
    uint32_t heartbeat_ms;
    uint64_t report_seq;               /* that the hub holds, from its hello */
    struct fed_link_hello_items items; /* of its last hello */
    bool kinds_known;
    uint8_t kinds[FED_LINK_KINDS_DIGEST_SIZE]; /* of what the daemon holds */
    unsigned pings_lost;
    unsigned digest_failures;
    bool pulling;
    bool pull_again; /* something newer was announced meanwhile */
    bool want_full;
    bool pull_due;
    struct agent_partial partial;
    bool resumed; /* the session of before, and the hub did not answer in it yet */
};

const char *agent_sync_state_name(enum agent_sync_state state)
{
    static const char *const names[AGENT_SYNC_STATES] = {
        "stopped", "waiting", "connecting", "hello", "observing", "ready"};

    return (unsigned)state < AGENT_SYNC_STATES ? names[state] : "?";
}

static uint64_t now_of(const struct agent_sync *s)
{
    return fed_loop_now_ms(s->ports.loop);
}

static bool is_up(const struct agent_sync *s)
{
    return s->at >= AGENT_SYNC_HELLO;
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

static const char *text_of(enum fed_err err, const struct fed_diag *diag)
{
    return diag && diag->text[0] ? diag->text : fed_err_text(err);
}

/* ---- connecting ---- */

static void wait_to_connect(struct agent_sync *s, const char *why, uint32_t asked_s)
{
    bool was_up = is_up(s);
    bool stable = was_up && now_of(s) - s->up_ms >= STABLE_MS;
    uint64_t due_ms;

    if (stable)
        agent_retry_reset(&s->retry);
    due_ms = agent_retry_failed(&s->retry, now_of(s), RETRY_FLOOR_MS, RETRY_CEILING_MS,
        agent_spread(&s->ports), asked_s > 3600 ? 3600000u : asked_s * 1000u);
    /* One line at the change; while it stays away, one per doubling is enough. */
    fed_log(s->ports.log, was_up || s->retry.attempts <= 1 ? FED_LOG_WARN : FED_LOG_INFO,
        "hub %s: %s, next try in %llu s", s->options.hubs[s->hub], why,
        (unsigned long long)(due_ms - now_of(s) + 999) / 1000);
    enter(s, AGENT_SYNC_WAITING);
    agent_partial_load(&s->partial, &s->ports);
    s->resumed = false;
    s->pulling = s->pull_again = s->pull_due = false;
    agent_timer_stop(&s->ports, s->pull_timer);
    agent_timer_at(&s->ports, s->timer, due_ms);
    if (was_up)
        s->events.down(s->events.ctx);
    else
        s->hub = (s->hub + 1) % s->options.n_hubs;
}

/* We end the session ourselves. */
static void give_up(struct agent_sync *s, const char *why, uint32_t asked_s)
{
    s->ports.link->disconnect(s->ports.link->ctx);
    wait_to_connect(s, why, asked_s);
}

static void connect_next(struct agent_sync *s)
{
    struct fed_link_client_identity identity = {
        .cert_pem = fed_span_text(s->options.identity->certificate),
        .key_pem = s->options.key_pem,
        .ca_pem = fed_span_text(s->options.identity->ca)};
    struct fed_link_address address;
    struct fed_diag diag = {""};
    enum fed_err err;

    err = fed_link_address_parse(fed_span_text(s->options.hubs[s->hub]), &address, &diag);
    if (!err && !address.coap)
        err = fed_diag_set(&diag, FED_ERR_UNSUPPORTED, "https is not part of this build");
    enter(s, AGENT_SYNC_CONNECTING);
    if (!err)
        err = s->ports.link->connect(
            s->ports.link->ctx, address.host, address.port, &identity, CONNECT_TIMEOUT_MS, &diag);
    if (err)
        wait_to_connect(s, text_of(err, &diag), 0);
}

/* ---- frames ---- */

static void pull(struct agent_sync *s);

static void pull_later(struct agent_sync *s)
{
    s->pull_due = true;
    agent_timer_at(&s->ports, s->pull_timer,
        agent_retry_failed(
            &s->pull_retry, now_of(s), PULL_FLOOR_MS, PULL_CEILING_MS, agent_spread(&s->ports), 0));
}

static void refused(struct agent_sync *s, enum fed_err err, const struct fed_diag *diag)
{
    if (err == FED_ERR_CONFLICT && s->pull_retry.attempts == 0) {
        pull(s); /* starts elsewhere than what we hold: ordinary after a lost notification */
        return;
    }
    if (err == FED_ERR_GONE) {
        fed_log(s->ports.log, FED_LOG_ERROR,
            "bundle refused: %s; the present one stays. Was the hub restored without a new epoch?",
            text_of(err, diag));
        return;
    }
    if (err == FED_ERR_DIGEST || err == FED_ERR_NOT_FOUND) {
        s->digest_failures++;
        s->want_full = s->digest_failures >= DIGEST_FAILURES_MAX || err == FED_ERR_NOT_FOUND;
    }
    fed_log(s->ports.log, s->pull_retry.attempts ? FED_LOG_DEBUG : FED_LOG_WARN,
        "bundle refused: %s; nothing of it was applied, pulling %s", text_of(err, diag),
        s->want_full ? "all of it" : "again");
    pull_later(s);
}

static void stage(struct agent_sync *s, struct fed_span frame)
{
    struct agent_staged staged;
    struct fed_diag diag = {""};
    enum fed_err err = agent_stage(s->state, s->table, frame, now_of(s), &staged, &diag);

    if (err) {
        refused(s, err, &diag);
        return;
    }
    agent_partial_forget(&s->partial, &s->ports);
    s->digest_failures = 0;
    s->want_full = false;
    agent_retry_reset(&s->pull_retry);
    s->events.staged(s->events.ctx, &staged);
    fed_log(s->ports.log, FED_LOG_INFO, "bundle %llu: %zu works, %zu new or changed, %zu to remove",
        (unsigned long long)s->table->revision, s->table->n_manifest, staged.n_changed,
        staged.n_removed);
    if (staged.n_released)
        fed_log(s->ports.log, FED_LOG_WARN,
            "joined once more; %zu objects that the bundle does not name lose the managed label "
            "and stay",
            staged.n_released);
    if (staged.new_epoch)
        fed_log(s->ports.log, FED_LOG_WARN,
            "the hub has a new epoch; %zu objects that its bundle does not name stay in place",
            staged.n_kept);
}

/* A frame from a notification or an answer. */
static void take_frame(struct agent_sync *s, struct fed_span bytes)
{
    const struct agent_table *table = s->table;
    struct fed_frame_head head;
    struct fed_span from = bytes;
    struct fed_diag diag = {""};
    bool same_epoch;

    s->told_ms = now_of(s);
    if (bytes.len == 0)
        return;
    if (fed_frame_head_take(&from, &head)) {
        fed_diag_set(&diag, FED_ERR_INVALID, "its head cannot be read");
        refused(s, FED_ERR_INVALID, &diag);
        return;
    }
    same_epoch = table->revision != 0 && head.epoch == table->epoch;
    if (same_epoch && head.revision == table->revision && !s->want_full) {
        if (memcmp(head.digest, table->digest, sizeof table->digest) == 0)
            return; /* what we hold */
        s->want_full = true;
        fed_diag_set(&diag, FED_ERR_DIGEST, "the same revision with other content");
        refused(s, FED_ERR_DIGEST, &diag);
    } else if (!head.has_body) {
        pull(s);
    } else {
        stage(s, bytes);
    }
}

/* ---- pulling ---- */

static bool is_busy_code(struct agent_sync *s, const struct fed_link_message *message)
{
    if (message->code != FED_LINK_UNAVAILABLE)
        return false;
    give_up(s, "it asks to come back later", message->max_age_s);
    return true;
}

static void on_pull(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;
    bool again = s->pull_again;

    if (!s->pulling || !is_up(s) || err == FED_ERR_CLOSED)
        return; /* closed: down says so */
    s->pulling = s->pull_again = false;
    if (!err && is_busy_code(s, message))
        return;
    if (!err && message->code == FED_LINK_CONTENT) {
        take_frame(s, message->payload);
        if (again && !s->pulling && !s->pull_due)
            pull(s);
        return;
    }
    if (err)
        fed_log(s->ports.log, FED_LOG_WARN, "pulling the bundle: %s", text_of(err, diag));
    else
        fed_log(s->ports.log, FED_LOG_WARN, "pulling the bundle: the hub answered %u.%02u",
            message->code / 100, message->code % 100);
    pull_later(s);
}

static const char *bundle_query(struct agent_sync *s, struct fed_buf *out)
{
    bool full = s->want_full || s->table->revision == 0;

    fed_link_bundle_query_put(out, s->table->epoch, full ? 0 : s->table->revision);
    return fed_buf_cstr(out);
}

static void pull(struct agent_sync *s)
{
    struct fed_buf query;
    enum fed_err err;

    if (s->pulling) {
        s->pull_again = true;
        return;
    }
    s->pull_due = false;
    agent_timer_stop(&s->ports, s->pull_timer);
    fed_buf_init(&query, s->ports.mem, 128);
    s->pulling = true;
    err = s->ports.link->request(s->ports.link->ctx, FED_LINK_GET, FED_LINK_PATH_BUNDLE,
        bundle_query(s, &query), (struct fed_span){0}, PULL_TIMEOUT_MS, on_pull, s);
    fed_buf_fini(&query);
    if (err) {
        s->pulling = false;
        pull_later(s);
    }
}

static void on_pull_timer(void *ctx)
{
    struct agent_sync *s = ctx;

    if (is_up(s))
        pull(s);
}

/* ---- kinds ---- */

static void on_kinds(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;

    (void)diag;
    if (s->at == AGENT_SYNC_READY && !err && message->code == FED_LINK_CONTENT)
        s->events.kinds(s->events.ctx, message->payload);
}

/* What is known stays when there is no answer. */
static void ask_for_kinds(struct agent_sync *s)
{
    if (s->ports.link->request(s->ports.link->ctx, FED_LINK_GET, FED_LINK_PATH_KINDS, NULL,
            (struct fed_span){0}, REQUEST_TIMEOUT_MS, on_kinds, s))
        fed_log(s->ports.log, FED_LOG_DEBUG, "the federated kinds cannot be asked for");
}

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

static void arm_heartbeat(struct agent_sync *s)
{
    agent_timer_at(&s->ports, s->timer, now_of(s) + s->heartbeat_ms);
}

static void on_renewed(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;

    if (s->at != AGENT_SYNC_READY || err == FED_ERR_CLOSED)
        return;
    if (err)
        give_up(s, text_of(err, diag), 0);
    else if (!is_busy_code(s, message) && message->code != FED_LINK_CONTENT)
        give_up(s, "it refused the observation", 0);
    else if (message->code == FED_LINK_CONTENT)
        take_frame(s, message->payload);
}

static enum fed_err ask_to_observe(struct agent_sync *s, fed_link_done *done)
{
    struct fed_buf query;
    enum fed_err err;

    fed_buf_init(&query, s->ports.mem, 128);
    err = s->ports.link->observe(s->ports.link->ctx, FED_LINK_PATH_BUNDLE, bundle_query(s, &query),
        PULL_TIMEOUT_MS, done, s);
    fed_buf_fini(&query);
    return err;
}

static void renew(struct agent_sync *s)
{
    enum fed_err err;

    if (now_of(s) - s->told_ms < RENEW_MS || s->pulling)
        return;
    s->told_ms = now_of(s);
    err = ask_to_observe(s, on_renewed);
    if (err)
        give_up(s, fed_err_text(err), 0);
}

static void send_ping(struct agent_sync *s);

static void on_pong(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;

    (void)message;
    (void)diag;
    if (s->at != AGENT_SYNC_READY || err == FED_ERR_CLOSED)
        return;
    if (!err) {
        s->pings_lost = 0;
        arm_heartbeat(s);
        renew(s);
    } else if (++s->pings_lost >= AGENT_PINGS_LOST_MAX) {
        give_up(s, "it does not answer any more", 0);
    } else {
        send_ping(s);
    }
}

static void send_ping(struct agent_sync *s)
{
    enum fed_err err = s->ports.link->ping(s->ports.link->ctx, PING_TIMEOUT_MS, on_pong, s);

    if (err)
        give_up(s, fed_err_text(err), 0);
}

static void on_observed(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;
    char text[64];

    if (s->at != AGENT_SYNC_OBSERVING || err == FED_ERR_CLOSED)
        return;
    if (err) {
        give_up(s, text_of(err, diag), 0);
        return;
    }
    if (is_busy_code(s, message))
        return;
    if (message->code != FED_LINK_CONTENT) {
        snprintf(text, sizeof text, "it answered %u.%02u to the observation", message->code / 100,
            message->code % 100);
        give_up(s, text, 0);
        return;
    }
    enter(s, AGENT_SYNC_READY);
    fed_log(s->ports.log, FED_LOG_INFO, "hub %s: connected", s->options.hubs[s->hub]);
    arm_heartbeat(s);
    take_frame(s, message->payload);
    if (!is_up(s))
        return;
    s->events.up(s->events.ctx, s->report_seq); /* reports speak of the bundle: after it */
    if (!are_kinds_same(s))
        ask_for_kinds(s);
}

static void observe(struct agent_sync *s)
{
    enum fed_err err;

    enter(s, AGENT_SYNC_OBSERVING);
    err = ask_to_observe(s, on_observed);
    if (err)
        give_up(s, fed_err_text(err), 0);
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

static void on_hello(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_sync *s = ctx;
    struct fed_link_hello hello;
    struct fed_span from;
    char text[300];

    if (s->at != AGENT_SYNC_HELLO || err == FED_ERR_CLOSED)
        return;
    if (err) {
        give_up(s, text_of(err, diag), 0);
        return;
    }
    s->resumed = false;
    if (is_busy_code(s, message))
        return;
    from = message->payload;
    if (message->code != FED_LINK_CONTENT || fed_link_hello_take(&from, &hello)) {
        snprintf(text, sizeof text,
            "it answered %u.%02u to the hello"
            "%s" FED_SPAN_FMT,
            message->code / 100, message->code % 100, message->code >= 400 ? ": " : "",
            message->code >= 400 ? (int)(message->payload.len > 200 ? 200 : message->payload.len)
                                 : 0,
            (const char *)message->payload.at);
        give_up(s, text, 0);
        return;
    }
    take_hello(s, &hello);
    s->report_seq = hello.report_seq;
    fed_link_hello_items_take(from, &s->items);
    observe(s);
}

static enum fed_err ask_for_hello(struct agent_sync *s)
{
    struct fed_buf query;
    enum fed_err err;

    fed_buf_init(&query, s->ports.mem, 64);
    fed_link_hello_query_put_knows(&query, FED_LINK_KNOWS_ALL);
    err = s->ports.link->request(s->ports.link->ctx, FED_LINK_GET, FED_LINK_PATH_HELLO,
        fed_buf_cstr(&query), (struct fed_span){0}, REQUEST_TIMEOUT_MS, on_hello, s);
    fed_buf_fini(&query);
    return err;
}

static void on_up(void *ctx)
{
    struct agent_sync *s = ((struct agent_sync_slot *)ctx)->sync;
    enum fed_err err;

    if (!s || s->at != AGENT_SYNC_CONNECTING)
        return;
    s->up_ms = now_of(s);
    s->pings_lost = 0;
    enter(s, AGENT_SYNC_HELLO);
    err = ask_for_hello(s);
    if (err)
        give_up(s, fed_err_text(err), 0);
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct agent_sync *s = ((struct agent_sync_slot *)ctx)->sync;

    if (!s || (s->at != AGENT_SYNC_CONNECTING && !is_up(s)))
        return;
    if (s->resumed) {
        s->resumed = false;
        fed_log(s->ports.log, FED_LOG_INFO, "hub %s: %s; making a new one", s->options.hubs[s->hub],
            text_of(err, diag));
        connect_next(s);
        return;
    }
    wait_to_connect(s, text_of(err, diag), 0);
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    struct agent_sync *s = ((struct agent_sync_slot *)ctx)->sync;

    if (!s || s->at != AGENT_SYNC_READY)
        return;
    if (message->code == FED_LINK_CONTENT) {
        arm_heartbeat(s); /* its acknowledgement proved our life */
        if (tells_of_kinds(s, message->payload))
            ask_for_kinds(s);
        take_frame(s, message->payload);
    } else if (!is_busy_code(s, message)) {
        give_up(s, "it ended the observation", 0);
    }
}

static void on_partial(void *ctx)
{
    struct agent_sync *s = ((struct agent_sync_slot *)ctx)->sync;

    if (s)
        agent_partial_keep(&s->partial, &s->ports);
}

struct fed_link_events agent_sync_link_events(struct agent_sync_slot *slot)
{
    return (struct fed_link_events){.ctx = slot,
        .up = on_up,
        .down = on_down,
        .notification = on_notification,
        .partial = on_partial};
}

static void on_timer(void *ctx)
{
    struct agent_sync *s = ctx;

    if (s->at == AGENT_SYNC_WAITING)
        connect_next(s);
    else if (s->at == AGENT_SYNC_READY)
        send_ping(s);
}

static struct agent_session_of session_of(const struct agent_sync *s)
{
    return (struct agent_session_of){
        .identity = s->options.identity, .hubs = s->options.hubs, .n_hubs = s->options.n_hubs};
}

void agent_sync_start(struct agent_sync *s)
{
    struct agent_session_of of = session_of(s);

    s->since_unix_s = fed_loop_unix_s(s->ports.loop);
    enter(s, AGENT_SYNC_WAITING);
    agent_partial_load(&s->partial, &s->ports);
    s->resumed = agent_session_resume(&s->ports, s->options.session, &of, &s->hub) == FED_OK;
    if (s->resumed)
        enter(s, AGENT_SYNC_CONNECTING);
    else
        connect_next(s);
}

void agent_sync_stop(struct agent_sync *s)
{
    struct agent_session_of of = session_of(s);
    bool ready = s->at == AGENT_SYNC_READY;
    bool session = ready || s->at == AGENT_SYNC_CONNECTING || is_up(s);

    s->at = AGENT_SYNC_STOPPED;
    if (ready)
        agent_session_keep(&s->ports, s->options.session, &of, s->hub, s->heartbeat_ms);
    else if (session)
        s->ports.link->disconnect(s->ports.link->ctx);
    agent_partial_keep(&s->partial, &s->ports);
    agent_timer_stop(&s->ports, s->timer);
    agent_timer_stop(&s->ports, s->pull_timer);
}

void agent_sync_status(const struct agent_sync *s, struct agent_sync_status *out)
{
    *out = (struct agent_sync_status){.state = s->at,
        .hub = s->options.hubs[s->hub],
        .since_unix_s = s->since_unix_s,
        .connected = s->at == AGENT_SYNC_READY};
}

enum fed_err agent_sync_new(const struct agent_ports *ports, struct agent_state *state,
    struct agent_table *table, const struct agent_sync_options *options,
    const struct agent_sync_events *events, struct agent_sync **out)
{
    struct agent_sync *s = fed_alloc_zero(ports->mem, sizeof *s);
    enum fed_err err;

    if (!s)
        return FED_ERR_NOMEM;
    s->ports = *ports;
    s->state = state;
    s->table = table;
    s->options = *options;
    s->partial.place = options->partial;
    s->events = *events;
    s->heartbeat_ms = 60000;
    err = ports->loop->timer_new(ports->loop->ctx, on_timer, s, &s->timer);
    if (!err)
        err = ports->loop->timer_new(ports->loop->ctx, on_pull_timer, s, &s->pull_timer);
    if (err) {
        ports->loop->timer_free(ports->loop->ctx, s->timer);
        fed_alloc_free(ports->mem, s, sizeof *s);
        return err;
    }
    *out = s;
    return FED_OK;
}

void agent_sync_free(struct agent_sync *s)
{
    if (!s)
        return;
    s->ports.loop->timer_free(s->ports.loop->ctx, s->timer);
    s->ports.loop->timer_free(s->ports.loop->ctx, s->pull_timer);
    fed_alloc_free(s->ports.mem, s, sizeof *s);
}
