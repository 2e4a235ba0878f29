/* drv/packet: what a name asks for, and a port of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drv/drv_int.h"
#include "drv/packet_int.h"
#include "os/os.h"

#define SYNTAX "packet:IFNAME[,no-offload][,rss=toeplitz|hash]"

static size_t kind_bytes(const struct dev_config *c)
{
    size_t buffers = c->buffers ? c->buffers : PACKET_BUFFERS;

    return sizeof(struct packet) + sizeof(struct rss) + 4096 +
           c->queues * (sizeof(struct packet_queue) + sizeof(struct nic_stats) +
                        buffers * sizeof(struct pkt) + 4096);
}

struct wish {
    char name[64];
    bool plain;
    bool hash; /* frames may be spread as the kernel likes */
};

static bool read_name(struct wish *w, const struct dev_config *c, char *why, size_t n)
{
    struct dev_words words;

    *w = (struct wish){.plain = c->no_offload};
    dev_words_init(&words, c->name);
    if (!dev_words_name(&words, w->name, sizeof(w->name), why, n))
        return false;
    while (dev_words_next(&words)) {
        bool hash = strcmp(words.value, "hash") == 0;
        if (strcmp(words.key, "no-offload") == 0 && !words.value[0]) {
            w->plain = true;
        } else if (strcmp(words.key, "rss") == 0 &&
                   (hash || strcmp(words.value, "toeplitz") == 0)) {
            w->hash = hash;
        } else {
            snprintf(why, n, "a packet port has no option '%s%s%s'; it is %s", words.key,
                     words.value[0] ? "=" : "", words.value, SYNTAX);
            return false;
        }
    }
    return true;
}

static bool queues_open(struct packet *t, struct mem *m, const struct dev_config *c, char *why,
                        size_t n)
{
    uint32_t buffers = c->buffers ? c->buffers : PACKET_BUFFERS;

    t->queue = mem_carve(m, c->queues * sizeof(*t->queue), CACHE_LINE);
    t->nic.stats = mem_carve(m, c->queues * sizeof(*t->nic.stats), CACHE_LINE);
    while (t->queues < c->queues) {
        struct packet_queue *q = &t->queue[t->queues++];
        if (packet_queue_open(q, t, why, n) < 0 ||
            !drv_rx_pool_init(&q->pool, &q->bufs, m, "packet rx", buffers, PACKET_BUF_SIZE,
                              c->memory, why, n))
            return false;
    }
    return true;
}

#define FACT_BYTES sizeof(((struct nic_fact *)0)->text)

/* By our rule if it is asked for and can be, else by the kernel's. */
static bool spread(struct packet *t, struct mem *m, const struct rss *r, char *why, size_t n)
{
    struct nic *nic = &t->nic;
    int rc = 0;

    nic->spread = NIC_SPREAD_NONE;
    if (t->queues == 1)
        return true;
    nic->spread = NIC_SPREAD_UNKNOWN;
    rc = r ? packet_share(t, r) : -ENOTSUP;
    if (rc == 0) {
        t->rss = mem_carve(m, sizeof(*t->rss), CACHE_LINE);
        *t->rss = *r;
        nic->rss = t->rss;
        nic->spread = NIC_SPREAD_RSS;
        return true;
    }
    if (r)
        snprintf(nic_fact_add(nic, true), FACT_BYTES,
                 "packets are passed on between cores: no program of ours may spread them: %s",
                 strerror(-rc));
    rc = packet_share(t, NULL);
    if (rc < 0)
        snprintf(why, n, "the kernel does not spread packets over %u sockets: %s", t->queues,
                 strerror(-rc));
    return rc == 0;
}

