fed_fuzz_target(fuzz_dtls SOURCES ${CMAKE_CURRENT_LIST_DIR}/dtls_fuzz.c
    LINK fed_port_dtls fed_port_linux fed_port_tls tp::mbedtls)
