/* Letters between a program's cores, and knocks: what both back ends share. */
#include "lib/cmocka_first.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "api/post.h"

#define CORES 3u

static struct post core[CORES];
static uint64_t rung;
static void *memory;

static void ring(void *arg, uint64_t cores)
{
    assert_ptr_equal(arg, &rung);
    rung |= cores;
}

static int setup(void **state)
{
    (void)state;
    rung = 0;
    memory = calloc(1, mail_bytes(CORES, POST_RING_BYTES) + 64);
    void *rings = (void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
    mail_format(rings, CORES, POST_RING_BYTES);
    for (unsigned i = 0; i < CORES; i++)
        post_init(&core[i], i, rings, (struct post_bell){ring, &rung});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

/* What a turn would tell, as a bit set of event types. */
static unsigned told(unsigned c)
{
    struct mr_event ev;
    unsigned types = 0;

    post_look(&core[c]);
    while (post_event(&core[c], &ev)) {
        assert_true(mr_sock_eq(ev.sock, MR_SOCK_NONE) && ev.user == NULL && ev.err == 0);
        assert_int_equal(types >> ev.type & 1, 0);
        types |= 1u << ev.type;
    }
    return types;
}

#define LETTER (1u << MR_EV_LETTER)
#define KNOCK (1u << MR_EV_KNOCK)

static void send_u32(unsigned from, unsigned to, uint32_t v)
{
    assert_int_equal(post_send(&core[from], to, &v, sizeof(v)), MR_OK);
}

static int64_t take_u32(unsigned c, uint32_t *v, unsigned *from)
{
    return post_take(&core[c], v, sizeof(*v), from);
}

static void letters_of_each_core_come_in_order_and_cores_take_turns(void **state)
{
    uint32_t next[CORES] = {0}, v;
    unsigned from, last = 99;

    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        send_u32(0, 1, i);
        send_u32(2, 1, i);
    }
    assert_int_equal(told(1), LETTER);
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(take_u32(1, &v, &from), sizeof(v));
        assert_int_equal(v, next[from]++);
        assert_int_not_equal(from, last);
        last = from;
    }
    assert_int_equal(take_u32(1, &v, &from), MR_EAGAIN);
    assert_int_equal(core[1].stats.taken, 200);
    assert_int_equal(told(1), 0);
    assert_int_equal(told(0) | told(2), 0);
}

static void who_did_not_read_to_the_end_is_told_again_when_more_comes(void **state)
{
    unsigned from;
    uint32_t v;

    (void)state;
    send_u32(0, 1, 1);
    send_u32(0, 1, 2);
    assert_int_equal(told(1), LETTER);
    assert_int_equal(told(1), 0);
    assert_int_equal(take_u32(1, &v, &from), sizeof(v));
    assert_int_equal(told(1), 0);
    send_u32(0, 1, 3);
    assert_int_equal(told(1), LETTER);
    assert_int_equal(take_u32(1, &v, &from), sizeof(v));
    assert_int_equal(v, 2);
    assert_int_equal(take_u32(1, &v, &from), sizeof(v));
    assert_int_equal(v, 3);
    assert_int_equal(take_u32(1, &v, &from), MR_EAGAIN);
    send_u32(2, 1, 4);
    assert_int_equal(told(1), LETTER);
}

/* The second letter is written between two calls of one handler, which then stops early. */
static void letters_found_while_reading_are_told_unless_all_were_read(void **state)
{
    unsigned from;
    uint32_t v;

    (void)state;
    send_u32(0, 1, 1);
    assert_int_equal(told(1), LETTER);
    assert_int_equal(take_u32(1, &v, &from), sizeof(v));
    send_u32(2, 1, 2);
    send_u32(2, 1, 3);
    assert_int_equal(take_u32(1, &v, &from), sizeof(v));
    assert_int_equal(told(1), LETTER);
    assert_int_equal(take_u32(1, &v, &from), sizeof(v));
    assert_int_equal(take_u32(1, &v, &from), MR_EAGAIN);
    assert_int_equal(told(1), 0);
}

static void a_full_ring_refuses_until_the_other_has_read_and_no_other_ring_is_full(void **state)
{
    static uint8_t big[MR_LETTER_MAX], back[MR_LETTER_MAX];
    unsigned sent = 0, from;

    (void)state;
    memset(big, 7, sizeof(big));
    while (post_send(&core[0], 1, big, sizeof(big)) == MR_OK)
        sent++;
    assert_true(sent >= 3);
    assert_int_equal(core[0].stats.refused, 1);
    send_u32(0, 2, 1);
    send_u32(2, 1, 1);
    assert_int_equal(told(1), LETTER);
    for (unsigned i = 0; i < sent + 1; i++) {
        memset(back, 0, sizeof(back));
        int64_t n = post_take(&core[1], back, sizeof(back), &from);
        assert_int_equal(n, from == 0 ? MR_LETTER_MAX : sizeof(uint32_t));
        if (from == 0)
            assert_memory_equal(back, big, sizeof(big));
    }
    assert_int_equal(post_take(&core[1], back, sizeof(back), &from), MR_EAGAIN);
    assert_int_equal(post_send(&core[0], 1, big, sizeof(big)), MR_OK);
}

