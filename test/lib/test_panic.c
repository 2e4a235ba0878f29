/* The panic hook of cmocka tests: a panic is a failed assertion, unless
 * expect_panic() or expect_assert_failure() waits for it. */
#include "lib/cmocka_first.h"

#include "base/panic.h"
#include "lib/expect_panic.h"

struct panic_trap panic_trap;

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    if (panic_trap.set)
        longjmp(panic_trap.back, 1);
    mock_assert(0, what, file, line);
    abort();
}
