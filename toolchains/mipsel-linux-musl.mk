# MIPS32r2 without a floating-point unit, little-endian: ramips routers (MT7620, MT7621, MT7628).
# Most of the code is MIPS16e; MIPS16=0 on the command line is for cores without it.
# Debian's libgcc is made for one that has it; what is taken from there has no use for it (tests/targets/gates looks),
# and the linker need not warn.
triple     := mipsel-linux-gnu
flags      := -march=mips32r2 -msoft-float -mno-shared -mplt
mips16     := -mips16 -minterlink-mips16
link_flags := -Wl,--no-warn-mismatch
soft_float := yes
emulator   := qemu-mipsel-static -cpu 24Kc
