fed_fuzz_target(fuzz_coap SOURCES ${CMAKE_CURRENT_LIST_DIR}/coap_fuzz.c
    LINK fed_port_coap_server fed_port_linux fed_port_posix)
fed_fuzz_target(fuzz_coap_client
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/coap_client_fuzz.c
        ${PROJECT_SOURCE_DIR}/ports/coap/client.c ${PROJECT_SOURCE_DIR}/ports/coap/client_received.c
        ${PROJECT_SOURCE_DIR}/ports/coap/client_request.c ${PROJECT_SOURCE_DIR}/ports/coap/client_save.c
        ${PROJECT_SOURCE_DIR}/ports/coap/client_transfer.c ${PROJECT_SOURCE_DIR}/ports/coap/client_upload.c
        ${PROJECT_SOURCE_DIR}/ports/coap/fetch.c
    LINK fed_port_coap_message fed_port_posix)
fed_fuzz_target(fuzz_session SOURCES ${CMAKE_CURRENT_LIST_DIR}/session_fuzz.c LINK fed_agent fed_port_posix)
fed_fuzz_target(fuzz_fetch SOURCES ${CMAKE_CURRENT_LIST_DIR}/fetch_fuzz.c
        ${PROJECT_SOURCE_DIR}/ports/coap/fetch.c LINK fed_base)
