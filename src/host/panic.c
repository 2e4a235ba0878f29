/* The panic hook of programs.  Alone in its file: a test brings its own. */
#include <stdio.h>
#include <stdlib.h>

#include "host/host_int.h"

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    fflush(stdout);
    host_die(file, line, what);
    abort();
}
