/* ports_http_test.c - the client against the server over loopback and TLS, in HTTP/2 and HTTP/1.1.
 */
#include "ports/http/pieces.h"
#include "tests/unit/ports_http_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <zlib.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_HEAD 5u
#define RECORD_FULL_MIN 4096u /* content of a full one: the hub's library takes 16384 bytes */

static struct fed_http_client *open_client(struct world *w, bool http1)
{
    struct fed_http_client_options options = world_client_options(w);

    options.http1_only = http1;
    return world_client(w, &options);
}

static int raw_connect(const struct world *w)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(fed_http_server_port(w->server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static const struct fed_span nothing = {NULL, 0};

/* ---- buffered calls ---- */
static void check_calls(bool http1)
{
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    size_t len = 1024 * 1024;
    uint8_t *body = malloc(len);

    assert_non_null(body);
    for (size_t i = 0; i < len; i++)
        body[i] = (uint8_t)(i * 7 + i / 251);
    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, http1);

    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.content_type, "text/plain");
    assert_true(fed_span_is(fed_buf_span(&o.body), "hello"));
    outcome_fini(&o);

    world_ask(&w, client, &o, "HEAD", "/hello", nothing);
    assert_int_equal(o.status, 200);
    assert_int_equal(o.body.len, 0);
    outcome_fini(&o);

    world_ask(&w, client, &o, "GET", "/query?a=1&b=%20", nothing);
    assert_true(fed_span_is(fed_buf_span(&o.body), "a=1&b=%20"));
    outcome_fini(&o);

    world_ask(&w, client, &o, "POST", "/echo", fed_span_of(body, len));
    assert_int_equal(o.err, FED_OK);
    assert_true(fed_span_eq(fed_buf_span(&o.body), fed_span_of(body, len)));
    outcome_fini(&o);

    world_ask(&w, client, &o, "DELETE", "/empty", nothing);
    assert_int_equal(o.status, 204);
    assert_int_equal(o.body.len, 0);
    outcome_fini(&o);

    world_ask(&w, client, &o, "GET", "/evil", nothing);
    assert_int_equal(o.status, 500);
    assert_int_equal(o.body.len, 0);
    outcome_fini(&o);

    world_ask(&w, client, &o, "GET", "/nowhere", nothing);
    assert_int_equal(o.status, 404);
    outcome_fini(&o);

    fed_http_client_close(client);
    world_close(&w);
    free(body);
}

static void calls_h2(void **state)
{
    (void)state;
    check_calls(false);
}

static void calls_h1(void **state)
{
    (void)state;
    check_calls(true);
}

static bool all_done(void *ctx)
{
    struct outcome *o = ctx;

    for (int i = 0; i < 100; i++)
        if (o[i].n_done == 0)
            return false;
    return true;
}

static void check_parallel(bool http1)
{
    struct world w;
    struct outcome o[100];
    struct fed_http_client *client;

    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, http1);
    for (int i = 0; i < 100; i++) {
        outcome_init(&o[i], &w);
        (void)world_call(client, &o[i], "GET", i % 2 ? "/hello" : "/big", nothing);
    }
    world_until(&w, all_done, o);
    for (int i = 0; i < 100; i++) {
        if (o[i].err)
            fail_msg("call %d: %s", i, o[i].diag);
        assert_int_equal(o[i].body.len, i % 2 ? 5 : 300 * 1024);
        outcome_fini(&o[i]);
    }
    fed_http_client_close(client);
    world_close(&w);
}

static void parallel_h2(void **state)
{
    (void)state;
    check_parallel(false);
}

static void parallel_h1(void **state)
{
    (void)state;
    check_parallel(true);
}

static void ask_big(struct world *w, struct fed_http_client *client, struct outcome *o,
    struct fed_span encodings, const char *target)
{
    struct fed_http_header accept = {FED_SPAN_LIT("accept-encoding"), encodings};

    outcome_init(o, w);
    (void)world_call_with(client, o, target, &accept);
    world_until(w, outcome_done, o);
    assert_int_equal(o->status, 200);
}

static void check_gzip(bool http1)
{
    static uint8_t plain[400 * 1024];
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    z_stream z = {0};

    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, http1);
    ask_big(&w, client, &o, FED_SPAN_LIT("br, GZIP;q=0.5"), "/big");
    assert_string_equal(o.encoding, "gzip");
    assert_true(o.body.len < 20000);
    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    z.next_in = o.body.at;
    z.avail_in = (uInt)o.body.len;
    z.next_out = plain;
    z.avail_out = sizeof(plain);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, 300 * 1024);
    assert_int_equal(plain[22], 'w');
    inflateEnd(&z);
    outcome_fini(&o);
    ask_big(&w, client, &o, FED_SPAN_LIT("gzip;q=0, br"), "/big");
    assert_string_equal(o.encoding, "");
    assert_int_equal(o.body.len, 300 * 1024);
    outcome_fini(&o);
    ask_big(&w, client, &o, FED_SPAN_LIT("gzip"), "/hello");
    assert_string_equal(o.encoding, "");
    outcome_fini(&o);
    ask_big(&w, client, &o, FED_SPAN_LIT("gzip"), "/big?7"); /* names the bytes */
    assert_string_equal(o.encoding, "");
    outcome_fini(&o);
    ask_big(&w, client, &o, FED_SPAN_LIT("gzip"), "/big?W/7"); /* names what they mean */
    assert_string_equal(o.encoding, "gzip");
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void gzip_when_accepted(void **state)
{
    (void)state;
    check_gzip(false);
    check_gzip(true);
}

