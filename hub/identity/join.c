/* join.c - what becomes of an agent's join request.
 *
 * In this order, so that who lacks the token's secret learns nothing: token and proof, the name it
 * is bound to, a request that was answered before, whether the token still counts, whose the name
 * is. All that a join changes is one commit: the token's uses, the JoinRequest, the KubeFedCluster.
 * A use is spent when a request is taken, also when it then waits for approval; asking again spends
 * nothing. */
#include "hub/identity/internal.h"

#include <stdio.h>
#include <string.h>

struct join {
    struct hub_identity *identity;
    const struct fed_join_request *asked;
    struct fed_join_answer *answer;
    struct fed_diag *diag;
    int64_t now;
    struct identity_token rules;
    struct identity_record token;
    struct identity_record request;
    struct identity_record cluster;
    bool same_key; /* the stored request is for the key that asks */
};

/* ---- the proof ---- */

static enum fed_err expected_proof(struct join *j, struct fed_span secret, struct fed_digest *out)
{
    struct fed_crypto *crypto = j->identity->crypto;
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, j->identity->mem, 1024);
    fed_buf_put(&text, fed_span_of("fedlet join 1", sizeof "fedlet join 1")); /* with its NUL */
    fed_buf_put(&text, fed_span_of(j->asked->name, strlen(j->asked->name) + 1));
    fed_buf_put(&text, fed_span_of(j->asked->public_key, j->asked->public_key_len));
    err = fed_buf_err(&text);
    if (!err)
        err = crypto->hmac_sha256(crypto->ctx, secret, fed_buf_span(&text), out->bytes);
    fed_buf_fini(&text);
    return err;
}

static enum fed_err too_many_wrong(const struct join *j)
{
    return fed_diag_set(
        j->diag, FED_ERR_BUSY, "too many wrong proofs for this token: try again in a minute");
}

/* Who proved the secret by the session's key does not guess: a stranger who knows the token's name
 * and sends wrong proofs keeps others out, but not him. */
static enum fed_err check_proof(struct join *j, struct fed_span session_token)
{
    const char *id = j->asked->token_id;
    uint64_t now_ms = fed_loop_now_ms(j->identity->loop);
    bool blocked = identity_guard_blocked(&j->identity->guard, id, now_ms);
    struct fed_digest want;
    struct fed_digest got;
    struct fed_buf secret;
    enum fed_err err;

    if (session_token.len > 0 && !fed_span_is(session_token, id))
        return fed_diag_set(
            j->diag, FED_ERR_FORBIDDEN, "the request names another token than its session");
    if (blocked && session_token.len == 0)
        return too_many_wrong(j);
    fed_buf_init(&secret, j->identity->mem, FED_TOKEN_SECRET_SIZE);
    err = hub_identity_psk(j->identity, fed_span_text(id), &secret);
    if (err == FED_ERR_NOT_FOUND)
        err = fed_diag_set(j->diag, FED_ERR_FORBIDDEN, "the token is not known, or it was revoked");
    if (!err)
        err = expected_proof(j, fed_buf_span(&secret), &want);
    memcpy(got.bytes, j->asked->proof, sizeof got.bytes);
    if (!err && !fed_digest_eq(&want, &got)) {
        identity_guard_failed(&j->identity->guard, id, now_ms);
        err = blocked
                  ? too_many_wrong(j)
                  : fed_diag_set(j->diag, FED_ERR_FORBIDDEN, "the proof does not fit the token");
    }
    identity_wipe(&secret);
    return err;
}

/* ---- what was asked ---- */

static enum fed_err check_labels(const struct join *j)
{
    const struct fed_join_request *asked = j->asked;

