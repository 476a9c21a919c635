/* enroll.c - see enroll.h. */
#include "agent/enroll.h"

#include "agent/retry.h"
#include "agent/trust.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 20000u
#define CONNECT_COAP_FIRST_MS 8000u /* with an https:// address to try after it */
#define REQUEST_TIMEOUT_MS 60000u
#define RETRY_FLOOR_MS 1000u
#define RETRY_CEILING_MS 10000u
#define PENDING_MIN_S 1u
#define PENDING_MAX_S 300u
#define PROOF_PREFIX "fedlet join 1"

struct agent_enroll {
    struct agent_ports ports;
    struct agent_enroll_options options;
    struct agent_enroll_events events;
    struct fed_timer *timer; /* next try */
    struct fed_timer *deadline;
    struct fed_buf request; /* JSON, the same each time */
    size_t address;
    struct fed_link *link; /* of the present address */
    bool coap;
    struct agent_retry retry;
    bool up;
    bool said_pending;
    bool finished;
    struct fed_diag last; /* why the last attempt failed */
};

/* ---- key ---- */

enum fed_err agent_enroll_key(struct fed_alloc *mem, struct fed_fs *fs, struct fed_crypto *crypto,
    const char *path, struct fed_buf *key_pem, struct fed_diag *diag)
{
    struct fed_buf public_key;
    enum fed_err err = fs->read(fs->ctx, path, key_pem, diag);

    if (err == FED_ERR_NOT_FOUND) {
        err = crypto->key_new(crypto->ctx, key_pem);
        if (!err)
            err = fs->write(fs->ctx, path, fed_buf_span(key_pem), 0600, diag);
        return err;
    }
    if (err)
        return err;
    fed_buf_init(&public_key, mem, 1024);
    err = crypto->key_public(crypto->ctx, fed_buf_span(key_pem), &public_key, diag);
    fed_buf_fini(&public_key);
    return err ? fed_diag_prefix(diag, err == FED_ERR_NOMEM ? err : FED_ERR_CORRUPT, "%s", path)
               : FED_OK;
}

/* ---- checks ---- */

static enum fed_err check_times(
    const struct fed_crypto_cert_info *info, int64_t unix_s, struct fed_diag *diag)
{
    char now[FED_TEXT_TIME_SIZE];
    char limit[FED_TEXT_TIME_SIZE];

    fed_text_time(unix_s, now);
    if (unix_s < info->not_before_unix_s) {
        fed_text_time(info->not_before_unix_s, limit);
        return fed_diag_set(diag, FED_ERR_INVALID,
            "the certificate from the hub is valid from %s, but this machine's clock says %s; set "
            "the clock and join again",
            limit, now);
    }
    if (unix_s > info->not_after_unix_s) {
        fed_text_time(info->not_after_unix_s, limit);
        return fed_diag_set(diag, FED_ERR_INVALID,
            "the certificate from the hub ended at %s, but this machine's clock says %s; set the "
            "clock and join again",
            limit, now);
    }
    return FED_OK;
}

enum fed_err agent_enroll_check(struct fed_alloc *mem, struct fed_crypto *crypto,
    const struct fed_token *token, const char *cluster, struct fed_span key_pem, int64_t unix_s,
    const struct fed_join_answer *answer, struct fed_buf *trusted, struct fed_diag *diag)
{
    struct agent_trust trust = {.pin = &token->pin};
    struct fed_span cert = fed_span_text(answer->certificate);
    struct fed_crypto_cert_info info;
    enum fed_err err =
        agent_trust_take(mem, crypto, &trust, fed_span_text(answer->ca), trusted, diag);

    if (err == FED_ERR_FORBIDDEN)
        return err;
    if (err)
        return fed_diag_prefix(diag, err, "the hub's CA certificate");
    err = crypto->cert_info(crypto->ctx, cert, &info, diag);
    if (!err)
        err = crypto->cert_check(crypto->ctx, cert, fed_buf_span(trusted), key_pem, diag);
    if (err)
        return fed_diag_prefix(diag, err, "the certificate from the hub");
    if (strcmp(answer->cluster, cluster) != 0 || strcmp(info.common_name, cluster) != 0)
        return fed_diag_set(diag, FED_ERR_INVALID,
            "the certificate from the hub is for \"%s\", not for \"%s\"", info.common_name,
            cluster);
    return check_times(&info, unix_s, diag);
}

