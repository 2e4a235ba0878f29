#include "host/port.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "drv/except.h"
#include "drv/pump.h"
#include "os/os.h"

#define PAGE 4096u

/* Six pairs of digits, as the option's reader has seen to; else zero: none is asked for. */
static struct mac_addr read_mac(const char *text)
{
    struct mac_addr mac = {{0}};
    unsigned b[6];

    if (text && sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) == 6)
        for (unsigned i = 0; i < 6; i++)
            mac.b[i] = (uint8_t)b[i];
    return mac;
}

static bool stop_asked(void)
{
    return os_stop_asked() > 0;
}

static struct dev_config dev_config_for(const struct host_port *p, const struct mr_config *c,
                                        const char *name)
{
    struct dev_config d = {
        .name = name,
        .queues = p->cores,
        .steer = p->cores > 1 && !p->rss_off ? &p->own : NULL,
        .prefix_len = c->prefix_len,
        .vlan = (uint16_t)c->vlan,
        .mac = read_mac(c->mac),
        .eal = c->eal,
        .stop_asked = stop_asked,
        .memory = p->lender,
    };

    /* With a way for the rest, all that comes in by the interface. */
    if (!c->exception)
        memcpy(d.addr.w, c->addr.ip, sizeof(d.addr.w));
    return d;
}

/* Local, the same at every start, and different for every device and address. */
static struct mac_addr make_mac(const struct mr_config *c)
{
    uint64_t v = 0;
    struct mac_addr mac;

    for (const char *s = c->dev; *s; s++)
        v = mix64(v + (uint8_t)*s + 1);
    for (unsigned i = 0; i < sizeof(c->addr.ip); i++)
        v = mix64(v + c->addr.ip[i] + 1);
    memcpy(mac.b, &v, sizeof(mac.b));
    mac.b[0] = (uint8_t)((mac.b[0] & 0xfc) | 2);
    return mac;
}

static void set_mac(struct host_port *p, const struct mr_config *c, const struct mac_addr *asked)
{
    static const struct mac_addr none = {{0}};
    struct mac_addr *mac = &p->nic->mac;

    if (memcmp(mac, &none, sizeof(none)) != 0)
        return;
    *mac = memcmp(asked, &none, sizeof(none)) != 0 ? *asked : make_mac(c);
}

/* Around the port another, that gives the kernel what is not ours. */
static bool add_exception(struct host_port *p, struct mem *m, const struct mr_config *c, char *why,
                          size_t n)
{
    struct except_config e = {.name = c->exception, .vlan = (uint16_t)c->vlan, .memory = p->lender};

    memcpy(e.addr.w, c->addr.ip, sizeof(e.addr.w));
    struct nic *nic = except_open(m, p->nic, &e, why, n);
    if (nic)
        p->nic = nic;
    return nic != NULL;
}

static const struct dev_kind *find_kind(const struct mr_config *c, const char **name, char *why,
                                        size_t n)
{
    const struct dev_kind *kind = dev_find(c->dev, name, why, n);

    if (!kind || !c->exception || strcmp(kind->name, "xdp") != 0)
        return kind;
    snprintf(why, n,
             "--exception: with %s the interface stays the kernel's, what is not ours with "
             "it",
             c->dev);
    return NULL;
}

/* What only one process can use is another's that several use. */
static bool is_pumped(const struct host_port *p, const struct dev_kind *kind)
{
    return p->lender && !kind->shared;
}

static void *reserve(const struct host_port *p, size_t bytes)
{
    return p->lender ? p->lender->reserve(p->lender->arg, bytes) : os_reserve(bytes, false);
}

int host_port_open(struct host_port *p, const struct mr_config *c, char *why, size_t n)
{
    return host_port_open_lent(p, c, NULL, why, n);
}

