/* A queue: its memory, registered with the kernel, and its sockets. */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "os/os.h"
#include "xdp/xdp_int.h"

/* Newer than the headers that there may be. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#endif
#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9
#endif
#ifndef SO_PREFER_BUSY_POLL
#define SO_PREFER_BUSY_POLL 69
#endif
#ifndef SO_BUSY_POLL_BUDGET
#define SO_BUSY_POLL_BUDGET 70
#endif

#define TX_BUDGET 512
#define BIND_TRIES 300
#define BIND_PAUSE_US 10000u
#define CHUNK_SMALL 2048u
#define CHUNK_LARGE 4096u
#define SEND_BYTES (XDP_TX_FRAMES * 16u << 10)

uint32_t xdp_chunk_for(uint32_t mtu)
{
    return mtu + XDP_L2_BYTES + XDP_ROOM <= CHUNK_SMALL ? CHUNK_SMALL : CHUNK_LARGE;
}

bool xdp_needs_parts(uint32_t mtu)
{
    return mtu + XDP_L2_BYTES + XDP_ROOM > CHUNK_LARGE;
}

/* ---- memory -------------------------------------------------------------------------- */

size_t xdp_queue_bytes(uint32_t frames)
{
    return sizeof(struct xdp_queue) + sizeof(struct nic_stats) + 3 * 4096 +
           ((size_t)frames + XDP_JOIN_FRAMES) * sizeof(struct pkt);
}

static bool join_pool_open(struct xdp_queue *q, struct mem *m)
{
    uint32_t size = (PKT_HEADROOM + q->port->nic.caps.mtu + XDP_L2_BYTES + 4095) & ~4095u;

    q->join_bytes = (size_t)XDP_JOIN_FRAMES * size;
    q->join_bufs = os_reserve(q->join_bytes, false);
    if (!q->join_bufs)
        return false;
    pkt_pool_init(&q->joined, m, "xdp joined", XDP_JOIN_FRAMES, size, PKT_HEADROOM, q->join_bufs);
    q->joined.low_water = XDP_JOIN_FRAMES / 4;
    return true;
}

static bool memory_open(struct xdp_queue *q, struct mem *m, uint32_t frames)
{
    uint32_t mtu = q->port->nic.caps.mtu;

    q->chunk = xdp_chunk_for(mtu);
    q->chunk_shift = (uint32_t)__builtin_ctz(q->chunk);
    q->frames = frames;
    q->may_part = xdp_needs_parts(mtu);
    q->umem_bytes = ((size_t)frames + XDP_TX_FRAMES) * q->chunk;
    q->umem = os_reserve(q->umem_bytes, true);
    if (!q->umem)
        return false;
    mem_carve(m, 0, 4096);
    pkt_pool_init(&q->pool, m, "xdp rx", frames, q->chunk, XDP_ROOM, q->umem);
    q->pool.low_water = frames / 4;
    for (uint32_t i = 0; i < XDP_TX_FRAMES; i++)
        q->tx_free[q->tx_free_n++] = frames + i;
    return !q->may_part || join_pool_open(q, m);
}

/* Without CAP_IPC_LOCK what the kernel pins is limited. */
static void raise_memlock(void)
{
    struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};

    if (setrlimit(RLIMIT_MEMLOCK, &r) == 0 || getrlimit(RLIMIT_MEMLOCK, &r) < 0)
        return;
    r.rlim_cur = r.rlim_max;
    setrlimit(RLIMIT_MEMLOCK, &r);
}

static bool register_memory(struct xdp_queue *q, char *why, size_t n)
{
    const struct xsk_umem_config c = {
        .fill_size = XDP_RING, .comp_size = XDP_RING, .frame_size = q->chunk};

    raise_memlock();
    int rc = xsk_umem__create(&q->reg, q->umem, q->umem_bytes, &q->sock->fill, &q->sock->done, &c);
    if (rc == 0)
        return true;
    q->reg = NULL;
    if (rc == -EPERM || rc == -EACCES)
        snprintf(why, n, "xdp: no AF_XDP socket without CAP_NET_RAW");
    else if (rc == -EAFNOSUPPORT)
        snprintf(why, n, "xdp: this kernel has no AF_XDP (CONFIG_XDP_SOCKETS)");
    else if (rc == -ENOBUFS)
        snprintf(why, n,
                 "xdp: %zu MB of memory cannot be pinned: raise RLIMIT_MEMLOCK (ulimit -l), grant "
                 "CAP_IPC_LOCK or take fewer frames=",
                 q->umem_bytes >> 20);
    else
        snprintf(why, n, "xdp: memory for frames: %s", strerror(-rc));
    return false;
}

/* ---- sockets ------------------------------------------------------------------------- */

static void set(int fd, int level, int what, uint32_t value)
{
    int v = (int)value;

    setsockopt(fd, level, what, &v, sizeof(v));
}

/* What makes it quicker; a kernel without goes on without. */
static void tune(const struct xdp_queue *q, int fd)
{
    const struct xdp_wishes *o = &q->port->options;

    set(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, TX_BUDGET);
    /* In copy mode what is under way is charged to the socket: the ring is the limit, not this. */
    set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BYTES);
    if (!o->busy_poll_us)
        return;
    set(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, 1);
    set(fd, SOL_SOCKET, SO_BUSY_POLL, o->busy_poll_us);
    set(fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, BURST_MAX);
}