/* ---- the end ---- */

static void finish(struct agent_enroll *e, enum fed_err err, const struct agent_identity *identity)
{
    if (e->finished)
        return;
    e->finished = true;
    agent_timer_stop(&e->ports, e->timer);
    agent_timer_stop(&e->ports, e->deadline);
    if (e->up)
        e->link->disconnect(e->link->ctx);
    e->up = false;
    e->events.done(e->events.ctx, err, identity, &e->last);
}

static void succeed(
    struct agent_enroll *e, const struct fed_join_answer *answer, const struct fed_buf *trusted)
{
    struct agent_identity *identity = fed_alloc_zero(e->ports.mem, sizeof *identity);
    const struct fed_token *token = e->options.token;
    size_t size = sizeof identity->hubs[0];

    if (!identity) {
        finish(e, fed_diag_set(&e->last, FED_ERR_NOMEM, "out of memory"), NULL);
        return;
    }
    snprintf(identity->cluster, sizeof identity->cluster, "%s", answer->cluster);
    if (fed_span_to_cstr(fed_buf_span(trusted), identity->ca, sizeof identity->ca))
        identity->ca[0] = '\0'; /* it is no longer than the answer's */
    snprintf(identity->certificate, sizeof identity->certificate, "%s", answer->certificate);
    for (size_t i = 0; i < token->n_addresses && i < AGENT_HUBS_MAX; i++)
        snprintf(identity->hubs[identity->n_hubs++], size, "%s", token->addresses[i]);
    finish(e, FED_OK, identity);
    fed_alloc_free(e->ports.mem, identity, sizeof *identity);
}

static void on_deadline(void *ctx)
{
    struct agent_enroll *e = ctx;
    struct fed_diag why = e->last;

    if (e->said_pending)
        fed_diag_set(&e->last, FED_ERR_TIMEOUT,
            "the request was not approved in time; it stays at the hub: approve it there and run "
            "the same command again");
    else
        fed_diag_set(&e->last, FED_ERR_TIMEOUT, "the hub did not answer in time%s%s",
            why.text[0] ? ": " : "", why.text);
    finish(e, FED_ERR_TIMEOUT, NULL);
}

/* ---- attempts ---- */

static void send_request(struct agent_enroll *e);

static void try_again(struct agent_enroll *e, uint32_t asked_s)
{
    uint64_t due_ms = agent_retry_failed(&e->retry, fed_loop_now_ms(e->ports.loop), RETRY_FLOOR_MS,
        RETRY_CEILING_MS, agent_spread(&e->ports), asked_s * 1000u);

    e->address = (e->address + 1) % e->options.token->n_addresses;
    agent_timer_at(&e->ports, e->timer, due_ms);
}

/* The token's key was not accepted, or the hub is another one: PSK cannot tell the two apart. */
static void token_refused(struct agent_enroll *e, const char *address)
{
    const struct fed_token *token = e->options.token;
    char expired[FED_TEXT_TIME_SIZE];

    fed_text_time(token->expires_unix_s, expired);
    if (token->expires_unix_s < fed_loop_unix_s(e->ports.loop))
        fed_diag_set(&e->last, FED_ERR_UNAUTHENTICATED, "%s refused the token; it expired at %s",
            address, expired);
    else
        fed_diag_set(&e->last, FED_ERR_UNAUTHENTICATED,
            "%s refused the token: it was revoked, forged, or made by another hub", address);
    finish(e, FED_ERR_UNAUTHENTICATED, NULL);
}

