/* control.c - the service's end of the control socket; see ports/control.h and control_wire.h.
 *
 * A few clients at once, each with a time limit, so that a client that hangs costs one place for
 * some seconds. The handler is called when the line is complete; its answer is written as the
 * client takes it. */
#include "ports/control.h"

#include "ports/posix/control_wire.h"
#include "ports/posix/os_err.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENTS_MAX 8u
#define CLIENT_TIME_MS 10000u
#define REST_MS 1000u /* without accepting, when the system refuses */

struct client {
    struct fed_control_server *server;
    int fd; /* -1: the place is free */
    struct fed_watch *watch;
    struct fed_timer *timer;
    struct fed_buf request;
    struct fed_buf answer;
};

struct fed_control_server {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    fed_control_handler *handler;
    void *handler_ctx;
    struct sockaddr_un address; /* no path: it listens on a port */
    bool http;                  /* one GET instead of one line */
    int fd;
    struct fed_watch *watch;
    struct fed_timer *rest;
    struct client clients[CLIENTS_MAX];
};

enum fed_err fed_control_address(const char *path, struct sockaddr_un *out, struct fed_diag *diag)
{
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof out->sun_path)
        return fed_diag_set(diag, FED_ERR_LIMIT,
            "the control socket's path %s is longer than %zu bytes; choose a shorter folder", path,
            sizeof out->sun_path - 1);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, len + 1);
    return FED_OK;
}

/* ---- one client ---- */

static void client_end(struct client *c)
{
    struct fed_loop *loop = c->server->loop;

    if (c->fd < 0)
        return;
    loop->watch_free(loop->ctx, c->watch);
    loop->timer_free(loop->ctx, c->timer);
    close(c->fd);
    fed_buf_fini(&c->request);
    fed_buf_fini(&c->answer);
    c->fd = -1;
    c->watch = NULL;
    c->timer = NULL;
}

static void client_late(void *ctx)
{
    client_end(ctx);
}

/* Sends what the client takes now; ends with the last byte. */
static void client_send(struct client *c)
{
    struct fed_span rest = fed_buf_span(&c->answer);

    while (rest.len > 0) {
        ssize_t n = send(c->fd, rest.at, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        rest = fed_span_sub(rest, (size_t)n, rest.len);
    }
    if (rest.len == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
        client_end(c);
        return;
    }
    fed_buf_drop(&c->answer, c->answer.len - rest.len);
    c->server->loop->watch_set(c->server->loop->ctx, c->watch, FED_LOOP_WRITE);
}

static void put_http_head(struct fed_buf *out, const char *status, size_t len)
{
    fed_buf_printf(out,
        "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        "Content-Length: %zu\r\nConnection: close\r\n\r\n",
        status, len);
}

static void client_fail(struct client *c, enum fed_err err, const char *text)
{
    if (!text[0])
        text = fed_err_text(err);
    fed_buf_clear(&c->answer);
    if (c->server->http)
        put_http_head(&c->answer,
            err == FED_ERR_NOT_FOUND     ? "404 Not Found"
            : err == FED_ERR_UNSUPPORTED ? "405 Method Not Allowed"
                                         : "400 Bad Request",
            strlen(text));
    else
        fed_buf_printf(&c->answer, "error %zu\n", strlen(text));
    fed_buf_put_text(&c->answer, text);
    client_send(c);
}

static void client_answer(struct client *c, struct fed_span request)
{
    struct fed_control_server *s = c->server;
    struct fed_buf document;
    struct fed_diag diag = {{0}};
    enum fed_err err;

    fed_buf_init(&document, s->mem, FED_CONTROL_ANSWER_MAX);
    err = s->handler(s->handler_ctx, request, &document, &diag);
    if (!err)
        err = fed_buf_err(&document);
    if (err) {
        fed_buf_fini(&document);
        client_fail(c, err, diag.text);
        return;
    }
    if (s->http)
        put_http_head(&c->answer, "200 OK", document.len);
    else
        fed_buf_printf(&c->answer, "ok %zu\n", document.len);
    fed_buf_put(&c->answer, fed_buf_span(&document));
    fed_buf_fini(&document);
    err = fed_buf_err(&c->answer);
    if (err)
        client_fail(c, err, "");
    else
        client_send(c);
}

/* Answers once the whole head is there: a client whose bytes were not read gets a reset. */
static void client_take_http(struct client *c)
{
    struct fed_span head = fed_buf_span(&c->request);
    struct fed_span path;
    enum fed_err err;

    if (!fed_control_http_is_whole(head)) {
        if (fed_buf_err(&c->request) || head.len > FED_CONTROL_REQUEST_MAX)
            client_fail(c, FED_ERR_LIMIT, "the request is too long");
        return;
    }
    err = fed_control_http_parse(head, &path);
    if (err)
        client_fail(c, err, "");
    else
        client_answer(c, path);
}

static void client_read(struct client *c)
{
    uint8_t part[512];
    ssize_t n = recv(c->fd, part, sizeof part, MSG_DONTWAIT);
    struct fed_span got;
    size_t line;

    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0) {
        client_end(c);
        return;
    }
    fed_buf_put(&c->request, fed_span_of(part, (size_t)n));
    if (c->server->http) {
        client_take_http(c);
        return;
    }
    got = fed_buf_span(&c->request);
    line = fed_span_find(got, '\n');
    if (line > FED_CONTROL_REQUEST_MAX || (fed_buf_err(&c->request) && line == got.len))
        client_fail(c, FED_ERR_LIMIT, "the request is too long");
    else if (line < got.len)
        client_answer(c, fed_span_sub(got, 0, line));
}

