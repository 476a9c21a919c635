/* pool.c - see pool.h. */
#include "ports/worker/pool.h"

#include "ports/worker/sockets.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS_DEFAULT 20000u
#define HANDSHAKES_DEFAULT 1000u
#define SPARE_PER_CENT 25u /* hashes do not share evenly */

/* ---- open ---- */

static enum fed_err keep(struct fed_buf *to, struct fed_span bytes)
{
    if (to->at)
        memset(to->at, 0, to->cap);
    fed_buf_clear(to);
    fed_buf_put(to, bytes);
    return fed_buf_err(to);
}

static enum fed_err keep_certificate(struct fed_worker_pool *pool, struct fed_span cert_pem,
    struct fed_span chain_pem, struct fed_span key_pem, struct fed_span client_ca_pem)
{
    enum fed_err err = keep(&pool->cert_pem, cert_pem);

    if (!err)
        err = keep(&pool->chain_pem, chain_pem);
    if (!err)
        err = keep(&pool->key_pem, key_pem);
    return err ? err : keep(&pool->client_ca_pem, client_ca_pem);
}

static unsigned share_of(unsigned max, unsigned normal, unsigned n)
{
    unsigned all = max ? max : normal;

    return n == 1 ? all : all / n + all / 100 * SPARE_PER_CENT / n + 1;
}

/* Of all workers to each. */
static void share_out(struct fed_link_server_options *options, unsigned n)
{
    options->sessions_max = share_of(options->sessions_max, SESSIONS_DEFAULT, n);
    options->handshakes_max = share_of(options->handshakes_max, HANDSHAKES_DEFAULT, n);
}

uint64_t pool_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The workers of a hub that was killed may still be telling their agents, on the same port. */
typedef enum fed_err sockets_ask(
    const char *listen, unsigned n, int *fds, uint16_t *port, struct fed_diag *diag);

static enum fed_err sockets_open(const struct fed_worker_pool *pool, sockets_ask *ask,
    const char *listen, int *fds, uint16_t *port, struct fed_diag *diag)
{
    struct timespec step = {.tv_nsec = 20000000};
    uint64_t end_ms = pool_clock_ms() + POOL_END_MS;
    enum fed_err err;

    for (;;) {
        err = ask(listen, pool->n, fds, port, diag);
        if (err != FED_ERR_EXISTS || pool_clock_ms() >= end_ms)
            return err;
        nanosleep(&step, NULL);
    }
}

/* From here on they can be closed, whatever fails. */
static enum fed_err workers_new(struct fed_worker_pool *pool)
{
    pool->workers = fed_alloc_zero(pool->mem, pool->n * sizeof *pool->workers);
    if (!pool->workers)
        return FED_ERR_NOMEM;
    for (unsigned i = 0; i < pool->n; i++) {
        struct pool_worker *worker = &pool->workers[i];

        worker->pool = pool;
        worker->index = i;
        fed_map_init(&worker->by_id, pool->mem);
        fed_buf_init(&worker->knocks, pool->mem, POOL_KNOCKS_MAX * (POOL_ADDRESS_SIZE + 1));
    }
    return FED_OK;
}

static enum fed_err workers_init(struct fed_worker_pool *pool, struct fed_diag *diag)
{
    struct fed_loop *loop = pool->loop;
    int fds[FED_WORKER_POOL_MAX];
    enum fed_err err = FED_OK;

    for (unsigned i = 0; !err && i < pool->n; i++)
        err =
            loop->timer_new(loop->ctx, pool_worker_due, &pool->workers[i], &pool->workers[i].timer);
    if (err)
        return fed_diag_set(diag, err, "gateway workers: %s", fed_err_text(err));
    err = sockets_open(pool, worker_sockets_open, pool->server.listen, fds, &pool->port, diag);
    for (unsigned i = 0; !err && i < pool->n; i++)
        pool->workers[i].udp_fd = fds[i];
    if (err || !pool->https.listen)
        return err;
    err =
        sockets_open(pool, worker_listeners_open, pool->https.listen, fds, &pool->https_port, diag);
    for (unsigned i = 0; !err && i < pool->n; i++)
        pool->workers[i].tcp_fd = fds[i];
    return err;
}

static void on_timeout(void *ctx);

