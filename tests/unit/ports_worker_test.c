/* ports_worker_test.c - gateway workers as processes of their own, which are this program again:
 * the library's clients on one side, the functions of ports/link.h on the other. */
#include "ports/link.h"
#include "tests/unit/ports_dtls_client.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ports/worker/worker.h"

#define CLIENTS_MAX 24u
#define SAVED_MAX 24u

static struct pki pki;
static struct pki_id hub_id;
static struct pki_id agent_id;

static struct world {
    struct fed_linux_loop *linux_loop;
    struct fed_loop *loop;
    struct fed_timer *tick;
    struct fed_worker_pool *pool;
    uint16_t port;
    struct client clients[CLIENTS_MAX];
    size_t n_clients;
    bool (*until)(void);
    uint64_t deadline_ms;
    bool timed_out;
    /* events */
    unsigned opened;
    unsigned kept;
    unsigned closed;
    unsigned requests;
    unsigned notified;
    unsigned quiet;
    bool saved_all;
    char why[128];
    char name[256];
    struct fed_link_session *session; /* the last one */
    struct fed_link_exchange *exchange;
    bool late; /* saved sessions are notified */
    bool hold; /* requests are not answered at once */
    struct fed_buf saved[SAVED_MAX];
    unsigned steer[SAVED_MAX];
    size_t n_saved;
} w;

static void on_opened(void *ctx, struct fed_link_session *session, const struct fed_link_peer *peer)
{
    (void)ctx;
    w.opened++;
    w.kept += fed_span_is(peer->kept, "kept");
    w.session = session;
    snprintf(
        w.name, sizeof w.name, "%s", peer->cert ? peer->cert->common_name : peer->psk_identity);
    assert_non_null(strstr(peer->address, "127.0.0.1:"));
    fed_worker_session_set_user(session, &w);
}

static void on_closed(void *ctx, struct fed_link_session *session, const char *why)
{
    (void)ctx;
    assert_ptr_equal(fed_worker_session_user(session), &w);
    w.closed++;
    snprintf(w.why, sizeof w.why, "%s", why);
}

static void on_alive(void *ctx, struct fed_link_session *session)
{
    (void)ctx;
    assert_ptr_equal(fed_worker_session_user(session), &w);
}

static void on_request(void *ctx, struct fed_link_session *session,
    struct fed_link_exchange *exchange, const struct fed_link_server_request *request)
{
    (void)ctx;
    w.requests++;
    w.session = session;
    assert_true(fed_span_is(request->path, "b"));
    if (w.hold)
        w.exchange = exchange;
    else
        fed_worker_answer(exchange, FED_LINK_CONTENT, FED_SPAN_LIT("answer"), 0);
}

static void on_notified(void *ctx, struct fed_link_session *session, uint64_t tag, bool delivered)
{
    (void)ctx;
    (void)session;
    assert_int_equal(tag, 77);
    w.notified += delivered;
}

static enum fed_err on_psk(void *ctx, struct fed_span identity, struct fed_buf *key)
{
    (void)ctx;
    if (!fed_span_is(identity, "token-7"))
        return FED_ERR_NOT_FOUND;
    fed_buf_put_text(key, "a very secret key");
    return FED_OK;
}

/* ---- the loop ---- */

static void on_tick(void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < w.n_clients; i++)
        client_step(&w.clients[i]);
    w.timed_out = fed_loop_now_ms(w.loop) >= w.deadline_ms;
    if (w.timed_out || (w.until && w.until()))
        w.loop->stop(w.loop->ctx);
    else
        w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop) + 2);
}

static bool run(bool (*until)(void), unsigned ms)
{
    w.until = until;
    w.timed_out = false;
    w.deadline_ms = fed_loop_now_ms(w.loop) + ms;
    w.loop->timer_set(w.loop->ctx, w.tick, fed_loop_now_ms(w.loop));
    assert_int_equal(fed_linux_loop_run(w.linux_loop), FED_OK);
    return !w.timed_out;
}

static void pool_open(unsigned workers)
{
    struct fed_link_server_events events = {.opened = on_opened,
        .closed = on_closed,
        .alive = on_alive,
        .request = on_request,
        .notified = on_notified,
        .psk = on_psk};
    char listen[32];
    struct fed_worker_pool_options options = {.workers = workers,
        .server = {.listen = listen,
            .cert_pem = pki_cert(&hub_id),
            .key_pem = pki_key(&hub_id),
            .client_ca_pem = pki_cert(&pki.ca)}};
    struct fed_diag diag = {""};

    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)w.port);
    if (fed_worker_pool_open(fed_alloc_system(), w.loop, NULL, &options, &events, &w.pool, &diag))
        fail_msg("%s", diag.text);
    w.port = fed_worker_pool_port(w.pool);
}

