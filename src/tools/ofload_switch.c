/* A switch's end of OpenFlow 1.0: messages put together, requests answered as cbench's switches
 * do. */
#include <string.h>

#include "tools/ofload.h"

#define FEATURES_BYTES 224u
#define PORTS 4u
#define DESC_BYTES (12u + 1056u)
#define ERROR_QUOTE_MAX 64u

/* Bytes that are sent as soon as the connection takes them.  A controller that asks without reading
 * the answers finds no room: the switch says no more. */
uint8_t *ofl_out(struct ofl_switch *s, size_t n)
{
    uint8_t *at;

    if (s->out_at == s->out_n)
        s->out_at = s->out_n = 0;
    if (n > OFL_OUT_BYTES - s->out_n && s->out_at > 0) {
        memmove(s->out, s->out + s->out_at, s->out_n - s->out_at);
        s->out_n -= s->out_at;
        s->out_at = 0;
    }
    if (n > OFL_OUT_BYTES - s->out_n)
        return NULL;
    at = s->out + s->out_n;
    s->out_n += (uint32_t)n;
    return at;
}

/* A message of zeros behind its header, or NULL. */
static uint8_t *message(struct ofl_switch *s, uint8_t type, size_t n, uint32_t xid)
{
    uint8_t *b = ofl_out(s, n);

    if (b == NULL)
        return NULL;
    memset(b, 0, n);
    b[0] = OFL_VERSION;
    b[1] = type;
    store_be16(b + 2, (uint16_t)n);
    store_be32(b + 4, xid);
    return b;
}

void ofl_hello(struct ofl_switch *s)
{
    message(s, OFT_HELLO, OFL_HEADER, 1);
}

/* Section 5.3.1: 256 buffers, 2 tables, ports 1 to 4, all at 1 Gbit/s. */
static void features(struct ofl_switch *s, uint32_t xid)
{
    uint8_t *b = message(s, OFT_FEATURES_REPLY, FEATURES_BYTES, xid);

    if (b == NULL)
        return;
    store_be32(b + 8, (uint32_t)(s->dpid >> 32));
    store_be32(b + 12, (uint32_t)s->dpid);
    store_be32(b + 16, 256);
    b[20] = 2;
    store_be32(b + 28, 0xfff);
    for (unsigned i = 0; i < PORTS; i++) {
        uint8_t *port = b + 32 + 48 * i;
        store_be16(port, (uint16_t)(i + 1));
        port[2] = 0x02;
        port[3] = (uint8_t)(s->dpid >> 16);
        port[4] = (uint8_t)(s->dpid >> 8);
        port[5] = (uint8_t)s->dpid;
        port[7] = (uint8_t)(i + 1);
        memcpy(port + 8, "eth", 3);
        port[11] = (uint8_t)('1' + i);
        store_be32(port + 32, 0xa0);
    }
}

/* The ARP goes right behind: a controller that does not learn yet has missed it. */
static void features_asked(struct ofl_switch *s, uint32_t xid)
{
    uint8_t *arp;

    features(s, xid);
    if (s->state != OFL_SHAKING)
        return;
    arp = ofl_out(s, OFL_ARP_BYTES);
    if (arp != NULL)
        ofl_arp(&s->probes, arp);
    ofl_ready(s);
}

static void config_asked(struct ofl_switch *s, uint32_t xid)
{
    uint8_t *b = message(s, OFT_GET_CONFIG_REPLY, 12, xid);

    if (b != NULL)
        store_be16(b + 10, s->miss_send_len);
}

/* Only what the switch is; every other question stays without an answer. */
static void statistics_asked(struct ofl_switch *s, const uint8_t *msg, size_t n, uint32_t xid)
{
    static const char *const texts[] = {"Millrace", "millrace-ofload", MR_VERSION};
    uint8_t *b;

    if (n < 12 || load_be16(msg + 8) != 0)
        return;
    b = message(s, OFT_STATS_REPLY, DESC_BYTES, xid);
    for (unsigned i = 0; b != NULL && i < ARRAY_LEN(texts); i++)
        memcpy(b + 12 + 256 * i, texts[i], strlen(texts[i]));
}

