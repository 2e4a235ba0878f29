/* A session is made here. */
#include "posix/session.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "os/os.h"
#include "posix/pools.h"
#include "posix/session_int.h"

#define PAGE 4096u
#define SLOTS_DEFAULT 16u
#define SLOTS_FEW 8u
#define ATTEMPTS 20u
#define ATTEMPT_US 100000u

struct px_session *px_session;
struct px_proc *px_proc;

/* ---- memory ----------------------------------------------------------------------------- */

/* Zero, on pages of its own. */
static void *carve(struct session_own *o, size_t bytes)
{
    bytes = align_up(bytes, PAGE);
    if (bytes > SESSION_SPAN - o->bytes)
        return NULL;
    void *p = (uint8_t *)px_session + o->bytes;
    o->bytes += bytes;
    return p;
}

static void *lend(void *arg, size_t bytes)
{
    return carve(arg, bytes);
}

/* The descriptor stays, hidden, for processes that come by exec. */
static int lend_file(void *arg, int fd, size_t bytes, void **out)
{
    struct session_own *o = arg;
    struct session_map *map = &o->map[o->maps];
    struct stat st;

    if (o->maps == SESSION_MAPS)
        return -ENOMEM;
    int rc = sys_fstat(fd, &st);
    if (rc == 0 && (size_t)st.st_size < bytes)
        rc = sys_ftruncate(fd, (off_t)bytes);
    if (rc < 0)
        return rc;
    void *p = sys_mmap((void *)o->map_end, bytes, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
    if (sys_mmap_failed(p))
        return (int)(intptr_t)p;
    *map = (struct session_map){o->map_end, bytes, sys_fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (map->fd < 0)
        return map->fd;
    o->maps++;
    o->map_end += align_up(bytes, PAGE) + PAGE;
    *out = p;
    return 0;
}

/* The whole span, of which what is not used is given back at the end. */
static int map_segment(void)
{
    int fd = sys_memfd_create("millrace", MFD_CLOEXEC);
    int rc = fd < 0 ? fd : sys_ftruncate(fd, (off_t)SESSION_SPAN);

    if (rc < 0)
        return rc;
    void *p = sys_mmap((void *)PX_BASE, SESSION_SPAN, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);
    if (sys_mmap_failed(p)) {
        sys_close(fd);
        return (int)(intptr_t)p;
    }
    sys_madvise(p, SESSION_SPAN, MADV_DONTDUMP);
    px_session = p;
    px_session->memory_fd = fd;
    return 0;
}

static void shrink(struct session_own *o)
{
    sys_munmap((uint8_t *)px_session + o->bytes, SESSION_SPAN - o->bytes);
    sys_ftruncate(px_session->memory_fd, (off_t)o->bytes);
}

/* What does not depend on the port. */
static void lay_out(void)
{
    struct px_session *s = px_session;
    struct session_own first = {.bytes = align_up(sizeof(*s), PAGE), .map_end = SESSION_FILES};
    struct session_own *o = carve(&first, sizeof(*o));

    *o = first;
    s->own = o;
    s->image = session_image();
    s->file = carve(o, PX_FILES * sizeof(*s->file));
    s->proc = carve(o, PX_PROCS * sizeof(*s->proc));
    for (unsigned i = 0; i < PX_PROCS; i++)
        s->proc[i].fd = carve(o, PX_FDS * sizeof(struct px_fd));
    s->pools = carve(o, pools_bytes());
    pools_init(s->pools);
    o->refs = carve(o, janitor_refs_bytes());
    for (unsigned i = 0; i < PX_WAITERS; i++)
        s->waiter[i].slot = -1;
}

/* ---- configuration ------------------------------------------------------------------------ */

static const char *keep(struct session_own *o, unsigned i, const char *text)
{
    if (!text)
        return NULL;
    snprintf(o->text[i], sizeof(o->text[i]), "%s", text);
    return o->text[i];
}

static void keep_config(struct session_own *o, const struct mr_config *c)
{
    o->config = *c;
    o->config.dev = keep(o, 0, c->dev);
    o->config.eal = keep(o, 1, c->eal);
    o->config.exception = keep(o, 2, c->exception);
    o->config.mac = keep(o, 3, c->mac);
    o->config.control = keep(o, 4, c->control);
    o->config.pcap = o->config.cpus = NULL;
}

/* Two generations of a program that is reloaded, and some to spare. */
static unsigned slots_wanted(const struct px_session_config *c)
{
    uint16_t cpu[OS_CPUS_MAX];

    if (c->slots)
        return min_u32(c->slots, PX_SLOTS_MAX);
    return clamp_u32(4 * os_cpus_allowed(cpu, OS_CPUS_MAX), SLOTS_FEW, SLOTS_DEFAULT);
}

/* ---- the port --------------------------------------------------------------------------- */

static int open_port(struct session_own *o, unsigned slots, char *why, size_t n)
{
    o->config.cores = slots;
    o->lender = (struct dev_memory){lend, lend_file, o};
    return host_port_open_lent(&o->port, &o->config, &o->lender, why, n) < 0 ? -EINVAL : 0;
}

/* A port that follows no rule of ours puts frames into queues that nobody reads: one queue is
 * better than many, unless many were asked for. */
static int port_setup(const struct px_session_config *c, char *why, size_t n)
{
    struct session_own *o = px_session->own;
    unsigned slots = slots_wanted(c);
    int rc = open_port(o, slots, why, n);

    if (rc == 0 && !c->slots && o->port.queues > 1 && o->port.nic->spread != NIC_SPREAD_RSS) {
        host_port_close(&o->port);
        rc = open_port(o, 1, why, n);
    }
    if (rc < 0)
        return rc;
    if (o->config.mtu > o->port.nic->caps.mtu) {
        snprintf(why, n, "--mtu %u: the port's is %u", o->config.mtu, o->port.nic->caps.mtu);
        return -EINVAL;
    }
    o->port.cores = o->config.cores = px_session->slots = min_u32(slots, o->port.queues);
    o->agrees = host_port_agrees(&o->port);
    px_session->nic = o->port.nic;
    host_port_facts(&o->port);
    return 0;
}

static int capture_setup(const struct px_session_config *c, char *why, size_t n)
{
    struct session_own *o = px_session->own;

    if (c->net.pcap)
        o->capture = capture_open_lent(&o->lender, c->net.pcap, "run", px_session->nic->name,
                                       px_session->slots, why, n);
    return c->net.pcap && !o->capture ? -EINVAL : 0;
}

/* Everything is slot 0's until somebody claims one. */
static void law_setup(void)
{
    struct session_own *o = px_session->own;
    static const uint16_t nobody[RSS_TABLE_MAX];

    o->law = *o->port.law;
    rss_set_table(&o->law, nobody, o->law.mask + 1);
    if (px_session->slots > 1 && o->agrees)
        nic_set_rss(px_session->nic, &o->law);
    px_session->law = &o->law;
    px_session->law_generation = 1;
    o->law_slots = 1;
    o->enabled = UINT64_MAX;
}

static int hide(char *why, size_t n)
{
    struct session_own *o = px_session->own;
    int *fd[3 + SESSION_MAPS + SESSION_PORT_FDS];
    unsigned count = 0;

    fd[count++] = &px_session->memory_fd;
    fd[count++] = &px_session->door_fd;
    if (o->capture)
        fd[count++] = capture_fd(o->capture);
    for (unsigned i = 0; i < o->maps; i++)
        fd[count++] = &o->map[i].fd;
    o->port_fds = nic_descriptors(px_session->nic, fd + count, SESSION_PORT_FDS);
    int rc = session_hide(px_session, fd, count + o->port_fds);
    if (rc < 0)
        snprintf(why, n, "no descriptors for the session (ulimit -n): %s", mr_strerror(rc));
    return rc;
}

/* ---- instances ---------------------------------------------------------------------------- */

static int instances_setup(char *why, size_t n)
{
    struct px_session *s = px_session;
    struct session_own *o = s->own;

    os_random(o->secret, sizeof(o->secret));
    os_secret(o->isn_secret);
    inst_plan(o, s->slots);
    s->inst = carve(o, s->slots * sizeof(*s->inst));
    if (s->slots > 1) {
        o->mail = carve(o, mail_bytes(s->slots, SESSION_RING_BYTES));
        mail_format(o->mail, s->slots, SESSION_RING_BYTES);
    }
    for (unsigned i = 0; i < s->slots; i++) {
        s->inst[i].slot = i;
        s->inst[i].bytes = o->stack_bytes;
        s->inst[i].memory = carve(o, o->stack_bytes);
        s->inst[i].due_us = UINT64_MAX;
        s->inst[i].past = carve(o, o->limits.tcp.conns * sizeof(struct tcp_past));
        if (!s->inst[i].memory || !s->inst[i].past) {
            snprintf(why, n, "no address space for %u stacks; lower --max-conns", s->slots);
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int set_up(const struct px_session_config *c, char *why, size_t n)
{
    struct px_session *s = px_session;

    if (!session_net_init(&s->net, c, why, n))
        return -EINVAL;
    keep_config(s->own, &c->net);
    s->spin_us = c->net.spin_us;
    int rc = port_setup(c, why, n);
    if (rc == 0)
        rc = capture_setup(c, why, n);
    if (rc == 0)
        rc = hide(why, n);
    if (rc == 0)
        rc = instances_setup(why, n);
    if (rc < 0)
        return rc;
    law_setup();
    shrink(s->own);
    session_threads_init();
    session_say_begin();
    px_proc = session_proc_new();
    s->magic = SESSION_MAGIC;
    return 0;
}

static void give_up(void)
{
    struct session_own *o = px_session->own;

    if (o->port.nic)
        host_port_close(&o->port);
    for (unsigned i = 0; i < o->maps; i++) {
        sys_munmap((void *)o->map[i].at, o->map[i].bytes);
        sys_close(o->map[i].fd);
    }
    if (px_session->hidden_hi)
        sys_close_range((unsigned)px_session->hidden_lo, (unsigned)px_session->hidden_hi, 0);
    else {
        sys_close(px_session->door_fd);
        sys_close(px_session->memory_fd);
    }
    sys_munmap(px_session, SESSION_SPAN);
    px_session = NULL;
}

static int make(const struct px_session_config *c, int door, char *why, size_t n)
{
    int rc = map_segment();

    if (rc < 0) {
        snprintf(why, n, "no address space for the session (ulimit -v): %s", mr_strerror(rc));
        sys_close(door);
        return rc;
    }
    lay_out();
    px_session->door_fd = door;
    rc = set_up(c, why, n);
    if (rc < 0)
        give_up();
    return rc;
}

/* A session that is just ending is not joined, and its port is free in a moment. */
int session_create(const struct px_session_config *c, char *why, size_t n)
{
    int rc = -EBUSY;

    if (px_session) {
        snprintf(why, n, "this process is in a session already");
        return -EALREADY;
    }
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        int door = session_door_make(c->net.dev);
        if (door >= 0)
            return make(c, door, why, n);
        rc = door == -EADDRINUSE ? session_door_enter(&c->net, why, n) : door;
        if (rc != -ESHUTDOWN && rc != -ECONNREFUSED && rc != -ECONNRESET)
            return rc;
        sys_nanosleep_us(ATTEMPT_US);
    }
    return rc;
}
