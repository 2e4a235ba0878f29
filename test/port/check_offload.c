/* Checksums and segments: whoever makes them, they are right. */
#include "contract.h"

#include <stdlib.h>

#include "os/os.h"

#define BIG 64000u
#define MSS 1448u

/* ---- to the peer ----------------------------------------------------------------------- */

/* A packet whose checksum is the port's to finish, in `frags` pieces behind its headers. */
static struct pkt *partial(struct rig *r, uint8_t *frame, uint32_t n, bool tcp, unsigned frags)
{
    uint32_t head = tcp ? ETH_IP_TCP : ETH_IP_UDP;
    struct beside with;

    frame_make_partial(frame, n, &with);
    struct pkt *p =
        frags ? port_pieces(&r->port, frame, n, head, frags) : port_packet(&r->port, frame, n);
    p->flags = PKT_CSUM_PARTIAL;
    p->l3_off = (uint16_t)(p->data - p->buf + 14);
    p->l4_off = (uint16_t)(p->data - p->buf + 34);
    return p;
}

/* The payload is the frame's, whatever became of the sum. */
static bool payload_is(const uint8_t *a, const uint8_t *b, uint32_t n, uint32_t from)
{
    return memcmp(a + from, b + from, n - from) == 0;
}

static void sums_of_the_port(struct rig *r)
{
    static uint8_t frame[FRAME_MAX], got[FRAME_MAX];
    struct beside with;

    if (!r->port.nic->caps.tx_csum) {
        pass_over(r, "the port leaves checksums to the stack");
        return;
    }
    for (unsigned i = 0; i < 600 && !r->failed; i++) {
        bool tcp = i & 1;
        unsigned frags = i % 5;
        uint32_t n = 100 + mix(i) % (14 + r->port.nic->caps.mtu - 100 + 1);
        if (tcp)
            frame_tcp(r, FROM_PORT, frame, n, mix(i));
        else
            frame_udp(r, FROM_PORT, frame, n, i, 0);
        struct pkt *p = partial(r, frame, n, tcp, frags);
        if (!rig_transmit(r, 0, &p, 1))
            return;
        uint32_t len = rig_peer_recv(r, got, &with, PATIENCE_US);
        want(r, len == n && payload_is(got, frame, n, tcp ? ETH_IP_TCP : ETH_IP_UDP),
             "%u bytes came as %u", n, len);
        want(r, len == n && frame_csum_is_right(got, len, &with),
             "%s of %u bytes in %u fragments: wrong checksum (%s)", tcp ? "TCP" : "UDP", n, frags,
             with.partial ? "partial" : "finished");
        want(r, port_settle(&r->port, PATIENCE_US), "%s", r->port.why);
    }
}

static void sums_of_the_stack(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    const struct nic_caps *caps = &r->port.nic->caps;
    struct beside with;

    want(r, !caps->tx_csum && caps->tso_max == 0, "without offloads it still offers some");
    for (unsigned i = 0; i < 100 && !r->failed; i++) {
        uint32_t n = 60 + mix(i) % (14 + caps->mtu - 60 + 1);
        frame_udp(r, FROM_PORT, frame, n, i, 0);
        struct pkt *p = port_packet(&r->port, frame, n);
        if (!rig_transmit(r, 0, &p, 1))
            return;
        uint32_t len = rig_peer_recv(r, frame, &with, PATIENCE_US);
        want(r, frame_is(r, FROM_PORT, frame, len, n, i, 0), "a finished frame was changed");
        want(r, !with.partial && len == n && frame_csum_is_right(frame, len, &with),
             "a finished checksum is not what the peer sees");
    }
    for (unsigned i = 0; i < 100 && !r->failed; i++)
        rig_round(r, 60 + mix(i) % 1400, i);
}

/* ---- from the peer --------------------------------------------------------------------- */

static void wrong_sums_are_not_called_right(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct pkt *p;

    for (unsigned i = 0; i < 200 && !r->failed; i++) {
        uint32_t n = 60 + mix(i) % 1400;
        bool wrong = i & 1;
        if (i & 2)
            frame_tcp(r, TO_PORT, frame, n, mix(i));
        else
            frame_udp(r, TO_PORT, frame, n, i, 0);
        if (wrong)
            frame[n - 1] ^= 0x40;
        rig_peer_send(r, frame, n);
        if (rig_receive(r, 0, &p, 1, PATIENCE_US) == 0) {
            want(r, wrong, "a good frame of %u bytes did not come", n); /* a NIC may drop others */
            continue;
        }
        want(r, !wrong || !(p->flags & (PKT_CSUM_OK | PKT_CSUM_PARTIAL)),
             "a wrong checksum is marked as right");
        want(r, p->len == n && memcmp(p->data, frame, n) == 0, "%u bytes came as %u", n, p->len);
        pkt_put(p);
    }
}

/* What the sum of a received packet is worth. */
static bool sum_holds(const struct pkt *p)
{
    struct beside with = {.partial = p->flags & PKT_CSUM_PARTIAL, .csum_start = 34};

    with.csum_offset = p->data[23] == IPPROTO_TCP_ ? 16 : 6;
    return frame_csum_is_right(p->data, p->len, &with) && (!with.partial || p->flags & PKT_CSUM_OK);
}

