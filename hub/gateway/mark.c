/* mark.c - whether two machines come with the identity of one cluster.
 *
 * Each hello carries a mark, which the agent stores and says at its next one. Who says an older one
 * than those that count has a copy of the state directory, or went back to one: it is refused, and
 * the other goes on being served, until a person decides.
 *
 * What counts is the mark that the agent is known to have stored, because it came with it or said
 * that it keeps it, and what was given since: an answer may be lost, the power may go before it is
 * stored, and of two hellos side by side (one by CoAP, one by HTTPS) only one is used.
 *
 * A mark is a number that grows (the time in Unix seconds, or one more than the last when that is
 * more), and four random bytes. A number larger than ours says that it is the hub which went back,
 * to a backup: that is no copy.
 *
 * Row "n/" cluster: u8 format 1; u8 flags (0x01: whoever comes next is right); u8 number of marks,
 * 1 to 4; the marks, 8 bytes each, the stored one first (zeros: the agent had none); varint Unix
 * seconds of the first that came with an older one (0: none did); strings: its address, the address
 * of who was served then. */
#include "hub/gateway/internal.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/text.h"

#define ROW_FORMAT 1u
#define FLAG_OPEN 0x01u
#define MARKS_MAX 4u
#define NAME_MAX_BYTES 253u

struct row {
    bool open; /* any counts */
    size_t n;  /* 0: there is no row */
    uint8_t marks[MARKS_MAX][FED_LINK_MARK_SIZE];
    int64_t copied_unix_s;
    char comer[GATEWAY_ADDRESS_SIZE];
    char served[GATEWAY_ADDRESS_SIZE];
};

/* ---- the row ---- */

static void put_key(struct fed_buf *key, struct fed_span cluster)
{
    fed_buf_put_text(key, "n/");
    fed_buf_put(key, cluster);
}

static void put_row(struct fed_buf *out, const struct row *row)
{
    fed_buf_put_u8(out, ROW_FORMAT);
    fed_buf_put_u8(out, row->open ? FLAG_OPEN : 0);
    fed_buf_put_u8(out, (uint8_t)row->n);
    fed_buf_put(out, fed_span_of(row->marks, row->n * FED_LINK_MARK_SIZE));
    fed_buf_put_varint(out, row->copied_unix_s < 0 ? 0 : (uint64_t)row->copied_unix_s);
    fed_buf_put_string(out, fed_span_text(row->comer));
    fed_buf_put_string(out, fed_span_text(row->served));
}

static enum fed_err take_address(struct fed_span *from, char out[GATEWAY_ADDRESS_SIZE])
{
    struct fed_span text;
    enum fed_err err = fed_span_take_string(from, GATEWAY_ADDRESS_SIZE - 1, &text);

    return err ? err : fed_span_to_cstr(text, out, GATEWAY_ADDRESS_SIZE);
}

static enum fed_err take_marks(struct fed_span *from, struct row *row)
{
    struct fed_span bytes;
    uint8_t n = 0;
    enum fed_err err = fed_span_take_u8(from, &n);

    if (!err && (n == 0 || n > MARKS_MAX))
        err = FED_ERR_CORRUPT;
    if (!err)
        err = fed_span_take_bytes(from, (size_t)n * FED_LINK_MARK_SIZE, &bytes);
    if (err)
        return err;
    memcpy(row->marks, bytes.at, bytes.len);
    row->n = n;
    return FED_OK;
}

static enum fed_err take_row(struct fed_span from, struct row *out)
{
    struct row row = {.n = 0};
    uint64_t copied = 0;
    uint8_t format = 0;
    uint8_t flags = 0;
    enum fed_err err = fed_span_take_u8(&from, &format);

