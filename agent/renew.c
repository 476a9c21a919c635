/* renew.c - see renew.h. */
#include "agent/renew.h"

#include "agent/retry.h"
#include "agent/trust.h"
#include "proto/base/text.h"

#include <string.h>

#define REQUEST_TIMEOUT_MS 60000u
#define LOOK_AGAIN_MS 86400000u /* clocks move */
#define GAP_MIN_S 10
#define AHEAD_MAX_S 86400  /* of the hub's clock */
#define LATER_MS 86400000u /* a hub that does not know the resource */

struct agent_renew {
    struct agent_ports ports;
    struct agent_renew_options options;
    struct agent_renew_events events;
    struct fed_timer *timer;
    struct agent_retry retry;
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    uint32_t jitter; /* of 2^16, always the same for a cluster */
    bool trust_known;
    uint8_t trust[FED_LINK_TRUST_SIZE];
    bool hub_known; /* the hub's clock: at that time of ours */
    int64_t hub_unix_s;
    uint64_t hub_at_ms;
    bool up;
    bool asking;
    bool ended;            /* asked for over a link that is good for nothing else */
    uint64_t not_early_ms; /* nothing is asked for before */
    uint64_t ended_ms;     /* that one has ended is not acted upon before */
    uint64_t trust_ms;     /* ask then because of other CAs; 0: no */
    uint64_t again_ms;     /* a new session is due then; 0: no */
};

static uint64_t now_of(const struct agent_renew *r)
{
    return fed_loop_now_ms(r->ports.loop);
}

static int64_t unix_of(const struct agent_renew *r)
{
    if (!r->hub_known)
        return fed_loop_unix_s(r->ports.loop);
    return r->hub_unix_s + (int64_t)((now_of(r) - r->hub_at_ms) / 1000);
}

static int64_t life_of(const struct agent_renew *r)
{
    return r->not_after_unix_s - r->not_before_unix_s;
}

static int64_t spread(const struct agent_renew *r, int64_t whole_s)
{
    return whole_s * (int64_t)r->jitter / 65536;
}

static int64_t due_of(const struct agent_renew *r)
{
    return r->not_before_unix_s + life_of(r) / 3 * 2 + spread(r, life_of(r) / 12);
}

