/* The program in the kernel: loaded, hung on the interface by a link, its maps. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "xdp/xdp_int.h"

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1u << 5)
#endif

#define LOG_BYTES (64u << 10)

/* ---- loading --------------------------------------------------------------------------- */

static int say_nothing(enum libbpf_print_level level, const char *how, va_list args)
{
    (void)level;
    (void)how;
    (void)args;
    return 0;
}

/* The verifier's last line before its statistics: why it refused. */
static const char *last_line(char *log)
{
    char *stats = strstr(log, "\nprocessed "), *end = stats ? stats : log + strlen(log);

    *end = '\0';
    while (end > log && end[-1] == '\n')
        *--end = '\0';
    char *line = strrchr(log, '\n');
    return line ? line + 1 : log;
}

static void explain_load(int err, char *log, char *why, size_t n)
{
    if (err == EPERM || err == EACCES)
        snprintf(why, n,
                 "xdp: the kernel lets us load no program: CAP_BPF and CAP_NET_ADMIN are needed");
    else if (log[0])
        snprintf(why, n, "xdp: the kernel refuses the program: %.120s", last_line(log));
    else
        snprintf(why, n, "xdp: the kernel refuses the program: %s", strerror(err));
}

static struct bpf_map *find_map(struct bpf_object *o, const char *name)
{
    struct bpf_map *m;

    bpf_object__for_each_map(m, o)
    {
        const char *its = bpf_map__name(m);
        size_t n = strlen(its), tail = strlen(name);
        if (n >= tail && strcmp(its + n - tail, name) == 0)
            return m;
    }
    return NULL;
}

static bool set_rules(struct bpf_object *o, const struct xdp_rules *rules)
{
    struct bpf_map *data = find_map(o, ".rodata");

    return data && bpf_map__set_initial_value(data, rules, sizeof(*rules)) == 0;
}

static void set_ports(struct bpf_object *o, const uint64_t *ports)
{
    int map = bpf_map__fd(find_map(o, "ports"));

    for (uint32_t i = 0; i < XDP_PORT_WORDS; i++)
        if (ports[i])
            bpf_map_update_elem(map, &i, &ports[i], BPF_ANY);
}

static bool load(struct xdp_kernel *k, const struct xdp_load *l, char *log, char *why, size_t n)
{
    LIBBPF_OPTS(bpf_object_open_opts, how, .object_name = "millrace", .kernel_log_buf = log,
                .kernel_log_size = LOG_BYTES, .kernel_log_level = 1);
    struct bpf_program *p;
    int rc;

    k->object = bpf_object__open_mem(xdp_object, xdp_object_bytes, &how);
    if (!k->object || !set_rules(k->object, &l->rules) ||
        !(p = bpf_object__find_program_by_name(k->object, "millrace"))) {
        snprintf(why, n, "xdp: libbpf does not read the program: %s", strerror(errno));
        return false;
    }
    bpf_map__set_max_entries(find_map(k->object, "sockets"), l->iface->queues);
    if (l->frags)
        bpf_program__set_flags(p, bpf_program__flags(p) | BPF_F_XDP_HAS_FRAGS);
    rc = bpf_object__load(k->object);
    if (rc < 0) {
        explain_load(-rc, log, why, n);
        return false;
    }
    k->sockets = bpf_map__fd(find_map(k->object, "sockets"));
    k->counts = bpf_map__fd(find_map(k->object, "counts"));
    set_ports(k->object, l->options->ports);
    return true;
}

bool xdp_kernel_load(struct xdp_kernel *k, const struct xdp_load *l, char *why, size_t n)
{
    char *log = calloc(1, LOG_BYTES);
    libbpf_print_fn_t was = libbpf_set_print(say_nothing);
    bool good = log && load(k, l, log, why, n);

    libbpf_set_print(was);
    free(log);
    return good;
}

/* ---- attaching ------------------------------------------------------------------------- */

static void explain_other(uint32_t id, const char *how, const struct xdp_iface *f, char *why,
                          size_t n)
{
    struct bpf_prog_info info;
    uint32_t size = sizeof(info);
    int fd = bpf_prog_get_fd_by_id(id);

    memset(&info, 0, sizeof(info));
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
        memcpy(info.name, "?", 2);
    os_close(fd);
    snprintf(why, n,
             "xdp: %s has an XDP program already, '%s' (id %u, %s): it must be taken off first",
             f->name, info.name, id, how);
}