/* ---- streams ---- */
static bool has_stream(void *ctx)
{
    struct world *w = ctx;

    return w->n_streams > 0;
}

static bool has_head(void *ctx)
{
    return ((struct outcome *)ctx)->heads > 0;
}

static bool has_two_lines(void *ctx)
{
    return ((struct outcome *)ctx)->body.len >= 8;
}

static void check_stream(bool http1)
{
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    struct fed_http_shared *shared;
    struct fed_buf two;

    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, http1);
    outcome_init(&o, &w);
    (void)world_stream(client, &o, "/stream");
    world_until(&w, has_head, &o);
    assert_int_equal(o.status, 200);
    assert_string_equal(o.content_type, "application/json");
    assert_int_equal(o.body.len, 0);
    assert_int_equal(fed_http_stream_write(w.streams[0], FED_SPAN_LIT("one\n")), FED_OK);
    fed_buf_init(&two, fed_alloc_system(), 100);
    fed_buf_put_text(&two, "two\n");
    shared = fed_http_shared_take(&two);
    assert_non_null(shared);
    assert_int_equal(two.len, 0);
    assert_int_equal(fed_http_stream_share(w.streams[0], shared), FED_OK);
    fed_http_shared_unref(shared); /* the stream has its own */
    world_until(&w, has_two_lines, &o);
    assert_int_equal(o.n_done, 0);
    fed_http_stream_end(w.streams[0]);
    world_until(&w, outcome_done, &o);
    assert_int_equal(o.err, FED_OK);
    assert_true(fed_span_is(fed_buf_span(&o.body), "one\ntwo\n"));
    assert_int_equal(w.n_closed, 0);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

/* What the client has so far can be read, whatever comes later. */
static size_t inflated(const struct outcome *o, uint8_t *plain, size_t size, int *rc)
{
    z_stream z = {0};

    assert_int_equal(inflateInit2(&z, 31), Z_OK);
    z.next_in = o->body.at;
    z.avail_in = (uInt)o->body.len;
    z.next_out = plain;
    z.avail_out = (uInt)size;
    *rc = inflate(&z, Z_SYNC_FLUSH);
    inflateEnd(&z);
    return z.total_out;
}

#define LONG (300u * 1024u)
static struct fed_http_shared *long_text(void)
{
    struct fed_buf text;

    fed_buf_init(&text, fed_alloc_system(), LONG);
    for (size_t i = 0; i < LONG; i++)
        fed_buf_put_u8(&text, (uint8_t)('a' + i * i % 23));
    return fed_http_shared_take(&text);
}

static bool all_streams(void *ctx)
{
    return ((struct world *)ctx)->n_streams == 2;
}

struct wanted {
    struct outcome *o;
    size_t plain;
};
static uint8_t plain[2 * LONG];

static bool has_plain(void *ctx)
{
    struct wanted *wanted = ctx;
    int rc;

    return inflated(wanted->o, plain, sizeof plain, &rc) >= wanted->plain;
}

/* Two that share what is said, one of which began before the other. */
static void check_gzip_stream(bool http1)
{
    struct fed_http_header accept = {FED_SPAN_LIT("accept-encoding"), FED_SPAN_LIT("gzip")};
    struct world w;
    struct outcome o[2];
    struct fed_http_client *clients[2];
    struct fed_http_shared *shared = long_text();
    struct wanted wanted;
    int rc;

    world_open(&w);
    world_serve(&w, NULL);
    for (size_t i = 0; i < 2; i++) {
        clients[i] = open_client(&w, http1);
        outcome_init(&o[i], &w);
        (void)world_stream_with(clients[i], &o[i], "/stream?gzip", &accept);
        world_until(&w, has_head, &o[i]);
        assert_string_equal(o[i].encoding, "gzip");
        if (i == 0)
            assert_int_equal(fed_http_stream_write(w.streams[0], FED_SPAN_LIT("one\n")), FED_OK);
    }
    world_until(&w, all_streams, &w);
    wanted = (struct wanted){&o[0], 4};
    world_until(&w, has_plain, &wanted); /* at once */
    assert_memory_equal(plain, "one\n", 4);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fed_http_stream_share(w.streams[i], shared), FED_OK);
        assert_true(fed_http_stream_bytes(w.streams[i]) < LONG / 2);
        wanted = (struct wanted){&o[i], (i == 0 ? 4 : 0) + LONG};
        world_until(&w, has_plain, &wanted);
    }
    assert_int_equal(fed_http_stream_write(w.streams[1], FED_SPAN_LIT("")), FED_OK);
    assert_int_equal(fed_http_stream_share(w.streams[1], shared), FED_OK);
    for (size_t i = 0; i < 2; i++) {
        if (i == 0)
            fed_http_stream_end(w.streams[i]);
        else /* by the port, in order as well */
            fed_http_conn_end(fed_http_exchange_conn(w.streams[i]));
        world_until(&w, outcome_done, &o[i]);
        assert_int_equal(o[i].err, FED_OK);
        assert_int_equal(inflated(&o[i], plain, sizeof plain, &rc), i == 0 ? 4 + LONG : 2 * LONG);
        assert_int_equal(rc, Z_STREAM_END); /* with sum and length */
        assert_memory_equal(plain + (i == 0 ? 4 : LONG), shared->bytes.at, LONG);
        outcome_fini(&o[i]);
        fed_http_client_close(clients[i]);
    }
    fed_http_shared_unref(shared);
    world_close(&w);
}

