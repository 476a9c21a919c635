/* load_conn.c - see load_conn.h. */
#include "tests/bench/load_conn.h"

#include "ports/tls/stream.h"

#include <nghttp2/nghttp2.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STREAM_WINDOW (4u << 20)
#define CONNECTION_WINDOW (1u << 30)
#define OUT_MARK 65536u
#define READ_SIZE 65536u
#define EVENTS 64
#define CONNECT_LIMIT_MS 10000

struct load_net {
    struct fed_alloc *mem;
    struct fed_crypto crypto;
    struct fed_tls_config *tls;
    char host[254];
    char port[8];
    char authority[280];
    int epoll_fd;
    struct load_conn *conns;
    uint64_t bytes;
    bool stopped;
    enum fed_err err;
    struct fed_diag diag;
};

struct load_conn {
    struct load_conn *next;
    struct load_net *net;
    int fd;
    struct fed_tls_stream *tls;
    nghttp2_session *ng;
    struct fed_buf out;
    bool stepping;
    uint32_t events;
};

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(struct load_net *net, enum fed_err err, const char *what)
{
    if (!net->err) {
        net->err = err;
        fed_diag_prefix(&net->diag, err, "%s", what);
    }
    net->stopped = true;
}

/* ---- nghttp2 callbacks ---- */
static struct load_call *call_of(nghttp2_session *ng, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(ng, stream_id);
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct load_call *call = call_of(ng, frame->hd.stream_id);
    uint64_t status;

    (void)flags;
    (void)user;
    if (!call)
        return 0;
    if (fed_span_is(fed_span_of(name, name_len), ":status") &&
        !fed_span_to_u64(fed_span_of(value, value_len), &status))
        call->status = (unsigned)status;
    else if (fed_span_is(fed_span_of(name, name_len), "content-encoding"))
        call->gzip = fed_span_is(fed_span_of(value, value_len), "gzip");
    return 0;
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct load_conn *conn = user;
    struct load_call *call;

    if (frame->hd.type == NGHTTP2_GOAWAY)
        fail(conn->net, FED_ERR_CLOSED, "the server sent GOAWAY");
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    call = call_of(ng, frame->hd.stream_id);
    if (call && call->head)
        call->head(call);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream_id, const uint8_t *at,
    size_t len, void *user)
{
    struct load_call *call = call_of(ng, stream_id);

    (void)flags;
    (void)user;
    if (call)
        call->data(call, fed_span_of(at, len));
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t stream_id, uint32_t code, void *user)
{
    struct load_call *call = call_of(ng, stream_id);

    (void)user;
    if (!call)
        return 0;
    nghttp2_session_set_stream_user_data(ng, stream_id, NULL);
    if (code != NGHTTP2_NO_ERROR)
        call->status = 0;
    call->done(call);
    return 0;
}

static nghttp2_ssize read_body(nghttp2_session *ng, int32_t stream_id, uint8_t *to, size_t size,
    uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct load_call *call = call_of(ng, stream_id);
    struct fed_span piece;

    (void)source;
    (void)user;
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    piece = fed_span_sub(call->body, call->body_sent, size);
    if (piece.len > 0)
        memcpy(to, piece.at, piece.len);
    call->body_sent += piece.len;
    if (call->body_sent == call->body.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (nghttp2_ssize)piece.len;
}

/* ---- a connection's rounds ---- */
static bool fill_out(struct load_conn *conn)
{
    while (conn->out.len < OUT_MARK) {
        const uint8_t *at;
        nghttp2_ssize n = nghttp2_session_mem_send2(conn->ng, &at);

        if (n < 0)
            fail(conn->net, FED_ERR_NETWORK, nghttp2_strerror((int)n));
        if (n <= 0)
            break;
        fed_buf_put(&conn->out, fed_span_of(at, (size_t)n));
    }
    return conn->out.len > 0;
}

static void conn_write(struct load_conn *conn)
{
    while (fill_out(conn)) {
        size_t taken = 0;
        enum fed_err err =
            fed_tls_stream_write(conn->tls, fed_buf_span(&conn->out), &taken, &conn->net->diag);

        if (err == FED_ERR_BUSY)
            return;
        if (err) {
            fail(conn->net, err, "writing");
            return;
        }
        fed_buf_drop(&conn->out, taken);
    }
}

static void conn_read(struct load_conn *conn)
{
    uint8_t bytes[READ_SIZE];

    while (!conn->net->stopped) {
        size_t len = 0;
        nghttp2_ssize rc;
        enum fed_err err =
            fed_tls_stream_read(conn->tls, bytes, sizeof bytes, &len, &conn->net->diag);

        if (err == FED_ERR_BUSY)
            return;
        if (err) {
            fail(conn->net, err, "reading");
            return;
        }
        conn->net->bytes += len;
        rc = nghttp2_session_mem_recv2(conn->ng, bytes, len);
        if (rc < 0)
            fail(conn->net, FED_ERR_NETWORK, nghttp2_strerror((int)rc));
    }
}

static void conn_arm(struct load_conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};

    if (conn->out.len > 0)
        event.events |= EPOLLOUT;
    if (event.events == conn->events)
        return;
    if (epoll_ctl(
            conn->net->epoll_fd, conn->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, conn->fd, &event))
        fail(conn->net, FED_ERR_IO, strerror(errno));
    conn->events = event.events;
}

