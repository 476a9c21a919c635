/* certificate.c - agents' certificates: what is in one, new ones for the same key, and which one an
 * agent uses.
 *
 * Nothing of a certificate comes from the agent but the key that was recorded when it joined: the
 * name is the record's. A new one is asked for from a session that the recorded key has proved, so
 * the request itself says nothing. */
#include "hub/identity/internal.h"

#include <string.h>

/* ---- issuing ---- */

static enum fed_err sign(struct hub_identity *identity, const struct identity_record *request,
    struct fed_buf *pem, struct fed_diag *diag)
{
    static const char *const organizations[] = {IDENTITY_ORGANIZATION};
    char name[254];
    struct fed_crypto_cert_request cert = {
        .common_name = name, .organizations = organizations, .n_organizations = 1, .client = true};
    struct fed_buf spki;
    enum fed_err err;

    fed_buf_init(&spki, identity->mem, 1024);
    err = identity_request_key(request, &spki);
    if (!err)
        err = fed_span_to_cstr(request->name, name, sizeof name);
    cert.public_key = fed_buf_span(&spki);
    if (!err)
        err = identity_issue(identity, &identity->ca, &cert, identity->life_s, pem, diag);
    fed_buf_fini(&spki);
    return err;
}

static enum fed_err record(struct hub_identity *identity, struct identity_record *request,
    struct fed_span pem, struct fed_diag *diag)
{
    struct fed_json *status = fed_json_ensure_object(request->doc, request->object, "status");
    struct fed_crypto_cert_info info;
    enum fed_err err = identity->crypto->cert_info(identity->crypto->ctx, pem, &info, diag);

    if (!err && !status)
        err = FED_ERR_NOMEM;
    if (!err)
        err = identity_set_time(request->doc, status, "certificateNotAfter", info.not_after_unix_s);
    if (!err)
        err = fed_json_set_string(request->doc, status, "certificate", pem);
    if (!err)
        err = identity_set_hex(request, "certificateFingerprint", &info.fingerprint);
    return err ? err
               : identity_set_hex(request, "certificateAuthority", &identity->ca.info.public_key);
}

enum fed_err identity_certify(
    struct hub_identity *identity, struct identity_record *request, struct fed_diag *diag)
{
    struct fed_buf pem;
    enum fed_err err;

    fed_buf_init(&pem, identity->mem, sizeof((struct fed_join_answer *)NULL)->certificate - 1);
    err = sign(identity, request, &pem, diag);
    if (!err)
        err = record(identity, request, fed_buf_span(&pem), diag);
    fed_buf_fini(&pem);
    return err;
}

enum fed_err identity_answer(struct hub_identity *identity, const struct identity_record *request,
    struct fed_join_answer *answer)
{
    enum fed_err err = fed_span_to_cstr(identity_record_text(request, "status.certificate"),
        answer->certificate, sizeof answer->certificate);

    if (!err)
        err = fed_span_to_cstr(fed_buf_span(&identity->answer_pem), answer->ca, sizeof answer->ca);
    if (!err)
        err = fed_span_to_cstr(request->name, answer->cluster, sizeof answer->cluster);
    answer->approved = true;
    return err;
}

/* ---- again ---- */

static bool text_is_hex_of(struct fed_span text, const struct fed_digest *digest)
{
    uint8_t bytes[FED_DIGEST_SIZE];
    size_t len = 0;

    return !fed_text_hex(text, bytes, sizeof bytes, &len) && len == sizeof bytes &&
           memcmp(bytes, digest->bytes, sizeof bytes) == 0;
}

static bool is_of_ca(const struct hub_identity *identity, const struct identity_record *request)
{
    return text_is_hex_of(identity_record_text(request, "status.certificateAuthority"),
        &identity->ca.info.public_key);
}

/* When it was issued: its own times may be cut by the end of the CA, or of another length of life
 * than certificates have by now. */
static bool issued_at(const struct identity_record *request, int64_t *out)
{
    return !fed_text_time_parse(identity_record_text(request, "status.renewedAt"), out) ||
           !fed_text_time_parse(identity_record_text(request, "status.approvedAt"), out);
}

