/* Sleeping until a packet comes: the device's receive interrupt, where there is one.
 *
 *     queue's epoll <-- device's descriptor (an edge for every interrupt)
 *                   <-- bell (the link has changed: ask again, for an interrupt that was asked for
 *                       before the other side was there has been forgotten)
 */
#include "dpdk/dpdk_int.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/os.h"

static bool watch(int epoll, int fd)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* A driver may make its descriptor anew. */
static bool follow(struct queue *q)
{
    int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(q->port, q->index);

    if (fd < 0)
        return false;
    if (fd == q->device_fd)
        return true;
    if (q->device_fd >= 0)
        epoll_ctl(q->epoll, EPOLL_CTL_DEL, q->device_fd, NULL);
    q->device_fd = fd;
    return watch(q->epoll, fd) || errno == EEXIST;
}

static bool queue_open(struct queue *q)
{
    q->epoll = epoll_create1(EPOLL_CLOEXEC);
    q->bell = os_bell_make();
    if (q->epoll < 0 || q->bell < 0 || !watch(q->epoll, q->bell))
        return false;
    q->idles = follow(q) && rte_eth_dev_rx_intr_enable(q->port, q->index) == 0;
    if (q->idles)
        rte_eth_dev_rx_intr_disable(q->port, q->index);
    return q->idles;
}

bool idle_open(struct port *p)
{
    bool all = p->rxq_intr;

    for (unsigned i = 0; all && i < p->queues; i++)
        all = queue_open(&p->queue[i]);
    for (unsigned i = 0; !all && i < p->queues; i++)
        idle_close(&p->queue[i]);
    return all;
}

void idle_close(struct queue *q)
{
    if (q->epoll >= 0)
        os_close(q->epoll);
    if (q->bell >= 0)
        os_close(q->bell);
    q->epoll = q->bell = q->device_fd = -1;
    q->idles = false;
}

void idle_ring(struct port *p)
{
    for (unsigned i = 0; i < p->queues; i++)
        if (p->queue[i].idles)
            os_bell_ring(p->queue[i].bell);
}

int idle_fd(struct nic *nic, unsigned queue)
{
    return ((struct port *)(void *)nic)->queue[queue].epoll;
}

/* The edges seen so far are forgotten, then the interrupt is asked for, then the ring looked at: a
 * packet that comes in between is seen or gives an edge. */
bool idle_prepare(struct nic *nic, unsigned queue)
{
    struct queue *q = &((struct port *)(void *)nic)->queue[queue];
    struct epoll_event e[2];

    if (q->stashed)
        return true;
    if (q->idles) {
        epoll_wait(q->epoll, e, 2, 0);
        follow(q);
        q->armed = rte_eth_dev_rx_intr_enable(q->port, q->index) == 0;
    }
    q->stashed = rte_eth_rx_burst(q->port, q->index, q->stash, BURST_MAX);
    return q->stashed > 0;
}

void idle_over(struct queue *q)
{
    q->armed = false;
    rte_eth_dev_rx_intr_disable(q->port, q->index);
}