static const char *address_of(const struct agent_enroll *e)
{
    return e->options.token->addresses[e->address];
}

static bool is_usable(const struct agent_enroll *e, const struct fed_link_address *address)
{
    enum agent_dial_mode only = address->coap ? AGENT_DIAL_COAP_ONLY : AGENT_DIAL_HTTPS_ONLY;

    return (address->coap ? e->ports.coap : e->ports.https) &&
           (e->options.mode == AGENT_DIAL_AUTO || e->options.mode == only);
}

static bool has_https(const struct agent_enroll *e)
{
    for (size_t i = 0; i < e->options.token->n_addresses; i++)
        if (e->ports.https && e->options.mode == AGENT_DIAL_AUTO &&
            fed_span_starts(fed_span_text(e->options.token->addresses[i]), "https://"))
            return true;
    return false;
}

/* From the present address on, the first that can be used. */
static bool find_address(struct agent_enroll *e, struct fed_link_address *out)
{
    for (size_t tried = 0; tried < e->options.token->n_addresses; tried++) {
        if (fed_link_address_parse(fed_span_text(address_of(e)), out, NULL) == FED_OK &&
            is_usable(e, out))
            return true;
        e->address = (e->address + 1) % e->options.token->n_addresses;
    }
    return false;
}

static void connect_next(struct agent_enroll *e)
{
    const struct fed_token *token = e->options.token;
    struct fed_link_client_identity by_key = {
        .psk_identity = token->id, .psk_key = fed_span_of(token->secret, sizeof token->secret)};
    /* The key cannot go into this handshake; the proof in the request shows it instead. */
    struct fed_link_client_identity by_pin = {.ca_pin = &token->pin};
    struct fed_link_address address;
    struct fed_diag diag = {""};
    unsigned timeout_ms = CONNECT_TIMEOUT_MS;
    enum fed_err err;

    if (!find_address(e, &address)) {
        fed_diag_set(
            &e->last, FED_ERR_UNSUPPORTED, "the token names no address that --link allows");
        finish(e, FED_ERR_UNSUPPORTED, NULL);
        return;
    }
    e->coap = address.coap;
    e->link = address.coap ? e->ports.coap : e->ports.https;
    if (address.coap && has_https(e))
        timeout_ms = CONNECT_COAP_FIRST_MS << (e->retry.attempts > 2 ? 2 : e->retry.attempts);
    err = e->link->connect(e->link->ctx, address.host, address.port,
        address.coap ? &by_key : &by_pin, timeout_ms, &diag);
    e->up = !err;
    if (err) {
        fed_diag_set(
            &e->last, err, "%s: %s", address_of(e), diag.text[0] ? diag.text : fed_err_text(err));
        try_again(e, 0);
    }
}

static void refused(struct agent_enroll *e, const struct fed_link_message *message)
{
    int len = message->payload.len > 300 ? 300 : (int)message->payload.len;
    const char *text = len > 0 ? (const char *)message->payload.at : "no reason given";
    enum fed_err err = message->code == FED_LINK_CONFLICT ? FED_ERR_EXISTS : FED_ERR_FORBIDDEN;

    len = len > 0 ? len : (int)strlen(text);
    if (err == FED_ERR_EXISTS)
        fed_diag_set(&e->last, err, "the name \"%s\" is taken by a cluster with another key: %.*s",
            e->options.cluster, len, text);
    else
        fed_diag_set(&e->last, err, "the hub refused to let this cluster join: %.*s", len, text);
    finish(e, err, NULL);
}

static void pending(struct agent_enroll *e, uint32_t retry_after_s)
{
    if (!e->said_pending)
        e->events.pending(e->events.ctx);
    e->said_pending = true;
    if (retry_after_s < PENDING_MIN_S)
        retry_after_s = PENDING_MIN_S;
    if (retry_after_s > PENDING_MAX_S)
        retry_after_s = PENDING_MAX_S;
    agent_timer_at(&e->ports, e->timer, fed_loop_now_ms(e->ports.loop) + retry_after_s * 1000u);
}

