/* An echo server of many cores with moods, for tests: what it receives may ask it to stand still,
 * or to break a promise.
 *
 *     "stall"  the handler sleeps for 200 ms
 *     "panic"  the handler asserts what is not so
 *
 * Its status is {"over":false}; true would be the state of a core after its fini. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/panic.h"

#include <millrace/millrace.h>

#define STALL_US 200000

struct state {
    bool over;
};

static int init(struct mr *m, void *arg, void **core_state)
{
    static struct state states[MR_CORES_MAX];
    const struct mr_addr any = mr_addr4(0, 0, 0, 0, 7);
    mr_sock listener;

    (void)arg;
    *core_state = &states[mr_core(m)];
    return mr_listen(m, &any, NULL, &listener);
}

static void fini(struct mr *m, void *core_state)
{
    struct state *s = core_state;

    (void)m;
    s->over = true;
}

static size_t status(void *core_state, char *buf, size_t n)
{
    const struct state *s = core_state;

    return (size_t)snprintf(buf, n, "{\"over\":%s}", s->over ? "true" : "false");
}

static void mood(const char *text, int64_t n)
{
    if (n >= 5 && memcmp(text, "stall", 5) == 0)
        usleep(STALL_US);
    MR_ASSERT(n < 5 || memcmp(text, "panic", 5) != 0);
}

static void event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    char buf[4096];
    mr_sock s;
    int64_t n;

    (void)core_state;
    if (ev->type == MR_EV_ACCEPT)
        while (mr_accept(m, ev->sock, &s, NULL) == MR_OK)
            mr_setopt(m, s, MR_NODELAY, 1);
    if (ev->type == MR_EV_READABLE) {
        while ((n = mr_recv(m, ev->sock, buf, sizeof(buf), 0)) > 0) {
            mood(buf, n);
            mr_send(m, ev->sock, buf, (size_t)n, 0);
        }
        if (n == 0)
            mr_close(m, ev->sock);
    }
    if (ev->type == MR_EV_CLOSED)
        mr_close(m, ev->sock);
}

int main(int argc, char **argv)
{
    const struct mr_app app = {
        .name = "moody", .init = init, .event = event, .fini = fini, .status = status};
    struct mr_config c;

    mr_config_init(&c);
    for (int i = 1; i < argc; i++)
        if (mr_config_option(&c, argc, argv, &i) != 1)
            return 2;
    return mr_run(&c, &app) == MR_OK ? 0 : 1;
}
