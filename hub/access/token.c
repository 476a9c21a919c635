/* token.c - see token.h. */
#include "hub/access/token.h"

#include "hub/access/uuid.h"
#include "proto/base/text.h"
#include "proto/object/json.h"

#include <stdio.h>
#include <string.h>

#define SIGNATURE_SIZE 64u
#define LEEWAY_S 60 /* clocks of one machine may step back */
#define SEEN_SLOTS 256u
#define CHECK_MEMORY (8u << 20) /* trees of one check: claims, ServiceAccount, bound object */

struct hub_tokens {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_crypto *crypto;
    struct hub_objects *objects;
    struct fed_buf key_pem;
    struct fed_buf spki;
    char key_id[64];
    struct fed_digest seen[SEEN_SLOTS]; /* tokens whose signature was right; zeros: free */
    uint64_t wrong_since_ms;
    unsigned wrong; /* signatures since then */
};

static enum fed_err make_key_id(struct hub_tokens *tokens)
{
    struct fed_digest digest;
    struct fed_buf text;
    enum fed_err err = fed_digest_of(fed_buf_span(&tokens->spki), &digest);

    if (err)
        return err;
    fed_buf_init(&text, tokens->mem, sizeof tokens->key_id - 1);
    fed_text_put_base64url(&text, fed_span_of(digest.bytes, sizeof digest.bytes));
    err = fed_buf_err(&text);
    if (!err)
        err = fed_span_to_cstr(fed_buf_span(&text), tokens->key_id, sizeof tokens->key_id);
    fed_buf_fini(&text);
    return err;
}

enum fed_err hub_tokens_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_crypto *crypto, struct hub_objects *objects, struct fed_span key_pem,
    struct hub_tokens **out, struct fed_diag *diag)
{
    struct hub_tokens *tokens = fed_alloc_zero(mem, sizeof *tokens);
    enum fed_err err;

    if (!tokens)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for tokens");
    tokens->mem = mem;
    tokens->loop = loop;
    tokens->crypto = crypto;
    tokens->objects = objects;
    fed_buf_init(&tokens->key_pem, mem, 64u << 10);
    fed_buf_init(&tokens->spki, mem, 1024);
    fed_buf_put(&tokens->key_pem, key_pem);
    err = fed_buf_err(&tokens->key_pem);
    if (!err)
        err = crypto->key_public(crypto->ctx, key_pem, &tokens->spki, diag);
    if (!err)
        err = make_key_id(tokens);
    if (err) {
        hub_tokens_close(tokens);
        return fed_diag_prefix(diag, err, "key of ServiceAccount tokens");
    }
    *out = tokens;
    return FED_OK;
}

void hub_tokens_close(struct hub_tokens *tokens)
{
    volatile uint8_t *secret;

    if (!tokens)
        return;
    secret = tokens->key_pem.at;
    for (size_t i = 0; i < tokens->key_pem.cap; i++)
        secret[i] = 0;
    fed_buf_fini(&tokens->key_pem);
    fed_buf_fini(&tokens->spki);
    fed_alloc_free(tokens->mem, tokens, sizeof *tokens);
}

/* ---- issuing ---- */
static struct fed_json *put_ref(struct fed_json_doc *doc, struct fed_json *into, const char *key,
    struct fed_span name, struct fed_span uid)
{
    struct fed_json *ref = fed_json_ensure_object(doc, into, key);

    if (!ref || fed_json_set_string(doc, ref, "name", name) ||
        (uid.len > 0 && fed_json_set_string(doc, ref, "uid", uid)))
        return NULL;
    return ref;
}

static enum fed_err put_bound(
    struct fed_json_doc *doc, struct fed_json *claims, const struct hub_token_request *request)
{
    struct fed_json *ours = fed_json_ensure_object(doc, claims, "kubernetes.io");
    enum fed_err err =
        ours ? fed_json_set_string(doc, ours, "namespace", request->ns) : FED_ERR_NOMEM;

