/* What any program needs that receives bytes, hashes them with mbedTLS's SHA-256 and hands them on, and does nothing else:
 * floor PORT TARGET KIBIBYTES FILE, of a server on this machine, by HTTP. Reads so many KiB at a time. */
#include <mbedtls/sha256.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* For sha256.o alone. */
void mbedtls_platform_zeroize(void *memory, size_t size)
{
    memset(memory, 0, size);
}

static int dial(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
    static char buffer[1 << 20];
    mbedtls_sha256_context context;
    if (argc < 5)
        return 2;
    size_t room = (size_t)atoi(argv[3]) * 1024;
    int from = dial(argv[1]), to = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int size = snprintf(buffer, sizeof buffer, "GET %s HTTP/1.0\r\n\r\n", argv[2]);
    if (from < 0 || to < 0 || send(from, buffer, (size_t)size, 0) != size)
        return 1;
    mbedtls_sha256_init(&context);
    int failed = mbedtls_sha256_starts(&context, 0);
    for (ssize_t n; (n = recv(from, buffer, room, 0)) > 0;) {
        failed |= mbedtls_sha256_update(&context, (unsigned char *)buffer, (size_t)n);
        failed |= write(to, buffer, (size_t)n) != n;
    }
    return failed | mbedtls_sha256_finish(&context, (unsigned char *)buffer);
}
