/* load_conn.h - HTTP/2 connections that make load: as thin as they can be, so that the server is
 * what is measured.
 *
 * TLS by ports/tls, frames by nghttp2, one epoll set for all. Windows are those of Go's HTTP/2
 * client (golang.org/x/net/http2: 4 MiB a stream, 1 GiB a connection). */
#ifndef FEDLET_TESTS_BENCH_LOAD_CONN_H
#define FEDLET_TESTS_BENCH_LOAD_CONN_H

#include "ports/kube.h"
#include "proto/base/buf.h"

struct load_net; /* all connections to one server */
struct load_conn;

/* One request and its answer; the caller's, from load_send until done. */
struct load_call {
    void *ctx;
    void (*head)(struct load_call *call); /* may be NULL; status is known */
    void (*data)(struct load_call *call, struct fed_span bytes);
    void (*done)(struct load_call *call); /* status 0: the stream was reset */
    struct load_conn *conn;
    unsigned status;
    bool gzip;            /* of the answer */
    struct fed_span body; /* of the request; lives until done */
    size_t body_sent;
    uint64_t sent_ns;
};

struct load_request {
    const char *method;
    const char *target;
    const char *content_type; /* NULL without a body */
    bool gzip;                /* accept it */
};

/* config outlives it. */
FED_MUST_USE enum fed_err load_net_open(
    const struct fed_kube_config *config, struct load_net **out, struct fed_diag *diag);
void load_net_close(struct load_net *net); /* and its connections */
/* Connects and shakes hands; waits for both. */
FED_MUST_USE enum fed_err load_conn_open(
    struct load_net *net, struct load_conn **out, struct fed_diag *diag);
/* Also from inside a callback. */
FED_MUST_USE enum fed_err load_send(
    struct load_conn *conn, const struct load_request *request, struct load_call *call);
/* Serves the connections until load_net_stop or a failure; limit_ms more at most
 * (FED_ERR_TIMEOUT). */
FED_MUST_USE enum fed_err load_net_run(
    struct load_net *net, unsigned limit_ms, struct fed_diag *diag);
void load_net_stop(struct load_net *net);
uint64_t load_net_bytes(const struct load_net *net); /* received, inside TLS */
uint64_t load_now_ns(void);

#endif
