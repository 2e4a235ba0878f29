/* Makes a NIC with RSS of a veth pair: on the sender's end, the frame's queue is what Toeplitz over
 * its addresses and ports says (nic/rss.h).  QUEUES and KEY (16 bytes) come from the test. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ENTRIES 128
#define ADDRESSES_AT 26 /* an IPv4 header without options behind an Ethernet header */
#define PROTOCOL_AT 23

static const unsigned char key[16] = {KEY};

static __always_inline __u32 toeplitz(const unsigned char *in, int bytes)
{
    __u32 hash = 0, window = 0;

#pragma unroll
    for (int i = 0; i < 4; i++)
        window = window << 8 | key[i];
#pragma unroll
    for (int bit = 0; bit < bytes * 8; bit++) {
        /* No branch, and no mask of 0 or -1 either: the verifier would follow both ways of 96. */
        __u64 set = in[bit / 8] >> (7 - bit % 8) & 1;
        asm volatile("" : "+r"(set));
        hash ^= (__u32)(window * set);
        window = window << 1 | (key[bit / 8 + 4] >> (7 - bit % 8) & 1);
    }
    return hash;
}

SEC("tc")
int steer(struct __sk_buff *skb)
{
    unsigned char in[12], protocol;
    __u32 hash;

    if (skb->protocol != bpf_htons(ETH_P_IP) ||
        bpf_skb_load_bytes(skb, ADDRESSES_AT, in, sizeof(in)) < 0 ||
        bpf_skb_load_bytes(skb, PROTOCOL_AT, &protocol, 1) < 0)
        hash = 0;
    else if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
        hash = toeplitz(in, 12);
    else
        hash = toeplitz(in, 8);
    skb->queue_mapping = hash % ENTRIES % QUEUES + 1;
    return 0;
}
