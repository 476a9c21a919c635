# musl.cmake - what all static musl targets have in common; included by TARGET.cmake, which sets
#   FEDLET_TARGET     name of the target as toolchains/build knows it
#   FEDLET_CROSS      prefix of the cross compiler's tools
#   FEDLET_QEMU       name of the user-mode emulator, empty when the binaries run here
#   FEDLET_ARCH_FLAGS compiler flags that choose the processor
set(CMAKE_SYSTEM_NAME Linux)
get_filename_component(FEDLET_PREFIX
    "${CMAKE_CURRENT_LIST_DIR}/../../build/third-party/${FEDLET_TARGET}" ABSOLUTE)

set(CMAKE_C_COMPILER "${FEDLET_PREFIX}/musl/bin/musl-gcc")
if(NOT EXISTS "${CMAKE_C_COMPILER}")
    message(FATAL_ERROR "no ${CMAKE_C_COMPILER}; run: toolchains/build ${FEDLET_TARGET}")
endif()
foreach(tool AR RANLIB STRIP OBJCOPY)
    string(TOLOWER ${tool} _name)
    find_program(FEDLET_${tool} ${FEDLET_CROSS}-${_name} REQUIRED)
    set(CMAKE_${tool} "${FEDLET_${tool}}" CACHE FILEPATH "")
endforeach()

string(CONCAT CMAKE_C_FLAGS_INIT
    "${FEDLET_ARCH_FLAGS} -ffunction-sections -fdata-sections -fno-pie"
    " -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer")
# Not position independent: a static-pie binary carries relocations, which cost flash and memory
# on every gateway. Nor is a part marked as read-only after relocation: at start such a binary has none to do, and musl makes no
# call for it, while the linker pads to a whole page of the largest size (64 KiB on aarch64).
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static -no-pie -Wl,--gc-sections -Wl,-z,norelro")
set(CMAKE_C_FLAGS_RELEASE "-Os -DNDEBUG" CACHE STRING "")
set(CMAKE_C_FLAGS_MINSIZEREL "-Os -DNDEBUG" CACHE STRING "")

# Nothing of the machine that compiles may get into the binary.
set(CMAKE_FIND_ROOT_PATH "${FEDLET_PREFIX}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

if(FEDLET_QEMU)
    find_program(FEDLET_EMULATOR NAMES ${FEDLET_QEMU}-static ${FEDLET_QEMU})
    if(FEDLET_EMULATOR)
        set(CMAKE_CROSSCOMPILING_EMULATOR "${FEDLET_EMULATOR}" CACHE FILEPATH "")
    endif()
endif()
