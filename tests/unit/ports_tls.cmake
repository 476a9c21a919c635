fed_unit_test(ports_tls_crypto_test
    SOURCES ports_tls_crypto_test.c ports_tls_pki.c LINK fed_port_tls)
fed_unit_test(ports_tls_stream_test
    SOURCES ports_tls_stream_test.c ports_tls_pki.c LINK fed_port_tls tp::mbedtls)
fed_unit_test(ports_tls_gcm_test SOURCES ports_tls_gcm_test.c LINK tp::mbedcrypto)
if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(ports_tls_gcm_portable_test
        SOURCES ports_tls_gcm_test.c ports_tls_gcm_portable.c LINK tp::mbedcrypto)
endif()
fed_unit_test(ports_tls_pages_test
    SOURCES ports_tls_pages_test.c LINK fed_port_http fed_port_tls tp::mbedcrypto)