static void client_ready(void *ctx, unsigned events)
{
    struct client *c = ctx;

    if (events & FED_LOOP_WRITE)
        client_send(c);
    else if (events & FED_LOOP_READ)
        client_read(c);
    else
        client_end(c);
}

static enum fed_err client_begin(struct client *c, int fd)
{
    struct fed_loop *loop = c->server->loop;
    enum fed_err err = loop->timer_new(loop->ctx, client_late, c, &c->timer);

    if (!err)
        err = loop->watch_new(loop->ctx, fd, FED_LOOP_READ, client_ready, c, &c->watch);
    if (err) {
        loop->timer_free(loop->ctx, c->timer);
        c->timer = NULL;
        return err;
    }
    loop->timer_set(loop->ctx, c->timer, fed_loop_now_ms(loop) + CLIENT_TIME_MS);
    /* Room for the longest request, its line feed and whatever came with it. */
    fed_buf_init(&c->request, c->server->mem, FED_CONTROL_REQUEST_MAX + 512u);
    fed_buf_init(&c->answer, c->server->mem, FED_CONTROL_ANSWER_MAX + FED_CONTROL_HEAD_MAX);
    c->fd = fd;
    return FED_OK;
}

/* ---- the socket ---- */

static struct client *free_place(struct fed_control_server *s)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (s->clients[i].fd < 0)
            return &s->clients[i];
    return NULL;
}

static void server_rested(void *ctx)
{
    struct fed_control_server *s = ctx;

    s->loop->watch_set(s->loop->ctx, s->watch, FED_LOOP_READ);
}

/* Without descriptors the client stays in the queue and would be reported for ever. */
static void server_rest(struct fed_control_server *s)
{
    fed_log(s->log, FED_LOG_WARN, "control socket: cannot accept: %s, next try in %u ms",
        strerror(errno), REST_MS);
    s->loop->watch_set(s->loop->ctx, s->watch, 0);
    s->loop->timer_set(s->loop->ctx, s->rest, fed_loop_now_ms(s->loop) + REST_MS);
}

static void server_ready(void *ctx, unsigned events)
{
    struct fed_control_server *s = ctx;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *c = free_place(s);
    enum fed_err err;

    (void)events;
    if (fd < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED)
            server_rest(s);
        return;
    }
    err = c ? client_begin(c, fd) : FED_ERR_BUSY;
    if (!err)
        return;
    fed_log(
        s->log, FED_LOG_WARN, "control socket: a client was turned away: %s", fed_err_text(err));
    close(fd);
}

/* Removes a socket that a killed service left. FED_ERR_BUSY when one is listening. */
static enum fed_err clear_path(const struct sockaddr_un *address, struct fed_diag *diag)
{
    const char *path = address->sun_path;
    struct stat st;
    int fd;
    int failed;

    if (lstat(path, &st))
        return errno == ENOENT ? FED_OK : fed_os_err_set(diag, "cannot look at", path);
    if (!S_ISSOCK(st.st_mode))
        return fed_diag_set(diag, FED_ERR_EXISTS, "%s exists and is not a socket", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fed_os_err_set(diag, "cannot make a socket for", path);
    failed = connect(fd, (const struct sockaddr *)address, sizeof *address) && errno != EAGAIN;
    close(fd);
    if (!failed)
        return fed_diag_set(diag, FED_ERR_BUSY, "another service listens on %s", path);
    if (unlink(path) && errno != ENOENT)
        return fed_os_err_set(diag, "cannot remove", path);
    return FED_OK;
}

static enum fed_err listen_on(
    const struct sockaddr_un *address, mode_t mask, int *out, struct fed_diag *diag)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old;
    int failed;
    enum fed_err err;

