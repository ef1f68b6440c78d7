/* Leaves a test out. tests/run says why. */
#ifndef SKIP_H
#define SKIP_H

#define SKIP(reason)                                                                                    \
    do {                                                                                                \
        print_message("skipped: " reason "\n");                                                         \
        skip();                                                                                         \
    } while (0)

#endif