static enum fed_err pool_init(struct fed_worker_pool *pool,
    const struct fed_worker_pool_options *options, struct fed_diag *diag)
{
    enum fed_err err;

    fed_buf_init(&pool->cert_pem, pool->mem, FED_WORKER_PEM_MAX);
    fed_buf_init(&pool->chain_pem, pool->mem, FED_WORKER_PEM_MAX);
    fed_buf_init(&pool->key_pem, pool->mem, FED_WORKER_PEM_MAX);
    fed_buf_init(&pool->client_ca_pem, pool->mem, FED_WORKER_PEM_MAX);
    pool->n = options->workers;
    pool->log_level = options->log_level;
    pool->lost = options->lost;
    pool->lost_ctx = options->lost_ctx;
    pool->server = options->server;
    share_out(&pool->server, pool->n);
    if (options->https.listen) {
        pool->https = options->https;
        pool->https_events = *options->https_events;
        share_out(&pool->https, pool->n);
    }
    err = keep_certificate(pool, options->server.cert_pem, options->https.cert_pem,
        options->server.key_pem, options->server.client_ca_pem);
    if (!err)
        err = workers_new(pool);
    if (!err)
        err = pool->loop->timer_new(pool->loop->ctx, on_timeout, pool, &pool->timer);
    if (err)
        return fed_diag_set(diag, err, "gateway workers: %s", fed_err_text(err));
    return workers_init(pool, diag);
}

enum fed_err fed_worker_pool_open(struct fed_alloc *mem, struct fed_loop *loop, struct fed_log *log,
    const struct fed_worker_pool_options *options, const struct fed_link_server_events *events,
    struct fed_worker_pool **out, struct fed_diag *diag)
{
    struct fed_worker_pool *pool;
    enum fed_err err;

    if (options->workers == 0 || options->workers > FED_WORKER_POOL_MAX)
        return fed_diag_set(diag, FED_ERR_INVALID, "not 1 to %u workers", FED_WORKER_POOL_MAX);
    pool = fed_alloc_zero(mem, sizeof *pool);
    if (!pool)
        return fed_diag_set(diag, FED_ERR_NOMEM, "no memory for the gateway workers");
    pool->mem = mem;
    pool->loop = loop;
    pool->log = log;
    pool->events = *events;
    fed_map_init(&pool->joints, mem);
    err = pool_init(pool, options, diag);
    if (err) {
        fed_worker_pool_close(pool);
        return err;
    }
    for (unsigned i = 0; i < pool->n; i++)
        pool_worker_start(&pool->workers[i]);
    *out = pool;
    return FED_OK;
}

/* ---- close ---- */

static void wipe(struct fed_buf *buf)
{
    if (buf->at)
        memset(buf->at, 0, buf->cap);
    fed_buf_fini(buf);
}

static void workers_free(struct fed_worker_pool *pool)
{
    uint64_t end_ms = pool_clock_ms() + POOL_END_MS;

    /* All hear of it before the first is waited for. */
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->workers[i].stream_open)
            worker_stream_flush(&pool->workers[i].stream);
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->workers[i].stream_open) {
            worker_stream_fini(&pool->workers[i].stream);
            pool->workers[i].stream_open = false;
        }
    for (unsigned i = 0; i < pool->n; i++) {
        struct pool_worker *worker = &pool->workers[i];

        pool_worker_end(worker, end_ms);
        pool->loop->timer_free(pool->loop->ctx, worker->timer);
        fed_map_fini(&worker->by_id);
        fed_buf_fini(&worker->knocks);
        if (worker->udp_fd > 0)
            close(worker->udp_fd);
        if (worker->tcp_fd > 0)
            close(worker->tcp_fd);
    }
    fed_alloc_free(pool->mem, pool->workers, pool->n * sizeof *pool->workers);
}

void fed_worker_pool_close(struct fed_worker_pool *pool)
{
    if (!pool)
        return;
    pool->ending = true;
    if (pool->workers)
        workers_free(pool);
    while (pool->orphans) {
        struct pool_exchange *next = pool->orphans->next;

        fed_alloc_free(pool->mem, pool->orphans, sizeof *pool->orphans);
        pool->orphans = next;
    }
    pool->loop->timer_free(pool->loop->ctx, pool->timer);
    fed_map_fini(&pool->joints);
    wipe(&pool->cert_pem);
    wipe(&pool->chain_pem);
    wipe(&pool->key_pem);
    wipe(&pool->client_ca_pem);
    fed_alloc_free(pool->mem, pool, sizeof *pool);
}

/* ---- all workers ---- */

static void send_all(struct fed_worker_pool *pool, enum fed_worker_type type)
{
    struct fed_worker_message m = {.type = type};

    for (unsigned i = 0; i < pool->n; i++)
        pool_worker_send(&pool->workers[i], &m);
}

void fed_worker_pool_go(struct fed_worker_pool *pool)
{
    pool->going = true;
    send_all(pool, FED_WORKER_GO);
}