int host_port_open_lent(struct host_port *p, const struct mr_config *c,
                        const struct dev_memory *lender, char *why, size_t n)
{
    const char *name;
    struct mem m;

    *p = (struct host_port){
        .cores = c->cores, .rss_off = c->rss_off, .law = &p->own, .lender = lender};
    rss_init(&p->own, c->rss_symmetric ? rss_key_symmetric : rss_key_default, RSS_ENTRIES,
             c->cores);
    const struct dev_kind *kind = find_kind(c, &name, why, n);
    if (!kind)
        return -1;
    bool pumped = is_pumped(p, kind);
    struct dev_config d = dev_config_for(p, c, name);
    p->bytes = pumped ? pump_bytes(&d) : kind->bytes(&d);
    p->bytes = align_up(p->bytes + (c->exception ? except_bytes(p->cores) + PAGE : 0), PAGE);
    p->memory = reserve(p, p->bytes);
    if (!p->memory) {
        snprintf(why, n, "no address space for the port");
        return -1;
    }
    mem_init(&m, p->memory, p->bytes);
    p->nic = pumped ? pump_open(&m, kind, &d, why, n) : kind->open(&m, &d, why, n);
    if (!p->nic) {
        host_port_close(p);
        return -1;
    }
    set_mac(p, c, &d.mac);
    if (c->exception && !add_exception(p, &m, c, why, n)) {
        host_port_close(p);
        return -1;
    }
    p->queues = p->nic->caps.queues;
    if (host_port_agrees(p) && p->nic->rss)
        p->law = p->nic->rss;
    return 0;
}

void host_port_close(struct host_port *p)
{
    if (p->nic)
        p->nic->ops->close(p->nic);
    if (!p->lender)
        os_release(p->memory, p->bytes);
    p->nic = NULL;
    p->memory = NULL;
}

struct pkt_pool *host_port_rx_pool(const struct host_port *p, unsigned queue)
{
    return queue < p->queues ? nic_rx_pool(p->nic, queue) : NULL;
}

/* ---- how frames are spread ----------------------------------------------------------- */

bool host_port_agrees(const struct host_port *p)
{
    return p->cores == 1 ||
           (p->nic->spread == NIC_SPREAD_RSS && p->queues == p->cores && !p->rss_off);
}

const char *host_port_spread(const struct host_port *p)
{
    switch (p->rss_off ? NIC_SPREAD_NONE : p->nic->spread) {
    case NIC_SPREAD_RSS:
        return "rss";
    case NIC_SPREAD_UNKNOWN:
        return "unknown";
    case NIC_SPREAD_NONE:
        break;
    }
    return "none";
}

void host_port_say(const struct host_port *p, char *text, size_t n)
{
    const char *name = p->nic->name;

    if (p->cores == 1)
        snprintf(text, n, "one core has everything");
    else if (host_port_agrees(p))
        snprintf(text, n, "%s spreads packets by our hash", name);
    else if (p->rss_off)
        snprintf(text, n, "%s was asked for no hash: packets are passed on between cores", name);
    else if (p->queues < p->cores)
        snprintf(text, n, "%s has %u queue%s: packets are passed on between cores", name, p->queues,
                 p->queues == 1 ? "" : "s");
    else
        snprintf(text, n, "how %s spreads packets is unknown: they are passed on between cores",
                 name);
}

/* ---- fast and slow --------------------------------------------------------------------- */

static void fact(struct nic *n, bool slow, const char *text)
{
    snprintf(nic_fact_add(n, slow), sizeof(n->fact[0].text), "%s", text);
}

static void csum_fact(struct nic *n)
{
    const struct nic_caps *c = &n->caps;

    if (c->tx_csum && c->rx_csum)
        fact(n, false, "the device does checksums");
    else if (c->tx_csum)
        fact(n, true, "received checksums are verified in software");
    else if (c->rx_csum)
        fact(n, true, "sent checksums are made in software");
    else
        fact(n, true, "checksums are made and verified in software");
}

void host_port_facts(struct host_port *p)
{
    struct nic *n = p->nic;
    char text[sizeof(n->fact[0].text)];

    csum_fact(n);
    if (n->caps.tso_max)
        fact(n, false, "the device cuts large sends into segments");
    else
        fact(n, true, "large sends are cut into segments in software");
    if (n->caps.rx_coalesces)
        fact(n, false, "received segments come coalesced");
    if (p->cores > 1) {
        host_port_say(p, text, sizeof(text));
        fact(n, !host_port_agrees(p), text);
    }
}

static void tell(const struct nic *nic, const char *program, const char *dev, bool slow)
{
    char line[NIC_FACTS_MAX * (sizeof(nic->fact[0].text) + 2)] = "";
    size_t n = 0;

    for (unsigned i = 0; i < nic->facts; i++)
        if (nic->fact[i].slow == slow)
            n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%s", n ? "; " : "",
                                  nic->fact[i].text);
    if (n)
        fprintf(stderr, "%s: %s: %s: %s\n", program, dev, slow ? "slow" : "fast", line);
}

void host_port_tell(const struct nic *nic, const char *program, const char *dev)
{
    tell(nic, program, dev, false);
    tell(nic, program, dev, true);
}
