/* enrol.c - an agent joins with the swarm's token (docs/protocol.md, section 4), and checks what it
 * is given as fedlet does. */
#include "tests/swarm/swarm.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 20000u
#define REQUEST_TIMEOUT_MS 60000u
#define RETRY_FLOOR_MS 1000u
#define RETRY_CEILING_MS 10000u
#define PROOF_PREFIX "fedlet join 1"

static void try_at(struct swarm_agent *agent, uint64_t due_ms)
{
    agent->swarm->loop->timer_set(agent->swarm->loop->ctx, agent->timer, due_ms);
}

static void try_again(struct swarm_agent *agent, uint32_t asked_s)
{
    struct swarm *swarm = agent->swarm;

    agent->link.port->disconnect(agent->link.port->ctx);
    try_at(agent, agent_retry_failed(&agent->retry, swarm_now_ms(swarm), RETRY_FLOOR_MS,
                      RETRY_CEILING_MS, swarm_spread(swarm), asked_s * 1000u));
}

static void give_up(struct swarm_agent *agent, const char *why)
{
    fed_log(agent->swarm->log, FED_LOG_ERROR, "%s cannot join: %s", agent->name, why);
    agent->link.port->disconnect(agent->link.port->ctx);
    swarm_fleet_failed(agent->swarm);
}

/* ---- the answer ---- */

static enum fed_err check_ca(struct swarm *swarm, struct fed_span ca_pem, struct fed_diag *diag)
{
    struct fed_crypto_cert_info ca;
    enum fed_err err = swarm->crypto.cert_info(swarm->crypto.ctx, ca_pem, &ca, diag);

    if (!err && (!ca.is_ca || !fed_digest_eq(&ca.public_key, &swarm->token.pin)))
        err = fed_diag_set(diag, FED_ERR_FORBIDDEN, "the CA is not the token's");
    return err;
}

static enum fed_err check(
    struct swarm_agent *agent, const struct fed_join_answer *answer, struct fed_diag *diag)
{
    struct fed_crypto *crypto = &agent->swarm->crypto;
    struct fed_span cert = fed_span_text(answer->certificate);
    struct fed_crypto_cert_info info;
    enum fed_err err = check_ca(agent->swarm, fed_span_text(answer->ca), diag);

    if (!err)
        err =
            crypto->cert_check(crypto->ctx, cert, fed_span_text(answer->ca), agent->key_pem, diag);
    if (!err)
        err = crypto->cert_info(crypto->ctx, cert, &info, diag);
    if (!err &&
        (strcmp(info.common_name, agent->name) != 0 || strcmp(answer->cluster, agent->name) != 0))
        err = fed_diag_set(diag, FED_ERR_INVALID, "the certificate is for %s", info.common_name);
    return err;
}

static enum fed_err store(struct swarm_agent *agent, const struct fed_join_answer *answer)
{
    struct swarm *swarm = agent->swarm;

    if (!swarm->ca_pem.at)
        swarm->ca_pem = swarm_keep(swarm, fed_span_text(answer->ca));
    agent->cert_pem = swarm_keep(swarm, fed_span_text(answer->certificate));
    return swarm->ca_pem.at && agent->cert_pem.at ? FED_OK : FED_ERR_NOMEM;
}

static void approved(struct swarm_agent *agent, const struct fed_join_answer *answer)
{
    struct fed_diag diag = {""};
    enum fed_err err = check(agent, answer, &diag);

    if (!err)
        err = store(agent, answer);
    if (err) {
        give_up(agent, diag.text[0] ? diag.text : fed_err_text(err));
        return;
    }
    agent->link.port->disconnect(agent->link.port->ctx);
    agent_retry_reset(&agent->retry);
    agent->enrolling = false;
    agent->swarm->n_enrolled++;
    swarm_fleet_started(agent);
}

static void take_answer(struct swarm_agent *agent, struct fed_span payload)
{
    struct fed_join_answer *answer = fed_alloc_zero(agent->swarm->mem, sizeof *answer);
    struct fed_diag diag = {""};
    enum fed_err err = answer ? fed_join_answer_parse(payload, answer, &diag) : FED_ERR_NOMEM;

    if (err)
        give_up(agent, diag.text[0] ? diag.text : fed_err_text(err));
    else if (answer->approved)
        approved(agent, answer);
    else
        try_again(agent, answer->retry_after_s);
    fed_alloc_free(agent->swarm->mem, answer, sizeof *answer);
}

