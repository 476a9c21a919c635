/* knock.c - a hub that went down without a word left agents with sessions that nobody else knows.
 * They would find out with their next heartbeat, minutes later; so the next hub knocks where each
 * was last seen (docs/protocol.md section 10.2), which makes an agent look whether its session
 * lives.
 *
 * Row "k/" cluster: u8 format 1, string address of its last session by CoAP. Rows are written
 * together, within a second: losing one costs that agent's wait for its heartbeat. What roams by
 * its connection ID is looked for where it connected, and waits, too. */
#include "hub/gateway/internal.h"

#include <string.h>

#define PREFIX "k/"
#define PREFIX_LEN 2u
#define ROW_FORMAT 1u
#define ADDRESS_MAX (GATEWAY_ADDRESS_SIZE - 1u)
#define KEY_MAX (PREFIX_LEN + 253u)
#define WRITE_MS 1000u
#define WRITE_MAX 1024u /* rows of one commit */
#define AFTER_MS 500u   /* those who are there already need no knock */
#define SLICE 100u      /* knocks at once */
#define SLICE_MS 50u
#define ROUNDS 2u /* a datagram may be lost */
#define ROUND_MS 5000u
/* Who hears a knock comes back within some seconds, with a handshake of milliseconds. No more are
 * called than are served in that time: a ClientHello for which there is no room waits for its
 * repetition, each time twice as long. Who does not come is forgotten after a while. */
#define CALLED_MAX 2500u
#define CALLED_FORGET (10000u / SLICE_MS)

struct gateway_knock {
    hub_gateway_knock *call;
    void *ctx;
    struct fed_timer *write_timer;
    struct fed_timer *timer;
    bool write_set;
    unsigned round;
    size_t called;     /* and not back yet, about */
    size_t returned;   /* since the last look */
    size_t cursor_len; /* of the last key that was seen; 0: begin */
    uint8_t cursor[KEY_MAX + 1];
};

/* ---- writing ---- */

void gateway_knock_note(struct gateway_session *session)
{
    struct hub_gateway *gateway = session->binding->gateway;
    struct gateway_knock *knock = gateway->knock;

    if (strcmp(session->binding->link->name, "coap") != 0)
        return;
    knock->returned++;
    session->unstored = true;
    if (!knock->write_set)
        gateway->loop->timer_set(
            gateway->loop->ctx, knock->write_timer, fed_loop_now_ms(gateway->loop) + WRITE_MS);
    knock->write_set = true;
}

static enum fed_err put_op(
    struct fed_arena *arena, const struct gateway_session *session, struct fed_store_op *op)
{
    struct fed_buf key;
    struct fed_buf row;

    fed_buf_init(&key, &arena->alloc, KEY_MAX);
    fed_buf_init(&row, &arena->alloc, ADDRESS_MAX + 2);
    fed_buf_put_text(&key, PREFIX);
    fed_buf_put_text(&key, session->name);
    fed_buf_put_u8(&row, ROW_FORMAT);
    fed_buf_put_string(&row, fed_span_text(session->address));
    *op = (struct fed_store_op){.key = fed_buf_span(&key), .value = fed_buf_span(&row)};
    return fed_buf_err(&key) ? fed_buf_err(&key) : fed_buf_err(&row);
}

/* A restart finds most of them where they were. */
static bool is_stored(struct hub_gateway *gateway, const struct fed_store_op *op)
{
    struct fed_buf row;
    bool same;

    fed_buf_init(&row, gateway->mem, 1024);
    same = !hub_objects_get_row(gateway->objects, op->key, &row, NULL) &&
           fed_span_eq(fed_buf_span(&row), op->value);
    fed_buf_fini(&row);
    return same;
}

static bool is_newest(const struct hub_gateway *gateway, const struct gateway_session *session)
{
    return fed_map_get(&gateway->sessions, fed_span_text(session->name)) == session;
}

/* Returns whether there are more. */
static bool write_some(struct hub_gateway *gateway, struct fed_arena *arena)
{
    struct fed_store_op *ops = fed_alloc_array(&arena->alloc, WRITE_MAX, sizeof *ops);
    struct gateway_session *session = gateway->all;
    size_t n = 0;

    for (; ops && session && n < WRITE_MAX; session = session->older) {
        if (!session->unstored)
            continue;
        if (is_newest(gateway, session) && !put_op(arena, session, &ops[n]) &&
            !is_stored(gateway, &ops[n]))
            n++;
        session->unstored = false;
    }
    if (n && (hub_objects_stage(gateway->objects, NULL, 0, ops, n, NULL, NULL) ||
                 !hub_objects_flush_soon(gateway->objects)))
        fed_log(
            gateway->log, FED_LOG_WARN, "gateway: the addresses of %zu agents are not stored", n);
    return session != NULL;
}

static bool write_slice(struct hub_gateway *gateway)
{
    struct fed_arena arena;
    bool more;

    fed_arena_init(&arena, gateway->mem, 8u << 20);
    more = write_some(gateway, &arena);
    fed_arena_fini(&arena);
    return more;
}

static void on_write(void *ctx)
{
    struct hub_gateway *gateway = ctx;
    struct gateway_knock *knock = gateway->knock;

    knock->write_set = write_slice(gateway);
    if (knock->write_set)
        gateway->loop->timer_set(
            gateway->loop->ctx, knock->write_timer, fed_loop_now_ms(gateway->loop) + WRITE_MS);
}

void gateway_knock_flush(struct hub_gateway *gateway)
{
    if (!gateway->knock->write_set)
        return;
    while (write_slice(gateway))
        ;
    gateway->knock->write_set = false;
    gateway->loop->timer_stop(gateway->loop->ctx, gateway->knock->write_timer);
    hub_objects_flush(gateway->objects, NULL);
}

