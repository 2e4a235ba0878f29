/* Any segment: it is refused, or what was parsed is parsed again from what is emitted, in either
 * system's layout.  Aligning the options may cost SACK blocks, but only the last ones. */
#include <string.h>

#include "lib/fuzz_target.h"
#include "wire/wire.h"

static void check_same(const struct tcp_seg *a, const struct tcp_seg *b)
{
    MR_ASSERT(seq_eq(a->seq, b->seq) && seq_eq(a->ack, b->ack));
    MR_ASSERT(a->sport == b->sport && a->dport == b->dport);
    MR_ASSERT(a->flags == b->flags && a->wnd == b->wnd && a->urp == b->urp && a->csum == b->csum);
    MR_ASSERT(a->has_mss == b->has_mss && a->mss == b->mss);
    MR_ASSERT(a->has_wscale == b->has_wscale && a->wscale == b->wscale);
    MR_ASSERT(a->has_sack_ok == b->has_sack_ok && a->has_ts == b->has_ts);
    MR_ASSERT(a->ts_val == b->ts_val && a->ts_ecr == b->ts_ecr);
}

static void check_order(const struct tcp_seg *s, enum tcp_opt_order order)
{
    struct tcp_seg again, third;
    uint8_t b[TCP_HLEN_MAX];
    size_t n = tcp_emit(b, s, order);

    MR_ASSERT(n <= TCP_HLEN_MAX);
    MR_ASSERT(tcp_parse(&again, b, n) == WIRE_OK);
    MR_ASSERT(again.hlen == n && again.len == 0);
    check_same(s, &again);
    MR_ASSERT(again.nsack <= s->nsack);
    MR_ASSERT(memcmp(again.sack, s->sack, again.nsack * sizeof(s->sack[0])) == 0);

    /* From here on nothing changes any more. */
    MR_ASSERT(tcp_parse(&third, b, tcp_emit(b, &again, order)) == WIRE_OK);
    MR_ASSERT(third.nsack == again.nsack && third.hlen == again.hlen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcp_seg s;

    if (tcp_parse(&s, data, size) != WIRE_OK)
        return 0;
    MR_ASSERT(s.hlen >= TCP_HLEN && s.hlen + s.len == size);
    MR_ASSERT(s.nsack <= TCP_SACK_MAX);
    check_order(&s, TCP_ORDER_LINUX);
    check_order(&s, TCP_ORDER_FREEBSD);
    return 0;
}
