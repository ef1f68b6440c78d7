/* strerror for a static program, in musl's words: of the errors that Linux has for files, sockets, processes and memory, without
 * those of streams, semaphores and devices. 1 KB less. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define ERRORS(E)                                                                                       \
    E(EPERM, "Operation not permitted")                                                                 \
    E(ENOENT, "No such file or directory")                                                              \
    E(ESRCH, "No such process")                                                                         \
    E(EINTR, "Interrupted system call")                                                                 \
    E(EIO, "I/O error")                                                                                 \
    E(ENXIO, "No such device or address")                                                               \
    E(E2BIG, "Argument list too long")                                                                  \
    E(ENOEXEC, "Exec format error")                                                                     \
    E(EBADF, "Bad file descriptor")                                                                     \
    E(ECHILD, "No child process")                                                                       \
    E(EAGAIN, "Resource temporarily unavailable")                                                       \
    E(ENOMEM, "Out of memory")                                                                          \
    E(EACCES, "Permission denied")                                                                      \
    E(EFAULT, "Bad address")                                                                            \
    E(EBUSY, "Resource busy")                                                                           \
    E(EEXIST, "File exists")                                                                            \
    E(EXDEV, "Cross-device link")                                                                       \
    E(ENODEV, "No such device")                                                                         \
    E(ENOTDIR, "Not a directory")                                                                       \
    E(EISDIR, "Is a directory")                                                                         \
    E(EINVAL, "Invalid argument")                                                                       \
    E(ENFILE, "Too many open files in system")                                                          \
    E(EMFILE, "No file descriptors available")                                                          \
    E(ENOTTY, "Not a tty")                                                                              \
    E(ETXTBSY, "Text file busy")                                                                        \
    E(EFBIG, "File too large")                                                                          \
    E(ENOSPC, "No space left on device")                                                                \
    E(ESPIPE, "Invalid seek")                                                                           \
    E(EROFS, "Read-only file system")                                                                   \
    E(EMLINK, "Too many links")                                                                         \
    E(EPIPE, "Broken pipe")                                                                             \
    E(ERANGE, "Result not representable")                                                               \
    E(EDEADLK, "Resource deadlock would occur")                                                         \
    E(ENAMETOOLONG, "Filename too long")                                                                \
    E(ENOLCK, "No locks available")                                                                     \
    E(ENOSYS, "Function not implemented")                                                               \
    E(ENOTEMPTY, "Directory not empty")                                                                 \
    E(ELOOP, "Symbolic link loop")                                                                      \
    E(EPROTO, "Protocol error")                                                                         \
    E(EOVERFLOW, "Value too large for data type")                                                       \
    E(ENOTSOCK, "Not a socket")                                                                         \
    E(EMSGSIZE, "Message too large")                                                                    \
    E(ENOPROTOOPT, "Protocol not available")                                                            \
    E(EPROTONOSUPPORT, "Protocol not supported")                                                        \
    E(ENOTSUP, "Not supported")                                                                         \
    E(EAFNOSUPPORT, "Address family not supported by protocol")                                         \
    E(EADDRINUSE, "Address in use")                                                                     \
    E(EADDRNOTAVAIL, "Address not available")                                                           \
    E(ENETDOWN, "Network is down")                                                                      \
    E(ENETUNREACH, "Network unreachable")                                                               \
    E(ENETRESET, "Connection reset by network")                                                         \
    E(ECONNABORTED, "Connection aborted")                                                               \
    E(ECONNRESET, "Connection reset by peer")                                                           \
    E(ENOBUFS, "No buffer space available")                                                             \
    E(ENOTCONN, "Socket not connected")                                                                 \
    E(ETIMEDOUT, "Operation timed out")                                                                 \
    E(ECONNREFUSED, "Connection refused")                                                               \
    E(EHOSTDOWN, "Host is down")                                                                        \
    E(EHOSTUNREACH, "Host is unreachable")                                                              \
    E(EINPROGRESS, "Operation in progress")                                                             \
    E(ESTALE, "Stale file handle")                                                                      \
    E(EUCLEAN, "Data consistency error")                                                                \
    E(EREMOTEIO, "Remote I/O error")                                                                    \
    E(EDQUOT, "Quota exceeded")                                                                         \
    E(ENOKEY, "Required key not available")                                                             \
    E(EBADMSG, "Bad message")                                                                           \
    E(ENODATA, "No data available")

#define NUMBER(name, text) name,
#define TEXT(name, text) text "\0"

static const unsigned short ERROR_NUMBERS[] = {ERRORS(NUMBER)};
static const char ERROR_TEXTS[] = ERRORS(TEXT) "No error information";

char *strerror(int number)
{
    const char *text = ERROR_TEXTS;
    for (size_t i = 0; i < sizeof ERROR_NUMBERS / sizeof ERROR_NUMBERS[0] && ERROR_NUMBERS[i] != number;
         i++)
        text += strlen(text) + 1;
    return (char *)text;
}