/* An answer may be lost, and whoever asks in a circle shall not make the hub write. */
static bool is_fresh(
    const struct hub_identity *identity, const struct identity_record *request, int64_t now)
{
    int64_t issued;
    int64_t ends;

    return is_of_ca(identity, request) && issued_at(request, &issued) &&
           !fed_text_time_parse(
               identity_record_text(request, "status.certificateNotAfter"), &ends) &&
           ends > now && issued <= now && now - issued < identity->life_s / 6;
}

static enum fed_err commit(
    struct hub_identity *identity, struct identity_record *request, struct fed_diag *diag)
{
    struct hub_object_write write;
    enum fed_err err = identity_record_write(request, &write);

    if (!err)
        err = hub_objects_commit(identity->objects, &write, 1, NULL, 0, NULL, diag);
    if (err == FED_ERR_CONFLICT || err == FED_ERR_NOT_FOUND)
        err = fed_diag_set(diag, FED_ERR_BUSY, "something else changed it meanwhile: ask again");
    return err;
}

static enum fed_err make_again(struct hub_identity *identity, struct identity_record *request,
    int64_t now, struct fed_diag *diag)
{
    struct fed_json *status = fed_json_ensure_object(request->doc, request->object, "status");
    enum fed_err err = status ? identity_certify(identity, request, diag) : FED_ERR_NOMEM;

    if (!err)
        err = identity_set_time(request->doc, status, "renewedAt", now);
    if (!err)
        err = commit(identity, request, diag);
    if (!err)
        fed_log(identity->log, FED_LOG_INFO,
            "identity: cluster " FED_SPAN_FMT " has a new certificate, until " FED_SPAN_FMT,
            FED_SPAN_ARG(request->name),
            FED_SPAN_ARG(identity_record_text(request, "status.certificateNotAfter")));
    return err;
}

static enum fed_err check_return(
    const struct hub_identity *identity, int64_t ends_unix_s, int64_t now, struct fed_diag *diag)
{
    char ended[FED_TEXT_TIME_SIZE];

    if (identity->return_s == 0 || now - ends_unix_s <= identity->return_s)
        return FED_OK;
    fed_text_time(ends_unix_s, ended);
    return fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "the certificate ended at %s, longer ago than this hub takes one back: join again with a "
        "token",
        ended);
}

enum fed_err hub_identity_renew(struct hub_identity *identity, struct fed_span cluster,
    int64_t ends_unix_s, bool issue, struct fed_join_answer *answer, struct fed_diag *diag)
{
    struct identity_record request;
    int64_t now = fed_loop_unix_s(identity->loop);
    enum fed_err err = check_return(identity, ends_unix_s, now, diag);

    memset(answer, 0, sizeof *answer);
    if (err)
        return err;
    if (!identity->objects)
        return fed_diag_set(diag, FED_ERR_BUSY, "the hub is starting");
    err = identity_record_open(identity, IDENTITY_REQUESTS, cluster, &request);
    if (!err && (!request.object || !identity_request_state_is(&request, "Approved")))
        err = fed_diag_set(diag, FED_ERR_FORBIDDEN, "no key is recorded for this cluster");
    if (!err && !is_fresh(identity, &request, now))
        err = issue ? make_again(identity, &request, now, diag) : FED_ERR_NOT_FOUND;
    if (!err)
        err = identity_answer(identity, &request, answer);
    identity_record_close(&request);
    return err;
}

/* ---- which one is used ---- */

static bool count_open(void *ctx, struct fed_span cluster, bool confirmed)
{
    bool *all = ctx;

    (void)cluster;
    *all = confirmed;
    return confirmed;
}

/* A person may have ended this rotation meanwhile, and begun another: its key is not ours. */
static enum fed_err old_key_is_there(
    struct hub_identity *identity, bool *there, struct fed_diag *diag)
{
    struct fed_buf key;
    enum fed_err err;

    fed_buf_init(&key, identity->mem, IDENTITY_FILE_MAX);
    err = identity_read_file(identity, "ca.old.key", &key, diag);
    *there = !err && fed_span_eq(fed_buf_span(&key), fed_buf_span(&identity->old.key));
    identity_wipe(&key);
    return err;
}

