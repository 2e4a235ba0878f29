/* Topology, hosts and limits, drawn from the seed. */
#include <string.h>

#include "sdn/world_int.h"

static unsigned free_port(const struct world *w, unsigned i)
{
    for (unsigned p = 1; p <= w->sw[i].sw.ports; p++)
        if (w->sw[i].end[p].what == END_NONE)
            return p;
    return 0;
}

static void draw_link(struct world *w, unsigned a, unsigned b)
{
    struct world_link *l = &w->link[w->links];
    unsigned pa, pb;

    if (a == b || w->links == WORLD_LINKS || (pa = free_port(w, a)) == 0 ||
        (pb = free_port(w, b)) == 0)
        return;
    *l = (struct world_link){.sw = {a, b}, .port = {pa, pb}, .up = true};
    w->sw[a].end[pa] = w->sw[b].end[pb] = (struct world_end){END_LINK, w->links};
    w->links++;
}

void world_draw(struct world *w)
{
    static const uint8_t mac[6] = {0x02, 0xaa, 0, 0, 0, 0};
    unsigned extra;

    w->switches = 2 + rng_below(&w->rng, WORLD_SWITCHES - 1);
    w->cores = 1 + rng_below(&w->rng, WORLD_CORES);
    for (unsigned i = 0; i < w->switches; i++)
        ofsw_init(&w->sw[i].sw, rng_chance(&w->rng, 1, 2) ? OFP_10 : OFP_13, 0x100 + i,
                  12 + rng_below(&w->rng, 8), rng_chance(&w->rng, 1, 2));
    switch (rng_below(&w->rng, 3)) {
    case 0: /* a ring */
        for (unsigned i = 0; i < w->switches; i++)
            draw_link(w, i, (i + 1) % w->switches);
        extra = 0;
        break;
    case 1: /* a tree */
        for (unsigned i = 1; i < w->switches; i++)
            draw_link(w, i, rng_below(&w->rng, i));
        extra = 0;
        break;
    default: /* a mesh: a tree and more, parallel links too */
        for (unsigned i = 1; i < w->switches; i++)
            draw_link(w, i, rng_below(&w->rng, i));
        extra = 1 + rng_below(&w->rng, w->switches);
        break;
    }
    for (unsigned i = 0; i < extra; i++)
        draw_link(w, rng_below(&w->rng, w->switches), rng_below(&w->rng, w->switches));
    for (unsigned i = 0; i < w->switches * 2 && i < WORLD_HOSTS; i++) {
        unsigned at = rng_below(&w->rng, w->switches), port = free_port(w, at);
        struct world_host *h = &w->host[w->hosts];
        if (port == 0)
            continue;
        *h = (struct world_host){.sw = at, .port = port, .ip = 0x0a000001u + w->hosts};
        memcpy(h->mac, mac, 6);
        h->mac[5] = (uint8_t)(1 + w->hosts);
        w->sw[at].end[port] = (struct world_end){END_HOST, w->hosts};
        w->hosts++;
    }
    sdn_config_init(&w->config);
    w->config.mode = SDN_NETWORK;
    w->config.cores = w->cores;
    w->config.conns = 64;
    w->config.ports = 1024;
    w->config.macs = 4096;
    w->config.hosts = 4096;
    w->config.switches = 64;
    w->config.links = 512;
    w->config.chunks = 128;
    w->bytes = sdn_bytes(&w->config, NULL);
}
