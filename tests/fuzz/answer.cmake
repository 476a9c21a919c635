fed_fuzz_target(fuzz_answer SOURCES ${CMAKE_CURRENT_LIST_DIR}/answer_fuzz.c LINK fed_agent)
fed_fuzz_target(fuzz_wish SOURCES ${CMAKE_CURRENT_LIST_DIR}/wish_fuzz.c LINK fed_agent)
