/* What the cores' copies say together. */
#include "api/status.h"
#include "stat/json.h"

/* Sums and rows of all that answered. */
struct merge {
    const struct status_program *program;
    const struct status_core *const *core; /* NULL: it did not answer */
    unsigned n;
    const struct status_core *first; /* that did; NULL: nobody */
};

static const struct {
    const struct stat_group *group;
    size_t at; /* in a struct status_core */
} groups[] = {
    {&eth_stat_group, offsetof(struct status_core, eth)},
    {&ip_stat_group, offsetof(struct status_core, ip)},
    {&udp_stat_group, offsetof(struct status_core, udp)},
    {&tcp_stat_group, offsetof(struct status_core, tcp)},
    {&sock_stat_group, offsetof(struct status_core, sock)},
    {&mail_stat_group, offsetof(struct status_core, mail)},
    {&post_stat_group, offsetof(struct status_core, post)},
};

/* ---- sums ---------------------------------------------------------------------------- */

/* Of one uint64_t member. */
static uint64_t sum(const struct merge *m, size_t at)
{
    uint64_t v = 0;

    for (unsigned c = 0; c < m->n; c++)
        if (m->core[c])
            v += *(const uint64_t *)(const void *)((const uint8_t *)m->core[c] + at);
    return v;
}

static void put_sum(struct json *j, const char *key, const struct merge *m, size_t at)
{
    json_u64(j, key, sum(m, at));
}

static void put_counters(struct json *j, const struct merge *m)
{
    json_object(j, "counters");
    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        json_object(j, groups[g].group->name);
        for (unsigned i = 0; i < groups[g].group->n; i++)
            put_sum(j, groups[g].group->fields[i].name, m, groups[g].at + i * sizeof(uint64_t));
        json_end(j);
    }
    json_end(j);
}

static void put_connections(struct json *j, const struct merge *m)
{
    uint64_t conns = 0, half_open = 0, time_wait = 0;

    for (unsigned c = 0; c < m->n; c++) {
        conns += m->core[c] ? m->core[c]->connections : 0;
        half_open += m->core[c] ? m->core[c]->half_open : 0;
        time_wait += m->core[c] ? m->core[c]->time_wait : 0;
    }
    json_u64(j, "connections", conns);
    json_u64(j, "half_open", half_open);
    json_u64(j, "time_wait", time_wait);
}

/* ---- interfaces --------------------------------------------------------------------- */

static void put_fields(struct json *j, const struct stat_group *g, const void *base)
{
    for (unsigned i = 0; i < g->n; i++)
        json_u64(j, g->fields[i].name, stat_value(g, base, i));
}

/* What a core without a queue sends is counted by the queue it goes through. */
static struct nic_stats port_sum(const struct merge *m, unsigned netif)
{
    struct nic_stats all = {0};

    for (unsigned c = 0; c < m->n; c++)
        if (m->core[c] && !m->core[c]->no_queue && netif < m->core[c]->netifs)
            stat_sum(&nic_stat_group, &all, &m->core[c]->netif[netif].port);
    return all;
}

static void put_addresses(struct json *j, const struct status_netif *nif)
{
    char text[FMT_IP4_SIZE];
    struct fmt f;

    json_array(j, "addresses");
    for (unsigned i = 0; i < nif->addrs; i++) {
        fmt_init(&f, text, sizeof(text));
        fmt_ip4(&f, ip_v4(&nif->addr[i]));
        json_str(j, NULL, text);
    }
    json_end(j);
}

static void put_netif(struct json *j, const struct merge *m, unsigned i)
{
    const struct status_netif *nif = &m->first->netif[i];
    char mac[FMT_MAC_SIZE];
    struct fmt f;

    json_object(j, NULL);
    json_u64(j, "index", i);
    json_str(j, "name", nif->name);
    fmt_init(&f, mac, sizeof(mac));
    fmt_mac(&f, &nif->mac);
    json_str(j, "mac", mac);
    json_u64(j, "mtu", nif->mtu);
    json_u64(j, "vlan", nif->vlan);
    json_bool(j, "up", nif->up);
    json_bool(j, "csum_offload", nif->tx_csum);
    json_u64(j, "tso_max", nif->tso_max);
    put_addresses(j, nif);
    if (nif->has_port) {
        struct nic_stats all = port_sum(m, i);
        put_fields(j, &nic_stat_group, &all);
    }
    json_end(j);
}

/* ---- pools -------------------------------------------------------------------------- */

static void put_pool(struct json *j, const struct merge *m, const char *name)
{
    uint64_t used = 0, posted = 0, used_max = 0, capacity = 0, bytes = 0, touched = 0, failures = 0;
    uint32_t size = 0;

    for (unsigned c = 0; c < m->n; c++)
        for (unsigned i = 0; m->core[c] && i < m->core[c]->pools; i++) {
            const struct status_pool *p = &m->core[c]->pool[i];
            if (p->name != name)
                continue;
            used += p->used;
            posted += p->posted;
            used_max += p->used_max;
            capacity += p->capacity;
            bytes += (uint64_t)p->capacity * p->size;
            touched += (uint64_t)p->fresh * p->size;
            failures += p->failures;
            size = p->size;
        }
    json_object(j, NULL);
    json_str(j, "name", name);
    json_u64(j, "used", used);
    json_u64(j, "posted", posted);
    json_u64(j, "used_max", used_max);
    json_u64(j, "capacity", capacity);
    json_u64(j, "size", size);
    json_u64(j, "bytes", bytes);
    json_u64(j, "touched", touched);
    json_u64(j, "failures", failures);
    json_end(j);
}

