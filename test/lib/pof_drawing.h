/* POF messages drawn by hand, for tests: offsets are those of shared/reference/pof.md, from the end
 * of the header. */
#pragma once

#include "lib/cmocka_first.h"

#include "ofp/pof.h"

static const enum ofp_dialect dialects[] = {POF_HUAWEI, POF_USTC};

/* A message drawn by hand: zeros, and n bytes at offsets of the body. */
struct drawing {
    uint8_t b[2400];
    size_t n;
};

static inline void draw(struct drawing *w, uint8_t type, uint16_t len, uint32_t xid)
{
    *w = (struct drawing){.n = len};
    w->b[0] = 4;
    w->b[1] = type;
    w->b[2] = (uint8_t)(len >> 8);
    w->b[3] = (uint8_t)len;
    w->b[4] = (uint8_t)(xid >> 24);
    w->b[5] = (uint8_t)(xid >> 16);
    w->b[6] = (uint8_t)(xid >> 8);
    w->b[7] = (uint8_t)xid;
}

/* v in n bytes, big-endian, at body offset `at`. */
static inline void put(struct drawing *w, size_t at, size_t n, uint64_t v)
{
    for (size_t i = 0; i < n; i++)
        w->b[8 + at + i] = (uint8_t)(v >> 8 * (n - 1 - i));
}

static inline void put_bytes(struct drawing *w, size_t at, const void *p, size_t n)
{
    memcpy(w->b + 8 + at, p, n);
}

static inline struct ofp_msg frame(enum ofp_dialect d, enum ofp_from from, const uint8_t *b,
                                   size_t n)
{
    struct ofp_msg m;
    uint32_t need;

    assert_int_equal(ofp_frame(d, from, b, n, &m, &need), OFP_OK);
    assert_int_equal(m.len, n);
    return m;
}

static inline void same(const struct drawing *w, const uint8_t *b, size_t n)
{
    assert_int_equal(n, w->n);
    for (size_t i = 0; i < n; i++)
        if (b[i] != w->b[i])
            fail_msg("body offset %zd: %02x, not %02x", (ssize_t)i - 8, b[i], w->b[i]);
}