static void stream_as_gzip(void **state)
{
    (void)state;
    check_gzip_stream(false);
    check_gzip_stream(true);
}

static void stream_h2(void **state)
{
    (void)state;
    check_stream(false);
}

static void stream_h1(void **state)
{
    (void)state;
    check_stream(true);
}

static bool was_closed(void *ctx)
{
    return ((struct world *)ctx)->n_closed > 0;
}

static void check_cancel(bool http1)
{
    struct world w;
    struct outcome o;
    struct outcome after;
    struct fed_http_client *client;

    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, http1);
    outcome_init(&o, &w);
    o.cancel_at_head = world_stream(client, &o, "/stream");
    world_until(&w, was_closed, &w);
    assert_int_equal(o.heads, 1);
    assert_int_equal(o.n_done, 0);
    assert_null(w.streams[0]);
    world_ask(&w, client, &after, "GET", "/hello", nothing);
    assert_int_equal(after.err, FED_OK);
    outcome_fini(&after);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void cancel_h2(void **state)
{
    (void)state;
    check_cancel(false);
}

static void cancel_h1(void **state)
{
    (void)state;
    check_cancel(true);
}

/* Nobody reads: a stream that is written without end is cut, another connection's goes on. */
static void check_slow_reader(bool http1)
{
    struct fed_http_server_options options = {.queue_max = 1024 * 1024};
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    static const uint8_t line[65536];
    enum fed_err err = FED_OK;
    size_t written = 0;

    world_open(&w);
    world_serve(&w, &options);
    client = open_client(&w, http1);
    outcome_init(&o, &w);
    (void)world_stream(client, &o, "/stream");
    world_until(&w, has_stream, &w);
    /* Without the loop nothing is taken from the queue. */
    while (!err) {
        err = fed_http_stream_write(w.streams[0], fed_span_of(line, sizeof(line)));
        written += sizeof(line);
        assert_true(written < 4 * 1024 * 1024);
    }
    assert_int_equal(err, FED_ERR_LIMIT);
    assert_int_equal(w.n_closed, 0);
    assert_int_equal(fed_http_stream_write(w.streams[0], fed_span_of(line, 1)), FED_ERR_CLOSED);
    world_until(&w, was_closed, &w);
    world_until(&w, outcome_done, &o);
    assert_int_equal(o.err, FED_ERR_NETWORK);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void slow_reader_h2(void **state)
{
    (void)state;
    check_slow_reader(false);
}

static void slow_reader_h1(void **state)
{
    (void)state;
    check_slow_reader(true);
}

/* ---- the end of the server ---- */
static void on_shut_down(void *ctx)
{
    ((struct world *)ctx)->n_done++;
}

static bool shut_down(void *ctx)
{
    return ((struct world *)ctx)->n_done > 0;
}

/* A connection may be full of streams that never end (kube-apiserver takes 100): what comes then
 * gets another one. */
static void more_than_one_connection_takes(void **state)
{
    struct fed_http_server_options options = {.streams_max = 3};
    struct world w;
    struct outcome streams[7];
    struct outcome o;
    struct fed_http_client *client;

    (void)state;
    world_open(&w);
    world_serve(&w, &options);
    client = open_client(&w, false);
    for (size_t i = 0; i < 7; i++) {
        outcome_init(&streams[i], &w);
        (void)world_stream(client, &streams[i], "/stream");
        world_until(&w, has_head, &streams[i]);
    }
    outcome_init(&o, &w);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    assert_true(fed_span_is(fed_buf_span(&o.body), "hello"));
    fed_http_client_close(client);
    for (size_t i = 0; i < 7; i++)
        outcome_fini(&streams[i]);
    outcome_fini(&o);
    world_close(&w);
}

/* ... and when that does not come to be, its end: nobody connects in a circle. */
static void no_other_connection(void **state)
{
    struct fed_http_server_options options = {.streams_max = 3};
    struct rlimit before;
    struct rlimit none;
    struct world w;
    struct outcome streams[3];
    struct outcome o;
    struct fed_http_client *client;

    (void)state;
    world_open(&w);
    world_serve(&w, &options);
    client = open_client(&w, false);
    for (size_t i = 0; i < 3; i++) {
        outcome_init(&streams[i], &w);
        (void)world_stream(client, &streams[i], "/stream");
        world_until(&w, has_head, &streams[i]);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    outcome_init(&o, &w);
    (void)world_call(client, &o, "GET", "/hello", nothing);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    world_run_ms(&w, 1000);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(o.n_done, 1);
    assert_int_equal(o.err, FED_ERR_NETWORK);
    fed_http_client_close(client);
    for (size_t i = 0; i < 3; i++)
        outcome_fini(&streams[i]);
    outcome_fini(&o);
    world_close(&w);
}

static void check_shutdown(bool http1)
{
    struct world w;
    struct outcome stream;
    struct outcome never;
    struct fed_http_client *client;

    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, http1);
    outcome_init(&stream, &w);
    outcome_init(&never, &w);
    (void)world_stream(client, &stream, "/stream");
    world_until(&w, has_head, &stream);
    assert_int_equal(fed_http_stream_write(w.streams[0], FED_SPAN_LIT("last\n")), FED_OK);
    (void)world_call(client, &never, "GET", "/never", nothing);
    world_run_ms(&w, 100);
    assert_int_equal(w.n_handled, 2);
    fed_http_server_shutdown(w.server, 300, on_shut_down, &w);
    world_until(&w, outcome_done, &stream);
    assert_int_equal(stream.err, FED_OK);
    assert_true(fed_span_is(fed_buf_span(&stream.body), "last\n"));
    assert_int_equal(w.n_done, 0);
    world_until(&w, shut_down, &w);
    world_until(&w, outcome_done, &never);
    assert_int_equal(never.err, FED_ERR_NETWORK);
    assert_int_equal(w.n_closed, 2);
    outcome_fini(&stream);
    outcome_fini(&never);
    fed_http_client_close(client);
    world_close(&w);
}

static void shutdown_h2(void **state)
{
    (void)state;
    check_shutdown(false);
}

static void shutdown_h1(void **state)
{
    (void)state;
    check_shutdown(true);
}

/* An idle server is done at once, and the client comes back to the next one by itself. */
static void restart(void **state)
{
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    char listen_at[32];
    struct fed_http_server_options options = {.listen = listen_at};

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, false);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    outcome_fini(&o);
    snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", fed_http_server_port(w.server));
    fed_http_server_shutdown(w.server, 10000, on_shut_down, &w);
    world_until(&w, shut_down, &w);
    fed_http_server_close(w.server);
    w.server = NULL;
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_ERR_NETWORK);
    assert_non_null(strstr(o.diag, "refused"));
    outcome_fini(&o);
    world_serve(&w, &options);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

