/* worker.h - what fedhub and its gateway workers say to each other over a local stream socket.
 *
 * A message is a length of four bytes (of what follows), a type of one byte, and fields: numbers
 * big endian and of fixed size, byte strings behind a varint length. Both ends are the same
 * executable of the same version, so there is no negotiation; the decoder refuses everything that
 * is not exactly one message, because a worker talks to the Internet and may not be itself any
 * more.
 *
 * Sessions are named by the worker, exchanges too; a name is never used twice by one process. An
 * answer, a notification or a close for what is gone meanwhile is ignored. */
#ifndef FEDLET_PROTO_WORKER_WORKER_H
#define FEDLET_PROTO_WORKER_WORKER_H

#include "proto/base/buf.h"
#include "proto/digest/sha256.h"

#define FED_WORKER_HEAD_SIZE 4u
#define FED_WORKER_UP_MAX (160u << 10)  /* to fedhub: a request of 64 KiB, a session to be saved */
#define FED_WORKER_DOWN_MAX (33u << 20) /* to a worker: an answer with a whole bundle */
#define FED_WORKER_TEXT_MAX 1024u
#define FED_WORKER_PATH_MAX 1024u
#define FED_WORKER_REQUEST_MAX (64u << 10)
#define FED_WORKER_NOTIFY_MAX (32u << 20) /* by HTTPS; by CoAP a datagram is the limit */
#define FED_WORKER_ID_SIZE 16u
#define FED_WORKER_IDENTITY_MAX 128u
#define FED_WORKER_KEY_MAX 64u
#define FED_WORKER_RECALL_ID_MAX 32u
#define FED_WORKER_RECALL_MAX 2048u
#define FED_WORKER_PEM_MAX (64u << 10)
#define FED_WORKER_SAVED_MAX (16u << 10) /* one session, both parts */
#define FED_WORKER_ORGANIZATIONS_MAX 16u
#define FED_WORKER_STEER_NONE 0xffffu

enum fed_worker_type {
    /* to fedhub */
    FED_WORKER_READY = 1,
    FED_WORKER_FAILED,
    FED_WORKER_OPENED,
    FED_WORKER_CLOSED,
    FED_WORKER_ALIVE,
    FED_WORKER_REQUEST,
    FED_WORKER_NOTIFIED,
    FED_WORKER_KEY_WANTED,
    FED_WORKER_STATS,
    FED_WORKER_SAVED,
    FED_WORKER_DONE,
    FED_WORKER_UNFIT,
    FED_WORKER_COUNTED,
    FED_WORKER_STATS_HTTPS,
    FED_WORKER_RECALL_WANTED,
    /* to a worker */
    FED_WORKER_START = 32,
    FED_WORKER_ANSWER,
    FED_WORKER_NOTIFY,
    FED_WORKER_CLOSE,
    FED_WORKER_KEY,
    FED_WORKER_CERTIFICATE,
    FED_WORKER_RESTORE,
    FED_WORKER_GO,
    FED_WORKER_KNOCK,
    FED_WORKER_TOUCH,     /* its peer showed life at another worker (HTTPS) */
    FED_WORKER_UNOBSERVE, /* and observes there now */
    FED_WORKER_RECALL,
    /* both ways: a worker stops to take datagrams, and says so behind its last request */
    FED_WORKER_QUIET = 64,
    FED_WORKER_SAVE /* to a worker: every session by SAVED, then DONE and the end */
};

