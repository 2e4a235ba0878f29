#include "wire/wire.h"

/* What the second word of the header holds (RFC 792; RFC 1191 4 for the MTU). */
enum icmp_word { WORD_UNUSED, WORD_ID_SEQ, WORD_MTU, WORD_POINTER };

static enum icmp_word icmp_word_of(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP_ECHO:
    case ICMP_ECHO_REPLY:
    case ICMP_TIMESTAMP:
    case ICMP_TIMESTAMP_REPLY:
        return WORD_ID_SEQ;
    case ICMP_UNREACH:
        return code == ICMP_UNREACH_NEEDFRAG ? WORD_MTU : WORD_UNUSED;
    case ICMP_PARAM_PROBLEM:
        return WORD_POINTER;
    default:
        return WORD_UNUSED;
    }
}

enum wire_err icmp_parse(struct icmp_hdr *out, const uint8_t *b, size_t n)
{
    if (n < ICMP_HLEN)
        return WIRE_SHORT;
    *out = (struct icmp_hdr){.type = b[0], .code = b[1]};
    memcpy(&out->csum, b + 2, 2);
    switch (icmp_word_of(out->type, out->code)) {
    case WORD_ID_SEQ:
        out->id = load_be16(b + 4);
        out->seq = load_be16(b + 6);
        break;
    case WORD_MTU:
        out->mtu = load_be16(b + 6);
        break;
    case WORD_POINTER:
        out->pointer = b[4];
        break;
    case WORD_UNUSED:
        break;
    }
    return WIRE_OK;
}

size_t icmp_emit(uint8_t *b, const struct icmp_hdr *h)
{
    b[0] = h->type;
    b[1] = h->code;
    memcpy(b + 2, &h->csum, 2);
    store_be32(b + 4, 0);
    switch (icmp_word_of(h->type, h->code)) {
    case WORD_ID_SEQ:
        store_be16(b + 4, h->id);
        store_be16(b + 6, h->seq);
        break;
    case WORD_MTU:
        store_be16(b + 6, h->mtu);
        break;
    case WORD_POINTER:
        b[4] = h->pointer;
        break;
    case WORD_UNUSED:
        break;
    }
    return ICMP_HLEN;
}