/* ---- a network that fails ---- */
/* Passes bytes between one client and the server, until it is told to hold them; counts the
 * server's TLS records. */
struct relay {
    struct world *world;
    int listen_fd;
    uint16_t port;
    int fds[2]; /* client's, server's */
    struct fed_watch *listen_watch;
    struct fed_watch *watches[2];
    bool frozen;
    uint8_t head[RECORD_HEAD]; /* of the present record */
    size_t n_head;
    size_t left; /* of its content */
    unsigned n_records;
    size_t longest;
    unsigned n_longest; /* records of that length */
};

static void count_records(struct relay *r, const uint8_t *at, size_t n)
{
    while (n > 0) {
        size_t skipped = r->left < n ? r->left : n;

        r->left -= skipped;
        at += skipped;
        n -= skipped;
        if (n == 0)
            return;
        r->head[r->n_head++] = *at++;
        n--;
        if (r->n_head < RECORD_HEAD)
            continue;
        r->n_head = 0;
        r->left = (size_t)r->head[3] << 8 | r->head[4];
        r->n_records++;
        if (r->left > r->longest)
            r->n_longest = 0;
        if (r->left >= r->longest) {
            r->longest = r->left;
            r->n_longest++;
        }
    }
}

static void pass(struct relay *r, int from)
{
    uint8_t bytes[16384];
    ssize_t n;

    if (r->frozen) {
        r->world->loop->watch_set(r->world->loop->ctx, r->watches[from], 0);
        return;
    }
    n = recv(r->fds[from], bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0 && from == 1)
        count_records(r, bytes, (size_t)n);
    if (n > 0)
        assert_int_equal(send(r->fds[!from], bytes, (size_t)n, MSG_NOSIGNAL), n);
    else if (n == 0)
        r->world->loop->watch_set(r->world->loop->ctx, r->watches[from], 0);
}

