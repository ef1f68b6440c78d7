# RV64GC: what Linux distributions are made for.
triple   := riscv64-linux-gnu
flags    := -march=rv64gc -mabi=lp64d
emulator := qemu-riscv64-static -cpu rv64