/* With the last one that confirms the new CA, nothing needs a certificate by the old one any more.
 */
static void switch_when_all_know(struct hub_identity *identity)
{
    struct fed_diag diag = {""};
    bool all = true;
    bool there = false;
    enum fed_err err;

    if (identity->old.key.len == 0 || identity->switched)
        return;
    err = hub_identity_members(identity, count_open, &all, &diag);
    if (err || !all)
        return;
    err = old_key_is_there(identity, &there, &diag);
    if (!err && there)
        err = hub_identity_switch(identity, &diag);
    identity->switched = !err;
    if (!err && !there)
        return;
    if (err)
        fed_log(identity->log, FED_LOG_WARN, "identity: %s", diag.text);
    else
        fed_log(identity->log, FED_LOG_INFO,
            "identity: every cluster trusts %s; the hub's own certificate is made by it at the "
            "next start",
            identity->ca.info.common_name);
}

/* With what else the turn brings: after a rotation thousands come at once. */
static enum fed_err stage(
    struct hub_identity *identity, struct identity_record *request, struct fed_diag *diag)
{
    struct hub_object_write write;
    enum fed_err err = identity_record_write(request, &write);

    if (!err)
        err = hub_objects_stage(identity->objects, &write, 1, NULL, 0, NULL, diag);
    if (!err && !hub_objects_flush_soon(identity->objects))
        err = hub_objects_flush(identity->objects, diag);
    return err;
}

void hub_identity_used(
    struct hub_identity *identity, struct fed_span cluster, const struct fed_crypto_cert_info *cert)
{
    struct identity_record request;
    struct fed_diag diag = {""};
    bool confirms = false;
    enum fed_err err = identity_record_peek(identity, IDENTITY_REQUESTS, cluster, &request);

    if (!err && request.object &&
        text_is_hex_of(
            identity_record_text(&request, "status.certificateFingerprint"), &cert->fingerprint) &&
        !text_is_hex_of(
            identity_record_text(&request, "status.certificateInUse"), &cert->fingerprint)) {
        err = identity_set_hex(&request, "certificateInUse", &cert->fingerprint);
        if (!err)
            err = stage(identity, &request, &diag);
        confirms = !err && is_of_ca(identity, &request);
    }
    identity_record_close(&request);
    /* Nobody is the worse for it: its next session says it again. */
    if (err)
        fed_log(identity->log, FED_LOG_WARN,
            "identity: that cluster " FED_SPAN_FMT " uses its new certificate is not recorded: %s",
            FED_SPAN_ARG(cluster), diag.text[0] ? diag.text : fed_err_text(err));
    if (confirms)
        switch_when_all_know(identity);
}

struct members {
    hub_identity_member *each;
    void *ctx;
    const struct hub_identity *identity;
    enum fed_err err;
};

static bool each_request(void *ctx, const struct hub_object *object)
{
    struct members *m = ctx;
    struct identity_record request = {.name = object->ref.name};
    bool go_on = true;

    m->err = fed_json_doc_new(m->identity->mem, &request.doc);
    if (!m->err)
        m->err = fed_json_parse(request.doc, object->bytes, &request.object, NULL);
    if (!m->err && identity_request_state_is(&request, "Approved")) {
        struct fed_span used = identity_record_text(&request, "status.certificateInUse");

        go_on = m->each(m->ctx, object->ref.name,
            is_of_ca(m->identity, &request) &&
                fed_span_eq(used, identity_record_text(&request, "status.certificateFingerprint")));
    }
    fed_json_doc_free(request.doc);
    return !m->err && go_on;
}

enum fed_err hub_identity_members(
    struct hub_identity *identity, hub_identity_member *each, void *ctx, struct fed_diag *diag)
{
    struct members m = {.each = each, .ctx = ctx, .identity = identity};
    enum fed_err err = hub_objects_list(identity->objects, fed_span_text(IDENTITY_REQUESTS),
        FED_SPAN_LIT(HUB_SYSTEM_NAMESPACE), NULL, each_request, &m);

    err = err ? err : m.err;
    return err ? fed_diag_prefix(diag, err, "listing join requests") : FED_OK;
}
