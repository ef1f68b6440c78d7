# Any 64-bit PC.
triple   := x86_64-linux-gnu
