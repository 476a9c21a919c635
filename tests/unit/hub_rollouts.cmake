foreach(subject rollouts rollouts_faults rollouts_life rollouts_moved rollouts_refused rollouts_unreadable)
    fed_unit_test(hub_${subject}_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_${subject}_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_rollouts_world.c
            ${CMAKE_CURRENT_LIST_DIR}/hub_world.c
        LINK hub_rollout hub_status hub_plan hub_api hub_store fed_port_kube fed_port_http fed_port_tls fed_port_sqlite fed_port_linux
            fed_port_posix)
endforeach()
