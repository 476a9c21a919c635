/* dtls.h - DTLS 1.2 on both sides of the link.
 *
 * The hub's sessions on one UDP port: shared configuration, stateless cookies, look-up by address
 * and by connection ID (RFC 9146), resumption. A peer's address changes only after a newer record
 * was authenticated (RFC 9146 section 6). An address may be that of several sessions with
 * connection IDs, and of one without.
 *
 * The agent's one session, which a later process can go on with. Implementation: ports/dtls
 * (mbedTLS). */
#ifndef FEDLET_PORTS_DTLS_H
#define FEDLET_PORTS_DTLS_H

#include "ports/crypto.h"
#include "ports/log.h"
#include "ports/loop.h"

#define FED_DTLS_RECORD_MAX 1280u /* application bytes of one datagram that we send or accept */

#define FED_DTLS_RECALL_ID_SIZE 32u
#define FED_DTLS_RECALL_MAX 2048u

struct fed_dtls_server;
struct fed_dtls_session;

struct fed_dtls_peer {
    /* NULL for a PSK session. Everything about it is right but, perhaps, its times: whoever lets the
     * peer do anything compares not_before_unix_s and not_after_unix_s. */
    const struct fed_crypto_cert_info *cert;
    const char *psk_identity; /* NULL for a certificate session */
    /* Of a new session with a certificate, when there is a recall callback: what it is to be asked
     * for, of FED_DTLS_RECALL_ID_SIZE bytes, and what it then gives back, which is secret. The
     * first half of the identifier is the first half of the SHA-256 of the common name. Else both
     * are empty. */
    struct fed_span recall_id;
    struct fed_span recall;
};
/* Called from the loop. A callback may send and may close sessions, its own too; it must not close
 * the server. */
struct fed_dtls_events {
    void *ctx;
    /* peer and what it points to live for the call. */
    void (*opened)(void *ctx, struct fed_dtls_session *session, const struct fed_dtls_peer *peer);
    void (*received)(void *ctx, struct fed_dtls_session *session, struct fed_span record);
    void (*closed)(void *ctx, struct fed_dtls_session *session,
        const char *why); /* the session is dead afterwards */
    /* The peer speaks from another address, behind the record that said so: what was sent lately
     * went to the old one. proven false: until its next record from there it is sent no more than a
     * small multiple of what came. proven true: that record came. NULL: of no interest. */
    void (*moved)(void *ctx, struct fed_dtls_session *session, bool proven);
    /* The key (up to 64 bytes) of an identity (1 to 128, no NUL), or an error when it is unknown.
     * NULL: certificates only. FED_ERR_BUSY: fed_dtls_server_psk brings it; the handshake waits,
     * its peer's datagram with it. */
    enum fed_err (*psk)(void *ctx, struct fed_span identity, struct fed_buf *key);
    /* What was told with an earlier session under that identifier, of this process or another one:
     * the handshake is an abbreviated one (docs/protocol.md section 3.5), and the peer has the
     * certificate of that session. An error: a whole handshake. FED_ERR_BUSY:
     * fed_dtls_server_recall brings it. NULL: nobody is known again. */
    enum fed_err (*recall)(void *ctx, struct fed_span id, struct fed_buf *recall);
};
struct fed_dtls_options {
    const char *listen;       /* literal: "0.0.0.0:5684", "[::]:5684"; port 0 picks one */
    int fd;                   /* instead of listen: a bound UDP socket, the server's from now on,
                                 also when it cannot be opened; 0: none */
    unsigned steer_index;     /* the first byte of each connection ID is this modulo steer_count: */
    unsigned steer_count;     /* a router in front of several servers goes by it; 0: any byte */
    struct fed_span cert_pem; /* may be empty when there is a psk callback; all three are copied */
    struct fed_span key_pem;
    struct fed_span client_ca_pem; /* a client without PSK must have a certificate of these, which
                                    * may have ended, or not begun */
    unsigned sessions_max;    /* open ones and handshakes; beyond it ClientHellos get no answer */
    unsigned handshakes_max;  /* under way at once; half of them, and at least one, of one
                                 IPv4 address or one IPv6 network of 64 bits */
    unsigned handshake_share; /* per cent of one core that handshakes may take, measured; beyond it
                                 ClientHellos get no answer; 0: as much as there is */
    unsigned cookie_share;    /* the same for answers to ClientHellos that bring no good cookie */
    unsigned session_idle_ms; /* without an authenticated record */
};
struct fed_dtls_server_stats {
    uint64_t handshakes;  /* completed, abbreviated ones too */
    uint64_t recalled;    /* of them: of peers that were known again */
    uint64_t failed;      /* begun with a valid cookie and not completed */
    uint64_t turned_away; /* had a valid cookie and were not begun: no room, or no time */
    uint64_t restored;
};
struct fed_dtls_session_stats {
    uint64_t sent_bytes; /* UDP payload */
    uint64_t received_bytes;
    uint64_t sent_datagrams;
    uint64_t received_datagrams;
};

