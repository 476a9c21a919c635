/* transport.h - a socket with TLS on the loop, as servers and clients use it.
 *
 * Owns descriptor, TLS stream and watch; decides nothing. After each round its owner says with _arm
 * what it waits for. */
#ifndef FEDLET_PORTS_HTTP_TRANSPORT_H
#define FEDLET_PORTS_HTTP_TRANSPORT_H

#include "ports/http/queue.h"
#include "ports/loop.h"
#include "ports/tls/stream.h"

struct fed_http_transport {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    int fd;     /* -1: none */
    bool quiet; /* no probes of TCP: set before _take */
    struct fed_tls_stream *tls;
    struct fed_watch *watch;
    unsigned read_wants;  /* readiness that the last read waits for */
    unsigned write_wants; /* same for the last write */
    unsigned watched;
};

void fed_http_transport_init(
    struct fed_http_transport *t, struct fed_alloc *mem, struct fed_loop *loop);
/* Takes fd (non-blocking), also on failure, and watches it for events. Sets TCP_NODELAY and
 * keepalive, so that a peer that vanished is noticed within two minutes; when quiet only if there
 * are bytes under way to it. */
FED_MUST_USE enum fed_err fed_http_transport_take(
    struct fed_http_transport *t, int fd, unsigned events, fed_loop_ready *ready, void *ctx);
/* Begins TLS. FED_ERR_NOMEM, FED_ERR_TLS. */
FED_MUST_USE enum fed_err fed_http_transport_secure(
    struct fed_http_transport *t, struct fed_tls_config *config, struct fed_diag *diag);
/* As fed_tls_stream_handshake and _read. */
FED_MUST_USE enum fed_err fed_http_transport_handshake(
    struct fed_http_transport *t, struct fed_diag *diag);
FED_MUST_USE enum fed_err fed_http_transport_read(
    struct fed_http_transport *t, uint8_t *out, size_t size, size_t *len, struct fed_diag *diag);
/* Sends from out, all of it or, when more will be in out at once, only whole records. FED_OK: done;
 * FED_ERR_BUSY: the socket is full. *sent grows by the bytes that went. */
enum fed_http_rest { FED_HTTP_REST_GOES, FED_HTTP_REST_WAITS };
FED_MUST_USE enum fed_err fed_http_transport_write(struct fed_http_transport *t,
    struct fed_http_queue *out, enum fed_http_rest rest, size_t *sent, struct fed_diag *diag);
/* As fed_tls_stream_rest. */
void fed_http_transport_rest(struct fed_http_transport *t);
/* Watches for what the next operations need; wanted: FED_LOOP_READ | FED_LOOP_WRITE for reading and
 * writing bytes. */
void fed_http_transport_arm(struct fed_http_transport *t, unsigned wanted);
/* Says goodbye and sends nothing more; the peer may still be sending. */
void fed_http_transport_finish(struct fed_http_transport *t);
/* Says goodbye as far as the socket takes it, and closes. */
void fed_http_transport_close(struct fed_http_transport *t);

#endif