void fed_worker_pool_restore(struct fed_worker_pool *pool, struct fed_span saved,
    struct fed_span kept, unsigned steer, uint32_t away_ms)
{
    struct fed_worker_message m = {.type = FED_WORKER_RESTORE,
        .saved = {.away_ms = away_ms, .steer = (uint16_t)steer, .kept = kept, .part = saved}};
    unsigned index = steer == FED_LINK_STEER_NONE ? 0 : steer % pool->n;

    /* Without a connection ID only the kernel knows whose it will be. */
    if (steer == FED_LINK_STEER_NONE && pool->n > 1)
        return;
    if (saved.len <= FED_WORKER_SAVED_MAX && kept.len <= FED_WORKER_SAVED_MAX)
        pool_worker_send(&pool->workers[index], &m);
}

void fed_worker_pool_certificate(struct fed_worker_pool *pool, struct fed_span cert_pem,
    struct fed_span chain_pem, struct fed_span key_pem, struct fed_span client_ca_pem)
{
    struct fed_worker_message m = {.type = FED_WORKER_CERTIFICATE};

    if (keep_certificate(pool, cert_pem, chain_pem, key_pem, client_ca_pem)) {
        fed_log(pool->log, FED_LOG_ERROR, "gateway: no memory for the workers' new certificate");
        return;
    }
    m.start.cert_pem = fed_buf_span(&pool->cert_pem);
    m.start.chain_pem = fed_buf_span(&pool->chain_pem);
    m.start.key_pem = fed_buf_span(&pool->key_pem);
    m.start.client_ca_pem = fed_buf_span(&pool->client_ca_pem);
    for (unsigned i = 0; i < pool->n; i++)
        pool_worker_send(&pool->workers[i], &m);
}

uint16_t fed_worker_pool_port(const struct fed_worker_pool *pool)
{
    return pool->port;
}

uint16_t fed_worker_pool_https_port(const struct fed_worker_pool *pool)
{
    return pool->https_port;
}

static void add(struct fed_link_server_stats *sum, const struct fed_worker_stats *more)
{
    sum->handshakes += more->handshakes;
    sum->recalled += more->recalled;
    sum->failed += more->failed;
    sum->turned_away += more->turned_away;
    sum->restored += more->restored;
    sum->sessions += more->sessions;
}

void fed_worker_pool_stats(const struct fed_worker_pool *pool, struct fed_link_server_stats *out)
{
    *out = (struct fed_link_server_stats){0};
    add(out, &pool->before);
    for (unsigned i = 0; i < pool->n; i++)
        add(out, &pool->workers[i].stats);
}

void fed_worker_pool_https_stats(
    const struct fed_worker_pool *pool, struct fed_link_server_stats *out)
{
    *out = (struct fed_link_server_stats){0};
    add(out, &pool->https_before);
    for (unsigned i = 0; i < pool->n; i++)
        add(out, &pool->workers[i].https_stats);
}

/* ---- save: all are quiet, then all save ---- */

/* Those that ended meanwhile have nothing to say. */
static bool all_reached(const struct fed_worker_pool *pool, enum pool_state state)
{
    for (unsigned i = 0; i < pool->n; i++)
        if (pool->workers[i].state != POOL_DOWN && pool->workers[i].state < state)
            return false;
    return true;
}

static void save_over(struct fed_worker_pool *pool)
{
    void (*done)(void *ctx) = pool->done;

    pool->loop->timer_stop(pool->loop->ctx, pool->timer);
    pool->done = NULL;
    pool->each = NULL;
    if (done)
        done(pool->save_ctx);
}

void pool_saving_goes_on(struct fed_worker_pool *pool)
{
    if (pool->quiet && all_reached(pool, POOL_QUIET)) {
        void (*quiet)(void *ctx) = pool->quiet;

        pool->quiet = NULL;
        quiet(pool->save_ctx);
        send_all(pool, FED_WORKER_SAVE);
    }
    if (!pool->quiet && pool->done && all_reached(pool, POOL_DONE))
        save_over(pool);
}

static void on_timeout(void *ctx)
{
    struct fed_worker_pool *pool = ctx;

    fed_log(pool->log, FED_LOG_WARN, "gateway: the workers did not save their sessions in time");
    pool->quiet = NULL;
    save_over(pool);
}

void fed_worker_pool_save(struct fed_worker_pool *pool, unsigned timeout_ms,
    void (*quiet)(void *ctx), fed_link_saved *each, void (*done)(void *ctx), void *ctx)
{
    pool->ending = true;
    pool->quiet = quiet;
    pool->each = each;
    pool->done = done;
    pool->save_ctx = ctx;
    pool->loop->timer_set(pool->loop->ctx, pool->timer, fed_loop_now_ms(pool->loop) + timeout_ms);
    send_all(pool, FED_WORKER_QUIET);
    pool_saving_goes_on(pool);
}
