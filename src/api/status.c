#include "api/status.h"

#include "stat/json.h"

#define CONNS_DEFAULT 256u
#define CONNS_MAX 1000u  /* a page, at 400 bytes each, fits the control socket's buffer */
#define SLOTS_MAX 16384u /* looked at for a page: a core must not stand still for its statistics   \
                          */
#define APP_BYTES 16384u

static void put_group(struct json *j, const struct stat_group *g, const void *base)
{
    json_object(j, g->name);
    for (unsigned i = 0; i < g->n; i++)
        json_u64(j, g->fields[i].name, stat_value(g, base, i));
    json_end(j);
}

static void put_ip(struct json *j, const char *key, const struct ip_addr *a)
{
    char text[FMT_IP4_SIZE];
    struct fmt f;

    fmt_init(&f, text, sizeof(text));
    fmt_ip4(&f, ip_v4(a));
    json_str(j, key, text);
}

/* ---- interfaces --------------------------------------------------------------------- */

static void put_addresses(struct json *j, const struct ip *ip, unsigned netif)
{
    json_array(j, "addresses");
    for (unsigned i = 0; i < IP_ADDRS_MAX; i++)
        if (ip->laddr[i].set && ip->laddr[i].netif == netif)
            put_ip(j, NULL, &ip->laddr[i].addr);
    json_end(j);
}

static void put_port(struct json *j, const struct nic *nic, unsigned queue)
{
    const struct nic_stats *st = &nic->stats[queue];

    json_u64(j, "rx_packets", st->rx_packets);
    json_u64(j, "rx_bytes", st->rx_bytes);
    json_u64(j, "tx_packets", st->tx_packets);
    json_u64(j, "tx_bytes", st->tx_bytes);
    json_u64(j, "rx_nobuf", st->rx_nobuf);
    json_u64(j, "rx_error", st->rx_error);
    json_u64(j, "tx_full", st->tx_full);
    json_u64(j, "tx_error", st->tx_error);
}

static void put_netif(struct json *j, const struct status_source *s, unsigned i)
{
    const struct netif *nif = &stack_eth(s->stack)->netif[i];
    char mac[FMT_MAC_SIZE];
    struct fmt f;

    json_object(j, NULL);
    json_u64(j, "index", i);
    json_str(j, "name", nif->nic ? nif->nic->name : "loopback");
    fmt_init(&f, mac, sizeof(mac));
    fmt_mac(&f, &nif->mac);
    json_str(j, "mac", mac);
    json_u64(j, "mtu", nif->mtu);
    json_u64(j, "vlan", nif->vlan);
    json_bool(j, "up", nif->up);
    json_bool(j, "csum_offload", nif->tx_csum);
    json_u64(j, "tso_max", nif->tso_max);
    put_addresses(j, stack_ip(s->stack), i);
    if (nif->nic)
        put_port(j, nif->nic, nif->queue);
    json_end(j);
}

static void put_interfaces(struct json *j, const struct status_source *s)
{
    json_array(j, "interfaces");
    for (unsigned i = 0; i < stack_eth(s->stack)->netifs; i++)
        put_netif(j, s, i);
    json_end(j);
}

/* ---- pools -------------------------------------------------------------------------- */

static void put_pool(struct json *j, const char *name, const struct pool *p, uint32_t buf_size)
{
    json_object(j, NULL);
    json_str(j, "name", name);
    json_u64(j, "used", p->used);
    json_u64(j, "used_max", p->used_max);
    json_u64(j, "capacity", p->capacity);
    json_u64(j, "size", p->stride + buf_size);
    json_u64(j, "bytes", (uint64_t)p->capacity * (p->stride + buf_size));
    json_u64(j, "touched", (uint64_t)p->fresh * (p->stride + buf_size));
    json_u64(j, "failures", p->failures);
    json_end(j);
}

