fed_fuzz_target(fuzz_coap SOURCES ${CMAKE_CURRENT_LIST_DIR}/coap_fuzz.c
    LINK fed_port_coap_server fed_port_linux fed_port_posix)
# Its fakes of ports/dtls stand before the library's.
fed_fuzz_target(fuzz_coap_client SOURCES ${CMAKE_CURRENT_LIST_DIR}/coap_client_fuzz.c
    LINK fed_port_coap fed_port_posix)
fed_fuzz_target(fuzz_session SOURCES ${CMAKE_CURRENT_LIST_DIR}/session_fuzz.c LINK fed_agent fed_port_posix)
fed_fuzz_target(fuzz_fetch SOURCES ${CMAKE_CURRENT_LIST_DIR}/fetch_fuzz.c
        ${PROJECT_SOURCE_DIR}/ports/coap/fetch.c LINK fed_base)
