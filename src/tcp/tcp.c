#include "tcp/tcp_int.h"

STAT_GROUP(tcp_stat_group, "tcp", TCP_STATS);

void tcp_limits_default(struct tcp_limits *l)
{
    *l = (struct tcp_limits){
        .conns = 65536,
        .time_wait = 65536,
        .syns = 4096,
        .listeners = 256,
        .cold = 16384,
        .loss = 8192,
        .ooo_packets = 16384,
        .ooo_runs = 128,
        .sack_ranges = TCP_SACK_RANGES,
    };
}

void tcp_config_default(struct tcp_config *c)
{
    *c = (struct tcp_config){
        .opt_order = TCP_ORDER_LINUX,
        .window_scaling = true,
        .timestamps = true,
        .sack = true,
        .delack = true,
        .cookies = TCP_COOKIES_OVERFLOW,
        .cc = CC_CUBIC,
        .initial_window_segs = 10,
        .sndbuf = 128 * 1024,
        .sndbuf_max = 8 * 1024 * 1024,
        .rcvbuf = 128 * 1024,
        .rcvbuf_max = 8 * 1024 * 1024,
        .rto_initial_us = 1000000,
        .rto_min_us = 200000,
        .rto_max_us = 60000000,
        .delack_us = 40000,
        .persist_min_us = 200000,
        .persist_max_us = 60000000,
        .msl_ms = 30000,
        .fin_wait_2_ms = 60000,
        .retries_max = 12,
        .r2_ms = 100000,
        .syn_r2_ms = 180000,
        .synack_retries = 7,
        .keep_idle_ms = 7200000,
        .keep_intvl_ms = 75000,
        .keep_cnt = 8,
        .challenge_interval_ms = 500,
        .port_lo = 32768,
        .port_hi = 60999,
        .ttl = 64,
    };
}

void tcp_init(struct tcp *t, struct mem *m, const struct tcp_limits *l, const struct tcp_config *c,
              const uint64_t secret[4])
{
    MR_ASSERT(l->sack_ranges <= TCP_SACK_RANGES);
    t->arena = m->base;
    t->config = *c;
    t->limits = *l;
    pool_init(&t->conns, m, l->conns, sizeof(struct tcp_conn), sizeof(struct tcp_conn));
    pool_init(&t->tws, m, l->time_wait, sizeof(struct tcp_tw), CACHE_LINE);
    pool_init(&t->syns, m, l->syns, sizeof(struct tcp_syn), MEM_UNIT);
    pool_init(&t->listeners, m, l->listeners, sizeof(struct tcp_listener), CACHE_LINE);
    pool_init(&t->colds, m, l->cold, sizeof(struct tcp_cold), MEM_UNIT);
    pool_init(&t->losses, m, l->loss, sizeof(struct tcp_loss), MEM_UNIT);
    flow_table_init(&t->flows, m, l->conns + l->time_wait + l->syns + l->away, secret);
    if (l->away) {
        pool_init(&t->aways, m, l->away, sizeof(struct tcp_away), MEM_UNIT);
        flow_table_init(&t->abroad, m, l->away, secret);
    }
    flow_ports_init(&t->ports, m);
    const uint64_t *isn = c->isn_secret;
    isn = isn[0] | isn[1] | isn[2] ? isn : secret;
    t->isn_key = (struct sip_key){{isn[0], isn[1]}};
    t->ts_key = (struct sip_key){{isn[1] ^ 0x7473, isn[2]}};
    t->cookie_key = (struct sip_key){{secret[2] ^ 0x636f, secret[3]}};
    flow_chooser_init(&t->chooser, m, &t->flows, &t->ports, t->ip->eth->cores, c->port_lo,
                      c->port_hi, (const uint64_t[2]){secret[3], secret[0] ^ 1});
    t->chooser.reuse = tcp_tw_reuse;
    t->chooser.reuse_arg = t;
    timer_init(&t->tw_timer, TIMER_TCP_TW);
}

static const char *const state_names[TCPS_COUNT] = {
    "CLOSED",     "LISTEN",  "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT",
    "FIN-WAIT-1", "CLOSING", "LAST-ACK", "FIN-WAIT-2",   "TIME-WAIT",
};

const char *tcp_state_name(enum tcp_state s)
{
    return s < TCPS_COUNT ? state_names[s] : "?";
}

#define EDGE(to) (1u << TCPS_##to)

/* RFC 9293 3.3.2, figure 5.  Any state may be aborted to CLOSED. */
static const uint16_t edges[TCPS_COUNT] = {
    [TCPS_CLOSED] = EDGE(SYN_SENT) | EDGE(ESTABLISHED),
    [TCPS_LISTEN] = 0,
    [TCPS_SYN_SENT] = EDGE(CLOSED) | EDGE(SYN_RECEIVED) | EDGE(ESTABLISHED),
    [TCPS_SYN_RECEIVED] = EDGE(CLOSED) | EDGE(ESTABLISHED) | EDGE(FIN_WAIT_1) | EDGE(CLOSE_WAIT),
    [TCPS_ESTABLISHED] = EDGE(CLOSED) | EDGE(FIN_WAIT_1) | EDGE(CLOSE_WAIT),
    [TCPS_CLOSE_WAIT] = EDGE(CLOSED) | EDGE(LAST_ACK),
    [TCPS_FIN_WAIT_1] = EDGE(CLOSED) | EDGE(FIN_WAIT_2) | EDGE(CLOSING) | EDGE(TIME_WAIT),
    [TCPS_CLOSING] = EDGE(CLOSED) | EDGE(TIME_WAIT),
    [TCPS_LAST_ACK] = EDGE(CLOSED),
    [TCPS_FIN_WAIT_2] = EDGE(CLOSED) | EDGE(TIME_WAIT),
    [TCPS_TIME_WAIT] = EDGE(CLOSED),
};

bool tcp_edge_is_legal(enum tcp_state from, enum tcp_state to)
{
    return from < TCPS_COUNT && to < TCPS_COUNT && (edges[from] >> to & 1);
}
