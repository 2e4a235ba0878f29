/* The panic hook of cmocka tests: a panic is a failed assertion, which
 * expect_assert_failure() may be waiting for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/panic.h"

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    mock_assert(0, what, file, line);
    abort();
}