    if (asked->n_labels > FED_JOIN_LABELS_MAX)
        return fed_diag_set(j->diag, FED_ERR_INVALID, "more than %u labels", FED_JOIN_LABELS_MAX);
    for (size_t i = 0; i < asked->n_labels; i++) {
        if (!fed_text_is_label_key(fed_span_text(asked->labels[i].key)))
            return fed_diag_set(j->diag, FED_ERR_INVALID, "label \"%s\": not a qualified name",
                asked->labels[i].key);
        if (!fed_text_is_label_value(fed_span_text(asked->labels[i].value)))
            return fed_diag_set(j->diag, FED_ERR_INVALID, "label %s: \"%s\" is not a label value",
                asked->labels[i].key, asked->labels[i].value);
    }
    return FED_OK;
}

static enum fed_err check_asked(const struct join *j)
{
    struct fed_crypto *crypto = j->identity->crypto;
    const struct fed_join_request *asked = j->asked;
    enum fed_err err;

    if (!fed_text_is_dns_subdomain(fed_span_text(asked->name)))
        return fed_diag_set(j->diag, FED_ERR_INVALID,
            "cluster name \"%s\": lowercase letters, digits, '-' and '.', beginning and ending "
            "with a letter or digit",
            asked->name);
    if (asked->public_key_len > sizeof asked->public_key)
        return fed_diag_set(j->diag, FED_ERR_INVALID, "public key too long");
    err = crypto->public_key_check(
        crypto->ctx, fed_span_of(asked->public_key, asked->public_key_len), j->diag);
    return err ? err : check_labels(j);
}

static enum fed_err load(struct join *j)
{
    struct hub_identity *identity = j->identity;
    struct fed_span name = fed_span_text(j->asked->name);
    struct fed_buf spki;
    enum fed_err err = identity_record_open(
        identity, IDENTITY_TOKENS, fed_span_text(j->asked->token_id), &j->token);

    if (!err)
        err = identity_record_open(identity, IDENTITY_REQUESTS, name, &j->request);
    if (!err)
        err = identity_record_open(identity, HUB_CLUSTERS, name, &j->cluster);
    if (err)
        return fed_diag_prefix(j->diag, err, "join of %s", j->asked->name);
    if (!j->token.object)
        return fed_diag_set(
            j->diag, FED_ERR_FORBIDDEN, "the token is not known, or it was revoked");
    fed_buf_init(&spki, identity->mem, 1024);
    if (j->request.object)
        err = identity_request_key(&j->request, &spki);
    j->same_key = j->request.object && !err &&
                  fed_span_eq(fed_buf_span(&spki),
                      fed_span_of(j->asked->public_key, j->asked->public_key_len));
    fed_buf_fini(&spki);
    /* A request without a readable key is nobody's; too little memory must not look like another
     * key. */
    if (err == FED_ERR_NOMEM)
        return err;
    return identity_token_read(j->token.object, &j->rules, NULL, j->diag);
}

static enum fed_err check_bound_name(const struct join *j)
{
    if (j->rules.cluster.len > 0 && !fed_span_is(j->rules.cluster, j->asked->name))
        return fed_diag_set(j->diag, FED_ERR_FORBIDDEN,
            "the token is for cluster " FED_SPAN_FMT " only", FED_SPAN_ARG(j->rules.cluster));
    return FED_OK;
}

static enum fed_err check_token_counts(const struct join *j)
{
    struct fed_span text = identity_record_text(&j->token, "status.expiresAt");
    int64_t expires;

    if (fed_text_time_parse(text, &expires) || expires <= j->now)
        return fed_diag_set(
            j->diag, FED_ERR_FORBIDDEN, "the token ended at " FED_SPAN_FMT, FED_SPAN_ARG(text));
    if (fed_json_int(fed_json_find(j->token.object, "status.usesLeft"), 0) <= 0)
        return fed_diag_set(j->diag, FED_ERR_FORBIDDEN, "the token is used up");
    return FED_OK;
}

static enum fed_err check_not_denied(const struct join *j)
{
    if (j->request.object && identity_request_state_is(&j->request, "Denied") && j->same_key)
        return fed_diag_set(
            j->diag, FED_ERR_FORBIDDEN, "the request of cluster %s was denied", j->asked->name);
    return FED_OK;
}

