#include "wire/wire.h"

/* Kinds with a fixed length, counted with kind and length bytes; 0 where it is not fixed. */
static unsigned fixed_len(uint8_t kind)
{
    switch (kind) {
    case TCPOPT_MSS:
        return 4;
    case TCPOPT_WSCALE:
        return 3;
    case TCPOPT_SACK_OK:
        return 2;
    case TCPOPT_TS:
        return 10;
    default:
        return 0;
    }
}

/* RFC 2018 3: kind, length, then one to four pairs of edges. */
static enum wire_err parse_sack(struct tcp_seg *out, const uint8_t *opt, unsigned len)
{
    unsigned blocks = (len - 2) / 8;

    if (blocks == 0 || len != 2 + 8 * blocks)
        return WIRE_OPTION;
    MR_ASSERT(blocks <= TCP_SACK_MAX);
    for (unsigned i = 0; i < blocks; i++) {
        out->sack[i].start = seq_of(load_be32(opt + 2 + 8 * i));
        out->sack[i].end = seq_of(load_be32(opt + 6 + 8 * i));
    }
    out->nsack = (uint8_t)blocks;
    return WIRE_OK;
}

/* One option of len bytes that lies inside the header.  MSS is the one that every TCP has to know
 * besides EOL and NOP (MUST-4), in any segment (MUST-5). */
static enum wire_err parse_option(struct tcp_seg *out, const uint8_t *opt, unsigned len)
{
    unsigned fixed = fixed_len(opt[0]);

    if (fixed != 0 && fixed != len)
        return WIRE_OPTION;
    switch (opt[0]) {
    case TCPOPT_MSS:
        out->has_mss = true;
        out->mss = load_be16(opt + 2);
        break;
    case TCPOPT_WSCALE:
        out->has_wscale = true;
        out->wscale = opt[2];
        break;
    case TCPOPT_SACK_OK:
        out->has_sack_ok = true;
        break;
    case TCPOPT_SACK:
        return parse_sack(out, opt, len);
    case TCPOPT_TS:
        out->has_ts = true;
        out->ts_val = load_be32(opt + 2);
        out->ts_ecr = load_be32(opt + 6);
        break;
    default:
        /* MUST-6: an option that is not implemented is passed over by its length. */
        break;
    }
    return WIRE_OK;
}

/* RFC 9293 3.1 and 3.2: options begin on any byte (MUST-64); EOL and NOP are single bytes, all
 * others have a length (MUST-68), which may be a lie (MUST-7). */
static MR_NO_INLINE enum wire_err parse_options(struct tcp_seg *out, const uint8_t *opt,
                                                unsigned optlen)
{
    unsigned i = 0;

    while (i < optlen && opt[i] != TCPOPT_EOL) {
        if (opt[i] == TCPOPT_NOP) {
            i++;
            continue;
        }
        if (optlen - i < 2 || opt[i + 1] < 2 || opt[i + 1] > optlen - i)
            return WIRE_OPTION;
        enum wire_err e = parse_option(out, opt + i, opt[i + 1]);
        if (e != WIRE_OK)
            return e;
        i += opt[i + 1];
    }
    return WIRE_OK;
}

/*  RFC 9293 3.1:
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-------------------------------+-------------------------------+
 * 0 |          Source Port          |       Destination Port        |
 *   +-------------------------------+-------------------------------+
 * 4 |                        Sequence Number                        |
 *   +---------------------------------------------------------------+
 * 8 |                     Acknowledgment Number                     |
 *   +-------+-----+-+-+-+-+-+-+-+-+-+-------------------------------+
 *12 |  Data | Rsr |A|C|E|U|A|P|R|S|F|            Window             |
 *   | Offset| vd  |E|W|C|R|C|S|S|Y|I|                               |
 *   +-------+-----+-+-+-+-+-+-+-+-+-+-------------------------------+
 *16 |           Checksum            |         Urgent Pointer        |
 *   +-------------------------------+-------------------------------+  */
static void parse_fixed(struct tcp_seg *out, const uint8_t *b)
{
    out->sport = load_be16(b);
    out->dport = load_be16(b + 2);
    out->seq = seq_of(load_be32(b + 4));
    out->ack = seq_of(load_be32(b + 8));
    out->flags = load_be16(b + 12) & 0x1ff;
    out->wnd = load_be16(b + 14);
    memcpy(&out->csum, b + 16, 2);
    out->urp = load_be16(b + 18);

    out->wscale = 0;
    out->has_mss = out->has_wscale = out->has_sack_ok = out->has_ts = false;
    out->nsack = 0;
    out->mss = 0;
    out->ts_val = out->ts_ecr = 0;
}

enum wire_err tcp_parse(struct tcp_seg *out, const uint8_t *b, size_t n)
{
    if (unlikely(n < TCP_HLEN))
        return WIRE_SHORT;

    unsigned hlen = (b[12] >> 4) * 4u;
    if (unlikely(hlen < TCP_HLEN || hlen > n))
        return WIRE_HLEN;
    parse_fixed(out, b);
    out->hlen = (uint8_t)hlen;
    out->len = (uint32_t)(n - hlen);
    if (hlen == TCP_HLEN)
        return WIRE_OK;
    if (likely(hlen == TCP_HLEN + TCP_NOP_NOP_TS_LEN &&
               load_be32(b + TCP_HLEN) == TCP_NOP_NOP_TS)) {
        out->has_ts = true;
        out->ts_val = load_be32(b + 24);
        out->ts_ecr = load_be32(b + 28);
        return WIRE_OK;
    }
    return parse_options(out, b + TCP_HLEN, hlen - TCP_HLEN);
}