    if (!err && format != ROW_FORMAT)
        err = FED_ERR_UNSUPPORTED;
    if (!err)
        err = fed_span_take_u8(&from, &flags);
    if (!err)
        err = take_marks(&from, &row);
    if (!err)
        err = fed_span_take_varint(&from, INT64_MAX, &copied);
    if (!err)
        err = take_address(&from, row.comer);
    if (!err)
        err = take_address(&from, row.served);
    row.open = flags & FLAG_OPEN;
    row.copied_unix_s = (int64_t)copied;
    if (!err)
        *out = row;
    return err;
}

static enum fed_err read_row(struct hub_gateway *gateway, struct fed_span cluster, struct row *out)
{
    struct fed_buf key;
    struct fed_buf value;
    enum fed_err err;

    *out = (struct row){0};
    fed_buf_init(&key, gateway->mem, NAME_MAX_BYTES + 2);
    fed_buf_init(&value, gateway->mem, FED_STORE_VALUE_MAX);
    put_key(&key, cluster);
    err = fed_buf_err(&key);
    if (!err)
        err = hub_objects_get_row(gateway->objects, fed_buf_span(&key), &value, NULL);
    if (!err)
        err = take_row(fed_buf_span(&value), out);
    fed_buf_fini(&key);
    fed_buf_fini(&value);
    return err == FED_ERR_NOT_FOUND ? FED_OK : err;
}

/* row NULL: removes it. Durable with the turn's commit. */
static enum fed_err stage_row(
    struct hub_gateway *gateway, struct fed_span cluster, const struct row *row)
{
    struct fed_store_op op = {.remove = !row};
    struct fed_buf key;
    struct fed_buf value;
    enum fed_err err;

    fed_buf_init(&key, gateway->mem, NAME_MAX_BYTES + 2);
    fed_buf_init(&value, gateway->mem, 512);
    put_key(&key, cluster);
    if (row)
        put_row(&value, row);
    err = fed_buf_err(&key) ? fed_buf_err(&key) : fed_buf_err(&value);
    op.key = fed_buf_span(&key);
    op.value = fed_buf_span(&value);
    if (!err)
        err = hub_objects_stage(gateway->objects, NULL, 0, &op, 1, NULL, NULL);
    if (!err && !hub_objects_flush_soon(gateway->objects))
        err = hub_objects_flush(gateway->objects, NULL);
    fed_buf_fini(&key);
    fed_buf_fini(&value);
    return err;
}

/* ---- judging ---- */

static uint32_t number_of(const uint8_t mark[FED_LINK_MARK_SIZE])
{
    return (uint32_t)mark[0] << 24 | (uint32_t)mark[1] << 16 | (uint32_t)mark[2] << 8 | mark[3];
}

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, FED_LINK_MARK_SIZE) == 0;
}

/* Index of a mark that counts; n when it does not. */
static size_t find(const struct row *row, const uint8_t mark[FED_LINK_MARK_SIZE])
{
    size_t i = 0;

    while (i < row->n && !same(row->marks[i], mark))
        i++;
    return i;
}

static bool is_older(const struct row *row, const struct fed_link_hello_query *asked)
{
    if (row->n == 0 || row->open || find(row, asked->mark) < row->n)
        return false;
    return !asked->has_mark || number_of(asked->mark) <= number_of(row->marks[row->n - 1]);
}

/* The agent has this one stored: those before count no more. */
static void is_stored(struct row *row, const uint8_t mark[FED_LINK_MARK_SIZE])
{
    size_t i = find(row, mark);

    if (i < row->n) {
        row->n -= i;
        memmove(row->marks, row->marks + i, row->n * sizeof row->marks[0]);
    } else {
        memcpy(row->marks[0], mark, sizeof row->marks[0]);
        row->n = 1;
    }
}

/* Adds the next mark. */
static enum fed_err advance(
    struct hub_gateway *gateway, struct row *row, const struct fed_link_hello_query *asked)
{
    uint32_t number = row->n > 0 ? number_of(row->marks[row->n - 1]) : 0;
    int64_t now = fed_loop_unix_s(gateway->loop);
    uint8_t *next;

