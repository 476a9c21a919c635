/* authenticate.c - who asks: a client certificate, a ServiceAccount's token, or nobody. */
#include "hub/api/guest.h"
#include "proto/base/text.h"

#include <strings.h>

#define CREDENTIAL_ID FED_SPAN_LIT("authentication.kubernetes.io/credential-id")

static enum fed_err unauthorized(struct hub_request *r)
{
    hub_fail(r, 401, "Unauthorized", "Unauthorized");
    return FED_ERR_UNAUTHENTICATED;
}

static enum fed_err anonymous(struct hub_request *r)
{
    enum fed_err err = hub_user_set_name(&r->user, FED_SPAN_LIT(HUB_USER_ANONYMOUS));

    r->user.anonymous = true;
    return err ? err : hub_user_add_group(&r->user, FED_SPAN_LIT(HUB_GROUP_UNAUTHENTICATED));
}

static enum fed_err of_certificate(struct hub_user *user, const struct fed_crypto_cert_info *peer)
{
    struct fed_buf credential;
    enum fed_err err = hub_user_set_name(user, fed_span_text(peer->common_name));

    for (size_t i = 0; !err && i < peer->n_organizations; i++)
        err = hub_user_add_group(user, fed_span_text(peer->organizations[i]));
    if (!err)
        err = hub_user_add_group(user, FED_SPAN_LIT(HUB_GROUP_AUTHENTICATED));
    fed_buf_init(&credential, fed_alloc_system(), 96);
    fed_buf_put_text(&credential, "X509SHA256=");
    fed_text_put_hex(
        &credential, fed_span_of(peer->fingerprint.bytes, sizeof peer->fingerprint.bytes));
    if (!err)
        err = fed_buf_err(&credential);
    if (!err)
        err = hub_user_add_extra(user, CREDENTIAL_ID, fed_buf_span(&credential));
    fed_buf_fini(&credential);
    return err;
}

/* The token behind "Bearer ", in any case; empty when it is something else. */
static struct fed_span bearer(struct fed_span header)
{
    struct fed_span token;

    if (header.len < 7 || strncasecmp((const char *)header.at, "bearer ", 7) != 0)
        return (struct fed_span){0};
    token = fed_span_sub(header, 7, header.len);
    while (token.len > 0 && token.at[0] == ' ')
        token = fed_span_sub(token, 1, token.len);
    return fed_span_sub(token, 0, fed_span_find(token, ' '));
}

static enum fed_err of_token(struct hub_request *r, struct fed_span token)
{
    struct hub_token_holder *holder = fed_alloc_zero(r->mem, sizeof *holder);
    struct fed_diag diag = {{0}};
    enum fed_err err;

    if (!holder)
        return FED_ERR_NOMEM;
    if (!r->api->options.tokens)
        return unauthorized(r);
    err = hub_tokens_verify(r->api->options.tokens, token, NULL, 0, holder, &diag);
    if (!err)
        r->user = holder->user;
    if (err == FED_ERR_UNAUTHENTICATED) {
        fed_log(r->api->options.log, FED_LOG_DEBUG,
            "api: a bearer token from " FED_SPAN_FMT " does not count: %s",
            FED_SPAN_ARG(r->http->peer_address), diag.text);
        return unauthorized(r);
    }
    return err;
}

/* What a browser adds by itself may not write for other sites. */
static enum fed_err check_browser(struct hub_request *r)
{
    return hub_request_is_read(r->http) || r->user.anonymous ? FED_OK : hub_check_same_site(r);
}

/* Who signed in is meant before the certificate that the browser has as well. FED_ERR_NOT_FOUND:
 * there is no session. */
static enum fed_err of_session(struct hub_request *r)
{
    const struct hub_api_guest *guest = r->api->guest;
    enum fed_err err = guest ? guest->session(guest->ctx, r) : FED_ERR_NOT_FOUND;

    return err ? err : check_browser(r);
}

enum fed_err hub_authenticate(struct hub_request *r)
{
    const struct fed_crypto_cert_info *peer = r->http->peer;
    struct fed_span header = hub_request_header(r, "authorization");
    struct fed_span token;
    enum fed_err err;

    hub_user_init(&r->user);
    err = header.len == 0 ? of_session(r) : FED_ERR_NOT_FOUND;
    if (err != FED_ERR_NOT_FOUND)
        return err;
    if (peer && peer->common_name[0]) {
        err = of_certificate(&r->user, peer);
        if (!err)
            err = check_browser(r);
    } else {
        token = bearer(header);
        err = token.len > 0 ? of_token(r, token) : anonymous(r);
        if (err && !r->user.name[0] && anonymous(r))
            return err; /* for the record only */
    }
    if (!err && r->user.anonymous && header.len > 0)
        return unauthorized(r); /* credentials of a kind that nothing here reads */
    return err;
}
