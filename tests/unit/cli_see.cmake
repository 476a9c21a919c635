# Unit tests of what is pure in cli/: texts and words.
if(TARGET fed_cli)
    fed_unit_test(cli_see_test SOURCES ${CMAKE_CURRENT_LIST_DIR}/cli_see_test.c LINK fed_cli fed_object)
endif()