static void sums_left_to_the_device(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct pkt *p;

    if (r->end.nic && !r->end.nic->caps.tx_csum) {
        pass_over(r, "the peer finishes its checksums");
        return;
    }
    for (unsigned i = 0; i < 200 && !r->failed; i++) {
        uint32_t n = 100 + mix(i) % 1400;
        struct beside with = {0};
        if (i & 1)
            frame_tcp(r, TO_PORT, frame, n, mix(i));
        else
            frame_udp(r, TO_PORT, frame, n, i, 0);
        frame_make_partial(frame, n, &with);
        want(r, r->kind->send(r, frame, n, &with), "the peer could not send %u bytes", n);
        unsigned got = rig_receive(r, 0, &p, 1, PATIENCE_US);
        want(r, got == 1, "a frame of %u bytes with a partial checksum did not come", n);
        if (got == 0)
            return;
        want(r, p->len == n && sum_holds(p), "%u bytes came as %u, flags %#x: a wrong checksum", n,
             p->len, p->flags);
        pkt_put(p);
    }
}

/* ---- big segments ---------------------------------------------------------------------- */

/* The stream's bytes [first, first + total) as they come, cut anyhow, but in order. */
struct stream {
    uint32_t first, at, total, largest;
};

static bool stream_take(struct rig *r, struct stream *s, const uint8_t *f, uint32_t n,
                        const struct beside *with)
{
    uint32_t seq = load_be32(f + 38), len = n - ETH_IP_TCP;

    if (!want(r, n > ETH_IP_TCP && f[23] == IPPROTO_TCP_ && load_be16(f + 16) == n - 14,
              "%u bytes say that they are %u", n, load_be16(f + 16)) ||
        !want(r, seq == s->first + s->at, "sequence number %u, not %u", seq - s->first, s->at) ||
        !want(r, len <= MSS || with->gso_size == MSS, "%u bytes in one segment of %u", len,
              with->gso_size) ||
        !want(r, frame_csum_is_right(f, n, with), "wrong checksum at %u", s->at))
        return false;
    for (uint32_t i = 0; i < len; i++)
        if (!want(r, f[ETH_IP_TCP + i] == (uint8_t)mix(s->first + s->at + i),
                  "byte %u of the stream is wrong", s->at + i))
            return false;
    s->at += len;
    s->largest = max_u32(s->largest, len);
    return true;
}

static void segments_out(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    uint32_t most = r->port.nic->caps.tso_max;

    if (most == 0) {
        pass_over(r, "the port has no segmentation offload");
        return;
    }
    for (unsigned i = 0; i < 20 && !r->failed; i++) {
        uint32_t total = i < 4 ? min_u32(BIG, most) : 1 + mix(i) % min_u32(BIG, most);
        struct stream s = {.first = mix(i) | 0x80000000, .total = total};
        struct beside with;
        frame_tcp(r, FROM_PORT, frame, ETH_IP_TCP + total, s.first);
        struct pkt *p =
            partial(r, frame, ETH_IP_TCP + total, true, total < 100 ? 1 : 1 + i % PKT_FRAGS);
        p->gso_size = total > MSS ? MSS : 0;
        if (!rig_transmit(r, 0, &p, 1))
            return;
        while (s.at < total && !r->failed) {
            uint32_t n = rig_peer_recv(r, frame, &with, PATIENCE_US);
            if (want(r, n > 0, "%u of %u bytes came", s.at, total))
                stream_take(r, &s, frame, n, &with);
        }
        want(r, s.at == total, "%u bytes of %u came", s.at, total);
        want(r, port_settle(&r->port, PATIENCE_US), "%s", r->port.why);
    }
}

static void segments_in(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct pkt *p;

    if (r->end.nic && r->end.nic->caps.tso_max == 0) {
        pass_over(r, "the peer has no segmentation offload");
        return;
    }
    for (unsigned i = 0; i < 20 && !r->failed; i++) {
        uint32_t total = i < 4 ? 60000 : MSS + 1 + mix(i) % 58000;
        struct stream s = {.first = mix(i) | 0x80000000, .total = total};
        struct beside with = {0};
        frame_tcp(r, TO_PORT, frame, ETH_IP_TCP + total, s.first);
        frame_make_partial(frame, ETH_IP_TCP + total, &with);
        with.gso_size = MSS;
        if (!want(r, r->kind->send(r, frame, ETH_IP_TCP + total, &with),
                  "the peer could not send %u bytes", total))
            return;
        while (s.at < total && !r->failed) {
            if (!want(r, rig_receive(r, 0, &p, 1, PATIENCE_US) == 1, "%u of %u bytes came", s.at,
                      total))
                return;
            with = (struct beside){.partial = p->flags & PKT_CSUM_PARTIAL,
                                   .csum_start = 34,
                                   .csum_offset = 16,
                                   .gso_size = p->gso_size};
            want(r, p->len <= 14 + r->port.nic->caps.mtu || r->port.nic->caps.rx_coalesces,
                 "%u bytes on a port that does not coalesce", p->len);
            stream_take(r, &s, p->data, p->len, &with);
            pkt_put(p);
        }
    }
}

const struct check offload_checks[] = {
    {.name = "checksums that the port finishes are right", .run = sums_of_the_port},
    {.name = "without offloads checksums are the stack's, and arrive",
     .run = sums_of_the_stack,
     .plain = true},
    {.name = "a wrong checksum is never marked as right", .run = wrong_sums_are_not_called_right},
    {.name = "checksums that the peer left to its device arrive right or marked",
     .run = sums_left_to_the_device},
    {.name = "a segment of 64,000 bytes goes out in right pieces, or whole", .run = segments_out},
    {.name = "a segment of 60,000 bytes comes in in right pieces, or whole", .run = segments_in},
    {0},
};
