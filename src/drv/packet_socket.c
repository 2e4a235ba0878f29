/* drv/packet: the kernel's end: sockets, rings, how they share. */
#define _GNU_SOURCE
#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "drv/packet_int.h"
#include "drv/steer.h"
#include "drv/vnet.h"
#include "os/os.h"

/* ---- the interface --------------------------------------------------------------------- */

static bool ask(int s, unsigned long what, struct ifreq *r, const char *name)
{
    memset(r, 0, sizeof(*r));
    memcpy(r->ifr_name, name, strlen(name));
    return ioctl(s, what, r) == 0;
}

static bool look(struct packet *t, int s, char *why, size_t n)
{
    struct ifreq r;

    if (!ask(s, SIOCGIFINDEX, &r, t->name)) {
        snprintf(why, n, "there is no network device '%s'", t->name);
        return false;
    }
    t->ifindex = r.ifr_ifindex;
    if (!ask(s, SIOCGIFHWADDR, &r, t->name) || r.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
        snprintf(why, n, "network device '%s' is no Ethernet", t->name);
        return false;
    }
    memcpy(t->nic.mac.b, r.ifr_hwaddr.sa_data, sizeof(t->nic.mac.b));
    if (!ask(s, SIOCGIFFLAGS, &r, t->name) || !(r.ifr_flags & IFF_UP)) {
        snprintf(why, n, "network device '%s' is down: 'ip link set %s up'", t->name, t->name);
        return false;
    }
    if (!ask(s, SIOCGIFMTU, &r, t->name)) {
        snprintf(why, n, "MTU of '%s': %s", t->name, strerror(errno));
        return false;
    }
    t->nic.caps.mtu = min_u32((uint32_t)r.ifr_mtu, 65535);
    return true;
}

bool packet_look(struct packet *t, const char *name, char *why, size_t n)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (strlen(name) >= IFNAMSIZ) {
        snprintf(why, n, "'%.40s' cannot be the name of a network device", name);
        os_close(s);
        return false;
    }
    snprintf(t->name, sizeof(t->name), "%s", name);
    snprintf(t->nic.name, sizeof(t->nic.name), "%s", name);
    bool ok = look(t, s, why, n);
    os_close(s);
    return ok;
}

/* The numbers behind "IFNAME:" in a line of /proc/net/dev: 8 of what was received, 8 of what was
 * sent. */
static bool read_line(const char *line, const char *name, uint64_t v[16])
{
    size_t n = strlen(name);

    line += strspn(line, " ");
    if (strncmp(line, name, n) != 0 || line[n] != ':')
        return false;
    line += n + 1;
    for (unsigned i = 0; i < 16; i++) {
        char *end;
        v[i] = strtoull(line, &end, 10);
        line = end;
    }
    return true;
}

unsigned packet_device_counters(const struct packet *t, struct nic_counter *out, unsigned max)
{
    static const struct {
        const char *name;
        unsigned column;
    } told[] = {{"device_rx_errors", 2},  {"device_rx_dropped", 3},  {"device_rx_overrun", 4},
                {"device_tx_errors", 10}, {"device_tx_dropped", 11}, {"device_tx_carrier", 14}};
    FILE *f = fopen("/proc/thread-self/net/dev", "re");
    uint64_t v[16];
    char line[400];
    unsigned n = 0;

    while (f && n == 0 && fgets(line, sizeof(line), f))
        for (; n < ARRAY_LEN(told) && n < max && read_line(line, t->name, v); n++) {
            snprintf(out[n].name, sizeof(out[n].name), "%s", told[n].name);
            out[n].value = v[told[n].column];
        }
    if (f)
        fclose(f);
    return n;
}

bool packet_is_hosts(const struct packet *t, const struct ip_addr *addr)
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (!ip_is_v4(addr) || getifaddrs(&all) < 0)
        return false;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next)
        if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET && strcmp(a->ifa_name, t->name) == 0) {
            struct sockaddr_in in;
            memcpy(&in, a->ifa_addr, sizeof(in));
            found |= in.sin_addr.s_addr == ip_v4(addr).raw;
        }
    freeifaddrs(all);
    return found;
}

/* ---- a socket -------------------------------------------------------------------------- */

/* What the kernel's own headers take in a slot; no less. */
#define SLOT_OVERHEAD 128u
#define SLOT_MIN 2048u
#define SLOT_MAX 16384u
#define RING_BYTES (4u << 20)
#define BLOCK_BYTES (64u << 10)
/* For frames longer than a slot, and for those that wait for the device. */
#define SOCKET_RX_BYTES (16 << 20)
#define SOCKET_TX_BYTES (8 << 20)

static int set(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Without privilege as much as the system allows. */
static void set_room(int fd, int forced, int plain, int bytes)
{
    if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) < 0)
        setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

static int receive_nothing(int fd)
{
    struct sock_filter none = {.code = BPF_RET | BPF_K};
    struct sock_fprog f = {.len = 1, .filter = &none};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)) < 0 ? -errno : 0;
}

