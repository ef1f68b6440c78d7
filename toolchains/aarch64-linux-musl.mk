# Any 64-bit ARM.
triple   := aarch64-linux-gnu
flags    := -march=armv8-a
emulator := qemu-aarch64-static -cpu cortex-a53
