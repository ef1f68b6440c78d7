# ARMv5TE without a floating-point unit, in Thumb: ARM926 and all that came after it.
triple     := arm-linux-gnueabi
flags      := -march=armv5te -mfloat-abi=soft -mthumb
soft_float := yes
emulator   := qemu-arm-static -cpu arm926
thumb      := yes
