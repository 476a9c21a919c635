/* worker.c - see worker.h: the decoder. */
#include "proto/worker/worker.h"

#include <string.h>

enum fed_err fed_worker_size(struct fed_span from, enum fed_worker_side side, size_t *out)
{
    uint32_t size;

    if (fed_span_take_u32(&from, &size)) {
        *out = 0;
        return FED_OK;
    }
    if (size == 0)
        return FED_ERR_INVALID;
    if (size > (side == FED_WORKER_FEDHUB ? FED_WORKER_UP_MAX : FED_WORKER_DOWN_MAX))
        return FED_ERR_LIMIT;
    *out = FED_WORKER_HEAD_SIZE + size;
    return FED_OK;
}

static enum fed_err take_bool(struct fed_span *from, bool *out)
{
    uint8_t value;
    enum fed_err err = fed_span_take_u8(from, &value);

    if (err)
        return err;
    if (value > 1)
        return FED_ERR_INVALID;
    *out = value == 1;
    return FED_OK;
}

static enum fed_err take_i64(struct fed_span *from, int64_t *out)
{
    uint64_t value;
    enum fed_err err = fed_span_take_u64(from, &value);

    if (!err)
        *out = (int64_t)value;
    return err;
}

/* Text that will be a C string: no NUL in it. */
static enum fed_err take_text(struct fed_span *from, size_t max, struct fed_span *out)
{
    struct fed_span text;
    enum fed_err err = fed_span_take_string(from, max, &text);

    if (err)
        return err;
    if (text.len > 0 && memchr(text.at, 0, text.len))
        return FED_ERR_INVALID;
    *out = text;
    return FED_OK;
}

static enum fed_err take_digest(struct fed_span *from, struct fed_digest *out)
{
    struct fed_span bytes;
    enum fed_err err = fed_span_take_bytes(from, sizeof out->bytes, &bytes);

    if (!err)
        memcpy(out->bytes, bytes.at, sizeof out->bytes);
    return err;
}

static enum fed_err take_cert(struct fed_span *from, struct fed_worker_cert *out)
{
    uint8_t n;
    enum fed_err err = take_text(from, FED_WORKER_TEXT_MAX, &out->common_name);

    if (!err)
        err = fed_span_take_u8(from, &n);
    if (!err && n > FED_WORKER_ORGANIZATIONS_MAX)
        err = FED_ERR_LIMIT;
    for (size_t i = 0; !err && i < n; i++)
        err = take_text(from, FED_WORKER_TEXT_MAX, &out->organizations[i]);
    if (err)
        return err;
    out->n_organizations = n;
    err = take_digest(from, &out->public_key);
    if (!err)
        err = take_digest(from, &out->fingerprint);
    if (!err)
        err = take_i64(from, &out->not_before_unix_s);
    if (!err)
        err = take_i64(from, &out->not_after_unix_s);
    return err ? err : take_bool(from, &out->is_ca);
}

static enum fed_err take_counts(struct fed_span *from, struct fed_worker_counts *out)
{
    enum fed_err err = fed_span_take_u64(from, &out->sent_bytes);

    if (!err)
        err = fed_span_take_u64(from, &out->received_bytes);
    if (!err)
        err = fed_span_take_u64(from, &out->sent_datagrams);
    return err ? err : fed_span_take_u64(from, &out->received_datagrams);
}

static enum fed_err take_opened(struct fed_span *from, struct fed_worker_opened *out)
{
    enum fed_err err = fed_span_take_u64(from, &out->session);

    if (!err)
        err = take_text(from, FED_WORKER_TEXT_MAX, &out->address);
    if (!err)
        err = take_bool(from, &out->has_cert);
    if (!err && out->has_cert)
        err = take_cert(from, &out->cert);
    if (!err)
        err = take_text(from, FED_WORKER_IDENTITY_MAX, &out->psk_identity);
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_ID_SIZE, &out->https_id);
    if (!err && out->https_id.len > 0 && out->https_id.len < FED_WORKER_ID_SIZE)
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_SAVED_MAX, &out->kept);
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_RECALL_ID_MAX, &out->recall_id);
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_RECALL_MAX, &out->recall);
    return err ? err : take_counts(from, &out->counts);
}

