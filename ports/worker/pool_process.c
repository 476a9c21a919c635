/* pool_process.c - see pool.h: one worker's process. */
#include "ports/worker/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTOR_FLOOR 16 /* ours are above those that a worker gets */
#define REAP_STEP_MS 5

/* ---- the end ---- */

/* Kills it when it is not gone by end_ms. */
static void reap(struct pool_worker *worker, uint64_t end_ms)
{
    struct timespec step = {.tv_nsec = REAP_STEP_MS * 1000000L};

    if (worker->pid <= 0)
        return;
    for (;;) {
        if (waitpid(worker->pid, NULL, WNOHANG) != 0)
            break;
        if (pool_clock_ms() >= end_ms) {
            kill(worker->pid, SIGKILL);
            while (waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
                ;
            break;
        }
        nanosleep(&step, NULL);
    }
    worker->pid = 0;
}

static void add_stats(struct fed_worker_stats *sum, const struct fed_worker_stats *more)
{
    sum->handshakes += more->handshakes;
    sum->recalled += more->recalled;
    sum->failed += more->failed;
    sum->turned_away += more->turned_away;
    sum->restored += more->restored;
}

static void forget(struct pool_worker *worker)
{
    if (worker->stream_open)
        worker_stream_fini(&worker->stream);
    worker->stream_open = false;
    add_stats(&worker->pool->before, &worker->stats);
    add_stats(&worker->pool->https_before, &worker->https_stats);
    worker->stats = worker->https_stats = (struct fed_worker_stats){0};
}

void pool_worker_end(struct pool_worker *worker, uint64_t end_ms)
{
    forget(worker);
    reap(worker, end_ms);
    worker->state = POOL_DOWN;
    pool_link_clear(worker, NULL);
}

static void start_later(struct pool_worker *worker)
{
    struct fed_worker_pool *pool = worker->pool;
    uint64_t now_ms = fed_loop_now_ms(pool->loop);

    if (now_ms - worker->started_ms >= POOL_SOUND_MS || worker->back_off_ms == 0)
        worker->back_off_ms = POOL_BACK_OFF_MS;
    else if (worker->back_off_ms < POOL_BACK_OFF_MAX_MS)
        worker->back_off_ms *= 2;
    worker->state = POOL_DOWN;
    pool->loop->timer_set(pool->loop->ctx, worker->timer, now_ms + worker->back_off_ms);
}

static void lost(struct pool_worker *worker)
{
    struct fed_worker_pool *pool = worker->pool;
    const char *why = worker->lost;

    worker->lost = NULL;
    forget(worker);
    reap(worker, 0);
    start_later(worker);
    fed_log(pool->log, FED_LOG_ERROR,
        "gateway: worker %u was ended: %s; its sessions are over, it starts again in %u ms",
        worker->index, why, (unsigned)worker->back_off_ms);
    pool_link_clear(worker, "its gateway worker ended");
    if (pool->lost && !pool->ending)
        pool->lost(pool->lost_ctx);
    pool_saving_goes_on(pool);
}

void pool_worker_lose(struct pool_worker *worker, const char *why)
{
    struct fed_worker_pool *pool = worker->pool;

    if (worker->lost || worker->state == POOL_DOWN)
        return;
    worker->lost = why;
    worker_stream_break(&worker->stream);
    pool->loop->timer_set(pool->loop->ctx, worker->timer, fed_loop_now_ms(pool->loop));
}

void pool_worker_send(struct pool_worker *worker, const struct fed_worker_message *message)
{
    struct fed_worker_pool *pool = worker->pool;

    if (worker->state == POOL_DOWN || worker->lost || !worker->stream_open)
        return;
    if (!worker_stream_send(&worker->stream, message)) {
        pool_worker_lose(worker, "it does not take what it gets");
        return;
    }
    if (!worker->watched) {
        worker->watched = true;
        pool->loop->timer_set(
            pool->loop->ctx, worker->timer, fed_loop_now_ms(pool->loop) + POOL_STALL_MS);
    }
}

/* ---- the stream's events ---- */

static void on_message(void *ctx, const struct fed_worker_message *message)
{
    pool_link_message(ctx, message);
}

static void on_drained(void *ctx)
{
    (void)ctx;
}

static void on_broken(void *ctx, const char *why)
{
    pool_worker_lose(ctx, why);
}

/* ---- the beginning ---- */

/* What the child keeps is put at its numbers; everything else of ours closes itself. */
static int spawn(int ipc_fd, int udp_fd, int tcp_fd, pid_t *pid)
{
    static char name[] = "fedhub";
    static char command[] = "gateway-worker";
    char *const argv[] = {name, command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    int code = posix_spawn_file_actions_init(&actions);

    if (code)
        return code;
    code = posix_spawnattr_init(&attributes);
    if (code) {
        posix_spawn_file_actions_destroy(&actions);
        return code;
    }
    sigemptyset(&none);
    sigfillset(&all);
    code = posix_spawn_file_actions_adddup2(&actions, ipc_fd, POOL_IPC_FD);
    if (!code)
        code = posix_spawn_file_actions_adddup2(&actions, udp_fd, POOL_UDP_FD);
    if (!code && tcp_fd >= 0)
        code = posix_spawn_file_actions_adddup2(&actions, tcp_fd, POOL_TCP_FD);
    if (!code)
        code = posix_spawnattr_setsigmask(&attributes, &none);
    if (!code)
        code = posix_spawnattr_setsigdefault(&attributes, &all);
    if (!code)
        code =
            posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!code)
        code = posix_spawn(pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_FLOOR);

    close(fd);
    return moved;
}

static int process_start(struct pool_worker *worker, int *ipc_fd)
{
    int pair[2];
    int udp_fd;
    int tcp_fd = -1;
    int code = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return errno;
    pair[0] = move_up(pair[0]);
    pair[1] = move_up(pair[1]);
    udp_fd = fcntl(worker->udp_fd, F_DUPFD_CLOEXEC, DESCRIPTOR_FLOOR);
    if (worker->tcp_fd > 0)
        tcp_fd = fcntl(worker->tcp_fd, F_DUPFD_CLOEXEC, DESCRIPTOR_FLOOR);
    if (pair[0] < 0 || pair[1] < 0 || udp_fd < 0 || (worker->tcp_fd > 0 && tcp_fd < 0))
        code = errno;
    if (!code)
        code = spawn(pair[1], udp_fd, tcp_fd, &worker->pid);
    if (udp_fd >= 0)
        close(udp_fd);
    if (tcp_fd >= 0)
        close(tcp_fd);
    if (pair[1] >= 0)
        close(pair[1]);
    if (code && pair[0] >= 0)
        close(pair[0]);
    *ipc_fd = pair[0];
    return code;
}

static void send_start(struct pool_worker *worker)
{
    struct fed_worker_pool *pool = worker->pool;
    struct fed_worker_message m = {.type = FED_WORKER_START,
        .start = {.index = (uint16_t)worker->index,
            .count = (uint16_t)pool->n,
            .log_level = (uint8_t)pool->log_level,
            .sessions_max = pool->server.sessions_max,
            .handshakes_max = pool->server.handshakes_max,
            .session_idle_ms = pool->server.session_idle_ms,
            .https_sessions_max = pool->https.sessions_max,
            .https_handshakes_max = pool->https.handshakes_max,
            .cert_pem = fed_buf_span(&pool->cert_pem),
            .chain_pem = fed_buf_span(&pool->chain_pem),
            .key_pem = fed_buf_span(&pool->key_pem),
            .client_ca_pem = fed_buf_span(&pool->client_ca_pem)}};

    pool_worker_send(worker, &m);
    m.type = FED_WORKER_GO;
    if (!pool->going)
        return;
    pool_worker_send(worker, &m);
    pool_link_knock(worker);
}

void pool_worker_start(struct pool_worker *worker)
{
    struct fed_worker_pool *pool = worker->pool;
    struct worker_stream_events events = {
        .ctx = worker, .message = on_message, .drained = on_drained, .broken = on_broken};
    int ipc_fd = -1;
    int code = process_start(worker, &ipc_fd);

    worker->started_ms = fed_loop_now_ms(pool->loop);
    worker->watched = false;
    if (code) {
        fed_log(pool->log, FED_LOG_ERROR, "gateway: worker %u cannot start: %s", worker->index,
            strerror(code));
        start_later(worker);
        return;
    }
    worker->state = POOL_RUNNING;
    worker->stream_open = true;
    if (worker_stream_init(&worker->stream, pool->mem, pool->loop, ipc_fd, FED_WORKER_FEDHUB,
            POOL_WAITING_MAX, &events))
        pool_worker_lose(worker, "out of memory");
    else
        send_start(worker);
}

/* Whether what waits gets less; then what has to be done when its time has come. */
static void look(struct pool_worker *worker)
{
    struct fed_worker_pool *pool = worker->pool;
    uint64_t now_ms = fed_loop_now_ms(pool->loop);

    worker->watched = worker_stream_waiting(&worker->stream) > 0;
    if (!worker->watched)
        return;
    if (now_ms >= worker->stream.progress_ms + POOL_STALL_MS)
        pool_worker_lose(worker, "it takes nothing any more");
    else
        pool->loop->timer_set(
            pool->loop->ctx, worker->timer, worker->stream.progress_ms + POOL_STALL_MS);
}

void pool_worker_due(void *ctx)
{
    struct pool_worker *worker = ctx;

    if (worker->lost)
        lost(worker);
    else if (worker->state != POOL_DOWN)
        look(worker);
    else if (!worker->pool->ending)
        pool_worker_start(worker);
}