/* Facts of a certificate that was verified. */
struct fed_worker_cert {
    struct fed_span common_name;
    struct fed_span organizations[FED_WORKER_ORGANIZATIONS_MAX];
    size_t n_organizations;
    struct fed_digest public_key;
    struct fed_digest fingerprint;
    int64_t not_before_unix_s;
    int64_t not_after_unix_s;
    bool is_ca;
};
/* Of a session so far, as struct fed_link_stats. */
struct fed_worker_counts {
    uint64_t sent_bytes;
    uint64_t received_bytes;
    uint64_t sent_datagrams;
    uint64_t received_datagrams;
};
struct fed_worker_opened {
    uint64_t session;
    struct fed_span address;
    bool has_cert;
    struct fed_worker_cert cert;
    struct fed_span psk_identity; /* empty: none */
    struct fed_span https_id;  /* FED_WORKER_ID_SIZE bytes: by HTTPS, under that id; else empty */
    struct fed_span kept;      /* of a session that was restored: fedhub's part */
    struct fed_span recall_id; /* as in struct fed_link_peer */
    struct fed_span recall;
    struct fed_worker_counts counts;
};
struct fed_worker_request {
    uint64_t session;
    uint64_t exchange;
    uint8_t method; /* enum fed_link_method */
    bool observe;
    bool again; /* as in struct fed_link_server_request */
    struct fed_span path;
    struct fed_span query;
    struct fed_span payload;
};
struct fed_worker_stats {
    uint64_t handshakes; /* completed; abbreviated ones too */
    uint64_t recalled;   /* of them */
    uint64_t failed;
    uint64_t turned_away; /* had a valid cookie and were not admitted */
    uint64_t restored;
    uint64_t sessions;
};
struct fed_worker_start {
    uint16_t index; /* of this worker */
    uint16_t count;
    uint8_t log_level;
    uint32_t sessions_max; /* as struct fed_link_server_options */
    uint32_t handshakes_max;
    uint32_t session_idle_ms;
    uint32_t https_sessions_max;
    uint32_t https_handshakes_max;
    struct fed_span cert_pem;
    struct fed_span key_pem;
    struct fed_span client_ca_pem;
    struct fed_span chain_pem; /* shown by HTTPS; empty in START: the worker has none */
};
struct fed_worker_answer {
    uint64_t exchange;
    uint16_t code;
    uint32_t max_age_s;
    struct fed_span body;
};
struct fed_worker_saved {
    uint64_t session;     /* SAVED only */
    uint32_t away_ms;     /* RESTORE only: since it was saved */
    uint16_t steer;       /* first byte of its connection ID, or FED_WORKER_STEER_NONE */
    struct fed_span kept; /* fedhub's part; RESTORE only */
    struct fed_span part; /* the worker's */
};

/* One message. Which members are set, the type says; spans point into what was decoded. */
struct fed_worker_message {
    enum fed_worker_type type;
    union {
        uint16_t port;        /* READY */
        struct fed_span text; /* FAILED; KNOCK: an address */
        uint64_t session;     /* ALIVE, CLOSE, TOUCH, UNOBSERVE */
        struct {
            uint64_t session;
            struct fed_span why;
        } closed;
        struct fed_worker_opened opened;
        struct {
            uint64_t session;
            struct fed_worker_counts counts;
        } counted;
        struct fed_worker_request request;
        struct {
            uint64_t session;
            uint64_t tag;
            bool delivered; /* NOTIFIED only */
        } notified;         /* UNFIT, too */
        struct {
            uint64_t session;
            uint64_t tag;
            struct fed_span body;
        } notify;
        struct {
            struct fed_span identity;
            struct fed_span key; /* KEY only; empty: there is none */
        } key;
        struct {
            struct fed_span id;
            struct fed_span bytes; /* RECALL only; empty: there is nothing */
        } recall;
        struct fed_worker_stats stats; /* STATS_HTTPS, too */
        struct fed_worker_saved saved;
        struct fed_worker_start start; /* CERTIFICATE: the four PEM texts */
        struct fed_worker_answer answer;
    };
};

/* Who reads: a message of the other direction is refused. */
enum fed_worker_side { FED_WORKER_FEDHUB, FED_WORKER_WORKER };

/* Appends the message. Errors stick in out; FED_ERR_LIMIT when the whole does not fit out's limit,
 * then nothing of it is there. The caller keeps to the limits above. */
void fed_worker_put(struct fed_buf *out, const struct fed_worker_message *message);
/* How many bytes the message at the front has in all, its length included: 0 while that is not
 * known. FED_ERR_LIMIT for one that is too long for the side that reads, FED_ERR_INVALID for an
 * empty one. */
FED_MUST_USE enum fed_err fed_worker_size(
    struct fed_span from, enum fed_worker_side side, size_t *out);
/* Takes one whole message (fed_worker_size bytes of it). FED_ERR_INVALID, FED_ERR_TRUNCATED,
 * FED_ERR_LIMIT, FED_ERR_UNSUPPORTED (an unknown type, or one of the other direction). */
FED_MUST_USE enum fed_err fed_worker_take(
    struct fed_span message, enum fed_worker_side side, struct fed_worker_message *out);

#endif
