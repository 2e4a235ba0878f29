/* expect_panic(call): the call must end in mr_panic(), or the test fails.
 *
 * Does what cmocka's expect_assert_failure() does (which works as well), but
 * says nothing when all is well: cmocka's remark is no TAP. */
#pragma once

#include <setjmp.h>
#include <stdbool.h>

struct panic_trap {
    jmp_buf back;
    volatile bool set;
};

extern struct panic_trap panic_trap;

#define expect_panic(call)                                                                         \
    do {                                                                                           \
        panic_trap.set = true;                                                                     \
        if (setjmp(panic_trap.back) == 0) {                                                        \
            call;                                                                                  \
            panic_trap.set = false;                                                                \
            fail_msg("%s did not panic", #call);                                                   \
        }                                                                                          \
        panic_trap.set = false;                                                                    \
    } while (0)
