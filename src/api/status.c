/* A core's own part: its numbers copied, its connections printed. */
#include "api/status.h"

#include "stat/json.h"

#define CONNS_DEFAULT 256u
#define CONNS_MAX 1000u /* a page, at 400 bytes each, fits the control socket's buffer */
/* Slots looked at for a page: a core must not stand still for its statistics. */
#define SLOTS_MAX 16384u

/* ---- a copy of what is counted ------------------------------------------------------- */

static void take_addresses(struct status_netif *out, const struct ip *ip, unsigned netif)
{
    for (unsigned i = 0; i < IP_ADDRS_MAX && out->addrs < STATUS_ADDRS_MAX; i++)
        if (ip->laddr[i].set && ip->laddr[i].netif == netif)
            out->addr[out->addrs++] = ip->laddr[i].addr;
}

static void take_netif(struct status_netif *out, struct stack *s, unsigned i)
{
    const struct netif *nif = &stack_eth(s)->netif[i];

    *out = (struct status_netif){
        .name = "loopback",
        .mac = nif->mac,
        .mtu = nif->mtu,
        .vlan = nif->vlan,
        .tso_max = nif->tso_max,
        .up = nif->up,
        .tx_csum = nif->tx_csum,
        .has_port = nif->nic != NULL,
    };
    if (nif->nic) {
        memcpy(out->name, nif->nic->name, sizeof(out->name));
        out->port = nif->nic->stats[nif->queue];
    }
    take_addresses(out, stack_ip(s), i);
}

static void take_pool(struct status_core *out, const char *name, const struct pool *p,
                      uint32_t buf_size)
{
    MR_ASSERT(out->pools < STATUS_POOLS_MAX);
    out->pool[out->pools++] = (struct status_pool){
        .name = name,
        .used = p->used,
        .used_max = p->used_max,
        .capacity = p->capacity,
        .fresh = p->fresh,
        .size = p->stride + buf_size,
        .failures = p->failures,
    };
}

static void take_pkt_pool(struct status_core *out, const char *name, const struct pkt_pool *p)
{
    take_pool(out, name, &p->descs, p->buf_size);
    out->pool[out->pools - 1].posted = p->posted;
}

static void take_pools(struct status_core *out, const struct status_source *s)
{
    const struct tcp *tcp = stack_tcp(s->stack);
    const struct udp *udp = stack_udp(s->stack);
    const struct ip *ip = stack_ip(s->stack);

    if (s->rx_pool)
        take_pkt_pool(out, s->rx_pool->name, s->rx_pool);
    take_pkt_pool(out, "packets to send", tcp->tx);
    take_pkt_pool(out, "copied packets", tcp->copies);
    take_pkt_pool(out, "datagrams of 64 KB", &ip->jumbo);
    take_pkt_pool(out, "loopback packets", &ip->loop);
    take_pkt_pool(out, "copied datagrams", &udp->copies);
    take_pool(out, "send buffer chunks", &tcp->sbufs->chunks, 0);
    take_pool(out, "send buffer descriptors", &tcp->sbufs->bufs, 0);
    take_pool(out, "connections", &tcp->conns, 0);
    take_pool(out, "connections in TIME-WAIT", &tcp->tws, 0);
    take_pool(out, "half-open connections", &tcp->syns, 0);
    take_pool(out, "listeners", &tcp->listeners, 0);
    take_pool(out, "connection options", &tcp->colds, 0);
    take_pool(out, "SACK scoreboards", &tcp->losses, 0);
    take_pool(out, "UDP sockets", &udp->pcbs, 0);
    take_pool(out, "application timers", &stack_sock(s->stack)->timers, 0);
    take_pool(out, "reassembly: datagrams", &ip->reass_pool, 0);
    take_pool(out, "reassembly: pieces", &ip->chunk_pool, 0);
}

static void take_counters(struct status_core *out, struct stack *s)
{
    const struct mail *mail = stack_cores(s)->mail;

    out->eth = stack_eth(s)->stats;
    out->ip = stack_ip(s)->stats;
    out->udp = stack_udp(s)->stats;
    out->tcp = stack_tcp(s)->stats;
    out->sock = stack_sock(s)->stats;
    out->mail = mail ? mail->stats : (struct mail_stats){0};
}