static void take_answer(struct agent_enroll *e, struct fed_span payload)
{
    struct fed_join_answer *answer = fed_alloc_zero(e->ports.mem, sizeof *answer);
    struct fed_buf trusted;
    enum fed_err err = answer ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&trusted, e->ports.mem, sizeof answer->ca - 1);
    if (!err)
        err = fed_join_answer_parse(payload, answer, &e->last);
    if (!err && !answer->approved) {
        pending(e, answer->retry_after_s);
        goto done;
    }
    if (!err)
        err =
            agent_enroll_check(e->ports.mem, e->ports.crypto, e->options.token, e->options.cluster,
                e->options.key_pem, fed_loop_unix_s(e->ports.loop), answer, &trusted, &e->last);
    if (err)
        finish(e, err, NULL);
    else
        succeed(e, answer, &trusted);
done:
    fed_buf_fini(&trusted);
    fed_alloc_free(e->ports.mem, answer, sizeof *answer);
}

static void on_answer(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct agent_enroll *e = ctx;

    if (e->finished || err == FED_ERR_CLOSED)
        return; /* closed: down says so */
    if (err) {
        fed_diag_set(&e->last, err, "%s: %s", address_of(e),
            diag && diag->text[0] ? diag->text : fed_err_text(err));
        e->link->disconnect(e->link->ctx);
        e->up = false;
        try_again(e, 0);
    } else if (message->code / 100 == 2) {
        take_answer(e, message->payload);
    } else if (message->code == FED_LINK_UNAVAILABLE || message->code == FED_LINK_INTERNAL) {
        fed_diag_set(&e->last, FED_ERR_BUSY, "%s: the hub asks to come back later", address_of(e));
        agent_timer_at(&e->ports, e->timer,
            fed_loop_now_ms(e->ports.loop) + ((uint64_t)message->max_age_s + 1) * 1000);
    } else {
        refused(e, message);
    }
}

static void send_request(struct agent_enroll *e)
{
    enum fed_err err = e->link->request(e->link->ctx, FED_LINK_POST, FED_LINK_PATH_JOIN, NULL,
        fed_buf_span(&e->request), REQUEST_TIMEOUT_MS, on_answer, e);

    if (!err)
        return;
    fed_diag_set(&e->last, err, "%s: %s", address_of(e), fed_err_text(err));
    e->link->disconnect(e->link->ctx);
    e->up = false;
    try_again(e, 0);
}

static void on_timer(void *ctx)
{
    struct agent_enroll *e = ctx;

    if (e->up)
        send_request(e);
    else
        connect_next(e);
}

static void on_up(void *ctx)
{
    struct agent_enroll *e = ((struct agent_enroll_slot *)ctx)->enroll;

    if (e && !e->finished)
        send_request(e);
}

static void on_down(void *ctx, enum fed_err err, const struct fed_diag *diag)
{
    struct agent_enroll *e = ((struct agent_enroll_slot *)ctx)->enroll;

    if (!e || e->finished)
        return;
    e->up = false;
    if (e->coap &&
        (err == FED_ERR_TLS || err == FED_ERR_UNAUTHENTICATED || err == FED_ERR_FORBIDDEN)) {
        token_refused(e, address_of(e));
        return;
    }
    if (!e->coap && err == FED_ERR_UNAUTHENTICATED) {
        fed_diag_set(&e->last, err,
            "%s: the hub's CA is not the one of the token: this is another hub, or somebody in "
            "between (%s)",
            address_of(e), diag ? diag->text : "");
        finish(e, err, NULL);
        return;
    }
    fed_diag_set(&e->last, err, "%s: %s", address_of(e),
        diag && diag->text[0] ? diag->text : fed_err_text(err));
    try_again(e, 0);
}

static void on_notification(void *ctx, const struct fed_link_message *message)
{
    (void)ctx;
    (void)message;
}