static int64_t less(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- what there is ---- */

static enum fed_err look_at_identity(struct agent_renew *r, struct fed_diag *diag)
{
    const struct agent_identity *identity = r->options.identity;
    struct fed_crypto *crypto = r->ports.crypto;
    struct fed_crypto_cert_info info;
    enum fed_err err =
        crypto->cert_info(crypto->ctx, fed_span_text(identity->certificate), &info, diag);

    if (err)
        return fed_diag_prefix(diag, err, "the stored certificate");
    r->not_before_unix_s = info.not_before_unix_s;
    r->not_after_unix_s = info.not_after_unix_s;
    /* What cannot be read is not what the hub names: it is asked for anew. */
    r->trust_known = !agent_trust_mark(crypto, fed_span_text(identity->ca), r->trust, NULL);
    return FED_OK;
}

/* ---- when ---- */

static uint64_t ask_ms(const struct agent_renew *r)
{
    int64_t wait_s = due_of(r) - unix_of(r);
    uint64_t at_ms = now_of(r) + (wait_s > 0 ? (uint64_t)wait_s * 1000 : 0);

    if (r->trust_ms > 0 && r->trust_ms < at_ms)
        at_ms = r->trust_ms;
    return at_ms < r->not_early_ms ? r->not_early_ms : at_ms;
}

static void plan(struct agent_renew *r)
{
    uint64_t at_ms = ask_ms(r);

    if (!r->up || r->asking) {
        agent_timer_stop(&r->ports, r->timer);
        return;
    }
    if (r->again_ms > 0 && r->again_ms < at_ms)
        at_ms = r->again_ms;
    if (at_ms > now_of(r) + LOOK_AGAIN_MS)
        at_ms = now_of(r) + LOOK_AGAIN_MS;
    agent_timer_at(&r->ports, r->timer, at_ms);
}

static void failed(struct agent_renew *r, const char *why, uint32_t asked_s)
{
    int64_t floor_ms = less(AGENT_RENEW_FLOOR_MS, life_of(r) / 12 * 1000 + 1000);
    int64_t left_s = r->not_after_unix_s - unix_of(r);
    bool ended = r->ended;

    r->ended = false;
    r->not_early_ms = agent_retry_failed(&r->retry, now_of(r), (uint32_t)floor_ms,
        AGENT_RENEW_CEILING_MS, agent_spread(&r->ports), (uint32_t)less(asked_s, 86400) * 1000u);
    if (ended) {
        r->events.failed(r->events.ctx, why, asked_s);
    } else if (left_s < life_of(r) / 12) {
        char until[FED_TEXT_TIME_SIZE];

        fed_text_time(r->not_after_unix_s, until);
        fed_log(r->ports.log, FED_LOG_ERROR,
            "the certificate ends at %s and there is no new one: %s; next try in %llu s", until,
            why, (unsigned long long)(r->not_early_ms - now_of(r)) / 1000);
    } else {
        fed_log(r->ports.log, r->retry.attempts <= 1 ? FED_LOG_WARN : FED_LOG_DEBUG,
            "no new certificate: %s; next try in %llu s", why,
            (unsigned long long)(r->not_early_ms - now_of(r)) / 1000);
    }
    plan(r);
}

/* ---- taking one ---- */

/* By this machine's clock, when something keeps it right: what a hub issues by a wrong one is not
 * taken for the one that there is. Else by the hub's, which has no say about a certificate of which
 * that hub has just said that it has ended. */
static enum fed_err check_times(
    const struct agent_renew *r, const struct fed_crypto_cert_info *info, struct fed_diag *diag)
{
    struct fed_loop *loop = r->ports.loop;
    bool kept = loop->clock_is_kept && loop->clock_is_kept(loop->ctx);
    int64_t now_unix_s = kept ? fed_loop_unix_s(loop) : unix_of(r);

    if (info->not_after_unix_s <= now_unix_s && (kept || !r->ended))
        return fed_diag_set(diag, FED_ERR_INVALID, "the certificate from the hub has ended");
    if (kept && info->not_before_unix_s > now_unix_s + AHEAD_MAX_S)
        return fed_diag_set(diag, FED_ERR_INVALID, "the certificate from the hub is of the future");
    return FED_OK;
}

static enum fed_err check_certificate(struct agent_renew *r, const struct fed_join_answer *answer,
    struct fed_span cas, struct fed_diag *diag)
{
    struct fed_crypto *crypto = r->ports.crypto;
    const char *cluster = r->options.identity->cluster;
    struct fed_span cert = fed_span_text(answer->certificate);
    struct fed_crypto_cert_info info;
    enum fed_err err = crypto->cert_info(crypto->ctx, cert, &info, diag);

    if (!err)
        err = crypto->cert_check(crypto->ctx, cert, cas, r->options.key_pem, diag);
    if (err)
        return fed_diag_prefix(diag, err, "the certificate from the hub");
    if (strcmp(info.common_name, cluster) != 0 || strcmp(answer->cluster, cluster) != 0)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "the certificate from the hub is for \"%.80s\", not for \"%.80s\"", info.common_name,
            cluster);
    return check_times(r, &info, diag);
}

/* The one of before stays until the new one is durable. */
static enum fed_err store(struct agent_renew *r, const struct fed_join_answer *answer,
    const struct fed_buf *cas, struct fed_diag *diag)
{
    struct agent_identity *next = fed_alloc_get(r->ports.mem, sizeof *next);
    enum fed_err err = next ? FED_OK : FED_ERR_NOMEM;

    if (err)
        return err;
    *next = *r->options.identity;
    err = fed_span_to_cstr(fed_buf_span(cas), next->ca, sizeof next->ca);
    if (!err)
        err = fed_span_to_cstr(
            fed_span_text(answer->certificate), next->certificate, sizeof next->certificate);
    if (!err)
        err = agent_state_set_identity(r->options.state, next, diag);
    if (!err)
        *r->options.identity = *next;
    fed_alloc_free(r->ports.mem, next, sizeof *next);
    return err;
}

