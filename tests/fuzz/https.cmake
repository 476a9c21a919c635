fed_fuzz_target(fuzz_https_ask SOURCES ${CMAKE_CURRENT_LIST_DIR}/https_ask_fuzz.c LINK fed_port_https_server)
fed_fuzz_target(fuzz_https_records SOURCES ${CMAKE_CURRENT_LIST_DIR}/https_records_fuzz.c LINK fed_port_https)
fed_fuzz_target(fuzz_https_partial SOURCES ${CMAKE_CURRENT_LIST_DIR}/https_partial_fuzz.c LINK fed_port_https)