static void put_pkt_pool(struct json *j, const char *name, const struct pkt_pool *p)
{
    put_pool(j, name, &p->descs, p->buf_size);
}

static void put_pools(struct json *j, const struct status_source *s)
{
    const struct tcp *tcp = stack_tcp(s->stack);
    const struct udp *udp = stack_udp(s->stack);
    const struct ip *ip = stack_ip(s->stack);

    json_array(j, "pools");
    if (s->rx_pool)
        put_pkt_pool(j, s->rx_pool->name, s->rx_pool);
    put_pkt_pool(j, "packets to send", tcp->tx);
    put_pkt_pool(j, "copied packets", tcp->copies);
    put_pkt_pool(j, "datagrams of 64 KB", &ip->jumbo);
    put_pkt_pool(j, "loopback packets", &ip->loop);
    put_pkt_pool(j, "copied datagrams", &udp->copies);
    put_pool(j, "send buffer chunks", &tcp->sbufs->chunks, 0);
    put_pool(j, "send buffer descriptors", &tcp->sbufs->bufs, 0);
    put_pool(j, "connections", &tcp->conns, 0);
    put_pool(j, "connections in TIME-WAIT", &tcp->tws, 0);
    put_pool(j, "half-open connections", &tcp->syns, 0);
    put_pool(j, "listeners", &tcp->listeners, 0);
    put_pool(j, "connection options", &tcp->colds, 0);
    put_pool(j, "SACK scoreboards", &tcp->losses, 0);
    put_pool(j, "UDP sockets", &udp->pcbs, 0);
    put_pool(j, "application timers", &stack_sock(s->stack)->timers, 0);
    put_pool(j, "reassembly: datagrams", &ip->reass_pool, 0);
    put_pool(j, "reassembly: pieces", &ip->chunk_pool, 0);
    json_end(j);
}

/* ---- the whole ---------------------------------------------------------------------- */

static void put_counters(struct json *j, const struct status_source *s)
{
    json_object(j, "counters");
    put_group(j, &eth_stat_group, &stack_eth(s->stack)->stats);
    put_group(j, &ip_stat_group, &stack_ip(s->stack)->stats);
    put_group(j, &udp_stat_group, &stack_udp(s->stack)->stats);
    put_group(j, &tcp_stat_group, &stack_tcp(s->stack)->stats);
    put_group(j, &sock_stat_group, &stack_sock(s->stack)->stats);
    json_end(j);
}

static void put_app(struct json *j, const struct status_source *s)
{
    char text[APP_BYTES];
    size_t n = s->app && s->app->status ? s->app->status(s->core_state, text, sizeof(text)) : 0;

    if (n > 0 && n < sizeof(text))
        json_raw(j, "app", text, n);
    else
        json_null(j, "app");
}

/* What only the loop around the stack knows; an application that asks its context has no use for
 * it. */
static void put_loop(struct json *j, const struct status_source *s)
{
    if (!s->program)
        return;
    json_str(j, "program", s->program);
    json_u64(j, "turns", s->turns);
    json_u64(j, "busy_turns", s->busy_turns);
    json_u64(j, "captured", s->captured);
    json_u64(j, "capture_lost", s->capture_lost);
}

size_t status_print(const struct status_source *s, char *buf, size_t n)
{
    const struct tcp *tcp = stack_tcp(s->stack);
    struct json j;

    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_str(&j, "version", MR_VERSION);
    json_u64(&j, "now_us", stack_now(s->stack));
    put_loop(&j, s);
    json_u64(&j, "connections", tcp->conns.used);
    json_u64(&j, "half_open", tcp->syns.used);
    json_u64(&j, "time_wait", tcp->tws.used);
    put_interfaces(&j, s);
    put_counters(&j, s);
    put_pools(&j, s);
    put_app(&j, s);
    json_end(&j);
    return json_fini(&j);
}

/* ---- connections -------------------------------------------------------------------- */