static void begin(unsigned workers)
{
    struct fed_diag diag = {""};

    memset(&w, 0, sizeof w);
    assert_int_equal(fed_linux_loop_open(fed_alloc_system(), &w.linux_loop, &diag), FED_OK);
    w.loop = fed_linux_loop_port(w.linux_loop);
    assert_int_equal(w.loop->timer_new(w.loop->ctx, on_tick, NULL, &w.tick), FED_OK);
    w.port = server_kept_port();
    pool_open(workers);
}

static void end(void)
{
    for (size_t i = 0; i < w.n_clients; i++)
        client_fini(&w.clients[i]);
    for (size_t i = 0; i < w.n_saved; i++)
        fed_buf_fini(&w.saved[i]);
    fed_worker_pool_close(w.pool);
    w.loop->timer_free(w.loop->ctx, w.tick);
    fed_linux_loop_close(w.linux_loop);
}

/* ---- clients ---- */

static bool all_open(void)
{
    for (size_t i = 0; i < w.n_clients; i++)
        if (w.clients[i].code != 0)
            return false;
    return w.opened >= w.n_clients;
}

static void add(size_t n)
{
    struct client_options options = {.id = &agent_id, .ca = &pki.ca};

    for (size_t i = 0; i < n; i++)
        client_init(&w.clients[w.n_clients++], w.port, &options);
    assert_true(run(all_open, WAIT_MS));
}

static unsigned records_wanted;

static bool got_records(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < w.n_clients; i++)
        n += w.clients[i].records;
    return n >= records_wanted;
}

static void ask(struct client *c, uint8_t mid)
{
    const uint8_t get[] = {0x41, 0x01, 0, mid, 't', 0xb1, 'b'}; /* CON GET /b */

    records_wanted = 1;
    for (size_t i = 0; i < w.n_clients; i++)
        records_wanted += w.clients[i].records;
    client_send(c, get, sizeof get);
}

static void ask_all(uint8_t mid)
{
    static const uint8_t answer[] = {0x61, 0x45};

    for (size_t i = 0; i < w.n_clients; i++) {
        ask(&w.clients[i], mid);
        assert_true(run(got_records, WAIT_MS));
        assert_memory_equal(w.clients[i].plain, answer, sizeof answer);
        assert_memory_equal(w.clients[i].plain + w.clients[i].plain_len - 6, "answer", 6);
    }
}

/* ---- cases ---- */

/* Workers tell their figures once a second. */
static bool all_is_counted(void)
{
    struct fed_link_server_stats stats;
    struct fed_link_stats counts;

    fed_worker_session_stats(w.session, &counts);
    fed_worker_pool_stats(w.pool, &stats);
    return w.notified == 1 && counts.received_bytes > 500 && counts.sent_bytes > 500 &&
           stats.handshakes == 6 && stats.sessions == 6;
}

static void test_both_ways(void **state)
{
    const uint8_t observe[] = {0x41, 0x01, 0, 9, 'o', 0x60, 0x51, 'b'};
    struct client *c = &w.clients[0];

    (void)state;
    begin(3);
    fed_worker_pool_go(w.pool);
    add(1);
    assert_string_equal(w.name, "system:fedlet:agent");
    add(5);
    ask_all(1);
    assert_int_equal(w.requests, 6);
    /* A notification, acknowledged. */
    records_wanted = 1;
    for (size_t i = 0; i < w.n_clients; i++)
        records_wanted += w.clients[i].records;
    client_send(c, observe, sizeof observe);
    assert_true(run(got_records, WAIT_MS));
    records_wanted++;
    assert_int_equal(fed_worker_notify(w.session, FED_SPAN_LIT("news"), 77), FED_OK);
    assert_true(run(got_records, WAIT_MS));
    assert_int_equal(c->plain[0] >> 4, 4); /* confirmable */
    c->plain[0] = 0x60;                    /* acknowledged: ACK, no code, its message id */
    c->plain[1] = 0;
    client_send(c, c->plain, 4);
    assert_true(run(all_is_counted, WAIT_MS));
    end();
}

static bool client_closed(void)
{
    return w.clients[0].closed;
}

static bool is_held(void)
{
    return w.exchange != NULL;
}

