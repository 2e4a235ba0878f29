/* Reassembly (RFC 791 3.2, RFC 815), made for hostile fragments.
 *
 * A datagram is a list of chunks ordered by offset that never overlap, so it is whole when the
 * bytes received are as many as the last fragment says.  A fragment that overlaps poisons its
 * datagram (RFC 5722 4, for IPv4 too): what came and what will still come is discarded until the
 * timer forgets it.  Exact copies are ignored.
 *
 *      first                                    last
 *      [0 ....... 1480)->[1480 .. 2960)->[4440 .. 5920)      have = 4440, total = 5920
 *                                     ^ hole
 *
 * Bounded in datagrams, chunks, chunks a datagram, and datagrams a source.  Where room is missing
 * the oldest datagram goes. */
#include "ip/ip_int.h"

static struct chunk *chunk_at(const struct ip *ip, mem_ref r)
{
    return mem_ptr(ip->arena, r);
}

static struct reass *reass_at(const struct ip *ip, mem_ref r)
{
    return mem_ptr(ip->arena, r);
}

/* ---- the table -------------------------------------------------------------------------- */

static mem_ref *bucket_of(const struct ip *ip, be32 src, be32 dst, uint16_t id, uint8_t proto)
{
    uint32_t w[4] = {src.raw, dst.raw, id, proto};
    uint32_t mask = (uint32_t)ceil_pow2(ip->limits.reass_datagrams) - 1;

    return &ip->reass_buckets[(nh_hash(&ip->nh_key, w, 4) >> 32) & mask];
}

static struct reass *find(const struct ip *ip, const struct ipv4_hdr *h)
{
    struct reass *r = reass_at(ip, *bucket_of(ip, h->src, h->dst, h->id, h->proto));

    while (r && (r->src.raw != h->src.raw || r->dst.raw != h->dst.raw || r->id != h->id ||
                 r->proto != h->proto))
        r = reass_at(ip, r->hash_next);
    return r;
}

static void unlink_bucket(struct ip *ip, struct reass *r)
{
    mem_ref self = mem_ref_of(ip->arena, r);
    mem_ref *at = bucket_of(ip, r->src, r->dst, r->id, r->proto);

    while (*at != self)
        at = &reass_at(ip, *at)->hash_next;
    *at = r->hash_next;
}

static void age_append(struct ip *ip, struct reass *r)
{
    mem_ref self = mem_ref_of(ip->arena, r);

    r->older = ip->reass_new;
    r->newer = MEM_NONE;
    if (ip->reass_new)
        reass_at(ip, ip->reass_new)->newer = self;
    else
        ip->reass_old = self;
    ip->reass_new = self;
}

static void age_remove(struct ip *ip, struct reass *r)
{
    if (r->older)
        reass_at(ip, r->older)->newer = r->newer;
    else
        ip->reass_old = r->newer;
    if (r->newer)
        reass_at(ip, r->newer)->older = r->older;
    else
        ip->reass_new = r->older;
}

static void chunks_free(struct ip *ip, struct reass *r)
{
    while (r->first) {
        struct chunk *c = chunk_at(ip, r->first);
        r->first = c->next;
        pool_put(&ip->chunk_pool, c);
    }
    r->last = MEM_NONE;
    r->chunks = 0;
}

static void reass_free(struct ip *ip, struct reass *r)
{
    chunks_free(ip, r);
    wheel_disarm(ip->wheel, &r->timer);
    unlink_bucket(ip, r);
    age_remove(ip, r);
    ip->reass_sources[r->source]--;
    pool_put(&ip->reass_pool, r);
}

/* Give up the oldest datagram; false: there is none but keep. */
static bool evict_oldest(struct ip *ip, const struct reass *keep)
{
    struct reass *r = reass_at(ip, ip->reass_old);

    if (r && r == keep)
        r = reass_at(ip, r->newer);
    if (!r)
        return false;
    ip->stats.reass_evicted++;
    reass_free(ip, r);
    return true;
}

static uint16_t source_of(const struct ip *ip, be32 src)
{
    uint32_t w[2] = {src.raw, 1};

    return (uint16_t)((nh_hash(&ip->nh_key, w, 2) >> 32) % REASS_SOURCES);
}

static struct reass *create(struct ip *ip, const struct ipv4_hdr *h, instant now)
{
    uint16_t source = source_of(ip, h->src);
    mem_ref *bucket;
    struct reass *r;

