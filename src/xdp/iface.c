/* What the kernel knows of the interface. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#undef ETH_HLEN /* wire.h has its own */

#include "os/os.h"
#include "xdp/xdp_int.h"

static int ask(const struct xdp_iface *f, unsigned long what, struct ifreq *r)
{
    memset(r, 0, sizeof(*r));
    memcpy(r->ifr_name, f->name, sizeof(r->ifr_name));
    return ioctl(f->ask, what, r) < 0 ? -errno : 0;
}

static int ask_ethtool(const struct xdp_iface *f, void *command)
{
    struct ifreq r;

    memset(&r, 0, sizeof(r));
    memcpy(r.ifr_name, f->name, sizeof(r.ifr_name));
    r.ifr_data = command;
    return ioctl(f->ask, SIOCETHTOOL, &r) < 0 ? -errno : 0;
}

static bool is_ethernet(const struct xdp_iface *f, struct mac_addr *mac)
{
    struct ifreq r;

    if (ask(f, SIOCGIFHWADDR, &r) < 0 || r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return false;
    memcpy(mac->b, r.ifr_hwaddr.sa_data, sizeof(mac->b));
    return true;
}

static void read_driver(struct xdp_iface *f)
{
    struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};
    struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};

    snprintf(f->driver, sizeof(f->driver), "unknown");
    if (ask_ethtool(f, &d) == 0)
        snprintf(f->driver, sizeof(f->driver), "%.31s", d.driver);
    if (ask_ethtool(f, &flags) == 0)
        f->strips_vlan = (flags.data & ETH_FLAG_RXVLAN) != 0;
}

/* The entries rx-0, rx-1 ... of the interface in sysfs, for drivers that say nothing. */
static uint32_t count_in_sysfs(const struct xdp_iface *f)
{
    char path[64];
    const struct dirent *e;
    uint32_t n = 0;

    snprintf(path, sizeof(path), "/sys/class/net/%s/queues", f->name);
    DIR *dir = opendir(path);
    while (dir && (e = readdir(dir)))
        n += strncmp(e->d_name, "rx-", 3) == 0;
    if (dir)
        closedir(dir);
    return n;
}

static uint32_t count_queues(const struct xdp_iface *f)
{
    struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};
    uint32_t n = 0;

    if (ask_ethtool(f, &c) == 0)
        n = c.combined_count + c.rx_count;
    if (n == 0)
        n = count_in_sysfs(f);
    return n ? n : 1;
}

bool xdp_iface_open(struct xdp_iface *f, const char *name, char *why, size_t n)
{
    struct ifreq r;

    snprintf(f->name, sizeof(f->name), "%s", name);
    f->ask = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (f->ask < 0) {
        snprintf(why, n, "xdp: no socket: %s", strerror(errno));
        return false;
    }
    if (ask(f, SIOCGIFINDEX, &r) < 0) {
        snprintf(why, n, "xdp: there is no network device '%s'", name);
        return false;
    }
    f->index = r.ifr_ifindex;
    if (!is_ethernet(f, &f->mac) || ask(f, SIOCGIFMTU, &r) < 0) {
        snprintf(why, n, "xdp: '%s' is no Ethernet device", name);
        return false;
    }
    f->mtu = min_u32((uint32_t)r.ifr_mtu, 65535);
    read_driver(f);
    f->queues = count_queues(f);
    if (f->queues <= XDP_NIC_QUEUES_MAX)
        return true;
    snprintf(why, n, "xdp: %s has %u queues, at most %u can be served: ethtool -L %s combined %u",
             name, f->queues, XDP_NIC_QUEUES_MAX, name, XDP_NIC_QUEUES_MAX);
    return false;
}

bool xdp_iface_is_there(const struct xdp_iface *f)
{
    struct ifreq r;

    memset(&r, 0, sizeof(r));
    r.ifr_ifindex = f->index;
    return ioctl(f->ask, SIOCGIFNAME, &r) == 0 || errno != ENODEV;
}

/* By its index: it may have been given another name. */
bool xdp_iface_is_up(const struct xdp_iface *f)
{
    struct ifreq r;

    memset(&r, 0, sizeof(r));
    r.ifr_ifindex = f->index;
    return ioctl(f->ask, SIOCGIFNAME, &r) == 0 && ioctl(f->ask, SIOCGIFFLAGS, &r) == 0 &&
           (r.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

bool xdp_is_own_address(const struct ip_addr *addr)
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (!ip_is_v4(addr) || getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next)
        if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in in;
            memcpy(&in, a->ifa_addr, sizeof(in));
            found |= in.sin_addr.s_addr == ip_v4(addr).raw;
        }
    freeifaddrs(all);
    return found;
}
