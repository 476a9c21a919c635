fed_fuzz_target(fuzz_drift SOURCES ${CMAKE_CURRENT_LIST_DIR}/drift_fuzz.c LINK fed_agent)