/* Section 5.4.4: OFPET_BAD_REQUEST, OFPBRC_BAD_VENDOR, and what was bad. */
static void vendor_asked(struct ofl_switch *s, const uint8_t *msg, size_t n, uint32_t xid)
{
    size_t quote = min_size(n, ERROR_QUOTE_MAX);
    uint8_t *b = message(s, OFT_ERROR, 12 + quote, xid);

    if (b == NULL)
        return;
    store_be16(b + 8, 1);
    store_be16(b + 10, 3);
    memcpy(b + 12, msg, quote);
}

static void request(struct ofl_switch *s, const uint8_t *msg, size_t n)
{
    uint32_t xid = load_be32(msg + 4);

    switch (msg[1]) {
    case OFT_ERROR:
        s->l->peer_errors++;
        break;
    case OFT_ECHO_REQUEST:
        message(s, OFT_ECHO_REPLY, OFL_HEADER, xid);
        break;
    case OFT_VENDOR:
        vendor_asked(s, msg, n, xid);
        break;
    case OFT_FEATURES_REQUEST:
        features_asked(s, xid);
        break;
    case OFT_GET_CONFIG_REQUEST:
        config_asked(s, xid);
        break;
    case OFT_SET_CONFIG:
        if (n >= 12)
            s->miss_send_len = load_be16(msg + 10);
        break;
    case OFT_STATS_REQUEST:
        statistics_asked(s, msg, n, xid);
        break;
    case OFT_BARRIER_REQUEST:
        message(s, OFT_BARRIER_REPLY, OFL_HEADER, xid);
        break;
    default:
        break;
    }
}

/* A whole message.  Of a HELLO neither version nor length matter. */
static bool take(struct ofl_switch *s, const uint8_t *msg, size_t n)
{
    if (likely(msg[0] == OFL_VERSION && (msg[1] == OFT_FLOW_MOD || msg[1] == OFT_PACKET_OUT))) {
        ofl_answer(s, msg, n);
        return true;
    }
    if (msg[1] == OFT_HELLO)
        return true;
    if (msg[0] != OFL_VERSION)
        return false;
    if (!s->l->discards)
        request(s, msg, n);
    return true;
}

/* More of the message that has begun; how much of it was used, or 0: it is none. */
static size_t take_cut(struct ofl_switch *s, const uint8_t *p, size_t n)
{
    size_t used = 0;

    for (;;) {
        size_t want = s->cut_n < OFL_HEADER ? OFL_HEADER : load_be16(s->cut + 2);
        size_t part;
        if (want < OFL_HEADER)
            return 0;
        part = min_size(want - s->cut_n, n - used);
        memcpy(s->cut + s->cut_n, p + used, part);
        s->cut_n += part;
        used += part;
        if (s->cut_n < want)
            return used;
        if (s->cut_n == load_be16(s->cut + 2)) {
            s->cut_n = 0;
            return take(s, s->cut, want) ? used : 0;
        }
    }
}

bool ofl_input(struct ofl_switch *s, const uint8_t *p, size_t n)
{
    if (s->cut_n > 0) {
        size_t used = take_cut(s, p, n);
        if (used == 0 || s->cut_n > 0)
            return used > 0;
        p += used;
        n -= used;
    }
    while (n >= OFL_HEADER) {
        size_t len = ofl_answers(s, p, n);
        p += len;
        n -= len;
        if (n < OFL_HEADER)
            break;
        len = load_be16(p + 2);
        if (len < OFL_HEADER)
            return false;
        if (len > n)
            break;
        if (!take(s, p, len))
            return false;
        p += len;
        n -= len;
    }
    memcpy(s->cut, p, n);
    s->cut_n = n;
    return true;
}
