/* client_only.c - for programs that are never the server of a connection: mbedTLS has one entry for
 * both ends, of which the linker replaces the server's half by these (CMakeLists.txt) and leaves it
 * out, with all that only it uses. On aarch64 that is 15 KB. */
#include <mbedtls/ssl.h>

int __wrap_mbedtls_ssl_handshake_server_step(mbedtls_ssl_context *ssl);
int __wrap_mbedtls_ssl_tls13_handshake_server_step(mbedtls_ssl_context *ssl);

int __wrap_mbedtls_ssl_handshake_server_step(mbedtls_ssl_context *ssl)
{
    (void)ssl;
    return MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE;
}

int __wrap_mbedtls_ssl_tls13_handshake_server_step(mbedtls_ssl_context *ssl)
{
    (void)ssl;
    return MBEDTLS_ERR_SSL_FEATURE_UNAVAILABLE;
}
