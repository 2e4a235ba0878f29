/* Which frames come in, as what, and why the others do not. */
#include "lib/cmocka_first.h"

#include "lib/net_host.h"

static struct net_host h;

static size_t put_frame(uint8_t *b, const struct mac_addr *dst, const struct mac_addr *src,
                        uint16_t vlan, bool tagged, uint16_t type)
{
    struct eth_hdr e = {
        .dst = *dst, .src = *src, .ethertype = type, .vlan = vlan, .has_vlan = tagged};
    size_t n = eth_emit(b, &e);

    memset(b + n, 0, 46);
    return n + 46;
}

/* One frame into eth alone; returns the packets handed up and puts them back. */
static unsigned input(const uint8_t *bytes, size_t n, struct pkt *seen)
{
    struct burst in = {.n = 0}, out;
    struct pkt *p = pkt_get(&h.rx);
    unsigned got;

    memcpy(p->data, bytes, n);
    p->len = (uint32_t)n;
    p->netif = h.netif;
    burst_add(&in, p);
    eth_input(&h.eth, &in, &out, h.now);
    assert_int_equal(in.n, 0);
    got = out.n;
    if (got && seen)
        *seen = *out.p[0];
    for (unsigned i = 0; i < out.n; i++)
        pkt_put(out.p[i]);
    return got;
}

static void ipv4_to_us_is_handed_up_at_its_header(void **state)
{
    uint8_t b[128];
    struct pkt p;

    (void)state;
    net_start(&h);
    size_t n = put_frame(b, &net_mac, &net_peer_mac, 0, false, ETHTYPE_IPV4);
    assert_int_equal(input(b, n, &p), 1);
    assert_int_equal(p.len, 46);
    assert_int_equal(p.netif, h.netif);
    assert_int_equal(p.flags, 0);
    assert_ptr_equal(p.buf + p.l3_off, p.data);
    net_end(&h);
}

static void broadcast_and_multicast_are_marked(void **state)
{
    static const struct mac_addr group = {{0x01, 0x00, 0x5e, 0, 0, 1}};
    uint8_t b[128];
    struct pkt p;

    (void)state;
    net_start(&h);
    assert_int_equal(
        input(b, put_frame(b, &net_broadcast, &net_peer_mac, 0, false, ETHTYPE_IPV4), &p), 1);
    assert_int_equal(p.flags, PKT_BROADCAST);
    assert_int_equal(input(b, put_frame(b, &group, &net_peer_mac, 0, false, ETHTYPE_IPV4), &p), 1);
    assert_int_equal(p.flags, PKT_MULTICAST);
    net_end(&h);
}

static void frames_for_others_are_counted(void **state)
{
    uint8_t b[128];

    (void)state;
    net_start(&h);
    assert_int_equal(
        input(b, put_frame(b, &net_peer_mac, &net_peer_mac, 0, false, ETHTYPE_IPV4), NULL), 0);
    assert_int_equal(h.eth.stats.drop_other_host, 1);
    net_end(&h);
}

/* A station cannot be a group, and we do not hear ourselves. */
static void impossible_sources_are_dropped(void **state)
{
    uint8_t b[128];

    (void)state;
    net_start(&h);
    input(b, put_frame(b, &net_mac, &net_broadcast, 0, false, ETHTYPE_IPV4), NULL);
    input(b, put_frame(b, &net_mac, &net_mac, 0, false, ETHTYPE_IPV4), NULL);
    assert_int_equal(h.eth.stats.drop_src_mac, 2);
    net_end(&h);
}

static void every_truncated_frame_is_dropped_as_short(void **state)
{
    uint8_t b[128];

    (void)state;
    net_start(&h);
    put_frame(b, &net_mac, &net_peer_mac, 5, true, ETHTYPE_IPV4);
    for (size_t n = 0; n < ETH_VLAN_HLEN; n++)
        assert_int_equal(input(b, n, NULL), 0);
    assert_int_equal(h.eth.stats.drop_short, ETH_VLAN_HLEN);
    net_end(&h);
}

static void an_interface_that_is_down_hears_nothing(void **state)
{
    uint8_t b[128];

    (void)state;
    net_start(&h);
    h.eth.netif[h.netif].up = false;
    input(b, put_frame(b, &net_mac, &net_peer_mac, 0, false, ETHTYPE_IPV4), NULL);
    assert_int_equal(h.eth.stats.drop_netif_down, 1);
    net_end(&h);
}

