fed_fuzz_target(fuzz_https_records SOURCES ${CMAKE_CURRENT_LIST_DIR}/https_records_fuzz.c LINK fed_port_https)
