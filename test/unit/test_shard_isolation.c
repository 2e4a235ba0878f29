/* Nothing of a core is read or written by another while traffic is steady.
 *
 * How it is checked: two hosts of four cores each talk over the in-memory wire (lib/many.h).  While
 * a shard is being turned, the processor's own page protection guards the memory of all the others:
 *
 *     each other shard's range    shard, mail, context, program's state, the whole arena of its
 *     stack each other queue's pages    what the port keeps for that queue alone
 *     the mail                    every ring, and every box but the shard's own
 *     the law                     may be read: nobody writes it
 *
 * What stays open is the shared memory of the wire (it stands for the NIC), the ports' first page
 * with their counters, a line for each queue, the shard's own, and this program's constants and
 * stack.  A single access to anything else is a SIGSEGV, and the handler
 * says which. */
#include "lib/cmocka_first.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/many.h"

#define CORES 4u
#define PORT 80
#define CONNS 16u /* a core */
#define BYTES 64
#define ROUND_US 50u
#define SETTLE 3000u /* rounds: connections open, letters and delayed ACKs are through */
#define STEADY 1500u
#define PAGE 4096u
#define ZONES_MAX (2 * CORES * 3 + 8)
#define NOBODY 255u

struct zone {
    uint8_t *at;
    size_t bytes;
    const char *what;    /* static */
    unsigned side, core; /* whose; side NOBODY: nobody's */
};

struct client {
    struct mr *m;
    bool closes;  /* after each answer, and opens another connection */
    bool gossips; /* writes to another core: what must be caught */
    struct mail *mail;
    uint64_t done;
    mr_sock conn[CONNS];
};

struct fault {
    sigjmp_buf back;
    volatile bool happened;
    uint8_t *volatile at;
};

static struct zone zone[ZONES_MAX];
static unsigned zones;
static struct fault fault;
static uint8_t *boxes[2];

/* ---- the programs -------------------------------------------------------------------- */

static void server_event(struct mr *m, void *state, const struct mr_event *ev)
{
    char buf[BYTES];
    int64_t n;
    mr_sock s;

    (void)state;
    if (ev->type == MR_EV_ACCEPT)
        while (mr_accept(m, ev->sock, &s, NULL) == 0) {
        }
    if (ev->type == MR_EV_READABLE) {
        while ((n = mr_recv(m, ev->sock, buf, sizeof(buf), 0)) > 0)
            mr_send(m, ev->sock, buf, (size_t)n, 0);
        if (n == 0)
            mr_close(m, ev->sock);
    }
}

static void open_one(struct client *c, uintptr_t i)
{
    struct mr_addr to = many_addr(1, PORT);

    assert_int_equal(mr_connect(c->m, NULL, &to, (void *)i, &c->conn[i]), 0);
}

static void client_event(struct mr *m, void *state, const struct mr_event *ev)
{
    static const char question[BYTES];
    struct client *c = state;
    char buf[BYTES];

    if (ev->type == MR_EV_CONNECTED)
        mr_send(m, ev->sock, question, BYTES, 0);
    if (ev->type != MR_EV_READABLE || mr_recv(m, ev->sock, buf, BYTES, 0) != BYTES)
        return;
    c->done++;
    if (c->gossips)
        mail_send(c->mail, 1, MAIL_ARP, "hello", 5, NULL);
    if (c->closes) {
        mr_close(m, ev->sock);
        open_one(c, (uintptr_t)ev->user);
    } else {
        mr_send(m, ev->sock, question, BYTES, 0);
    }
}

static const struct mr_app client_app = {.name = "client", .event = client_event};
static const struct mr_app server_app = {.name = "server", .event = server_event};

/* ---- guarding ------------------------------------------------------------------------ */

static void zone_add(void *at, size_t bytes, const char *what, unsigned side, unsigned core)
{
    assert_true(zones < ZONES_MAX && (uintptr_t)at % PAGE == 0);
    zone[zones++] = (struct zone){at, align_up(bytes, PAGE), what, side, core};
}

static void guard(const struct zone *z, int protection)
{
    assert_int_equal(mprotect(z->at, z->bytes, protection), 0);
}

static void guard_all(int protection)
{
    for (unsigned i = 0; i < zones; i++)
        guard(&zone[i], protection);
}

static void guard_own(unsigned side, unsigned core, int protection)
{
    for (unsigned i = 0; i < zones; i++)
        if (zone[i].side == side && zone[i].core == core)
            guard(&zone[i], protection);
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    fault.happened = true;
    fault.at = info->si_addr;
    siglongjmp(fault.back, 1);
}

/* ---- the world ----------------------------------------------------------------------- */

