/* Many cores on the kernel's sockets: begun and ended in order, listened on by one call. */
#define _GNU_SOURCE 1
#include "lib/kapi_world.h"

#include <arpa/inet.h>
#include <stdatomic.h>

#include "os/os.h"

#define CORES 3u
#define PORT 7001
#define CLIENTS 60

struct program {
    char order[64]; /* of inits and finis */
    unsigned fail_at; /* whose init fails; CORES: nobody's */
    _Atomic unsigned accepted[CORES], closed;
    mr_sock listener[CORES];
    bool stops; /* by itself, when all clients are there */
};

static int init(struct mr *m, void *arg, void **core_state)
{
    static const struct mr_listen_opts every = {.every_core = true};
    struct mr_addr at = mr_addr4(0, 0, 0, 0, PORT);
    struct program *p = arg;

    *core_state = p;
    assert_int_equal(mr_cores(m), CORES);
    snprintf(p->order + strlen(p->order), 8, "i%u ", mr_core(m));
    if (mr_core(m) == p->fail_at)
        return MR_EINVAL;
    return mr_core(m) == 0 ? mr_listen(m, &at, &every, &p->listener[0]) : MR_OK;
}

static unsigned sum(struct program *p)
{
    unsigned n = 0;

    for (unsigned c = 0; c < CORES; c++)
        n += p->accepted[c];
    return n;
}

static void event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    struct program *p = core_state;
    mr_sock s;

    if (ev->type == MR_EV_ACCEPT)
        while (mr_accept(m, ev->sock, &s, NULL) == MR_OK)
            p->accepted[mr_core(m)]++;
    if (p->stops && sum(p) == CLIENTS)
        mr_stop(m);
}

static void fini(struct mr *m, void *core_state)
{
    struct program *p = core_state;

    snprintf(p->order + strlen(p->order), 8, "f%u ", mr_core(m));
}

static int run(struct program *p)
{
    const struct mr_app app = {
        .name = "test", .arg = p, .init = init, .event = event, .fini = fini};
    struct mr_config c;

    mr_config_init(&c);
    c.cores = CORES;
    return kapi_run(&c, &app);
}

/* Connect until the listeners are there, then hold them all. */
static void client(void *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(PORT),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int *fd = arg;

    for (int i = 0; i < CLIENTS; i++) {
        do {
            if (fd[i] >= 0)
                close(fd[i]);
            fd[i] = socket(AF_INET, SOCK_STREAM, 0);
        } while (connect(fd[i], (struct sockaddr *)&to, sizeof(to)) != 0);
        usleep(i < 5 ? 20000 : 0);
    }
}

static void one_listen_opens_on_every_core_and_one_stop_ends_all(void **state)
{
    struct program p = {.fail_at = CORES, .stops = true};
    int fd[CLIENTS];
    struct os_thread t;

    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        fd[i] = -1;
    assert_int_equal(os_thread_start(&t, client, fd), 0);
    assert_int_equal(run(&p), MR_OK);
    os_thread_join(&t);
    assert_string_equal(p.order, "i0 i1 i2 f0 f1 f2 ");
    assert_int_equal(sum(&p), CLIENTS);
    for (unsigned c = 0; c < CORES; c++)
        assert_true(p.accepted[c] > 0);
    for (int i = 0; i < CLIENTS; i++)
        close(fd[i]);
}

static void an_init_that_fails_keeps_the_later_ones_from_beginning(void **state)
{
    struct program p = {.fail_at = 1};

    (void)state;
    assert_int_equal(run(&p), MR_EINVAL);
    assert_string_equal(p.order, "i0 i1 f0 ");
}


int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_listen_opens_on_every_core_and_one_stop_ends_all),
        cmocka_unit_test(an_init_that_fails_keeps_the_later_ones_from_beginning),
    };

    if (!world_has_namespace()) {
        printf("1..0 # SKIP may not make a network namespace\n");
        return 0;
    }
    return cmocka_run_group_tests_name("kapi_cores", tests, NULL, NULL);
}
