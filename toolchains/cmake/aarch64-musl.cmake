# aarch64-musl.cmake - static binaries for 64-bit ARM
set(FEDLET_TARGET aarch64-musl)
set(FEDLET_CROSS aarch64-linux-gnu)
set(FEDLET_QEMU "qemu-aarch64")
set(FEDLET_ARCH_FLAGS "")
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include("${CMAKE_CURRENT_LIST_DIR}/musl.cmake")
