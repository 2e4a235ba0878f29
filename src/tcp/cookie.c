/* SYN cookies (RFC 4987 3.6, Bernstein): the SYN,ACK's sequence number carries what the SYN queue
 * would have kept.
 *
 *     31            8 7    5 4     2  1    0
 *     |  24-bit MAC   | mss | wscale|sack|slot|      the low byte is masked with MAC bits
 *
 * MAC = SipHash(key, four-tuple, the peer's ISN, the low byte, a counter of 64 s).  The slot bit
 * tells which of two counters, so a cookie lives for 64 to 128 s.  Timestamps need no bits: the
 * peer's ACK shows whether it uses them. */
#include "tcp/tcp_int.h"

#define SLOT_SHIFT 26 /* 2^26 us = 67 s */

static const uint16_t mss_table[8] = {TCP_MSS_MIN, 216, 536, 1220, 1360, 1440, 1460, 8960};
/* Index 7: the peer did not offer scaling. */
static const uint8_t wscale_table[7] = {0, 2, 4, 6, 7, 8, 10};

struct cookie_input {
    struct flow_key key;
    uint32_t irs, slot, bits;
    uint32_t spare;
};

static uint32_t cookie_mac(const struct tcp *t, const struct flow_key *k, uint32_t irs,
                           uint32_t slot, uint8_t bits)
{
    struct cookie_input c = {*k, irs, slot, bits, 0};

    return (uint32_t)siphash(&t->cookie_key, &c, sizeof(c));
}

static uint8_t mss_index(uint16_t mss)
{
    uint8_t i = 7;

    while (i > 0 && mss_table[i] > mss)
        i--;
    return i;
}

static uint8_t wscale_index(const struct tcp_syn *y)
{
    uint8_t i = 6;

    if (!(y->flags & TSYN_WSCALE))
        return 7;
    while (i > 0 && wscale_table[i] > y->snd_scale)
        i--;
    return i;
}

void tcp_cookie_send(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                     const struct tcp_in *in)
{
    struct tcp_syn y;
    uint32_t slot = (uint32_t)(t->now >> SLOT_SHIFT);

    tcp_syn_fill(t, &y, l, k, in);
    uint8_t bits = (uint8_t)(mss_index(y.mss) << 5 | wscale_index(&y) << 2 |
                             (y.flags & TSYN_SACK ? 2 : 0) | (slot & 1));
    uint32_t mac = cookie_mac(t, k, y.irs_v, slot, bits);
    uint32_t mask = cookie_mac(t, k, y.irs_v, slot & 1, 0xff) >> 24;
    uint32_t cookie = (mac & 0xffffff00) | (uint8_t)((bits ^ mask) & 0xfe) | (bits & 1);
    l->overflow_at = t->now;
    /* What was answered for the last connection of this four-tuple goes first. */
    tcp_replies_output(t);
    if (tcp_syn_ack_send(t, &y, seq_of(cookie)))
        t->stats.syncookies_sent++;
}

/* The counter the cookie was made with: the newest whose low bit is the slot bit. */
static uint32_t cookie_slot(const struct tcp *t, uint32_t cookie)
{
    uint32_t slot = (uint32_t)(t->now >> SLOT_SHIFT);

    return (slot & 1) == (cookie & 1) ? slot : slot - 1;
}

static bool cookie_decode(struct tcp *t, const struct flow_key *k, const struct tcp_seg *s,
                          struct tcp_syn *y)
{
    uint32_t cookie = s->ack.v - 1, irs = s->seq.v - 1;
    uint32_t slot = cookie_slot(t, cookie);
    uint32_t mask = cookie_mac(t, k, irs, slot & 1, 0xff) >> 24;
    uint8_t bits = (uint8_t)(((cookie ^ mask) & 0xfe) | (cookie & 1));

    if ((cookie_mac(t, k, irs, slot, bits) ^ cookie) & 0xffffff00)
        return false;
    *y =
        (struct tcp_syn){.key = *k, .kind = FLOW_SYN, .iss_v = cookie, .irs_v = irs, .wnd = s->wnd};
    y->mss = mss_table[bits >> 5];
    y->flags = bits & 2 ? TSYN_SACK : 0;
    if ((bits >> 2 & 7) < 7) {
        y->flags |= TSYN_WSCALE;
        y->snd_scale = wscale_table[bits >> 2 & 7];
    }
    return true;
}

/* Whether a segment brings back a cookie of ours; changes nothing. */
bool tcp_cookie_is_ours(struct tcp *t, const struct tcp_listener *l, const struct flow_key *k,
                        const struct tcp_seg *s)
{
    struct tcp_syn y;

    return tcp_cookies_live(t, l) && !(s->flags & TH_SYN) && cookie_decode(t, k, s, &y);
}

bool tcp_cookies_live(const struct tcp *t, const struct tcp_listener *l)
{
    return l->overflow_at && t->now - l->overflow_at <= (UINT64_C(2) << SLOT_SHIFT);
}

/* Judged only while cookies are, or were within their life, being sent: otherwise forging them
 * costs a guess each. Meanwhile an ACK that is no cookie is dropped without an answer: it may
 * belong to a peer that believes the connection open and whose first segment was lost; a RST would
 * kill what its retransmission will complete (simulator, seed 511). True: the segment is dealt
 * with. */
bool tcp_cookie_input(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                      struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;
    struct tcp_syn y;

    if (!tcp_cookies_live(t, l))
        return false;
    if ((s->flags & TH_SYN) || !cookie_decode(t, k, s, &y)) {
        tcp_drop(in, &t->stats.drop_bad_cookie);
        return true;
    }
    if (y.flags & TSYN_WSCALE)
        y.rcv_scale = (uint8_t)tcp_wscale_wanted(
            t, l->inherit.rcv_buf, l->inherit.flags & TF_RCVBUF_FIXED, l->inherit.window_clamp);
    y.ts_offset = tcp_ts_offset(t, k);
    if (s->has_ts) {
        y.flags |= TSYN_TS;
        y.ts_recent = s->ts_val;
    }
    struct tcp_conn *c = l->accept_n < l->backlog ? tcp_passive_conn(t, l, &y, NULL, in) : NULL;
    if (!c) {
        tcp_drop(in, &t->stats.drop_accept_full);
        return true;
    }
    t->stats.syncookies_good++;
    tcp_segment_input(t, c, in);
    return true;
}