FED_MUST_USE enum fed_err fed_dtls_server_open(struct fed_alloc *mem, struct fed_loop *loop,
    struct fed_log *log, const struct fed_dtls_options *options,
    const struct fed_dtls_events *events, struct fed_dtls_server **out, struct fed_diag *diag);
void fed_dtls_server_close(
    struct fed_dtls_server *server); /* close_notify to all; closed is not called */
/* An alert in the clear to an address that a session was opened from ("192.0.2.1:5684"): here it is
 * not known. It proves nothing; whoever gets it looks whether its session lives. */
void fed_dtls_server_knock(struct fed_dtls_server *server, const char *address);
uint16_t fed_dtls_server_port(const struct fed_dtls_server *server);
size_t fed_dtls_server_sessions(const struct fed_dtls_server *server);
void fed_dtls_server_stats(const struct fed_dtls_server *server, struct fed_dtls_server_stats *out);
/* Paused, it takes no datagrams: they wait in the socket's buffer. Timers go on. */
void fed_dtls_server_pause(struct fed_dtls_server *server, bool paused);
/* The key that psk promised; empty: there is none. Handshakes that wait for it go on. */
void fed_dtls_server_psk(
    struct fed_dtls_server *server, struct fed_span identity, struct fed_span key);
/* What recall promised; empty: there is nothing. */
void fed_dtls_server_recall(
    struct fed_dtls_server *server, struct fed_span id, struct fed_span recall);
/* New handshakes use these instead; those under way finish with what they began with, and open
 * sessions do not care. On error nothing changes. */
FED_MUST_USE enum fed_err fed_dtls_server_certificate(struct fed_dtls_server *server,
    struct fed_span cert_pem, struct fed_span key_pem, struct fed_span client_ca_pem,
    struct fed_diag *diag);

/* ---- sessions that outlive their process ----
 * A session that is saved is over here: its keys and counters may go on in exactly one place, or
 * nonces would be used twice. */
#define FED_DTLS_SAVED_MAX 4096u
#define FED_DTLS_STEER_NONE 0xffffu
/* Appends the session to out and ends it; closed is not called, the peer hears nothing. What is
 * left is its user, address and figures, until _forget. *steer: the first byte of its connection
 * ID, or FED_DTLS_STEER_NONE when the peer sends none. FED_ERR_UNSUPPORTED: it cannot be saved (a
 * pre-shared key; no data has come yet), and stays; errors of out end and forget it. */
FED_MUST_USE enum fed_err fed_dtls_session_save(
    struct fed_dtls_session *session, struct fed_buf *out, unsigned *steer);
void fed_dtls_session_forget(struct fed_dtls_session *session);
/* Makes the session again, away_ms after it was saved. opened is not called: cert says who it is.
 * FED_ERR_GONE: it has been silent for too long; FED_ERR_UNSUPPORTED: saved by another version, or
 * for another steer_index; FED_ERR_CORRUPT; FED_ERR_LIMIT: sessions_max. */
FED_MUST_USE enum fed_err fed_dtls_session_restore(struct fed_dtls_server *server,
    struct fed_span saved, uint32_t away_ms, struct fed_crypto_cert_info *cert,
    struct fed_dtls_session **out);

/* One record in one datagram. FED_ERR_LIMIT beyond FED_DTLS_RECORD_MAX. A full socket buffer loses
 * the datagram like the network does. */
FED_MUST_USE enum fed_err fed_dtls_send(struct fed_dtls_session *session, struct fed_span record);
void fed_dtls_session_close(
    struct fed_dtls_session *session); /* close_notify; closed is not called */
