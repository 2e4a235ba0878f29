/* Memory and shared memory: both ends are ours, in this process. */
#include "rigs.h"

#include <stdlib.h>
#include <unistd.h>

#include "nic/memwire.h"
#include "os/os.h"

#define MTU 1500u
#define TSO_MAX 64000u

/* ---- memory ---------------------------------------------------------------------------- */

static void *shared; /* one wire at a time is a rig's; others are in `others` */
static size_t shared_bytes;

struct side {
    void *shared;
    size_t bytes;
    unsigned side;
};

static struct nic *open_side(struct mem *m, const struct dev_config *c, void *arg)
{
    const struct side *s = arg;
    struct memwire_port *p = memwire_open(m, s->shared, s->bytes, s->side);

    (void)c;
    return p ? memwire_nic(p) : NULL;
}

static void *make_wire(const struct dev_config *d, size_t *bytes)
{
    uint32_t tso = d->no_offload ? 0 : TSO_MAX;
    struct memwire_config c = {
        .queues = d->queues,
        .buffers = d->buffers ? d->buffers : 256,
        .buf_size = (uint32_t)align_up(PKT_HEADROOM + (tso ? tso + 256 : MTU + 18), CACHE_LINE),
        .mtu = MTU,
        .tso_max = tso,
        .csum_offload = !d->no_offload,
    };

    *bytes = align_up(memwire_bytes(&c), 4096);
    void *p = os_reserve(*bytes, false);
    if (p)
        memwire_format(p, &c);
    return p;
}

static bool open_both(struct port *a, struct port *b, struct dev_config *c, void *memory,
                      size_t bytes)
{
    struct side s[2] = {{memory, bytes, 0}, {memory, bytes, 1}};

    return memory && port_open_by(a, open_side, c, &s[0]) && port_open_by(b, open_side, c, &s[1]);
}

static bool memory_open(struct rig *r, struct dev_config *c)
{
    shared = make_wire(c, &shared_bytes);
    return open_both(&r->port, &r->end, c, shared, shared_bytes);
}

static void memory_close(struct rig *r)
{
    end_close(r);
    if (shared)
        os_release(shared, shared_bytes);
    shared = NULL;
}

/* The ends' memory is this process's to the end. */
bool wire_open(struct port *side0, struct port *side1, const struct dev_config *c)
{
    struct dev_config copy = *c;
    size_t bytes;
    void *memory = make_wire(c, &bytes);

    return open_both(side0, side1, &copy, memory, bytes);
}

static void wire_pull(struct rig *r, bool down)
{
    memwire_set_down((struct memwire_port *)(void *)r->port.nic, down);
    memwire_set_down((struct memwire_port *)(void *)r->end.nic, down);
}

const struct rig_kind rig_memory = {.name = "memory",
                                    .queues = QUEUES_MAX,
                                    .open = memory_open,
                                    .close_peer = memory_close,
                                    .send = end_send,
                                    .recv = end_recv,
                                    .pull = wire_pull};

/* ---- shared memory --------------------------------------------------------------------- */

static const char *const shm_bad[] = {"shm:", "shm:/tmp/x", "shm:/tmp/x:2",
                                      "shm:/no/such/folder/wire:0", NULL};

/* Side 0 makes the file that side 1 opens. */
static bool open_pair(struct rig *r, struct dev_config *c, unsigned side)
{
    char spec[2][64];
    struct port *maker = side == 0 ? &r->port : &r->end;
    struct port *other = side == 0 ? &r->end : &r->port;

    for (unsigned i = 0; i < 2; i++)
        snprintf(spec[i], sizeof(spec[i]), "shm:/tmp/millrace-port-%d:%u", (int)getpid(), i);
    bool good = port_open(maker, spec[0], c) && port_open(other, spec[1], c);
    if (!good && maker->nic)
        snprintf(r->port.why, sizeof(r->port.why), "%s", other->why);
    return good;
}

static bool shm0_open(struct rig *r, struct dev_config *c)
{
    return open_pair(r, c, 0);
}

static bool shm1_open(struct rig *r, struct dev_config *c)
{
    return open_pair(r, c, 1);
}

const struct rig_kind rig_shm0 = {.name = "shm0",
                                  .queues = QUEUES_MAX,
                                  .bad = shm_bad,
                                  .open = shm0_open,
                                  .close_peer = end_close,
                                  .send = end_send,
                                  .recv = end_recv,
                                  .pull = wire_pull,
                                  .remove = end_close};
const struct rig_kind rig_shm1 = {.name = "shm1",
                                  .queues = QUEUES_MAX,
                                  .bad = shm_bad,
                                  .open = shm1_open,
                                  .close_peer = end_close,
                                  .send = end_send,
                                  .recv = end_recv,
                                  .pull = wire_pull,
                                  .remove = end_close};
