# MIPS32r2 without a floating-point unit, big-endian: ath79 routers.
# Debian's libgcc is made for one that has it; what is taken from there has no use for it (tests/targets/gates looks),
# and the linker need not warn.
triple     := mips-linux-gnu
flags      := -march=mips32r2 -msoft-float -mno-shared -mplt
link_flags := -Wl,--no-warn-mismatch
soft_float := yes
emulator   := qemu-mips-static -cpu 24Kc
