#include "drv/tap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "drv/drv_int.h"
#include "drv/tap_int.h"
#include "drv/vnet.h"
#include "os/os.h"

#define VNET_BYTES VNET_TAP_BYTES
_Static_assert(VNET_TAP_BYTES == TAP_VNET_BYTES, "what TUNSETVNETHDRSZ asks for");
_Static_assert(PKT_HEADROOM >= TAP_VNET_BYTES, "a received header lies in the headroom");

/* An IP packet of 64 KB, its Ethernet header and two VLAN tags; whole pages, so that no two
 * buffers share one. */
#define FRAME_MAX (65535u + 22u)
#define BUF_SIZE 69632u
_Static_assert(PKT_HEADROOM + FRAME_MAX <= BUF_SIZE && BUF_SIZE % 4096 == 0, "a frame fits");

struct tap_queue {
    MR_ALIGNED(CACHE_LINE) int fd;
    _Atomic bool gone; /* every core asks */
    bool off;          /* the kernel puts nothing here */
    struct pkt_pool pool;
    struct drv_buffers bufs;
};

struct tap {
    struct nic nic;
    uint32_t queues;
    struct tap_queue *queue;
    int map;         /* the steering program's table; -1: none */
    struct rss *rss; /* what it does; NULL: none */
    char why[120];   /* frames are not spread as asked */
};

/* ---- receive ------------------------------------------------------------------------ */

/* Written once: an idle core's empty polls must not take the line from those who ask. */
static void note_gone(struct tap_queue *q, int err)
{
    if (unlikely(err == EBADFD))
        atomic_store_explicit(&q->gone, true, memory_order_relaxed);
}

static bool is_gone(const struct tap_queue *q)
{
    return atomic_load_explicit(&q->gone, memory_order_relaxed);
}

/* One frame; NULL when none waits. */
static struct pkt *rx_one(struct nic_stats *st, struct tap_queue *q)
{
    struct pkt *p = pkt_get(&q->pool);
    struct virtio_net_hdr_v1 h;

    if (unlikely(!p)) {
        st->rx_nobuf++;
        return NULL;
    }
    for (;;) {
        ssize_t n = read(q->fd, p->data - VNET_BYTES, FRAME_MAX + VNET_BYTES);
        if (likely(n > (ssize_t)VNET_BYTES)) {
            memcpy(&h, p->data - VNET_BYTES, VNET_BYTES);
            p->len = (uint32_t)n - (uint32_t)VNET_BYTES;
            if (likely(vnet_read(p, &h)))
                return p;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n >= 0 || errno != EAGAIN)
            st->rx_error++;
        if (n < 0)
            note_gone(q, errno);
        pkt_put(p);
        return NULL;
    }
}

static unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    struct tap *t = (struct tap *)(void *)nic;
    struct tap_queue *q = &t->queue[queue];
    unsigned n = 0;

    while (n < max && !is_gone(q) && (out[n] = rx_one(&nic->stats[queue], q))) {
        nic->stats[queue].rx_bytes += out[n]->len;
        n++;
    }
    nic->stats[queue].rx_packets += n;
    return n;
}

/* ---- send --------------------------------------------------------------------------- */

enum tx_result { TX_SENT, TX_LOST, TX_FULL };

static enum tx_result tx_one(struct tap_queue *q, struct pkt *p)
{
    struct virtio_net_hdr_v1 h;
    struct iovec v[PKT_FRAGS + 2];
    int pieces = vnet_pieces(v, p, &h, VNET_BYTES);

    for (;;) {
        ssize_t n =
            pieces == 1 ? write(q->fd, v[0].iov_base, v[0].iov_len) : writev(q->fd, v, pieces);
        if (likely(n >= 0))
            return TX_SENT;
        if (errno == EINTR)
            continue;
        note_gone(q, errno);
        return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? TX_FULL : TX_LOST;
    }
}

static unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct tap *t = (struct tap *)(void *)nic;
    struct tap_queue *q = &t->queue[queue];

    for (unsigned i = 0; i < count; i++) {
        uint32_t len = pkt_total(p[i]);
        /* EIO is a device that is down, EINVAL a frame it does not like: lost either way. */
        enum tx_result r = tx_one(q, p[i]);
        if (r == TX_FULL) {
            nic->stats[queue].tx_full++;
            return i;
        }
        nic->stats[queue].tx_packets += r == TX_SENT;
        nic->stats[queue].tx_bytes += r == TX_SENT ? len : 0;
        nic->stats[queue].tx_error += r == TX_LOST;
        pkt_put(p[i]);
    }
    return count;
}

