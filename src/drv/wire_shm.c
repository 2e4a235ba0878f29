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
#include "os/os.h"

#define PATH_BYTES 256u
#define WAIT_FOR_PEER_US (5 * UINT64_C(1000000))
#define LOOK_AGAIN_NS 10000000L

struct wire_shm {
    struct memwire_port *port;
    void *shared; /* owned mapping, but for a dev_memory's */
    size_t bytes;
    bool lent;
    unsigned side;
    dev_t device; /* side 0: the file that it made */
    ino_t file;
    char path[PATH_BYTES];
};

/* Every queue has buffers for all queues of the other end, 128 for each. */
static struct memwire_config wire_config(uint32_t queues)
{
    return (struct memwire_config){
        .queues = queues,
        .buffers = max_u32(512, (uint32_t)ceil_pow2(128 * queues)),
        .buf_size = PKT_HEADROOM + 65280 + 256,
        .mtu = 1500,
        .tso_max = 65280,
        .csum_offload = true,
    };
}

size_t wire_shm_bytes(uint32_t queues)
{
    struct memwire_config c = wire_config(queues);

    return sizeof(struct wire_shm) + memwire_port_bytes(&c, 0) + 4096;
}

static bool parse(struct wire_shm *w, const char *spec, char *why, size_t n)
{
    size_t len = strlen(spec);

    if (len < 3 || spec[len - 2] != ':' || (spec[len - 1] != '0' && spec[len - 1] != '1') ||
        len - 2 >= PATH_BYTES - 8) {
        snprintf(why, n, "'%.80s' is not a wire; give PATH:0 or PATH:1", spec);
        return false;
    }
    memcpy(w->path, spec, len - 2);
    w->path[len - 2] = '\0';
    w->side = (unsigned)(spec[len - 1] - '0');
    return true;
}

static int map(struct wire_shm *w, int fd, const struct dev_memory *memory)
{
    w->lent = memory != NULL;
    return memory ? memory->map_file(memory->arg, fd, w->bytes, &w->shared)
                  : os_map_shared(fd, w->bytes, &w->shared);
}

static void unmap(const struct wire_shm *w)
{
    if (!w->lent)
        os_release(w->shared, w->bytes);
}

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

    if (stat(w->path, &st) == 0 && st.st_dev == w->device && st.st_ino == w->file)
        unlink(w->path);
}

/* Formatted under another name first: side 1 never sees half a wire, and the memory of a wire that
 * somebody still uses does not shrink under them. */
static int create(struct wire_shm *w, uint32_t queues, const struct dev_memory *memory)
{
    struct memwire_config c = wire_config(queues);
    char fresh[PATH_BYTES + 8];

    w->bytes = memwire_bytes(&c);
    snprintf(fresh, sizeof(fresh), "%s.new", w->path);
    unlink(fresh);
    int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int rc = map(w, fd, memory);
    if (rc == 0)
        rc = remember_file(w, fd);
    os_close(fd);
    if (rc == 0) {
        memwire_format(w->shared, &c);
        rc = rename(fresh, w->path) < 0 ? -errno : 0;
    }
    if (rc < 0)
        unlink(fresh);
    return rc;
}

static int attach(struct wire_shm *w, const struct dev_memory *memory)
{
    struct stat st;
    int fd = open(w->path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) < 0 ? -errno : 0;
    if (rc == 0) {
        w->bytes = (size_t)st.st_size;
        rc = w->bytes < 4096 ? -EINVAL : map(w, fd, memory);
    }
    os_close(fd);
    return rc;
}

static int attach_patiently(struct wire_shm *w, const struct dev_memory *memory)
{
    uint64_t until = os_now_us() + WAIT_FOR_PEER_US;
    int rc;

    while ((rc = attach(w, memory)) == -ENOENT && os_now_us() < until && !os_stop_asked())
        nanosleep(&(struct timespec){0, LOOK_AGAIN_NS}, NULL);
    return rc;
}

/* The port on the wire that was mapped. */
static bool join(struct wire_shm *w, struct mem *m, uint32_t queues, char *why, size_t n)
{
    uint32_t there = memwire_queues(w->shared, w->bytes, w->side);

    if (there != 0 && there != queues) {
        snprintf(why, n,
                 "wire '%s' was made with %u queue%s, and this end has %u: give both ends as many "
                 "cores",
                 w->path, there, there == 1 ? "" : "s", queues);
        return false;
    }
    w->port = memwire_open(m, w->shared, w->bytes, w->side);
    if (!w->port)
        snprintf(why, n, "'%s' is not a wire of this version", w->path);
    return w->port != NULL;
}

struct wire_shm *wire_shm_open(struct mem *m, const struct wire_shm_config *c, char *why, size_t n)
{
    struct wire_shm *w = mem_carve(m, sizeof(*w), CACHE_LINE);

    MR_ASSERT(c->queues >= 1 && c->queues <= MEMWIRE_QUEUES_MAX);
    if (!parse(w, c->spec, why, n))
        return NULL;
    int rc = w->side == 0 ? create(w, c->queues, c->memory) : attach_patiently(w, c->memory);
    if (rc < 0) {
        snprintf(why, n, "wire '%s': %s", w->path,
                 rc == -ENOENT && w->side == 1 ? "no side 0 has made it" : strerror(-rc));
        return NULL;
    }
    if (!join(w, m, c->queues, why, n)) {
        unmap(w);
        return NULL;
    }
    if (c->rss)
        memwire_set_rss(w->port, c->rss);
    return w;
}

void wire_shm_close(struct wire_shm *w)
{
    if (w->side == 0)
        remove_file(w);
    unmap(w);
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

static void close_nic(struct nic *n)
{
    wire_shm_close(n->owner);
}

static size_t kind_bytes(const struct dev_config *c)
{
    return wire_shm_bytes(c->queues) + sizeof(struct nic_ops) + CACHE_LINE;
}

/* A wire always has a rule; who wants none gets everything on the first queue. */
static struct nic *kind_open(struct mem *m, const struct dev_config *c, char *why, size_t n)
{
    struct nic_ops *ops = mem_carve(m, sizeof(*ops), CACHE_LINE);
    struct rss first;

    rss_init(&first, rss_key_default, 1, 1);
    struct wire_shm *w =
        wire_shm_open(m,
                      &(struct wire_shm_config){.spec = c->name,
                                                .queues = c->queues,
                                                .rss = c->steer ? c->steer : &first,
                                                .memory = c->memory},
                      why, n);
    if (!w)
        return NULL;
    struct nic *nic = wire_shm_nic(w);
    *ops = memwire_ops;
    ops->close = close_nic;
    nic->ops = ops;
    nic->owner = w;
    if (c->no_offload) {
        nic->caps.tso_max = 0;
        nic->caps.tx_csum = false;
    }
    snprintf(nic_fact_add(nic, false), sizeof(nic->fact[0].text),
             "one copy from process to process, no system call");
    snprintf(nic_fact_add(nic, true), sizeof(nic->fact[0].text),
             "sleeps by time: up to 1 ms late after an idle while; --busy never sleeps");
    return nic;
}

const struct dev_kind dev_kind_shm = {
    .name = "shm",
    .syntax = "shm:PATH:0|1",
    .shared = true,
    .bytes = kind_bytes,
    .open = kind_open,
};