static int set_options(int fd)
{
    int rc = receive_nothing(fd);

    if (rc == 0)
        rc = set(fd, PACKET_VERSION, TPACKET_V2);
    if (rc == 0)
        rc = set(fd, PACKET_VNET_HDR, 1);
    if (rc == 0)
        rc = set(fd, PACKET_COPY_THRESH, 1);
    /* Linux 4.20; before, the filter sorts out what the host sends. */
    set(fd, PACKET_IGNORE_OUTGOING, 1);
    set_room(fd, SO_RCVBUFFORCE, SO_RCVBUF, SOCKET_RX_BYTES);
    set_room(fd, SO_SNDBUFFORCE, SO_SNDBUF, SOCKET_TX_BYTES);
    return rc;
}

static int make_ring(struct packet_queue *q, uint32_t mtu)
{
    uint32_t slot = SLOT_MIN;

    while (slot < mtu + SLOT_OVERHEAD && slot < SLOT_MAX)
        slot *= 2;
    struct tpacket_req r = {
        .tp_block_size = BLOCK_BYTES,
        .tp_block_nr = RING_BYTES / BLOCK_BYTES,
        .tp_frame_size = slot,
        .tp_frame_nr = RING_BYTES / slot,
    };
    if (setsockopt(q->fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof(r)) < 0)
        return -errno;
    void *ring =
        mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, q->fd, 0);
    if (ring == MAP_FAILED)
        return -errno;
    q->ring = ring;
    q->slots = r.tp_frame_nr;
    q->slot_bytes = slot;
    return 0;
}

#define EVERY_PROTOCOL 3 /* ETH_P_ALL */

static int join(int fd, int ifindex)
{
    struct sockaddr_ll a = {
        .sll_family = AF_PACKET,
        .sll_protocol = be16_of(EVERY_PROTOCOL).raw,
        .sll_ifindex = ifindex,
    };

    return bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

int packet_queue_open(struct packet_queue *q, const struct packet *t, char *why, size_t n)
{
    q->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (q->fd < 0) {
        if (errno == EPERM)
            snprintf(why, n,
                     "no permission for packet sockets on '%s' (run as root, with CAP_NET_RAW, or "
                     "inside 'unshare -Urn')",
                     t->name);
        else
            snprintf(why, n, "packet socket: %s", strerror(errno));
        return -1;
    }
    int rc = set_options(q->fd);
    if (rc == 0)
        rc = make_ring(q, t->nic.caps.mtu);
    if (rc == 0)
        rc = join(q->fd, t->ifindex);
    if (rc < 0)
        snprintf(why, n, "packet socket on '%s': %s", t->name, strerror(-rc));
    return rc;
}

void packet_queue_close(struct packet_queue *q)
{
    if (q->ring)
        munmap(q->ring, RING_BYTES);
    os_close(q->fd);
    drv_buffers_release(&q->bufs);
}

/* ---- many sockets ---------------------------------------------------------------------- */

static int share(const struct packet *t, unsigned how)
{
    int id = 0;
    socklen_t len = sizeof(id);
    int rc = set(t->queue[0].fd, PACKET_FANOUT, (int)((how | PACKET_FANOUT_FLAG_UNIQUEID) << 16));

    if (rc == 0 && getsockopt(t->queue[0].fd, SOL_PACKET, PACKET_FANOUT, &id, &len) < 0)
        rc = -errno;
    for (uint32_t i = 1; i < t->queues && rc == 0; i++)
        rc = set(t->queue[i].fd, PACKET_FANOUT, (int)((unsigned)(id & 0xffff) | how << 16));
    return rc;
}

int packet_share(struct packet *t, const struct rss *r)
{
    if (!r)
        return share(t, PACKET_FANOUT_HASH);
    t->map = steer_table(r);
    /* The fanout group sees a received frame as it comes from the device: behind its Ethernet
     * header. */
    int program = t->map < 0 ? t->map : steer_program(r, t->map, STEER_AT_NETWORK);
    int rc = program < 0 ? program : share(t, PACKET_FANOUT_EBPF);
    if (rc == 0)
        rc = set(t->queue[0].fd, PACKET_FANOUT_DATA, program);
    os_close(program);
    return rc;
}

int packet_listen_to_all(const struct packet *t)
{
    struct packet_mreq r = {.mr_ifindex = t->ifindex, .mr_type = PACKET_MR_PROMISC};

    if (setsockopt(t->queue[0].fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)) < 0)
        return -errno;
    return 0;
}

int packet_start(const struct packet *t, int filter)
{
    int option = filter < 0 ? SO_DETACH_FILTER : SO_ATTACH_BPF;

    for (uint32_t i = 0; i < t->queues; i++)
        if (setsockopt(t->queue[i].fd, SOL_SOCKET, option, &filter, sizeof(filter)) < 0)
            return -errno;
    return 0;
}
