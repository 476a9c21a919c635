fed_unit_test(hub_kubefed_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_kubefed_test.c
    LINK hub_kubefed hub_store fed_object fed_port_posix fed_base)
fed_unit_test(hub_kubefed_warn_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/hub_kubefed_warn_test.c
    LINK hub_kubefed hub_store fed_object fed_port_posix fed_base)
