foreach(name loop log fs control)
    fed_unit_test(ports_base_${name}_test
        SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_base_${name}_test.c
            ${CMAKE_CURRENT_LIST_DIR}/ports_base_dir.c
        LINK fed_port_linux fed_port_posix fed_base)
endforeach()
fed_unit_test(ports_base_store_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_base_store_test.c
        ${CMAKE_CURRENT_LIST_DIR}/ports_base_dir.c
        ${CMAKE_CURRENT_LIST_DIR}/store_conformance.c
    LINK fed_port_sqlite fed_base tp::sqlite)

add_test(NAME layers COMMAND ${PROJECT_SOURCE_DIR}/tests/layers/check)
add_test(NAME layers_self_test COMMAND ${PROJECT_SOURCE_DIR}/tests/layers/check --self-test)
fed_unit_test(ports_base_resolve_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_base_resolve_test.c
    LINK fed_port_linux fed_port_posix fed_base)
target_link_options(ports_base_resolve_test PRIVATE -Wl,--wrap=getaddrinfo)
fed_unit_test(ports_sqlite_sum_test
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/ports_sqlite_sum_test.c
        ${CMAKE_CURRENT_LIST_DIR}/ports_base_dir.c
    LINK fed_port_sqlite fed_base tp::sqlite)
