/* transport.c - see transport.h. */
#include "ports/http/transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD 16384u /* bytes of a full one, RFC 8446 section 5.1 */

void fed_http_transport_init(
    struct fed_http_transport *t, struct fed_alloc *mem, struct fed_loop *loop)
{
    *t = (struct fed_http_transport){.mem = mem, .loop = loop, .fd = -1};
}

/* Failing options cost speed, not correctness. */
static void set_options(int fd, bool quiet)
{
    const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, !quiet},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 15},
        {IPPROTO_TCP, TCP_KEEPCNT, 4},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 120000},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

enum fed_err fed_http_transport_take(
    struct fed_http_transport *t, int fd, unsigned events, fed_loop_ready *ready, void *ctx)
{
    enum fed_err err;

    set_options(fd, t->quiet);
    err = t->loop->watch_new(t->loop->ctx, fd, events, ready, ctx, &t->watch);
    if (err) {
        close(fd);
        return err;
    }
    t->fd = fd;
    t->watched = events;
    return FED_OK;
}

enum fed_err fed_http_transport_secure(
    struct fed_http_transport *t, struct fed_tls_config *config, struct fed_diag *diag)
{
    return fed_tls_stream_open(t->mem, config, t->fd, &t->tls, diag);
}

enum fed_err fed_http_transport_handshake(struct fed_http_transport *t, struct fed_diag *diag)
{
    enum fed_err err = fed_tls_stream_handshake(t->tls, diag);

    t->read_wants = err == FED_ERR_BUSY ? fed_tls_stream_wants(t->tls) : FED_LOOP_READ;
    return err;
}

enum fed_err fed_http_transport_read(
    struct fed_http_transport *t, uint8_t *out, size_t size, size_t *len, struct fed_diag *diag)
{
    enum fed_err err = fed_tls_stream_read(t->tls, out, size, len, diag);

    t->read_wants = err == FED_ERR_BUSY ? fed_tls_stream_wants(t->tls) : FED_LOOP_READ;
    return err;
}

enum fed_err fed_http_transport_write(struct fed_http_transport *t, struct fed_http_queue *out,
    enum fed_http_rest rest, size_t *sent, struct fed_diag *diag)
{
    size_t least = rest == FED_HTTP_REST_WAITS ? RECORD : 1;

    while (fed_http_queue_len(out) >= least) {
        size_t taken = 0;
        enum fed_err err = fed_tls_stream_write(t->tls, fed_http_queue_span(out), &taken, diag);

        if (err == FED_ERR_BUSY)
            t->write_wants = fed_tls_stream_wants(t->tls);
        if (err)
            return err;
        fed_http_queue_drop(out, taken);
        *sent += taken;
    }
    return FED_OK;
}

void fed_http_transport_rest(struct fed_http_transport *t)
{
    if (t->tls)
        fed_tls_stream_rest(t->tls);
}

void fed_http_transport_arm(struct fed_http_transport *t, unsigned wanted)
{
    unsigned events = 0;

    if (wanted & FED_LOOP_READ)
        events |= t->read_wants ? t->read_wants : FED_LOOP_READ;
    if (wanted & FED_LOOP_WRITE)
        events |= t->write_wants ? t->write_wants : FED_LOOP_WRITE;
    if (events != t->watched)
        t->loop->watch_set(t->loop->ctx, t->watch, events);
    t->watched = events;
}

void fed_http_transport_finish(struct fed_http_transport *t)
{
    if (t->tls) {
        enum fed_err err = fed_tls_stream_close(t->tls);

        (void)err; /* The peer sees the end of the file anyway. */
        fed_tls_stream_free(t->tls);
        t->tls = NULL;
    }
    (void)shutdown(t->fd, SHUT_WR);
}

void fed_http_transport_close(struct fed_http_transport *t)
{
    if (t->fd >= 0)
        fed_http_transport_finish(t);
    if (t->watch)
        t->loop->watch_free(t->loop->ctx, t->watch);
    if (t->fd >= 0)
        close(t->fd);
    *t = (struct fed_http_transport){.mem = t->mem, .loop = t->loop, .fd = -1, .quiet = t->quiet};
}
