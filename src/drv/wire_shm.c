#define _GNU_SOURCE
#include "drv/wire_shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drv/drv_int.h"
#include "drv/wire_bell.h"
#include "drv/wire_files.h"
#include "os/os.h"

#define WAIT_FOR_PEER_US (5 * UINT64_C(1000000))
#define WAIT_FOR_LAST_US (2 * UINT64_C(1000000))
#define LOOK_AGAIN_NS 10000000L

struct wire_shm {
    struct wire_bell bell; /* nic.owner */
    struct memwire_port *port;
    void *shared; /* owned mapping, but for a dev_memory's */
    size_t bytes;
    bool lent;
    struct memwire_config made; /* what it was made with */
    int locked;                 /* side 1: holds the lock; -1 */
    dev_t device;               /* side 0: the file that it made */
    ino_t file;
    struct wire_spec spec;
};

/* Every queue has buffers for all queues of the other end, 128 for each. */
static struct memwire_config wire_config(uint32_t queues, uint32_t peers)
{
    return (struct memwire_config){
        .queues = queues,
        .queues1 = peers,
        .buffers = max_u32(512, (uint32_t)ceil_pow2(128 * max_u32(queues, peers))),
        .buf_size = PKT_HEADROOM + 65280 + 256,
        .mtu = 1500,
        .tso_max = 65280,
        .csum_offload = true,
    };
}

/* Side 1 does not know yet with how many side 0 has made it. */
size_t wire_shm_bytes(const struct wire_shm_config *c)
{
    struct wire_spec s;
    bool first = wire_spec_read(c->spec, &s) && s.side == 0;
    uint32_t peers = first && s.peer ? s.peer : c->queues;
    struct memwire_config w = wire_config(c->queues, first ? peers : MEMWIRE_QUEUES_MAX);

    return sizeof(struct wire_shm) + memwire_port_bytes(&w, 0) + 4096;
}

static int map(struct wire_shm *w, int fd, const struct dev_memory *memory)
{
    w->lent = memory != NULL;
    return memory ? memory->map_file(memory->arg, fd, w->bytes, &w->shared)
                  : os_map_shared(fd, w->bytes, &w->shared);
}

static void unmap(struct wire_shm *w)
{
    if (!w->lent)
        os_release(w->shared, w->bytes);
    w->shared = NULL;
}

/* ---- side 0 ---------------------------------------------------------------------------- */

static int remember_file(struct wire_shm *w, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    w->device = st.st_dev;
    w->file = st.st_ino;
    return 0;
}

/* The next side 0 may have put its own in the place of ours while we were ending. */
static void remove_file(const struct wire_shm *w)
{
    struct stat st;

    wire_bells_remove(w->spec.path, w->file);
    if (stat(w->spec.path, &st) == 0 && st.st_dev == w->device && st.st_ino == w->file)
        unlink(w->spec.path);
}

static int fill(struct wire_shm *w, int fd, const char *fresh, const struct wire_shm_config *c)
{
    const char *path = w->spec.path;
    int rc = map(w, fd, c->memory);

    if (rc == 0)
        rc = remember_file(w, fd);
    if (rc < 0)
        return rc;
    w->made.bells = wire_bells_make(&w->bell, path, fd, w->made.queues, w->made.queues1) == 0;
    memwire_format(w->shared, &w->made);
    rc = wire_file_put(fresh, path);
    if (rc < 0) {
        wire_bells_remove(path, w->file);
        wire_bell_close(&w->bell);
        unmap(w);
    }
    return rc;
}

/* Formatted under another name first: side 1 never sees half a wire, and the memory of a wire that
 * somebody still uses does not shrink under them. */
static int create(struct wire_shm *w, const struct wire_shm_config *c)
{
    char fresh[WIRE_PATH_BYTES + 8];

    w->made = wire_config(c->queues, w->spec.peer ? w->spec.peer : c->queues);
    w->bytes = memwire_bytes(&w->made);
    snprintf(fresh, sizeof(fresh), "%s.new", w->spec.path);
    unlink(fresh);
    int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = fill(w, fd, fresh, c);
    os_close(fd);
    if (rc < 0)
        unlink(fresh);
    return rc;
}

/* ---- side 1 ---------------------------------------------------------------------------- */

/* -EPROTO: it is no wire; -ERANGE: it has too few queues; -ENOENT: it is being replaced. */
static int use(struct wire_shm *w, int fd, const struct wire_shm_config *c)
{
    struct memwire_config *made = &w->made;
    int rc = map(w, fd, c->memory);

    if (rc < 0)
        return rc;
    if (!memwire_read_config(w->shared, w->bytes, made))
        rc = -EPROTO;
    else if (made->queues1 < c->queues)
        rc = -ERANGE;
    else if (made->bells)
        rc = wire_bells_find(&w->bell, w->spec.path, fd, c->queues, made->queues);
    if (rc < 0)
        unmap(w);
    return rc;
}

static int attach(struct wire_shm *w, const struct wire_shm_config *c)
{
    struct stat st;
    int fd = open(w->spec.path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) < 0 ? -errno : wire_lock(fd);
    if (rc == 0) {
        w->bytes = (size_t)st.st_size;
        rc = w->bytes < 4096 ? -EPROTO : use(w, fd, c);
    }
    if (rc < 0)
        os_close(fd);
    else
        w->locked = fd;
    return rc;
}

