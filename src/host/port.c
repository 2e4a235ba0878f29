#include "host/port.h"

#include <stdio.h>
#include <string.h>

static struct tap_config tap_config_for(const char *name, unsigned cores, const struct rss *steer)
{
    return (struct tap_config){.name = name, .queues = cores, .steer = steer};
}

size_t host_port_bytes(unsigned cores)
{
    struct tap_config c = tap_config_for("", cores, NULL);
    size_t tap = tap_bytes(&c), wire = wire_shm_bytes(cores);

    return (tap > wire ? tap : wire) + 4096;
}

static void open_tap(struct host_port *p, struct mem *m, const char *name, char *why, size_t n)
{
    bool steered = p->cores > 1 && !p->rss_off;
    struct tap_config c = tap_config_for(name, p->cores, steered ? &p->own : NULL);

    p->tap = tap_open(m, &c, why, n);
    if (p->tap)
        p->nic = tap_nic(p->tap);
}

/* A wire always has a rule; without one everything comes to the first queue. */
static void open_wire(struct host_port *p, struct mem *m, const char *spec, char *why, size_t n)
{
    struct rss first;

    rss_init(&first, p->own.key, 1, 1);
    p->wire = wire_shm_open(m, spec, p->cores, p->rss_off ? &first : &p->own, why, n);
    if (p->wire)
        p->nic = wire_shm_nic(p->wire);
}

int host_port_open(struct host_port *p, struct mem *m, const struct mr_config *c, char *why,
                   size_t n)
{
    *p = (struct host_port){.cores = c->cores, .rss_off = c->rss_off, .law = &p->own};
    rss_init(&p->own, c->rss_symmetric ? rss_key_symmetric : rss_key_default, RSS_ENTRIES,
             c->cores);
    if (strncmp(c->net, "tap:", 4) == 0)
        open_tap(p, m, c->net + 4, why, n);
    else if (strncmp(c->net, "wire:", 5) == 0)
        open_wire(p, m, c->net + 5, why, n);
    else
        snprintf(why, n, "'%.80s' names no port", c->net);
    if (!p->nic)
        return -1;
    p->queues = p->nic->caps.queues;
    if (host_port_agrees(p) && p->nic->rss)
        p->law = p->nic->rss;
    return 0;
}

void host_port_close(struct host_port *p)
{
    if (p->tap)
        p->nic->ops->close(p->nic);
    if (p->wire)
        wire_shm_close(p->wire);
    p->nic = NULL;
    p->tap = NULL;
    p->wire = NULL;
}

bool host_port_is_gone(const struct host_port *p)
{
    return p->tap && tap_is_gone(p->tap);
}

struct pkt_pool *host_port_rx_pool(const struct host_port *p, unsigned queue)
{
    if (queue >= p->queues)
        return NULL;
    return p->tap ? tap_rx_pool(p->tap, queue) : wire_shm_rx_pool(p->wire, queue);
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
    const char *name = p->nic->name, *steering = p->tap ? tap_steering_why(p->tap) : "";

    if (p->cores == 1)
        snprintf(text, n, "one core has everything");
    else if (host_port_agrees(p))
        snprintf(text, n, "%s spreads packets by our hash", name);
    else if (p->rss_off)
        snprintf(text, n, "%s was asked for no hash: packets are passed on between cores", name);
    else if (p->queues < p->cores)
        snprintf(text, n, "%s has %u queue%s: packets are passed on between cores%s%s", name,
                 p->queues, p->queues == 1 ? "" : "s", steering[0] ? "; " : "", steering);
    else
        snprintf(text, n, "how %s spreads packets is unknown: they are passed on between cores%s%s",
                 name, steering[0] ? "; " : "", steering);
}
