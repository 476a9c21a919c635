/* token_secret.c - Secrets of type kubernetes.io/service-account-token: once stored they get the
 * token, the hub's CA and the namespace, and they go with their ServiceAccount.
 *
 * kube-controller-manager's job elsewhere. It is done after the write and not within it, so that
 * the right to create Secrets without the right to read them does not give tokens away. Such a
 * token has no end: it counts as long as the Secret that holds it and its ServiceAccount. */
#include "hub/api/internal.h"

#include "proto/base/text.h"

#include <stdio.h>

#define SECRETS FED_SPAN_LIT("secrets")
#define ACCOUNTS FED_SPAN_LIT("serviceaccounts")
#define REMOVED_AT_ONCE 64u

struct hub_token_secrets {
    struct hub_api *api;
    struct hub_subscription *secrets;
    struct hub_subscription *accounts;
};

static struct fed_span annotation(const struct fed_json *secret, const char *key)
{
    return fed_json_string(fed_json_get(fed_json_find(secret, "metadata.annotations"), key));
}

static bool is_token_secret(const struct fed_json *secret)
{
    return fed_span_is(fed_json_string(fed_json_get(secret, "type")), HUB_TOKEN_SECRET_TYPE);
}

/* ---- admission ---- */
static enum fed_err admit(void *ctx, struct hub_admission *a, struct fed_diag *diag)
{
    struct hub_api *api = ctx;
    const struct hub_kind_hooks *before = &api->secret_hooks;
    enum fed_err err = before->admit ? before->admit(before->ctx, a, diag) : FED_OK;

    if (err || a->operation == HUB_DELETE || !is_token_secret(a->object) ||
        annotation(a->object, HUB_TOKEN_SECRET_ACCOUNT).len > 0)
        return err;
    snprintf(a->field, sizeof a->field, "metadata.annotations[" HUB_TOKEN_SECRET_ACCOUNT "]");
    return fed_diag_set(diag, FED_ERR_INVALID, "Required value");
}

