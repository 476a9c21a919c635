/* worker_put.c - see worker.h: the encoder. */
#include "proto/worker/worker.h"

static void put_digest(struct fed_buf *out, const struct fed_digest *digest)
{
    fed_buf_put(out, fed_span_of(digest->bytes, sizeof digest->bytes));
}

static void put_cert(struct fed_buf *out, const struct fed_worker_cert *cert)
{
    fed_buf_put_string(out, cert->common_name);
    fed_buf_put_u8(out, (uint8_t)cert->n_organizations);
    for (size_t i = 0; i < cert->n_organizations; i++)
        fed_buf_put_string(out, cert->organizations[i]);
    put_digest(out, &cert->public_key);
    put_digest(out, &cert->fingerprint);
    fed_buf_put_u64(out, (uint64_t)cert->not_before_unix_s);
    fed_buf_put_u64(out, (uint64_t)cert->not_after_unix_s);
    fed_buf_put_u8(out, cert->is_ca);
}

static void put_counts(struct fed_buf *out, const struct fed_worker_counts *counts)
{
    fed_buf_put_u64(out, counts->sent_bytes);
    fed_buf_put_u64(out, counts->received_bytes);
    fed_buf_put_u64(out, counts->sent_datagrams);
    fed_buf_put_u64(out, counts->received_datagrams);
}

static void put_opened(struct fed_buf *out, const struct fed_worker_opened *opened)
{
    fed_buf_put_u64(out, opened->session);
    fed_buf_put_string(out, opened->address);
    fed_buf_put_u8(out, opened->has_cert);
    if (opened->has_cert)
        put_cert(out, &opened->cert);
    fed_buf_put_string(out, opened->psk_identity);
    fed_buf_put_string(out, opened->https_id);
    fed_buf_put_string(out, opened->kept);
    fed_buf_put_string(out, opened->recall_id);
    fed_buf_put_string(out, opened->recall);
    put_counts(out, &opened->counts);
}

static void put_request(struct fed_buf *out, const struct fed_worker_request *request)
{
    fed_buf_put_u64(out, request->session);
    fed_buf_put_u64(out, request->exchange);
    fed_buf_put_u8(out, request->method);
    fed_buf_put_u8(out, request->observe);
    fed_buf_put_u8(out, request->again);
    fed_buf_put_string(out, request->path);
    fed_buf_put_string(out, request->query);
    fed_buf_put_string(out, request->payload);
}

static void put_stats(struct fed_buf *out, const struct fed_worker_stats *stats)
{
    fed_buf_put_u64(out, stats->handshakes);
    fed_buf_put_u64(out, stats->recalled);
    fed_buf_put_u64(out, stats->failed);
    fed_buf_put_u64(out, stats->turned_away);
    fed_buf_put_u64(out, stats->restored);
    fed_buf_put_u64(out, stats->sessions);
}

static void put_saved(struct fed_buf *out, const struct fed_worker_saved *saved)
{
    fed_buf_put_u64(out, saved->session);
    fed_buf_put_u32(out, saved->away_ms);
    fed_buf_put_u16(out, saved->steer);
    fed_buf_put_string(out, saved->kept);
    fed_buf_put_string(out, saved->part);
}

static void put_certificate(struct fed_buf *out, const struct fed_worker_start *start)
{
    fed_buf_put_string(out, start->cert_pem);
    fed_buf_put_string(out, start->key_pem);
    fed_buf_put_string(out, start->client_ca_pem);
    fed_buf_put_string(out, start->chain_pem);
}

static void put_start(struct fed_buf *out, const struct fed_worker_start *start)
{
    fed_buf_put_u16(out, start->index);
    fed_buf_put_u16(out, start->count);
    fed_buf_put_u8(out, start->log_level);
    fed_buf_put_u32(out, start->sessions_max);
    fed_buf_put_u32(out, start->handshakes_max);
    fed_buf_put_u32(out, start->session_idle_ms);
    fed_buf_put_u32(out, start->https_sessions_max);
    fed_buf_put_u32(out, start->https_handshakes_max);
    put_certificate(out, start);
}