    if (!err && request->bound_kind &&
        !put_ref(doc, ours, request->bound_kind, request->bound_name, request->bound_uid))
        err = FED_ERR_NOMEM;
    if (!err && !put_ref(doc, ours, "serviceaccount", request->name, request->uid))
        err = FED_ERR_NOMEM;
    return err;
}

static enum fed_err put_times(
    struct hub_tokens *tokens, struct fed_json_doc *doc, struct fed_json *claims, int64_t ttl_s)
{
    int64_t now = fed_loop_unix_s(tokens->loop);
    enum fed_err err = FED_OK;

    if (ttl_s > 0)
        err = fed_json_set_int(doc, claims, "exp", now + ttl_s);
    if (!err)
        err = fed_json_set_int(doc, claims, "iat", now);
    return err ? err : fed_json_set_int(doc, claims, "nbf", now);
}

static enum fed_err make_claims(struct hub_tokens *tokens, struct fed_json_doc *doc,
    const struct hub_token_request *request, struct fed_json *claims)
{
    struct fed_json *audiences = fed_json_new_array(doc);
    struct hub_user user;
    char id[HUB_UUID_SIZE];
    enum fed_err err = fed_json_set(doc, claims, "aud", audiences);

    hub_user_init(&user);
    for (size_t i = 0; !err && i < request->n_audiences; i++)
        err = fed_json_append(audiences, fed_json_new_string(doc, request->audiences[i]));
    if (!err)
        err = put_times(tokens, doc, claims, request->ttl_s);
    if (!err)
        err = fed_json_set_text(doc, claims, "iss", HUB_TOKEN_ISSUER);
    if (!err)
        err = hub_uuid_new(tokens->crypto, id);
    if (!err)
        err = fed_json_set_text(doc, claims, "jti", id);
    if (!err)
        err = put_bound(doc, claims, request);
    if (!err)
        err = hub_user_of_service_account(&user, request->ns, request->name, request->uid);
    return err ? err : fed_json_set_text(doc, claims, "sub", user.name);
}

static enum fed_err sign(struct hub_tokens *tokens, struct fed_span payload, struct fed_buf *out)
{
    uint8_t signature[SIGNATURE_SIZE];
    struct fed_buf text;
    struct fed_buf header;
    enum fed_err err;

    fed_buf_init(&header, tokens->mem, 256);
    fed_buf_init(&text, tokens->mem, HUB_TOKEN_SIZE_MAX);
    fed_buf_printf(&header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", tokens->key_id);
    fed_text_put_base64url(&text, fed_buf_span(&header));
    fed_buf_put_text(&text, ".");
    fed_text_put_base64url(&text, payload);
    err = fed_buf_err(&header);
    if (!err)
        err = fed_buf_err(&text);
    if (!err)
        err = tokens->crypto->sign(
            tokens->crypto->ctx, fed_buf_span(&tokens->key_pem), fed_buf_span(&text), signature);
    if (!err) {
        fed_buf_put_text(&text, ".");
        fed_text_put_base64url(&text, fed_span_of(signature, sizeof signature));
        err = fed_buf_err(&text);
    }
    if (!err) {
        fed_buf_put(out, fed_buf_span(&text));
        err = fed_buf_err(out);
    }
    fed_buf_fini(&header);
    fed_buf_fini(&text);
    return err;
}

enum fed_err hub_tokens_issue(
    struct hub_tokens *tokens, const struct hub_token_request *request, struct fed_buf *out)
{
    struct fed_json_doc *doc;
    struct fed_json *claims;
    struct fed_buf payload;
    enum fed_err err = fed_json_doc_new(tokens->mem, &doc);

