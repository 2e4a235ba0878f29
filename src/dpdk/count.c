/* What the driver and the device count themselves. */
#include "dpdk/dpdk_int.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dpdk/eal.h"

struct list {
    struct nic_counter *out;
    unsigned n, max;
};

static bool is_there(const struct list *l, const char *name)
{
    for (unsigned i = 0; i < l->n; i++)
        if (strcmp(l->out[i].name, name) == 0)
            return true;
    return false;
}

static void add(struct list *l, const char *name, uint64_t value)
{
    char clean[sizeof(l->out[0].name)];
    size_t n = 0;

    for (; name[n] && n < sizeof(clean) - 1; n++)
        clean[n] = (char)(isalnum((unsigned char)name[n]) ? name[n] : '_');
    clean[n] = '\0';
    if (l->n == l->max || is_there(l, clean))
        return;
    snprintf(l->out[l->n].name, sizeof(l->out[0].name), "%s", clean);
    l->out[l->n++].value = value;
}

/* Those that are not zero; any driver may have hundreds. */
static void add_extended(struct list *l, uint16_t port)
{
    int n = rte_eth_xstats_get_names(port, NULL, 0);

    if (n <= 0)
        return;
    struct rte_eth_xstat_name *name = calloc((size_t)n, sizeof(*name));
    struct rte_eth_xstat *value = calloc((size_t)n, sizeof(*value));
    if (name && value && rte_eth_xstats_get_names(port, name, (unsigned)n) == n &&
        rte_eth_xstats_get(port, value, (unsigned)n) == n)
        for (int i = 0; i < n; i++)
            if (value[i].value > 0 && value[i].id < (uint64_t)n)
                add(l, name[value[i].id].name, value[i].value);
    free(name);
    free(value);
}

unsigned device_counters(struct nic *nic, struct nic_counter *out, unsigned max)
{
    struct port *p = (struct port *)(void *)nic;
    struct list l = {.out = out, .max = max};
    struct rte_eth_stats s;

    /* vhost complains of every question while nobody is connected. */
    eal_listen();
    if (rte_eth_stats_get(p->id, &s) == 0) {
        add(&l, "rx_missed", s.imissed);
        add(&l, "rx_no_mbuf", s.rx_nombuf);
        add(&l, "rx_errors", s.ierrors);
        add(&l, "tx_errors", s.oerrors);
    }
    add_extended(&l, p->id);
    eal_listen_end();
    return l.n;
}
