#include "ofp/pof.h"

/* Bit by bit would be right as well; most fields are whole bytes at whole bytes. */
void pof_bits_copy(uint8_t *dst, uint32_t to, const uint8_t *src, uint32_t from, uint32_t len)
{
    if (((to | from) & 7) == 0) {
        memmove(dst + to / 8, src + from / 8, len / 8);
        to += len & ~7u;
        from += len & ~7u;
        len &= 7;
    }
    for (uint32_t i = 0; i < len; i++) {
        uint8_t bit = (uint8_t)(0x80u >> ((to + i) & 7));
        bool set = src[(from + i) / 8] & 0x80u >> ((from + i) & 7);

        if (set)
            dst[(to + i) / 8] |= bit;
        else
            dst[(to + i) / 8] &= (uint8_t)~bit;
    }
}

uint64_t pof_bits_get(const uint8_t *src, uint32_t from, uint32_t len)
{
    uint64_t v = 0;

    for (uint32_t i = from; i < from + len; i++)
        v = v << 1 | (src[i / 8] >> (7 - (i & 7)) & 1u);
    return v;
}

void pof_bits_set(uint8_t *dst, uint32_t to, uint32_t len, uint64_t v)
{
    for (uint32_t i = 0; i < len; i++) {
        uint8_t bit = (uint8_t)(0x80u >> ((to + i) & 7));

        if (v >> (len - 1 - i) & 1)
            dst[(to + i) / 8] |= bit;
        else
            dst[(to + i) / 8] &= (uint8_t)~bit;
    }
}
