#include "flow/flow.h"

void flow_ports_init(struct flow_ports *p, struct mem *m)
{
    p->listener = mem_carve(m, FLOW_PORTS * sizeof(mem_ref), CACHE_LINE);
}

bool flow_choose_port(struct flow_port_chooser *c, const struct flow_table *t,
                      const struct flow_ports *p, struct flow_key *k)
{
    uint32_t range = (uint32_t)c->hi - c->lo + 1;
    struct flow_key peer = *k;

    peer.lport = 0;
    uint32_t offset = (uint32_t)siphash(&c->key[0], &peer, sizeof(peer)) % range;
    uint32_t *counter = &c->table[siphash(&c->key[1], &peer, sizeof(peer)) % FLOW_PORT_COUNTERS];

    /* Reduced before they are added: a sum that wraps at 2^32 would leave ports out. */
    offset += *counter % range;
    for (uint32_t tries = 0; tries < range; tries++) {
        k->lport = (uint16_t)(c->lo + (offset + tries) % range);
        ++*counter;
        if (!p->listener[k->lport] && !flow_find(t, k, flow_hash(t, k)))
            return true;
    }
    return false;
}