static void put_answer(struct fed_buf *out, const struct fed_worker_answer *answer)
{
    fed_buf_put_u64(out, answer->exchange);
    fed_buf_put_u16(out, answer->code);
    fed_buf_put_u32(out, answer->max_age_s);
    fed_buf_put_string(out, answer->body);
}

static void put_fields(struct fed_buf *out, const struct fed_worker_message *m)
{
    switch (m->type) {
    case FED_WORKER_READY:
        fed_buf_put_u16(out, m->port);
        break;
    case FED_WORKER_FAILED:
    case FED_WORKER_KNOCK:
        fed_buf_put_string(out, m->text);
        break;
    case FED_WORKER_OPENED:
        put_opened(out, &m->opened);
        break;
    case FED_WORKER_CLOSED:
        fed_buf_put_u64(out, m->closed.session);
        fed_buf_put_string(out, m->closed.why);
        break;
    case FED_WORKER_ALIVE:
    case FED_WORKER_CLOSE:
    case FED_WORKER_TOUCH:
    case FED_WORKER_UNOBSERVE:
        fed_buf_put_u64(out, m->session);
        break;
    case FED_WORKER_REQUEST:
        put_request(out, &m->request);
        break;
    case FED_WORKER_NOTIFIED:
        fed_buf_put_u64(out, m->notified.session);
        fed_buf_put_u64(out, m->notified.tag);
        fed_buf_put_u8(out, m->notified.delivered);
        break;
    case FED_WORKER_COUNTED:
        fed_buf_put_u64(out, m->counted.session);
        put_counts(out, &m->counted.counts);
        break;
    case FED_WORKER_UNFIT:
        fed_buf_put_u64(out, m->notified.session);
        fed_buf_put_u64(out, m->notified.tag);
        break;
    case FED_WORKER_NOTIFY:
        fed_buf_put_u64(out, m->notify.session);
        fed_buf_put_u64(out, m->notify.tag);
        fed_buf_put_string(out, m->notify.body);
        break;
    case FED_WORKER_KEY_WANTED:
    case FED_WORKER_KEY:
        fed_buf_put_string(out, m->key.identity);
        fed_buf_put_string(out, m->key.key);
        break;
    case FED_WORKER_RECALL_WANTED:
    case FED_WORKER_RECALL:
        fed_buf_put_string(out, m->recall.id);
        fed_buf_put_string(out, m->recall.bytes);
        break;
    case FED_WORKER_STATS:
    case FED_WORKER_STATS_HTTPS:
        put_stats(out, &m->stats);
        break;
    case FED_WORKER_SAVED:
    case FED_WORKER_RESTORE:
        put_saved(out, &m->saved);
        break;
    case FED_WORKER_START:
        put_start(out, &m->start);
        break;
    case FED_WORKER_CERTIFICATE:
        put_certificate(out, &m->start);
        break;
    case FED_WORKER_ANSWER:
        put_answer(out, &m->answer);
        break;
    case FED_WORKER_DONE:
    case FED_WORKER_GO:
    case FED_WORKER_QUIET:
    case FED_WORKER_SAVE:
        break;
    }
}

void fed_worker_put(struct fed_buf *out, const struct fed_worker_message *message)
{
    size_t at = out->len;
    size_t size;

    fed_buf_put_u32(out, 0);
    fed_buf_put_u8(out, (uint8_t)message->type);
    put_fields(out, message);
    if (fed_buf_err(out)) {
        fed_buf_cut(out, at);
        return;
    }
    size = out->len - at - FED_WORKER_HEAD_SIZE;
    for (size_t i = 0; i < FED_WORKER_HEAD_SIZE; i++)
        out->at[at + i] = (uint8_t)(size >> (24 - 8 * i));
}
