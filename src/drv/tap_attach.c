#define _GNU_SOURCE
#include "drv/tap_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/os.h"

#define TUN_PATH "/dev/net/tun"

bool tap_name_is_good(const char *name, char *why, size_t n)
{
    size_t len = strlen(name);

    if (len > 0 && len < IFNAMSIZ && !strpbrk(name, "/ \t\n%") && strcmp(name, ".") != 0 &&
        strcmp(name, "..") != 0)
        return true;
    snprintf(why, n, "'%.40s' cannot be the name of a network device", name);
    return false;
}

static int open_tun(char *why, size_t n)
{
    int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0)
        return fd;
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
        snprintf(why, n, "this machine has no TAP devices (%s: %s)", TUN_PATH, strerror(errno));
    else
        snprintf(why, n, "%s: %s", TUN_PATH, strerror(errno));
    return -1;
}

static void explain(const struct tap_config *c, int err, char *why, size_t n)
{
    if (err == EPERM)
        snprintf(why, n,
                 "no permission to use TAP device '%s' (run as root, as the device's owner, or "
                 "inside 'unshare -Urn')",
                 c->name);
    else if (err == EBUSY)
        snprintf(why, n, "TAP device '%s' is in use by another program", c->name);
    else if (err == EINVAL && if_nametoindex(c->name) != 0)
        snprintf(why, n, "network device '%s' is not a TAP device", c->name);
    else
        snprintf(why, n, "TAP device '%s': %s", c->name, strerror(err));
}

static int set_interface(int fd, const char *name, unsigned extra)
{
    struct ifreq r = {0};

    memcpy(r.ifr_name, name, strlen(name));
    r.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | extra);
    return ioctl(fd, TUNSETIFF, &r) < 0 ? errno : 0;
}

static int set_features(int fd, bool offload)
{
    int header = TAP_VNET_BYTES, little = 1;
    unsigned features = offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;

    if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(fd, TUNSETVNETLE, &little) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, features) < 0)
        return errno;
    return 0;
}

int tap_attach(const struct tap_config *c, bool *one, char *why, size_t n)
{
    int fd = open_tun(why, n);

    if (fd < 0)
        return -1;
    unsigned want = c->queues > 1 ? IFF_MULTI_QUEUE : 0;
    int err = set_interface(fd, c->name, want);
    /* One queue of a device that was made with many, or many of one that was made with one. */
    if (err == EINVAL) {
        err = set_interface(fd, c->name, want ^ IFF_MULTI_QUEUE);
        *one = err == 0 && want;
    }
    if (err == 0)
        err = set_features(fd, !c->no_offload);
    if (err != 0) {
        explain(c, err, why, n);
        os_close(fd);
        return -1;
    }
    return fd;
}

int tap_queue_enable(int fd, bool on)
{
    struct ifreq r = {.ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

    return ioctl(fd, TUNSETQUEUE, &r) < 0 ? -errno : 0;
}

bool tap_mtu(const char *name, uint32_t *out, char *why, size_t n)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(r.ifr_name, name, strlen(name));
    bool ok = s >= 0 && ioctl(s, SIOCGIFMTU, &r) == 0;
    if (ok)
        *out = (uint32_t)r.ifr_mtu;
    else
        snprintf(why, n, "MTU of '%s': %s", name, strerror(errno));
    os_close(s);
    return ok;
}

bool tap_is_up(int fd)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* The device may have been given another name. */
    bool up = s >= 0 && ioctl(fd, TUNGETIFF, &r) == 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0 &&
              (r.ifr_flags & IFF_UP);

    os_close(s);
    return up;
}

static bool ask(int s, unsigned long what, struct ifreq *r, const char *name, char *why, size_t n)
{
    if (ioctl(s, what, r) == 0)
        return true;
    snprintf(why, n, "setting up '%s': %s", name, strerror(errno));
    return false;
}

bool tap_set_up(const char *name, const struct mac_addr *mac, uint32_t mtu, char *why, size_t n)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(r.ifr_name, name, strlen(name));
    r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(r.ifr_hwaddr.sa_data, mac->b, sizeof(mac->b));
    bool ok = ask(s, SIOCSIFHWADDR, &r, name, why, n);
    r.ifr_mtu = (int)mtu;
    ok = ok && ask(s, SIOCSIFMTU, &r, name, why, n) && ask(s, SIOCGIFFLAGS, &r, name, why, n);
    r.ifr_flags |= IFF_UP;
    ok = ok && ask(s, SIOCSIFFLAGS, &r, name, why, n);
    os_close(s);
    return ok;
}
