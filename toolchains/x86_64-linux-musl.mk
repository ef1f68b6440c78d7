# Any 64-bit PC.
triple   := x86_64-linux-gnu
emulator := qemu-x86_64-static -cpu qemu64
x86      := yes
