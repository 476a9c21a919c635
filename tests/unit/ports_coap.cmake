if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(ports_coap_test SOURCES ports_coap_test.c ports_coap_world.c ports_tls_pki.c
        LINK fed_port_coap fed_port_coap_server fed_port_linux fed_port_posix)
endif()
