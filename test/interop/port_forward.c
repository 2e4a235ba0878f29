/* port_forward PORT PORT [ADDRESS]: pass every frame from one port to the other and back, offloads
 * and all, until stopped.  It proves the drivers without a stack: the ends are the kernel's.
 * ADDRESS: whose frames are taken from an interface that is shared with a kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/port.h"
#include "os/os.h"

#define ETH_VLAN 0x8100

/* A driver that sends wants to know where the headers are. */
static void find_headers(struct pkt *p)
{
    uint32_t l3 = (uint32_t)(p->data - p->buf) + 14;

    if (p->len < 34)
        return;
    if (load_be16(p->data + 12) == ETH_VLAN)
        l3 += 4;
    p->l3_off = (uint16_t)l3;
    if (p->buf[l3] >> 4 == 4)
        p->l4_off = (uint16_t)(l3 + (p->buf[l3] & 15) * 4u);
}

static bool pass(struct host_port *from, struct host_port *to)
{
    struct pkt *f[BURST_MAX];
    unsigned n = nic_rx_burst(from->nic, 0, f, BURST_MAX), sent = 0;

    for (unsigned i = 0; i < n; i++) {
        find_headers(f[i]);
        if (f[i]->nfrags || f[i]->frag_len)
            abort();
    }
    if (n)
        sent = nic_tx_burst(to->nic, 0, f, n);
    for (unsigned i = sent; i < n; i++)
        pkt_put(f[i]);
    return n > 0;
}

static int fd_of(const struct host_port *p)
{
    return p->nic->ops->wait_fd ? p->nic->ops->wait_fd(p->nic, 0) : -1;
}

/* False: frames wait already. */
static bool may_sleep(const struct host_port *p)
{
    return !p->nic->ops->wait_prepare || !p->nic->ops->wait_prepare(p->nic, 0);
}

static void run(struct host_port p[2])
{
    struct os_wait w[3] = {{.fd = fd_of(&p[0])}, {.fd = fd_of(&p[1])}, {.fd = os_stop_fd()}};
    bool spin = w[0].fd < 0 || w[1].fd < 0;
    unsigned idle = 0;

    while (!os_stop_asked() && !nic_is_gone(p[0].nic) && !nic_is_gone(p[1].nic)) {
        bool a = pass(&p[0], &p[1]), b = pass(&p[1], &p[0]);
        idle = a || b ? 0 : idle + 1;
        if (idle > 64 && may_sleep(&p[0]) && may_sleep(&p[1]))
            os_wait(w, 3, spin ? 50 : UINT64_MAX);
    }
}

static void report(const struct host_port *p)
{
    const struct nic_stats *s = p->nic->stats;

    printf("%s rx %llu tx %llu rx_nobuf %llu rx_error %llu tx_full %llu tx_error %llu held %u\n",
           p->nic->name, (unsigned long long)s->rx_packets, (unsigned long long)s->tx_packets,
           (unsigned long long)s->rx_nobuf, (unsigned long long)s->rx_error,
           (unsigned long long)s->tx_full, (unsigned long long)s->tx_error,
           host_port_rx_pool(p, 0)->descs.used - host_port_rx_pool(p, 0)->posted);
}

static int open_port(struct host_port *p, const char *dev, const struct mr_addr *addr, char *why,
                     size_t n)
{
    struct mr_config c = {.dev = dev, .cores = 1, .addr = *addr, .prefix_len = 24};

    return host_port_open(p, &c, why, n);
}

int main(int argc, char **argv)
{
    struct host_port p[2];
    struct mr_addr addr = {0};
    char why[200];

    if (argc < 3 || (argc > 3 && !mr_addr_parse(&addr, argv[3])) || os_stop_catch() < 0) {
        fprintf(stderr, "usage: port_forward PORT PORT [ADDRESS]\n");
        return 2;
    }
    for (int i = 0; i < 2; i++) {
        if (open_port(&p[i], argv[1 + i], &addr, why, sizeof(why)) < 0) {
            fprintf(stderr, "port_forward: %s\n", why);
            return 1;
        }
    }
    printf("ready\n");
    fflush(stdout);
    run(p);
    report(&p[0]);
    report(&p[1]);
    host_port_close(&p[0]);
    host_port_close(&p[1]);
    return 0;
}