void gateway_knock_gone(struct hub_gateway *gateway, struct fed_span cluster)
{
    struct fed_store_op op = {.remove = true};
    struct fed_buf key;

    fed_buf_init(&key, gateway->mem, KEY_MAX);
    fed_buf_put_text(&key, PREFIX);
    fed_buf_put(&key, cluster);
    op.key = fed_buf_span(&key);
    if (fed_buf_err(&key) || hub_objects_stage(gateway->objects, NULL, 0, &op, 1, NULL, NULL))
        fed_log(gateway->log, FED_LOG_WARN,
            "gateway: the address of cluster " FED_SPAN_FMT " stays stored", FED_SPAN_ARG(cluster));
    fed_buf_fini(&key);
}

/* ---- knocking ---- */

struct slice {
    struct hub_gateway *gateway;
    size_t seen;
    size_t knocked;
};

static bool knock_one(void *ctx, const struct fed_store_item *item)
{
    struct slice *slice = ctx;
    struct gateway_knock *knock = slice->gateway->knock;
    struct fed_span cluster = fed_span_sub(item->key, PREFIX_LEN, item->key.len);
    struct fed_span row = item->value;
    struct fed_span text;
    char address[ADDRESS_MAX + 1];
    uint8_t format;

    slice->seen++;
    if (item->key.len <= KEY_MAX) {
        memcpy(knock->cursor, item->key.at, item->key.len);
        knock->cursor_len = item->key.len;
    }
    if (fed_map_get(&slice->gateway->sessions, cluster) || fed_span_take_u8(&row, &format) ||
        format != ROW_FORMAT || fed_span_take_string(&row, ADDRESS_MAX, &text) ||
        fed_span_to_cstr(text, address, sizeof address))
        return true;
    knock->call(knock->ctx, address);
    slice->knocked++;
    return true;
}

/* Behind the last key that was seen. */
static struct fed_span begin_of(const struct gateway_knock *knock, uint8_t out[KEY_MAX + 1])
{
    if (knock->cursor_len == 0)
        return FED_SPAN_LIT(PREFIX);
    memcpy(out, knock->cursor, knock->cursor_len);
    out[knock->cursor_len] = 0;
    return fed_span_of(out, knock->cursor_len + 1);
}

/* How many may be called now. */
static size_t room(struct gateway_knock *knock)
{
    size_t gone = knock->returned + knock->called / CALLED_FORGET;

    knock->returned = 0;
    knock->called = knock->called > gone ? knock->called - gone : 0;
    if (knock->called >= CALLED_MAX)
        return 0;
    return CALLED_MAX - knock->called < SLICE ? CALLED_MAX - knock->called : SLICE;
}

/* false: that was all. */
static bool knock_some(struct hub_gateway *gateway, size_t most)
{
    struct fed_store *store = hub_objects_store(gateway->objects);
    struct slice slice = {.gateway = gateway};
    uint8_t from[KEY_MAX + 1];

    /* After an error whoever was not reached waits for its heartbeat. */
    if (store->range(store->ctx, begin_of(gateway->knock, from), FED_SPAN_LIT("k0"), most,
            knock_one, &slice))
        return false;
    gateway->knock->called += slice.knocked;
    gateway->stats.knocked += slice.knocked;
    return slice.seen == most;
}

static void on_knock(void *ctx)
{
    struct hub_gateway *gateway = ctx;
    struct gateway_knock *knock = gateway->knock;
    uint64_t next_ms = fed_loop_now_ms(gateway->loop) + SLICE_MS;
    size_t most = room(knock);

    if (most > 0 && !knock_some(gateway, most)) {
        knock->cursor_len = 0;
        if (++knock->round == ROUNDS) {
            if (gateway->stats.knocked)
                fed_log(gateway->log, FED_LOG_INFO,
                    "gateway: knocked %llu times at agents that were connected before the start",
                    (unsigned long long)gateway->stats.knocked);
            return;
        }
        next_ms += ROUND_MS;
    }
    gateway->loop->timer_set(gateway->loop->ctx, knock->timer, next_ms);
}

void hub_gateway_knock_by(struct hub_gateway *gateway, hub_gateway_knock *call, void *ctx)
{
    struct gateway_knock *knock = gateway->knock;

    knock->call = call;
    knock->ctx = ctx;
    knock->round = 0;
    knock->cursor_len = 0;
    if (call)
        gateway->loop->timer_set(
            gateway->loop->ctx, knock->timer, fed_loop_now_ms(gateway->loop) + AFTER_MS);
    else
        gateway->loop->timer_stop(gateway->loop->ctx, knock->timer);
}

/* ---- life ---- */

enum fed_err gateway_knock_open(struct hub_gateway *gateway)
{
    struct fed_loop *loop = gateway->loop;
    enum fed_err err;

    gateway->knock = fed_alloc_zero(gateway->mem, sizeof *gateway->knock);
    if (!gateway->knock)
        return FED_ERR_NOMEM;
    err = loop->timer_new(loop->ctx, on_write, gateway, &gateway->knock->write_timer);
    if (!err)
        err = loop->timer_new(loop->ctx, on_knock, gateway, &gateway->knock->timer);
    return err;
}

void gateway_knock_close(struct hub_gateway *gateway)
{
    struct gateway_knock *knock = gateway->knock;

    if (!knock)
        return;
    gateway->loop->timer_free(gateway->loop->ctx, knock->write_timer);
    gateway->loop->timer_free(gateway->loop->ctx, knock->timer);
    fed_alloc_free(gateway->mem, knock, sizeof *knock);
    gateway->knock = NULL;
}