    if (number_of(asked->mark) > number)
        number = number_of(asked->mark);
    number++;
    if (now > number && now <= UINT32_MAX)
        number = (uint32_t)now;
    is_stored(row, asked->mark);
    if (row->n == MARKS_MAX) { /* of those that were given, the oldest was not stored */
        row->n--;
        memmove(row->marks + 1, row->marks + 2, (row->n - 1) * sizeof row->marks[0]);
    }
    next = row->marks[row->n++];
    for (size_t i = 0; i < 4; i++)
        next[i] = (uint8_t)(number >> (24 - 8 * i));
    row->open = false;
    return hub_identity_random(gateway->identity, next + 4, FED_LINK_MARK_SIZE - 4);
}

/* ---- a copy ---- */

static void message_of(const struct row *row, char out[GATEWAY_COPIED_SIZE])
{
    char time[FED_TEXT_TIME_SIZE];

    fed_text_time(row->copied_unix_s, time);
    snprintf(out, GATEWAY_COPIED_SIZE,
        "two machines came with the identity of this cluster: one from %s, which is served, and "
        "one from %s with an older state, at %s, which is refused",
        row->served[0] ? row->served : "an unknown address", row->comer, time);
}

/* Who is served is told at its next hello; that is made to be soon. */
static void tell(const struct gateway_session *comer, const struct row *row)
{
    struct hub_gateway *gateway = comer->binding->gateway;
    struct fed_span cluster = fed_span_text(comer->name);
    struct gateway_session *served = fed_map_get(&gateway->sessions, cluster);
    char message[GATEWAY_COPIED_SIZE];

    message_of(row, message);
    fed_log(gateway->log, FED_LOG_WARN, "gateway: cluster " FED_SPAN_FMT ": %s",
        FED_SPAN_ARG(cluster), message);
    hub_status_copied(gateway->status, cluster, message, row->copied_unix_s);
    if (gateway->copied)
        gateway->copied(gateway->copied_ctx, cluster, message);
    if (served && served != comer)
        gateway_session_cut(served);
}

static enum fed_err refuse(struct gateway_session *session, struct row *row, struct fed_diag *diag)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_span cluster = fed_span_text(session->name);
    const struct gateway_session *served = fed_map_get(&gateway->sessions, cluster);

    if (row->copied_unix_s == 0) {
        row->copied_unix_s = fed_loop_unix_s(gateway->loop);
        snprintf(row->comer, sizeof row->comer, "%s", session->address);
        snprintf(row->served, sizeof row->served, "%s", served ? served->address : "");
        if (stage_row(gateway, cluster, row))
            row->copied_unix_s = 0; /* the next time again */
        else
            tell(session, row);
    }
    return fed_diag_set(diag, FED_ERR_FORBIDDEN,
        "another machine has this cluster's identity and a newer state (a copy was made, or a "
        "backup "
        "brought back): `fedlet join --again` here, or `fedctl approve --clone` at the hub, "
        "decides");
}

/* ---- hello ---- */

/* The same request in the same session: its answer was lost. (An agent that was started anew and
 * goes on with its session says the mark that it was given, and gets the next.) */
static bool is_again(
    const struct gateway_session *session, const struct fed_link_hello_query *asked)
{
    return session->marked && same(asked->mark, session->mark_came);
}

enum fed_err gateway_mark_hello(struct gateway_session *session, struct fed_span query,
    struct fed_link_hello_items *items, struct fed_diag *diag)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct fed_span cluster = fed_span_text(session->name);
    struct fed_link_hello_query asked;
    struct row row;
    enum fed_err err = fed_link_hello_query_parse(query, &asked);

    if (err)
        return fed_diag_set(diag, err, "n is 16 hex digits, or 0");
    if (!asked.marks)
        return FED_OK;
    err = read_row(gateway, cluster, &row);
    if (err)
        return err;
    items->copied = row.copied_unix_s > 0;
    if (!is_again(session, &asked)) {
        if (is_older(&row, &asked))
            return refuse(session, &row, diag);
        memcpy(session->mark_came, asked.mark, sizeof session->mark_came);
        /* What cannot be kept is not given: the agent goes on with the mark that it has. */
        if (advance(gateway, &row, &asked) || stage_row(gateway, cluster, &row))
            return FED_OK;
        memcpy(session->mark, row.marks[row.n - 1], sizeof session->mark);
        session->marked = true;
    }
    memcpy(items->mark, session->mark, sizeof items->mark);
    items->has_mark = true;
    return FED_OK;
}