    if (err)
        return err;
    fed_buf_init(&payload, tokens->mem, HUB_TOKEN_SIZE_MAX);
    claims = fed_json_new_object(doc);
    err = claims ? make_claims(tokens, doc, request, claims) : FED_ERR_NOMEM;
    if (!err)
        err = fed_json_put(&payload, claims);
    if (!err)
        err = sign(tokens, fed_buf_span(&payload), out);
    fed_buf_fini(&payload);
    fed_json_doc_free(doc);
    return err;
}

/* ---- verifying ---- */
struct check {
    struct hub_tokens *tokens;
    struct fed_arena arena;
    struct fed_json_doc *doc;
    struct fed_diag *diag;
    struct fed_span text;    /* the whole token */
    struct fed_span message; /* what is signed */
    uint8_t signature[SIGNATURE_SIZE];
    struct fed_json *claims;
    struct fed_span ns;
    struct fed_span name;
    struct fed_span uid;
    bool endless;
};

static enum fed_err refuse(struct check *c, const char *why)
{
    return fed_diag_set(c->diag, FED_ERR_UNAUTHENTICATED, "%s", why);
}

static enum fed_err decode_part(struct check *c, struct fed_span text, struct fed_json **out)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, &c->arena.alloc, HUB_TOKEN_SIZE_MAX);
    err = fed_text_base64url(text, &bytes);
    if (!err)
        err = fed_json_parse(c->doc, fed_buf_span(&bytes), out, NULL);
    if (err == FED_ERR_NOMEM)
        return err;
    return err || !fed_json_is_object(*out) ? refuse(c, "the token is not a JSON Web Token")
                                            : FED_OK;
}

static enum fed_err decode_signature(struct check *c, struct fed_span text)
{
    struct fed_buf bytes;

    fed_buf_init(&bytes, &c->arena.alloc, HUB_TOKEN_SIZE_MAX);
    if (fed_text_base64url(text, &bytes) || bytes.len != SIGNATURE_SIZE)
        return refuse(c, "the token's signature is not one of ES256");
    memcpy(c->signature, bytes.at, SIGNATURE_SIZE);
    return FED_OK;
}

/* The algorithm is ours, whatever the header says: anything else is refused before it is read. */
static enum fed_err decode(struct check *c)
{
    struct fed_span rest = c->text;
    struct fed_span parts[3];
    struct fed_json *header = NULL;
    enum fed_err err;

    if (c->text.len > HUB_TOKEN_SIZE_MAX)
        return refuse(c, "the token is too long");
    for (size_t i = 0; i < 3; i++)
        if (!fed_span_split(&rest, '.', &parts[i]))
            return refuse(c, "the token is not a JSON Web Token");
    if (rest.len > 0 || parts[0].len + parts[1].len + parts[2].len + 2 != c->text.len)
        return refuse(c, "the token is not a JSON Web Token");
    c->message = fed_span_sub(c->text, 0, parts[0].len + 1 + parts[1].len);
    err = decode_part(c, parts[0], &header);
    if (err)
        return err;
    if (!fed_span_is(fed_json_string(fed_json_get(header, "alg")), "ES256") ||
        !fed_span_is(fed_json_string(fed_json_get(header, "kid")), c->tokens->key_id) ||
        fed_json_get(header, "crit"))
        return refuse(c, "the token is not signed by this hub");
    err = decode_part(c, parts[1], &c->claims);
    return err ? err : decode_signature(c, parts[2]);
}

static bool too_many_wrong(struct hub_tokens *tokens)
{
    uint64_t now_ms = fed_loop_now_ms(tokens->loop);

    if (now_ms - tokens->wrong_since_ms >= 1000) {
        tokens->wrong_since_ms = now_ms;
        tokens->wrong = 0;
    }
    return tokens->wrong >= HUB_TOKEN_WRONG_PER_S;
}

static enum fed_err check_signature(struct check *c)
{
    struct hub_tokens *tokens = c->tokens;
    struct fed_digest digest;
    struct fed_digest *slot;
    enum fed_err err = fed_digest_of(c->text, &digest);

    if (err)
        return err;
    slot = &tokens->seen[digest.bytes[0] % SEEN_SLOTS];
    if (fed_digest_eq(slot, &digest))
        return FED_OK;
    if (too_many_wrong(tokens))
        return fed_diag_set(c->diag, FED_ERR_BUSY, "too many wrong tokens, try again in a second");
    err = tokens->crypto->verify(
        tokens->crypto->ctx, fed_buf_span(&tokens->spki), c->message, c->signature);
    if (err == FED_ERR_NOMEM)
        return err;
    if (err) {
        tokens->wrong++;
        return refuse(c, "the token's signature is wrong");
    }
    *slot = digest;
    return FED_OK;
}

