/* What a core has before it begins: its share of the load, the bytes it sends, its connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tools/load.h"

#define PATTERN_PERIOD 65521u /* prime, so that it lines up with no buffer */

static uint64_t share(uint64_t all, unsigned core, unsigned cores)
{
    return all / cores + (core < all % cores);
}

/* A count in bulk is bytes of each connection. */
void load_take_share(struct load *l, const struct load_options *o)
{
    unsigned core = mr_core(l->m);

    l->ours = *o;
    l->opt = &l->ours;
    l->ours.connections = (uint32_t)share(o->connections, core, o->cores);
    l->ours.rate = share(o->rate, core, o->cores);
    if (o->mode != &load_bulk)
        l->ours.count = share(o->count, core, o->cores);
}

bool load_make_block(struct load *l)
{
    const struct load_options *o = l->opt;
    char request[1024];
    size_t n;

    if (o->mode == &load_http) {
        n = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
                             o->path, o->host, o->close ? "Connection: close\r\n" : "");
        if (n >= sizeof(request))
            return false;
        l->period = l->request_n = n;
    } else {
        l->period = PATTERN_PERIOD;
        l->request_n = o->size;
    }
    l->block_n = l->period + PIECE_BYTES;
    l->block = malloc(l->block_n);
    if (l->block == NULL)
        return false;
    for (size_t i = 0; i < l->block_n; i++)
        l->block[i] = o->mode == &load_http ? (uint8_t)request[i % l->period]
                                            : (uint8_t)(mix64(i % l->period) >> 32);
    return true;
}

bool load_make_conns(struct load *l)
{
    size_t size = sizeof(struct lconn) + l->opt->depth * sizeof(uint64_t);

    l->all = calloc(l->opt->connections, sizeof(struct lconn *));
    l->reference = malloc(REFERENCE_BYTES_MAX);
    if (l->all == NULL || l->reference == NULL)
        return false;
    tool_pool_init(&l->conns, size);
    tool_pool_init(&l->heads, HTTP_HEAD_BYTES_MAX);
    for (uint32_t i = 0; i < l->opt->connections; i++) {
        l->all[i] = tool_pool_get(&l->conns);
        if (l->all[i] == NULL)
            return false;
        memset(l->all[i], 0, size);
        l->all[i]->l = l;
    }
    return true;
}
