if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(hub_console_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_console_test.c
        LINK hub_console hub_api hub_store fed_object fed_digest fed_port_kube fed_port_http fed_port_posix fed_base)
    fed_unit_test(hub_console_fleet_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_console_fleet_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
        LINK hub_console hub_api hub_status hub_plan hub_store fed_object fed_port_kube fed_port_http fed_port_sqlite fed_port_linux fed_port_posix)
endif()
