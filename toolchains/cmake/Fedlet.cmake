# Fedlet.cmake - how our own folders become targets.

add_library(fed_flags INTERFACE)
target_include_directories(fed_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(fed_flags INTERFACE _GNU_SOURCE FEDLET_VERSION="${PROJECT_VERSION}")
target_compile_options(fed_flags INTERFACE
    -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
    -Wwrite-strings -Wold-style-definition -Wvla -fno-common)
if(FEDLET_SANITIZE)
    target_compile_options(fed_flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(fed_flags INTERFACE -fsanitize=address,undefined)
endif()
if(FEDLET_FUZZ)
    target_compile_options(fed_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# fed_add_folder(FOLDER): its CMakeLists.txt.
function(fed_add_folder folder)
    if(EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
        add_subdirectory(${folder})
    endif()
endfunction()

# fed_library(NAME SOURCES file... [LINK target...])  LINK is public among our own targets and
# private for tp:: ones.
function(fed_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_library(${name} STATIC ${ARG_SOURCES})
    target_link_libraries(${name} PUBLIC fed_flags)
    foreach(target ${ARG_LINK})
        if(target MATCHES "^tp::")
            target_link_libraries(${name} PRIVATE ${target})
        else()
            target_link_libraries(${name} PUBLIC ${target})
        endif()
    endforeach()
endfunction()

# fed_program(NAME SOURCES file... LINK target...)
function(fed_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE fed_flags ${ARG_LINK})
endfunction()

# fed_unit_test(NAME SOURCES file... LINK target...): a cmocka program, run by ctest. Programs
# named in DEPENDS are built first and their folder is passed in FEDLET_BIN.
function(fed_unit_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE fed_flags ${ARG_LINK} tp::cmocka)
    target_compile_definitions(${name} PRIVATE FEDLET_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 900 LABELS unit
        ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1:abort_on_error=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# fed_fuzz_target(NAME SOURCES file... LINK target...): a libFuzzer program with its corpus in
# tests/fuzz/corpus/NAME.
function(fed_fuzz_target name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE fed_flags ${ARG_LINK})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()
