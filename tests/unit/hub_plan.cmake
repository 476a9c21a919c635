foreach(subject consent consent_faults hold knows plan plan_admit plan_commit plan_delete plan_override plan_policy plan_property plan_stopped preview preview_world status versions)
    fed_unit_test(hub_${subject}_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_${subject}_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
        LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
endforeach()
foreach(subject gate gate_fault gate_with)
    fed_unit_test(hub_plan_${subject}_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_plan_${subject}_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_gate_world.c
            ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
        LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
endforeach()
fed_unit_test(hub_federation_events_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_federation_events_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
        ${PROJECT_SOURCE_DIR}/hub/federation_events.c
    LINK hub_api hub_status hub_plan hub_store fed_port_kube fed_port_http fed_port_tls fed_port_sqlite fed_port_linux
        fed_port_posix)
fed_unit_test(hub_traffic_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_traffic_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
    LINK hub_traffic hub_status hub_plan hub_kubefed hub_store fed_port_sqlite fed_port_linux fed_port_posix)
