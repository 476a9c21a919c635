fed_unit_test(hub_gateway_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_gateway_test.c
    ${CMAKE_CURRENT_LIST_DIR}/hub_join_world.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_gateway hub_identity hub_status hub_plan hub_store fed_bundle fed_object fed_port_sqlite fed_port_linux
        fed_port_posix fed_port_tls)
fed_unit_test(hub_gateway_https_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_gateway_https_test.c
    ${CMAKE_CURRENT_LIST_DIR}/hub_join_world.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_gateway hub_identity hub_status hub_plan hub_store fed_bundle fed_object fed_port_https_server fed_port_http
        fed_port_worker fed_port_coap_server fed_port_sqlite fed_port_linux fed_port_posix fed_port_tls)
fed_unit_test(hub_agents_saved_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_agents_saved_test.c
    ${CMAKE_CURRENT_LIST_DIR}/ports_base_dir.c ${PROJECT_SOURCE_DIR}/hub/agents_saved.c
    ${PROJECT_SOURCE_DIR}/hub/store_file.c
    LINK hub_gateway hub_options fed_bundle fed_object fed_port_sqlite fed_port_linux fed_port_posix fed_port_tls)
