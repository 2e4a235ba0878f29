/* An interface that the kernel keeps and the driver only looks into: the kernel is asked whether it
 * is there and up, which the driver does not know, and to take another station address besides its
 * own.  The driver would change it for good: ours, and the interface, may end in any way. */
#define _GNU_SOURCE
#include "dpdk/dpdk_int.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "os/os.h"

void iface_open(struct port *p)
{
    struct dev_words w;

    if (!p->trait->iface_arg || !device_arg(p->text, p->trait->iface_arg, &w))
        return;
    p->ifindex = if_nametoindex(w.value);
    p->iface_fd = p->ifindex ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) : -1;
    if (p->iface_fd < 0)
        p->ifindex = 0;
}

void iface_close(struct port *p)
{
    os_close(p->iface_fd);
    p->iface_fd = -1;
    p->ifindex = 0;
}

/* Its name, which may have become another. */
static int ask_name(const struct port *p, struct ifreq *r)
{
    memset(r, 0, sizeof(*r));
    r->ifr_ifindex = (int)p->ifindex;
    return ioctl(p->iface_fd, SIOCGIFNAME, r) < 0 ? -errno : 0;
}

bool iface_is_gone(const struct port *p)
{
    struct ifreq r;

    return p->ifindex != 0 && ask_name(p, &r) == -ENODEV;
}

bool iface_is_up(const struct port *p)
{
    const int up = IFF_UP | IFF_RUNNING;
    struct ifreq r;

    return p->ifindex == 0 || (ask_name(p, &r) == 0 && ioctl(p->iface_fd, SIOCGIFFLAGS, &r) == 0 &&
                               (r.ifr_flags & up) == up);
}

bool iface_listen_to(const struct port *p, const struct mac_addr *mac)
{
    struct packet_mreq r = {
        .mr_ifindex = (int)p->ifindex, .mr_type = PACKET_MR_UNICAST, .mr_alen = sizeof(mac->b)};

    memcpy(r.mr_address, mac->b, sizeof(mac->b));
    return p->ifindex != 0 &&
           setsockopt(p->iface_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)) == 0;
}
