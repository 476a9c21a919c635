fed_fuzz_target(fuzz_scrape SOURCES ${CMAKE_CURRENT_LIST_DIR}/scrape_fuzz.c LINK fed_port_posix)