/* Keep from the kernel what is ours, and from us what is not. */
static bool divide(struct packet *t, char *why, size_t n)
{
    struct nic *nic = &t->nic;
    int filter = ours_filter(&t->ours), rc;

    t->ingress = ours_ingress(&t->ours, t->ifindex);
    if (t->ingress < 0)
        snprintf(nic_fact_add(nic, true), FACT_BYTES,
                 "the kernel sees our packets, too (needs Linux 6.6, root): keep our address off "
                 "it, and forwarding: %s",
                 strerror(-t->ingress));
    t->judge = filter < 0;
    if (t->judge)
        snprintf(nic_fact_add(nic, true), FACT_BYTES,
                 "every packet of '%s' comes here to be looked at: the kernel takes no filter: %s",
                 t->name, strerror(-filter));
    rc = packet_start(t, filter);
    os_close(filter);
    if (rc < 0)
        snprintf(why, n, "packet socket: %s", strerror(-rc));
    return rc == 0;
}

static bool set_station(struct packet *t, const struct dev_config *c, char *why, size_t n)
{
    static const struct mac_addr none = {{0}};
    struct mac_addr *mac = &t->nic.mac;
    int rc = 0;

    /* Whoever sits at the machine's other end by that address would be cut off. */
    if (packet_is_hosts(t, &c->addr)) {
        snprintf(why, n,
                 "the address is the host's own on '%s', and all to it would be ours: take another "
                 "(xdp:%s,port=N serves ports of the host's own)",
                 t->name, t->name);
        return false;
    }
    if (memcmp(&c->mac, &none, sizeof(none)) != 0 && memcmp(&c->mac, mac, sizeof(*mac)) != 0) {
        *mac = c->mac;
        rc = packet_listen_to_all(t);
    }
    if (rc < 0)
        snprintf(why, n, "'%s' does not receive for another address than its own: %s", t->name,
                 strerror(-rc));
    t->ours = (struct ours){
        .everything = ip_is_any(&c->addr), .addr = ip_v4(&c->addr), .mac = *mac, .vlan = c->vlan};
    return rc == 0;
}

static void say_facts(struct packet *t)
{
    struct nic *nic = &t->nic;

    snprintf(nic_fact_add(nic, true), FACT_BYTES,
             "a copy for every packet, two for received ones, and the kernel's own path both ways");
    if (t->plain)
        snprintf(nic_fact_add(nic, true), FACT_BYTES,
                 "no-offload: every packet alone, checksummed here");
    if (t->ingress >= 0)
        snprintf(
            nic_fact_add(nic, false), FACT_BYTES,
            t->ours.everything
                ? "the kernel receives nothing of this interface"
                : "what is not ours stays with the kernel, and what is ours does not reach it");
}

static void caps_fill(struct packet *t)
{
    struct nic_caps *caps = &t->nic.caps;

    caps->rx_buf_size = PACKET_BUF_SIZE - PKT_HEADROOM;
    /* The IP length field counts the headers too, with all the options there can be. */
    caps->tso_max = t->plain ? 0 : 65535 - 60 - 60;
    caps->tx_csum = caps->rx_csum = caps->rx_coalesces = !t->plain;
    caps->queues = (uint16_t)t->queues;
}

static struct nic *kind_open(struct mem *m, const struct dev_config *c, char *why, size_t n)
{
    struct packet *t = mem_carve(m, sizeof(*t), CACHE_LINE);
    struct wish w;

    t->nic.ops = &packet_ops;
    t->ingress = t->map = -1;
    if (!read_name(&w, c, why, n))
        return NULL;
    t->plain = w.plain;
    if (!packet_look(t, w.name, why, n) || !queues_open(t, m, c, why, n) ||
        !spread(t, m, w.hash ? NULL : c->steer, why, n) || !set_station(t, c, why, n) ||
        !divide(t, why, n)) {
        packet_close(&t->nic);
        return NULL;
    }
    caps_fill(t);
    say_facts(t);
    return &t->nic;
}

const struct dev_kind dev_kind_packet = {
    .name = "packet", .syntax = SYNTAX, .bytes = kind_bytes, .open = kind_open};