static void test_close_and_late_answer(void **state)
{
    (void)state;
    begin(2);
    fed_worker_pool_go(w.pool);
    add(1);
    w.hold = true;
    ask(&w.clients[0], 1);
    assert_true(run(is_held, WAIT_MS));
    fed_worker_session_close(w.session);
    assert_true(run(client_closed, WAIT_MS));
    assert_int_equal(w.closed, 0);
    fed_worker_answer(w.exchange, FED_LINK_CONTENT, FED_SPAN_LIT("late"), 0); /* to nobody */
    run(NULL, 100);
    end();
}

static void test_token(void **state)
{
    struct client_options options = {.psk_identity = "token-7", .psk_key = "a very secret key"};

    (void)state;
    begin(1);
    fed_worker_pool_go(w.pool);
    client_init(&w.clients[w.n_clients++], w.port, &options);
    assert_true(run(all_open, WAIT_MS));
    assert_string_equal(w.name, "token-7");
    end();
}

static bool all_settled(void)
{
    for (size_t i = 0; i < w.n_clients; i++)
        if (w.clients[i].code == MBEDTLS_ERR_SSL_WANT_READ)
            return false;
    return true;
}

/* What is no name is refused where it comes in: fedhub would take a worker that passes it on for
 * one that is not itself any more. */
static void test_no_token(void **state)
{
    struct client_options options = {
        .psk_identity = "\0oken-7", .psk_identity_len = 7, .psk_key = "a very secret key"};

    (void)state;
    begin(1);
    fed_worker_pool_go(w.pool);
    add(1);
    for (size_t i = 0; i < 3; i++)
        client_init(&w.clients[w.n_clients++], w.port, &options);
    assert_true(run(all_settled, WAIT_MS));
    for (size_t i = 1; i < 4; i++)
        assert_int_not_equal(w.clients[i].code, 0);
    ask(&w.clients[0], 1);
    assert_true(run(got_records, WAIT_MS));
    assert_int_equal(w.closed, 0);
    end();
}

static bool got_closed(void)
{
    return w.closed >= 1;
}

/* The children of this process. */
static void kill_workers(void)
{
    char path[64];
    char text[256] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    for (char *at = text; *at;) {
        char *next;
        long pid = strtol(at, &next, 10);

        if (next == at)
            break;
        kill((pid_t)pid, SIGKILL);
        at = next;
    }
}

static bool knocked(void)
{
    uint8_t datagram[64];
    ssize_t n = recv(w.clients[0].fd, datagram, sizeof datagram, MSG_DONTWAIT);

    return n == 15 && datagram[0] == 21; /* an alert in the clear: look whether I am there */
}

static void test_worker_killed(void **state)
{
    (void)state;
    begin(2);
    fed_worker_pool_go(w.pool);
    add(1);
    w.hold = true;
    ask(&w.clients[0], 1);
    assert_true(run(is_held, WAIT_MS));
    kill_workers();
    assert_true(run(got_closed, WAIT_MS));
    assert_string_equal(w.why, "its gateway worker ended");
    fed_worker_answer(w.exchange, FED_LINK_CONTENT, FED_SPAN_LIT("late"), 0);
    w.hold = false;
    w.n_clients = 0; /* what comes is for the test to read */
    assert_true(run(knocked, WAIT_MS));
    client_fini(&w.clients[0]);
    w.opened = 0;
    add(3); /* others are there again, on the same port */
    ask_all(2);
    end();
}

/* A hub that does nothing for a while: what is asked meanwhile waits, and all of it is answered. */
static void test_slow_hub(void **state)
{
    (void)state;
    begin(2);
    fed_worker_pool_go(w.pool);
    add(8);
    for (uint8_t round = 1; round <= 10; round++)
        for (size_t i = 0; i < w.n_clients; i++)
            ask(&w.clients[i], round);
    usleep(500000);
    records_wanted = 80;
    assert_true(run(got_records, WAIT_MS));
    assert_int_equal(w.requests, 80);
    end();
}

static void on_quiet(void *ctx)
{
    (void)ctx;
    w.quiet++;
    if (w.late)
        return;
    if (w.exchange) /* what was asked is answered before sessions are saved */
        fed_worker_answer(w.exchange, FED_LINK_CONTENT, FED_SPAN_LIT("answer"), 0);
    w.exchange = NULL;
}

