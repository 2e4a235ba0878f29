#include "sim/oracle.h"

#include "base/bits.h"

void sim_oracle_fill(const struct sim_oracle *o, uint64_t stream, uint64_t pos, uint8_t *dst,
                     size_t n)
{
    while (n > 0) {
        uint64_t w = sim_oracle_word(o, stream, pos / 8) >> pos % 8 * 8;
        size_t part = min_size(8 - pos % 8, n);
        memcpy(dst, &w, part);
        dst += part;
        pos += part;
        n -= part;
    }
}

size_t sim_oracle_check(const struct sim_oracle *o, uint64_t stream, uint64_t pos,
                        const uint8_t *b, size_t n)
{
    size_t done = 0;

    while (done < n) {
        uint64_t at = pos + done;
        uint64_t w = sim_oracle_word(o, stream, at / 8) >> at % 8 * 8;
        size_t part = min_size(8 - at % 8, n - done);
        if (memcmp(b + done, &w, part) != 0) {
            while (b[done] == (uint8_t)w) {
                w >>= 8;
                done++;
            }
            return done;
        }
        done += part;
    }
    return n;
}
