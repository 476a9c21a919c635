fed_unit_test(hub_access_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_access_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_access hub_status hub_plan hub_store fed_object fed_port_sqlite fed_port_linux fed_port_posix fed_port_tls)