static void pass_up(void *ctx, unsigned events)
{
    (void)events;
    pass(ctx, 0);
}

static void pass_down(void *ctx, unsigned events)
{
    (void)events;
    pass(ctx, 1);
}

static void relay_accept(void *ctx, unsigned events)
{
    struct relay *r = ctx;
    struct fed_loop *loop = r->world->loop;

    (void)events;
    r->fds[0] = accept(r->listen_fd, NULL, NULL);
    assert_true(r->fds[0] >= 0);
    r->fds[1] = raw_connect(r->world);
    assert_int_equal(
        loop->watch_new(loop->ctx, r->fds[0], FED_LOOP_READ, pass_up, r, &r->watches[0]), FED_OK);
    assert_int_equal(
        loop->watch_new(loop->ctx, r->fds[1], FED_LOOP_READ, pass_down, r, &r->watches[1]), FED_OK);
}

static void relay_open(struct relay *r, struct world *w)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);

    *r = (struct relay){.world = w, .fds = {-1, -1}};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(r->listen_fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(r->listen_fd, 4), 0);
    assert_int_equal(getsockname(r->listen_fd, (struct sockaddr *)&at, &len), 0);
    r->port = ntohs(at.sin_port);
    assert_int_equal(w->loop->watch_new(w->loop->ctx, r->listen_fd, FED_LOOP_READ, relay_accept, r,
                         &r->listen_watch),
        FED_OK);
}

/* Both sides see the connection end. */
static void relay_cut(struct relay *r)
{
    for (int i = 0; i < 2; i++) {
        if (r->fds[i] < 0)
            continue;
        r->world->loop->watch_free(r->world->loop->ctx, r->watches[i]);
        close(r->fds[i]);
        r->fds[i] = -1;
    }
}

static void relay_close(struct relay *r)
{
    relay_cut(r);
    r->world->loop->watch_free(r->world->loop->ctx, r->listen_watch);
    close(r->listen_fd);
}

static struct fed_http_client *client_through(struct relay *r, bool http1)
{
    struct fed_http_client_options options = world_client_options(r->world);

    options.port = r->port;
    options.keepalive_ms = 500; /* a handshake under emulation takes a part of it */
    options.http1_only = http1;
    return world_client(r->world, &options);
}

static void silent_server(void **state)
{
    struct world w;
    struct relay r;
    struct outcome o;
    struct fed_http_client *client;

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);
    relay_open(&r, &w);
    client = client_through(&r, false);
    outcome_init(&o, &w);
    (void)world_stream(client, &o, "/stream");
    world_until(&w, has_head, &o);
    world_run_ms(&w, 2000); /* PINGs are answered */
    assert_int_equal(o.n_done, 0);
    r.frozen = true;
    world_until(&w, outcome_done, &o);
    assert_int_equal(o.err, FED_ERR_NETWORK);
    assert_non_null(strstr(o.diag, "does not answer"));
    outcome_fini(&o);
    relay_close(&r);
    fed_http_client_close(client);
    world_close(&w);
}

/* What costs most is done for each record: they are as long as they may be, but for the last and
 * one where the client's window may end. */
static void check_records(bool http1)
{
    struct world w;
    struct relay r;
    struct outcome o;
    struct fed_http_client *client;

    world_open(&w);
    world_serve(&w, NULL);
    relay_open(&r, &w);
    client = client_through(&r, http1);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    outcome_fini(&o);
    r.n_records = 0;
    r.longest = 0;
    world_ask(&w, client, &o, "GET", "/big", nothing);
    assert_int_equal(o.body.len, 300 * 1024);
    assert_true(r.longest >= RECORD_FULL_MIN);
    assert_in_range(r.n_records, r.n_longest, r.n_longest + 2);
    outcome_fini(&o);
    relay_close(&r);
    fed_http_client_close(client);
    world_close(&w);
}

static void full_records(void **state)
{
    (void)state;
    check_records(false);
    check_records(true);
}

static void check_cut(bool http1)
{
    struct world w;
    struct relay r;
    struct outcome o;
    struct fed_http_client *client;

    world_open(&w);
    world_serve(&w, NULL);
    relay_open(&r, &w);
    client = client_through(&r, http1);
    outcome_init(&o, &w);
    (void)world_stream(client, &o, "/stream");
    world_until(&w, has_head, &o);
    relay_cut(&r);
    world_until(&w, outcome_done, &o);
    assert_int_equal(o.err, FED_ERR_NETWORK);
    world_until(&w, was_closed, &w);
    outcome_fini(&o);
    world_ask(&w, client, &o, "POST", "/echo", FED_SPAN_LIT("again"));
    assert_int_equal(o.err, FED_OK);
    outcome_fini(&o);
    /* The connection is gone while nobody uses it. */
    relay_cut(&r);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    outcome_fini(&o);
    fed_http_client_close(client);
    relay_close(&r);
    world_close(&w);
}

