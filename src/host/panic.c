/* The end of a process whose own code broke a promise. */
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"
#include "host/host_int.h"

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    static int again;

    fflush(stdout);
    fprintf(stderr, "millrace: %s:%d: broken promise: %s\n", file, line, what);
    /* The promise may have been the capture's own. */
    if (again++ == 0)
        host_flush_capture();
    abort();
}