/* ---- the port ----------------------------------------------------------------------- */

static int wait_fd(struct nic *nic, unsigned queue)
{
    return ((struct tap *)(void *)nic)->queue[queue].fd;
}

static void close_port(struct nic *nic)
{
    struct tap *t = (struct tap *)(void *)nic;

    if (t->map >= 0)
        tap_steer_clear(t->queue[0].fd);
    os_close(t->map);
    for (uint32_t i = 0; i < t->queues; i++) {
        os_close(t->queue[i].fd);
        drv_buffers_release(&t->queue[i].bufs);
    }
}

static struct pkt_pool *rx_pool(struct nic *nic, unsigned queue)
{
    return tap_rx_pool((struct tap *)(void *)nic, queue);
}

static bool gone(struct nic *nic)
{
    return tap_is_gone((struct tap *)(void *)nic);
}

static bool link_is_up(struct nic *nic)
{
    return tap_is_up(((struct tap *)(void *)nic)->queue[0].fd);
}

/* Others may be reading what nic.rss says: of two rules with one key only the table differs. */
static int set_rss(struct nic *nic, const struct rss *r)
{
    struct tap *t = (struct tap *)(void *)nic;

    if (t->map < 0)
        return NIC_ENOTSUP;
    int rc = tap_steer_change(t->queue[0].fd, t->map, t->rss, r);
    if (rc < 0)
        return rc;
    if (memcmp(t->rss->key, r->key, sizeof(r->key)) == 0)
        rss_set_table(t->rss, r->table, r->mask + 1);
    else
        *t->rss = *r;
    return 0;
}

/* With steering the table alone decides; and the program names queues by their place among those
 * that are attached, which would change. */
static int queue_enable(struct nic *nic, unsigned queue, bool on)
{
    struct tap *t = (struct tap *)(void *)nic;

    MR_ASSERT(queue < t->queues);
    if (t->map >= 0 || t->queues == 1)
        return NIC_ENOTSUP;
    if (t->queue[queue].off == !on)
        return 0;
    int rc = tap_queue_enable(t->queue[queue].fd, on);
    if (rc == 0)
        t->queue[queue].off = !on;
    return rc;
}

static unsigned descriptors(struct nic *nic, int **fds, unsigned max)
{
    struct tap *t = (struct tap *)(void *)nic;
    unsigned n = 0;

    for (uint32_t i = 0; i < t->queues; i++)
        if (n++ < max)
            fds[i] = &t->queue[i].fd;
    if (t->map >= 0 && n++ < max)
        fds[n - 1] = &t->map;
    return n;
}

static const struct nic_ops tap_ops = {
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .wait_fd = wait_fd,
    .close = close_port,
    .rx_pool = rx_pool,
    .is_gone = gone,
    .link_is_up = link_is_up,
    .set_rss = set_rss,
    .queue_enable = queue_enable,
    .descriptors = descriptors,
};

static uint32_t buffers_of(const struct tap_config *c)
{
    return c->buffers ? c->buffers : TAP_BUFFERS;
}

size_t tap_bytes(const struct tap_config *c)
{
    size_t pool = (size_t)buffers_of(c) * sizeof(struct pkt) + 4096;

    return sizeof(struct tap) + sizeof(struct rss) + 4096 +
           c->queues * (sizeof(struct tap_queue) + sizeof(struct nic_stats) + pool);
}

static bool queue_open(struct tap_queue *q, struct mem *m, const struct tap_config *c, bool *one,
                       char *why, size_t n)
{
    q->fd = tap_attach(c, one, why, n);
    return q->fd >= 0 && drv_rx_pool_init(&q->pool, &q->bufs, m, "tap rx", buffers_of(c), BUF_SIZE,
                                          c->memory, why, n);
}

static bool queues_open(struct tap *t, struct mem *m, const struct tap_config *c, char *why,
                        size_t n)
{
    bool one = false;

    t->queue = mem_carve(m, c->queues * sizeof(*t->queue), CACHE_LINE);
    t->nic.stats = mem_carve(m, c->queues * sizeof(*t->nic.stats), CACHE_LINE);
    while (t->queues < c->queues && !one)
        if (!queue_open(&t->queue[t->queues++], m, c, &one, why, n))
            return false;
    if (one)
        snprintf(t->why, sizeof(t->why),
                 "device '%s' has one queue; make it with 'ip tuntap add ... multi_queue'",
                 c->name);
    return true;
}

