/* The end of a process whose own code broke a promise. */
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "millrace: %s:%d: broken promise: %s\n", file, line, what);
    abort();
}
