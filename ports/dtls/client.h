/* client.h - the inside of the agent's DTLS client: client.c (contract, addresses, socket),
 * client_session.c (the library).
 *
 *   connecting -> open -> over
 *
 * Keys and certificates are there while the handshake needs them and no longer: an open session is
 * the library's context and its configuration. A session that a callback gives up is freed when the
 * calls on the stack have returned. */
#ifndef FEDLET_PORTS_DTLS_CLIENT_H
#define FEDLET_PORTS_DTLS_CLIENT_H

#include "ports/dtls.h"
#include "ports/dtls/address.h"
#include "ports/dtls/recall.h"
#include "ports/resolve.h"
#include "ports/tls/mbed.h"

#define DTLS_CLIENT_ADDRESSES_MAX 8u /* of one name */
#define DTLS_CLIENT_MTU 1232u        /* UDP payload of the smallest IPv6 link */
#define DTLS_CLIENT_MTU_NARROW                                                                     \
    448u /* then of a path that carries 500 bytes, with IPv6 headers; RFC 6347 section 4.1.1.1 */
#define DTLS_CLIENT_NARROW_TRIES 2u /* time-outs of flights before that is tried */
#define DTLS_CLIENT_DATAGRAM_MAX 2048u
#define DTLS_CLIENT_RETRY_FLOOR_MS 1000u    /* RFC 6347 section 4.2.4.1 */
#define DTLS_CLIENT_RETRY_CEILING_MS 60000u /* the time-out of connecting comes first */
#define DTLS_CLIENT_ADDRESS_MS                                                                     \
    3500u /* two ClientHellos without an answer, and the next is tried                             \
           */
#define DTLS_CLIENT_RECORDS_PER_WAKE 64u /* then other descriptors get their turn */
#define DTLS_CLIENT_SAVED_MAX 1024u
#define DTLS_CLIENT_SAVED_FORMAT                                                                   \
    2u /* the library's own begin with the number of its version, 3                                \
        */

/* What only a handshake needs. */
struct dtls_client_handshake {
    mbedtls_x509_crt own;
    mbedtls_x509_crt ca;
    mbedtls_pk_context key;
    bool psk;
    struct dtls_recall_made made;
    struct fed_digest who;       /* certificate and CA */
    bool recalls;                /* it was offered to go by what the client keeps */
    struct fed_resolve *resolve; /* the look-up under way */
    uint16_t port;
    struct dtls_address addresses[DTLS_CLIENT_ADDRESSES_MAX];
    size_t n_addresses;
    size_t address;       /* the one that is tried */
    uint64_t address_ms;  /* when it gives way to the next, unless it answered */
    uint64_t soft_due_ms; /* the library's retransmission timer; hard 0: not running */
    uint64_t hard_due_ms;
    uint64_t deadline_ms;
    unsigned timeout_ms;
    unsigned tries;    /* flights that were not answered in time */
    bool heard;        /* something came from the peer */
    bool unreachable;  /* the system says that nothing listens there */
    int alert;         /* of the peer, in the clear; -1 none */
    uint32_t flags;    /* MBEDTLS_X509_BADCERT_*, of all certificates of the hub's chain */
    char refused[160]; /* why the hub's certificate is not accepted */
};

struct dtls_client_session {
    struct fed_dtls_client *client; /* NULL: given up */
    unsigned busy;                  /* calls on the stack that still need it */
    int fd;
    struct dtls_address address; /* of the peer, once there is a socket */
    struct fed_watch *watch;
    struct dtls_client_handshake *handshake; /* NULL once open */
    bool doubted;                            /* an alert in the clear was among what was read */
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
};

/* Of the last session with a certificate. Good for the same certificate and the same trusted CAs,
 * as long as the hub's certificate of then would be. */
struct dtls_client_kept {
    bool there;
    struct dtls_recall recall;
    struct fed_digest who;
    mbedtls_x509_time ends;
};

struct fed_dtls_client {
    struct fed_alloc *mem;
    struct fed_loop *loop;
    struct fed_dtls_client_events events;
    struct fed_timer *timer; /* of handshakes */
    struct dtls_client_session *session;
    struct dtls_client_kept kept;
    struct fed_dtls_session_stats stats;
    bool narrow; /* the last handshake came through in small datagrams only, or so it seems */
    char peer[280];
};

/* ---- client.c ---- */
/* The session is over for a reason of its own: closed is called. */
void dtls_client_over(struct dtls_client_session *session, enum fed_err err, const char *format,
    ...) FED_PRINTF(3, 4);
void dtls_client_arm(struct dtls_client_session *session);
/* The next address in the place of the present one; false when there is none. */
bool dtls_client_next(struct dtls_client_session *session);

/* ---- client_session.c ---- */
/* identity NULL: for a restored one. What is made is freed by fini, also after an error. */
FED_MUST_USE enum fed_err dtls_client_session_init(struct dtls_client_session *session,
    const struct fed_dtls_identity *identity, struct fed_diag *diag);
void dtls_client_session_fini(struct dtls_client_session *session);
/* The handshake goes on: something arrived, or a time has come. */
void dtls_client_handshake_step(struct dtls_client_session *session);
/* Reads what is there. */
void dtls_client_read(struct dtls_client_session *session);
/* Why there is no session, as far as can be seen from here. */
void dtls_client_explain(struct dtls_client_session *session, bool timeout);

/* ---- client_recall.c ---- */
/* Notes whose handshake begins. */
FED_MUST_USE enum fed_err dtls_client_who(
    struct dtls_client_session *session, const struct fed_dtls_identity *identity);
/* What is to be offered in the handshake that begins. FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err dtls_client_recall(struct dtls_client_session *session);
/* The session is established; its keys are still there. */
void dtls_client_keep(struct dtls_client_session *session);
/* The handshake failed. A hub that does not know what is kept makes a whole one of it; what fails
 * behind the hub's hello, or by its alert, may fail for this. */
void dtls_client_recall_failed(struct dtls_client_session *session, bool timeout);
void dtls_client_forget(struct dtls_client_kept *kept);
/* For a later process; take sets *out anew, also to nothing. FED_ERR_INVALID, FED_ERR_TRUNCATED,
 * FED_ERR_LIMIT. */
void dtls_client_kept_put(const struct dtls_client_kept *kept, struct fed_buf *out);
FED_MUST_USE enum fed_err dtls_client_kept_take(
    struct fed_span *from, struct dtls_client_kept *out);

#endif
