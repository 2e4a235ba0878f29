/* A context on kernel sockets in a network namespace of its own, with a log of
 * every event, for tests of kapi.  A test that may not have a namespace is
 * skipped. */
#pragma once

#include "lib/cmocka_first.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kapi/kapi.h"

#define LOG_MAX 4096
#define PATIENCE_TURNS 400
#define TURN_US 5000

struct world {
    struct mr *m;
    struct mr_event log[LOG_MAX];
    int n;
    bool seen[LOG_MAX];
};

static inline bool world_has_namespace(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd, r;

    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    r = ioctl(fd, SIOCSIFFLAGS, &lo);
    close(fd);
    return fd >= 0 && r == 0;
}

static inline void world_open(struct world *w, uint32_t max_conns)
{
    struct mr_config c;

    memset(w, 0, sizeof(*w));
    mr_config_init(&c);
    c.max_conns = max_conns;
    w->m = kapi_open(&c);
    assert_non_null(w->m);
}

static inline void world_turn(struct world *w)
{
    struct mr_event ev;

    assert_int_equal(kapi_turn(w->m, TURN_US), MR_OK);
    while (kapi_next_event(w->m, &ev)) {
        assert_true(w->n < LOG_MAX);
        w->log[w->n++] = ev;
    }
}

static inline int world_find(const struct world *w, mr_sock s, enum mr_event_type type)
{
    for (int i = 0; i < w->n; i++)
        if (!w->seen[i] && w->log[i].type == type && mr_sock_eq(w->log[i].sock, s))
            return i;
    return -1;
}

/* The next event of this type on s that was not asked for before. */
static inline struct mr_event world_await(struct world *w, mr_sock s, enum mr_event_type type)
{
    for (int turn = 0; turn < PATIENCE_TURNS; turn++) {
        int i = world_find(w, s, type);
        if (i >= 0) {
            w->seen[i] = true;
            return w->log[i];
        }
        world_turn(w);
    }
    fail_msg("event %d did not come", (int)type);
    return (struct mr_event){0};
}

static inline void world_settle(struct world *w)
{
    for (int i = 0; i < 5; i++)
        world_turn(w);
}

static inline int world_count(const struct world *w, mr_sock s, enum mr_event_type type)
{
    int n = 0;

    for (int i = 0; i < w->n; i++)
        n += w->log[i].type == type && mr_sock_eq(w->log[i].sock, s);
    return n;
}

/* A connected pair in one context; the listener stays open. */
struct pair {
    mr_sock listener, client, server;
};

static inline struct pair world_pair(struct world *w, uint16_t port)
{
    struct mr_addr at = mr_addr4(127, 0, 0, 1, port);
    struct pair p;

    assert_int_equal(mr_listen(w->m, &at, NULL, &p.listener), MR_OK);
    assert_int_equal(mr_connect(w->m, NULL, &at, NULL, &p.client), MR_OK);
    world_await(w, p.client, MR_EV_CONNECTED);
    world_await(w, p.listener, MR_EV_ACCEPT);
    assert_int_equal(mr_accept(w->m, p.listener, &p.server, NULL), MR_OK);
    return p;
}

static inline int world_main(const char *name, const struct CMUnitTest *tests, size_t n)
{
    if (!world_has_namespace()) {
        printf("1..0 # SKIP %s: no permission to make a network namespace\n", name);
        return 0;
    }
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
