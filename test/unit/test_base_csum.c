/* The Internet checksum against one that is too slow to be wrong. */
#include "lib/cmocka_first.h"

#include "base/csum.h"
#include "base/rng.h"

#define BYTES_MAX 300
#define ALIGNMENTS 33

/* RFC 1071 1: 16-bit words in network order, the last byte padded with zero. */
static uint16_t bytewise_sum(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
        if (sum > 0xffff)
            sum -= 0xffff;
    }
    return (uint16_t)sum;
}

/* One's complement has two zeros; the sum of anything but zeros is never +0. */
static uint16_t host_sum(uint64_t sum)
{
    uint16_t folded = csum_fold(sum);
    return be16_get((be16){folded});
}

static void fill(uint8_t *p, size_t n, uint64_t seed)
{
    struct rng r;

    rng_init(&r, seed);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_u64(&r);
}

static void check_every_length(csum_fn add)
{
    static uint8_t buffer[BYTES_MAX + ALIGNMENTS];

    fill(buffer, sizeof(buffer), 1);
    for (size_t at = 0; at < ALIGNMENTS; at++)
        for (size_t n = 0; n <= BYTES_MAX; n++)
            assert_int_equal(host_sum(add(buffer + at, n, 0)), bytewise_sum(buffer + at, n));
}

static void the_portable_sum_is_right_for_every_length_and_alignment(void **state)
{
    (void)state;
    check_every_length(csum_add_portable);
}

static void the_selected_sum_is_right_for_every_length_and_alignment(void **state)
{
    (void)state;
    check_every_length(csum_select());
}

/* All ones is where carries are lost. */
static void no_carry_is_lost_over_64_kib_of_ones(void **state)
{
    const size_t n = 65536;
    uint8_t *ones = malloc(n);
    csum_fn fns[] = {csum_add_portable, csum_select()};

    (void)state;
    assert_non_null(ones);
    memset(ones, 0xff, n);
    for (size_t f = 0; f < ARRAY_LEN(fns); f++) {
        assert_int_equal(csum_fold(fns[f](ones, n, 0)), 0xffff);
        assert_int_equal(csum_fold(fns[f](ones, n, UINT64_MAX)), 0xffff);
        assert_int_equal(host_sum(fns[f](ones, n - 1, 0)), 0xff00);
    }
    free(ones);
}

static void a_sum_is_read_to_the_last_byte_and_no_further(void **state)
{
    csum_fn fns[] = {csum_add_portable, csum_select()};

    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(fns); f++)
        for (size_t n = 1; n <= BYTES_MAX; n++) {
            /* Its own allocation, so that a sanitizer sees one byte too far. */
            uint8_t *exact = malloc(n);
            assert_non_null(exact);
            memset(exact, 0, n);
            exact[n - 1] = 0x5a;
            assert_int_equal(host_sum(fns[f](exact, n, 0)), n % 2 != 0 ? 0x5a00 : 0x005a);
            free(exact);
        }
}

/* RFC 1071 2(A): parts may be summed in any grouping, an odd part byte-swapped. */
static void parts_add_up_wherever_the_cut_is(void **state)
{
    uint8_t b[BYTES_MAX];
    csum_fn add = csum_select();

    (void)state;
    fill(b, sizeof(b), 2);
    for (size_t n = 0; n <= BYTES_MAX; n += 7)
        for (size_t cut = 0; cut <= n; cut++) {
            uint64_t sum = add(b, cut, 0);
            if (cut % 2 == 0)
                sum = add(b + cut, n - cut, sum);
            else
                sum = csum_add_odd(sum, add(b + cut, n - cut, 0));
            assert_int_equal(host_sum(sum), bytewise_sum(b, n));
        }
}