void gateway_mark_kept(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct row row;

    if (!session->marked || read_row(gateway, fed_span_text(session->name), &row) ||
        find(&row, session->mark) == 0 || find(&row, session->mark) == row.n)
        return;
    is_stored(&row, session->mark);
    /* Lost, it only means that those before count longer. */
    (void)stage_row(gateway, fed_span_text(session->name), &row);
}

/* ---- a person decides ---- */

void gateway_mark_open_to_all(struct hub_gateway *gateway, struct fed_span cluster)
{
    struct row row;
    enum fed_err err = read_row(gateway, cluster, &row);

    if (!err && row.n == 0)
        return;
    row.open = true;
    row.copied_unix_s = 0;
    row.comer[0] = row.served[0] = 0;
    if (!err)
        err = stage_row(gateway, cluster, &row);
    if (err)
        fed_log(gateway->log, FED_LOG_ERROR,
            "gateway: that the next machine counts as cluster " FED_SPAN_FMT
            " cannot be stored; do it again",
            FED_SPAN_ARG(cluster));
    else
        hub_status_copied(gateway->status, cluster, NULL, 0);
}

void gateway_mark_forget(struct hub_gateway *gateway, struct fed_span cluster)
{
    if (stage_row(gateway, cluster, NULL))
        fed_log(gateway->log, FED_LOG_WARN, "gateway: the mark of cluster " FED_SPAN_FMT " stays",
            FED_SPAN_ARG(cluster));
}

static struct fed_span accepted_at(
    struct fed_alloc *mem, struct fed_span bytes, struct fed_json_doc **doc)
{
    struct fed_json *object = NULL;

    if (fed_json_doc_new(mem, doc) || fed_json_parse(*doc, bytes, &object, NULL))
        return fed_span_text("");
    return fed_json_string(fed_json_find(object, "spec.cloneAcceptedAt"));
}

void gateway_mark_request(struct hub_gateway *gateway, const struct hub_change *change)
{
    struct fed_json_doc *before = NULL;
    struct fed_json_doc *after = NULL;
    struct fed_span now = accepted_at(gateway->mem, change->bytes, &after);

    if (now.len > 0 && !fed_span_eq(now, accepted_at(gateway->mem, change->before, &before))) {
        fed_log(gateway->log, FED_LOG_INFO,
            "gateway: the next machine that comes as cluster " FED_SPAN_FMT
            " is the one that counts",
            FED_SPAN_ARG(change->ref.name));
        gateway_mark_open_to_all(gateway, change->ref.name);
    }
    fed_json_doc_free(before);
    fed_json_doc_free(after);
}

/* ---- at the start ---- */

static bool each_row(void *ctx, const struct fed_store_item *item)
{
    struct hub_gateway *gateway = ctx;
    char message[GATEWAY_COPIED_SIZE];
    struct row row;

    if (take_row(item->value, &row) || row.copied_unix_s == 0)
        return true;
    message_of(&row, message);
    hub_status_copied(
        gateway->status, fed_span_sub(item->key, 2, item->key.len), message, row.copied_unix_s);
    return true;
}

enum fed_err gateway_mark_open(struct hub_gateway *gateway)
{
    struct fed_store *store = hub_objects_store(gateway->objects);

    return store->range(store->ctx, FED_SPAN_LIT("n/"), FED_SPAN_LIT("n0"), 0, each_row, gateway);
}
