fed_fuzz_target(fuzz_coap SOURCES ${CMAKE_CURRENT_LIST_DIR}/coap_fuzz.c
    LINK fed_port_coap_server fed_port_linux fed_port_posix)
