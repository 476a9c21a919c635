/* internal.h - the configuration's inside, for config.c and stream.c. */
#ifndef FEDLET_PORTS_TLS_INTERNAL_H
#define FEDLET_PORTS_TLS_INTERNAL_H

#include "ports/tls/mbed.h"
#include "ports/tls/stream.h"

struct fed_tls_config {
    struct fed_alloc *mem;
    size_t users; /* its owner, and each stream */
    mbedtls_ssl_config ssl;
    mbedtls_x509_crt own;
    mbedtls_pk_context key;
    mbedtls_x509_crt ca;
    const char *alpn[FED_TLS_ALPN_MAX + 1]; /* the library keeps a pointer to this list */
    bool server;
    bool verify;             /* a peer's certificate is judged */
    enum fed_mbed_peer peer; /* how */
    struct fed_digest pin;   /* FED_MBED_PEER_PINNED */
    char server_name[256];
    bool server_name_is_ip; /* never sent as SNI, RFC 6066 section 3 */
};

#endif