static enum fed_err check_name_is_free(const struct join *j)
{
    if (j->same_key)
        return FED_OK;
    if (j->request.object &&
        (j->cluster.object || identity_request_state_is(&j->request, "Pending")))
        return fed_diag_set(j->diag, FED_ERR_CONFLICT, "cluster %s exists already with another key",
            j->asked->name);
    /* Registered by hand, or its join request was deleted: only a token made for this name may take
     * it. */
    if (j->cluster.object && j->rules.cluster.len == 0)
        return fed_diag_set(j->diag, FED_ERR_CONFLICT,
            "cluster %s exists already without a key: join it with a token made for that name",
            j->asked->name);
    return FED_OK;
}

/* ---- answers ---- */

static enum fed_err answer_pending(struct join *j)
{
    j->answer->approved = false;
    j->answer->retry_after_s = IDENTITY_PENDING_RETRY_S;
    return fed_span_to_cstr(
        fed_span_text(j->asked->name), j->answer->cluster, sizeof j->answer->cluster);
}

static enum fed_err answer_approved(struct join *j)
{
    return identity_answer(j->identity, &j->request, j->answer);
}

/* An approved request whose certificate still counts, or one that waits: the same answer as before.
 */
static bool was_answered(const struct join *j, bool *approved)
{
    int64_t ends;

    *approved = identity_request_state_is(&j->request, "Approved");
    if (!j->same_key)
        return false;
    if (identity_request_state_is(&j->request, "Pending"))
        return true;
    return *approved && j->cluster.object &&
           !fed_text_time_parse(
               identity_record_text(&j->request, "status.certificateNotAfter"), &ends) &&
           ends > j->now;
}

/* ---- taking a new one ---- */

static enum fed_err set_labels(struct join *j, struct fed_json *spec)
{
    struct fed_json *labels = fed_json_new_object(j->request.doc);
    enum fed_err err = fed_json_set(j->request.doc, spec, "labels", labels);

    for (size_t i = 0; !err && i < j->asked->n_labels; i++)
        err = fed_json_set_text(
            j->request.doc, labels, j->asked->labels[i].key, j->asked->labels[i].value);
    return err;
}

static enum fed_err set_base64(
    struct join *j, struct fed_json *object, const char *key, struct fed_span bytes)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, j->identity->mem, 1024);
    fed_text_put_base64(&text, bytes);
    err = fed_buf_err(&text);
    if (!err)
        err = fed_json_set_string(j->request.doc, object, key, fed_buf_span(&text));
    fed_buf_fini(&text);
    return err;
}

static enum fed_err fill_request(struct join *j)
{
    struct fed_span key = fed_span_of(j->asked->public_key, j->asked->public_key_len);
    struct fed_json_doc *doc = j->request.doc;
    struct fed_digest digest;
    struct fed_json *spec;
    struct fed_json *status;
    enum fed_err err =
        identity_record_make(j->identity, &j->request, "fedlet.io/v1alpha1", "JoinRequest");

    if (err)
        return err;
    spec = fed_json_new_object(doc);
    status = fed_json_new_object(doc);
    err = fed_json_set(doc, j->request.object, "spec", spec);
    if (!err)
        err = fed_json_set(doc, j->request.object, "status", status);
    if (!err)
        err = fed_json_set_text(doc, spec, "token", j->asked->token_id);
    if (!err)
        err = fed_json_set_text(doc, spec, "clusterName", j->asked->name);
    if (!err)
        err = set_base64(j, spec, "publicKey", key);
    if (!err && j->asked->n_labels > 0)
        err = set_labels(j, spec);
    if (!err)
        err = fed_json_set_text(doc, status, "state", "Pending");
    if (!err)
        err = identity_set_time(doc, status, "requestedAt", j->now);
    if (!err)
        err = fed_digest_of(key, &digest);
    return err ? err : identity_set_hex(&j->request, "publicKeyFingerprint", &digest);
}