void fed_dtls_session_set_user(struct fed_dtls_session *session, void *user);
void *fed_dtls_session_user(const struct fed_dtls_session *session);
/* "192.0.2.1:5684"; valid until the next call for any session of the server. */
const char *fed_dtls_session_address(const struct fed_dtls_session *session);
void fed_dtls_session_stats(
    const struct fed_dtls_session *session, struct fed_dtls_session_stats *out);

/* ---- the agent's side ---- */
struct fed_dtls_client;

/* Who we are, and whom we take for a hub. */
struct fed_dtls_identity {
    /* A certificate with its key. The hub's has to chain to the CA and to say serverAuth; its name
     * is not looked at, as a hub is reached by any address, while other agents have certificates of
     * the same CA, too. */
    struct fed_span cert_pem;
    struct fed_span key_pem;
    struct fed_span ca_pem;
    /* Or a pre-shared key, which proves both sides. NULL: none. */
    const char *psk_identity;
    struct fed_span psk_key;
};
/* Called from the loop, never from inside another call. A callback may send and disconnect; it must
 * not close the client. */
struct fed_dtls_client_events {
    void *ctx;
    void (*opened)(void *ctx);
    void (*received)(void *ctx, struct fed_span record);
    /* The session could not be made, or is over: connect again. diag begins with the peer. */
    void (*closed)(void *ctx, enum fed_err err, const struct fed_diag *diag);
    /* An alert in the clear came to an open session: the hub may not know it any more, or somebody
     * else says so. Nothing has changed. NULL: of no interest. */
    void (*doubted)(void *ctx);
};
/* FED_ERR_NOMEM. Without a session a client is a few hundred bytes. */
FED_MUST_USE enum fed_err fed_dtls_client_open(struct fed_alloc *mem, struct fed_loop *loop,
    const struct fed_dtls_client_events *events, struct fed_dtls_client **out,
    struct fed_diag *diag);
void fed_dtls_client_close(struct fed_dtls_client *client); /* NULL is fine; disconnects */
/* Begins a handshake; opened or closed follows. A name is looked up beside the loop; of its
 * addresses the next is tried when one refuses or stays silent.
 * identity is read during the call. FED_ERR_BUSY when there is a session, FED_ERR_INVALID for an
 * identity that cannot be read, FED_ERR_NETWORK, FED_ERR_NOMEM. */
FED_MUST_USE enum fed_err fed_dtls_client_connect(struct fed_dtls_client *client, const char *host,
    uint16_t port, const struct fed_dtls_identity *identity, unsigned timeout_ms,
    struct fed_diag *diag);
/* close_notify; closed is not called. Nothing when there is no session. */
void fed_dtls_client_disconnect(struct fed_dtls_client *client);
/* As fed_dtls_send. FED_ERR_CLOSED without an open session. */
FED_MUST_USE enum fed_err fed_dtls_client_send(
    struct fed_dtls_client *client, struct fed_span record);
/* Appends the keys and counters of the open session and ends it without a word: the hub keeps its
 * side until its idle limit. What is saved must be restored once at most, as both would use the
 * same nonces. FED_ERR_CLOSED without an open session, FED_ERR_UNSUPPORTED when it cannot be saved
 * now; then it goes on. Errors of out end it. */
FED_MUST_USE enum fed_err fed_dtls_client_save(struct fed_dtls_client *client, struct fed_buf *out);
/* Goes on with a saved session, from another port: it is open when this returns, and nothing was
 * sent; opened is not called. Whether the hub still knows it is seen by what it answers.
 * FED_ERR_UNSUPPORTED when another build saved it, FED_ERR_INVALID, and as connect. */
FED_MUST_USE enum fed_err fed_dtls_client_restore(struct fed_dtls_client *client, const char *host,
    uint16_t port, struct fed_span saved, struct fed_diag *diag);
void fed_dtls_client_stats(const struct fed_dtls_client *client,
    struct fed_dtls_session_stats *out); /* of all its sessions, handshakes included */
/* "hub.example:5684" of the last connect or restore; valid until the next. */
const char *fed_dtls_client_peer(const struct fed_dtls_client *client);
/* Whether the last handshake needed small datagrams: the path may carry no others, or lose many. */
bool fed_dtls_client_is_narrow(const struct fed_dtls_client *client);

#endif