    if (ip->reass_sources[source] >= ip->limits.reass_per_source) {
        ip->stats.drop_frag_source++;
        return NULL;
    }
    if (pool_available(&ip->reass_pool) == 0 && !evict_oldest(ip, NULL)) {
        ip->stats.drop_frag_full++;
        return NULL;
    }
    r = pool_get(&ip->reass_pool);
    bucket = bucket_of(ip, h->src, h->dst, h->id, h->proto);
    *r = (struct reass){.src = h->src, .dst = h->dst, .id = h->id, .proto = h->proto};
    r->source = source;
    r->hash_next = *bucket;
    *bucket = mem_ref_of(ip->arena, r);
    age_append(ip, r);
    ip->reass_sources[source]++;
    timer_init(&r->timer, TIMER_REASS);
    wheel_arm(ip->wheel, &r->timer, tick_ceil(now + ip->limits.reass_ms * USEC_PER_MSEC));
    return r;
}

/* ---- one fragment ----------------------------------------------------------------------- */

enum fit { FIT_NEW, FIT_DUPLICATE, FIT_OVERLAP };

/* Is [off, end) with these bytes exactly what chunk c and its followers hold? */
static bool is_copy(const struct ip *ip, const struct chunk *c, uint32_t off, uint32_t end,
                    const uint8_t *data)
{
    while (c && off < end && c->off == off && off + c->len <= end) {
        if (memcmp(c->data, data, c->len) != 0)
            return false;
        off += c->len;
        data += c->len;
        c = chunk_at(ip, c->next);
    }
    return off == end;
}

/* Where [off, end) belongs: *prev is the last chunk that begins before off. */
static enum fit find_place(const struct ip *ip, const struct reass *r, uint32_t off, uint32_t end,
                           const uint8_t *data, mem_ref *prev)
{
    const struct chunk *p = chunk_at(ip, r->last), *next;

    /* Most fragments come in order. */
    *prev = r->last;
    if (!p || off >= (uint32_t)p->off + p->len)
        return FIT_NEW;
    *prev = MEM_NONE;
    p = NULL;
    next = chunk_at(ip, r->first);
    while (next && next->off < off) {
        *prev = mem_ref_of(ip->arena, next);
        p = next;
        next = chunk_at(ip, next->next);
    }
    if ((!p || (uint32_t)p->off + p->len <= off) && (!next || next->off >= end))
        return FIT_NEW;
    return is_copy(ip, next, off, end, data) ? FIT_DUPLICATE : FIT_OVERLAP;
}

static void insert(struct ip *ip, struct reass *r, mem_ref prev, uint32_t off, const uint8_t *data,
                   uint32_t n)
{
    for (uint32_t done = 0; done < n;) {
        struct chunk *c = pool_get(&ip->chunk_pool);
        mem_ref self = mem_ref_of(ip->arena, c);
        mem_ref *link = prev ? &chunk_at(ip, prev)->next : &r->first;
        uint32_t take = min_u32(n - done, REASS_CHUNK);
        c->off = (uint16_t)(off + done);
        c->len = (uint16_t)take;
        memcpy(c->data, data + done, take);
        c->next = *link;
        *link = self;
        if (r->last == prev)
            r->last = self;
        prev = self;
        done += take;
        r->chunks++;
    }
    r->have += n;
}

static void poison(struct ip *ip, struct reass *r, uint64_t *reason)
{
    (*reason)++;
    chunks_free(ip, r);
    r->poisoned = true;
}

/* The last fragment tells the length; everything must agree with it. */
static bool end_agrees(const struct ip *ip, struct reass *r, const struct ipv4_hdr *h, uint32_t end)
{
    const struct chunk *last = chunk_at(ip, r->last);
    bool more = h->flags & IPV4_MF;

    if (r->total)
        return more ? end < r->total : end == r->total;
    if (more)
        return true;
    if (last && (uint32_t)last->off + last->len > end)
        return false;
    r->total = end;
    return true;
}

/* RFC 791: a length in units of eight except in the last fragment, and no more than a datagram can
 * hold ("ping of death"). */
static bool is_sane(const struct ipv4_hdr *h, uint32_t n)
{
    if (n == 0 || ((h->flags & IPV4_MF) && n % 8 != 0))
        return false;
    return h->hlen + h->frag_off + n <= IP_PKT_MAX;
}

static bool make_chunks(struct ip *ip, struct reass *r, uint32_t need)
{
    if (r->chunks + need > ip->limits.reass_fragments) {
        poison(ip, r, &ip->stats.drop_frag_many);
        return false;
    }
    while (pool_available(&ip->chunk_pool) < need)
        if (!evict_oldest(ip, r)) {
            ip->stats.drop_frag_full++;
            return false;
        }
    return true;
}

/* RFC 791: the header of fragment zero becomes the datagram's. */
static void keep_header(struct reass *r, const struct pkt *p, const struct ipv4_hdr *h)
{
    if (h->frag_off == 0) {
        memcpy(r->header, p->data, h->hlen);
        r->hlen = h->hlen;
    }
    r->netif = p->netif;
    r->flags |= p->flags & (PKT_BROADCAST | PKT_MULTICAST | PKT_LOOPBACK);
    r->ecn |= (uint8_t)(1u << (h->tos & 3));
}

