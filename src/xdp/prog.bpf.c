/* The program in the kernel: what is ours goes to our sockets, everything else goes on as if we
 * were not there.  When in doubt a frame is the kernel's. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "xdp/prog.h"

#define VLAN_ID 0x0fff
#define FRAGMENT 0x3fff /* more to come, or an offset */
#define ICMP_BYTES 8

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 1); /* as many as the interface has queues */
    __type(key, __u32);
    __type(value, __u32);
} sockets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, XDP_PORT_WORDS);
    __type(key, __u32);
    __type(value, __u64);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, XDP_COUNTS);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

const volatile struct xdp_rules rules = {0};

struct vlan_tag {
    __be16 tci, type;
};

/* RFC 826, Ethernet and IPv4. */
struct arp {
    __be16 htype, ptype;
    __u8 hlen, plen;
    __be16 op;
    __u8 sha[6], spa[4], tha[6], tpa[4];
};

static __always_inline void count(__u32 what)
{
    __u64 *n = bpf_map_lookup_elem(&counts, &what);

    if (n)
        (*n)++;
}

static __always_inline int is_chosen(__be16 port)
{
    __u32 p = bpf_ntohs(port), word = p / 64;
    __u64 *bits = bpf_map_lookup_elem(&ports, &word);

    return bits && (*bits >> (p % 64) & 1);
}

static __always_inline int has_ports(__u8 proto)
{
    return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static __always_inline __u32 word_at(const __u8 *b)
{
    __u32 v;

    __builtin_memcpy(&v, b, sizeof(v));
    return v;
}

/* Asked of us, answered to us, or somebody using our address.  With the host's own address ARP is
 * the kernel's. */
static __always_inline int arp_is_ours(const void *at, const void *end)
{
    const struct arp *a = at;

    if (rules.ports || (const void *)(a + 1) > end)
        return 0;
    if (a->htype != bpf_htons(1) || a->ptype != bpf_htons(ETH_P_IP) || a->plen != 4)
        return 0;
    return word_at(a->spa) == rules.addr || word_at(a->tpa) == rules.addr;
}

/* An error about a packet that we have sent: the ports are those of the packet in it. */
static __always_inline int icmp_is_ours(const __u8 *icmp, const void *end)
{
    const struct iphdr *ip = (const void *)(icmp + ICMP_BYTES);

    if ((const void *)(ip + 1) > end)
        return 0;
    if (icmp[0] != 3 && icmp[0] != 11 && icmp[0] != 12)
        return 0;
    if (!has_ports(ip->protocol) || ip->saddr != rules.addr || ip->frag_off & bpf_htons(0x1fff))
        return 0;
    const __be16 *l4 = (const void *)ip + ip->ihl * 4;
    return (const void *)(l4 + 1) <= end && is_chosen(l4[0]);
}

/* Fragments do not all have ports: they are the kernel's. */
static __always_inline int port_is_ours(const struct iphdr *ip, const void *end)
{
    const __be16 *l4 = (const void *)ip + ip->ihl * 4;

    if ((const void *)(l4 + 2) > end || ip->frag_off & bpf_htons(FRAGMENT))
        return 0;
    if (ip->protocol == IPPROTO_ICMP)
        return icmp_is_ours((const void *)l4, end);
    return has_ports(ip->protocol) && is_chosen(l4[1]);
}

static __always_inline int ip_is_ours(const void *at, const void *end)
{
    const struct iphdr *ip = at;

    if ((const void *)(ip + 1) > end || ip->daddr != rules.addr)
        return 0;
    return rules.ports ? port_is_ours(ip, end) : 1;
}

static __always_inline int is_ours(const void *at, const void *end)
{
    const struct ethhdr *eth = at;
    const void *l3 = eth + 1;

    if (l3 > end)
        return 0;
    __be16 type = eth->h_proto;
    if (rules.vlan) {
        const struct vlan_tag *tag = l3;
        if (type != bpf_htons(ETH_P_8021Q) || (const void *)(tag + 1) > end)
            return 0;
        if ((bpf_ntohs(tag->tci) & VLAN_ID) != rules.vlan)
            return 0;
        type = tag->type;
        l3 = tag + 1;
    }
    if (type == bpf_htons(ETH_P_IP))
        return ip_is_ours(l3, end);
    return type == bpf_htons(ETH_P_ARP) && arp_is_ours(l3, end);
}

SEC("xdp")
int millrace(struct xdp_md *ctx)
{
    if (!is_ours((void *)(long)ctx->data, (void *)(long)ctx->data_end)) {
        count(XDP_COUNT_PASSED);
        return XDP_PASS;
    }
    count(XDP_COUNT_TAKEN);
    return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}

/* Helpers that only programs under the GPL may call are not called. */
char its_license[] SEC("license") = "Dual BSD/GPL";
