/* mbedtls_config.h - the one mbedTLS configuration of this project.
 *
 * Every struct of mbedTLS changes its layout with these switches, so the library and our own files
 * must see the same copy. toolchains/build installs it as fedlet_mbedtls_config.h
 * next to the mbedTLS headers and puts the profile of the target in front of it;
 * toolchains/cmake/ThirdParty.cmake names that file for everyone who includes mbedTLS. Written from
 * nothing rather than by switching the default off: what is not named here is not compiled.
 *
 * The installed copy starts with one of
 *   FEDLET_TLS_PROFILE_AGENT  static agent and fedctl: small write buffers of fixed size
 *   FEDLET_TLS_PROFILE_HUB    hub and tests: full records, buffers shrink to what was negotiated */
#ifndef FEDLET_MBEDTLS_CONFIG_H
#define FEDLET_MBEDTLS_CONFIG_H

/* ---- platform ---- */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY /* record buffers of thousands of connections: ports/tls/pages.c */
#define MBEDTLS_FS_IO
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_HMAC_DRBG_C
#define MBEDTLS_TIMING_C
#define MBEDTLS_NET_C
#define MBEDTLS_ERROR_C
#define MBEDTLS_VERSION_C

/* ---- ciphers and hashes ---- */
#define MBEDTLS_AES_C
#if defined(__x86_64__)
#define MBEDTLS_AESNI_C
#elif defined(__aarch64__)
#define MBEDTLS_AESCE_C
#endif
#define MBEDTLS_CIPHER_C
#define MBEDTLS_CIPHER_MODE_CBC /* encrypted private keys of existing kubeconfigs */
#define MBEDTLS_CIPHER_PADDING_PKCS7
#define MBEDTLS_GCM_C
#if defined(FEDLET_TLS_PROFILE_HUB)
#define MBEDTLS_GCM_ALT /* BearSSL's, see mbedtls_gcm/gcm_alt.c */
#endif
#define MBEDTLS_CCM_C
#define MBEDTLS_MD_C
#if defined(FEDLET_TLS_PROFILE_HUB)
#define MBEDTLS_SHA1_C /* key identifiers of the certificates that are made; never a signature */
#endif
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_HKDF_C

/* ---- public keys ---- */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC
#define MBEDTLS_RSA_C /* API servers set up by kubeadm have RSA keys */
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_PARSE_EC_EXTENDED
#define MBEDTLS_PK_WRITE_C

/* ---- PSA: our own code hashes, signs and draws random bytes through it; TLS 1.3 needs it ---- */
#define MBEDTLS_PSA_CRYPTO_C
/* Key slots grow on demand: the fixed table of 32 is too small for many TLS 1.3 connections at once. */
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC

/* ---- X.509: verify chains, write what the hub issues and what agents request ---- */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CRL_PARSE_C
#define MBEDTLS_X509_CSR_PARSE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_X509_CSR_WRITE_C
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT

/* ---- TLS 1.2 and 1.3, both roles ---- */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_SSL_CACHE_C
#define MBEDTLS_SSL_TICKET_C
#define MBEDTLS_SSL_SESSION_TICKETS
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_ENCRYPT_THEN_MAC
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_SSL_CONTEXT_SERIALIZATION
#define MBEDTLS_SSL_EXPORT_KEYS

/* ---- DTLS 1.2 with connection identifiers (RFC 9146, not the draft: COMPAT 0) ---- */
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#define MBEDTLS_SSL_DTLS_HELLO_VERIFY
#define MBEDTLS_SSL_DTLS_CLIENT_PORT_REUSE
#define MBEDTLS_SSL_DTLS_CONNECTION_ID
#define MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT 0
#define MBEDTLS_SSL_COOKIE_C
#define MBEDTLS_SSL_CID_IN_LEN_MAX 32
#define MBEDTLS_SSL_CID_OUT_LEN_MAX 32
#define MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY 1 /* none: a ping is 75 bytes, not 102 */

/* ---- buffers ----
 * Go's TLS ignores max_fragment_length, so a reader of an API server needs the whole 16 KiB.
 * VARIABLE_BUFFER_LENGTH with unequal sizes shrinks the input buffer below one record and breaks
 * TLS 1.2 reads: equal sizes, or fixed ones. */
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
#if defined(FEDLET_TLS_PROFILE_AGENT)
#define MBEDTLS_SSL_OUT_CONTENT_LEN 4096
#elif defined(FEDLET_TLS_PROFILE_HUB)
#define MBEDTLS_SSL_OUT_CONTENT_LEN 16384
#define MBEDTLS_SSL_VARIABLE_BUFFER_LENGTH
#else
#error "include the installed fedlet_mbedtls_config.h, which names the profile of the target"
#endif

/* ---- cipher suites, in order of preference ----
 * The 8-byte tags of CCM_8 save bytes on every CoAP record (RFC 7925 section 4.2). TLS peers that
 * do not offer it, Go among them, end up with GCM. */
#define MBEDTLS_SSL_CIPHERSUITES                                                                   \
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,                                                             \
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,                                                             \
    MBEDTLS_TLS1_3_AES_128_CCM_SHA256,                                                             \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,                                                    \
    MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8,                                                            \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,                                               \
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,                                               \
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,                                                 \
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,                                                 \
    MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256

#endif
