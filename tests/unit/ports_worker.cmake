if(NOT FEDLET_AGENT_ONLY)
    fed_unit_test(ports_worker_test
        SOURCES ports_worker_test.c ports_dtls_client.c ports_tls_pki.c
        LINK fed_port_worker fed_port_tls fed_port_linux fed_port_posix tp::mbedtls)
    fed_unit_test(ports_worker_https_test
        SOURCES ports_worker_https_test.c ports_http_world.c
        LINK fed_port_worker fed_port_https fed_port_http fed_port_tls fed_port_linux fed_port_posix)
    # Without sanitizers, and so without anything else of ours: see worker_filter.c.
    add_executable(ports_worker_filter_test
        ports_worker_filter_test.c ${PROJECT_SOURCE_DIR}/ports/worker/worker_filter.c)
    target_include_directories(ports_worker_filter_test PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(ports_worker_filter_test PRIVATE _GNU_SOURCE)
    target_compile_options(ports_worker_filter_test PRIVATE -Wall -Wextra -Werror)
    target_link_libraries(ports_worker_filter_test PRIVATE tp::cmocka)
    add_test(NAME ports_worker_filter_test COMMAND ports_worker_filter_test)
    set_tests_properties(ports_worker_filter_test PROPERTIES TIMEOUT 300 LABELS unit)
endif()
