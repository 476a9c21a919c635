fed_unit_test(hub_plan_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_plan_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_plan_hold_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_plan_hold_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_status_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_status_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_preview_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_preview_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_plan_override_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_plan_override_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_versions_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_versions_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_plan_policy_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_plan_policy_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_plan_property_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_plan_property_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
fed_unit_test(hub_federation_events_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_federation_events_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
        ${PROJECT_SOURCE_DIR}/hub/federation_events.c
    LINK hub_api hub_status hub_plan hub_store fed_port_kube fed_port_http fed_port_tls fed_port_sqlite fed_port_linux
        fed_port_posix)
