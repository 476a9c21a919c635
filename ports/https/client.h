/* client.h - the inside of the agent's HTTPS client on ports/http: client.c (session, times),
 * client_request.c (requests, ranges, pings), client_observe.c (the observation) and
 * client_partial.c (what came of a large answer, for later).
 *
 * One HTTP client lives as long as one session. What ends a session is told from the timer, when
 * nothing is on the stack; a request may be ended by its owner's callback at any moment, so nothing
 * of it is touched behind one. */
#ifndef FEDLET_PORTS_HTTPS_CLIENT_H
#define FEDLET_PORTS_HTTPS_CLIENT_H

#include "ports/http.h"
#include "ports/https/no_proxy.h"
#include "ports/https/records.h"
#include "ports/link.h"

#define FED_HTTPS_CLIENT_REQUESTS_MAX 16u
#define FED_HTTPS_CLIENT_PAYLOAD_MAX (64u << 10) /* of one request, as much as a hub takes */
#define FED_HTTPS_CLIENT_BODY_MAX                                                                  \
    (32u << 20) /* an answer, a record; the largest frame is as large (proto/bundle/frame.h) */
#define FED_HTTPS_CLIENT_TARGET_MAX 400u
#define FED_HTTPS_CLIENT_CONNECT_MS 15000u /* of one address, TLS included */
#define FED_HTTPS_CLIENT_RESUMES_MAX 5u    /* in a row without a new byte */
#define FED_HTTPS_CLIENT_RESUME_FLOOR_MS 500u
#define FED_HTTPS_CLIENT_RESUME_CEILING_MS 8000u
#define FED_HTTPS_CLIENT_ETAG_MAX 64u
#define FED_HTTPS_NEVER UINT64_MAX

enum fed_https_kind {
    FED_HTTPS_KIND_OPEN, /* the ping that proves a new session */
    FED_HTTPS_KIND_REQUEST,
    FED_HTTPS_KIND_OBSERVE,
    FED_HTTPS_KIND_PING
};

struct fed_https_request {
    struct fed_https_request *next;
    struct fed_https_client *client;
    enum fed_https_kind kind;
    struct fed_http_call *call; /* NULL: waits for resume_ms */
    uint64_t deadline_ms;       /* UINT64_MAX: none, it is the observation */
    uint64_t resume_ms;
    unsigned resumes; /* since something new came */
    size_t held;      /* bytes of body when the present call began */
    size_t told;      /* and when its owner was told of them last */
    fed_link_done *done;
    void *done_ctx;
    bool post;
    bool stream;   /* the answer is one of records */
    bool answered; /* done was called; only the observation lives on then */
    bool replaced; /* a newer observation was asked for */
    bool later;    /* the hub cannot send the rest now: what it says is not of the answer */
    unsigned status;
    uint32_t retry_after_s;
    char etag[FED_HTTPS_CLIENT_ETAG_MAX + 1]; /* "" for none */
    struct fed_buf body;
    struct fed_https_records records;
    char target[FED_HTTPS_CLIENT_TARGET_MAX + 1];
};

enum fed_https_state { FED_HTTPS_CLOSED, FED_HTTPS_CONNECTING, FED_HTTPS_UP, FED_HTTPS_FAILED };

/* What came of an answer in an earlier session; an empty body: nothing. */
struct fed_https_kept {
    struct fed_buf body;
    size_t told;
    char etag[FED_HTTPS_CLIENT_ETAG_MAX + 1];
    char target[FED_HTTPS_CLIENT_TARGET_MAX + 1]; /* its path counts */
};

struct fed_https_client {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    struct fed_link_events events;
    struct fed_link port;
    struct fed_timer *timer;
    char proxy[FED_HTTP_PROXY_MAX + 1];
    char no_proxy[FED_HTTPS_NO_PROXY_MAX + 1];
    bool http1_only;
    enum fed_https_state state;
    char peer[280];       /* "hub.example:7444" for sentences */
    char session[32 + 1]; /* hexadecimal */
    uint64_t deadline_ms; /* of connecting */
    unsigned timeout_ms;
    struct fed_http_client *http;
    uint64_t past_sent; /* bytes of sessions that are over */
    uint64_t past_received;
    struct fed_https_request *requests;
    unsigned n_requests;
    struct fed_https_kept kept;
    /* A PING of HTTP/2 under way. */
    fed_link_done *pong;
    void *pong_ctx;
    uint64_t pong_deadline_ms;
    /* ---- the end of the session ---- */
    bool lost; /* something went with its connection; over when the last large answer is here */
    enum fed_err down_err;
    struct fed_diag down_diag;
};

/* ---- client.c ---- */
void fed_https_client_arm(struct fed_https_client *client);
/* The session is over: requests end, then down is called, both from the timer. */
void fed_https_client_fail(
    struct fed_https_client *client, enum fed_err err, const struct fed_diag *diag);
/* The first answer of a session came. */
void fed_https_client_opened(struct fed_https_client *client);

/* ---- client_request.c ---- */
enum fed_err fed_https_client_request(void *ctx, enum fed_link_method method, const char *path,
    const char *query, struct fed_span payload, unsigned timeout_ms, fed_link_done *done,
    void *done_ctx);
enum fed_err fed_https_client_observe(void *ctx, const char *path, const char *query,
    unsigned timeout_ms, fed_link_done *done, void *done_ctx);
enum fed_err fed_https_client_ping(
    void *ctx, unsigned timeout_ms, fed_link_done *done, void *done_ctx);
void fed_https_request_free(struct fed_https_request *request); /* without done */
FED_MUST_USE enum fed_err fed_https_request_open(struct fed_https_client *client);
/* Ends all; done of what is not answered yet gets err. */
void fed_https_requests_end(struct fed_https_client *client, enum fed_err err, const char *why);
uint64_t fed_https_requests_due(
    const struct fed_https_client *client); /* UINT64_MAX: nothing waits */
void fed_https_requests_run(struct fed_https_client *client);

/* ---- client_partial.c ---- */
void fed_https_kept_drop(struct fed_https_client *client);
/* What came of an unfinished answer is kept, if it is more than what is. */
void fed_https_kept_keep(struct fed_https_request *request);
/* The request goes on from what is kept of its path; false: there is nothing. */
bool fed_https_kept_take(struct fed_https_request *request);
/* Bytes came. */
void fed_https_partial_tell(struct fed_https_request *request);
/* fed_link.partial_get and partial_set. */
enum fed_err fed_https_partial_get(void *ctx, struct fed_buf *out);
enum fed_err fed_https_partial_set(void *ctx, struct fed_span bytes);

/* ---- client_observe.c ---- */
/* Bytes of an answer of records came; the request may be gone then. */
void fed_https_request_records(struct fed_https_request *request, struct fed_span bytes);

#endif