static void spread(struct tap *t, struct mem *m, const struct rss *r)
{
    t->nic.spread = t->queues > 1 ? NIC_SPREAD_UNKNOWN : NIC_SPREAD_NONE;
    if (t->queues == 1)
        return;
    if (!r) {
        tap_steer_clear(t->queue[0].fd); /* who had the device before may have left one */
        return;
    }
    int rc = tap_steer_start(t->queue[0].fd, r, &t->map);
    if (rc < 0) {
        tap_steer_clear(t->queue[0].fd);
        snprintf(t->why, sizeof(t->why), "the kernel takes no steering program: %s", strerror(-rc));
        return;
    }
    t->rss = mem_carve(m, sizeof(*t->rss), CACHE_LINE);
    *t->rss = *r;
    t->nic.rss = t->rss;
    t->nic.spread = NIC_SPREAD_RSS;
}

static void caps_fill(struct nic_caps *caps, const struct tap_config *c, uint32_t queues,
                      uint32_t mtu)
{
    *caps = (struct nic_caps){
        .mtu = mtu,
        .rx_buf_size = BUF_SIZE - PKT_HEADROOM,
        /* The IP length field counts the headers too, with all the options there can be. */
        .tso_max = c->no_offload ? 0 : 65535 - 60 - 60,
        .tx_csum = !c->no_offload,
        .rx_csum = !c->no_offload,
        .rx_coalesces = !c->no_offload,
        .queues = (uint16_t)queues,
    };
}

struct tap *tap_open(struct mem *m, const struct tap_config *c, char *why, size_t n)
{
    struct tap *t = mem_carve(m, sizeof(*t), CACHE_LINE);
    uint32_t mtu = 0;

    t->nic.ops = &tap_ops;
    t->map = -1;
    if (!tap_name_is_good(c->name, why, n) || !queues_open(t, m, c, why, n) ||
        !tap_mtu(c->name, &mtu, why, n)) {
        close_port(&t->nic);
        return NULL;
    }
    caps_fill(&t->nic.caps, c, t->queues, mtu);
    snprintf(t->nic.name, sizeof(t->nic.name), "%s", c->name);
    spread(t, m, c->steer);
    return t;
}

const char *tap_steering_why(const struct tap *t)
{
    return t->why;
}

struct nic *tap_nic(struct tap *t)
{
    return &t->nic;
}

struct pkt_pool *tap_rx_pool(struct tap *t, unsigned queue)
{
    MR_ASSERT(queue < t->queues);
    return &t->queue[queue].pool;
}

bool tap_is_gone(const struct tap *t)
{
    for (uint32_t i = 0; i < t->queues; i++)
        if (is_gone(&t->queue[i]))
            return true;
    return false;
}

/* ---- tap:IFNAME[,no-offload] --------------------------------------------------------- */

static size_t kind_bytes(const struct dev_config *c)
{
    struct tap_config t = {.queues = c->queues, .buffers = c->buffers};

    return tap_bytes(&t);
}

static bool read_name(const char *text, char *name, size_t size, bool *plain, char *why, size_t n)
{
    struct dev_words w;

    dev_words_init(&w, text);
    if (!dev_words_name(&w, name, size, why, n))
        return false;
    while (dev_words_next(&w)) {
        if (strcmp(w.key, "no-offload") != 0 || w.value[0]) {
            snprintf(why, n, "a TAP device has no option '%s'; it has no-offload", w.key);
            return false;
        }
        *plain = true;
    }
    return true;
}

static void say_facts(struct tap *t, bool plain)
{
    struct nic *n = &t->nic;
    const size_t size = sizeof(n->fact[0].text);

    if (plain)
        snprintf(nic_fact_add(n, true), size, "no-offload: every packet alone, checksummed here");
    snprintf(nic_fact_add(n, true), size, "a system call and a copy for every packet");
    if (t->why[0])
        snprintf(nic_fact_add(n, true), size, "%s", t->why);
}

static struct nic *kind_open(struct mem *m, const struct dev_config *c, char *why, size_t n)
{
    char name[64];
    struct tap_config tc = {.name = name,
                            .queues = c->queues,
                            .buffers = c->buffers,
                            .steer = c->steer,
                            .no_offload = c->no_offload,
                            .memory = c->memory};

    if (!read_name(c->name, name, sizeof(name), &tc.no_offload, why, n))
        return NULL;
    struct tap *t = tap_open(m, &tc, why, n);
    if (!t)
        return NULL;
    say_facts(t, tc.no_offload);
    return &t->nic;
}

const struct dev_kind dev_kind_tap = {
    .name = "tap",
    .syntax = "tap:IFNAME[,no-offload]",
    .shared = true,
    .bytes = kind_bytes,
    .open = kind_open,
};
