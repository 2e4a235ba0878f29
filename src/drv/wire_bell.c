#include "drv/wire_bell.h"

#include <unistd.h>

#include "os/os.h"

/* Eight bytes, as an eventfd wants them.  A bell that is full was rung. */
static void ring(void *arg, unsigned queue)
{
    const struct wire_bell *b = arg;

    if (queue < b->peers)
        os_bell_ring(b->peer[queue]);
}

/* All that was rung: of a FIFO more than one call of os_bell_quiet would take. */
static void quiet(int fd)
{
    char rung[512];
    ssize_t got = read(fd, rung, sizeof(rung));

    (void)got;
}

static int wait_fd(struct nic *nic, unsigned queue)
{
    const struct wire_bell *b = nic->owner;

    return b->own[queue];
}

/* What was rung before we say asleep is of an earlier sleep; who rings for that one later wakes us
 * for nothing, once. */
static bool wait_prepare(struct nic *nic, unsigned queue)
{
    const struct wire_bell *b = nic->owner;

    quiet(b->own[queue]);
    return memwire_asleep((struct memwire_port *)(void *)nic, queue);
}

unsigned wire_bell_descriptors(struct wire_bell *b, int **fds, unsigned max)
{
    for (unsigned i = 0; i < b->owns && i < max; i++)
        fds[i] = &b->own[i];
    for (unsigned i = 0; i < b->peers && b->owns + i < max; i++)
        fds[b->owns + i] = &b->peer[i];
    return b->owns + b->peers;
}

static unsigned descriptors(struct nic *nic, int **fds, unsigned max)
{
    return wire_bell_descriptors(nic->owner, fds, max);
}

void wire_bell_init(struct wire_bell *b, struct memwire_port *p)
{
    b->nic = memwire_nic(p);
    b->ops = memwire_ops;
    if (b->owns > 0) {
        b->ops.wait_fd = wait_fd;
        b->ops.wait_prepare = wait_prepare;
    }
    b->ops.descriptors = descriptors;
    b->nic->ops = &b->ops;
    b->nic->owner = b;
    memwire_set_bell(p, ring, b);
}

void wire_bell_close(struct wire_bell *b)
{
    for (unsigned i = 0; i < b->owns; i++)
        os_close(b->own[i]);
    for (unsigned i = 0; i < b->peers; i++)
        os_close(b->peer[i]);
    b->owns = b->peers = 0;
}