struct fed_link_events agent_enroll_link_events(struct agent_enroll_slot *slot)
{
    return (struct fed_link_events){
        .ctx = slot, .up = on_up, .down = on_down, .notification = on_notification};
}

/* ---- life ---- */

static enum fed_err put_proof(struct agent_enroll *e, struct fed_join_request *request)
{
    const struct fed_token *token = e->options.token;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, e->ports.mem, 1024);
    fed_buf_put_text(&text, PROOF_PREFIX);
    fed_buf_put_u8(&text, 0);
    fed_buf_put_text(&text, e->options.cluster);
    fed_buf_put_u8(&text, 0);
    fed_buf_put(&text, fed_span_of(request->public_key, request->public_key_len));
    err = fed_buf_err(&text);
    if (!err)
        err = e->ports.crypto->hmac_sha256(e->ports.crypto->ctx,
            fed_span_of(token->secret, sizeof token->secret), fed_buf_span(&text), request->proof);
    fed_buf_fini(&text);
    return err;
}

static enum fed_err fill_request(
    struct agent_enroll *e, struct fed_join_request *request, struct fed_diag *diag)
{
    struct fed_buf spki;
    enum fed_err err;

    fed_buf_init(&spki, e->ports.mem, sizeof request->public_key);
    err = e->ports.crypto->key_public(e->ports.crypto->ctx, e->options.key_pem, &spki, diag);
    if (!err)
        err = fed_buf_err(&spki);
    if (!err) {
        memcpy(request->public_key, spki.at, spki.len);
        request->public_key_len = spki.len;
        err = put_proof(e, request);
    }
    fed_buf_fini(&spki);
    if (err)
        return err;
    snprintf(request->token_id, sizeof request->token_id, "%s", e->options.token->id);
    snprintf(request->name, sizeof request->name, "%s", e->options.cluster);
    for (size_t i = 0; i < e->options.n_labels && i < FED_JOIN_LABELS_MAX; i++)
        request->labels[request->n_labels++] = e->options.labels[i];
    return fed_join_request_put(&e->request, request);
}

static enum fed_err prepare(struct agent_enroll *e, struct fed_diag *diag)
{
    struct fed_loop *loop = e->ports.loop;
    struct fed_join_request *request = fed_alloc_zero(e->ports.mem, sizeof *request);
    enum fed_err err = request ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fill_request(e, request, diag);
    fed_alloc_free(e->ports.mem, request, sizeof *request);
    if (!err)
        err = loop->timer_new(loop->ctx, on_timer, e, &e->timer);
    if (!err)
        err = loop->timer_new(loop->ctx, on_deadline, e, &e->deadline);
    return err;
}

enum fed_err agent_enroll_new(const struct agent_ports *ports,
    const struct agent_enroll_options *options, const struct agent_enroll_events *events,
    struct agent_enroll **out, struct fed_diag *diag)
{
    struct agent_enroll *e = fed_alloc_zero(ports->mem, sizeof *e);
    enum fed_err err;

    if (!e)
        return FED_ERR_NOMEM;
    e->ports = *ports;
    e->options = *options;
    e->events = *events;
    fed_buf_init(&e->request, ports->mem, FED_JOIN_MESSAGE_MAX);
    err = prepare(e, diag);
    if (err) {
        agent_enroll_free(e);
        return err;
    }
    *out = e;
    return FED_OK;
}

void agent_enroll_start(struct agent_enroll *e)
{
    agent_timer_at(&e->ports, e->deadline, fed_loop_now_ms(e->ports.loop) + e->options.timeout_ms);
    connect_next(e);
}

void agent_enroll_free(struct agent_enroll *e)
{
    if (!e)
        return;
    fed_buf_fini(&e->request);
    e->ports.loop->timer_free(e->ports.loop->ctx, e->timer);
    e->ports.loop->timer_free(e->ports.loop->ctx, e->deadline);
    fed_alloc_free(e->ports.mem, e, sizeof *e);
}