static void explain_bind(const struct xdp_queue *q, uint32_t nic_queue, int err, char *why,
                         size_t n)
{
    const struct xdp_iface *f = &q->port->iface;
    bool zc = q->port->options.mode == XDP_MODE_ZEROCOPY;

    if (err == EBUSY)
        snprintf(why, n, "xdp: queue %u of %s is in use by another AF_XDP program", nic_queue,
                 f->name);
    else if (err == EPERM)
        snprintf(why, n, "xdp: no AF_XDP socket without CAP_NET_RAW");
    else if (zc && (err == EOPNOTSUPP || err == EINVAL))
        snprintf(why, n, "xdp: %s: the driver '%s' has no zero-copy; use mode=auto or mode=copy",
                 f->name, f->driver);
    else if (q->may_part)
        snprintf(why, n,
                 "xdp: %s: no sockets for an MTU of %u (%s): frames in pieces need Linux 6.6; an "
                 "MTU of at most %u would work",
                 f->name, f->mtu, strerror(err), CHUNK_LARGE - XDP_ROOM - XDP_L2_BYTES);
    else
        snprintf(why, n, "xdp: queue %u of %s: %s", nic_queue, f->name, strerror(err));
}

static uint16_t bind_flags(const struct xdp_queue *q)
{
    const struct xdp *x = q->port;
    uint32_t flags = XDP_USE_NEED_WAKEUP | (q->may_part ? XDP_USE_SG : 0);

    /* Without either word the kernel tries zero-copy first. */
    if (x->options.mode == XDP_MODE_COPY || (x->options.mode == XDP_MODE_AUTO && !x->kernel.native))
        flags |= XDP_COPY;
    else if (x->options.mode == XDP_MODE_ZEROCOPY)
        flags |= XDP_ZEROCOPY;
    return (uint16_t)flags;
}

/* A socket that was closed a moment ago, by us or by a process that died, is still on its queue
 * until the kernel comes round to it. */
static int bind_socket(struct xdp_queue *q, struct xdp_sock *s, uint32_t nic_queue)
{
    const struct xsk_socket_config c = {
        .rx_size = XDP_RING,
        .tx_size = XDP_RING,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = bind_flags(q),
    };
    int rc = -EBUSY;

    for (int i = 0; i < BIND_TRIES && rc == -EBUSY; i++) {
        if (i > 0)
            os_wait(NULL, 0, BIND_PAUSE_US);
        rc = xsk_socket__create_shared(&s->xsk, q->port->iface.name, nic_queue, q->reg, &s->rx,
                                       s == q->sock ? &q->tx : NULL, &s->fill, &s->done, &c);
    }
    if (rc < 0)
        s->xsk = NULL;
    return rc;
}

static bool sock_open(struct xdp_queue *q, uint32_t i, char *why, size_t n)
{
    struct xdp *x = q->port;
    struct xdp_sock *s = &q->sock[i];
    uint32_t nic_queue = (uint32_t)(q - x->queue) + i * x->nic.caps.queues;
    int rc = bind_socket(q, s, nic_queue);

    if (rc < 0) {
        explain_bind(q, nic_queue, -rc, why, n);
        return false;
    }
    s->fd = xsk_socket__fd(s->xsk);
    s->share = min_u32(XDP_RING, max_u32(q->frames / 2 / q->socks, 1));
    tune(q, s->fd);
    if (xdp_kernel_serve(&x->kernel, nic_queue, s->fd))
        return true;
    snprintf(why, n, "xdp: queue %u of %s: %s", nic_queue, x->iface.name, strerror(errno));
    return false;
}

static bool is_zero_copy(const struct xdp_sock *s)
{
    struct xdp_options o = {0};
    socklen_t size = sizeof(o);

    return getsockopt(s->fd, SOL_XDP, XDP_OPTIONS, &o, &size) == 0 &&
           o.flags & XDP_OPTIONS_ZEROCOPY;
}

bool xdp_queue_open(struct xdp_queue *q, struct mem *m, uint32_t frames, char *why, size_t n)
{
    if (!memory_open(q, m, frames)) {
        snprintf(why, n, "xdp: no address space for %u frames", frames);
        return false;
    }
    if (!register_memory(q, why, n))
        return false;
    for (uint32_t i = 0; i < q->socks; i++)
        if (!sock_open(q, i, why, n))
            return false;
    xdp_refill(q); /* what comes before the first poll is not lost */
    q->port->zero_copy = is_zero_copy(&q->sock[0]);
    q->busy = q->port->options.busy_poll_us > 0;
    return true;
}

void xdp_queue_close(struct xdp_queue *q)
{
    os_close(q->epoll);
    for (uint32_t i = q->socks; i-- > 0;)
        if (q->sock[i].xsk)
            xsk_socket__delete(q->sock[i].xsk);
    if (q->reg)
        xsk_umem__delete(q->reg);
    os_release(q->umem, q->umem_bytes);
    os_release(q->join_bufs, q->join_bytes);
}