static enum fed_err take_request(struct fed_span *from, struct fed_worker_request *out)
{
    enum fed_err err = fed_span_take_u64(from, &out->session);

    if (!err)
        err = fed_span_take_u64(from, &out->exchange);
    if (!err)
        err = fed_span_take_u8(from, &out->method);
    if (!err && out->method > 1)
        err = FED_ERR_INVALID;
    if (!err)
        err = take_bool(from, &out->observe);
    if (!err)
        err = take_bool(from, &out->again);
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_PATH_MAX, &out->path);
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_PATH_MAX, &out->query);
    return err ? err : fed_span_take_string(from, FED_WORKER_REQUEST_MAX, &out->payload);
}

static enum fed_err take_stats(struct fed_span *from, struct fed_worker_stats *out)
{
    enum fed_err err = fed_span_take_u64(from, &out->handshakes);

    if (!err)
        err = fed_span_take_u64(from, &out->recalled);
    if (!err)
        err = fed_span_take_u64(from, &out->failed);
    if (!err)
        err = fed_span_take_u64(from, &out->turned_away);
    if (!err)
        err = fed_span_take_u64(from, &out->restored);
    return err ? err : fed_span_take_u64(from, &out->sessions);
}

static enum fed_err take_saved(struct fed_span *from, struct fed_worker_saved *out)
{
    enum fed_err err = fed_span_take_u64(from, &out->session);

    if (!err)
        err = fed_span_take_u32(from, &out->away_ms);
    if (!err)
        err = fed_span_take_u16(from, &out->steer);
    if (!err && out->steer > 0xffu && out->steer != FED_WORKER_STEER_NONE)
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_SAVED_MAX, &out->kept);
    return err ? err : fed_span_take_string(from, FED_WORKER_SAVED_MAX, &out->part);
}

static enum fed_err take_certificate(struct fed_span *from, struct fed_worker_start *out)
{
    enum fed_err err = fed_span_take_string(from, FED_WORKER_PEM_MAX, &out->cert_pem);

    if (!err)
        err = fed_span_take_string(from, FED_WORKER_PEM_MAX, &out->key_pem);
    if (!err)
        err = fed_span_take_string(from, FED_WORKER_PEM_MAX, &out->client_ca_pem);
    return err ? err : fed_span_take_string(from, FED_WORKER_PEM_MAX, &out->chain_pem);
}

static enum fed_err take_start(struct fed_span *from, struct fed_worker_start *out)
{
    enum fed_err err = fed_span_take_u16(from, &out->index);

    if (!err)
        err = fed_span_take_u16(from, &out->count);
    if (!err && out->index >= out->count)
        err = FED_ERR_INVALID;
    if (!err)
        err = fed_span_take_u8(from, &out->log_level);
    if (!err)
        err = fed_span_take_u32(from, &out->sessions_max);
    if (!err)
        err = fed_span_take_u32(from, &out->handshakes_max);
    if (!err)
        err = fed_span_take_u32(from, &out->session_idle_ms);
    if (!err)
        err = fed_span_take_u32(from, &out->https_sessions_max);
    if (!err)
        err = fed_span_take_u32(from, &out->https_handshakes_max);
    return err ? err : take_certificate(from, out);
}

static enum fed_err take_answer(struct fed_span *from, struct fed_worker_answer *out)
{
    enum fed_err err = fed_span_take_u64(from, &out->exchange);

    if (!err)
        err = fed_span_take_u16(from, &out->code);
    if (!err)
        err = fed_span_take_u32(from, &out->max_age_s);
    return err ? err : fed_span_take_string(from, FED_WORKER_DOWN_MAX, &out->body);
}

static enum fed_err take_up(struct fed_span *from, struct fed_worker_message *out)
{
    enum fed_err err;

