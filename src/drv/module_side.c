/* What is compiled into every module: its copy of the pure rooms panics as the program does. */
#include "drv/module_side.h"

#include <stdlib.h>

static void (*program_panic)(const char *file, int line, const char *what);

void module_bind(void (*panic)(const char *file, int line, const char *what))
{
    program_panic = panic;
}

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    if (program_panic)
        program_panic(file, line, what);
    abort();
}