static void put_end(struct json *j, const char *key, const struct ip_addr *a, uint16_t port)
{
    char text[FMT_IP4_SIZE + 6];
    struct fmt f;

    fmt_init(&f, text, sizeof(text));
    fmt_ip4(&f, ip_v4(a));
    fmt_add(&f, ":%u", (unsigned)port);
    json_str(j, key, text);
}

static void put_conn(struct json *j, const struct status_source *s, const struct tcp_conn *c)
{
    const struct tcp *tcp = stack_tcp(s->stack);

    json_object(j, NULL);
    put_end(j, "local", ip_laddr(stack_ip(s->stack), c->key.lidx), c->key.lport);
    put_end(j, "remote", &c->key.raddr, c->key.rport);
    json_str(j, "state", tcp_state_name(c->state));
    json_u64(j, "cwnd", c->cc.cwnd);
    if (c->cc.ssthresh != UINT32_MAX)
        json_u64(j, "ssthresh", c->cc.ssthresh);
    else
        json_null(j, "ssthresh");
    json_u64(j, "srtt_us", c->srtt / 8);
    json_u64(j, "rttvar_us", c->rttvar / 4);
    json_u64(j, "rto_us", tcp_rto_us(tcp, c));
    json_u64(j, "mss", c->mss);
    json_u64(j, "snd_wnd", c->snd_wnd);
    json_u64(j, "rcv_wnd", tcp_rcv_wnd(c));
    json_u64(j, "in_flight", seq_diff(c->snd_max, c->snd_una));
    json_u64(j, "sndq", c->sndq.cc);
    json_u64(j, "rcvq", c->rcvq.cc);
    json_u64(j, "rxtshift", c->rxtshift);
    json_bool(j, "closed_by_app", c->flags & TF_DETACHED);
    json_end(j);
}

/* A slot that nobody has is CLOSED: a connection is set so before it is given back. */
static bool slot_is_used(const struct tcp_conn *c)
{
    return c->state != TCPS_CLOSED;
}

size_t status_conns(const struct status_source *s, uint32_t from, uint32_t count, char *buf,
                    size_t n)
{
    const struct pool *p = &stack_tcp(s->stack)->conns;
    uint32_t end = from < p->fresh ? min_u32(p->fresh - from, SLOTS_MAX) + from : from;
    uint32_t found = 0, i;
    struct json j;

    count = count == 0 ? CONNS_DEFAULT : min_u32(count, CONNS_MAX);
    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_array(&j, "connections");
    for (i = from; i < end && found < count; i++) {
        const struct tcp_conn *c = pool_at(p, i);
        if (slot_is_used(c)) {
            put_conn(&j, s, c);
            found++;
        }
    }
    json_end(&j);
    if (i < p->fresh)
        json_u64(&j, "next", i);
    else
        json_null(&j, "next");
    json_end(&j);
    return json_fini(&j);
}

/* ---- questions ---------------------------------------------------------------------- */

/* If text begins with the word: what follows it, blanks skipped; else NULL. */
static const char *after_word(const char *text, const char *word)
{
    while (*word && *text == *word) {
        text++;
        word++;
    }
    if (*word || (*text && *text != ' '))
        return NULL;
    while (*text == ' ')
        text++;
    return text;
}

static uint32_t take_number(const char **text)
{
    uint32_t v = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++)
        v = v > 100000000 ? v : v * 10 + (uint32_t)(**text - '0');
    while (**text == ' ')
        (*text)++;
    return v;
}

size_t status_answer(const struct status_source *s, const char *question, char *buf, size_t n)
{
    const char *rest = after_word(question, "conns");

    if (rest) {
        uint32_t from = take_number(&rest), count = take_number(&rest);
        return status_conns(s, from, count, buf, n);
    }
    if (after_word(question, "status"))
        return status_print(s, buf, n);
    return fmt_print(buf, n, "{\"error\":\"ask status, or conns FROM COUNT\"}");
}