static void add(struct ip *ip, struct reass *r, const struct pkt *p, const struct ipv4_hdr *h)
{
    const uint8_t *data = p->data + h->hlen;
    uint32_t n = p->len - h->hlen, end = h->frag_off + n;
    mem_ref prev;

    switch (find_place(ip, r, h->frag_off, end, data, &prev)) {
    case FIT_DUPLICATE:
        ip->stats.reass_duplicate++;
        return;
    case FIT_OVERLAP:
        poison(ip, r, &ip->stats.drop_frag_overlap);
        return;
    case FIT_NEW:
        break;
    }
    if (!end_agrees(ip, r, h, end)) {
        poison(ip, r, &ip->stats.drop_frag_end);
        return;
    }
    if (!make_chunks(ip, r, (n + REASS_CHUNK - 1) / REASS_CHUNK))
        return;
    insert(ip, r, prev, h->frag_off, data, n);
    keep_header(r, p, h);
}

/* ---- the whole datagram ------------------------------------------------------------------ */

enum { ECN_NOT = 1 << 0, ECN_CE_SEEN = 1 << 3, ECN_CE = 3 };

/* RFC 3168 5.3: one fragment that met congestion marks the datagram; marked and not capable cannot
 * both be true. */
static bool merge_ecn(struct reass *r)
{
    if (!(r->ecn & ECN_CE_SEEN))
        return true;
    r->header[1] |= ECN_CE;
    return !(r->ecn & ECN_NOT);
}

static void write_header(struct reass *r, uint8_t *b)
{
    struct ipv4_hdr h;
    enum wire_err e;

    /* This header was parsed once already; the length it names is the fragment's. */
    store_be16(r->header + 2, r->hlen);
    e = ipv4_parse(&h, r->header, r->hlen);
    MR_ASSERT(e == WIRE_OK);
    h.total_len = (uint16_t)(r->hlen + r->total);
    h.flags &= IPV4_DF;
    h.frag_off = 0;
    ipv4_emit(b, &h);
}

static struct pkt *assemble(struct ip *ip, struct reass *r)
{
    struct pkt *p;
    uint8_t *to;

    if (r->hlen + r->total > IP_PKT_MAX) {
        ip->stats.drop_frag_length++;
        return NULL;
    }
    if (!merge_ecn(r)) {
        ip->stats.drop_frag_ecn++;
        return NULL;
    }
    p = pkt_get(&ip->jumbo);
    if (!p) {
        ip->stats.drop_jumbo++;
        return NULL;
    }
    write_header(r, p->data);
    to = p->data + r->hlen;
    for (const struct chunk *c = chunk_at(ip, r->first); c; c = chunk_at(ip, c->next))
        memcpy(to + c->off, c->data, c->len);
    p->len = r->hlen + r->total;
    p->netif = r->netif;
    p->flags = r->flags;
    p->vlan = 0;
    p->hash = 0;
    p->l3_off = (uint16_t)(p->data - p->buf);
    ip->stats.reass_whole++;
    return p;
}

struct pkt *reass_input(struct ip *ip, struct pkt *p, const struct ipv4_hdr *h, instant now)
{
    struct pkt *whole = NULL;
    struct reass *r;

    ip->stats.rx_fragments++;
    if (!is_sane(h, p->len - h->hlen)) {
        ip_drop(p, &ip->stats.drop_frag_length);
        return NULL;
    }
    r = find(ip, h);
    if (!r)
        r = create(ip, h, now);
    if (r && !r->poisoned)
        add(ip, r, p, h);
    else if (r)
        ip->stats.drop_frag_poisoned++;
    pkt_put(p);
    if (r && !r->poisoned && r->total && r->have == r->total) {
        whole = assemble(ip, r);
        reass_free(ip, r);
    }
    return whole;
}

/* RFC 1122 3.3.2: tell the sender, if its header came; RFC 792 wants fragment zero quoted. */
void reass_timer(struct ip *ip, struct reass *r, instant now)
{
    uint8_t quote[ICMP_ERROR_MAX];
    const struct chunk *c = chunk_at(ip, r->first);

    ip->stats.reass_timeout++;
    if (!r->poisoned && r->hlen && c) {
        uint32_t n = min_u32(c->len, ICMP_ERROR_MAX - r->hlen);
        memcpy(quote, r->header, r->hlen);
        memcpy(quote + r->hlen, c->data, n);
        icmp_error_about(ip, quote, r->hlen + n, r->flags, ICMP_TIME_EXCEEDED,
                         ICMP_TIME_EXCEEDED_REASS, 0, now);
    }
    reass_free(ip, r);
}