static int attach_patiently(struct wire_shm *w, const struct wire_shm_config *c)
{
    uint64_t start = os_now_us();

    for (;;) {
        int rc = attach(w, c);
        uint64_t patience = rc == -ENOENT ? WAIT_FOR_PEER_US : rc == -EAGAIN ? WAIT_FOR_LAST_US : 0;
        if (os_now_us() - start >= patience || os_stop_asked())
            return rc;
        nanosleep(&(struct timespec){0, LOOK_AGAIN_NS}, NULL);
    }
}

/* ---- either side ----------------------------------------------------------------------- */

static void explain(const struct wire_shm *w, int rc, uint32_t queues, char *why, size_t n)
{
    const char *path = w->spec.path;
    uint32_t there = w->made.queues1;

    if (rc == -EPROTO)
        snprintf(why, n, "'%s' is not a wire of this version", path);
    else if (rc == -ERANGE)
        snprintf(why, n,
                 "wire '%s' was made with %u queue%s for this side, and this end has %u: give both "
                 "ends as many cores, or make it with '%s:0,peer=%u'",
                 path, there, there == 1 ? "" : "s", queues, path, queues);
    else if (rc == -EAGAIN)
        snprintf(why, n, "wire '%s' is in use: another program is its side 1", path);
    else
        snprintf(why, n, "wire '%s': %s", path,
                 rc == -ENOENT && w->spec.side == 1 ? "no side 0 has made it" : strerror(-rc));
}

/* The port on the wire that was mapped. */
static bool join(struct wire_shm *w, struct mem *m, const struct wire_shm_config *c)
{
    struct rss all;

    w->port = memwire_open_few(m, w->shared, w->bytes, w->spec.side, c->queues);
    if (!w->port)
        return false;
    wire_bell_init(&w->bell, w->port);
    if (!c->rss)
        rss_init(&all, rss_key_default, RSS_ENTRIES, c->queues);
    memwire_set_rss(w->port, c->rss ? c->rss : &all);
    return true;
}

struct wire_shm *wire_shm_open(struct mem *m, const struct wire_shm_config *c, char *why, size_t n)
{
    struct wire_shm *w = mem_carve(m, sizeof(*w), CACHE_LINE);

    MR_ASSERT(c->queues >= 1 && c->queues <= MEMWIRE_QUEUES_MAX);
    w->locked = -1;
    if (!wire_spec_read(c->spec, &w->spec)) {
        snprintf(why, n, "'%.80s' is not a wire; give PATH:0 or PATH:1", c->spec);
        return NULL;
    }
    int rc = w->spec.side == 0 ? create(w, c) : attach_patiently(w, c);
    if (rc < 0) {
        explain(w, rc, c->queues, why, n);
        return NULL;
    }
    if (!join(w, m, c)) {
        explain(w, -EPROTO, c->queues, why, n);
        wire_shm_close(w);
        return NULL;
    }
    return w;
}

void wire_shm_close(struct wire_shm *w)
{
    if (w->spec.side == 0)
        remove_file(w);
    wire_bell_close(&w->bell);
    unmap(w);
    os_close(w->locked);
}

struct nic *wire_shm_nic(struct wire_shm *w)
{
    return memwire_nic(w->port);
}

struct pkt_pool *wire_shm_rx_pool(struct wire_shm *w, unsigned queue)
{
    return memwire_rx_pool(w->port, queue);
}

/* ---- shm:PATH:0|1 -------------------------------------------------------------------- */

_Static_assert(offsetof(struct wire_shm, bell) == 0, "nic.owner is both");

static struct wire_shm *of(struct nic *n)
{
    return n->owner;
}

static void close_nic(struct nic *n)
{
    wire_shm_close(of(n));
}

static unsigned descriptors(struct nic *n, int **fds, unsigned max)
{
    struct wire_shm *w = of(n);
    unsigned count = wire_bell_descriptors(&w->bell, fds, max);

    if (w->locked >= 0 && count++ < max)
        fds[count - 1] = &w->locked;
    return count;
}

/* A wire always has a rule; who wants none gets everything on the first queue. */
static struct wire_shm_config config_for(const struct dev_config *c, const struct rss *first)
{
    return (struct wire_shm_config){.spec = c->name,
                                    .queues = c->queues,
                                    .rss = c->steer ? c->steer : first,
                                    .memory = c->memory};
}

static size_t kind_bytes(const struct dev_config *c)
{
    struct wire_shm_config wc = config_for(c, NULL);

    return wire_shm_bytes(&wc);
}

static void say_facts(const struct wire_shm *w, struct nic *nic)
{
    const size_t size = sizeof(nic->fact[0].text);

    snprintf(nic_fact_add(nic, false), size, "one copy from process to process, no system call");
    if (!w->made.bells)
        snprintf(nic_fact_add(nic, true), size,
                 "no FIFO could be made beside it, so it sleeps by time: up to 1 ms late after an "
                 "idle while");
}

static struct nic *kind_open(struct mem *m, const struct dev_config *c, char *why, size_t n)
{
    struct rss first;

    rss_init(&first, rss_key_default, 1, 1);
    struct wire_shm_config wc = config_for(c, &first);
    struct wire_shm *w = wire_shm_open(m, &wc, why, n);
    if (!w)
        return NULL;
    struct nic *nic = wire_shm_nic(w);
    w->bell.ops.close = close_nic;
    w->bell.ops.descriptors = descriptors;
    if (c->no_offload) {
        nic->caps.tso_max = 0;
        nic->caps.tx_csum = false;
    }
    say_facts(w, nic);
    return nic;
}

const struct dev_kind dev_kind_shm = {
    .name = "shm",
    .syntax = "shm:PATH:0|1",
    .shared = true,
    .bytes = kind_bytes,
    .open = kind_open,
};