static enum fed_err check_times(struct check *c)
{
    int64_t now = fed_loop_unix_s(c->tokens->loop);
    const struct fed_json *exp = fed_json_get(c->claims, "exp");
    int64_t nbf = fed_json_int(fed_json_get(c->claims, "nbf"), INT64_MAX);

    c->endless = exp == NULL;
    if (!c->endless && fed_json_int(exp, 0) <= now)
        return refuse(c, "service account token has expired");
    if (nbf > now + LEEWAY_S)
        return refuse(c, "service account token is not valid yet");
    return FED_OK;
}

static bool token_has_audience(const struct check *c, struct fed_span audience)
{
    struct fed_json *list = fed_json_get(c->claims, "aud");
    struct fed_json_iter it;

    if (fed_json_is_string(list))
        return fed_span_eq(fed_json_string(list), audience);
    fed_json_iter_init(&it, fed_json_is_array(list) ? list : NULL);
    while (fed_json_iter_next(&it))
        if (fed_span_eq(fed_json_string(it.value), audience))
            return true;
    return false;
}

static enum fed_err check_audience(
    struct check *c, const struct fed_span *audiences, size_t n, struct hub_token_holder *out)
{
    static const struct fed_span api[] = {
        {(const uint8_t *)HUB_TOKEN_ISSUER, sizeof HUB_TOKEN_ISSUER - 1}};

    if (n == 0) {
        audiences = api;
        n = 1;
    }
    for (size_t i = 0; i < n && out->n_audiences < HUB_TOKEN_AUDIENCES_MAX; i++)
        if (token_has_audience(c, audiences[i]) &&
            !fed_span_to_cstr(
                audiences[i], out->audiences[out->n_audiences], sizeof out->audiences[0]))
            out->n_audiences++;
    return out->n_audiences > 0 ? FED_OK : refuse(c, "the token is for another audience");
}

/* The stored object, when it is there, of that uid, and not being deleted. */
static enum fed_err load_alive(
    struct check *c, const struct hub_object_ref *ref, struct fed_span uid, struct fed_json **out)
{
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, &c->arena.alloc, FED_STORE_VALUE_MAX);
    err = hub_objects_get(c->tokens->objects, ref, &bytes, NULL);
    if (!err)
        err = fed_json_parse(c->doc, fed_buf_span(&bytes), out, NULL);
    if (err)
        return err == FED_ERR_NOMEM ? err : FED_ERR_NOT_FOUND;
    if (uid.len == 0 || !fed_span_eq(fed_json_string(fed_json_find(*out, "metadata.uid")), uid) ||
        fed_json_find(*out, "metadata.deletionTimestamp"))
        return FED_ERR_NOT_FOUND;
    return FED_OK;
}

static enum fed_err check_account(struct check *c)
{
    const struct fed_json *ours = fed_json_get(c->claims, "kubernetes.io");
    const struct fed_json *account = fed_json_get(ours, "serviceaccount");
    struct hub_object_ref ref = {.resource = FED_SPAN_LIT("serviceaccounts")};
    struct fed_span sub_ns;
    struct fed_span sub_name;
    struct fed_json *object;
    enum fed_err err;

    c->ns = fed_json_string(fed_json_get(ours, "namespace"));
    c->name = fed_json_string(fed_json_get(account, "name"));
    c->uid = fed_json_string(fed_json_get(account, "uid"));
    if (!fed_span_is(fed_json_string(fed_json_get(c->claims, "iss")), HUB_TOKEN_ISSUER) ||
        !hub_user_service_account(
            fed_json_string(fed_json_get(c->claims, "sub")), &sub_ns, &sub_name) ||
        !fed_span_eq(sub_ns, c->ns) || !fed_span_eq(sub_name, c->name))
        return refuse(c, "the token's claims do not fit each other");
    ref.ns = c->ns;
    ref.name = c->name;
    err = load_alive(c, &ref, c->uid, &object);
    if (err == FED_ERR_NOT_FOUND)
        return fed_diag_set(c->diag, FED_ERR_UNAUTHENTICATED,
            "service account " FED_SPAN_FMT "/" FED_SPAN_FMT " has been deleted",
            FED_SPAN_ARG(c->ns), FED_SPAN_ARG(c->name));
    return err;
}

