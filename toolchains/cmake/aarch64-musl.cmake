# aarch64-musl.cmake - static binaries for 64-bit ARM
set(FEDLET_TARGET aarch64-musl)
set(FEDLET_CROSS aarch64-linux-gnu)
set(FEDLET_QEMU "qemu-aarch64")
# GCC 12.2 for aarch64 drops calls that it must keep: `f(&local);` where f is a static function without
# result whose loop makes both a direct and an indirect call, at -O1, -O2 and -Os alike, as long as either of
# these two analyses is on. The other processors' compilers of the same release are right.
set(FEDLET_ARCH_FLAGS "-fno-ipa-modref -fno-ipa-pure-const")
set(CMAKE_SYSTEM_PROCESSOR aarch64)
include("${CMAKE_CURRENT_LIST_DIR}/musl.cmake")
