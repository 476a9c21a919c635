/* token.c - join tokens: what admission makes of one, its key, and how often it may be guessed.
 *
 * Row "t/" id: the secret, 20 bytes in lower-case hex. It is written in the commit that creates the
 * token and removed in the one that deletes it; deleting a token revokes it. */
#include "hub/identity/internal.h"

#include <stdio.h>
#include <string.h>

#define ROW_PREFIX "t/"

/* ---- guesses ---- */

bool identity_guard_blocked(struct identity_guard *guard, const char *id, uint64_t now_ms)
{
    for (size_t i = 0; i < IDENTITY_GUARD_SLOTS; i++)
        if (guard->slots[i].failures > 0 && strcmp(guard->slots[i].id, id) == 0)
            return now_ms - guard->slots[i].since_ms < IDENTITY_GUARD_WINDOW_MS &&
                   guard->slots[i].failures >= IDENTITY_GUARD_FAILURES;
    return false;
}

void identity_guard_failed(struct identity_guard *guard, const char *id, uint64_t now_ms)
{
    size_t slot = 0;

    for (size_t i = 0; i < IDENTITY_GUARD_SLOTS; i++) {
        if (guard->slots[i].failures > 0 && strcmp(guard->slots[i].id, id) == 0) {
            slot = i;
            break;
        }
        if (guard->slots[i].failures == 0 ||
            (guard->slots[slot].failures > 0 &&
                guard->slots[i].since_ms < guard->slots[slot].since_ms))
            slot = i;
    }
    if (guard->slots[slot].failures == 0 || strcmp(guard->slots[slot].id, id) != 0 ||
        now_ms - guard->slots[slot].since_ms >= IDENTITY_GUARD_WINDOW_MS) {
        snprintf(guard->slots[slot].id, sizeof guard->slots[slot].id, "%s", id);
        guard->slots[slot].since_ms = now_ms;
        guard->slots[slot].failures = 0;
    }
    guard->slots[slot].failures++;
}

/* ---- spec ---- */

static bool is_id(struct fed_span id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!((id.at[i] >= 'a' && id.at[i] <= 'z') || (id.at[i] >= '0' && id.at[i] <= '9')))
            return false;
    return id.len >= IDENTITY_TOKEN_ID_MIN && id.len <= FED_TOKEN_ID_MAX;
}

static void set_field(char *field, const char *path)
{
    if (field)
        snprintf(field, 256, "%s", path);
}

enum fed_err identity_token_read(
    const struct fed_json *object, struct identity_token *out, char *field, struct fed_diag *diag)
{
    const struct fed_json *spec = fed_json_get(object, "spec");
    struct fed_span ttl = fed_json_string(fed_json_get(spec, "ttl"));
    struct fed_span approve = fed_json_string(fed_json_get(spec, "approve"));

    *out = (struct identity_token){.cluster = fed_json_string(fed_json_get(spec, "clusterName"))};
    if (ttl.len == 0)
        ttl = FED_SPAN_LIT(IDENTITY_TOKEN_TTL);
    if (fed_text_duration_ms(ttl, &out->ttl_ms) || out->ttl_ms < 1000 ||
        out->ttl_ms > IDENTITY_TOKEN_TTL_MAX_MS) {
        set_field(field, "spec.ttl");
        return fed_diag_set(diag, FED_ERR_INVALID,
            "Invalid value: \"" FED_SPAN_FMT "\": must be a duration from 1s to 8760h, as in 24h",
            FED_SPAN_ARG(ttl));
    }
    out->uses = fed_json_int(fed_json_get(spec, "uses"), fed_json_get(spec, "uses") ? 0 : 1);
    if (out->uses < 1 || out->uses > IDENTITY_TOKEN_USES_MAX) {
        set_field(field, "spec.uses");
        return fed_diag_set(diag, FED_ERR_INVALID, "Invalid value: %lld: must be from 1 to %d",
            (long long)out->uses, IDENTITY_TOKEN_USES_MAX);
    }
    if (out->cluster.len > 0 && !fed_text_is_dns_subdomain(out->cluster)) {
        set_field(field, "spec.clusterName");
        return fed_diag_set(diag, FED_ERR_INVALID,
            "Invalid value: \"" FED_SPAN_FMT
            "\": a cluster's name is a lowercase RFC 1123 subdomain",
            FED_SPAN_ARG(out->cluster));
    }
    out->manual = fed_span_is(approve, "manual");
    if (approve.len > 0 && !out->manual && !fed_span_is(approve, "auto")) {
        set_field(field, "spec.approve");
        return fed_diag_set(diag, FED_ERR_INVALID,
            "Unsupported value: \"" FED_SPAN_FMT "\": supported values: \"auto\", \"manual\"",
            FED_SPAN_ARG(approve));
    }
    return FED_OK;
}

