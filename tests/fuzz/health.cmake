fed_fuzz_target(fuzz_health SOURCES ${CMAKE_CURRENT_LIST_DIR}/health_fuzz.c LINK fed_agent)