static void cut_connection(void **state)
{
    (void)state;
    check_cut(false);
    check_cut(true);
}

static void unknown_host(void **state)
{
    struct world w;
    struct outcome o;
    struct fed_http_client_options options;
    struct fed_http_client *client;

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);
    options = world_client_options(&w);
    /* A label of more than 63 bytes: no resolver needs the network to refuse it. */
    options.host = "a-label-of-more-than-sixty-three-bytes-is-not-a-name-that-any-host-has.invalid";
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_ERR_NETWORK);
    assert_non_null(strstr(o.diag, "cannot be resolved"));
    outcome_fini(&o);
    fed_http_client_close(client);
    options.host = "localhost"; /* ::1 first on many machines, where nobody listens */
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

/* ---- what callbacks may do ---- */
struct closer {
    struct fed_http_client *client;
    unsigned n_done;
    unsigned n_closed;
};

static void close_at_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct closer *c = ctx;
    struct fed_http_client *client = c->client;

    (void)response;
    (void)diag;
    c->n_done++;
    c->n_closed += err == FED_ERR_CLOSED;
    c->client = NULL;
    fed_http_client_close(client);
}

static bool three_done(void *ctx)
{
    return ((struct closer *)ctx)->n_done == 3;
}

static void check_close_in_callback(bool http1)
{
    struct world w;
    struct closer c = {0};
    struct fed_http_call_options options = {.method = "GET", .target = "/hello"};
    struct fed_http_call_events events = {.ctx = &c, .done = close_at_done};

    world_open(&w);
    world_serve(&w, NULL);
    c.client = open_client(&w, http1);
    assert_int_equal(fed_http_call(c.client, &options, &events, NULL), FED_OK);
    options.target = "/never";
    assert_int_equal(fed_http_call(c.client, &options, &events, NULL), FED_OK);
    assert_int_equal(fed_http_call(c.client, &options, &events, NULL), FED_OK);
    world_until(&w, three_done, &c);
    assert_int_equal(c.n_closed, 2);
    world_close(&w);
}

static void close_in_callback(void **state)
{
    (void)state;
    check_close_in_callback(false);
    check_close_in_callback(true);
}

static void bad_requests(void **state)
{
    struct fed_http_header header = {FED_SPAN_LIT("x"), FED_SPAN_LIT("a\r\nb: c")};
    struct fed_http_call_options options = {.method = "GET", .target = "/"};
    struct fed_http_call_events events = {.done = close_at_done};
    struct fed_http_client *client;
    struct world w;

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, false);
    options.target = "/a b";
    assert_int_equal(fed_http_call(client, &options, &events, NULL), FED_ERR_INVALID);
    options.target = "no-slash";
    assert_int_equal(fed_http_call(client, &options, &events, NULL), FED_ERR_INVALID);
    options.target = "/";
    options.method = "GE\nT";
    assert_int_equal(fed_http_call(client, &options, &events, NULL), FED_ERR_INVALID);
    options.method = "GET";
    options.headers = &header;
    options.n_headers = 1;
    assert_int_equal(fed_http_call(client, &options, &events, NULL), FED_ERR_INVALID);
    fed_http_client_close(client);
    world_close(&w);
}

