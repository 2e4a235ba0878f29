/* Finding a device: what DPDK is told, what kind of driver took it, and why none did. */
#include "dpdk/dpdk_int.h"

#include <errno.h>
#include <rte_dev.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dpdk/eal.h"
#include "os/os.h"

static const struct driver_trait traits[] = {
    {.name = "net_virtio_user", .queues_arg = "queues", .hold = true},
    {.name = "net_vhost",
     .queues_arg = "queues",
     .tso_arg = true,
     .in_place = true,
     .any_mac = true},
    {.name = "net_af_packet",
     .queues_arg = "qpairs",
     .iface_arg = "iface",
     .in_place = true,
     .partial_rx = true,
     .defrag = true},
    {.name = "net_af_xdp",
     .queues_arg = "queue_count",
     .iface_arg = "iface",
     .in_place = true,
     .partial_rx = true},
    {.name = "net_memif", .in_place = true},
    {.name = "net_tap", .in_place = true},
    {.name = "net_pcap", .in_place = true, .any_mac = true},
    {.name = "net_null", .in_place = true, .any_mac = true},
    {.name = ""},
};

static const struct driver_trait *driver_trait(const char *name)
{
    const struct driver_trait *t = traits;

    while (strncmp(name, t->name, strlen(t->name)) != 0)
        t++;
    return t;
}

/* ---- probing ---------------------------------------------------------------------------- */

/* The value of a device's argument; false: it is not there. */
bool device_arg(const char *text, const char *key, struct dev_words *w)
{
    dev_words_init(w, text);
    dev_words_next(w);
    while (dev_words_next(w))
        if (strcmp(w->key, key) == 0)
            return true;
    return false;
}

bool device_has_arg(const char *text, const char *key)
{
    struct dev_words w;

    return device_arg(text, key, &w);
}

bool device_arg_is(const char *text, const char *key, const char *value)
{
    struct dev_words w;

    return device_arg(text, key, &w) && strcmp(w.value, value) == 0;
}

static void add_arg(struct port *p, const char *key, uint32_t value)
{
    size_t len = strlen(p->text);

    if (!device_has_arg(p->text, key))
        snprintf(p->text + len, sizeof(p->text) - len, ",%s=%u", key, value);
}

/* What DPDK is told: the user's text, and what he has not said: as many queues as are wanted where
 * the driver makes them by an argument, large segments where they come by one. */
static bool write_devargs(struct port *p, const struct dev_config *c, char *why, size_t n)
{
    if (strlen(c->name) > sizeof(p->text) - 64) {
        snprintf(why, n, "dpdk: the device's name is too long");
        return false;
    }
    snprintf(p->text, sizeof(p->text), "%s", c->name);
    if (p->trait->queues_arg && c->queues > 1)
        add_arg(p, p->trait->queues_arg, c->queues);
    if (p->trait->tso_arg && !c->no_offload)
        add_arg(p, "tso", 1);
    return true;
}

static void first_word(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)strcspn(text, ","), text);
}

static bool find_id(struct port *p, char *why, size_t n)
{
    struct rte_dev_iterator it;
    char name[64];
    uint16_t id;

    first_word(p->text, name, sizeof(name));
    if (rte_eth_dev_get_port_by_name(name, &p->id) == 0)
        return true;
    RTE_ETH_FOREACH_MATCHING_DEV(id, p->text, &it)
    {
        p->id = id;
        rte_eth_iterator_cleanup(&it);
        return true;
    }
    snprintf(why, n, "dpdk: %s is not a network device", name);
    return false;
}

/* A socket that a killed process has left is in DPDK's way; one that somebody listens on is not
 * ours. */
static bool free_socket(const struct port *p, char *why, size_t n)
{
    bool vhost = strncmp(p->text, "net_vhost", 9) == 0 && !device_arg_is(p->text, "client", "1");
    bool server =
        strncmp(p->text, "net_virtio_user", 15) == 0 && device_arg_is(p->text, "server", "1");
    struct dev_words w;

    if ((!vhost && !server) || !device_arg(p->text, vhost ? "iface" : "path", &w))
        return true;
    int fd = os_unix_listen(w.value);
    if (fd < 0) {
        snprintf(why, n, "dpdk: %s: %s", w.value,
                 fd == -EADDRINUSE ? "another program listens there" : strerror(-fd));
        return false;
    }
    os_close(fd);
    unlink(w.value);
    return true;
}

