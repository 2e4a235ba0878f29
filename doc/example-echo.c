/* An echo server on Millrace: every line a program needs.
 *
 *     example-echo --dev tap:tap0 --addr 10.9.0.2/24     on a stack of its own
 *     example-echo                                       on the kernel's sockets */
#include <stdio.h>

#include <millrace/millrace.h>

static int init(struct mr *m, void *arg, void **core_state)
{
    struct mr_addr any = mr_addr4(0, 0, 0, 0, 7777);
    mr_sock listener;

    (void)arg;
    (void)core_state;
    return mr_listen(m, &any, NULL, &listener);
}

/* Look, send, then take out what was sent: what the send queue refuses stays in the receive queue,
 * whose window holds the peer back.  So a connection needs no state of ours. */
static void echo(struct mr *m, mr_sock s)
{
    char buf[4096];
    int64_t n, sent;

    while ((n = mr_recv(m, s, buf, sizeof(buf), MR_PEEK)) > 0) {
        sent = mr_send(m, s, buf, (size_t)n, 0);
        if (sent <= 0)
            return; /* full: MR_EV_WRITABLE follows; at its end: MR_EV_CLOSED */
        mr_recv(m, s, buf, (size_t)sent, 0);
    }
    if (n == 0)
        mr_close(m, s); /* the peer has finished; what is queued still goes out, then our FIN */
}

static void event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    mr_sock s;

    (void)core_state;
    if (ev->type == MR_EV_ACCEPT)
        while (mr_accept(m, ev->sock, &s, NULL) == MR_OK)
            mr_setopt(m, s, MR_NODELAY, 1);
    else if (ev->type == MR_EV_READABLE || ev->type == MR_EV_WRITABLE)
        echo(m, ev->sock);
    else if (ev->type == MR_EV_CLOSED)
        mr_close(m, ev->sock);
}

int main(int argc, char **argv)
{
    const struct mr_app app = {.name = "example-echo", .init = init, .event = event};
    struct mr_config config;

    mr_config_init(&config);
    for (int i = 1; i < argc; i++)
        if (mr_config_option(&config, argc, argv, &i) != 1) {
            fprintf(stderr, "usage: %s [network options]\n%s", argv[0], mr_config_help());
            return 2;
        }
    return mr_run(&config, &app) == MR_OK ? 0 : 1;
}
