/* token.h - ServiceAccount tokens: JSON Web Tokens that the hub signs and believes.
 *
 * ES256 (RFC 7515, 7518 section 3.4, 7519) with the one key of this hub; the header's kid is the
 * base64url SHA-256 of the SubjectPublicKeyInfo, as kube-apiserver makes it. Claims: iss, sub, aud,
 * exp, iat, nbf, jti, and "kubernetes.io" {namespace, serviceaccount {name, uid}, pod, secret or
 * node {name, uid} when bound}. A token counts while its signature, its times and its audience are
 * right, and its ServiceAccount and the object it is bound to are there with the uids it names and
 * are not being deleted. Only a token bound to a Secret of type kubernetes.io/service-account-token
 * that holds this very token may be without exp.
 *
 * Signatures that were verified are remembered by the token's digest (a few), nothing else is:
 * every other check is made for every request. Verifying costs some 1000 times as much as sending a
 * forged token, so that after HUB_TOKEN_WRONG_PER_S wrong signatures in a second tokens that are
 * not remembered wait for the next one. */
#ifndef FEDLET_HUB_ACCESS_TOKEN_H
#define FEDLET_HUB_ACCESS_TOKEN_H

#include "hub/access/user.h"
#include "hub/store/objects.h"
#include "ports/crypto.h"
#include "ports/loop.h"

#define HUB_TOKEN_ISSUER "https://kubernetes.default.svc.cluster.local" /* and API audience */
#define HUB_TOKEN_TTL_MIN_S 600
#define HUB_TOKEN_TTL_MAX_S 86400
#define HUB_TOKEN_AUDIENCES_MAX 16u
#define HUB_TOKEN_SIZE_MAX 8192u
#define HUB_TOKEN_WRONG_PER_S 100u
#define HUB_TOKEN_SECRET_TYPE "kubernetes.io/service-account-token"
#define HUB_TOKEN_SECRET_ACCOUNT "kubernetes.io/service-account.name"
#define HUB_TOKEN_SECRET_UID "kubernetes.io/service-account.uid"

struct hub_tokens;

/* key_pem: a P-256 key, copied. The rest outlives it. FED_ERR_INVALID, FED_ERR_NOMEM with diag. */
FED_MUST_USE enum fed_err hub_tokens_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_crypto *crypto, struct hub_objects *objects, struct fed_span key_pem,
    struct hub_tokens **out, struct fed_diag *diag);
void hub_tokens_close(struct hub_tokens *tokens); /* NULL is fine */

struct hub_token_request {
    struct fed_span ns;
    struct fed_span name;
    struct fed_span uid; /* of the ServiceAccount */
    struct fed_span audiences[HUB_TOKEN_AUDIENCES_MAX];
    size_t n_audiences;
    int64_t ttl_s;          /* 0: no end; only with a Secret */
    const char *bound_kind; /* "pod", "secret", "node"; NULL: not bound */
    struct fed_span bound_name;
    struct fed_span bound_uid;
};
/* Appends the token. FED_ERR_LIMIT when it would be longer than HUB_TOKEN_SIZE_MAX. */
FED_MUST_USE enum fed_err hub_tokens_issue(
    struct hub_tokens *tokens, const struct hub_token_request *request, struct fed_buf *out);

struct hub_token_holder {
    struct hub_user user;
    /* Those of the audiences asked for that the token has. */
    char audiences[HUB_TOKEN_AUDIENCES_MAX][256];
    size_t n_audiences;
};
/* Whose token it is. audiences: one of them must be the token's; none: the API's own.
 * FED_ERR_UNAUTHENTICATED with diag, for logs and TokenReviews; FED_ERR_BUSY: try in a second. */
FED_MUST_USE enum fed_err hub_tokens_verify(struct hub_tokens *tokens, struct fed_span token,
    const struct fed_span *audiences, size_t n_audiences, struct hub_token_holder *out,
    struct fed_diag *diag);

#endif
