# Any PC since the Pentium Pro, and Geode LX boards.
triple   := i686-linux-gnu
flags    := -march=i686 -mtune=generic
emulator := qemu-i386-static -cpu pentium2
x86      := yes