/* ---- filling ---- */
static enum fed_err put_data(
    struct fed_json_doc *doc, struct fed_json *secret, const char *key, struct fed_span value)
{
    struct fed_json *data = fed_json_ensure_object(doc, secret, "data");
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, fed_alloc_system(), 256u << 10);
    fed_text_put_base64(&text, value);
    err = data ? fed_buf_err(&text) : FED_ERR_NOMEM;
    if (!err)
        err = fed_json_set_string(doc, data, key, fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

static enum fed_err fill(struct hub_api *api, struct fed_json_doc *doc, struct fed_json *secret,
    const struct hub_token_request *request)
{
    struct fed_json *annotations =
        fed_json_ensure_object(doc, fed_json_get(secret, "metadata"), "annotations");
    struct fed_buf token;
    enum fed_err err;

    fed_buf_init(&token, api->mem, HUB_TOKEN_SIZE_MAX);
    err = annotations ? hub_tokens_issue(api->options.tokens, request, &token) : FED_ERR_NOMEM;
    if (!err)
        err = put_data(doc, secret, "token", fed_buf_span(&token));
    if (!err)
        err = put_data(doc, secret, "namespace", request->ns);
    if (!err && api->options.ca_pem.len > 0)
        err = put_data(doc, secret, "ca.crt", api->options.ca_pem);
    if (!err)
        err = fed_json_set_string(doc, annotations, HUB_TOKEN_SECRET_UID, request->uid);
    fed_buf_fini(&token);
    return err;
}

static enum fed_err store(struct hub_api *api, const struct hub_object_ref *ref,
    struct fed_json *secret, uint64_t revision, bool remove)
{
    struct hub_object_write write = {.ref = *ref, .expected = revision, .remove = remove};
    struct fed_buf bytes;
    enum fed_err err;

    fed_buf_init(&bytes, api->mem, HUB_OBJECT_BYTES_MAX);
    err = hub_object_bytes(secret, &bytes);
    write.bytes = fed_buf_span(&bytes);
    if (!err)
        err = hub_objects_commit(api->objects, &write, 1, NULL, 0, NULL, NULL);
    fed_buf_fini(&bytes);
    return err == FED_ERR_CONFLICT ? FED_OK : err; /* that change comes here as well */
}

/* The uid of the Secret's ServiceAccount; empty when there is none of that name and uid. */
static enum fed_err account_uid(struct hub_api *api, struct fed_json_doc *doc,
    const struct hub_object_ref *ref, const struct fed_json *secret, struct fed_span *uid)
{
    struct hub_object_ref account = {
        ACCOUNTS, ref->ns, annotation(secret, HUB_TOKEN_SECRET_ACCOUNT)};
    struct fed_span asked = annotation(secret, HUB_TOKEN_SECRET_UID);
    struct fed_json *object;
    uint64_t revision;
    enum fed_err err = hub_object_load(api, doc, &account, &object, &revision);

    *uid = (struct fed_span){0};
    if (err)
        return err == FED_ERR_NOT_FOUND || err == FED_ERR_INVALID ? FED_OK : err;
    if (asked.len == 0 || fed_span_eq(asked, hub_meta(object, "uid")))
        *uid = hub_meta(object, "uid");
    return FED_OK;
}

static enum fed_err settle(
    struct hub_api *api, struct fed_json_doc *doc, const struct hub_object_ref *ref)
{
    struct hub_token_request request = {.ns = ref->ns,
        .audiences = {FED_SPAN_LIT(HUB_TOKEN_ISSUER)},
        .n_audiences = 1,
        .bound_kind = "secret",
        .bound_name = ref->name};
    struct fed_json *secret;
    uint64_t revision;
    enum fed_err err = hub_object_load(api, doc, ref, &secret, &revision);

    if (err || !is_token_secret(secret) || hub_meta(secret, "deletionTimestamp").len > 0)
        return err == FED_ERR_NOT_FOUND ? FED_OK : err;
    err = account_uid(api, doc, ref, secret, &request.uid);
    if (err)
        return err;
    if (request.uid.len == 0)
        return hub_object_has_finalizers(secret) ? FED_OK : store(api, ref, secret, revision, true);
    if (fed_json_find(secret, "data.token"))
        return FED_OK;
    request.name = annotation(secret, HUB_TOKEN_SECRET_ACCOUNT);
    request.bound_uid = hub_meta(secret, "uid");
    err = fill(api, doc, secret, &request);
    return err ? err : store(api, ref, secret, revision, false);
}

static void settle_one(struct hub_api *api, const struct hub_object_ref *ref)
{
    struct fed_json_doc *doc;
    enum fed_err err = fed_json_doc_new(api->mem, &doc);

    if (!err) {
        err = settle(api, doc, ref);
        fed_json_doc_free(doc);
    }
    if (err)
        fed_log(api->options.log, FED_LOG_ERROR,
            "access: Secret " FED_SPAN_FMT "/" FED_SPAN_FMT
            " gets no token until it changes or the hub starts anew: %s",
            FED_SPAN_ARG(ref->ns), FED_SPAN_ARG(ref->name), fed_err_text(err));
}

/* ---- what brings us there ---- */
static bool names_type(struct fed_span bytes)
{
    struct fed_span type = FED_SPAN_LIT(HUB_TOKEN_SECRET_TYPE);

    for (size_t i = 0; i + type.len <= bytes.len; i++)
        if (bytes.at[i] == 'k' && fed_span_eq(fed_span_sub(bytes, i, type.len), type))
            return true;
    return false;
}

static void secret_changed(void *ctx, const struct hub_change *change)
{
    struct hub_token_secrets *ts = ctx;

    if ((change->type == HUB_CHANGE_ADDED || change->type == HUB_CHANGE_MODIFIED) &&
        names_type(change->bytes))
        settle_one(ts->api, &change->ref);
}

struct found {
    struct fed_arena *arena;
    struct hub_object_ref refs[REMOVED_AT_ONCE];
    size_t n;
};

static struct fed_span keep(struct fed_arena *arena, struct fed_span text)
{
    struct fed_buf copy;

    fed_buf_init(&copy, &arena->alloc, 1024);
    fed_buf_put(&copy, text);
    return fed_buf_span(&copy);
}

static bool find_one(void *ctx, const struct hub_object *object)
{
    struct found *found = ctx;

    if (names_type(object->bytes))
        found->refs[found->n++] = (struct hub_object_ref){
            SECRETS, keep(found->arena, object->ref.ns), keep(found->arena, object->ref.name)};
    return found->n < REMOVED_AT_ONCE;
}

/* Every token Secret of the namespace (empty: of all), some at a time. */
static enum fed_err settle_all(struct hub_api *api, struct fed_span ns)
{
    struct hub_object_ref last;
    struct hub_object_ref *after = NULL;
    struct fed_arena arena;
    struct found found = {.arena = &arena};
    enum fed_err err;

    fed_arena_init(&arena, api->mem, 64u << 20);
    do {
        found.n = 0;
        err = hub_objects_list(api->objects, SECRETS, ns, after, find_one, &found);
        for (size_t i = 0; !err && i < found.n; i++)
            settle_one(api, &found.refs[i]);
        if (found.n > 0) {
            last = found.refs[found.n - 1];
            after = &last;
        }
    } while (!err && found.n == REMOVED_AT_ONCE);
    fed_arena_fini(&arena);
    return err;
}

static void account_changed(void *ctx, const struct hub_change *change)
{
    struct hub_token_secrets *ts = ctx;

    if (change->type == HUB_CHANGE_DELETED && settle_all(ts->api, change->ref.ns))
        fed_log(ts->api->options.log, FED_LOG_WARN,
            "access: token Secrets of a deleted ServiceAccount in " FED_SPAN_FMT
            " stay until the hub starts anew; their tokens do not count any more",
            FED_SPAN_ARG(change->ref.ns));
}

enum fed_err hub_token_secrets_open(struct hub_api *api, struct hub_token_secrets **out)
{
    const struct hub_kind *kind =
        hub_kinds_find(api->kinds, (struct fed_span){0}, FED_SPAN_LIT("secrets"));
    struct hub_token_secrets *ts = fed_alloc_zero(api->mem, sizeof *ts);
    struct hub_kind_hooks hooks = {.ctx = api, .admit = admit};
    enum fed_err err;

    if (!ts)
        return FED_ERR_NOMEM;
    ts->api = api;
    if (kind)
        api->secret_hooks = kind->hooks;
    err = hub_kinds_hook(api->kinds, "", "secrets", &hooks);
    if (!err)
        err = hub_objects_subscribe(api->objects, SECRETS, secret_changed, ts, &ts->secrets);
    if (!err)
        err = hub_objects_subscribe(api->objects, ACCOUNTS, account_changed, ts, &ts->accounts);
    if (!err)
        err = settle_all(api, (struct fed_span){0});
    if (err) {
        hub_token_secrets_close(ts);
        return err;
    }
    *out = ts;
    return FED_OK;
}

void hub_token_secrets_close(struct hub_token_secrets *ts)
{
    if (!ts)
        return;
    if (ts->secrets)
        hub_objects_unsubscribe(ts->secrets);
    if (ts->accounts)
        hub_objects_unsubscribe(ts->accounts);
    fed_alloc_free(ts->api->mem, ts, sizeof *ts);
}
