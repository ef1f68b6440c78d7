# ARMv7-A with VFPv3-D16, in Thumb-2: Cortex-A5 to A17. Not the ARMv6 boards: they take arm-linux-musleabi.
triple   := arm-linux-gnueabihf
flags    := -march=armv7-a -mfpu=vfpv3-d16 -mfloat-abi=hard -mthumb
emulator := qemu-arm-static -cpu cortex-a8
thumb    := yes
