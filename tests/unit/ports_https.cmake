if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(ports_https_server_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_https_server_test.c ${CMAKE_CURRENT_LIST_DIR}/ports_http_world.c
        LINK fed_port_https_server fed_port_http fed_port_tls fed_port_linux fed_port_posix fed_base)
    fed_unit_test(ports_https_pair_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_https_pair_test.c ${CMAKE_CURRENT_LIST_DIR}/ports_http_world.c
        LINK fed_port_https fed_port_https_server fed_port_http fed_port_tls fed_port_linux fed_port_posix fed_base)
    fed_unit_test(ports_https_ask_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_https_ask_test.c ${CMAKE_CURRENT_LIST_DIR}/wire_vectors.c
        LINK fed_port_https_server fed_bundle fed_object fed_base)
endif()
fed_unit_test(ports_https_client_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_https_client_test.c
    LINK fed_port_https fed_port_http fed_port_tls fed_port_linux fed_port_posix fed_base)
if(CMAKE_CROSSCOMPILING)
    # Its deadlines are those of a processor, not of an emulated one; it runs by hand on the real thing.
    set_tests_properties(ports_https_client_test PROPERTIES LABELS emulated-too-slow)
endif()
