/* A packet port on the veth of lib/veth.h. */
#pragma once

#include "lib/veth.h"

#include "os/os.h"

#define ARENA ((size_t)16 << 20)

static struct mem arena;
static char why[200];

/* ---- the port ---------------- */

static inline struct dev_config config_of(const char *name, uint32_t queues)
{
    return (struct dev_config){
        .name = name, .queues = queues, .buffers = 256, .addr = ip4_addr(be32_of(OURS))};
}

static inline struct nic *open_port(const struct dev_config *c)
{
    const char *name;
    const struct dev_kind *k = dev_find("packet:x", &name, why, sizeof(why));

    assert_non_null(k);
    mem_init(&arena, os_reserve(ARENA, false), ARENA);
    assert_true(k->bytes(c) < ARENA);
    struct nic *n = k->open(&arena, c, why, sizeof(why));
    assert_true(arena.used <= k->bytes(c));
    return n;
}

static inline struct nic *open_plain(const char *name, uint32_t queues)
{
    struct dev_config c = config_of(name, queues);

    return open_port(&c);
}

static inline void close_port(struct nic *n)
{
    if (n)
        n->ops->close(n);
    os_release(arena.base, ARENA);
}

static inline uint64_t counter(struct nic *n, const char *name)
{
    struct nic_counter c[NIC_COUNTERS_MAX];
    unsigned all = n->ops->counters(n, c, NIC_COUNTERS_MAX);

    for (unsigned i = 0; i < all; i++)
        if (strcmp(c[i].name, name) == 0)
            return c[i].value;
    fail_msg("no counter %s", name);
    return 0;
}

static inline bool says(const struct nic *n, const char *word)
{
    for (unsigned i = 0; i < n->facts; i++)
        if (strstr(n->fact[i].text, word))
            return true;
    return false;
}
