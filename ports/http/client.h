/* client.h - inside the client: calls, and the links (connections) that carry them.
 *
 * A call waits in the client until a link takes it. Links are stepped from readiness, their timer
 * or the client's flush timer; user callbacks may do anything with the client, also close it:
 * whoever may call back stands between fed_http_client_enter and _leave, and only _leave and the
 * step of a link itself free anything but calls. */
#ifndef FEDLET_PORTS_HTTP_CLIENT_H
#define FEDLET_PORTS_HTTP_CLIENT_H

#include "ports/http/fields.h"
#include "ports/http/transport.h"
#include "ports/resolve.h"

#define FED_HTTP_LINKS_MAX 64u
#define FED_HTTP_CLIENT_HEADER_MAX 65536u

struct fed_http_link;

struct fed_http_proxy {
    char host[256]; /* "" for none */
    uint16_t port;
    char name[272];   /* for sentences: "proxy HOST:PORT" */
    char secret[700]; /* base64 of USER:PASSWORD, "" for none */
};

struct fed_http_client {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_log *log;
    char host[256];
    uint16_t port;
    char authority[272];
    struct fed_http_proxy proxy;
    struct fed_tls_traffic traffic;
    uint64_t *total_sent;
    uint64_t *total_received;
    enum fed_http_trust trust;
    fed_loop_call *pong; /* of the PING that a user asked for, NULL for none */
    void *pong_ctx;
    struct fed_tls_config *tls;
    bool speaks_h1; /* told to, or learned at the last handshake */
    unsigned connect_timeout_ms;
    unsigned keepalive_ms;
    size_t response_max;
    struct fed_http_link *links;
    size_t n_links;
    struct fed_http_call *first; /* all calls, oldest first */
    struct fed_http_call *last;
    uint64_t next_number;
    struct fed_timer *flush_timer;
    unsigned busy;
    bool closed;
};

struct fed_http_call {
    struct fed_http_client *client;
    struct fed_http_call *prev;
    struct fed_http_call *next;
    uint64_t number;            /* rising in the order of the list */
    struct fed_http_link *link; /* NULL: waiting */
    int32_t stream_id;          /* HTTP/2 */
    struct fed_http_call_events events;
    unsigned timeout_ms;
    struct fed_timer *timer;
    struct fed_http_fields request; /* finished */
    struct fed_buf body;
    size_t body_sent;
    bool retried;
    bool heard;  /* something of the answer came */
    bool headed; /* the head was complete */
    bool ended;  /* the answer was complete */
    unsigned status;
    struct fed_http_fields fields; /* of the answer */
    struct fed_buf answer;
};

enum fed_http_link_state {
    FED_HTTP_RESOLVING,
    FED_HTTP_CONNECTING,
    FED_HTTP_TUNNEL, /* the proxy was asked for one */
    FED_HTTP_HANDSHAKE,
    FED_HTTP_OPEN
};

struct fed_http_link_ops {
    enum fed_err (*start)(struct fed_http_link *link);
    void (*free)(struct fed_http_link *link);
    /* FED_ERR_*: the link is broken, diag says how. */
    enum fed_err (*feed)(struct fed_http_link *link, struct fed_span bytes, struct fed_diag *diag);
    enum fed_err (*pull)(struct fed_http_link *link, struct fed_diag *diag);
    bool (*takes)(struct fed_http_link *link); /* one more call, now */
    enum fed_err (*submit)(struct fed_http_link *link, struct fed_http_call *call);
    void (*cancel)(struct fed_http_link *link, struct fed_http_call *call);
    void (*eof)(struct fed_http_link *link); /* the peer ended in order; may complete a call */
    enum fed_err (*ping)(struct fed_http_link *link); /* NULL: cannot */
};

struct fed_http_link {
    struct fed_http_client *client;
    struct fed_http_link *prev;
    struct fed_http_link *next;
    const struct fed_http_link_ops *ops; /* once open */
    void *protocol;                      /* the ops' own */
    enum fed_http_link_state state;
    struct fed_http_transport transport;
    struct fed_http_queue out;
    struct fed_timer *timer;
    struct fed_resolve *resolve; /* under way */
    enum fed_err resolve_err;    /* how it ended */
    struct fed_diag resolve_diag;
    struct fed_resolve_address addresses[FED_RESOLVE_MAX];
    size_t n_addresses;
    size_t address;        /* tried now */
    struct fed_buf tunnel; /* the proxy's answer as far as it came */
    size_t n_calls;
    size_t n_served;   /* calls that ended well */
    uint64_t since_ms; /* this connection attempt */
    uint64_t heard_ms; /* last bytes from the peer, or first call after silence */
    uint64_t ping_ms;  /* a PING is unanswered since; 0: none */
    bool draining;     /* takes no more calls; closed after the last one */
    bool dead;         /* to be freed */
    bool stepping;
};

/* ---- client.c ---- */
void fed_http_client_enter(struct fed_http_client *client);
void fed_http_client_leave(struct fed_http_client *client); /* may free it */
/* Has waiting calls and links looked after, from the loop. */
void fed_http_client_kick(struct fed_http_client *client);

/* ---- client_conn.c ---- */
/* Begins to connect; what goes wrong arrives at the waiting calls. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_http_link_open(struct fed_http_client *client);
void fed_http_link_free(struct fed_http_link *link); /* carries no calls any more */
void fed_http_link_step(struct fed_http_link *link);

/* ---- client_proxy.c ---- */
#define FED_HTTP_TUNNEL_MAX 8192u /* bytes of the head of a proxy's answer */
/* url NULL or empty: none. FED_ERR_INVALID with a sentence that does not hold the password. */
FED_MUST_USE enum fed_err fed_http_proxy_parse(
    const char *url, struct fed_http_proxy *out, struct fed_diag *diag);
/* Asks for the tunnel; the socket is connected. */
FED_MUST_USE enum fed_err fed_http_tunnel_begin(struct fed_http_link *link, struct fed_diag *diag);
/* Reads the answer. FED_OK: the tunnel stands; FED_ERR_BUSY; FED_ERR_FORBIDDEN: the proxy refused.
 */
FED_MUST_USE enum fed_err fed_http_tunnel_read(struct fed_http_link *link, struct fed_diag *diag);

/* What the head of the answer says: FED_OK or FED_ERR_FORBIDDEN. */
FED_MUST_USE enum fed_err fed_http_tunnel_judge(
    const struct fed_http_proxy *proxy, struct fed_span head, struct fed_diag *diag);

/* ---- client_call.c ---- */
/* All of these may call back, and then the call may be gone: true when it still is there. */
bool fed_http_call_head(struct fed_http_call *call); /* status and fields are complete */
bool fed_http_call_data(struct fed_http_call *call, struct fed_span bytes);
/* Ends the call: done, then it is gone. diag may be NULL when err is FED_OK. */
void fed_http_call_finish(
    struct fed_http_call *call, enum fed_err err, const struct fed_diag *diag);
/* Its link is lost or refused it: back to waiting when that is safe, else finished with err. */
void fed_http_call_lost(
    struct fed_http_call *call, bool untouched, enum fed_err err, const struct fed_diag *diag);
/* Assigns it to a link. */
void fed_http_call_carry(struct fed_http_call *call, struct fed_http_link *link);

/* ---- client_h1.c, client_h2.c ---- */
extern const struct fed_http_link_ops fed_http_link_h1;
extern const struct fed_http_link_ops fed_http_link_h2;

#endif
