/* The link goes and comes, the device goes for good, and frames are not what they should be. */
#include "contract.h"

#include "os/os.h"

/* Offered once each: neither must they be taken. */
static void send_into_nothing(struct rig *r, unsigned count)
{
    static uint8_t frame[FRAME_MAX];

    for (unsigned i = 0; i < count; i++) {
        struct pkt *p;
        frame_udp(r, FROM_PORT, frame, 100, i, 0);
        p = port_packet(&r->port, frame, 100);
        if (nic_tx_burst(r->port.nic, 0, &p, 1) == 0)
            pkt_put(p);
        if (nic_rx_burst(r->port.nic, 0, &p, 1) == 1)
            pkt_put(p);
    }
}

/* Frames both ways until one of each has come through, and then nothing of that is left. */
static bool comes_alive(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    uint64_t until = os_now_us() + 5 * PATIENCE_US;
    bool in = false, out = false;
    struct beside with;
    struct pkt *p;

    while ((!in || !out) && os_now_us() < until) {
        frame_udp(r, TO_PORT, frame, 100, 1, 0);
        r->kind->send(r, frame, 100, NULL);
        if (rig_receive(r, 0, &p, 1, QUIET_US) == 1) {
            in = true;
            pkt_put(p);
        }
        send_into_nothing(r, 1);
        out |= rig_peer_recv(r, frame, &with, QUIET_US) > 0;
    }
    while (rig_receive(r, 0, &p, 1, QUIET_US) == 1)
        pkt_put(p);
    while (rig_peer_recv(r, frame, &with, QUIET_US) > 0)
        ;
    return want(r, in && out, "no frame %s", in ? "goes out any more" : "comes in any more");
}

static void link_down_and_up(struct rig *r)
{
    const struct nic_stats *s = &r->port.nic->stats[0];

    if (!r->kind->pull) {
        pass_over(r, "there is no cable to pull");
        return;
    }
    for (unsigned i = 0; i < 3 && !r->failed; i++) {
        want(r, rig_link(&r->port, true, PATIENCE_US), "the link is up, and link_is_up says no");
        r->kind->pull(r, true);
        want(r, r->kind->blind || rig_link(&r->port, false, PATIENCE_US),
             "the link is down, and link_is_up says up");
        uint64_t before = s->tx_packets + s->tx_error + s->tx_full;
        send_into_nothing(r, 50);
        want(r, s->tx_packets + s->tx_error + s->tx_full >= before + 50,
             "of 50 frames into a dead link %u were counted",
             (unsigned)(s->tx_packets + s->tx_error + s->tx_full - before));
        want(r, !nic_is_gone(r->port.nic), "the link is down, and the device is said to be gone");
        r->kind->pull(r, false);
        want(r, rig_link(&r->port, true, PATIENCE_US),
             "the link is up again, and link_is_up says no");
        if (comes_alive(r))
            rig_many_in(r, 200, 400, 1000);
        if (!r->failed)
            rig_many_out(r, 200, 400, 1000);
    }
}

static void removal(struct rig *r)
{
    static const struct check again = {.name = "again"};
    uint64_t until;

    if (!r->kind->remove) {
        pass_over(r, "the device cannot go");
        return;
    }
    for (unsigned i = 0; i < 2 && !r->failed; i++) {
        if (!rig_open(r, &again))
            return;
        rig_many_in(r, 64, 200, 0);
        want(r, !nic_is_gone(r->port.nic), "the device is said to be gone before it is");
        r->kind->remove(r);
        until = os_now_us() + 500000;
        while (os_now_us() < until && !nic_is_gone(r->port.nic)) {
            send_into_nothing(r, 5);
            rig_pause();
        }
        if (i == 0)
            printf("# %s: the device is %s\n", r->kind->name,
                   nic_is_gone(r->port.nic) ? "gone" : "quiet");
        send_into_nothing(r, 50);
        rig_close(r);
    }
    if (!r->failed && rig_open(r, &again)) {
        rig_many_in(r, 64, 200, 0);
        rig_many_out(r, 64, 200, 0);
        rig_close(r);
    }
}

/* ---- frames that should not be --------------------------------------------------------- */

/* To the port's address or to anybody, of a type that may be any, with bytes that may be any. */
static uint32_t odd_frame(struct rig *r, uint8_t *f, uint32_t i)
{
    static const uint8_t addresses[8] = {10, 77, 0, 1, 10, 77, 0, 2};
    static const uint16_t types[] = {ETHTYPE_IPV4, ETHTYPE_ARP, ETHTYPE_VLAN, 0x88a8, 46, 0xffff};
    uint32_t longest = 14 + r->port.nic->caps.mtu, n = 15 + mix(i) % (longest - 15 + 1);

    for (uint32_t at = 0; at < n; at++)
        f[at] = (uint8_t)mix(i * 2000 + at);
    memcpy(f, r->here.b, 6);
    if (i & 8)
        memset(f, 0xff, 6);
    memcpy(f + 6, r->there.b, 6);
    store_be16(f + 12, types[mix(i + 7) % ARRAY_LEN(types)]);
    if (i & 16 && n > 34) { /* IPv4 whose lengths lie */
        f[14] = (uint8_t)(0x40 | (i & 15));
        store_be16(f + 16, (uint16_t)mix(i + 9));
        memcpy(f + 26, addresses, sizeof(addresses));
    }
    return n;
}

static void drain(struct rig *r)
{
    struct pkt *p[BURST_MAX];
    unsigned n = nic_rx_burst(r->port.nic, 0, p, BURST_MAX);

    for (unsigned i = 0; i < n; i++) {
        want(r,
             p[i]->len > 0 && p[i]->data >= p[i]->buf &&
                 p[i]->data + p[i]->len <= p[i]->buf + p[i]->pool->buf_size,
             "a packet of %u bytes is not inside its buffer", p[i]->len);
        pkt_put(p[i]);
    }
}

static void odd_frames(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    uint32_t most = r->end.nic ? min_u32(9000, r->end.nic->caps.tso_max) : 9000;
    struct pkt *p[BURST_MAX];

    for (uint32_t i = 0; i < 3000 && !r->failed; i++) {
        r->kind->send(r, frame, odd_frame(r, frame, i), NULL);
        drain(r);
    }
    for (uint32_t n = 14; n < 60; n++) { /* runts */
        frame_udp(r, TO_PORT, frame, 60, n, 0);
        r->kind->send(r, frame, n, NULL);
        drain(r);
    }
    for (uint32_t n = 1600; n < most; n += 300) { /* giants */
        frame_udp(r, TO_PORT, frame, n, n, 0);
        r->kind->send(r, frame, n, NULL);
        drain(r);
    }
    while (rig_receive(r, 0, p, 1, QUIET_US) == 1)
        pkt_put(p[0]);
    for (unsigned i = 0; i < 64 && !r->failed; i++)
        rig_round(r, 60 + 20 * i, i);
}

const struct check link_checks[] = {
    {.name = "the link goes down and comes up, and traffic resumes", .run = link_down_and_up},
    {.name = "the device is removed, and the port closes and opens again",
     .run = removal,
     .itself = true},
    {.name = "runts, giants and odd frames do no harm", .run = odd_frames},
    {0},
};