/* The same for memif's server, whose socket is one of packets: one that refuses is nobody's. */
static void free_memif(const struct port *p)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct dev_words w;

    if (strncmp(p->text, "net_memif", 9) != 0 || !device_arg_is(p->text, "socket-abstract", "no") ||
        device_arg_is(p->text, "role", "client") || !device_arg(p->text, "socket", &w) ||
        strlen(w.value) >= sizeof(a.sun_path))
        return;
    strcpy(a.sun_path, w.value);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == ECONNREFUSED)
        unlink(w.value);
    os_close(fd);
}

/* Devices that ports of ours have. */
static _Atomic bool taken[RTE_MAX_ETHPORTS];

void device_let_go(struct port *p)
{
    if (p->probed)
        atomic_store(&taken[p->id], false);
    p->probed = false;
}

/* DPDK takes a second probe of a device for none at all; the environment's arguments may have
 * named the device, and then it is there already. */
static bool is_there(const struct port *p, bool *in_use)
{
    char name[64];
    uint16_t id;

    first_word(p->text, name, sizeof(name));
    if (rte_eth_dev_get_port_by_name(name, &id) < 0)
        return false;
    *in_use = atomic_load(&taken[id]);
    return true;
}

/* What a failed probe means, as far as it can be told. */
static void explain_probe(const struct port *p, int err, const char *said, char *why, size_t n)
{
    char name[64];

    first_word(p->text, name, sizeof(name));
    if (err == EEXIST)
        snprintf(why, n, "dpdk: %s is already open in this program", name);
    else if (eal_is_pci(p->text) && geteuid() != 0)
        snprintf(why, n, "dpdk: %s: opening a PCI device needs root, or rights to /dev/vfio", name);
    else if (eal_is_pci(p->text))
        snprintf(why, n,
                 "dpdk: %s: no driver takes it: is it there, and bound to vfio-pci "
                 "(dpdk-devbind.py -b vfio-pci %s)? %s",
                 name, name, said);
    else if (strncmp(name, "net_", 4) != 0)
        snprintf(why, n, "dpdk: '%s' is neither a PCI address nor a virtual device (net_...)",
                 name);
    else
        snprintf(why, n, "dpdk: %s: %s%s", name, said[0] ? said : strerror(err),
                 geteuid() != 0 ? " (this is not root)" : "");
}

/* With signals as they are: a virtio_user server waits in here for its first client, and only a
 * signal ends that. */
static bool attach(struct port *p, char *why, size_t n)
{
    if (!free_socket(p, why, n))
        return false;
    free_memif(p);
    eal_listen();
    int rc = rte_dev_probe(p->text);
    const char *said = eal_listen_end();
    if (rc < 0)
        explain_probe(p, -rc, said, why, n);
    return rc >= 0;
}

static bool probe(struct port *p, char *why, size_t n)
{
    bool in_use = false;

    if (eal_is_pci(p->text) && !eal_has_pci()) {
        snprintf(why, n,
                 "dpdk: DPDK was begun without PCI, for a virtual device: open PCI devices first");
        return false;
    }
    if (!is_there(p, &in_use) && !attach(p, why, n))
        return false;
    if (in_use) {
        explain_probe(p, EEXIST, "", why, n);
        return false;
    }
    if (!find_id(p, why, n))
        return false;
    if (rte_eth_dev_info_get(p->id, &p->info) < 0) {
        snprintf(why, n, "dpdk: the driver tells nothing of its device");
        return false;
    }
    p->probed = true;
    atomic_store(&taken[p->id], true);
    p->device = p->info.device;
    p->driver = p->info.driver_name;
    p->trait = driver_trait(p->driver);
    return true;
}

bool device_probe(struct port *p, const struct dev_config *c, char *why, size_t n)
{
    p->trait = driver_trait(c->name);
    first_word(c->name, p->nic.name, sizeof(p->nic.name));
    return write_devargs(p, c, why, n) && probe(p, why, n);
}
