/* Frames cross, unchanged and in order. */
#include "contract.h"

#include "os/os.h"

static void any_length(struct rig *r)
{
    uint32_t longest = 14 + r->port.nic->caps.mtu;

    for (uint32_t n = 60; n <= longest && !r->failed; n++)
        rig_round(r, n, mix(n));
}

/* An ARP request has 42 bytes, and the stack pads nothing. */
static void short_frames_out(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct beside with;

    for (uint32_t n = ETH_IP_UDP; n < 60; n++) {
        frame_udp(r, FROM_PORT, frame, n, n, 0);
        struct pkt *p = port_packet(&r->port, frame, n);
        if (!rig_transmit(r, 0, &p, 1))
            return;
        uint32_t got = rig_peer_recv(r, frame, &with, PATIENCE_US);
        if (!want(r, frame_is(r, FROM_PORT, frame, got, n, n, 0), "%u bytes came as %u", n, got))
            return;
    }
}

static void any_burst(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    uint32_t seq = 0;

    for (unsigned n = 1; n <= BURST_MAX && !r->failed; n++) {
        struct pkt *p[BURST_MAX];
        struct beside with;
        for (unsigned i = 0; i < n; i++) {
            frame_udp(r, TO_PORT, frame, 60 + n, seq + i, 0);
            rig_peer_send(r, frame, 60 + n);
        }
        unsigned got = rig_receive(r, 0, p, n, PATIENCE_US);
        want(r, got == n, "of a burst of %u, %u came", n, got);
        for (unsigned i = 0; i < got; i++) {
            want(r, frame_is(r, TO_PORT, p[i]->data, p[i]->len, 60 + n, seq + i, 0),
                 "frame %u of a burst of %u is not what it was", i, n);
            pkt_put(p[i]);
        }
        for (unsigned i = 0; i < n; i++) {
            frame_udp(r, FROM_PORT, frame, 60 + n, seq + i, 0);
            p[i] = port_packet(&r->port, frame, 60 + n);
        }
        rig_transmit(r, 0, p, n);
        for (unsigned i = 0; i < n; i++) {
            uint32_t len = rig_peer_recv(r, frame, &with, PATIENCE_US);
            if (!want(r, frame_is(r, FROM_PORT, frame, len, 60 + n, seq + i, 0),
                      "frame %u of a burst of %u came to the peer as %u bytes", i, n, len))
                return;
        }
        seq += n;
    }
}

static void no_more_than_max(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct pkt canary, *out[4];
    struct nic *n = r->port.nic;
    uint64_t until = os_now_us() + PATIENCE_US;
    uint32_t seen = 0;

    for (unsigned i = 0; i < 20; i++) {
        frame_udp(r, TO_PORT, frame, 100, i, 0);
        rig_peer_send(r, frame, 100);
    }
    out[3] = &canary;
    want(r, nic_rx_burst(n, 0, out, 0) == 0, "asked for none, it gave some");
    while (seen < 20 && os_now_us() < until) {
        unsigned got = nic_rx_burst(n, 0, out, 3);
        if (!want(r, got <= 3 && out[3] == &canary, "asked for 3, it gave %u", got))
            return;
        for (unsigned i = 0; i < got; i++) {
            if (frame_is_ours(r, TO_PORT, out[i]->data, out[i]->len)) {
                want(r, frame_seq(out[i]->data) == seen, "out of order after %u", seen);
                seen++;
            }
            pkt_put(out[i]);
        }
    }
    want(r, seen == 20, "%u of 20 came, three at a time", seen);
}

static void nothing_of_nothing(struct rig *r)
{
    struct pkt *p[BURST_MAX];
    uint64_t packets = r->port.nic->stats[0].rx_packets;

    want(r, rig_receive(r, 0, p, BURST_MAX, QUIET_US) == 0, "a frame out of nowhere");
    want(r, r->port.nic->stats[0].rx_packets == packets + r->strays, "and it was counted");
    want(r, nic_tx_burst(r->port.nic, 0, p, 0) == 0, "more was taken than there was");
}

/* ---- forwarding ------------------------------------------------------------------------ */

#define ROUNDS 50u
#define AT_ONCE 32u