static enum fed_err take(struct agent_renew *r, struct fed_span payload, struct fed_diag *diag)
{
    struct fed_join_answer *answer = fed_alloc_zero(r->ports.mem, sizeof *answer);
    struct agent_trust trust = {.known_pem = fed_span_text(r->options.identity->ca)};
    struct fed_buf cas;
    enum fed_err err = answer ? fed_join_answer_parse(payload, answer, diag) : FED_ERR_NOMEM;

    fed_buf_init(&cas, r->ports.mem, sizeof answer->ca - 1);
    if (!err && !answer->approved)
        err = fed_diag_set(diag, FED_ERR_INVALID, "the hub's answer brings no certificate");
    if (!err)
        err = agent_trust_take(
            r->ports.mem, r->ports.crypto, &trust, fed_span_text(answer->ca), &cas, diag);
    if (!err)
        err = check_certificate(r, answer, fed_buf_span(&cas), diag);
    if (!err)
        err = store(r, answer, &cas, diag);
    if (!err)
        err = look_at_identity(r, diag);
    fed_buf_fini(&cas);
    fed_alloc_free(r->ports.mem, answer, sizeof *answer);
    return err;
}

static void taken(struct agent_renew *r)
{
    int64_t left_s = r->not_after_unix_s - unix_of(r);
    int64_t gap_s = left_s / 4 > GAP_MIN_S ? left_s / 4 : GAP_MIN_S;
    int64_t within_s = less(AGENT_RENEW_SESSION_SPREAD_S, life_of(r) / 12);
    char until[FED_TEXT_TIME_SIZE];

    fed_text_time(r->not_after_unix_s, until);
    fed_log(r->ports.log, FED_LOG_INFO, "a new certificate is stored, until %s", until);
    agent_retry_reset(&r->retry);
    /* One that is due at once, as near the end of a CA, is not asked for in a circle. */
    r->not_early_ms = now_of(r) + (uint64_t)gap_s * 1000;
    r->ended_ms = now_of(r) + GAP_MIN_S * 1000u;
    r->trust_ms = 0;
    r->again_ms = now_of(r) + 1 + (uint64_t)within_s * 1000 * (agent_spread(&r->ports) + 1u) / 256u;
    if (r->ended) {
        r->ended = false;
        r->again_ms = 0;
        r->events.again(r->events.ctx);
    }
    plan(r);
}

static void on_answer(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_renew *r = ctx;
    struct fed_diag why = {""};

    r->asking = false;
    if (err == FED_ERR_CLOSED) {
        r->ended = false; /* whoever ended the link goes on by itself */
        plan(r);
    } else if (err) {
        failed(r, diag && diag->text[0] ? diag->text : fed_err_text(err), 0);
    } else if (message->code == FED_LINK_CHANGED) {
        err = take(r, message->payload, &why);
        if (err)
            failed(r, why.text[0] ? why.text : fed_err_text(err), 0);
        else
            taken(r);
    } else if (message->code == FED_LINK_UNAVAILABLE) {
        failed(r, "the hub asks to come back later", message->max_age_s ? message->max_age_s : 1);
    } else if (message->code == FED_LINK_NOT_FOUND && !r->ended) {
        fed_log(r->ports.log, FED_LOG_DEBUG, "the hub gives no new certificates");
        r->not_early_ms = now_of(r) + LATER_MS;
        plan(r);
    } else {
        fed_diag_set(&why, FED_ERR_FORBIDDEN, "the hub refuses a new certificate: " FED_SPAN_FMT,
            (int)(message->payload.len > 300 ? 300 : message->payload.len),
            (const char *)message->payload.at);
        failed(r, why.text, 0);
    }
}

