/* Local ports: who has which, in the whole session.  Linux's rules (inet_csk_get_port,
 * udp_lib_get_port): two sockets may share one if both said SO_REUSEPORT, or both SO_REUSEADDR and
 * none of them listens. */
#include "posix/sock_int.h"

#include "os/os.h"

#define PORT_LO 32768u /* as Linux's net.ipv4.ip_local_port_range */
#define PORT_HI 60999u
#define TRIES 4096u
#define TIME_WAIT_S 60u /* as long as Linux's */

static uint32_t *list_of(const struct px_file *f, uint16_t port)
{
    return &px_session->ports.first[f->type == SOCK_DGRAM][port];
}

static bool may_share(const struct px_file *f, const struct px_file *other)
{
    if (opt_value(f, OPT_REUSEPORT, 0) && opt_value(other, OPT_REUSEPORT, 0))
        return true;
    return opt_value(f, OPT_REUSEADDR, 0) && opt_value(other, OPT_REUSEADDR, 0) &&
           other->kind != PX_LISTENER;
}

static bool port_is_free(const struct px_file *f, const struct mr_addr *a)
{
    for (uint32_t k = *list_of(f, a->port); k; k = px_session->file[k].next_port) {
        const struct px_file *other = &px_session->file[k];
        if (other != f && addr_overlaps(a, &other->local) && !may_share(f, other))
            return false;
    }
    return true;
}

static bool is_busy(unsigned reuse, uint16_t port)
{
    struct px_ports *p = &px_session->ports;

    return atomic_load(&p->conns[reuse][port]) ||
           atomic_load(&p->busy_until[reuse][port]) > (uint32_t)(os_now_us() / 1000000);
}

/* What was accepted there has its listener's right to share. */
static bool conns_allow(const struct px_file *f, uint16_t port)
{
    if (f->type == SOCK_DGRAM || opt_value(f, OPT_REUSEPORT, 0))
        return true;
    return !is_busy(0, port) && (opt_value(f, OPT_REUSEADDR, 0) || !is_busy(1, port));
}

void port_count(struct px_file *f)
{
    unsigned reuse = opt_value(f, OPT_REUSEADDR, 0) != 0;

    f->counted = (uint8_t)(reuse + 1);
    atomic_fetch_add(&px_session->ports.conns[reuse][f->local.port], 1);
}

void port_uncount(struct px_file *f, bool waits)
{
    struct px_ports *p = &px_session->ports;
    unsigned reuse = f->counted - 1u;

    if (!f->counted)
        return;
    f->counted = 0;
    if (waits)
        atomic_store(&p->busy_until[reuse][f->local.port],
                     (uint32_t)(os_now_us() / 1000000) + TIME_WAIT_S);
    atomic_fetch_sub(&p->conns[reuse][f->local.port], 1);
}

static void take(struct px_file *f, const struct mr_addr *a)
{
    uint32_t *first = list_of(f, a->port);

    f->local = *a;
    f->port = a->port;
    f->next_port = *first;
    *first = file_index(f);
}

int port_take(struct px_file *f, const struct mr_addr *a)
{
    int rc = 0;

    word_lock(&px_session->ports.lock);
    if (!port_is_free(f, a) || (!f->port && !conns_allow(f, a->port)))
        rc = -EADDRINUSE;
    else if (!f->port)
        take(f, a);
    px_unlock(&px_session->ports.lock);
    return rc;
}

int port_take_any(struct px_file *f, const struct mr_addr *a)
{
    uint32_t range = PORT_HI - PORT_LO + 1, start;
    struct mr_addr at = *a;
    int rc = -EADDRINUSE;

    os_random(&start, sizeof(start));
    word_lock(&px_session->ports.lock);
    for (uint32_t i = 0; i < range && rc; i++) {
        at.port = (uint16_t)(PORT_LO + (start + i) % range);
        if (*list_of(f, at.port) || !conns_allow(f, at.port))
            continue;
        take(f, &at);
        rc = 0;
    }
    px_unlock(&px_session->ports.lock);
    return rc;
}

