/* certificate.c - a new certificate for the agent that asks with the one it has (resource c).
 *
 * It is the one thing that a certificate which has ended may still do: its key is the recorded one,
 * and the cluster is registered. When many ask at once, as after a new CA was announced, most are
 * told to come back, each after another time. */
#include "hub/gateway/internal.h"

static bool too_many(struct hub_gateway *gateway)
{
    uint64_t now_ms = fed_loop_now_ms(gateway->loop);

    if (now_ms - gateway->certificates_since_ms >= 1000) {
        gateway->certificates_since_ms = now_ms;
        gateway->certificates = 0;
    }
    return ++gateway->certificates > GATEWAY_CERTIFICATES_PER_S;
}

enum fed_err gateway_certificate(const struct gateway_session *session, struct fed_span payload,
    struct fed_buf *body, uint32_t *later_s, struct fed_diag *diag)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_join_answer *given;
    enum fed_err err;

    *later_s = 0;
    if (payload.len > 0)
        return fed_diag_set(
            diag, FED_ERR_INVALID, "a new certificate is asked for with nothing at all");
    if (too_many(gateway)) {
        *later_s = GATEWAY_RETRY_CERTIFICATE_S +
                   (gateway->certificates / GATEWAY_CERTIFICATES_PER_S) % GATEWAY_RETRY_SPREAD_S;
        return fed_diag_set(diag, FED_ERR_BUSY, "many ask at once: come back later");
    }
    given = fed_alloc_zero(gateway->mem, sizeof *given);
    err = given ? hub_identity_renew(gateway->identity, fed_span_text(session->name),
                      session->ends_unix_s, given, diag)
                : FED_ERR_NOMEM;
    if (!err)
        err = fed_join_answer_put(body, given);
    fed_alloc_free(gateway->mem, given, sizeof *given);
    return err;
}

bool gateway_certificate_ended(const struct gateway_session *session)
{
    return session->ends_unix_s <= fed_loop_unix_s(session->binding->gateway->loop);
}
