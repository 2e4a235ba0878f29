/* The relay of millrace-relay between the clients and the upstreams, which are on the clients' own
 * shard: a client's connection, and the one the relay opens for it, both stay on their core. */
#include "scale.h"

#include "tools/relay.h"

const struct mr_app scale_relay_app = {.name = "relay", .event = relay_event};

_Static_assert(SCALE_STATE_BYTES >= sizeof(struct relay_options), "room for the relay's options");

void scale_relay_start(struct many_shard *s)
{
    struct relay_options *o = s->state;

    relay_options_init(o);
    o->listen = many_addr(1, SCALE_PORT);
    for (unsigned i = 0; i < SCALE_UPSTREAMS; i++)
        o->upstream[o->upstreams++] = many_addr(0, (uint16_t)(SCALE_UPSTREAM_PORT + i));
    if (relay_init(s->m, o, &s->shard.core_state) != 0)
        bench_die("bench_scale: the relay does not begin");
}

void scale_relay_stop(struct many_shard *s)
{
    relay_fini(s->m, s->shard.core_state);
    relay_fini_all(s->state);
}
