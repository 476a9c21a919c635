/* join.c - the join messages of link.h, as JSON documents. */
#include "proto/link/link.h"

#include "proto/base/text.h"
#include "proto/doc/doc.h"

#include <string.h>

#define VERSION 1

static enum fed_err set_base64(struct fed_doc *doc, const char *key, struct fed_span bytes)
{
    struct fed_buf text;
    enum fed_err err;

    fed_buf_init(&text, fed_alloc_system(), FED_JOIN_MESSAGE_MAX);
    fed_text_put_base64(&text, bytes);
    err = fed_buf_err(&text);
    if (!err)
        err = fed_doc_set_text(doc, key, fed_buf_cstr(&text));
    fed_buf_fini(&text);
    return err;
}

/* Writes the document when all went well, and frees it. */
static enum fed_err finish(struct fed_buf *out, struct fed_doc *doc, enum fed_err err)
{
    size_t before = out->len;

    if (!err)
        err = fed_doc_put(out, doc);
    if (!err && out->len - before > FED_JOIN_MESSAGE_MAX) {
        fed_buf_cut(out, before);
        err = FED_ERR_LIMIT;
    }
    fed_doc_free(doc);
    return err;
}

static enum fed_err put_labels(struct fed_doc *doc, const struct fed_join_request *request)
{
    struct fed_doc *labels = fed_doc_new_object();
    enum fed_err err = labels ? FED_OK : FED_ERR_NOMEM;

    for (size_t i = 0; i < request->n_labels && !err; i++)
        err = fed_doc_set_text(labels, request->labels[i].key, request->labels[i].value);
    if (err) {
        fed_doc_free(labels);
        return err;
    }
    return fed_doc_set_take(doc, "labels", labels);
}

enum fed_err fed_join_request_put(struct fed_buf *out, const struct fed_join_request *request)
{
    struct fed_doc *doc;
    enum fed_err err;

    if (request->n_labels > FED_JOIN_LABELS_MAX ||
        request->public_key_len > sizeof request->public_key)
        return FED_ERR_LIMIT;
    doc = fed_doc_new_object();
    err = doc ? fed_doc_set_int(doc, "v", VERSION) : FED_ERR_NOMEM;
    if (!err)
        err = fed_doc_set_text(doc, "token", request->token_id);
    if (!err)
        err = fed_doc_set_text(doc, "name", request->name);
    if (!err)
        err =
            set_base64(doc, "publicKey", fed_span_of(request->public_key, request->public_key_len));
    if (!err)
        err = put_labels(doc, request);
    if (!err)
        err = set_base64(doc, "proof", fed_span_of(request->proof, sizeof request->proof));
    return finish(out, doc, err);
}

/* ---- reading ---- */

static enum fed_err wrong(struct fed_diag *diag, enum fed_err err, const char *key)
{
    return fed_diag_set(diag, err, "%s: %s", key, fed_err_text(err));
}

/* A string member, copied. */
static enum fed_err get_text(
    const struct fed_doc *doc, const char *key, char *out, size_t size, struct fed_diag *diag)
{
    const char *text = fed_doc_text(fed_doc_get(doc, key), NULL);
    enum fed_err err = text ? fed_span_to_cstr(fed_span_text(text), out, size) : FED_ERR_INVALID;

    return err ? wrong(diag, err, key) : FED_OK;
}

static enum fed_err get_base64(const struct fed_doc *doc, const char *key, uint8_t *out,
    size_t size, size_t *len, struct fed_diag *diag)
{
    const char *text = fed_doc_text(fed_doc_get(doc, key), NULL);
    struct fed_buf bytes;
    enum fed_err err;

    if (!text)
        return wrong(diag, FED_ERR_INVALID, key);
    fed_buf_init(&bytes, fed_alloc_system(), size);
    err = fed_text_base64(fed_span_text(text), &bytes);
    if (!err && bytes.len)
        memcpy(out, bytes.at, bytes.len);
    *len = bytes.len;
    fed_buf_fini(&bytes);
    return err ? wrong(diag, err, key) : FED_OK;
}

/* Size, JSON, known members, version. */
static enum fed_err open_message(
    struct fed_span text, const char *const *keys, struct fed_doc **out, struct fed_diag *diag)
{
    struct fed_doc *doc = NULL;
    int64_t version;
    enum fed_err err;

    if (text.len > FED_JOIN_MESSAGE_MAX)
        return fed_diag_set(
            diag, FED_ERR_LIMIT, "more than %u bytes", (unsigned)FED_JOIN_MESSAGE_MAX);
    err = fed_doc_parse(text, &doc, diag);
    if (err)
        return err;
    err = fed_doc_only(doc, keys, diag);
    if (!err && (fed_doc_int(fed_doc_get(doc, "v"), VERSION, VERSION, &version)))
        err = fed_diag_set(diag, FED_ERR_UNSUPPORTED, "v: version %d is spoken here", VERSION);
    if (err) {
        fed_doc_free(doc);
        return err;
    }
    *out = doc;
    return FED_OK;
}

