if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(hub_api_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_api_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_api_world.c
        LINK hub_api hub_store fed_object fed_digest fed_port_kube fed_port_sqlite fed_port_posix fed_base)
    fed_unit_test(hub_api_memory_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_api_memory_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_api_world.c
        LINK hub_api hub_store fed_object fed_digest fed_port_kube fed_port_sqlite fed_port_posix fed_base)
    fed_unit_test(hub_owners_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_owners_test.c ${CMAKE_CURRENT_LIST_DIR}/hub_api_world.c
        LINK hub_api hub_store fed_object fed_digest fed_port_kube fed_port_sqlite fed_port_posix fed_base)
    fed_unit_test(hub_crd_complete_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_crd_complete_test.c
        LINK hub_api hub_store fed_object fed_port_sqlite fed_port_posix fed_base)
    fed_unit_test(hub_store_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_store_test.c
        LINK hub_store fed_port_sqlite fed_port_posix fed_base)
    fed_unit_test(hub_options_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_options_test.c
        LINK hub_options fed_doc fed_port_kube fed_base)
endif()
