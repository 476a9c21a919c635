fed_fuzz_target(fuzz_trust SOURCES ${CMAKE_CURRENT_LIST_DIR}/trust_fuzz.c LINK fed_agent fed_port_tls)
