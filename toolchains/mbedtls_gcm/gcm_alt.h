/* gcm_alt.h - the hub's AES-GCM: what <mbedtls/gcm.h> includes when MBEDTLS_GCM_ALT is defined.
 *
 * The state is BearSSL's, whose headers nobody but gcm_alt.c sees. */
#ifndef FEDLET_GCM_ALT_H
#define FEDLET_GCM_ALT_H

typedef struct mbedtls_gcm_context {
    uint64_t MBEDTLS_PRIVATE(state)[48]; /* struct gcm of gcm_alt.c; not to be copied */
} mbedtls_gcm_context;

#endif
