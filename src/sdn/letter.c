/* Letters: for every other core a few pages that wait, the oldest first.  A page is a letter; news
 * are written behind one another into the youngest until it is full or on its way.
 *
 *     page    [ n:2 kind:2 ... ][ n:2 kind:2 ... ]        n: bytes behind these four
 */
#include "sdn/sdn_int.h"

#define PAGES 4u
#define NEWS_HLEN 4u

struct letter_page {
    uint32_t n;
    uint8_t b[SDN_LETTER_MAX - sizeof(uint32_t)];
};
struct letter_box {
    struct letter_page page[PAGES];
    uint32_t first, pages; /* waiting */
    bool out;              /* the first is on its way */
};
struct letters {
    unsigned next; /* whose turn it is */
    struct letter_box *box;
};

void letters_carve(struct sdn *s)
{
    struct letters *l = mem_carve(&s->mem, sizeof(*l), CACHE_LINE);
    struct letter_box *box =
        mem_carve(&s->mem, s->config.cores * sizeof(struct letter_box), CACHE_LINE);

    s->letters = l;
    if (l)
        l->box = box;
}

/* The page that n more bytes go to, or NULL. */
static struct letter_page *page_for(struct letter_box *b, size_t n)
{
    struct letter_page *p = &b->page[(b->first + b->pages - 1) % PAGES];

    if (b->pages > (b->out ? 1u : 0u) && p->n + n <= sizeof(p->b))
        return p;
    if (b->pages == PAGES)
        return NULL;
    p = &b->page[(b->first + b->pages++) % PAGES];
    p->n = 0;
    return p;
}

bool letter_write(struct sdn *s, unsigned to, enum letter_kind k, const void *from, size_t n)
{
    struct letter_page *p;

    MR_ASSERT(to != s->config.core && to < s->config.cores);
    MR_ASSERT(n + NEWS_HLEN <= sizeof(p->b) && n <= UINT16_MAX);
    p = page_for(&s->letters->box[to], n + NEWS_HLEN);
    if (!p) {
        s->stats.letters_full++;
        return false;
    }
    store_be16(p->b + p->n, (uint16_t)n);
    store_be16(p->b + p->n + 2, (uint16_t)k);
    memcpy(p->b + p->n + NEWS_HLEN, from, n);
    p->n += NEWS_HLEN + (uint32_t)n;
    return true;
}

bool sdn_letter_next(struct sdn *s, uint64_t to_blocked, struct sdn_letter *out)
{
    struct letters *l = s->letters;

    for (unsigned i = 0; i < s->config.cores; i++) {
        unsigned to = l->next;
        struct letter_box *b = &l->box[to];
        l->next = (to + 1) % s->config.cores;
        if (to == s->config.core || (to_blocked >> to & 1))
            continue;
        if (sdn_is_seat(s))
            seat_tell(s, to);
        if (b->pages == 0 || b->out)
            continue;
        b->out = true;
        *out = (struct sdn_letter){.to = to, .p = b->page[b->first].b, .n = b->page[b->first].n};
        return true;
    }
    return false;
}

void sdn_letter_done(struct sdn *s, unsigned to)
{
    struct letter_box *b = &s->letters->box[to];

    MR_ASSERT(b->out);
    b->out = false;
    b->first = (b->first + 1) % PAGES;
    b->pages--;
    s->stats.letters_out++;
}

static void news_input(struct sdn *s, unsigned from, unsigned kind, const uint8_t *p, size_t n,
                       instant now)
{
    struct net_report r;
    struct net_change c;

    switch (kind) {
    case LETTER_NET_REPORT:
        MR_ASSERT(n == sizeof(r) && sdn_is_seat(s));
        memcpy(&r, p, sizeof(r));
        seat_report(s, from, &r, now);
        break;
    case LETTER_NET_CHANGE:
        MR_ASSERT(n == sizeof(c) && from == 0);
        memcpy(&c, p, sizeof(c));
        net_apply(s, &c, now);
        break;
    case LETTER_POF:
        pof_letter(s, p, n);
        break;
    default:
        MR_ASSERT(kind == LETTER_STORE);
        store_letter(s, from, p, n, now);
    }
}

void sdn_letter(struct sdn *s, unsigned from, const uint8_t *p, size_t n, instant now)
{
    size_t at = 0;

    MR_ASSERT(from < s->config.cores && from != s->config.core);
    s->stats.letters_in++;
    while (at < n) {
        size_t k = load_be16(p + at);
        news_input(s, from, load_be16(p + at + 2), p + at + NEWS_HLEN, k, now);
        at += NEWS_HLEN + k;
    }
    MR_ASSERT(at == n);
    reroute_advance(s, now);
}