static void conn_step(struct load_conn *conn)
{
    conn->stepping = true;
    conn_read(conn);
    conn_write(conn);
    conn->stepping = false;
    conn_arm(conn);
}

/* ---- requests ---- */
static nghttp2_nv nv_text(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value)};
}

enum fed_err load_send(
    struct load_conn *conn, const struct load_request *request, struct load_call *call)
{
    nghttp2_data_provider2 body = {.read_callback = read_body};
    nghttp2_nv nv[9];
    size_t n = 0;

    nv[n++] = nv_text(":method", request->method);
    nv[n++] = nv_text(":scheme", "https");
    nv[n++] = nv_text(":authority", conn->net->authority);
    nv[n++] = nv_text(":path", request->target);
    nv[n++] = nv_text("accept", "application/json");
    nv[n++] = nv_text("user-agent", "load/1.0");
    if (request->content_type)
        nv[n++] = nv_text("content-type", request->content_type);
    if (request->gzip)
        nv[n++] = nv_text("accept-encoding", "gzip");
    call->conn = conn;
    call->status = 0;
    call->gzip = false;
    call->body_sent = 0;
    call->sent_ns = load_now_ns();
    if (nghttp2_submit_request2(conn->ng, NULL, nv, n, call->body.len > 0 ? &body : NULL, call) < 0)
        return FED_ERR_NETWORK;
    if (!conn->stepping) {
        conn_write(conn);
        conn_arm(conn);
    }
    return conn->net->err;
}

/* ---- connecting ---- */
static enum fed_err connect_to(struct load_net *net, int *out, struct fed_diag *diag)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int one = 1;
    int fd = -1;
    int rc = getaddrinfo(net->host, net->port, &hints, &list);

    if (rc)
        return fed_diag_set(diag, FED_ERR_NETWORK, "%s: %s", net->host, gai_strerror(rc));
    for (struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        return fed_diag_set(
            diag, FED_ERR_NETWORK, "%s:%s: %s", net->host, net->port, strerror(errno));
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *out = fd;
    return FED_OK;
}

static enum fed_err handshake(struct load_conn *conn, struct fed_diag *diag)
{
    for (;;) {
        enum fed_err err = fed_tls_stream_handshake(conn->tls, diag);
        struct pollfd wait = {.fd = conn->fd};

        if (err != FED_ERR_BUSY)
            return err;
        wait.events = fed_tls_stream_wants(conn->tls) == FED_TLS_WANTS_READ ? POLLIN : POLLOUT;
        if (poll(&wait, 1, CONNECT_LIMIT_MS) <= 0)
            return fed_diag_set(diag, FED_ERR_TIMEOUT, "TLS handshake: no answer");
    }
}

static int make_session(struct load_conn *conn)
{
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
    };
    nghttp2_session_callbacks *callbacks = NULL;
    int rc = nghttp2_session_callbacks_new(&callbacks);

    if (rc)
        return rc;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    rc = nghttp2_session_client_new(&conn->ng, callbacks, conn);
    nghttp2_session_callbacks_del(callbacks);
    if (!rc)
        rc = nghttp2_submit_settings(conn->ng, NGHTTP2_FLAG_NONE, settings, 2);
    if (!rc)
        rc = nghttp2_session_set_local_window_size(
            conn->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)CONNECTION_WINDOW);
    return rc;
}