static void unknown_protocols_are_dropped(void **state)
{
    uint8_t b[128];

    (void)state;
    net_start(&h);
    input(b, put_frame(b, &net_mac, &net_peer_mac, 0, false, ETHTYPE_IPV6), NULL);
    input(b, put_frame(b, &net_mac, &net_peer_mac, 0, false, 46), NULL);
    assert_int_equal(h.eth.stats.drop_ethertype, 2);
    net_end(&h);
}

static void a_tag_chooses_the_interface(void **state)
{
    uint8_t b[128];
    struct pkt p;
    int vlan;

    (void)state;
    net_start(&h);
    vlan = eth_netif_add(&h.eth, &h.nic, &net_mac, 7, 1496, 0);
    assert_true(vlan > 1);
    assert_int_equal(eth_netif_add(&h.eth, &h.nic, &net_mac, 7, 0, 0), -1);
    assert_int_equal(input(b, put_frame(b, &net_mac, &net_peer_mac, 7, true, ETHTYPE_IPV4), &p), 1);
    assert_int_equal(p.netif, vlan);
    assert_int_equal(p.len, 46);
    assert_int_equal(input(b, put_frame(b, &net_mac, &net_peer_mac, 8, true, ETHTYPE_IPV4), &p), 0);
    assert_int_equal(h.eth.stats.drop_vlan, 1);
    net_end(&h);
}

/* IEEE 802.1Q: VID 0 carries only a priority. */
static void a_priority_tag_is_no_vlan(void **state)
{
    uint8_t b[128];
    struct pkt p;

    (void)state;
    net_start(&h);
    assert_int_equal(
        input(b, put_frame(b, &net_mac, &net_peer_mac, 0xe000, true, ETHTYPE_IPV4), &p), 1);
    assert_int_equal(p.netif, h.netif);
    net_end(&h);
}

static void what_leaves_a_vlan_carries_its_tag(void **state)
{
    struct ip_addr vlan_us = ip4_of(10, 7, 0, 1), vlan_peer = ip4_of(10, 7, 0, 2);
    struct ip_flow f = {.src = vlan_us, .dst = vlan_peer, .proto = IPPROTO_UDP_};
    struct eth_hdr e;
    uint8_t b[NET_FRAME_MAX];
    struct pkt *p;
    int vlan;

    (void)state;
    net_start(&h);
    vlan = eth_netif_add(&h.eth, &h.nic, &net_mac, 7, 1496, 0);
    assert_true(ip_addr_add(&h.ip, (uint8_t)vlan, &vlan_us, 24, false, h.now) > 0);
    net_drop_sent(&h);
    eth_neigh_add_permanent(&h.eth, (uint8_t)vlan, &vlan_peer, &net_peer_mac);
    p = pkt_get(&h.tx);
    p->len = 8;
    memset(p->data, 0, 8);
    assert_int_equal(ip_output(&h.ip, p, &f, h.now), 0);
    assert_int_equal(net_sent(&h, b), ETH_VLAN_HLEN + IPV4_HLEN + 8);
    assert_int_equal(eth_parse(&e, b, 64), WIRE_OK);
    assert_true(e.has_vlan && e.vlan == 7 && e.ethertype == ETHTYPE_IPV4);
    net_end(&h);
}

static void a_full_transmit_queue_drops_and_counts(void **state)
{
    struct ip_addr us = net_us();

    (void)state;
    net_limits(&h);
    h.eth_limits.txq = 3;
    net_start_limited(&h);
    for (unsigned i = 0; i < 5; i++) {
        struct ip_addr peer = net_peer();
        struct arp_pkt a = {.op = ARP_REQUEST,
                            .sha = net_peer_mac,
                            .spa = ip_v4(&peer),
                            .tpa = ip_v4(&us)};
        net_arp_frame(&h, &net_broadcast, &a);
    }
    assert_int_equal(h.eth.txq.n, 3);
    assert_int_equal(h.eth.stats.drop_txq_full, 2);
    net_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_to_us_is_handed_up_at_its_header),
        cmocka_unit_test(broadcast_and_multicast_are_marked),
        cmocka_unit_test(frames_for_others_are_counted),
        cmocka_unit_test(impossible_sources_are_dropped),
        cmocka_unit_test(every_truncated_frame_is_dropped_as_short),
        cmocka_unit_test(an_interface_that_is_down_hears_nothing),
        cmocka_unit_test(unknown_protocols_are_dropped),
        cmocka_unit_test(a_tag_chooses_the_interface),
        cmocka_unit_test(a_priority_tag_is_no_vlan),
        cmocka_unit_test(what_leaves_a_vlan_carries_its_tag),
        cmocka_unit_test(a_full_transmit_queue_drops_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