static bool ask(struct agent_renew *r, struct fed_link *link)
{
    enum fed_err err;

    r->asking = true;
    err = link->request(link->ctx, FED_LINK_POST, FED_LINK_PATH_CERTIFICATE, NULL,
        (struct fed_span){0}, REQUEST_TIMEOUT_MS, on_answer, r);
    if (err)
        r->asking = false;
    return !err;
}

static void on_timer(void *ctx)
{
    struct agent_renew *r = ctx;

    if (r->up && r->again_ms > 0 && now_of(r) >= r->again_ms) {
        r->again_ms = 0;
        r->events.again(r->events.ctx);
        return;
    }
    if (r->up && !r->asking && now_of(r) >= ask_ms(r) && !ask(r, r->ports.link))
        r->not_early_ms = now_of(r) + AGENT_RENEW_FLOOR_MS;
    plan(r);
}

/* ---- what happens ---- */

void agent_renew_up(struct agent_renew *r, const struct fed_link_hello *hello,
    const struct fed_link_hello_items *items)
{
    int64_t within_s = r ? less(AGENT_RENEW_TRUST_SPREAD_S, life_of(r) / 24) : 0;
    bool other = r && items->has_trust &&
                 (!r->trust_known || memcmp(items->trust, r->trust, sizeof r->trust) != 0);

    if (!r)
        return;
    r->hub_known = true;
    r->hub_unix_s = hello->unix_s;
    r->hub_at_ms = now_of(r);
    r->up = true;
    r->again_ms = 0; /* this is it */
    if (!other)
        r->trust_ms = 0;
    else if (r->trust_ms == 0)
        r->trust_ms = now_of(r) + 1 + (uint64_t)spread(r, within_s) * 1000;
    plan(r);
}

void agent_renew_down(struct agent_renew *r)
{
    if (!r)
        return;
    r->up = false;
    plan(r);
}

bool agent_renew_ended(struct agent_renew *r, struct fed_link *link)
{
    /* A hub whose clocks differ may say so of one that it has just made. */
    if (!r || r->asking || now_of(r) < r->ended_ms)
        return false;
    r->ended = ask(r, link);
    if (r->ended)
        fed_log(r->ports.log, FED_LOG_WARN,
            "the hub says that the certificate has ended; asking for another one");
    return r->ended;
}

void agent_renew_status(const struct agent_renew *r, struct agent_renew_status *out)
{
    *out = (struct agent_renew_status){0};
    if (r)
        *out = (struct agent_renew_status){.not_after_unix_s = r->not_after_unix_s,
            .due_unix_s = due_of(r),
            .not_before_unix_s = r->not_before_unix_s,
            .hub_known = r->hub_known,
            .ahead_s = r->hub_known ? fed_loop_unix_s(r->ports.loop) - unix_of(r) : 0};
}

/* ---- life ---- */

static enum fed_err prepare(struct agent_renew *r, struct fed_diag *diag)
{
    struct fed_digest digest;
    enum fed_err err = look_at_identity(r, diag);

    if (!err)
        err = fed_digest_of(fed_span_text(r->options.identity->cluster), &digest);
    if (err)
        return err;
    r->jitter = (uint32_t)digest.bytes[0] << 8 | digest.bytes[1];
    return r->ports.loop->timer_new(r->ports.loop->ctx, on_timer, r, &r->timer);
}

enum fed_err agent_renew_new(const struct agent_ports *ports,
    const struct agent_renew_options *options, const struct agent_renew_events *events,
    struct agent_renew **out, struct fed_diag *diag)
{
    struct agent_renew *r = fed_alloc_zero(ports->mem, sizeof *r);
    enum fed_err err;

    if (!r)
        return FED_ERR_NOMEM;
    r->ports = *ports;
    r->options = *options;
    r->events = *events;
    err = prepare(r, diag);
    if (err) {
        fed_alloc_free(ports->mem, r, sizeof *r);
        return err;
    }
    *out = r;
    return FED_OK;
}

void agent_renew_free(struct agent_renew *r)
{
    if (!r)
        return;
    r->ports.loop->timer_free(r->ports.loop->ctx, r->timer);
    fed_alloc_free(r->ports.mem, r, sizeof *r);
}