/* A token without an end is right as long as its Secret holds it. */
static bool secret_holds(struct check *c, const struct fed_json *secret)
{
    struct fed_buf held;

    if (!fed_span_is(fed_json_string(fed_json_get(secret, "type")), HUB_TOKEN_SECRET_TYPE))
        return false;
    fed_buf_init(&held, &c->arena.alloc, HUB_TOKEN_SIZE_MAX);
    return !fed_text_base64(fed_json_string(fed_json_find(secret, "data.token")), &held) &&
           fed_span_eq(fed_buf_span(&held), c->text);
}

static enum fed_err check_bound(struct check *c)
{
    static const struct {
        const char *claim;
        struct fed_span resource;
        bool namespaced;
    } kinds[] = {{"pod", {(const uint8_t *)"pods", 4}, true},
        {"secret", {(const uint8_t *)"secrets", 7}, true},
        {"node", {(const uint8_t *)"nodes", 5}, false}};
    const struct fed_json *ours = fed_json_get(c->claims, "kubernetes.io");
    bool held = !c->endless;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct fed_json *claim = fed_json_get(ours, kinds[i].claim);
        struct hub_object_ref ref = {.resource = kinds[i].resource,
            .ns = kinds[i].namespaced ? c->ns : (struct fed_span){0},
            .name = fed_json_string(fed_json_get(claim, "name"))};
        struct fed_json *object = NULL;
        enum fed_err err;

        if (!claim)
            continue;
        err = load_alive(c, &ref, fed_json_string(fed_json_get(claim, "uid")), &object);
        if (err)
            return err == FED_ERR_NOT_FOUND
                       ? refuse(c, "service account token has been invalidated")
                       : err;
        held = held || (i == 1 && secret_holds(c, object));
    }
    return held ? FED_OK : refuse(c, "Token does not match server's copy");
}

static enum fed_err fill_user(struct check *c, struct hub_user *user)
{
    struct fed_span id = fed_json_string(fed_json_get(c->claims, "jti"));
    char credential[96];
    enum fed_err err;

    hub_user_init(user);
    err = hub_user_of_service_account(user, c->ns, c->name, c->uid);
    if (err || id.len == 0)
        return err;
    snprintf(credential, sizeof credential, "JTI=" FED_SPAN_FMT, FED_SPAN_ARG(id));
    return hub_user_add_extra(user, FED_SPAN_LIT("authentication.kubernetes.io/credential-id"),
        fed_span_text(credential));
}

static enum fed_err verify(
    struct check *c, const struct fed_span *audiences, size_t n, struct hub_token_holder *out)
{
    enum fed_err err = decode(c);

    if (!err)
        err = check_signature(c);
    if (!err)
        err = check_times(c);
    if (!err)
        err = check_audience(c, audiences, n, out);
    if (!err)
        err = check_account(c);
    if (!err)
        err = check_bound(c);
    return err ? err : fill_user(c, &out->user);
}

enum fed_err hub_tokens_verify(struct hub_tokens *tokens, struct fed_span token,
    const struct fed_span *audiences, size_t n_audiences, struct hub_token_holder *out,
    struct fed_diag *diag)
{
    struct check c = {.tokens = tokens, .text = token, .diag = diag};
    enum fed_err err;

    out->n_audiences = 0;
    fed_arena_init(&c.arena, tokens->mem, CHECK_MEMORY);
    err = fed_json_doc_new(&c.arena.alloc, &c.doc);
    if (!err)
        err = verify(&c, audiences, n_audiences, out);
    fed_json_doc_free(c.doc);
    fed_arena_fini(&c.arena);
    return err;
}
