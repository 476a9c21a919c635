if(NOT FEDLET_AGENT_ONLY)
    foreach(subject api api_commit api_memory api_types api_watch owners)
        fed_unit_test(hub_${subject}_test
            SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_${subject}_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_api_world.c
            LINK hub_api hub_store fed_object fed_digest fed_port_kube fed_port_sqlite fed_port_posix fed_base)
    endforeach()
    fed_unit_test(hub_crd_complete_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_crd_complete_test.c
        LINK hub_api hub_store fed_object fed_port_sqlite fed_port_posix fed_base)
    fed_unit_test(hub_store_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_store_test.c
        LINK hub_store fed_port_sqlite fed_port_posix fed_base)
    fed_unit_test(hub_options_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_options_test.c
        LINK hub_options fed_doc fed_port_kube fed_base)
endif()
