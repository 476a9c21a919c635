foreach(subject plan plan_commit plan_delete plan_override plan_policy plan_property plan_stopped preview status versions)
    fed_unit_test(hub_${subject}_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_${subject}_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
        LINK hub_status hub_plan hub_store fed_port_sqlite fed_port_linux fed_port_posix)
endforeach()
