/* Packet-ins, and what is remembered of each until its answer comes. */
#include <stdlib.h>
#include <string.h>

#include "tools/ofload.h"

/* What is remembered of a buffer id:
 *
 *     63    62    61 ... 40    39 ... 0
 *     out   1     host         when it was sent, nanoseconds modulo 2^40 */

#define DATA 18u /* of a packet-in: where the frame begins */
#define SRC (DATA + 6)

/* 80:00:00:00:00:id, and in wide MACs the byte before holds 8 bits more. */
static void told_mac(const struct ofl_probes *p, uint8_t *out)
{
    const uint8_t mac[6] = {0x80, 0, 0, 0, p->mac_high, p->mac_low};

    memcpy(out, mac, sizeof(mac));
}

static void packet_in(uint8_t *b, uint32_t n, uint32_t buffer, uint16_t port)
{
    memset(b, 0, n);
    b[0] = OFL_VERSION;
    b[1] = OFT_PACKET_IN;
    store_be16(b + 2, (uint16_t)n);
    store_be32(b + 8, buffer);
    store_be16(b + 12, (uint16_t)(n - DATA));
    store_be16(b + 14, port);
}

/* An IPv4 frame of 64 bytes, protocol 255, always between the same two addresses. */
static void make_frame(struct ofl_probes *p)
{
    static const uint8_t ip[] = {0x08, 0x00, 0x45, 0,   0,   50, 0,  0,   0,   0, 64,
                                 255,  0,    0,    192, 168, 0,  40, 192, 168, 1, 40};
    uint8_t *b = p->frame, *header = b + DATA + 14;
    uint32_t sum = 0;

    packet_in(b, OFL_PROBE_BYTES, 0, OFL_HOST_PORT);
    told_mac(p, b + DATA);
    b[SRC + 5] = p->mac_low;
    memcpy(b + DATA + 12, ip, sizeof(ip));
    for (unsigned i = 0; i < 20; i += 2)
        sum += load_be16(header + i);
    store_be16(header + 10, (uint16_t) ~(sum + (sum >> 16)));
}

bool ofl_probes_init(struct ofl_probes *p, uint64_t dpid, uint32_t hosts, uint32_t buffers,
                     bool wide)
{
    *p = (struct ofl_probes){.buffers = buffers,
                             .next = 1,
                             .hosts = hosts,
                             .mac_low = (uint8_t)dpid,
                             .mac_high = wide ? (uint8_t)(dpid >> 8) : 0};
    MR_ASSERT(hosts > 0 && hosts <= OFL_HOSTS_MAX);
    make_frame(p);
    if (buffers == 0) {
        p->buffers = OFL_BUFFERS;
        return true;
    }
    p->sent = calloc((size_t)buffers + 1, sizeof(uint64_t));
    return p->sent != NULL;
}

void ofl_probes_fini(struct ofl_probes *p)
{
    free(p->sent);
    p->sent = NULL;
}

/* A gratuitous ARP (RFC 5227, section 3): whose address it is, is asked and told at once. */
void ofl_arp(const struct ofl_probes *p, uint8_t *out)
{
    static const uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    static const uint8_t ip[] = {192, 168, 1, 40};

    packet_in(out, OFL_ARP_BYTES, OFL_NO_BUFFER, OFL_TOLD_PORT);
    memset(out + DATA, 0xff, 6);
    told_mac(p, out + SRC);
    memcpy(out + DATA + 12, arp, sizeof(arp));
    told_mac(p, out + DATA + 22);
    memcpy(out + DATA + 28, ip, 4);
    memcpy(out + DATA + 38, ip, 4);
}

void ofl_probes_format(const struct ofl_probes *p, uint8_t *room, size_t n)
{
    for (size_t at = 0; at + OFL_PROBE_BYTES <= n; at += OFL_PROBE_BYTES)
        memcpy(room + at, p->frame, OFL_PROBE_BYTES);
}

static void remember(struct ofl_probes *p, uint64_t *sent, uint64_t now_ns)
{
    if (unlikely((int64_t)*sent < 0)) {
        p->lost++;
        p->in_flight -= p->in_flight > 0;
    }
    *sent = UINT64_C(3) << 62 | (uint64_t)p->host << 40 | (now_ns & ((UINT64_C(1) << 40) - 1));
}

/* The source is 00, the host's number in four bytes from the low one, the datapath id; hosts need
 * no more than three, so in wide MACs the fourth is free. */
void ofl_probe_next(struct ofl_probes *p, uint8_t *at, uint64_t now_ns)
{
    uint32_t host = p->host, mac = host | (uint32_t)p->mac_high << 24;

    if (likely(p->sent != NULL))
        remember(p, &p->sent[p->next], now_ns);
    store_be32(at + 8, p->next);
    memcpy(at + SRC + 1, &mac, 4);
    p->host = host + 1 == p->hosts ? 0 : host + 1;
    p->next = p->next == p->buffers ? 1 : p->next + 1;
    p->in_flight++;
}