static void on_saved(
    void *ctx, struct fed_link_session *session, struct fed_span saved, unsigned steer)
{
    (void)ctx;
    assert_ptr_equal(fed_worker_session_user(session), &w);
    assert_int_equal(w.quiet, 1);
    assert_true(w.n_saved < SAVED_MAX);
    fed_buf_init(&w.saved[w.n_saved], fed_alloc_system(), FED_LINK_SAVED_MAX);
    fed_buf_put(&w.saved[w.n_saved], saved);
    w.steer[w.n_saved++] = steer;
    /* The gateway may still speak to a session that its worker has saved already. */
    if (w.late)
        assert_int_equal(fed_worker_notify(session, FED_SPAN_LIT("late"), 77), FED_OK);
}

static void on_done(void *ctx)
{
    (void)ctx;
    w.saved_all = true;
}

static bool saved_all(void)
{
    return w.saved_all;
}

static bool all_kept(void)
{
    return w.kept >= w.n_clients;
}

static void save_and_go_on(unsigned workers)
{
    w.saved_all = false;
    w.quiet = w.kept = 0;
    fed_worker_pool_save(w.pool, 10000, on_quiet, on_saved, on_done, NULL);
    assert_true(run(saved_all, WAIT_MS));
    assert_int_equal(w.n_saved, w.n_clients);
    fed_worker_pool_close(w.pool);
    pool_open(workers);
    for (size_t i = 0; i < w.n_saved; i++) {
        fed_worker_pool_restore(
            w.pool, fed_buf_span(&w.saved[i]), FED_SPAN_LIT("kept"), w.steer[i], 20);
        fed_buf_fini(&w.saved[i]);
    }
    w.n_saved = 0;
    fed_worker_pool_go(w.pool);
    assert_true(run(all_kept, WAIT_MS));
}

/* Workers tell their figures once a second. */
static bool all_restored(void)
{
    struct fed_link_server_stats stats;

    fed_worker_pool_stats(w.pool, &stats);
    return stats.restored == 12;
}

/* Sessions go on with any number of workers, each where its records go; nobody makes a handshake,
 * and nothing that was asked is lost. */
static void test_save(void **state)
{
    static const unsigned counts[] = {3, 1, 2, 5};
    struct fed_link_server_stats stats;

    (void)state;
    begin(2);
    fed_worker_pool_go(w.pool);
    add(12);
    ask_all(1);
    for (uint8_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        w.hold = true;
        ask(&w.clients[i], 50);
        assert_true(run(is_held, WAIT_MS));
        save_and_go_on(counts[i]);
        assert_true(run(got_records, WAIT_MS));
        w.hold = false;
        ask_all((uint8_t)(10 + i));
    }
    assert_int_equal(w.closed, 0);
    assert_true(run(all_restored, WAIT_MS));
    fed_worker_pool_stats(w.pool, &stats);
    assert_int_equal(stats.handshakes, 0);
    end();
}

/* What is said to sessions that were saved is heard by nobody. */
static void test_late_for_saved(void **state)
{
    (void)state;
    begin(1);
    fed_worker_pool_go(w.pool);
    add(3);
    ask_all(1);
    w.late = w.hold = true;
    ask(&w.clients[0], 50);
    assert_true(run(is_held, WAIT_MS));
    fed_worker_pool_save(w.pool, 10000, on_quiet, on_saved, on_done, NULL);
    assert_true(run(saved_all, WAIT_MS));
    assert_int_equal(w.n_saved, 2);
    assert_int_equal(fed_worker_notify(w.session, FED_SPAN_LIT("late"), 77), FED_OK);
    fed_worker_answer(w.exchange, FED_LINK_CONTENT, FED_SPAN_LIT("late"), 0);
    run(NULL, 500);
    assert_int_equal(w.closed, 0); /* as it would be by a worker that ends */
    fed_worker_session_close(w.session);
    run(NULL, 200);
    end();
}

/* A port that somebody has is refused, though sockets are shared. */
static void test_port_taken(void **state)
{
    struct fed_link_server_events events = {.opened = on_opened};
    char listen[32];
    struct fed_worker_pool_options options = {.workers = 2, .server = {.listen = listen}};
    struct fed_worker_pool *other = NULL;
    struct fed_diag diag = {""};

    (void)state;
    begin(2);
    snprintf(listen, sizeof listen, "127.0.0.1:%u", (unsigned)w.port);
    assert_int_equal(
        fed_worker_pool_open(fed_alloc_system(), w.loop, NULL, &options, &events, &other, &diag),
        FED_ERR_EXISTS);
    assert_null(other);
    end();
}

/* ---- nothing to be had ---- */

static unsigned steps_left; /* allocations and timers that are still given */