/* Eight bytes of ones bring a sum to 2^64 - 1; found by fuzz_base_csum. */
static void an_odd_part_brings_its_carry_round(void **state)
{
    uint8_t b[16];

    (void)state;
    memset(b, 0xff, sizeof(b));
    b[0] = 0x12;
    for (size_t cut = 1; cut < sizeof(b); cut += 2) {
        uint64_t rest = csum_add_portable(b + cut, sizeof(b) - cut, 0);
        uint64_t sum = csum_add_portable(b, cut, UINT64_MAX);
        assert_int_equal(host_sum(csum_add_odd(sum, rest)), bytewise_sum(b, sizeof(b)));
    }
}

/* RFC 1071 1: a message that carries its checksum sums to all ones. */
static void a_message_with_its_checksum_sums_to_ffff(void **state)
{
    uint8_t b[64];
    uint16_t field;

    (void)state;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        fill(b, sizeof(b), seed);
        memset(b + 10, 0, 2);
        field = csum_finish(csum_add_portable(b, sizeof(b), 0));
        memcpy(b + 10, &field, 2);
        assert_int_equal(csum_fold(csum_add_portable(b, sizeof(b), 0)), 0xffff);
    }
}

/* The example of RFC 1071 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
static void the_example_of_rfc_1071_comes_out(void **state)
{
    const uint8_t b[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

    (void)state;
    assert_int_equal(host_sum(csum_add_portable(b, sizeof(b), 0)), 0xddf2);
}

/* RFC 1624 4: HC = DD2F, m = 5555, m' = 3285 gives 0000, where RFC 1141 gave FFFF. */
static void the_example_of_rfc_1624_comes_out(void **state)
{
    uint16_t field = be16_of(0xdd2f).raw, was = be16_of(0x5555).raw, is = be16_of(0x3285).raw;

    (void)state;
    assert_int_equal(csum_update16(field, was, is), 0x0000);
}

static void an_updated_field_equals_a_recomputed_one(void **state)
{
    uint8_t b[40];
    struct rng r;

    (void)state;
    rng_init(&r, 3);
    for (unsigned turn = 0; turn < 100000; turn++) {
        uint16_t field, was16, is16;
        uint32_t was32, is32;
        size_t at = 2 * rng_below(&r, sizeof(b) / 2 - 1);

        fill(b, sizeof(b), turn);
        field = csum_finish(csum_add_portable(b, sizeof(b), 0));
        is16 = rng_chance(&r, 1, 8) ? (uint16_t)(0 - rng_below(&r, 2)) : (uint16_t)rng_u32(&r);
        memcpy(&was16, b + at, 2);
        memcpy(b + at, &is16, 2);
        field = csum_update16(field, was16, is16);
        assert_int_equal(field, csum_finish(csum_add_portable(b, sizeof(b), 0)));

        is32 = rng_chance(&r, 1, 8) ? 0 - rng_below(&r, 2) : rng_u32(&r);
        memcpy(&was32, b + at, 4);
        memcpy(b + at, &is32, 4);
        field = csum_update32(field, was32, is32);
        assert_int_equal(field, csum_finish(csum_add_portable(b, sizeof(b), 0)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_portable_sum_is_right_for_every_length_and_alignment),
        cmocka_unit_test(the_selected_sum_is_right_for_every_length_and_alignment),
        cmocka_unit_test(no_carry_is_lost_over_64_kib_of_ones),
        cmocka_unit_test(a_sum_is_read_to_the_last_byte_and_no_further),
        cmocka_unit_test(parts_add_up_wherever_the_cut_is),
        cmocka_unit_test(an_odd_part_brings_its_carry_round),
        cmocka_unit_test(a_message_with_its_checksum_sums_to_ffff),
        cmocka_unit_test(the_example_of_rfc_1071_comes_out),
        cmocka_unit_test(the_example_of_rfc_1624_comes_out),
        cmocka_unit_test(an_updated_field_equals_a_recomputed_one),
    };
    return cmocka_run_group_tests_name("base_csum", tests, NULL, NULL);
}
