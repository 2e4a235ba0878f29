#include "flow/flow.h"

void flow_ports_init(struct flow_ports *p, struct mem *m)
{
    *p = (struct flow_ports){
        .listener = mem_carve(m, FLOW_PORTS * sizeof(mem_ref), CACHE_LINE),
        .taken = mem_carve(m, FLOW_PORTS / 8, CACHE_LINE),
    };
}

void flow_ports_changed(struct flow_ports *p, uint16_t port)
{
    uint64_t *word = &p->taken[port / 64], bit = UINT64_C(1) << port % 64;

    if (p->listener[port]) {
        *word |= bit;
    } else if (*word & bit) {
        *word &= ~bit;
        p->freed++;
    }
}
