/* The pump's process. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drv/drv_int.h"
#include "drv/pump_int.h"
#include "drv/vnet.h"
#include "os/os.h"

#define PAGE 4096u
#define SPIN_US 50u
#define RETRY_US 20u   /* the other side had no room */
#define BLIND_US 1000u /* a port without a descriptor is looked at so often */
#define LOOK_US 100000u

struct pump {
    struct nic *real, *wire;
    struct burst in, out; /* taken from the port, and from the wire; not passed on yet */
    struct pump_front *front;
    int control;
    struct wire_bell bell;
    uint64_t looked_us;
};

/* ---- a process of its own ------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* What was inherited belongs to others, who would never see its end. */
static void close_others(const struct pump_start *s)
{
    int keep[MEMWIRE_QUEUES_MAX + 2], n = 0;
    unsigned from = 3;

    keep[n++] = s->control;
    keep[n++] = s->own;
    for (unsigned i = 0; i < s->peers; i++)
        keep[n++] = s->peer[i];
    qsort(keep, (size_t)n, sizeof(keep[0]), compare);
    for (int i = 0; i < n; i++) {
        if ((unsigned)keep[i] > from)
            close_range(from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    close_range(from, ~0u, 0);
}

/* No terminal's, no shell's, and nobody's output. */
static void detach(void)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        os_close(null);
    if (chdir("/") < 0)
        return;
}

static void *own_memory(size_t bytes, struct mem *m)
{
    void *p = os_reserve(align_up(bytes, PAGE), false);

    if (p)
        mem_init(m, p, align_up(bytes, PAGE));
    return p;
}

/* ---- the two ports ------------------------------------------------------------------------- */

static struct nic *open_real(const struct pump_start *s, char *why, size_t n)
{
    struct mem m;

    if (own_memory(s->kind->bytes(s->config), &m))
        return s->kind->open(&m, s->config, why, n);
    snprintf(why, n, "no address space for the port");
    return NULL;
}

static void report(int control, const struct nic *nic, const char *why)
{
    struct pump_report r = {.good = nic != NULL};

    snprintf(r.why, sizeof(r.why), "%s", why);
    if (nic) {
        r.caps = nic->caps;
        r.mac = nic->mac;
        memcpy(r.name, nic->name, sizeof(r.name));
        r.facts = nic->facts;
        memcpy(r.fact, nic->fact, sizeof(r.fact));
    }
    send(control, &r, sizeof(r), MSG_NOSIGNAL);
}

/* Side 0 of the wire that was made meanwhile. */
static bool open_wire(struct pump *p, const struct pump_start *s)
{
    struct pump_order o;
    struct memwire_config c;
    struct mem m;

    if (recv(s->control, &o, sizeof(o), 0) != (ssize_t)sizeof(o) ||
        !memwire_read_config(o.wire, o.bytes, &c) || !own_memory(memwire_port_bytes(&c, 0), &m))
        return false;
    struct memwire_port *port = memwire_open(&m, o.wire, o.bytes, 0);
    if (!port)
        return false;
    p->front = o.front;
    p->bell.own[p->bell.owns++] = s->own;
    memcpy(p->bell.peer, s->peer, sizeof(p->bell.peer));
    p->bell.peers = s->peers;
    wire_bell_init(&p->bell, port);
    p->wire = memwire_nic(port);
    return true;
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* True: something was moved.  What the other side does not take now waits here. */
static bool move(struct nic *from, struct nic *to, struct burst *b)
{
    if (b->n == 0) {
        b->n = nic_rx_burst(from, 0, b->p, BURST_MAX);
        for (unsigned i = 0; i < b->n; i++)
            vnet_find_headers(b->p[i]);
    }
    if (b->n == 0)
        return false;
    unsigned taken = nic_tx_burst(to, 0, b->p, b->n);
    b->n -= taken;
    memmove(b->p, b->p + taken, b->n * sizeof(b->p[0]));
    return taken > 0;
}

static bool prepare(struct nic *nic)
{
    return nic->ops->wait_prepare && nic->ops->wait_prepare(nic, 0);
}

static int fd_of(struct nic *nic)
{
    return nic->ops->wait_fd ? nic->ops->wait_fd(nic, 0) : -1;
}

/* False: it is over. */
static bool doze(struct pump *p)
{
    struct os_wait w[] = {{.fd = fd_of(p->real)}, {.fd = fd_of(p->wire)}, {.fd = p->control}};
    uint64_t us = w[0].fd < 0 ? BLIND_US : UINT64_MAX;

    /* Who has something to pass on does not listen to where it came from. */
    if (p->in.n > 0 || p->out.n > 0) {
        us = RETRY_US;
        if (p->in.n > 0)
            w[0].fd = -1;
    }
    bool wire = prepare(p->wire) && p->out.n == 0, real = prepare(p->real) && p->in.n == 0;
    os_wait(w, ARRAY_LEN(w), wire || real ? 0 : us);
    return !w[2].ready && !w[2].broken;
}

/* Now and then, because it may be a call of the system's. */
static bool look(struct pump *p, uint64_t now)
{
    if (now - p->looked_us < LOOK_US)
        return true;
    p->looked_us = now;
    atomic_store_explicit(&p->front->down, !nic_link_is_up(p->real), memory_order_relaxed);
    if (!nic_is_gone(p->real))
        return true;
    atomic_store_explicit(&p->front->gone, true, memory_order_relaxed);
    return false;
}

static void pump(struct pump *p)
{
    uint64_t busy = os_now_us();

    for (;;) {
        bool out = move(p->wire, p->real, &p->out), in = move(p->real, p->wire, &p->in);
        uint64_t now = os_now_us();
        if (in || out)
            busy = now;
        else if (now - busy < SPIN_US)
            os_relax();
        else if (!doze(p))
            return;
        if (!look(p, now))
            return;
    }
}

static void end(struct pump *p)
{
    for (unsigned i = 0; i < p->in.n; i++)
        pkt_put(p->in.p[i]);
    for (unsigned i = 0; i < p->out.n; i++)
        pkt_put(p->out.p[i]);
    if (p->real->ops->detach)
        p->real->ops->detach(p->real, 0);
    p->real->ops->close(p->real);
}

static void work(const struct pump_start *s)
{
    struct pump p = {.control = s->control};
    char why[sizeof(((struct pump_report *)0)->why)] = "";

    prctl(PR_SET_NAME, "millrace-pump");
    p.real = open_real(s, why, sizeof(why));
    report(s->control, p.real, why);
    if (!p.real)
        return;
    detach();
    os_exact_timeouts();
    bool good = open_wire(&p, s);
    if (good && p.real->ops->attach)
        good = p.real->ops->attach(p.real, 0) == 0;
    if (good && send(s->control, "", 1, MSG_NOSIGNAL) == 1)
        pump(&p);
    end(&p);
}

/* However the pump ends, programs learn that there is no port any more. */
static void watch(const struct pump_start *s, pid_t pump)
{
    int status;

    prctl(PR_SET_NAME, "millrace-watch");
    detach();
    os_close(s->control);
    while (waitpid(pump, &status, 0) < 0 && errno == EINTR)
        ;
    atomic_store(&s->front->gone, true);
    for (unsigned i = 0; i < s->peers; i++)
        os_bell_ring(s->peer[i]);
}

void pump_run(const struct pump_start *s)
{
    setsid();
    signal(SIGPIPE, SIG_IGN);
    close_others(s);
    pid_t pump = _Fork();
    if (pump == 0)
        work(s);
    else if (pump > 0)
        watch(s, pump);
}
