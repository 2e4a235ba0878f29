#include "flow_map.h"

uint8_t oracle(enum side s, uint32_t at)
{
    uint32_t x = at * 167u + (at >> 8) * 59u + (at >> 16) * 13u;

    return (uint8_t)(s == SIDE_LOCAL ? x + 7u : ~x);
}

void oracle_fill(uint8_t *out, uint32_t n, enum side s, uint32_t at)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = oracle(s, at + i);
}

uint32_t oracle_check(const uint8_t *in, uint32_t n, enum side s, uint32_t at)
{
    for (uint32_t i = 0; i < n; i++)
        if (in[i] != oracle(s, at + i))
            return i;
    return n;
}

struct flow_map *flow_get(struct flow_maps *f, enum spec_proto proto, uint32_t local_ip,
                          uint16_t lport, uint32_t remote_ip, uint16_t rport)
{
    for (int i = 0; i < f->n; i++) {
        struct flow_map *m = &f->maps[i];

        if (m->proto == proto && m->local_ip == local_ip && m->lport == lport &&
            m->remote_ip == remote_ip && m->rport == rport)
            return m;
    }
    if (f->n == FLOWS_MAX)
        return NULL;
    f->maps[f->n] = (struct flow_map){
        .proto = proto,
        .local_ip = local_ip,
        .lport = lport,
        .remote_ip = remote_ip,
        .rport = rport,
        .remote_off = f->remote_off,
    };
    return &f->maps[f->n++];
}

struct flow_map *flow_of_spec(struct flow_maps *f, const struct pkt_spec *p, bool outgoing)
{
    const struct flow_map *now = p->proto == SPEC_UDP ? f->udp : f->tcp;
    uint32_t lip = outgoing ? (p->has_src ? p->src : now->local_ip)
                            : (p->has_dst ? p->dst : now->local_ip);
    uint32_t rip = outgoing ? (p->has_dst ? p->dst : now->remote_ip)
                            : (p->has_src ? p->src : now->remote_ip);
    uint16_t lport = outgoing ? (p->has_sport ? p->sport : now->lport)
                              : (p->has_dport ? p->dport : now->lport);
    uint16_t rport = outgoing ? (p->has_dport ? p->dport : now->rport)
                              : (p->has_sport ? p->sport : now->rport);

    return flow_get(f, p->proto, lip, lport, rip, rport);
}