/* Boxes lie side by side; page protection needs each on a page of its own. */
static void boxes_part(struct many *w, unsigned side)
{
    boxes[side] =
        mmap(NULL, CORES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(boxes[side] != MAP_FAILED);
    for (unsigned c = 0; c < CORES; c++) {
        memcpy(boxes[side] + c * PAGE, w->shard[side][0]->mail.box[c], CACHE_LINE);
        for (unsigned of = 0; of < CORES; of++)
            w->shard[side][of]->mail.box[c] = (void *)(boxes[side] + c * PAGE);
        zone_add(boxes[side] + c * PAGE, PAGE, "mail box", side, c);
    }
    zone_add(w->mail[side], w->mail_bytes, "mail ring", NOBODY, 0);
}

/* A queue's memory begins with its pool and ends where the next begins; before the first lies what
 * all queues read, and their counters. */
static void queues_guard(struct many *w, unsigned side)
{
    struct many_wire *wire = &w->wire[0];
    uint8_t *at = (uint8_t *)memwire_rx_pool(wire->port[side], 0);
    uint8_t *end = (uint8_t *)wire->port_memory[side] + wire->port_bytes;

    for (unsigned q = 0; q < CORES; q++) {
        uint8_t *next = q + 1 < CORES ? (uint8_t *)memwire_rx_pool(wire->port[side], q + 1) : end;
        zone_add(at, (size_t)(next - at), "port queue", side, q);
        at = next;
    }
}

static struct many *world_open(bool closes)
{
    struct many_config c = {.cores = CORES,
                            .key = rss_key_symmetric,
                            .app = {&client_app, &server_app},
                            .state_bytes = sizeof(struct client),
                            .wire = {.buffers = 256, .buf_size = 2048, .mtu = 1500}};

    stack_limits_for(&c.limits, 64);
    struct many *w = many_open(&c);
    zones = 0;
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned core = 0; core < CORES; core++) {
            struct many_shard *s = many_shard_open(w, side, core, ROUND_US);
            zone_add(s, s->bytes, "shard", side, core);
        }
        boxes_part(w, side);
        queues_guard(w, side);
    }
    for (unsigned core = 0; core < CORES; core++) {
        struct mr_addr a = many_addr(1, PORT);
        mr_sock l;
        assert_int_equal(mr_listen(w->shard[1][core]->m, &a, NULL, &l), 0);
    }
    for (unsigned core = 0; core < CORES; core++) {
        struct client *client = w->shard[0][core]->state;
        *client = (struct client){
            .m = w->shard[0][core]->m, .closes = closes, .mail = &w->shard[0][core]->mail};
        for (uintptr_t i = 0; i < CONNS; i++)
            open_one(client, i);
    }
    return w;
}

static void world_close(struct many *w)
{
    guard_all(PROT_READ | PROT_WRITE);
    for (unsigned side = 0; side < 2; side++)
        munmap(boxes[side], CORES * PAGE);
    many_close(w);
}

/* All shards in turn, so many rounds; guarded: each sees its own memory only, and what is constant
 * cannot be written. */
static void run(struct many *w, instant *now, unsigned rounds, bool guarded)
{
    for (unsigned r = 0; r < rounds; r++, *now += ROUND_US) {
        for (unsigned i = 0; i < 2 * CORES; i++) {
            unsigned side = i % 2, core = i / 2;
            struct many_shard *s = w->shard[side][core];
            if (guarded)
                guard_own(side, core, PROT_READ | PROT_WRITE);
            shard_turn(&s->shard, *now);
            if (guarded)
                guard_own(side, core, PROT_NONE);
        }
    }
}

static uint64_t done_by(const struct many *w, unsigned core)
{
    return ((struct client *)w->shard[0][core]->state)->done;
}

/* What was touched that should not be; NULL: nothing. */
static const char *culprit(void)
{
    const char *what = "something else";

    if (!fault.happened)
        return NULL;
    for (unsigned i = 0; i < zones; i++)
        if (fault.at >= zone[i].at && fault.at < zone[i].at + zone[i].bytes) {
            what = zone[i].what;
            printf("# touched: %s of core %u of host %u, offset %zu\n", what, zone[i].core,
                   zone[i].side, (size_t)(fault.at - zone[i].at));
        }
    return what;
}

static const char *run_guarded(struct many *w, instant *now)
{
    struct sigaction catch = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, before;

    fault.happened = false;
    sigaction(SIGSEGV, &catch, &before);
    if (sigsetjmp(fault.back, 1) == 0) {
        guard_all(PROT_NONE);
        mprotect(w, align_up(sizeof(*w), PAGE), PROT_READ);
        run(w, now, STEADY, true);
    }
    mprotect(w, align_up(sizeof(*w), PAGE), PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &before, NULL);
    guard_all(PROT_READ | PROT_WRITE);
    return culprit();
}

static void judge(bool closes)
{
    struct many *w = world_open(closes);
    instant now = 2 * ROUND_US;
    uint64_t before[CORES];

    run(w, &now, SETTLE, false);
    for (unsigned core = 0; core < CORES; core++)
        before[core] = done_by(w, core);
    assert_null(run_guarded(w, &now));
    for (unsigned core = 0; core < CORES; core++)
        assert_true(done_by(w, core) > before[core] + 1000);
    assert_int_equal(many_mail_packets(w), 0);
    world_close(w);
}

/* ---- the tests ------------------------------------------------------------------------ */

static void requests_and_responses_touch_no_memory_of_another_core(void **state)
{
    (void)state;
    judge(false);
}

static void connections_that_open_and_close_touch_no_memory_of_another_core(void **state)
{
    (void)state;
    judge(true);
}

static void a_letter_to_another_core_is_caught_by_this_very_test(void **state)
{
    struct many *w = world_open(false);
    instant now = 2 * ROUND_US;

    (void)state;
    run(w, &now, SETTLE, false);
    ((struct client *)w->shard[0][0]->state)->gossips = true;
    assert_string_equal(run_guarded(w, &now), "mail ring");
    world_close(w);
}

static void a_look_into_another_core_s_memory_is_caught_by_this_very_test(void **state)
{
    struct many *w = world_open(false);
    instant now = 2 * ROUND_US;

    (void)state;
    run(w, &now, SETTLE, false);
    /* The program of core 0 counts in the memory of core 1. */
    w->shard[0][0]->shard.core_state = w->shard[0][1]->state;
    assert_string_equal(run_guarded(w, &now), "shard");
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_responses_touch_no_memory_of_another_core),
        cmocka_unit_test(connections_that_open_and_close_touch_no_memory_of_another_core),
        cmocka_unit_test(a_letter_to_another_core_is_caught_by_this_very_test),
        cmocka_unit_test(a_look_into_another_core_s_memory_is_caught_by_this_very_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