static void on_answer(void *ctx, enum fed_err err, const struct fed_link_message *message,
    const struct fed_diag *diag)
{
    struct swarm_agent *agent = ctx;
    char text[300];

    if (!agent->enrolling || err == FED_ERR_CLOSED)
        return;
    if (err) {
        swarm_trouble(agent->swarm, "%s: joining: %s", agent->name,
            diag && diag->text[0] ? diag->text : fed_err_text(err));
        try_again(agent, 0);
    } else if (message->code / 100 == 2) {
        take_answer(agent, message->payload);
    } else if (message->code == FED_LINK_UNAVAILABLE || message->code == FED_LINK_INTERNAL) {
        agent->swarm->counts.later++;
        try_again(agent, message->max_age_s);
    } else {
        snprintf(text, sizeof text, "%u.%02u " FED_SPAN_FMT, message->code / 100,
            message->code % 100, FED_SPAN_ARG(fed_span_sub(message->payload, 0, 250)));
        give_up(agent, text);
    }
}

/* ---- the request ---- */

static enum fed_err put_proof(struct swarm_agent *agent, struct fed_join_request *request)
{
    struct swarm *swarm = agent->swarm;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, swarm->mem, 1024);
    fed_buf_put_text(&text, PROOF_PREFIX);
    fed_buf_put_u8(&text, 0);
    fed_buf_put_text(&text, agent->name);
    fed_buf_put_u8(&text, 0);
    fed_buf_put(&text, fed_span_of(request->public_key, request->public_key_len));
    err = fed_buf_err(&text);
    if (!err)
        err = swarm->crypto.hmac_sha256(swarm->crypto.ctx,
            fed_span_of(swarm->token.secret, sizeof swarm->token.secret), fed_buf_span(&text),
            request->proof);
    fed_buf_fini(&text);
    return err;
}

static enum fed_err fill(
    struct swarm_agent *agent, struct fed_join_request *request, struct fed_diag *diag)
{
    struct swarm *swarm = agent->swarm;
    struct fed_buf spki;
    enum fed_err err;

    fed_buf_init(&spki, swarm->mem, sizeof request->public_key);
    err = swarm->crypto.key_public(swarm->crypto.ctx, agent->key_pem, &spki, diag);
    if (!err)
        err = fed_buf_err(&spki);
    if (!err) {
        memcpy(request->public_key, spki.at, spki.len);
        request->public_key_len = spki.len;
        snprintf(request->token_id, sizeof request->token_id, "%s", swarm->token.id);
        snprintf(request->name, sizeof request->name, "%s", agent->name);
        err = put_proof(agent, request);
    }
    fed_buf_fini(&spki);
    return err;
}

void swarm_enrol_up(struct swarm_agent *agent)
{
    struct swarm *swarm = agent->swarm;
    struct fed_join_request *request = fed_alloc_zero(swarm->mem, sizeof *request);
    struct fed_diag diag = {""};
    struct fed_buf body;
    enum fed_err err = request ? fill(agent, request, &diag) : FED_ERR_NOMEM;

    fed_buf_init(&body, swarm->mem, FED_JOIN_MESSAGE_MAX);
    if (!err)
        err = fed_join_request_put(&body, request);
    if (!err)
        err = agent->link.port->request(agent->link.port->ctx, FED_LINK_POST, FED_LINK_PATH_JOIN,
            NULL, fed_buf_span(&body), REQUEST_TIMEOUT_MS, on_answer, agent);
    fed_buf_fini(&body);
    fed_alloc_free(swarm->mem, request, sizeof *request);
    if (err)
        give_up(agent, diag.text[0] ? diag.text : fed_err_text(err));
}

void swarm_enrol_down(struct swarm_agent *agent, const struct fed_diag *diag)
{
    swarm_trouble(agent->swarm, "%s: joining: %s", agent->name, diag->text);
    try_again(agent, 0);
}

void swarm_enrol_start(struct swarm_agent *agent)
{
    struct swarm *swarm = agent->swarm;
    struct fed_link_client_identity identity = {0};
    struct fed_diag diag = {""};

    if (swarm->hub.coap) {
        identity.psk_identity = swarm->token.id;
        identity.psk_key = fed_span_of(swarm->token.secret, sizeof swarm->token.secret);
    } else {
        identity.ca_pin = &swarm->token.pin;
    }
    agent->enrolling = true;
    if (agent->link.port->connect(agent->link.port->ctx, swarm->hub.host, swarm->hub.port,
            &identity, CONNECT_TIMEOUT_MS, &diag))
        swarm_enrol_down(agent, &diag);
}
