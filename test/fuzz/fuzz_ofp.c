/* Every parser, printer and emitter of the ofp room.  The first byte picks the dialect and the
 * direction, the rest is a stream of messages.
 *
 * Laws: what was read and written again is read again to the same bytes; nothing is read beyond the
 * input, which lies in memory of exactly its size. */
#include <stdlib.h>

#include "lib/fuzz_target.h"
#include "lib/ofp_again.h"

#define LAW(fact)                                                                                  \
    do {                                                                                           \
        if (!(fact))                                                                               \
            __builtin_trap();                                                                      \
    } while (0)

enum { WRITTEN_MAX = 1 << 20 };

static void law_again(enum ofp_dialect d, enum ofp_from from, const uint8_t *b, size_t n)
{
    static uint8_t once[WRITTEN_MAX], twice[WRITTEN_MAX];
    size_t a = ofp_again(d, from, b, n, once, sizeof(once));
    size_t c = ofp_again(d, from, once, a, twice, sizeof(twice));

    LAW(a == c);
    LAW(memcmp(once, twice, a) == 0);
}

static void law_frame(enum ofp_dialect d, enum ofp_from from, const uint8_t *b, size_t n)
{
    struct ofp_msg m, cut;
    uint32_t need;
    enum ofp_err e = ofp_frame(d, from, b, n, &m, &need);

    if (e == OFP_MORE)
        LAW(need > n && need >= OFP_HLEN);
    if (e != OFP_OK)
        return;
    LAW(m.len <= n && m.len >= OFP_HLEN && need == m.len && m.p == b && m.kind < OFP_KINDS);
    LAW(ofp_frame(d, from, b, m.len - 1u, &cut, &need) == OFP_MORE);
    LAW(ofp_can(d, from, m.kind));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum ofp_dialect d;
    enum ofp_from from;
    struct ofp_msg m;
    uint32_t need;
    char text[2000];
    struct fmt f;

    if (size < 2 || size > 70000)
        return 0;
    d = (enum ofp_dialect)(data[0] % OFP_DIALECTS);
    from = data[0] & 0x80 ? OFP_FROM_CONTROLLER : OFP_FROM_SWITCH;
    uint8_t *b = malloc(size - 1);
    LAW(b != NULL);
    memcpy(b, data + 1, size - 1);
    fmt_init(&f, text, sizeof(text));
    ofp_print(&f, d, b, size - 1);
    LAW(f.len > 0 && f.len < sizeof(text));
    if (d == OFP_NONE) {
        uint32_t versions;
        bool bitmap;
        if (ofp_frame_hello(b, size - 1, &m, &need) == OFP_OK && m.kind == OFP_HELLO)
            (void)ofp_parse_hello(&m, &versions, &bitmap);
    } else {
        law_frame(d, from, b, size - 1);
        law_again(d, from, b, size - 1);
    }
    free(b);
    return 0;
}
