#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/csum.h"

static void a_first_test_runs(void **state)
{
    (void)state;
    assert_int_equal(sizeof(uint16_t), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_test_runs),
    };
    return cmocka_run_group_tests_name("base_csum", tests, NULL, NULL);
}
