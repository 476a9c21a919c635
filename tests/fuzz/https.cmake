fed_fuzz_target(fuzz_https_ask SOURCES ${CMAKE_CURRENT_LIST_DIR}/https_ask_fuzz.c LINK fed_port_https_server)