/* Peer to port; the packets themselves. */
static bool fetch(struct rig *r, struct pkt **p, uint32_t n, uint32_t seq)
{
    static uint8_t frame[FRAME_MAX];

    for (unsigned i = 0; i < AT_ONCE; i++) {
        frame_udp(r, TO_PORT, frame, n, seq + i, 0);
        rig_peer_send(r, frame, n);
    }
    unsigned got = rig_receive(r, 0, p, AT_ONCE, PATIENCE_US);
    for (unsigned i = 0; i < got && got < AT_ONCE; i++)
        pkt_put(p[i]);
    return want(r, got == AT_ONCE, "%u of %u came", got, AT_ONCE);
}

static bool comes_back(struct rig *r, uint32_t n, uint32_t seq)
{
    static uint8_t frame[FRAME_MAX];
    struct beside with;

    for (unsigned i = 0; i < AT_ONCE; i++) {
        uint32_t got = rig_peer_recv(r, frame, &with, PATIENCE_US);
        if (!want(r, frame_is(r, TO_PORT, frame, got, n, seq + i, 0),
                  "frame %u of %u came back as %u bytes", i, n, got))
            return false;
    }
    return true;
}

static void out_again(struct rig *r)
{
    struct pkt *p[AT_ONCE];

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint32_t n = 60 + mix(round) % 1400, seq = round * AT_ONCE;
        if (!fetch(r, p, n, seq) || !rig_transmit(r, 0, p, AT_ONCE) || !comes_back(r, n, seq))
            return;
    }
}

/* Through a wire to its other end, and from there back: foreign packets both ways. */
static void through_another(struct rig *r)
{
    struct dev_config c = {.queues = 1};
    struct port near = {0}, far = {0};
    struct pkt *p[AT_ONCE];

    if (!want(r, wire_open(&near, &far, &c), "no second port"))
        return;
    for (unsigned round = 0; round < ROUNDS && !r->failed; round++) {
        uint32_t n = 60 + mix(round) % 1400, seq = round * AT_ONCE;
        if (!fetch(r, p, n, seq))
            break;
        want(r, nic_tx_burst(near.nic, 0, p, AT_ONCE) == AT_ONCE, "the second port is full");
        unsigned got = nic_rx_burst(far.nic, 0, p, AT_ONCE);
        want(r, got == AT_ONCE, "the second port lost some");
        if (rig_transmit(r, 0, p, got))
            comes_back(r, n, seq);
    }
    port_settle(&r->port, PATIENCE_US);
    want(r, port_settle(&near, PATIENCE_US) && port_settle(&far, PATIENCE_US),
         "the second port's packets: %s", far.why);
    port_close(&near);
    port_close(&far);
}

static void in_pieces(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct beside with;

    for (unsigned i = 0; i < 40 * PKT_FRAGS; i++) {
        unsigned frags = 1 + i % PKT_FRAGS;
        uint32_t head = ETH_IP_UDP + mix(i) % 30;
        uint32_t n = head + 2 * frags + 60 + mix(i + 1000) % 1300;
        frame_udp(r, FROM_PORT, frame, n, i, 0);
        struct pkt *p = port_pieces(&r->port, frame, n, head, frags);
        if (!rig_transmit(r, 0, &p, 1))
            return;
        uint32_t got = rig_peer_recv(r, frame, &with, PATIENCE_US);
        if (!want(r, frame_is(r, FROM_PORT, frame, got, n, i, 0),
                  "%u bytes, %u of them in %u pieces, came as %u bytes", n, n - head, frags, got) ||
            !want(r, port_settle(&r->port, PATIENCE_US), "%s", r->port.why))
            return;
    }
}

const struct check traffic_checks[] = {
    {.name = "frames of every length cross unchanged both ways", .run = any_length},
    {.name = "frames shorter than 60 bytes go out", .run = short_frames_out},
    {.name = "bursts of 1 to 64 arrive in order both ways", .run = any_burst},
    {.name = "what is more than asked for waits for the next call", .run = no_more_than_max},
    {.name = "without frames there is nothing to receive", .run = nothing_of_nothing},
    {.name = "a packet received is sent out again by the same port", .run = out_again},
    {.name = "packets are passed on to another port, and from it", .run = through_another},
    {.name = "a frame in up to 12 fragments of odd lengths arrives as one", .run = in_pieces},
    {0},
};
