/* certificate.c - a new certificate for the agent that asks with the one it has (resource c).
 *
 * It is the one thing that a certificate which has ended may still do: its key is the recorded one,
 * and the cluster is registered. So may one that does not begin yet: it was issued while the hub's
 * clock was ahead, and its agent has no other. When many ask at once, as after a new CA was
 * announced, most are told to come back, each after another time. Only what is signed counts for
 * that, which a cluster has once in a while: whoever asks in a circle takes nothing from the
 * others. */
#include "hub/gateway/internal.h"

/* One more is to be signed. */
static bool too_many(struct hub_gateway *gateway)
{
    uint64_t now_ms = fed_loop_now_ms(gateway->loop);

    if (now_ms - gateway->certificates_since_ms >= 1000) {
        gateway->certificates_since_ms = now_ms;
        gateway->certificates = 0;
    }
    return ++gateway->certificates > GATEWAY_CERTIFICATES_PER_S;
}

static enum fed_err renew(const struct gateway_session *session, bool issue,
    struct fed_join_answer *given, struct fed_diag *diag)
{
    return hub_identity_renew(session->binding->gateway->identity, fed_span_text(session->name),
        session->ends_unix_s, issue, given, diag);
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
    given = fed_alloc_zero(gateway->mem, sizeof *given);
    err = given ? renew(session, false, given, diag) : FED_ERR_NOMEM;
    if (err == FED_ERR_NOT_FOUND && too_many(gateway)) {
        *later_s = GATEWAY_RETRY_CERTIFICATE_S +
                   (gateway->certificates / GATEWAY_CERTIFICATES_PER_S) % GATEWAY_RETRY_SPREAD_S;
        err = fed_diag_set(diag, FED_ERR_BUSY, "many ask at once: come back later");
    } else if (err == FED_ERR_NOT_FOUND) {
        err = renew(session, true, given, diag);
    }
    if (!err)
        err = fed_join_answer_put(body, given);
    fed_alloc_free(gateway->mem, given, sizeof *given);
    return err;
}

bool gateway_certificate_counts(const struct gateway_session *session)
{
    int64_t now = fed_loop_unix_s(session->binding->gateway->loop);

    return session->begins_unix_s <= now && now < session->ends_unix_s;
}

const char *gateway_certificate_why(const struct gateway_session *session)
{
    return session->begins_unix_s > fed_loop_unix_s(session->binding->gateway->loop)
               ? "the certificate does not begin yet: all that it is good for is another one"
               : "the certificate has ended: all that it is good for is a new one";
}
