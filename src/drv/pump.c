/* The side of the programs, and how the pump is started. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/drv_int.h"
#include "drv/pump_int.h"
#include "os/os.h"

#define PAGE 4096u
#define LANE_BUFFERS 128u
#define BUF_SIZE 69632u /* the longest frame of any port, on whole pages */
#define END_PATIENCE_US 1000000u

static struct memwire_config wire_config(const struct dev_config *c)
{
    return (struct memwire_config){
        .queues = 1,
        .queues1 = c->queues,
        .buffers = max_u32(512, (uint32_t)ceil_pow2(LANE_BUFFERS * c->queues)),
        .buf_size = BUF_SIZE,
        .mtu = 1500,
        .bells = true,
    };
}

size_t pump_bytes(const struct dev_config *c)
{
    struct memwire_config w = wire_config(c);

    return sizeof(struct pump_front) + CACHE_LINE + memwire_port_bytes(&w, 1) + PAGE;
}

/* ---- the port ---------------------------------------------------------------------------- */

static struct pump_front *of(struct nic *nic)
{
    return nic->owner;
}

static bool is_gone(struct nic *nic)
{
    return atomic_load_explicit(&of(nic)->gone, memory_order_relaxed);
}

static bool link_is_up(struct nic *nic)
{
    return !atomic_load_explicit(&of(nic)->down, memory_order_relaxed);
}

static unsigned descriptors(struct nic *nic, int **fds, unsigned max)
{
    struct pump_front *f = of(nic);
    unsigned n = wire_bell_descriptors(&f->bell, fds, max);

    if (n < max)
        fds[n] = &f->control;
    return n + 1;
}

/* The device is free when the pump has ended. */
static void close_port(struct nic *nic)
{
    struct pump_front *f = of(nic);
    struct os_wait w = {.fd = f->control};

    if (send(f->control, "", 1, MSG_NOSIGNAL) == 1)
        os_wait(&w, 1, END_PATIENCE_US);
    os_close(f->control);
    wire_bell_close(&f->bell);
}

static void say_facts(struct nic *nic, const struct pump_report *r)
{
    const unsigned most = NIC_FACTS_MAX - 6; /* what is said by others, and here */

    for (unsigned i = 0; i < r->facts && nic->facts < most; i++)
        snprintf(nic_fact_add(nic, r->fact[i].slow), sizeof(r->fact[i].text), "%s",
                 r->fact[i].text);
    snprintf(nic_fact_add(nic, true), sizeof(nic->fact[0].text),
             "one process has the device, and moves packets to and from all others: a copy and a "
             "switch more");
}

static struct nic *become_port(struct pump_front *f, const struct pump_report *r)
{
    struct nic *nic = memwire_nic(f->port);
    struct nic_ops *ops = &f->bell.ops;

    wire_bell_init(&f->bell, f->port);
    ops->close = close_port;
    ops->is_gone = is_gone;
    ops->link_is_up = link_is_up;
    ops->descriptors = descriptors;
    nic->caps.tso_max = r->caps.tso_max;
    nic->caps.tx_csum = r->caps.tx_csum;
    nic->caps.rx_csum = r->caps.rx_csum;
    nic->caps.rx_coalesces = r->caps.rx_coalesces;
    nic->mac = r->mac;
    memcpy(nic->name, r->name, sizeof(nic->name));
    say_facts(nic, r);
    return nic;
}

/* ---- starting ------------------------------------------------------------------------------ */

static int bells_make(struct wire_bell *b, uint32_t slots)
{
    int rc = 0;

    for (; b->owns < slots && rc >= 0; b->owns += rc >= 0)
        rc = b->own[b->owns] = os_bell_make();
    if (rc >= 0)
        rc = b->peer[b->peers] = os_bell_make();
    b->peers += rc >= 0;
    return rc < 0 ? rc : 0;
}

/* Not fork: no handler of anybody's is to run in what is no program.  The pump is a grandchild. */
static int begin(const struct pump_start *s, int other)
{
    pid_t child = _Fork();
    int status;

    if (child == 0) {
        if (_Fork() == 0) {
            os_close(other);
            pump_run(s);
        }
        _exit(0);
    }
    if (child < 0)
        return -errno;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

/* Two descriptors, two processes; the pump has its own of each. */
static int start(struct pump_front *f, const struct dev_kind *kind, const struct dev_config *real)
{
    struct pump_start s = {.kind = kind, .config = real, .front = f, .peers = f->bell.owns};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    f->control = pair[0];
    s.control = pair[1];
    s.own = f->bell.peer[0];
    memcpy(s.peer, f->bell.own, sizeof(s.peer));
    int rc = begin(&s, pair[0]);
    os_close(pair[1]);
    return rc;
}

static ssize_t hear_word(const struct pump_front *f, void *word, size_t n)
{
    ssize_t got;

    do
        got = recv(f->control, word, n, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

static bool hear(const struct pump_front *f, struct pump_report *r, char *why, size_t n)
{
    ssize_t got;

    got = hear_word(f, r, sizeof(*r));
    if (got == sizeof(*r) && r->good)
        return true;
    snprintf(why, n, "%s", got == sizeof(*r) ? r->why : "the process that has the device has died");
    return false;
}

static bool make_wire(struct pump_front *f, struct mem *m, const struct dev_config *c,
                      const struct pump_report *r, struct pump_order *o)
{
    struct memwire_config w = wire_config(c);
    struct rss all;

    w.mtu = r->caps.mtu;
    w.tso_max = r->caps.tso_max;
    w.csum_offload = r->caps.tx_csum;
    *o = (struct pump_order){.bytes = memwire_bytes(&w), .front = f};
    o->wire = c->memory->reserve(c->memory->arg, o->bytes);
    if (!o->wire)
        return false;
    memwire_format(o->wire, &w);
    f->port = memwire_open(m, o->wire, o->bytes, 1);
    rss_init(&all, rss_key_default, RSS_ENTRIES, c->queues);
    memwire_set_rss(f->port, c->steer ? c->steer : &all);
    return true;
}

static void give_up(struct pump_front *f)
{
    os_close(f->control);
    wire_bell_close(&f->bell);
}

struct nic *pump_open(struct mem *m, const struct dev_kind *kind, const struct dev_config *c,
                      char *why, size_t n)
{
    struct pump_front *f = mem_carve(m, sizeof(*f), CACHE_LINE);
    struct dev_config real = *c;
    struct pump_report r;
    struct pump_order o;

    real.queues = 1;
    real.steer = NULL;
    real.memory = NULL;
    f->control = -1;
    int rc = bells_make(&f->bell, c->queues);
    if (rc == 0)
        rc = start(f, kind, &real);
    if (rc < 0) {
        snprintf(why, n, "no process for the device: %s", strerror(-rc));
        give_up(f);
        return NULL;
    }
    if (!hear(f, &r, why, n)) {
        give_up(f);
        return NULL;
    }
    if (!make_wire(f, m, c, &r, &o)) {
        snprintf(why, n, "no address space for the wire to the device");
        give_up(f);
        return NULL;
    }
    struct nic *nic = become_port(f, &r);
    if (send(f->control, &o, sizeof(o), MSG_NOSIGNAL) == (ssize_t)sizeof(o) &&
        hear_word(f, &r, sizeof(r)) == 1)
        return nic;
    snprintf(why, n, "the process that has the device has died");
    give_up(f);
    return NULL;
}