static enum fed_err get_labels(
    const struct fed_doc *labels, struct fed_join_request *request, struct fed_diag *diag)
{
    size_t n = fed_doc_count(labels);
    const struct fed_doc *label = fed_doc_at(labels, 0);

    if (!labels)
        return FED_OK;
    if (!fed_doc_is_object(labels))
        return wrong(diag, FED_ERR_INVALID, "labels");
    if (n > FED_JOIN_LABELS_MAX)
        return wrong(diag, FED_ERR_LIMIT, "labels");
    for (size_t i = 0; i < n; i++) {
        struct fed_span key;
        struct fed_span value;

        label = fed_doc_at(labels, i);
        key = fed_span_text(fed_doc_key(label));
        value = fed_span_text(fed_doc_text(label, "?"));
        if (!fed_text_is_label_key(key) || !fed_text_is_label_value(value) ||
            fed_span_to_cstr(key, request->labels[i].key, sizeof request->labels[i].key) ||
            fed_span_to_cstr(value, request->labels[i].value, sizeof request->labels[i].value))
            return fed_diag_set(diag, FED_ERR_INVALID, "labels: \"%.80s\" is not a valid label",
                fed_doc_key(label));
    }
    request->n_labels = n;
    return FED_OK;
}

static enum fed_err read_request(
    const struct fed_doc *doc, struct fed_join_request *request, struct fed_diag *diag)
{
    size_t proof_len = 0;
    enum fed_err err = get_text(doc, "token", request->token_id, sizeof request->token_id, diag);

    if (!err)
        err = get_text(doc, "name", request->name, sizeof request->name, diag);
    if (!err && !fed_text_is_dns_subdomain(fed_span_text(request->name)))
        err = fed_diag_set(diag, FED_ERR_INVALID,
            "name: \"%.80s\" is not a valid cluster name (lower case letters, digits, - and .)",
            request->name);
    if (!err)
        err = get_base64(doc, "publicKey", request->public_key, sizeof request->public_key,
            &request->public_key_len, diag);
    if (!err)
        err = get_base64(doc, "proof", request->proof, sizeof request->proof, &proof_len, diag);
    if (!err && proof_len != sizeof request->proof)
        err = wrong(diag, FED_ERR_INVALID, "proof");
    return err ? err : get_labels(fed_doc_get(doc, "labels"), request, diag);
}

enum fed_err fed_join_request_parse(
    struct fed_span text, struct fed_join_request *out, struct fed_diag *diag)
{
    static const char *const keys[] = {"v", "token", "name", "publicKey", "labels", "proof", NULL};
    struct fed_join_request request = {.n_labels = 0};
    struct fed_doc *doc;
    enum fed_err err;

    if (diag)
        diag->text[0] = '\0';
    err = open_message(text, keys, &doc, diag);
    if (!err) {
        err = read_request(doc, &request, diag);
        fed_doc_free(doc);
    }
    if (err)
        return fed_diag_prefix(diag, err, "join request");
    *out = request;
    return FED_OK;
}

/* ---- answer ---- */

enum fed_err fed_join_answer_put(struct fed_buf *out, const struct fed_join_answer *answer)
{
    struct fed_doc *doc = fed_doc_new_object();
    enum fed_err err = doc ? fed_doc_set_int(doc, "v", VERSION) : FED_ERR_NOMEM;

    if (!err)
        err = fed_doc_set_text(doc, "state", answer->approved ? "Approved" : "Pending");
    if (!err && !answer->approved)
        err = fed_doc_set_int(doc, "retryAfterSeconds", answer->retry_after_s);
    if (!err && answer->approved)
        err = fed_doc_set_text(doc, "certificate", answer->certificate);
    if (!err && answer->approved)
        err = fed_doc_set_text(doc, "ca", answer->ca);
    if (!err)
        err = fed_doc_set_text(doc, "cluster", answer->cluster);
    return finish(out, doc, err);
}

static enum fed_err read_answer(
    const struct fed_doc *doc, struct fed_join_answer *answer, struct fed_diag *diag)
{
    struct fed_span state = fed_span_text(fed_doc_text(fed_doc_get(doc, "state"), ""));
    int64_t seconds = 0;
    enum fed_err err = get_text(doc, "cluster", answer->cluster, sizeof answer->cluster, diag);

    if (err)
        return err;
    if (fed_span_is(state, "Pending")) {
        err = fed_doc_int(fed_doc_get(doc, "retryAfterSeconds"), 0, UINT32_MAX, &seconds);
        answer->retry_after_s = (uint32_t)seconds;
        return err ? wrong(diag, err, "retryAfterSeconds") : FED_OK;
    }
    if (!fed_span_is(state, "Approved"))
        return wrong(diag, FED_ERR_INVALID, "state");
    answer->approved = true;
    err = get_text(doc, "certificate", answer->certificate, sizeof answer->certificate, diag);
    return err ? err : get_text(doc, "ca", answer->ca, sizeof answer->ca, diag);
}

enum fed_err fed_join_answer_parse(
    struct fed_span text, struct fed_join_answer *out, struct fed_diag *diag)
{
    static const char *const keys[] = {
        "v", "state", "retryAfterSeconds", "certificate", "ca", "cluster", NULL};
    struct fed_join_answer answer = {.approved = false};
    struct fed_doc *doc;
    enum fed_err err;

    if (diag)
        diag->text[0] = '\0';
    err = open_message(text, keys, &doc, diag);
    if (!err) {
        err = read_answer(doc, &answer, diag);
        fed_doc_free(doc);
    }
    if (err)
        return fed_diag_prefix(diag, err, "join answer");
    *out = answer;
    return FED_OK;
}