static void conn_free(struct load_conn *conn)
{
    nghttp2_session_del(conn->ng);
    fed_tls_stream_free(conn->tls);
    if (conn->fd >= 0)
        close(conn->fd);
    fed_buf_fini(&conn->out);
    fed_alloc_free(conn->net->mem, conn, sizeof *conn);
}

enum fed_err load_conn_open(struct load_net *net, struct load_conn **out, struct fed_diag *diag)
{
    struct load_conn *conn = fed_alloc_zero(net->mem, sizeof *conn);
    enum fed_err err;

    if (!conn)
        return FED_ERR_NOMEM;
    conn->net = net;
    conn->fd = -1;
    fed_buf_init(&conn->out, net->mem, SIZE_MAX / 2);
    err = connect_to(net, &conn->fd, diag);
    if (!err)
        err = fed_tls_stream_open(net->mem, net->tls, conn->fd, &conn->tls, diag);
    if (!err)
        err = handshake(conn, diag);
    if (!err && (!fed_tls_stream_alpn(conn->tls) || make_session(conn)))
        err = fed_diag_set(diag, FED_ERR_UNSUPPORTED, "the server does not speak HTTP/2");
    if (err) {
        conn_free(conn);
        return err;
    }
    conn->next = net->conns;
    net->conns = conn;
    conn_write(conn);
    conn_arm(conn);
    *out = conn;
    return net->err;
}

/* ---- all of them ---- */
enum fed_err load_net_open(
    const struct fed_kube_config *config, struct load_net **out, struct fed_diag *diag)
{
    static const char *const alpn[] = {"h2"};
    struct fed_alloc *mem = fed_alloc_system();
    struct load_net *net = fed_alloc_zero(mem, sizeof *net);
    struct fed_tls_client_options tls = {
        .ca_pem = fed_buf_span(&config->ca_pem),
        .server_name = config->tls_server_name[0] ? config->tls_server_name : config->server_host,
        .insecure_skip_verify = config->insecure_skip_tls_verify,
        .cert_pem = fed_buf_span(&config->cert_pem),
        .key_pem = fed_buf_span(&config->key_pem),
        .alpn = alpn,
        .n_alpn = 1,
    };
    enum fed_err err;

    if (!net)
        return FED_ERR_NOMEM;
    net->mem = mem;
    net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    snprintf(net->host, sizeof net->host, "%s", config->server_host);
    snprintf(net->port, sizeof net->port, "%u", (unsigned)config->server_port);
    snprintf(net->authority, sizeof net->authority, "%s:%s", net->host, net->port);
    err = fed_tls_crypto_open(mem, &net->crypto, diag);
    if (!err)
        err = fed_tls_config_new_client(mem, &tls, &net->tls, diag);
    if (err)
        load_net_close(net);
    else
        *out = net;
    return err;
}

void load_net_close(struct load_net *net)
{
    while (net->conns) {
        struct load_conn *conn = net->conns;

        net->conns = conn->next;
        conn_free(conn);
    }
    fed_tls_config_free(net->tls);
    close(net->epoll_fd);
    fed_alloc_free(net->mem, net, sizeof *net);
}

enum fed_err load_net_run(struct load_net *net, unsigned limit_ms, struct fed_diag *diag)
{
    uint64_t end_ns = load_now_ns() + (uint64_t)limit_ms * 1000000u;

    net->stopped = net->err != FED_OK;
    while (!net->stopped) {
        struct epoll_event events[EVENTS];
        uint64_t now_ns = load_now_ns();
        int n;

        if (now_ns >= end_ns)
            return fed_diag_set(diag, FED_ERR_TIMEOUT, "not done after %u ms", limit_ms);
        n = epoll_wait(net->epoll_fd, events, EVENTS, (int)((end_ns - now_ns) / 1000000u) + 1);
        for (int i = 0; i < n && !net->stopped; i++)
            conn_step(events[i].data.ptr);
    }
    if (net->err)
        *diag = net->diag;
    return net->err;
}

void load_net_stop(struct load_net *net)
{
    net->stopped = true;
}

uint64_t load_net_bytes(const struct load_net *net)
{
    return net->bytes;
}
