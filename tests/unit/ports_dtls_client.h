/* ports_dtls_client.h - a DTLS client for tests: the library's own, non-blocking, over a connected
 * UDP socket, which can lose, repeat and change datagrams on their way. */
#ifndef FEDLET_TESTS_UNIT_PORTS_DTLS_CLIENT_H
#define FEDLET_TESTS_UNIT_PORTS_DTLS_CLIENT_H

#include "tests/unit/ports_tls_pki.h"

#include <mbedtls/ssl.h>

#define WAIT_MS 60000u /* for what is sure to come, however busy the machine is */

struct client_options {
    const struct pki_id *id; /* NULL: no certificate */
    const struct pki_id *ca; /* NULL: PSK only */
    const char *psk_identity;
    size_t psk_identity_len; /* 0: up to its NUL */
    const char *psk_key;
    bool no_cid;
    bool impatient; /* gives up after 3 s without an answer, as when nothing is to come */
    const mbedtls_ssl_session *resume;
};

struct client {
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt ca;
    mbedtls_x509_crt own;
    mbedtls_pk_context key;
    int fd;
    uint16_t port; /* the server's */
    uint64_t soft_due_ms;
    uint64_t hard_due_ms;
    int code; /* of the handshake; WANT_READ while it goes on */
    bool open;
    bool closed;   /* the server said so */
    unsigned sent; /* datagrams */
    unsigned received;
    unsigned lose_sent; /* number of the datagram that is lost, from 1; 0: none */
    unsigned lose_received;
    uint8_t last[2048]; /* last datagram sent */
    size_t last_len;
    uint8_t plain[2048]; /* last record received */
    size_t plain_len;
    unsigned records;
};

void client_init(struct client *c, uint16_t port, const struct client_options *options);
void client_fini(struct client *c);
/* Whatever can go on without waiting. */
void client_step(struct client *c);
void client_send(struct client *c, const void *bytes, size_t len);
/* A new socket, hence another address, for the same session. */
void client_rebind(struct client *c);
/* The same local port for a new socket (the old one is closed). */
void client_bind_to(struct client *c, uint16_t local_port);
uint16_t client_local_port(const struct client *c);
int client_socket(uint16_t server_port, uint16_t local_port);
/* A free port of loopback for a server that is to be opened there again: the kernel gives it to
 * nobody who does not ask for it by its number. */
uint16_t server_kept_port(void);

#endif
