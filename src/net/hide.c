#include "net/hide.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif

void hide_memory(void)
{
#ifdef __linux__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}