void port_give(struct px_file *f)
{
    if (!f->port)
        return;
    word_lock(&px_session->ports.lock);
    uint32_t *link = list_of(f, f->port);
    while (*link && *link != file_index(f))
        link = &px_session->file[*link].next_port;
    if (*link)
        *link = f->next_port;
    f->port = 0;
    f->next_port = 0;
    px_unlock(&px_session->ports.lock);
}

void port_open_for(const struct mr_addr *to, struct px_inst *i)
{
    word_lock(&px_session->ports.lock);
    for (uint32_t k = px_session->ports.first[0][to->port]; k; k = px_session->file[k].next_port) {
        struct px_file *f = &px_session->file[k];
        if (f->kind == PX_LISTENER && addr_overlaps(to, &f->local) &&
            !atomic_load(&f->listen->open))
            (void)listener_open_in(f, i, true);
    }
    px_unlock(&px_session->ports.lock);
}

static bool is_sharer(const struct px_file *f, const struct px_file *other, unsigned slot)
{
    return other != f && other->kind == PX_LISTENER &&
           (atomic_load(&other->listen->open) >> slot & 1) &&
           memcmp(other->local.ip, f->local.ip, 16) == 0;
}

mr_sock port_shared(const struct px_file *f, unsigned slot, bool heir)
{
    mr_sock s = MR_SOCK_NONE;

    word_lock(&px_session->ports.lock);
    for (uint32_t k = *list_of(f, f->local.port); k && !s.v; k = px_session->file[k].next_port) {
        struct px_file *other = &px_session->file[k];
        if (!is_sharer(f, other, slot))
            continue;
        s = other->listen->sock[slot];
        if (heir)
            mr_set_user(inst_mr(&px_session->inst[slot]), s, other);
    }
    px_unlock(&px_session->ports.lock);
    return s;
}

mr_sock port_inherit(struct px_file *f, unsigned slot)
{
    uint64_t bit = UINT64_C(1) << slot;
    mr_sock s = MR_SOCK_NONE;

    word_lock(&px_session->ports.lock);
    for (uint32_t k = *list_of(f, f->local.port); k; k = px_session->file[k].next_port) {
        struct px_file *other = &px_session->file[k];
        if (!is_sharer(f, other, slot))
            continue;
        s = other->listen->sock[slot];
        if (!(atomic_load(&other->listen->orphan) & bit))
            continue;
        mr_set_user(inst_mr(&px_session->inst[slot]), s, f);
        atomic_fetch_and(&other->listen->open, ~bit);
        if (atomic_fetch_and(&other->listen->pending, ~bit) & bit)
            atomic_fetch_or(&f->listen->pending, bit);
    }
    px_unlock(&px_session->ports.lock);
    return s;
}

void port_tell_sharers(const struct px_file *f, unsigned slot)
{
    if (!opt_value(f, OPT_REUSEPORT, 0))
        return;
    word_lock(&px_session->ports.lock);
    for (uint32_t k = *list_of(f, f->local.port); k; k = px_session->file[k].next_port) {
        struct px_file *other = &px_session->file[k];
        if (is_sharer(f, other, slot))
            listener_pending(other, slot);
    }
    px_unlock(&px_session->ports.lock);
}

static int bind_kernel(const struct px_file *f, int fd, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    return f->family == AF_INET6 ? sys_bind(fd, (void *)&in6, sizeof(in6))
                                 : sys_bind(fd, (void *)&in, sizeof(in));
}

/* The kernel's socket cannot be bound twice, so a port for both worlds is ours first. */
static int bind_some(struct px_file *f, int fd)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct mr_addr any = addr_any(0);
        int rc = port_take_any(f, &any);
        if (rc)
            return rc;
        rc = bind_kernel(f, fd, f->port);
        if (rc == 0)
            return 0;
        port_give(f);
        if (rc != -EADDRINUSE)
            return rc;
    }
    return -EADDRINUSE;
}

int bind_any(struct px_file *f, int fd, uint16_t port)
{
    struct mr_addr a = addr_any(port);
    int rc = 0;

    if (port == 0) {
        rc = bind_some(f, fd);
    } else if (!(rc = port_take(f, &a)) && (rc = bind_kernel(f, fd, port))) {
        port_give(f);
    }
    f->kernel_bound = rc == 0;
    return rc;
}
