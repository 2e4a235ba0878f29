/* steer_count TAP QUEUES symmetric|default: receive on every queue of a TAP, and say for each frame
 * whether it is where the steering program should have put it.
 *
 * Lines on standard input:  "count"     what arrived since the last time
 *                           "table N"   give the kernel another table, drawn from N
 *                           "key"       change over to the other key
 * An answer is one line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "drv/tap.h"
#include "os/os.h"

#define QUEUES_MAX 16u

struct counts {
    unsigned long right, wrong, hashless, queue[QUEUES_MAX];
};

static struct rss law;
static bool symmetric;

static void judge(struct counts *c, unsigned queue, const struct pkt *p)
{
    uint32_t hash;
    bool any = rss_frame_hash(&law, p->data, p->len, &hash);
    unsigned want = any ? rss_queue(&law, hash) : 0;

    c->hashless += !any;
    c->right += want == queue;
    c->wrong += want != queue;
    c->queue[queue]++;
}

static bool drain(struct tap *t, struct counts *c)
{
    struct nic *n = tap_nic(t);
    struct pkt *p[BURST_MAX];
    bool any = false;

    for (unsigned q = 0; q < n->caps.queues; q++) {
        unsigned got = nic_rx_burst(n, q, p, BURST_MAX);
        for (unsigned i = 0; i < got; i++) {
            judge(c, q, p[i]);
            pkt_put(p[i]);
        }
        any |= got > 0;
    }
    return any;
}

static void answer_count(const struct tap *t, struct counts *c, unsigned queues)
{
    (void)t;
    printf("right %lu wrong %lu hashless %lu queues", c->right, c->wrong, c->hashless);
    for (unsigned q = 0; q < queues; q++)
        printf(" %lu", c->queue[q]);
    printf("\n");
    *c = (struct counts){0};
}

static void obey(struct tap *t, struct counts *c, const char *line)
{
    struct nic *n = tap_nic(t);
    struct rng rng;
    int rc = 0;

    if (strncmp(line, "count", 5) == 0) {
        answer_count(t, c, n->caps.queues);
    } else if (strncmp(line, "table ", 6) == 0) {
        rng_init(&rng, strtoul(line + 6, NULL, 10));
        for (unsigned i = 0; i <= law.mask; i++)
            law.table[i] = (uint16_t)rng_below(&rng, n->caps.queues);
        rc = nic_set_rss(tap_nic(t), &law);
        printf("table %d\n", rc);
    } else if (strncmp(line, "key", 3) == 0) {
        symmetric = !symmetric;
        rss_init(&law, symmetric ? rss_key_symmetric : rss_key_default, law.mask + 1,
                 n->caps.queues);
        rc = nic_set_rss(tap_nic(t), &law);
        printf("key %d\n", rc);
    }
    fflush(stdout);
}

/* False at the end of standard input. */
static bool listen_to_orders(struct tap *t, struct counts *c)
{
    char line[80];
    ssize_t n = read(0, line, sizeof(line) - 1);

    if (n > 0) {
        line[n] = '\0';
        while (drain(t, c))
            continue;
        obey(t, c, line);
    }
    return n > 0;
}

static void run(struct tap *t)
{
    struct nic *n = tap_nic(t);
    struct counts c = {0};
    struct os_wait w[QUEUES_MAX + 2] = {{.fd = 0}, {.fd = os_stop_fd()}};

    for (unsigned q = 0; q < n->caps.queues; q++)
        w[2 + q].fd = n->ops->wait_fd(n, q);
    while (!os_stop_asked()) {
        os_wait(w, 2 + n->caps.queues, UINT64_MAX);
        if ((w[0].ready || w[0].broken) && !listen_to_orders(t, &c))
            return;
        drain(t, &c);
    }
}

int main(int argc, char **argv)
{
    static const char *const spreads[] = {"none", "unknown", "rss"};
    struct mem m;
    char why[200];

    if (argc != 4 || os_stop_catch() < 0) {
        fprintf(stderr, "usage: steer_count TAP QUEUES symmetric|default\n");
        return 2;
    }
    struct tap_config c = {.name = argv[1], .queues = (uint32_t)atoi(argv[2]), .steer = &law};
    if (c.queues < 1 || c.queues > QUEUES_MAX)
        return 2;
    symmetric = strcmp(argv[3], "symmetric") == 0;
    rss_init(&law, symmetric ? rss_key_symmetric : rss_key_default, RSS_ENTRIES, c.queues);
    size_t bytes = align_up(tap_bytes(&c), 4096) + 4096;
    mem_init(&m, os_reserve(bytes, false), bytes);
    struct tap *t = tap_open(&m, &c, why, sizeof(why));
    if (!t) {
        fprintf(stderr, "steer_count: %s\n", why);
        return 1;
    }
    printf("queues %u spread %s why %s\n", tap_nic(t)->caps.queues, spreads[tap_nic(t)->spread],
           tap_steering_why(t));
    fflush(stdout);
    run(t);
    tap_nic(t)->ops->close(tap_nic(t));
    return 0;
}
