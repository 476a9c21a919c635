# x86_64-glibc.cmake - hub and tests, for the machine that compiles. Compiler and flags are the
# caller's choice.
get_filename_component(FEDLET_PREFIX
    "${CMAKE_CURRENT_LIST_DIR}/../../build/third-party/x86_64-glibc" ABSOLUTE)
