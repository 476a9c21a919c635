# armv7-musl.cmake - static binaries for 32-bit ARM, ARMv7-A with hardware floating point
set(FEDLET_TARGET armv7-musl)
set(FEDLET_CROSS arm-linux-gnueabihf)
set(FEDLET_QEMU "qemu-arm")
set(FEDLET_ARCH_FLAGS "-march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -mthumb")
set(CMAKE_SYSTEM_PROCESSOR armv7)
include("${CMAKE_CURRENT_LIST_DIR}/musl.cmake")
