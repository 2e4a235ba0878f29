/* The checksum: every implementation gives the same sum of the same bytes, in one
 * part or in two, and an updated field is the recomputed one. */
#include <string.h>

#include "base/csum.h"
#include "lib/fuzz_target.h"

static void check_parts(csum_fn add, const uint8_t *p, size_t n, uint16_t whole)
{
    size_t cut = n != 0 ? p[0] % n : 0;
    uint64_t sum = add(p, cut, 0);

    if (cut % 2 != 0)
        sum = csum_add_odd(sum, add(p + cut, n - cut, 0));
    else
        sum = add(p + cut, n - cut, sum);
    MR_ASSERT(csum_fold(sum) == whole);
}

/* RFC 1624: change the second word of the bytes to the first, when there are two. */
static void check_update(const uint8_t *p, size_t n, uint64_t sum)
{
    uint16_t was, is, field = csum_finish(sum);
    uint64_t changed;

    if (n < 4)
        return;
    memcpy(&is, p, 2);
    memcpy(&was, p + 2, 2);
    changed = csum_add_portable(p + 4, n - 4, (uint64_t)is + is);
    /* All zero bytes sum to +0, any other to a number that is not: RFC 1624 3. */
    if (csum_fold(sum) != 0 && csum_fold(changed) != 0)
        MR_ASSERT(csum_update16(field, was, is) == csum_finish(changed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sum = csum_add_portable(data, size, 0);

    MR_ASSERT(csum_fold(csum_select()(data, size, 0)) == csum_fold(sum));
    check_parts(csum_add_portable, data, size, csum_fold(sum));
    check_parts(csum_select(), data, size, csum_fold(sum));
    check_update(data, size, sum);
    return 0;
}