static void a_letter_that_is_longer_than_the_room_stays(void **state)
{
    char buf[8];
    unsigned from;

    (void)state;
    assert_int_equal(post_send(&core[0], 1, "sixteen letters", 15), MR_OK);
    assert_int_equal(post_take(&core[1], buf, 8, &from), MR_EMSGSIZE);
    send_u32(2, 1, 1);
    core[1].mail.last = 2;
    assert_int_equal(told(1), LETTER);
    assert_int_equal(post_take(&core[1], buf, 8, &from), MR_EMSGSIZE);
    char room[15];
    assert_int_equal(post_take(&core[1], room, 15, &from), 15);
    assert_int_equal(from, 0);
    assert_memory_equal(room, "sixteen letters", 15);
    assert_int_equal(post_take(&core[1], buf, 8, &from), 4);
}

static void who_sleeps_is_woken_and_nobody_sleeps_before_news(void **state)
{
    (void)state;
    assert_true(post_asleep(&core[1]));
    send_u32(0, 1, 1);
    assert_int_equal(post_take_wakes(&core[0]), 2);
    send_u32(2, 1, 1);
    assert_int_equal(post_take_wakes(&core[2]), 0);
    post_awake(&core[1]);
    assert_false(post_asleep(&core[1]));
    post_awake(&core[1]);
    post_look(&core[1]);
    assert_false(post_asleep(&core[1]));
    post_awake(&core[1]);
    assert_int_equal(told(1), LETTER);
    /* What it has been told of and leaves unread keeps nobody awake, */
    assert_true(post_asleep(&core[1]));
    /* and more of it wakes. */
    send_u32(0, 1, 1);
    assert_int_equal(post_take_wakes(&core[0]), 2);
}

static void many_knocks_before_an_event_are_one_and_ring_once(void **state)
{
    (void)state;
    post_knock(&core[2]);
    assert_int_equal(rung, 4);
    rung = 0;
    post_knock(&core[2]);
    assert_int_equal(rung, 0);
    assert_int_equal(told(2), KNOCK);
    assert_int_equal(told(2), 0);
    post_knock(&core[2]);
    send_u32(0, 2, 1);
    assert_int_equal(rung, 4);
    assert_int_equal(told(2), KNOCK | LETTER);
}

static void who_is_alone_writes_to_nobody_and_hears_knocks(void **state)
{
    struct mr_event ev;
    struct post p;
    unsigned from;
    char c = 0;

    (void)state;
    post_init(&p, 0, NULL, (struct post_bell){0});
    assert_int_equal(post_send(&p, 1, &c, 1), MR_EINVAL);
    assert_int_equal(post_take(&p, &c, 1, &from), MR_EAGAIN);
    assert_true(post_asleep(&p));
    post_awake(&p);
    post_knock(&p);
    post_look(&p);
    assert_true(post_event(&p, &ev));
    assert_int_equal(ev.type, MR_EV_KNOCK);
    assert_false(post_event(&p, &ev));
}

/* What nobody writes to costs address space. */
static void sixty_four_cores_are_cheap(void **state)
{
    static struct post many[MR_CORES_MAX];
    size_t bytes = mail_bytes(MR_CORES_MAX, POST_RING_BYTES), resident = 0;
    unsigned char *in = calloc(1, bytes / 4096 + 1);
    unsigned from;
    uint32_t v;

    (void)state;
    void *rings = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(rings, MAP_FAILED);
    mail_format(rings, MR_CORES_MAX, POST_RING_BYTES);
    for (unsigned i = 0; i < MR_CORES_MAX; i++)
        post_init(&many[i], i, rings, (struct post_bell){0});
    for (uint32_t i = 1; i < MR_CORES_MAX; i++)
        assert_int_equal(post_send(&many[i], 0, &i, sizeof(i)), MR_OK);
    for (unsigned i = 1; i < MR_CORES_MAX; i++) {
        assert_int_equal(post_take(&many[0], &v, sizeof(v), &from), sizeof(v));
        assert_int_equal(v, from);
    }
    assert_int_equal(post_take(&many[0], &v, sizeof(v), &from), MR_EAGAIN);
    assert_int_equal(mincore(rings, bytes, in), 0);
    for (size_t i = 0; i < bytes / 4096; i++)
        resident += in[i] & 1;
    printf("# 64 cores: %zu MB of address space, %zu KB of memory\n", bytes >> 20, resident * 4);
    assert_true(resident * 4096 < 48u << 20);
    munmap(rings, bytes);
    free(in);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(letters_of_each_core_come_in_order_and_cores_take_turns),
        TEST(who_did_not_read_to_the_end_is_told_again_when_more_comes),
        TEST(letters_found_while_reading_are_told_unless_all_were_read),
        TEST(a_full_ring_refuses_until_the_other_has_read_and_no_other_ring_is_full),
        TEST(a_letter_that_is_longer_than_the_room_stays),
        TEST(who_sleeps_is_woken_and_nobody_sleeps_before_news),
        TEST(many_knocks_before_an_event_are_one_and_ring_once),
        TEST(who_is_alone_writes_to_nobody_and_hears_knocks),
        TEST(sixty_four_cores_are_cheap),
    };

    return cmocka_run_group_tests_name("api_post", tests, NULL, NULL);
}