/* ---- create ---- */

static enum fed_err set_status(
    struct hub_admission *admission, const struct identity_token *token, int64_t expires_unix_s)
{
    struct fed_json *status = fed_json_new_object(admission->doc);
    enum fed_err err = fed_json_set(admission->doc, admission->object, "status", status);

    if (!err)
        err = identity_set_time(admission->doc, status, "expiresAt", expires_unix_s);
    if (!err)
        err = fed_json_set_int(admission->doc, status, "usesLeft", token->uses);
    if (!err)
        err = fed_json_set_bool(admission->doc, status, "revoked", false);
    return err;
}

/* Bytes as a text value of the admission's document: only so do they live long enough. */
static enum fed_err keep(
    struct hub_admission *admission, const struct fed_buf *text, struct fed_span *out)
{
    const struct fed_json *value =
        fed_buf_err(text) ? NULL : fed_json_new_string(admission->doc, fed_buf_span(text));

    *out = fed_json_string(value);
    return value ? FED_OK : FED_ERR_NOMEM;
}

static enum fed_err add_row(struct hub_identity *identity, struct hub_admission *admission,
    struct fed_span id, struct fed_span secret)
{
    struct fed_store_op *op = &admission->extra[admission->n_extra];
    struct fed_buf text;
    enum fed_err err;

    if (admission->n_extra == sizeof admission->extra / sizeof admission->extra[0])
        return FED_ERR_LIMIT;
    *op = (struct fed_store_op){.remove = secret.len == 0};
    fed_buf_init(&text, identity->mem, 256);
    fed_buf_put_text(&text, ROW_PREFIX);
    fed_buf_put(&text, id);
    err = keep(admission, &text, &op->key);
    fed_buf_clear(&text);
    fed_text_put_hex(&text, secret);
    if (!err && !op->remove)
        err = keep(admission, &text, &op->value);
    if (!err)
        admission->n_extra++;
    identity_wipe(&text);
    return err;
}

static enum fed_err set_answer(struct hub_admission *admission, const struct fed_buf *text)
{
    struct fed_json *answer = fed_json_new_object(admission->doc);
    struct fed_json *status =
        answer ? fed_json_ensure_object(admission->doc, answer, "status") : NULL;
    enum fed_err err = status ? fed_buf_err(text) : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_string(admission->doc, status, "token", fed_buf_span(text));
    if (!err)
        admission->answer = answer;
    return err;
}

static enum fed_err make_secret(struct hub_identity *identity, struct hub_admission *admission,
    struct fed_span id, const struct identity_token *spec, int64_t expires_unix_s)
{
    struct fed_token *token = fed_alloc_zero(identity->mem, sizeof *token);
    struct fed_buf text;
    enum fed_err err = token ? FED_OK : FED_ERR_NOMEM;

    fed_buf_init(&text, identity->mem, FED_TOKEN_TEXT_MAX);
    if (!err)
        err = identity->crypto->random(identity->crypto->ctx, token->secret, sizeof token->secret);
    if (!err)
        err = fed_span_to_cstr(id, token->id, sizeof token->id);
    if (!err) {
        token->pin = identity_hub_ca(identity)->info.public_key;
        token->expires_unix_s = expires_unix_s;
        token->uses = (uint32_t)spec->uses;
        token->n_addresses = identity->n_addresses;
        memcpy(token->addresses, identity->addresses, sizeof token->addresses);
        err = fed_token_put(&text, token);
    }
    if (!err)
        err = add_row(identity, admission, id, fed_span_of(token->secret, sizeof token->secret));
    if (!err)
        err = set_answer(admission, &text);
    if (token)
        memset(token->secret, 0, sizeof token->secret);
    fed_alloc_free(identity->mem, token, sizeof *token);
    identity_wipe(&text);
    return err;
}

