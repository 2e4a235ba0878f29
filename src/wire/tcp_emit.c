#include "wire/wire.h"

#include "base/bits.h"

/* Each put_x writes one option at p and returns the byte after it. */

static uint8_t *put_nops(uint8_t *p, unsigned n)
{
    while (n-- > 0)
        *p++ = TCPOPT_NOP;
    return p;
}

static uint8_t *put_mss(uint8_t *p, const struct tcp_seg *s)
{
    p[0] = TCPOPT_MSS;
    p[1] = 4;
    store_be16(p + 2, s->mss);
    return p + 4;
}

static uint8_t *put_wscale(uint8_t *p, const struct tcp_seg *s)
{
    p[0] = TCPOPT_WSCALE;
    p[1] = 3;
    p[2] = s->wscale;
    return p + 3;
}

static uint8_t *put_sack_ok(uint8_t *p)
{
    p[0] = TCPOPT_SACK_OK;
    p[1] = 2;
    return p + 2;
}

static uint8_t *put_ts(uint8_t *p, const struct tcp_seg *s)
{
    p[0] = TCPOPT_TS;
    p[1] = 10;
    store_be32(p + 2, s->ts_val);
    store_be32(p + 6, s->ts_ecr);
    return p + 10;
}

/* As many blocks as there is room for (RFC 2018 3: four, or three beside timestamps); the first
 * is the most recent one, so it is the last that are left out. */
static uint8_t *put_sack(uint8_t *p, const struct tcp_seg *s, unsigned room)
{
    unsigned blocks = room < 12 ? 0 : min_u32(s->nsack, (room - 4) / 8);

    if (blocks == 0)
        return p;
    p = put_nops(p, 2);
    p[0] = TCPOPT_SACK;
    p[1] = (uint8_t)(2 + 8 * blocks);
    for (unsigned i = 0; i < blocks; i++) {
        store_be32(p + 2 + 8 * i, s->sack[i].start.v);
        store_be32(p + 6 + 8 * i, s->sack[i].end.v);
    }
    return p + p[1];
}

/* Linux keeps every option, or pair of them, on a word of its own by NOPs in front; SACK_OK
 * takes their place before TS. */
static uint8_t *put_options_linux(uint8_t *p, const struct tcp_seg *s)
{
    if (s->has_mss)
        p = put_mss(p, s);
    if (s->has_sack_ok)
        p = put_sack_ok(s->has_ts ? p : put_nops(p, 2));
    if (s->has_ts)
        p = put_ts(s->has_sack_ok ? p : put_nops(p, 2), s);
    if (s->has_wscale)
        p = put_wscale(put_nops(p, 1), s);
    return p;
}

/* FreeBSD aligns WSCALE and TS to end on a word, lets SACK_OK stand anywhere, and fills up with
 * EOL.  MUST-69: the padding is zeros, which EOL is. */
static uint8_t *put_options_freebsd(uint8_t *p, const struct tcp_seg *s)
{
    unsigned past; /* bytes past the last whole word */

    if (s->has_mss)
        p = put_mss(p, s);
    if (s->has_wscale)
        p = put_wscale(put_nops(p, 1), s);
    if (s->has_sack_ok)
        p = put_sack_ok(p);
    past = s->has_sack_ok ? 2 : 0;
    if (s->has_ts) {
        p = put_ts(put_nops(p, 2 - past), s);
        past = 0;
    }
    if (past != 0 && s->nsack == 0) {
        p[0] = p[1] = TCPOPT_EOL;
        p += 2;
    } else {
        p = put_nops(p, past);
    }
    return p;
}

static uint8_t *put_options(uint8_t *p, const struct tcp_seg *s, enum tcp_opt_order order)
{
    uint8_t *end = NULL;

    switch (order) {
    case TCP_ORDER_LINUX:
        end = put_options_linux(p, s);
        break;
    case TCP_ORDER_FREEBSD:
        end = put_options_freebsd(p, s);
        break;
    }
    if (s->nsack != 0)
        end = put_sack(end, s, TCP_OPTLEN_MAX - (unsigned)(end - p));
    return end;
}

/* Any option besides TS: tested as one condition, since data and ACKs carry none. */
static bool has_rare_options(const struct tcp_seg *s)
{
    return s->has_mss | s->has_wscale | s->has_sack_ok | (s->nsack != 0);
}

size_t tcp_emit(uint8_t *b, const struct tcp_seg *s, enum tcp_opt_order order)
{
    size_t hlen = TCP_HLEN;

    if (unlikely(has_rare_options(s))) {
        hlen = (size_t)(put_options(b + TCP_HLEN, s, order) - b);
    } else if (s->has_ts) {
        put_ts(put_nops(b + TCP_HLEN, 2), s);
        hlen = TCP_HLEN + 12;
    }
    MR_ASSERT(hlen <= TCP_HLEN_MAX && hlen % 4 == 0);
    store_be16(b, s->sport);
    store_be16(b + 2, s->dport);
    store_be32(b + 4, s->seq.v);
    store_be32(b + 8, s->ack.v);
    store_be16(b + 12, (uint16_t)(hlen << 10 | (s->flags & 0x1ffu)));
    store_be16(b + 14, s->wnd);
    memcpy(b + 16, &s->csum, 2);
    store_be16(b + 18, s->urp);
    return hlen;
}
