if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(ports_dtls_test
        SOURCES ports_dtls_test.c ports_dtls_client.c ports_tls_pki.c
        LINK fed_port_dtls fed_port_linux tp::mbedtls)
    fed_unit_test(ports_dtls_saved_test
        SOURCES ports_dtls_saved_test.c ports_dtls_client.c ports_tls_pki.c
        LINK fed_port_dtls fed_port_linux tp::mbedtls)
    fed_unit_test(ports_dtls_recall_test
        SOURCES ports_dtls_recall_test.c ports_tls_pki.c wire_vectors.c
        LINK fed_port_dtls fed_port_linux fed_bundle fed_object tp::mbedtls)
endif()