static enum fed_err admit_create(
    struct hub_identity *identity, struct hub_admission *admission, struct fed_diag *diag)
{
    struct fed_span id = fed_json_string(fed_json_find(admission->object, "metadata.name"));
    struct identity_token token;
    int64_t expires;
    enum fed_err err;

    if (!identity->objects)
        return fed_diag_set(diag, FED_ERR_BUSY, "the hub is starting");
    if (!is_id(id)) {
        set_field(admission->field, "metadata.name");
        return fed_diag_set(diag, FED_ERR_INVALID,
            "Invalid value: \"" FED_SPAN_FMT "\": a token's name is %u to %u of a-z and 0-9",
            FED_SPAN_ARG(id), IDENTITY_TOKEN_ID_MIN, FED_TOKEN_ID_MAX);
    }
    err = identity_token_read(admission->object, &token, admission->field, diag);
    if (err)
        return err;
    expires = fed_loop_unix_s(identity->loop) + (int64_t)(token.ttl_ms / 1000);
    err = set_status(admission, &token, expires);
    if (!err && !admission->dry_run)
        err = make_secret(identity, admission, id, &token, expires);
    return err ? fed_diag_prefix(diag, err, "token " FED_SPAN_FMT, FED_SPAN_ARG(id)) : FED_OK;
}

/* ---- update, delete ---- */

static enum fed_err admit_update(struct hub_admission *admission, struct fed_diag *diag)
{
    const struct fed_json *before = fed_json_get(admission->before, "status");

    if (!fed_json_eq(
            fed_json_get(admission->object, "spec"), fed_json_get(admission->before, "spec"))) {
        set_field(admission->field, "spec");
        return fed_diag_set(diag, FED_ERR_INVALID,
            "Forbidden: a token cannot be changed: its text says what it is; delete it and create "
            "another");
    }
    if (fed_json_eq(fed_json_get(admission->object, "status"), before))
        return FED_OK;
    if (admission->subresource.len > 0)
        return fed_diag_set(diag, FED_ERR_FORBIDDEN, "the status of a token is kept by the hub");
    if (!before) {
        fed_json_remove(admission->object, "status");
        return FED_OK;
    }
    return fed_json_set(
        admission->doc, admission->object, "status", fed_json_clone(admission->doc, before));
}

static enum fed_err token_admit(void *ctx, struct hub_admission *admission, struct fed_diag *diag)
{
    struct hub_identity *identity = ctx;

    switch (admission->operation) {
    case HUB_CREATE:
        return admit_create(identity, admission, diag);
    case HUB_UPDATE:
        return admit_update(admission, diag);
    case HUB_DELETE:
        if (admission->dry_run)
            return FED_OK;
        return add_row(identity, admission,
            fed_json_string(fed_json_find(admission->object, "metadata.name")), fed_span_text(""));
    }
    return FED_OK;
}

void hub_identity_token_hooks(struct hub_identity *identity, struct hub_kind_hooks *hooks)
{
    *hooks = (struct hub_kind_hooks){.ctx = identity, .admit = token_admit};
}

/* ---- key ---- */

enum fed_err hub_identity_psk(
    struct hub_identity *identity, struct fed_span token_id, struct fed_buf *key)
{
    struct fed_store *store;
    struct fed_buf row;
    char row_key[sizeof ROW_PREFIX + FED_TOKEN_ID_MAX + 1];
    uint8_t secret[FED_TOKEN_SECRET_SIZE];
    size_t len = 0;
    enum fed_err err;

    if (!identity->objects || !is_id(token_id))
        return FED_ERR_NOT_FOUND;
    snprintf(row_key, sizeof row_key, ROW_PREFIX FED_SPAN_FMT, FED_SPAN_ARG(token_id));
    store = hub_objects_store(identity->objects);
    fed_buf_init(&row, identity->mem, 256);
    err = store->get(store->ctx, fed_span_text(row_key), &row, NULL);
    if (!err &&
        (fed_text_hex(fed_buf_span(&row), secret, sizeof secret, &len) || len != sizeof secret))
        err = FED_ERR_CORRUPT;
    if (!err) {
        fed_buf_put(key, fed_span_of(secret, sizeof secret));
        err = fed_buf_err(key);
    }
    memset(secret, 0, sizeof secret);
    identity_wipe(&row);
    return err;
}
