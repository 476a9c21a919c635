fed_unit_test(ports_coap_fetch_test SOURCES ports_coap_fetch_test.c LINK fed_port_coap)
if(NOT FEDLET_AGENT_ONLY)
    foreach(name ports_coap_test ports_coap_path_test ports_coap_session_test ports_coap_silence_test)
        fed_unit_test(${name} SOURCES ${name}.c ports_coap_world.c ports_tls_pki.c
            LINK fed_port_coap fed_port_coap_server fed_port_linux fed_port_posix tp::mbedtls)
    endforeach()
    fed_unit_test(ports_coap_message_test SOURCES ports_coap_message_test.c LINK fed_port_coap_message)
    fed_unit_test(ports_coap_server_test SOURCES ports_coap_server_test.c
        LINK fed_port_coap_server fed_port_linux fed_port_posix)
endif()