    switch (out->type) {
    case FED_WORKER_READY:
        return fed_span_take_u16(from, &out->port);
    case FED_WORKER_FAILED:
        return take_text(from, FED_WORKER_TEXT_MAX, &out->text);
    case FED_WORKER_OPENED:
        return take_opened(from, &out->opened);
    case FED_WORKER_CLOSED:
        err = fed_span_take_u64(from, &out->closed.session);
        return err ? err : take_text(from, FED_WORKER_TEXT_MAX, &out->closed.why);
    case FED_WORKER_ALIVE:
        return fed_span_take_u64(from, &out->session);
    case FED_WORKER_REQUEST:
        return take_request(from, &out->request);
    case FED_WORKER_NOTIFIED:
        err = fed_span_take_u64(from, &out->notified.session);
        if (!err)
            err = fed_span_take_u64(from, &out->notified.tag);
        return err ? err : take_bool(from, &out->notified.delivered);
    case FED_WORKER_COUNTED:
        err = fed_span_take_u64(from, &out->counted.session);
        return err ? err : take_counts(from, &out->counted.counts);
    case FED_WORKER_UNFIT:
        err = fed_span_take_u64(from, &out->notified.session);
        return err ? err : fed_span_take_u64(from, &out->notified.tag);
    case FED_WORKER_KEY_WANTED:
        err = take_text(from, FED_WORKER_IDENTITY_MAX, &out->key.identity);
        return err ? err : fed_span_take_string(from, 0, &out->key.key);
    case FED_WORKER_RECALL_WANTED:
        err = fed_span_take_string(from, FED_WORKER_RECALL_ID_MAX, &out->recall.id);
        return err ? err : fed_span_take_string(from, 0, &out->recall.bytes);
    case FED_WORKER_STATS:
    case FED_WORKER_STATS_HTTPS:
        return take_stats(from, &out->stats);
    case FED_WORKER_SAVED:
        return take_saved(from, &out->saved);
    case FED_WORKER_DONE:
    case FED_WORKER_QUIET:
        return FED_OK;
    default:
        return FED_ERR_UNSUPPORTED;
    }
}

static enum fed_err take_down(struct fed_span *from, struct fed_worker_message *out)
{
    enum fed_err err;

    switch (out->type) {
    case FED_WORKER_START:
        return take_start(from, &out->start);
    case FED_WORKER_ANSWER:
        return take_answer(from, &out->answer);
    case FED_WORKER_NOTIFY:
        err = fed_span_take_u64(from, &out->notify.session);
        if (!err)
            err = fed_span_take_u64(from, &out->notify.tag);
        return err ? err : fed_span_take_string(from, FED_WORKER_NOTIFY_MAX, &out->notify.body);
    case FED_WORKER_CLOSE:
    case FED_WORKER_TOUCH:
    case FED_WORKER_UNOBSERVE:
        return fed_span_take_u64(from, &out->session);
    case FED_WORKER_KEY:
        err = take_text(from, FED_WORKER_IDENTITY_MAX, &out->key.identity);
        return err ? err : fed_span_take_string(from, FED_WORKER_KEY_MAX, &out->key.key);
    case FED_WORKER_RECALL:
        err = fed_span_take_string(from, FED_WORKER_RECALL_ID_MAX, &out->recall.id);
        return err ? err : fed_span_take_string(from, FED_WORKER_RECALL_MAX, &out->recall.bytes);
    case FED_WORKER_CERTIFICATE:
        return take_certificate(from, &out->start);
    case FED_WORKER_RESTORE:
        return take_saved(from, &out->saved);
    case FED_WORKER_KNOCK:
        return take_text(from, FED_WORKER_TEXT_MAX, &out->text);
    case FED_WORKER_GO:
    case FED_WORKER_QUIET:
    case FED_WORKER_SAVE:
        return FED_OK;
    default:
        return FED_ERR_UNSUPPORTED;
    }
}

enum fed_err fed_worker_take(
    struct fed_span message, enum fed_worker_side side, struct fed_worker_message *out)
{
    struct fed_worker_message m;
    size_t size;
    uint8_t type;
    enum fed_err err = fed_worker_size(message, side, &size);

    memset(&m, 0, sizeof m);
    if (!err && (size == 0 || size > message.len))
        err = FED_ERR_TRUNCATED;
    if (!err && size < message.len)
        err = FED_ERR_INVALID;
    if (err)
        return err;
    message = fed_span_sub(message, FED_WORKER_HEAD_SIZE, size);
    err = fed_span_take_u8(&message, &type);
    m.type = (enum fed_worker_type)type;
    if (!err)
        err = side == FED_WORKER_FEDHUB ? take_up(&message, &m) : take_down(&message, &m);
    if (!err && message.len > 0)
        err = FED_ERR_INVALID;
    if (!err)
        *out = m;
    return err;
}
