#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "wire_bytes.h"

#define RX_PACKETS 256u
#define RX_BUF_BYTES 4096u
#define RX_MEMORY_BYTES ((size_t)RX_PACKETS * (RX_BUF_BYTES + sizeof(struct pkt)) + (1u << 20))
#define JUMBO_BUF_BYTES (RX_BUF_BYTES - PKT_HEADROOM - ETH_HLEN)

static const struct mac_addr our_mac = {{2, 0, 0, 0, 0, 1}};
static const struct mac_addr gateway_mac = {{2, 0, 0, 0, 0, 2}};

static unsigned no_rx(struct nic *n, unsigned queue, struct pkt **out, unsigned max)
{
    (void)n, (void)queue, (void)out, (void)max;
    return 0;
}

static unsigned no_tx(struct nic *n, unsigned queue, struct pkt **p, unsigned count)
{
    (void)n, (void)queue, (void)p, (void)count;
    return 0;
}

static void no_close(struct nic *n)
{
    (void)n;
}

static const struct nic_ops port_ops = {.rx_burst = no_rx, .tx_burst = no_tx, .close = no_close};

static void *reserve(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void init_port(struct world *w, uint32_t mtu)
{
    w->nic = (struct nic){
        .ops = &port_ops,
        .caps = {.mtu = mtu, .rx_buf_size = RX_BUF_BYTES, .queues = 1},
        .mac = our_mac,
        .name = "script",
    };
}

/* The stack links received packets by references from its own memory: theirs follows it. */
static void init_rx(struct world *w, size_t stack_size)
{
    struct mem m;

    mem_init(&m, (uint8_t *)w->memory + stack_size, w->memory_bytes - stack_size);
    pkt_pool_init(&w->rx, &m, "rx", RX_PACKETS, RX_BUF_BYTES, PKT_HEADROOM, NULL);
}

static struct ip_addr ip_of(uint32_t host)
{
    return ip4_addr(be32_of(host));
}

static int init_network(struct world *w, const struct run_options *o)
{
    struct ip_addr local = ip_of(o->local_ip), gateway = ip_of(o->gateway_ip), any = ip_of(0);
    int netif = stack_port_add(w->stack, &w->nic, 0, 0, 0), e;

    if (netif < 0)
        return netif;
    w->netif = (unsigned)netif;
    e = stack_addr_add(w->stack, w->netif, &local, o->prefix_len, false);
    if (e == 0)
        e = stack_neigh_add(w->stack, w->netif, &gateway, &gateway_mac);
    if (e == 0)
        e = stack_route_add(w->stack, &any, 0, &gateway, w->netif);
    return e;
}

bool world_init(struct world *w, const struct run_options *o, const struct stack_config *c,
                char *why, size_t whylen)
{
    size_t stack_size = align_up(stack_bytes(&c->limits), 4096);
    void *native;
    int e;

    *w = (struct world){.start = 1000 * USEC_PER_SEC};
    w->now = w->start;
    w->memory_bytes = stack_size + RX_MEMORY_BYTES;
    w->memory = reserve(w->memory_bytes);
    native = calloc(1, native_bytes() + 64);
    if (w->memory == NULL || native == NULL) {
        snprintf(why, whylen, "out of memory");
        return false;
    }
    init_port(w, o->mtu);
    w->stack = stack_init(w->memory, stack_size, c, w->now);
    init_rx(w, stack_size);
    /* What the stack does not write shows on the wire. */
    stack_fill(w->stack, 0xa5);
    e = w->stack != NULL ? init_network(w, o) : MR_EINVAL;
    if (e != 0) {
        snprintf(why, whylen, "the stack does not start: %d", e);
        return false;
    }
    w->native = native_init(native, w->stack);
    w->m = native_mr(w->native);
    return true;
}

void world_fini(struct world *w)
{
    while (w->sent_head < w->sent_n)
        world_pop_sent(w);
    free(w->sent);
    free(w->native);
    if (w->memory != NULL)
        munmap(w->memory, w->memory_bytes);
}

int64_t world_us(const struct world *w)
{
    return (int64_t)(w->now - w->start);
}

static void trace(const struct world *w, const uint8_t *frame, uint32_t n)
{
    char line[400];

    if (!w->verbose)
        return;
    frame_print(line, sizeof(line), frame, n);
    printf("# %" PRId64 ".%06" PRId64 " %s\n", world_us(w) / 1000000, world_us(w) % 1000000, line);
}

void world_inject(struct world *w, const uint8_t *ip, uint32_t n, bool broadcast)
{
    struct pkt *p = pkt_get(&w->rx);

    MR_ASSERT(p != NULL);
    MR_ASSERT(n <= JUMBO_BUF_BYTES);
    memcpy(p->data, our_mac.b, 6);
    if (broadcast)
        memset(p->data, 0xff, 6);
    memcpy(p->data + 6, gateway_mac.b, 6);
    put16(p->data + 12, ETHTYPE_IPV4);
    memcpy(p->data + ETH_HLEN, ip, n);
    p->len = ETH_HLEN + n;
    trace(w, p->data, p->len);
    stack_input(w->stack, w->netif, &p, 1, w->now);
}

static void record(struct world *w, const uint8_t *frame, uint32_t n)
{
    struct capture *c;

    trace(w, frame, n);
    MR_ASSERT(n > ETH_HLEN);
    /* ARP is not what scripts are about. */
    if (get16(frame + 12) != ETHTYPE_IPV4)
        return;
    if (w->sent_n == w->sent_cap) {
        w->sent_cap = w->sent_cap != 0 ? 2 * w->sent_cap : 64;
        w->sent = realloc(w->sent, w->sent_cap * sizeof(*w->sent));
        MR_ASSERT(w->sent != NULL);
    }
    c = &w->sent[w->sent_n++];
    c->at = w->now;
    c->len = n - ETH_HLEN;
    c->bytes = malloc(c->len);
    MR_ASSERT(c->bytes != NULL);
    memcpy(c->bytes, frame + ETH_HLEN, c->len);
}

bool world_flush(struct world *w)
{
    static uint8_t frame[70000];
    struct pkt *out[BURST_MAX];
    bool any = false;
    unsigned n;

    native_flush(w->native, w->now);
    while ((n = stack_tx(w->stack, w->netif, out, BURST_MAX)) > 0) {
        any = true;
        for (unsigned i = 0; i < n; i++) {
            uint32_t len = pkt_total(out[i]);

            MR_ASSERT(len <= sizeof(frame));
            pkt_copy_out(out[i], frame);
            record(w, frame, len);
            pkt_put(out[i]);
        }
    }
    return any;
}

const struct capture *world_next_sent(const struct world *w)
{
    return w->sent_head < w->sent_n ? &w->sent[w->sent_head] : NULL;
}

void world_pop_sent(struct world *w)
{
    free(w->sent[w->sent_head++].bytes);
    if (w->sent_head == w->sent_n)
        w->sent_head = w->sent_n = 0;
}