static enum fed_err spend_use(struct join *j)
{
    struct fed_json *status = fed_json_ensure_object(j->token.doc, j->token.object, "status");

    if (!status)
        return FED_ERR_NOMEM;
    return fed_json_set_int(
        j->token.doc, status, "usesLeft", fed_json_int(fed_json_get(status, "usesLeft"), 1) - 1);
}

static enum fed_err commit(struct join *j, bool with_cluster)
{
    struct hub_object_write writes[3];
    enum fed_err err = identity_record_write(&j->token, &writes[0]);

    if (!err)
        err = identity_record_write(&j->request, &writes[1]);
    if (!err && with_cluster)
        err = identity_record_write(&j->cluster, &writes[2]);
    if (!err)
        err = hub_objects_commit(
            j->identity->objects, writes, with_cluster ? 3 : 2, NULL, 0, NULL, j->diag);
    if (err == FED_ERR_CONFLICT || err == FED_ERR_EXISTS || err == FED_ERR_NOT_FOUND)
        err = fed_diag_set(j->diag, FED_ERR_BUSY, "something else changed it meanwhile: ask again");
    return err;
}

static enum fed_err take(struct join *j)
{
    bool new_cluster = false;
    enum fed_err err = fill_request(j);

    if (!err)
        err = spend_use(j);
    if (!err && !j->rules.manual)
        err = identity_approve(j->identity, &j->request, &j->cluster, &new_cluster, j->diag);
    if (!err)
        err = commit(j, new_cluster);
    if (err)
        return fed_diag_prefix(j->diag, err, "join of %s", j->asked->name);
    fed_log(j->identity->log, FED_LOG_INFO, "identity: cluster %s joined with token %s%s",
        j->asked->name, j->asked->token_id, j->rules.manual ? ", waits for approval" : "");
    return j->rules.manual ? answer_pending(j) : answer_approved(j);
}

/* ---- approval ---- */

enum fed_err identity_approve(struct hub_identity *identity, struct identity_record *request,
    struct identity_record *cluster, bool *new_cluster, struct fed_diag *diag)
{
    struct fed_json *status = fed_json_ensure_object(request->doc, request->object, "status");
    enum fed_err err = status ? FED_OK : FED_ERR_NOMEM;

    if (!err)
        err = fed_json_set_text(request->doc, status, "state", "Approved");
    if (!err)
        err =
            identity_set_time(request->doc, status, "approvedAt", fed_loop_unix_s(identity->loop));
    if (!err)
        err = identity_certify(identity, request, diag);
    *new_cluster = !cluster->object;
    if (!err && *new_cluster)
        err =
            identity_cluster_fill(identity, cluster, fed_json_find(request->object, "spec.labels"));
    return err;
}

/* ---- the whole ---- */

static enum fed_err decide(struct join *j, struct fed_span session_token)
{
    bool approved;
    enum fed_err err = check_proof(j, session_token);

    if (!err)
        err = check_asked(j);
    if (!err)
        err = load(j);
    if (!err)
        err = check_bound_name(j);
    if (err)
        return err;
    if (was_answered(j, &approved))
        return approved ? answer_approved(j) : answer_pending(j);
    err = check_not_denied(j);
    if (!err)
        err = check_token_counts(j);
    if (!err)
        err = check_name_is_free(j);
    return err ? err : take(j);
}

enum fed_err hub_identity_join(struct hub_identity *identity, struct fed_span token_id,
    const struct fed_join_request *request, struct fed_join_answer *answer, struct fed_diag *diag)
{
    struct join j = {.identity = identity, .asked = request, .answer = answer, .diag = diag};
    enum fed_err err;

    memset(answer, 0, sizeof *answer);
    if (!identity->objects)
        return fed_diag_set(diag, FED_ERR_BUSY, "the hub is starting");
    j.now = fed_loop_unix_s(identity->loop);
    err = decide(&j, token_id);
    identity_record_close(&j.token);
    identity_record_close(&j.request);
    identity_record_close(&j.cluster);
    return err;
}
