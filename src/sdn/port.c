/* A switch's ports: a list by number, and a bitmap of those that the short way may use. */
#include "sdn/sdn_int.h"

struct sdn_port *port_find(const struct sdn_switch *sw, uint32_t no)
{
    struct sdn_port *p = sw->ports;

    while (p && p->desc.no < no)
        p = p->next;
    return p && p->desc.no == no ? p : NULL;
}

/* Hosts may be behind it, and it is up.  What was learnt at a port stays in the table of addresses
 * while the port is down or leads to a switch: nobody believes it meanwhile. */
static void short_refresh(const struct sdn *s, struct sdn_switch *sw, const struct sdn_port *p)
{
    uint64_t bit = UINT64_C(1) << p->desc.no % 64;
    bool is = s->config.mode != SDN_NONE && port_is_up(p) && p->is == PORT_EDGE;

    if (p->desc.no >= SHORT_PORTS)
        return;
    if (is)
        sw->short_ports[p->desc.no / 64] |= bit;
    else
        sw->short_ports[p->desc.no / 64] &= ~bit;
}

void port_set_is(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, enum sdn_port_is is)
{
    p->is = is;
    short_refresh(s, sw, p);
}

/* Its first ones, or one that is not kept for others. */
static bool may_have_more(const struct sdn *s, const struct sdn_switch *sw)
{
    return sw->n_ports < OWN_PORTS ||
           pool_available(&s->ports) > OWN_PORTS * (size_t)s->config.conns;
}

struct sdn_port *port_put(struct sdn *s, struct sdn_switch *sw, const struct ofp_port *desc)
{
    struct sdn_port **at = &sw->ports, *p;

    while (*at && (*at)->desc.no < desc->no)
        at = &(*at)->next;
    p = *at;
    if (!p || p->desc.no != desc->no) {
        p = may_have_more(s, sw) ? pool_get(&s->ports) : NULL;
        if (!p)
            return NULL;
        *p = (struct sdn_port){.next = *at, .is = PORT_QUIET};
        p->quiet_until = s->now + s->config.quiet_us;
        if (s->config.mode == SDN_LEARN)
            p->is = PORT_EDGE;
        *at = p;
        sw->n_ports++;
    }
    p->desc = *desc;
    short_refresh(s, sw, p);
    return p;
}

void port_remove(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p)
{
    struct sdn_port **at = &sw->ports;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    port_set_is(s, sw, p, PORT_QUIET);
    pool_put(&s->ports, p);
    sw->n_ports--;
}

void port_remove_all(struct sdn *s, struct sdn_switch *sw)
{
    while (sw->ports)
        port_remove(s, sw, sw->ports);
}