/* ---- limits and time ---- */
static void check_body_limit(bool http1)
{
    struct fed_http_server_options options = {.body_max = 100000};
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    static const uint8_t body[600000];

    world_open(&w);
    world_serve(&w, &options);
    client = open_client(&w, http1);
    world_ask(&w, client, &o, "POST", "/echo", fed_span_of(body, sizeof(body)));
    assert_int_equal(o.err, FED_OK);
    assert_int_equal(o.status, 413);
    assert_int_equal(w.n_handled, 0);
    outcome_fini(&o);
    world_ask(&w, client, &o, "POST", "/echo", fed_span_of(body, 100000));
    assert_int_equal(o.status, 200);
    assert_int_equal(o.body.len, 100000);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void body_limit_h2(void **state)
{
    (void)state;
    check_body_limit(false);
}

static void body_limit_h1(void **state)
{
    (void)state;
    check_body_limit(true);
}

static void check_header_limit(bool http1)
{
    struct fed_http_server_options options = {.header_max = 2000};
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    char target[3000];

    memset(target, 'x', sizeof(target));
    target[0] = '/';
    target[sizeof(target) - 1] = '\0';
    world_open(&w);
    world_serve(&w, &options);
    client = open_client(&w, http1);
    world_ask(&w, client, &o, "GET", target, nothing);
    assert_int_equal(o.err, FED_OK);
    assert_int_equal(o.status, http1 ? 414 : 431);
    outcome_fini(&o);
    target[1000] = '\0';
    world_ask(&w, client, &o, "GET", target, nothing);
    assert_int_equal(o.status, 404);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void header_limit_h2(void **state)
{
    (void)state;
    check_header_limit(false);
}

static void header_limit_h1(void **state)
{
    (void)state;
    check_header_limit(true);
}

static void check_response_limit(bool http1)
{
    struct world w;
    struct outcome o;
    struct fed_http_client_options options;
    struct fed_http_client *client;

    world_open(&w);
    world_serve(&w, NULL);
    options = world_client_options(&w);
    options.http1_only = http1;
    options.response_max = 1000;
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/big", nothing);
    assert_int_equal(o.err, FED_ERR_LIMIT);
    assert_non_null(strstr(o.diag, "1000"));
    outcome_fini(&o);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void response_limit(void **state)
{
    (void)state;
    check_response_limit(false);
    check_response_limit(true);
}

static void no_done(void *ctx, enum fed_err err, const struct fed_http_response *response,
    const struct fed_diag *diag)
{
    struct outcome *o = ctx;

    (void)response;
    o->n_done++;
    o->err = err;
    strncpy(o->diag, diag->text, sizeof(o->diag) - 1);
}

static void check_timeout(bool http1)
{
    struct world w;
    struct outcome o;
    struct fed_http_client *client;
    struct fed_http_call_options options = {.method = "GET", .target = "/never", .timeout_ms = 150};
    struct fed_http_call_events events = {.ctx = &o, .done = no_done};

    world_open(&w);
    world_serve(&w, NULL);
    client = open_client(&w, http1);
    outcome_init(&o, &w);
    assert_int_equal(fed_http_call(client, &options, &events, NULL), FED_OK);
    world_until(&w, outcome_done, &o);
    assert_int_equal(o.err, FED_ERR_TIMEOUT);
    assert_non_null(strstr(o.diag, "150 ms"));
    world_until(&w, was_closed, &w);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void call_timeout(void **state)
{
    (void)state;
    check_timeout(false);
    check_timeout(true);
}

struct raw {
    int fd;
    char text[512];
    size_t len;
};

static bool raw_ended(void *ctx)
{
    struct raw *r = ctx;
    ssize_t n = recv(r->fd, r->text + r->len, sizeof(r->text) - 1 - r->len, MSG_DONTWAIT);

    if (n > 0)
        r->len += (size_t)n;
    return n == 0 || (n < 0 && r->len == 0 && send(r->fd, "", 0, MSG_NOSIGNAL) < 0);
}

/* Plain HTTP, bytes that are nothing, and silence: all end, and the server goes on. */
static void not_tls(void **state)
{
    struct fed_http_server_options options = {.header_timeout_ms = 200};
    struct world w;
    struct outcome o;
    struct raw raw[3];
    struct fed_http_client *client;

    (void)state;
    memset(raw, 0, sizeof(raw));
    world_open(&w);
    world_serve(&w, &options);
    for (int i = 0; i < 3; i++)
        raw[i].fd = raw_connect(&w);
    assert_int_equal(send(raw[0].fd, "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
    assert_int_equal(send(raw[1].fd, "\x16\x03\x01\xff\xff\x00garbage", 13, 0), 13);
    for (int i = 0; i < 3; i++) {
        world_until(&w, raw_ended, &raw[i]);
        close(raw[i].fd);
    }
    assert_non_null(strstr(raw[0].text, "400 Bad Request"));
    client = open_client(&w, false);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static bool over_at_once(struct raw *r, struct world *w)
{
    world_run_ms(w, 100);
    return raw_ended(r);
}

static bool accepted(void *ctx)
{
    struct fed_http_server_stats stats;

    fed_http_server_stats(((struct world *)ctx)->server, &stats);
    return stats.connections == 2;
}

/* One address may have two handshakes under way: a third is closed, but who was silent for two
 * seconds gives way to it. */
static void silent_handshakes(void **state)
{
    struct fed_http_server_options options = {.handshakes_max = 4, .client_handshakes_max = 2};
    struct fed_http_server_stats stats;
    struct fed_http_client *client;
    struct raw raw[3];
    struct outcome o;
    struct world w;

    (void)state;
    memset(raw, 0, sizeof(raw));
    world_open(&w);
    world_serve(&w, &options);
    raw[0].fd = raw_connect(&w);
    raw[1].fd = raw_connect(&w);
    world_until(&w, accepted, &w);
    raw[2].fd = raw_connect(&w);
    assert_true(over_at_once(&raw[2], &w));
    assert_false(raw_ended(&raw[0]));
    world_run_ms(&w, 2100);
    client = open_client(&w, false);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    assert_true(raw_ended(&raw[0]));
    assert_false(raw_ended(&raw[1]));
    fed_http_server_stats(w.server, &stats);
    assert_int_equal(stats.turned_away, 2);
    assert_int_equal(stats.handshakes, 1);
    assert_int_equal(stats.failed, 0);
    for (int i = 0; i < 3; i++)
        close(raw[i].fd);
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

/* While it is paused nothing is accepted, and what is asked waits. */
static void paused(void **state)
{
    struct fed_http_server_stats stats;
    struct outcome answers[2];
    struct fed_http_client *clients[2];
    struct outcome first;
    struct world w;

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);
    clients[0] = open_client(&w, false);
    world_ask(&w, clients[0], &first, "GET", "/hello", nothing);
    fed_http_server_pause(w.server, true);
    clients[1] = open_client(&w, false);
    for (int i = 0; i < 2; i++) {
        outcome_init(&answers[i], &w);
        world_call(clients[i], &answers[i], "GET", "/hello", nothing);
    }
    world_run_ms(&w, 200);
    assert_int_equal(w.n_handled, 1);
    fed_http_server_stats(w.server, &stats);
    assert_int_equal(stats.connections, 1);
    fed_http_server_pause(w.server, false);
    for (int i = 0; i < 2; i++) {
        world_until(&w, outcome_done, &answers[i]);
        assert_int_equal(answers[i].err, FED_OK);
        outcome_fini(&answers[i]);
        fed_http_client_close(clients[i]);
    }
    outcome_fini(&first);
    world_close(&w);
}

/* ---- who is who ---- */
static void check_peer(bool http1, const char *expected)
{
    struct world w;
    struct outcome o;
    struct fed_http_client_options options;
    struct fed_http_client *client;

    world_open(&w);
    world_serve(&w, NULL);
    options = world_client_options(&w);
    options.http1_only = http1;
    if (expected) {
        options.cert_pem = fed_buf_span(&w.client_pem.cert);
        options.key_pem = fed_buf_span(&w.client_pem.key);
    }
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/peer", nothing);
    assert_int_equal(o.err, FED_OK);
    assert_true(fed_span_is(fed_buf_span(&o.body), expected ? expected : "nobody"));
    outcome_fini(&o);
    fed_http_client_close(client);
    world_close(&w);
}

static void peers(void **state)
{
    (void)state;
    check_peer(false, NULL);
    check_peer(false, "alice");
    check_peer(true, "alice");
}

static void wrong_certificates(void **state)
{
    struct world w;
    struct outcome o;
    struct fed_http_client_options options;
    struct fed_http_client *client;

    (void)state;
    world_open(&w);
    world_serve(&w, NULL);

    options = world_client_options(&w);
    options.ca_pem = fed_buf_span(&w.other_ca.cert);
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_ERR_TLS);
    assert_true(strlen(o.diag) > 20);
    outcome_fini(&o);
    fed_http_client_close(client);

    options = world_client_options(&w);
    options.server_name = "elsewhere.example";
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_ERR_TLS);
    outcome_fini(&o);
    fed_http_client_close(client);

    options = world_client_options(&w);
    options.cert_pem = fed_buf_span(&w.stranger_pem.cert);
    options.key_pem = fed_buf_span(&w.stranger_pem.key);
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_ERR_TLS);
    outcome_fini(&o);
    fed_http_client_close(client);

    options = world_client_options(&w);
    options.ca_pem = nothing;
    options.server_name = "elsewhere.example";
    options.insecure_skip_verify = true;
    client = world_client(&w, &options);
    world_ask(&w, client, &o, "GET", "/hello", nothing);
    assert_int_equal(o.err, FED_OK);
    outcome_fini(&o);
    fed_http_client_close(client);
    assert_int_equal(w.n_handled, 1);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_h2),
        cmocka_unit_test(calls_h1),
        cmocka_unit_test(parallel_h2),
        cmocka_unit_test(parallel_h1),
        cmocka_unit_test(gzip_when_accepted),
        cmocka_unit_test(stream_h2),
        cmocka_unit_test(stream_h1),
        cmocka_unit_test(stream_as_gzip),
        cmocka_unit_test(cancel_h2),
        cmocka_unit_test(cancel_h1),
        cmocka_unit_test(slow_reader_h2),
        cmocka_unit_test(slow_reader_h1),
        cmocka_unit_test(more_than_one_connection_takes),
        cmocka_unit_test(no_other_connection),
        cmocka_unit_test(shutdown_h2),
        cmocka_unit_test(shutdown_h1),
        cmocka_unit_test(restart),
        cmocka_unit_test(silent_server),
        cmocka_unit_test(full_records),
        cmocka_unit_test(cut_connection),
        cmocka_unit_test(unknown_host),
        cmocka_unit_test(close_in_callback),
        cmocka_unit_test(bad_requests),
        cmocka_unit_test(body_limit_h2),
        cmocka_unit_test(body_limit_h1),
        cmocka_unit_test(header_limit_h2),
        cmocka_unit_test(header_limit_h1),
        cmocka_unit_test(response_limit),
        cmocka_unit_test(call_timeout),
        cmocka_unit_test(not_tls),
        cmocka_unit_test(silent_handshakes),
        cmocka_unit_test(paused),
        cmocka_unit_test(peers),
        cmocka_unit_test(wrong_certificates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
