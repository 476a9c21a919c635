set(hub_join_world ${CMAKE_CURRENT_LIST_DIR}/hub_join_world.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c)
fed_unit_test(hub_certificate_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_certificate_test.c ${hub_join_world}
    LINK hub_identity hub_status hub_plan hub_store fed_object fed_port_sqlite fed_port_linux fed_port_posix fed_port_tls)
fed_unit_test(hub_identity_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_identity_test.c ${hub_join_world}
    LINK hub_identity hub_status hub_plan hub_store fed_object fed_port_sqlite fed_port_linux fed_port_posix fed_port_tls)
