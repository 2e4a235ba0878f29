#define _GNU_SOURCE
#include "drv/except.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "drv/ours.h"
#include "drv/tap.h"
#include "drv/vnet.h"
#include "os/os.h"

#define TAP_QUEUE_BUFFERS 512u
/* Bursts of a busy port between two looks at the TAP. */
#define LOOK_EVERY 8u
/* Attempts after which a frame of the kernel's that the port does not take is lost. */
#define PATIENCE 1024u

/* Written by the queue's thread, read by any. */
struct except_queue {
    MR_ALIGNED(CACHE_LINE) int epoll; /* over both descriptors; -1: not needed yet */
    bool deaf;                        /* the TAP's is no longer in it */
    unsigned looks, attempts;
    struct burst waiting; /* the kernel's, for the inner port */
    _Atomic uint64_t to_kernel, from_kernel, dropped;
};

struct except {
    struct nic nic;
    struct nic *inner;
    struct tap *tap;
    struct ours ours;
    struct except_queue *queue;
};

static struct except *of(struct nic *n)
{
    return (struct except *)(void *)n;
}

static void count(_Atomic uint64_t *c, uint64_t n)
{
    /* One writer. */
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* ---- to the kernel ---------------------------------------------------------------------- */

static struct pkt *copy_of(struct except *e, unsigned queue, const struct pkt *p)
{
    struct pkt *copy = pkt_get(tap_rx_pool(e->tap, queue));

    if (copy && pkt_total(p) <= pkt_tailroom(copy)) {
        pkt_copy_out(p, copy->data);
        copy->len = pkt_total(p);
        return copy;
    }
    if (copy)
        pkt_put(copy);
    count(&e->queue[queue].dropped, 1);
    return NULL;
}

static void give_kernel(struct except *e, unsigned queue, struct burst *b)
{
    struct except_queue *q = &e->queue[queue];
    uint64_t lost = tap_nic(e->tap)->stats[queue].tx_error;

    for (unsigned i = 0; i < b->n; i++)
        vnet_find_headers(b->p[i]);
    unsigned taken = nic_tx_burst(tap_nic(e->tap), queue, b->p, b->n);
    /* Taken and lost: nobody has set the device up. */
    lost = tap_nic(e->tap)->stats[queue].tx_error - lost;
    count(&q->to_kernel, taken - lost);
    count(&q->dropped, b->n - taken + lost);
    for (unsigned i = taken; i < b->n; i++)
        pkt_put(b->p[i]);
}

/* ---- from the kernel ---------------------------------------------------------------------- */

static void send_waiting(struct except *e, unsigned queue)
{
    struct except_queue *q = &e->queue[queue];
    struct burst *b = &q->waiting;
    unsigned taken = nic_tx_burst(e->inner, queue, b->p, b->n);

    count(&q->from_kernel, taken);
    q->attempts = taken > 0 ? 0 : q->attempts + 1;
    if (q->attempts > PATIENCE) {
        for (; taken < b->n; taken++) {
            pkt_put(b->p[taken]);
            count(&q->dropped, 1);
        }
        q->attempts = 0;
    }
    b->n -= taken;
    memmove(b->p, b->p + taken, b->n * sizeof(b->p[0]));
}

static void take_from_kernel(struct except *e, unsigned queue)
{
    struct except_queue *q = &e->queue[queue];

    q->looks = 0;
    if (q->waiting.n == 0)
        q->waiting.n = nic_rx_burst(tap_nic(e->tap), queue, q->waiting.p, BURST_MAX);
    if (q->waiting.n > 0)
        send_waiting(e, queue);
}

/* ---- the port ------------------------------------------------------------------------------- */

static unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    struct except *e = of(nic);
    struct burst kernels = {0};
    unsigned all = nic_rx_burst(e->inner, queue, out, min_u32(max, BURST_MAX)), n = 0;

    for (unsigned i = 0; i < all; i++) {
        struct pkt *p = out[i];
        enum whose whose = ours_judge(&e->ours, p->data, p->len);
        if (unlikely(whose != WHOSE_OURS)) {
            struct pkt *theirs = whose == WHOSE_BOTH ? copy_of(e, queue, p) : p;
            if (theirs)
                burst_add(&kernels, theirs);
        }
        if (likely(whose != WHOSE_KERNELS))
            out[n++] = p;
    }
    if (kernels.n > 0)
        give_kernel(e, queue, &kernels);
    if (all == 0 || ++e->queue[queue].looks >= LOOK_EVERY)
        take_from_kernel(e, queue);
    return n;
}

static unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count_)
{
    return nic_tx_burst(of(nic)->inner, queue, p, count_);
}

static void add_to(int epoll, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

/* Made by the queue's own thread: a driver may have its descriptor only now. */
static int wait_fd(struct nic *nic, unsigned queue)
{
    struct except *e = of(nic);
    struct except_queue *q = &e->queue[queue];
    struct nic *tap = tap_nic(e->tap);
    int fd = e->inner->ops->wait_fd ? e->inner->ops->wait_fd(e->inner, queue) : -1;

    if (fd < 0 || q->epoll >= 0)
        return fd < 0 ? -1 : q->epoll;
    q->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (q->epoll >= 0) {
        add_to(q->epoll, fd);
        add_to(q->epoll, tap->ops->wait_fd(tap, queue));
    }
    return q->epoll;
}

static bool wait_prepare(struct nic *nic, unsigned queue)
{
    struct except *e = of(nic);
    struct except_queue *q = &e->queue[queue];
    struct nic *tap = tap_nic(e->tap);

    /* Somebody took the device away: it would wake us for ever.  Our own traffic goes on. */
    if (unlikely(!q->deaf && q->epoll >= 0 && tap_is_gone(e->tap))) {
        epoll_ctl(q->epoll, EPOLL_CTL_DEL, tap->ops->wait_fd(tap, queue), NULL);
        q->deaf = true;
    }
    return q->waiting.n > 0 ||
           (e->inner->ops->wait_prepare && e->inner->ops->wait_prepare(e->inner, queue));
}

static int attach(struct nic *nic, unsigned queue)
{
    struct nic *inner = of(nic)->inner;

    return inner->ops->attach ? inner->ops->attach(inner, queue) : 0;
}

static void detach(struct nic *nic, unsigned queue)
{
    struct nic *inner = of(nic)->inner;

    if (inner->ops->detach)
        inner->ops->detach(inner, queue);
}

static struct pkt_pool *rx_pool(struct nic *nic, unsigned queue)
{
    return nic_rx_pool(of(nic)->inner, queue);
}

static bool is_gone(struct nic *nic)
{
    return nic_is_gone(of(nic)->inner);
}

static bool link_is_up(struct nic *nic)
{
    return nic_link_is_up(of(nic)->inner);
}

static unsigned counters(struct nic *nic, struct nic_counter *out, unsigned max)
{
    static const char *const name[] = {"exception_to_kernel", "exception_from_kernel",
                                       "exception_dropped"};
    struct except *e = of(nic);
    uint64_t value[ARRAY_LEN(name)] = {0};
    unsigned n = 0;

    for (unsigned q = 0; q < nic->caps.queues; q++) {
        value[0] += atomic_load_explicit(&e->queue[q].to_kernel, memory_order_relaxed);
        value[1] += atomic_load_explicit(&e->queue[q].from_kernel, memory_order_relaxed);
        value[2] += atomic_load_explicit(&e->queue[q].dropped, memory_order_relaxed);
    }
    for (; n < ARRAY_LEN(name) && n < max; n++) {
        snprintf(out[n].name, sizeof(out[n].name), "%s", name[n]);
        out[n].value = value[n];
    }
    if (e->inner->ops->counters)
        n += e->inner->ops->counters(e->inner, out + n, max - n);
    return n;
}

/* The kernel's frames that wait lie in buffers of the TAP. */
static void close_port(struct nic *nic)
{
    struct except *e = of(nic);

    for (unsigned i = 0; i < nic->caps.queues; i++) {
        for (unsigned k = 0; k < e->queue[i].waiting.n; k++)
            pkt_put(e->queue[i].waiting.p[k]);
        os_close(e->queue[i].epoll);
    }
    /* The port first: it may hold frames of the TAP's that are on their way out. */
    e->inner->ops->close(e->inner);
    tap_nic(e->tap)->ops->close(tap_nic(e->tap));
}

static int set_rss(struct nic *nic, const struct rss *r)
{
    return nic_set_rss(of(nic)->inner, r);
}

/* The kernel's own frames for the others leave by whichever queue they come to. */
static int queue_enable(struct nic *nic, unsigned queue, bool on)
{
    int rc = nic_queue_enable(of(nic)->inner, queue, on);

    return rc < 0 ? rc : nic_queue_enable(tap_nic(of(nic)->tap), queue, on);
}

/* The sets are made now, for all who share the port; they go on watching what they were given under
 * other numbers. */
static unsigned descriptors(struct nic *nic, int **fds, unsigned max)
{
    struct except *e = of(nic);
    unsigned n = 0;

    for (unsigned i = 0; i < nic->caps.queues; i++)
        if (wait_fd(nic, i) >= 0 && n++ < max)
            fds[n - 1] = &e->queue[i].epoll;
    n += nic_descriptors(e->inner, fds + min_u32(n, max), max - min_u32(n, max));
    return n + nic_descriptors(tap_nic(e->tap), fds + min_u32(n, max), max - min_u32(n, max));
}

static const struct nic_ops except_ops = {
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .wait_fd = wait_fd,
    .wait_prepare = wait_prepare,
    .close = close_port,
    .attach = attach,
    .detach = detach,
    .rx_pool = rx_pool,
    .is_gone = is_gone,
    .link_is_up = link_is_up,
    .counters = counters,
    .set_rss = set_rss,
    .queue_enable = queue_enable,
    .descriptors = descriptors,
};

static struct tap_config tap_config_for(const struct except_config *c, uint32_t queues)
{
    return (struct tap_config){.name = c->name,
                               .queues = queues,
                               .buffers = TAP_QUEUE_BUFFERS,
                               .no_offload = true,
                               .memory = c->memory};
}

size_t except_bytes(uint32_t queues)
{
    struct tap_config tc = tap_config_for(&(struct except_config){0}, queues);

    return sizeof(struct except) + CACHE_LINE + queues * sizeof(struct except_queue) +
           tap_bytes(&tc);
}

static bool open_tap(struct except *e, struct mem *m, const struct except_config *c, char *why,
                     size_t n)
{
    struct tap_config tc = tap_config_for(c, e->inner->caps.queues);

    e->tap = tap_open(m, &tc, why, n);
    if (!e->tap)
        return false;
    if (tap_nic(e->tap)->caps.queues == tc.queues)
        return tap_set_up(c->name, &e->inner->mac, e->inner->caps.mtu, why, n);
    snprintf(why, n, "--exception: %s", tap_steering_why(e->tap));
    return false;
}

struct nic *except_open(struct mem *m, struct nic *inner, const struct except_config *c, char *why,
                        size_t n)
{
    struct except *e = mem_carve(m, sizeof(*e), CACHE_LINE);

    e->nic = *inner;
    e->nic.ops = &except_ops;
    e->inner = inner;
    e->ours = (struct ours){.addr = ip_v4(&c->addr), .mac = inner->mac, .vlan = c->vlan};
    e->queue = mem_carve(m, inner->caps.queues * sizeof(*e->queue), CACHE_LINE);
    for (unsigned i = 0; i < inner->caps.queues; i++)
        e->queue[i].epoll = -1;
    if (!open_tap(e, m, c, why, n)) {
        if (e->tap)
            tap_nic(e->tap)->ops->close(tap_nic(e->tap));
        return NULL;
    }
    if (e->nic.facts < NIC_FACTS_MAX)
        snprintf(nic_fact_add(&e->nic, false), sizeof(e->nic.fact[0].text),
                 "what is not ours goes to the kernel and back through TAP device '%s'", c->name);
    return &e->nic;
}
