if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(ports_worker_test
        SOURCES ports_worker_test.c ports_dtls_client.c ports_tls_pki.c
        LINK fed_port_worker fed_port_tls fed_port_linux fed_port_posix tp::mbedtls)
    fed_unit_test(ports_worker_https_test
        SOURCES ports_worker_https_test.c ports_http_world.c
        LINK fed_port_worker fed_port_https fed_port_http fed_port_tls fed_port_linux fed_port_posix)
endif()
