#include "knobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

#define KNOB(n) {#n, offsetof(struct stack_config, tcp.n), sizeof(((struct tcp_config *)0)->n)}
#define LIMIT(path, n)                                                                             \
    {"limits." #n, offsetof(struct stack_config, limits.path n),                                   \
     sizeof(((struct stack_config *)0)->limits.path n)}

static const struct knob {
    const char *name;
    size_t at, size;
} knobs[] = {
    KNOB(opt_order),
    KNOB(window_scaling),
    KNOB(timestamps),
    KNOB(sack),
    KNOB(delack),
    KNOB(cookies),
    KNOB(cc),
    KNOB(initial_window_segs),
    KNOB(sndbuf),
    KNOB(sndbuf_max),
    KNOB(rcvbuf),
    KNOB(rcvbuf_max),
    KNOB(mss_max),
    KNOB(rto_initial_us),
    KNOB(rto_min_us),
    KNOB(rto_max_us),
    KNOB(delack_us),
    KNOB(persist_min_us),
    KNOB(persist_max_us),
    KNOB(msl_ms),
    KNOB(fin_wait_2_ms),
    KNOB(retries_max),
    KNOB(r2_ms),
    KNOB(syn_r2_ms),
    KNOB(synack_retries),
    KNOB(keep_idle_ms),
    KNOB(keep_intvl_ms),
    KNOB(keep_cnt),
    KNOB(challenge_interval_ms),
    KNOB(port_lo),
    KNOB(port_hi),
    KNOB(ttl),
    KNOB(isn_fixed),
    KNOB(isn_offset),
    LIMIT(tcp., conns),
    LIMIT(tcp., time_wait),
    LIMIT(tcp., syns),
    LIMIT(tcp., ooo_packets),
    LIMIT(tcp., ooo_runs),
    LIMIT(tcp., sack_ranges),
    LIMIT(tcp., cold),
    LIMIT(tcp., loss),
    LIMIT(, tx_packets),
    LIMIT(, copy_packets),
    LIMIT(, snd_chunks),
    LIMIT(, snd_bufs),
};

static const struct {
    const char *linux_name, *name;
} aliases[] = {
    {"net.ipv4.tcp_timestamps", "timestamps"},
    {"net.ipv4.tcp_sack", "sack"},
    {"net.ipv4.tcp_window_scaling", "window_scaling"},
    {"net.ipv4.tcp_syncookies", "cookies"},
    {"net.ipv4.tcp_synack_retries", "synack_retries"},
    {"net.ipv4.tcp_congestion_control", "cc"},
    {"net.ipv4.ip_default_ttl", "ttl"},
};

static const struct {
    const char *knob, *word;
    int64_t value;
} words[] = {
    {"opt_order", "linux", TCP_ORDER_LINUX},
    {"opt_order", "freebsd", TCP_ORDER_FREEBSD},
    {"cc", "newreno", CC_NEWRENO},
    {"cc", "reno", CC_NEWRENO},
    {"cc", "cubic", CC_CUBIC},
    {"cookies", "off", TCP_COOKIES_OFF},
    {"cookies", "overflow", TCP_COOKIES_OVERFLOW},
    {"cookies", "always", TCP_COOKIES_ALWAYS},
};

static bool word_value(const char *knob, const char *text, int64_t *out)
{
    struct cursor c;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(knob, words[i].knob) == 0 && strcmp(text, words[i].word) == 0)
            return *out = words[i].value, true;
    cursor_init(&c, text);
    return take_number(&c, out) && at_end(&c);
}

static bool put(struct stack_config *c, const char *name, int64_t v)
{
    for (size_t i = 0; i < ARRAY_LEN(knobs); i++) {
        if (strcmp(name, knobs[i].name) != 0)
            continue;
        /* Little-endian: the low bytes come first. */
        memcpy((uint8_t *)c + knobs[i].at, &v, knobs[i].size);
        return true;
    }
    return false;
}

static bool put_profile(struct stack_config *c, const char *name)
{
    if (strcmp(name, "linux") == 0) {
        c->tcp.opt_order = TCP_ORDER_LINUX;
        return true;
    }
    if (strcmp(name, "freebsd") != 0)
        return false;
    /* FreeBSD announces 65535 and scale 6. */
    c->tcp.opt_order = TCP_ORDER_FREEBSD;
    c->tcp.rcvbuf = 65535;
    c->tcp.rcvbuf_max = 2 << 20;
    return true;
}

static bool apply_knob(struct stack_config *c, const struct setting *s)
{
    const char *name = s->name;
    int64_t v;

    if (strcmp(name, "profile") == 0)
        return put_profile(c, s->value);
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
        if (strcmp(name, aliases[i].linux_name) == 0)
            name = aliases[i].name;
    return word_value(name, s->value, &v) && put(c, name, v);
}

static bool apply_option(struct run_options *o, const struct setting *s)
{
    struct cursor c;
    uint32_t v;

    cursor_init(&c, s->value);
    if (strcmp(s->name, "local_ip") == 0)
        return expect_ip4(&c, &o->local_ip);
    if (strcmp(s->name, "remote_ip") == 0)
        return expect_ip4(&c, &o->remote_ip);
    if (strcmp(s->name, "gateway_ip") == 0)
        return expect_ip4(&c, &o->gateway_ip);
    if (strcmp(s->name, "ip_version") == 0)
        return strcmp(s->value, "ipv4") == 0;
    if (!expect_u32(&c, &v))
        return false;
    if (strcmp(s->name, "tolerance_usecs") == 0)
        return o->tolerance_us = v, true;
    if (strcmp(s->name, "mtu") == 0)
        return o->mtu = v, true;
    if (strcmp(s->name, "prefix_len") == 0)
        return o->prefix_len = v, true;
    if (strcmp(s->name, "remote_isn") == 0)
        return o->remote_isn = v, true;
    return false;
}

void run_options_default(struct run_options *o)
{
    *o = (struct run_options){
        .local_ip = 0xc0a80001,   /* 192.168.0.1 */
        .gateway_ip = 0xc0a80002, /* 192.168.0.2 */
        .remote_ip = 0xc0000201,  /* 192.0.2.1 */
        .prefix_len = 16,
        .mtu = 1500,
        .tolerance_us = 4000,
        /* A few hundred bytes before the wrap. */
        .remote_isn = 0xfffffe00,
    };
}

bool knobs_apply(const struct script *s, struct run_options *o, struct stack_config *c, char *why,
                 size_t whylen)
{
    for (int i = 0; i < s->noptions; i++) {
        if (!apply_option(o, &s->options[i])) {
            snprintf(why, whylen, "%s:%d: unknown option or value: --%s=%s", s->path,
                     s->options[i].line, s->options[i].name, s->options[i].value);
            return false;
        }
    }
    for (int i = 0; i < s->nknobs; i++) {
        if (!apply_knob(c, &s->knobs[i])) {
            snprintf(why, whylen, "%s:%d: unknown knob or value: %s=%s", s->path,
                     s->knobs[i].line, s->knobs[i].name, s->knobs[i].value);
            return false;
        }
    }
    return true;
}