static void *scarce_resize(void *ctx, void *at, size_t old_size, size_t size)
{
    struct fed_alloc *mem = fed_alloc_system();

    (void)ctx;
    if (size > 0 && steps_left == 0)
        return NULL;
    steps_left -= size > 0;
    return mem->resize(mem->ctx, at, old_size, size);
}

static enum fed_err scarce_timer_new(
    void *ctx, void (*fn)(void *ctx), void *fn_ctx, struct fed_timer **out)
{
    if (steps_left == 0)
        return FED_ERR_NOMEM;
    steps_left--;
    return w.loop->timer_new(ctx, fn, fn_ctx, out);
}

/* Whatever fails at the beginning, what was made until then is given back. */
static void test_no_memory(void **state)
{
    struct fed_alloc mem = {.resize = scarce_resize};
    struct fed_link_server_events events = {.opened = on_opened};
    struct fed_worker_pool_options options = {.workers = 3,
        .server = {.listen = "127.0.0.1:0",
            .cert_pem = pki_cert(&hub_id),
            .key_pem = pki_key(&hub_id),
            .client_ca_pem = pki_cert(&pki.ca)}};
    enum fed_err err = FED_ERR_NOMEM;
    struct fed_diag diag = {""};
    unsigned failed = 0;
    struct fed_loop loop;

    (void)state;
    begin(1);
    loop = *w.loop;
    loop.timer_new = scarce_timer_new;
    for (; failed < 100 && err == FED_ERR_NOMEM; failed++) {
        struct fed_worker_pool *pool = NULL;

        steps_left = failed;
        err = fed_worker_pool_open(&mem, &loop, NULL, &options, &events, &pool, &diag);
        if (err)
            assert_null(pool);
        else
            fed_worker_pool_close(pool);
    }
    assert_int_equal(err, FED_OK);
    assert_true(failed > 8); /* pool, three texts, workers, and timers of all */
    end();
}

static int setup(void **state)
{
    (void)state;
    pki_init(&pki);
    pki_issue(&pki, &pki.ca, "hub", "hub.test", -60, 3600, &hub_id);
    pki_issue(&pki, &pki.ca, "agent", NULL, -60, 3600, &agent_id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_id_fini(&hub_id);
    pki_id_fini(&agent_id);
    pki_fini(&pki);
    return 0;
}

/* ---- confinement ---- */

#define CONFINE_NO_LANDLOCK 77

static volatile int secret = 1;

/* In a child that gave up what a worker gives up: the number of the first thing that it could do
 * all the same. */
static int confined_can(const char *file, const char *other)
{
    long version = syscall(444, NULL, 0, 1); /* of Landlock */
    int seen = 0;
    struct iovec to = {&seen, sizeof seen};
    struct iovec from = {(void *)&secret, sizeof secret};

    worker_confine(0);
    if (open(file, O_RDONLY) >= 0)
        return 1;
    if (socket(AF_INET, SOCK_DGRAM, 0) >= 0)
        return 2;
    if (version < 3)
        return CONFINE_NO_LANDLOCK;
    if (process_vm_readv(getppid(), &to, 1, &from, 1, 0) >= 0)
        return 3;
    if (truncate(file, 0) == 0)
        return 4;
    if (rename(file, other) == 0)
        return 5;
    if (link(file, other) == 0)
        return 6;
    if (mkdir(other, 0700) == 0)
        return 7;
    if (unlink(file) == 0)
        return 8;
    return version >= 6 && kill(getppid(), 0) == 0 ? 9 : 0;
}

static void test_confined(void **state)
{
    char file[] = "/tmp/ports_worker_test.XXXXXX";
    char other[64];
    int fd = mkstemp(file);
    int status = 0;
    pid_t pid;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    snprintf(other, sizeof other, "%s.other", file);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(confined_can(file, other));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink(other);
    (void)unlink(file);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CONFINE_NO_LANDLOCK)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_close_and_late_answer),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_no_token),
        cmocka_unit_test(test_worker_killed),
        cmocka_unit_test(test_slow_hub),
        cmocka_unit_test(test_save),
        cmocka_unit_test(test_late_for_saved),
        cmocka_unit_test(test_port_taken),
        cmocka_unit_test(test_confined),
        cmocka_unit_test(test_no_memory),
    };
    struct fed_diag diag = {""};

    if (argc == 2 && strcmp(argv[1], "gateway-worker") == 0)
        _exit(fed_worker_run(fed_alloc_system(), &diag) != FED_OK);
    return cmocka_run_group_tests(tests, setup, teardown);
}