    if (fd < 0)
        return fed_os_err_set(diag, "cannot make a socket for", address->sun_path);
    old = umask(mask); /* so that it has its mode from its first moment on */
    failed = bind(fd, (const struct sockaddr *)address, sizeof *address);
    umask(old);
    if (!failed && listen(fd, (int)CLIENTS_MAX) == 0) {
        *out = fd;
        return FED_OK;
    }
    err = fed_os_err_set(diag, "cannot listen on", address->sun_path);
    if (!failed)
        (void)unlink(address->sun_path);
    close(fd);
    return err;
}

static enum fed_err listen_on_path(struct fed_control_server *s, struct fed_diag *diag)
{
    enum fed_err err = clear_path(&s->address, diag);

    /* Metrics are for who looks after the machine, and in them is nothing that the owner of a port
     * could not ask for. */
    return err ? err : listen_on(&s->address, s->http ? 0111 : 0177, &s->fd, diag);
}

static enum fed_err listen_on_port(
    struct fed_control_server *s, const char *text, struct fed_diag *diag)
{
    struct sockaddr_storage address;
    socklen_t len = 0;
    enum fed_err err = fed_control_loopback(text, &address, &len, diag);
    int one = 1;

    if (err)
        return err;
    s->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(s->fd, (const struct sockaddr *)&address, len) == 0 &&
        listen(s->fd, (int)CLIENTS_MAX) == 0)
        return FED_OK;
    err = fed_os_err_set(diag, "cannot listen on", text);
    if (s->fd >= 0)
        close(s->fd);
    return err;
}

static enum fed_err server_start(
    struct fed_control_server *s, const char *port, struct fed_diag *diag)
{
    enum fed_err err = port ? listen_on_port(s, port, diag) : listen_on_path(s, diag);

    if (err)
        return err;
    err = s->loop->timer_new(s->loop->ctx, server_rested, s, &s->rest);
    if (!err)
        err = s->loop->watch_new(s->loop->ctx, s->fd, FED_LOOP_READ, server_ready, s, &s->watch);
    if (err) {
        fed_diag_set(diag, err, "cannot watch the control socket: %s", fed_err_text(err));
        s->loop->timer_free(s->loop->ctx, s->rest);
        if (!port)
            (void)unlink(s->address.sun_path);
        close(s->fd);
    }
    return err;
}

static enum fed_err server_open(const struct fed_control_server *as, const char *port,
    struct fed_control_server **out, struct fed_diag *diag)
{
    struct fed_control_server *s = fed_alloc_zero(as->mem, sizeof *s);
    enum fed_err err;

    if (!s)
        return fed_diag_set(diag, FED_ERR_NOMEM, "control socket: out of memory");
    *s = *as;
    s->fd = -1;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        s->clients[i] = (struct client){.server = s, .fd = -1};
    err = server_start(s, port, diag);
    if (err) {
        fed_alloc_free(as->mem, s, sizeof *s);
        return err;
    }
    *out = s;
    return FED_OK;
}

enum fed_err fed_control_server_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const char *path, fed_control_handler *handler, void *ctx,
    struct fed_control_server **out, struct fed_diag *diag)
{
    struct fed_control_server as = {
        .mem = mem, .loop = loop, .log = log, .handler = handler, .handler_ctx = ctx};
    enum fed_err err = fed_control_address(path, &as.address, diag);

    return err ? err : server_open(&as, NULL, out, diag);
}

enum fed_err fed_control_http_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const char *listen_at, fed_control_handler *handler, void *ctx,
    struct fed_control_server **out, struct fed_diag *diag)
{
    struct fed_control_server as = {
        .mem = mem, .loop = loop, .log = log, .handler = handler, .handler_ctx = ctx, .http = true};
    bool path = strncmp(listen_at, "unix:", 5) == 0;
    enum fed_err err = path ? fed_control_address(listen_at + 5, &as.address, diag) : FED_OK;

    return err ? err : server_open(&as, path ? NULL : listen_at, out, diag);
}

void fed_control_server_close(struct fed_control_server *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        client_end(&s->clients[i]);
    s->loop->watch_free(s->loop->ctx, s->watch);
    s->loop->timer_free(s->loop->ctx, s->rest);
    if (s->address.sun_path[0])
        (void)unlink(s->address.sun_path);
    close(s->fd);
    fed_alloc_free(s->mem, s, sizeof *s);
}
