# x86_64-musl.cmake - static binaries for 64-bit x86
set(FEDLET_TARGET x86_64-musl)
set(FEDLET_CROSS x86_64-linux-gnu)
set(FEDLET_QEMU "")
set(FEDLET_ARCH_FLAGS "")
set(CMAKE_SYSTEM_PROCESSOR x86_64)
include("${CMAKE_CURRENT_LIST_DIR}/musl.cmake")
