/* The panic hook of test programs without cmocka: say where, then stop so that
 * a sanitizer, a fuzzer or a debugger sees it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "# panic: %s:%d: %s\n", file, line, what);
    abort();
}