/* ---- one row a core ------------------------------------------------------------------ */

static void put_app(struct json *j, const struct status_core *s)
{
    if (s->app_n > 0)
        json_raw(j, "app", s->app, s->app_n);
    else
        json_null(j, "app");
}

static void put_core(struct json *j, const struct merge *m, unsigned i)
{
    const struct status_core *s = m->core[i];
    struct nic_stats port = {0};

    json_object(j, NULL);
    json_u64(j, "core", i);
    json_bool(j, "answers", s != NULL);
    if (s) {
        json_i64(j, "cpu", s->cpu);
        json_u64(j, "connections", s->connections);
        json_u64(j, "half_open", s->half_open);
        json_u64(j, "time_wait", s->time_wait);
        json_u64(j, "turns", s->turns);
        json_u64(j, "busy_turns", s->busy_turns);
        for (unsigned n = 0; n < s->netifs; n++)
            stat_sum(&nic_stat_group, &port, &s->netif[n].port);
        json_bool(j, "own_queue", !s->no_queue);
        json_u64(j, "frames_dropped", s->frames_dropped);
        put_fields(j, &nic_stat_group, &port);
        json_object(j, "mail");
        put_fields(j, &mail_stat_group, &s->mail);
        json_end(j);
        put_app(j, s);
    }
    json_end(j);
}

/* ---- the whole ---------------------------------------------------------------------- */

/* Few packets had to go on to another core: what the port does is what we think it does. */
static bool spread_agrees(const struct merge *m)
{
    uint64_t passed = sum(m, offsetof(struct status_core, mail.packets_sent)), received = 0;

    for (unsigned i = 0; m->first && i < m->first->netifs; i++)
        received += port_sum(m, i).rx_packets;
    return passed <= received / 16;
}

static void put_spread(struct json *j, const struct merge *m)
{
    json_object(j, "spread");
    json_str(j, "port", m->program->spread);
    json_bool(j, "agrees", spread_agrees(m));
    json_str(j, "why", m->program->why);
    json_end(j);
}

static void put_facts(struct json *j, const char *key, const struct nic *nic, bool slow)
{
    json_array(j, key);
    for (unsigned i = 0; i < nic->facts; i++)
        if (nic->fact[i].slow == slow)
            json_str(j, NULL, nic->fact[i].text);
    json_end(j);
}

static void put_port(struct json *j, const struct status_port *p)
{
    if (!p)
        return;
    json_object(j, "port");
    json_str(j, "dev", p->dev);
    json_bool(j, "link_up", p->link_up);
    json_u64(j, "queues", p->nic->caps.queues);
    json_u64(j, "mtu", p->nic->caps.mtu);
    json_bool(j, "tx_csum", p->nic->caps.tx_csum);
    json_bool(j, "rx_csum", p->nic->caps.rx_csum);
    json_u64(j, "tso_max", p->nic->caps.tso_max);
    json_bool(j, "rx_coalesces", p->nic->caps.rx_coalesces);
    put_facts(j, "fast", p->nic, false);
    put_facts(j, "slow", p->nic, true);
    json_object(j, "counters");
    for (unsigned i = 0; i < p->counters; i++)
        json_u64(j, p->counter[i].name, p->counter[i].value);
    json_end(j);
    json_end(j);
}

/* What only the loops around the stacks know; an application that asks its context has no use for
 * it. */
static void put_loop(struct json *j, const struct merge *m)
{
    if (!m->program->name)
        return;
    json_str(j, "program", m->program->name);
    put_sum(j, "turns", m, offsetof(struct status_core, turns));
    put_sum(j, "busy_turns", m, offsetof(struct status_core, busy_turns));
    put_sum(j, "captured", m, offsetof(struct status_core, captured));
    put_sum(j, "capture_lost", m, offsetof(struct status_core, capture_lost));
}

static void put_cores(struct json *j, const struct merge *m)
{
    if (!m->program->name)
        return;
    json_array(j, "cores");
    for (unsigned c = 0; c < m->n; c++)
        put_core(j, m, c);
    json_end(j);
    put_spread(j, m);
}

static struct merge merge_of(const struct status_program *p, const struct status_core *const *cores,
                             unsigned n)
{
    struct merge m = {.program = p, .core = cores, .n = n};

    for (unsigned c = 0; c < n && !m.first; c++)
        m.first = cores[c];
    return m;
}

static uint64_t latest(const struct merge *m)
{
    uint64_t now = 0;

    for (unsigned c = 0; c < m->n; c++)
        now = max_u64(now, m->core[c] ? m->core[c]->now_us : 0);
    return now;
}

size_t status_merge(const struct status_program *p, const struct status_core *const *cores,
                    unsigned n, char *buf, size_t size)
{
    const struct merge m = merge_of(p, cores, n);
    struct json j;

    json_init(&j, buf, size);
    json_object(&j, NULL);
    json_str(&j, "version", MR_VERSION);
    json_u64(&j, "now_us", latest(&m));
    put_loop(&j, &m);
    put_connections(&j, &m);
    json_array(&j, "interfaces");
    for (unsigned i = 0; m.first && i < m.first->netifs; i++)
        put_netif(&j, &m, i);
    json_end(&j);
    put_port(&j, p->port);
    put_counters(&j, &m);
    json_array(&j, "pools");
    for (unsigned i = 0; m.first && i < m.first->pools; i++)
        put_pool(&j, &m, m.first->pool[i].name);
    json_end(&j);
    if (n == 1 && m.first)
        put_app(&j, m.first);
    else
        json_null(&j, "app");
    put_cores(&j, &m);
    json_end(&j);
    return json_fini(&j);
}