static size_t take_app(const struct status_source *s, char *text)
{
    size_t n = s->app && s->app->status ? s->app->status(s->core_state, text, STATUS_APP_BYTES) : 0;

    return n < STATUS_APP_BYTES ? n : 0;
}

void status_take(const struct status_source *s, struct status_core *out)
{
    const struct tcp *tcp = stack_tcp(s->stack);

    out->now_us = stack_now(s->stack);
    out->turns = s->turns;
    out->busy_turns = s->busy_turns;
    out->captured = s->captured;
    out->capture_lost = s->capture_lost;
    out->frames_dropped = s->frames_dropped;
    out->connections = tcp->conns.used;
    out->half_open = tcp->syns.used;
    out->time_wait = tcp->tws.used;
    out->cpu = s->cpu;
    out->no_queue = s->no_queue;
    take_counters(out, s->stack);
    out->post = s->post ? *s->post : (struct post_stats){0};
    out->pools = 0;
    take_pools(out, s);
    for (out->netifs = 0; out->netifs < stack_eth(s->stack)->netifs; out->netifs++)
        take_netif(&out->netif[out->netifs], s->stack, out->netifs);
    out->app_n = take_app(s, out->app);
}

size_t status_print(const struct status_source *s, char *buf, size_t n)
{
    static const struct status_program nobody = {0};
    struct status_core copy;
    const struct status_core *cores[] = {&copy};

    status_take(s, &copy);
    return status_merge(&nobody, cores, 1, buf, n);
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

static void put_conn(struct json *j, struct stack *s, unsigned core, const struct tcp_conn *c)
{
    const struct tcp *tcp = stack_tcp(s);

    json_object(j, NULL);
    json_u64(j, "core", core);
    put_end(j, "local", ip_laddr(stack_ip(s), c->key.lidx), c->key.lport);
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

/* A place in the list of all cores' connections, as one number. */
static uint64_t place(unsigned core, uint32_t slot)
{
    return (uint64_t)core << 32 | slot;
}

/* The page's connections; the slot to go on from, or UINT32_MAX: there are no more. */
static uint32_t put_conns(struct json *j, struct stack *s, const struct status_question *q)
{
    const struct pool *p = &stack_tcp(s)->conns;
    uint32_t end = q->slot < p->fresh ? min_u32(p->fresh - q->slot, SLOTS_MAX) + q->slot : q->slot;
    uint32_t count = q->count == 0 ? CONNS_DEFAULT : min_u32(q->count, CONNS_MAX), found = 0, i;

    for (i = q->slot; i < end && found < count; i++) {
        const struct tcp_conn *c = pool_at(p, i);
        if (slot_is_used(c)) {
            put_conn(j, s, q->core, c);
            found++;
        }
    }
    return i < p->fresh ? i : UINT32_MAX;
}

size_t status_conns(struct stack *stack, const struct status_question *q, unsigned cores, char *buf,
                    size_t n)
{
    uint32_t slot = UINT32_MAX;
    struct json j;

    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_array(&j, "connections");
    if (stack)
        slot = put_conns(&j, stack, q);
    json_end(&j);
    if (slot != UINT32_MAX)
        json_u64(&j, "next", place(q->core, slot));
    else if (q->core + 1 < cores)
        json_u64(&j, "next", place(q->core + 1, 0));
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

static uint64_t take_number(const char **text)
{
    uint64_t v = 0;

    for (; **text >= '0' && **text <= '9'; (*text)++)
        v = v > UINT64_C(1) << 53 ? v : v * 10 + (uint64_t)(**text - '0');
    while (**text == ' ')
        (*text)++;
    return v;
}

struct status_question status_question(const char *text)
{
    struct status_question q = {.ask = STATUS_ASK_STRANGE};
    const char *rest = after_word(text, "conns");

    if (rest) {
        uint64_t from = take_number(&rest), count = take_number(&rest);
        q.ask = STATUS_ASK_CONNS;
        q.core = (unsigned)min_u64(from >> 32, CORES_MAX);
        q.slot = (uint32_t)from;
        q.count = (uint32_t)min_u64(count, CONNS_MAX);
    } else if (after_word(text, "status")) {
        q.ask = STATUS_ASK_STATUS;
    }
    return q;
}

size_t status_sorry(char *buf, size_t n)
{
    return fmt_print(buf, n, "{\"error\":\"ask status, or conns FROM COUNT\"}");
}
