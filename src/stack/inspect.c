/* Looking at a stack from outside: pools, invariants, memory tests. */
#include "base/fmt.h"
#include "stack/stack_int.h"

static void row(struct stack_pool *out, unsigned max, unsigned *n, const char *name,
                const struct pool *p)
{
    if (*n < max)
        out[*n] =
            (struct stack_pool){name, p->capacity, p->used, p->used_max, p->stride, p->failures};
    ++*n;
}

/* A packet is its descriptor and its buffer. */
static void row_pkts(struct stack_pool *out, unsigned max, unsigned *n, const char *name,
                     const struct pkt_pool *p)
{
    row(out, max, n, name, &p->descs);
    if (*n <= max)
        out[*n - 1].object_bytes += p->buf_size;
}

unsigned stack_pools(const struct stack *s, struct stack_pool *out, unsigned max)
{
    unsigned n = 0;

    row(out, max, &n, "tcp connections", &s->tcp.conns);
    row(out, max, &n, "tcp time-wait", &s->tcp.tws);
    row(out, max, &n, "tcp syn queue", &s->tcp.syns);
    row(out, max, &n, "tcp listeners", &s->tcp.listeners);
    row(out, max, &n, "tcp settings", &s->tcp.colds);
    row(out, max, &n, "tcp scoreboards", &s->tcp.losses);
    if (s->tcp.aways.capacity)
        row(out, max, &n, "tcp flows away from home", &s->tcp.aways);
    row(out, max, &n, "flow overflow buckets", &s->tcp.flows.overflow);
    row(out, max, &n, "udp endpoints", &s->udp.pcbs);
    row_pkts(out, max, &n, "udp copies", &s->udp.copies);
    row(out, max, &n, "timers", &s->sock.timers);
    row(out, max, &n, "send buffers", &s->sbufs.bufs);
    row(out, max, &n, "send chunks", &s->sbufs.chunks);
    row_pkts(out, max, &n, "tx packets", &s->tx);
    row_pkts(out, max, &n, "copied packets", &s->copies);
    row_pkts(out, max, &n, "jumbo packets", &s->ip.jumbo);
    row_pkts(out, max, &n, "loopback packets", &s->ip.loop);
    row(out, max, &n, "reassembly datagrams", &s->ip.reass_pool);
    row(out, max, &n, "reassembly chunks", &s->ip.chunk_pool);
    return n;
}

size_t stack_limits_print(const struct stack_limits *l, char *buf, size_t n)
{
    struct stack scratch = {0};
    struct stack_pool rows[32];
    struct mem m;
    size_t at = 0;

    stack_measure(&scratch, &m, l);
    unsigned count = stack_pools(&scratch, rows, ARRAY_LEN(rows));
    for (unsigned i = 0; i < count && at < n; i++)
        at += fmt_print(buf + at, n - at, "%s %u x %u = %llu\n", rows[i].name, rows[i].capacity,
                        rows[i].object_bytes,
                        (unsigned long long)rows[i].capacity * rows[i].object_bytes);
    return at;
}

static void fill_packets(struct pkt_pool *p, uint8_t byte)
{
    memset(p->bufs, byte, (size_t)p->descs.capacity * p->buf_size);
}

void stack_fill(struct stack *s, uint8_t byte)
{
    fill_packets(&s->tx, byte);
    fill_packets(&s->copies, byte);
    fill_packets(&s->ip.jumbo, byte);
    fill_packets(&s->ip.loop, byte);
    fill_packets(&s->udp.copies, byte);
    memset(s->sbufs.chunks.base, byte, (size_t)s->sbufs.chunks.capacity * s->sbufs.chunks.stride);
}

void stack_check(struct stack *s)
{
    uint32_t queued = 0;

    for (const struct pkt *p = s->eth.txq.head; p; p = p->next)
        queued++;
    MR_ASSERT(queued == s->eth.txq.n);
    tcp_check(&s->tcp);
}