static bool is_free(const struct xdp_iface *f, char *why, size_t n)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, q);

    if (bpf_xdp_query(f->index, 0, &q) < 0 || q.attach_mode == XDP_ATTACHED_NONE)
        return true;
    if (q.drv_prog_id)
        explain_other(q.drv_prog_id, "native", f, why, n);
    else if (q.skb_prog_id)
        explain_other(q.skb_prog_id, "generic", f, why, n);
    else
        explain_other(q.hw_prog_id ? q.hw_prog_id : q.prog_id, "in the NIC", f, why, n);
    return false;
}

static int hang(struct xdp_kernel *k, const struct xdp_iface *f, uint32_t mode)
{
    LIBBPF_OPTS(bpf_link_create_opts, how, .flags = mode);
    const struct bpf_program *p = bpf_object__find_program_by_name(k->object, "millrace");
    int fd = bpf_link_create(bpf_program__fd(p), f->index, BPF_XDP, &how);

    if (fd < 0)
        return -errno;
    k->link = fd;
    k->native = mode == XDP_FLAGS_DRV_MODE;
    return 0;
}

/* Errors that say something of the driver in general are translated, those of veth as well. */
static const char *refusal(int err, const struct xdp_iface *f)
{
    bool veth = strcmp(f->driver, "veth") == 0;

    switch (err) {
    case EOPNOTSUPP:
        return "its driver has no XDP";
    case ERANGE:
        return veth ? "the peer's MTU is too large" : "the MTU is too large";
    case ENOSPC:
        return veth ? "the peer sends on more queues than it receives on" : "no queue is left";
    default:
        return strerror(err);
    }
}

static void explain_attach(int err, const struct xdp_load *l, char *why, size_t n)
{
    const char *name = l->iface->name;

    if (err == EPERM)
        snprintf(why, n, "xdp: no program may be attached to %s: CAP_NET_ADMIN is missing", name);
    else if (err == EBUSY || err == EEXIST)
        snprintf(why, n, "xdp: %s has an XDP program already: it must be taken off first", name);
    else if (err == EINVAL && !l->frags)
        snprintf(why, n, "xdp: %s: no link to an XDP program: Linux 5.9 is needed", name);
    else if (l->frags)
        snprintf(why, n,
                 "xdp: %s: frames in pieces are refused (%s): an MTU of at most %u would work",
                 name, refusal(err, l->iface), 4096u - XDP_ROOM - XDP_L2_BYTES);
    else
        snprintf(why, n, "xdp: %s takes no program: %s", name, refusal(err, l->iface));
}

bool xdp_kernel_attach(struct xdp_kernel *k, const struct xdp_load *l, char *why, size_t n)
{
    const struct xdp_iface *f = l->iface;
    enum xdp_attach how = l->options->attach;
    int rc = -EOPNOTSUPP;

    if (!is_free(f, why, n))
        return false;
    if (how != XDP_ATTACH_GENERIC)
        rc = hang(k, f, XDP_FLAGS_DRV_MODE);
    if (rc < 0)
        snprintf(k->native_why, sizeof(k->native_why), "%s",
                 how == XDP_ATTACH_GENERIC ? "as asked" : refusal(-rc, f));
    if (rc < 0 && rc != -EPERM && rc != -EBUSY && how != XDP_ATTACH_NATIVE)
        rc = hang(k, f, XDP_FLAGS_SKB_MODE);
    if (rc < 0)
        explain_attach(-rc, l, why, n);
    return rc == 0;
}

/* ---- maps ------------------------------------------------------------------------------ */

bool xdp_kernel_serve(struct xdp_kernel *k, uint32_t nic_queue, int socket)
{
    return bpf_map_update_elem(k->sockets, &nic_queue, &socket, BPF_ANY) == 0;
}

uint64_t xdp_kernel_count(const struct xdp_kernel *k, enum xdp_count what)
{
    int cpus = libbpf_num_possible_cpus();
    uint32_t key = what;
    uint64_t sum = 0, *each = cpus > 0 ? calloc((size_t)cpus, sizeof(*each)) : NULL;

    if (each && bpf_map_lookup_elem(k->counts, &key, each) == 0)
        for (int i = 0; i < cpus; i++)
            sum += each[i];
    free(each);
    return sum;
}

void xdp_kernel_close(struct xdp_kernel *k)
{
    os_close(k->link);
    k->link = -1;
    if (k->object)
        bpf_object__close(k->object);
    k->object = NULL;
}
