/* What a controller may answer to a packet-in: rightly, and wrongly in every way there is.  For
 * tests of millrace-ofload, whose ofload_check.c has been included before. */
#pragma once

#include <string.h>

#define FM 80u

enum way {
    GOOD,
    PACKET_OUT,
    FLOOD,
    BOTH, /* a flow without the buffer, then the packet */
    TWICE,
    UNKNOWN_BUFFER,
    OTHER_DESTINATION,
    NO_DESTINATION,
    OTHER_SOURCE,
    OTHER_IN_PORT,
    OTHER_ADDRESS,
    OTHER_PORT,
    NOWHERE,
    CUT_ACTION,
    SILENT,
    LAST_FORGOTTEN, /* the first packet-in of all is never answered */
    OTHER_VERSION,
    NO_LENGTH,
};

/* ---- what a controller says */

static inline size_t flow_mod(uint8_t *b, const uint8_t *packet_in)
{
    const uint8_t *frame = packet_in + 18;

    memset(b, 0, FM);
    b[0] = 1;
    b[1] = OFT_FLOW_MOD;
    b[3] = FM;
    memcpy(b + 4, packet_in + 4, 4);
    store_be32(b + FM_WILDCARDS, 0x3fffff & ~(uint32_t)(W_DST | W_SRC | W_IN_PORT));
    store_be16(b + FM_IN_PORT, 1);
    memcpy(b + FM_SRC, frame + 6, 6);
    memcpy(b + FM_DST, frame, 6);
    memcpy(b + FM_BUFFER, packet_in + 8, 4);
    store_be16(b + 68, 0xffff);
    b[FM_ACTIONS + 3] = 8;
    b[FM_ACTIONS + 5] = 2;
    return FM;
}

static inline size_t packet_out(uint8_t *b, const uint8_t *packet_in, uint16_t port)
{
    memset(b, 0, 24);
    b[0] = 1;
    b[1] = OFT_PACKET_OUT;
    b[3] = 24;
    memcpy(b + 8, packet_in + 8, 4);
    b[13] = 1;
    b[15] = 8;
    b[19] = 8;
    store_be16(b + 20, port);
    return 24;
}

static inline size_t answer_in(uint8_t *b, const uint8_t *in, enum way way)
{
    size_t n = flow_mod(b, in);

    switch (way) {
    case GOOD:
    case LAST_FORGOTTEN:
        return n;
    case PACKET_OUT:
        return packet_out(b, in, 2);
    case FLOOD:
        return packet_out(b, in, OFP_FLOOD);
    case BOTH:
        store_be32(b + FM_BUFFER, OFL_NO_BUFFER);
        return n + packet_out(b + n, in, 2);
    case TWICE:
        memcpy(b + n, b, n);
        return 2 * n;
    case UNKNOWN_BUFFER:
        store_be32(b + FM_BUFFER, 77777);
        return n;
    case OTHER_DESTINATION:
        b[FM_DST + 5] ^= 0x40;
        return n;
    case NO_DESTINATION:
        store_be32(b + FM_WILDCARDS, 0x3fffff);
        return n;
    case OTHER_SOURCE:
        b[FM_SRC + 1] ^= 1;
        return n;
    case OTHER_IN_PORT:
        b[FM_IN_PORT + 1] = 3;
        return n;
    case OTHER_ADDRESS:
        store_be32(b + FM_WILDCARDS,
                   load_be32(b + FM_WILDCARDS) & ~(UINT32_C(63) << W_NW_DST_SHIFT));
        b[FM_NW_DST] = 10;
        return n;
    case OTHER_PORT:
        b[FM_ACTIONS + 5] = 4;
        return n;
    case NOWHERE:
        b[3] = FM - 8;
        return n - 8;
    case CUT_ACTION:
        b[FM_ACTIONS + 3] = 16;
        return n;
    case SILENT:
        return 0;
    case OTHER_VERSION:
        b[0] = 4;
        b[1] = 0x63;
        return n;
    case NO_LENGTH:
        b[3] = 7;
        return n;
    }
    return 0;
}
