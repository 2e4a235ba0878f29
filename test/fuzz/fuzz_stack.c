/* A live stack, its port and its public API, driven by any bytes: the input is a sequence of
 * operations, and after each of them every invariant of the stack must hold.  In the end all
 * sockets are closed and time passes; then no pool may miss anything.
 *
 * Segments are made relative to what the stack itself sent last, and arrive marked as having a
 * right checksum, so that few bytes of input lead deep into the state machine.
 *
 *     op & 7   meaning                         bytes that follow
 *     0        any frame                       length (2), bytes
 *     1, 2     TCP segment                     see put_segment
 *     3        IP packet, perhaps a fragment   see put_ip
 *     4        call of the public API          see call
 *     5        time passes                     how long (2)
 *     6        ICMP error about the last frame type, code, mtu (2)
 *     7        ports: refuse, starve, recover  one byte
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/fuzz_target.h"
#include "shard/shard.h"
#include "sim/port.h"

#define MEMORY_BYTES ((size_t)32 << 20)
#define SOCKS 12u
#define SLICES 16u
#define OPS_MAX 400u
#define FLOWS 4u

static const struct mac_addr peer_mac = {{2, 0, 0, 0, 0, 9}};

/* What the stack has sent last on one connection: where the peer may answer. */
struct seen {
    be32 peer;
    uint16_t lport, rport;
    tcp_seq snd_nxt, ack; /* the stack's; it expects ack next */
};

struct fuzz {
    const uint8_t *in;
    size_t left;
    struct sim_port *port;
    struct stack *stack;
    struct native *native;
    struct mr *m;
    struct shard shard;
    struct mr_app app;
    instant now;
    struct seen seen[FLOWS];
    uint8_t last[2048]; /* the frame sent last */
    uint32_t last_len;
    mr_sock sock[SOCKS];
    struct mr_slice slice[SLICES];
    bool held[SLICES];
    uint32_t gives;
};

static uint8_t take8(struct fuzz *f)
{
    if (f->left == 0)
        return 0;
    f->left--;
    return *f->in++;
}

static uint16_t take16(struct fuzz *f)
{
    uint16_t high = take8(f);

    return (uint16_t)(high << 8 | take8(f));
}

static void take(struct fuzz *f, uint8_t *dst, size_t n)
{
    size_t have = n < f->left ? n : f->left;

    memcpy(dst, f->in, have);
    memset(dst + have, 0, n - have);
    f->in += have;
    f->left -= have;
}

static be32 own_addr(void)
{
    return be32_of(0x0a000001);
}
static be32 peer_addr(unsigned i)
{
    return be32_of(0x0a000002 + i % 3);
}

/* ---- out of the stack --------------------------------------------------------------- */

static void learn(struct fuzz *f, const uint8_t *b, uint32_t n)
{
    struct ipv4_hdr ip;
    struct tcp_seg s;

    if (load_be16(b + 12) != ETHTYPE_IPV4 || ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) ||
        ip.proto != IPPROTO_TCP_ || ip.frag_off ||
        tcp_parse(&s, b + ETH_HLEN + ip.hlen, (size_t)ip.total_len - ip.hlen))
        return;
    struct seen *e = &f->seen[s.dport % FLOWS];
    *e = (struct seen){.peer = ip.dst, .lport = s.sport, .rport = s.dport, .ack = s.ack};
    e->snd_nxt = seq_add(s.seq, s.len + !!(s.flags & TH_SYN) + !!(s.flags & TH_FIN));
}

static void sent(void *arg, unsigned host, const uint8_t *b, uint32_t n)
{
    struct fuzz *f = arg;

    (void)host;
    MR_ASSERT(n >= ETH_HLEN);
    f->last_len = n < sizeof(f->last) ? n : (uint32_t)sizeof(f->last);
    memcpy(f->last, b, f->last_len);
    learn(f, b, n);
}

/* ---- into the stack ----------------------------------------------------------------- */

static void turn(struct fuzz *f)
{
    shard_turn(&f->shard, f->now);
    stack_check(f->stack);
}

static void arrive(struct fuzz *f, const uint8_t *b, size_t n, bool trusted)
{
    if (n == 0 || n > f->port->nic.caps.rx_buf_size ||
        !sim_port_receive(f->port, 0, b, (uint32_t)n))
        return;
    if (trusted)
        f->port->queue[0].rx.tail->flags |= PKT_CSUM_OK;
}

static size_t headers(uint8_t *b, be32 src, uint8_t proto, uint16_t frag, uint32_t n)
{
    struct mac_addr mac = {{2, 0x51, 0, 0, 0, 1}};
    struct eth_hdr eth = {.dst = mac, .src = peer_mac, .ethertype = ETHTYPE_IPV4};
    struct ipv4_hdr ip = {.src = src,
                          .dst = own_addr(),
                          .total_len = (uint16_t)(IPV4_HLEN + n),
                          .id = 7,
                          .flags = frag & IPV4_MF,
                          .frag_off = (uint16_t)((frag & 0x1fff) * 8),
                          .ttl = 64,
                          .proto = proto};
    size_t at = eth_emit(b, &eth);

    return at + ipv4_emit(b + at, &ip);
}

static void put_frame(struct fuzz *f)
{
    uint8_t b[2048];
    size_t n = take16(f) % 1600;

    take(f, b, n);
    arrive(f, b, n, false);
}

/* flow, flags, seq delta (2), ack delta (2), window (2), option and payload lengths (1), options */
static void put_segment(struct fuzz *f, bool opens)
{
    uint8_t b[2048] = {0}, options[TCP_OPTLEN_MAX];
    uint8_t which = take8(f), flags = take8(f);
    const struct seen *e = &f->seen[which % FLOWS];
    uint32_t seq = e->ack.v + (uint32_t)(int16_t)take16(f);
    uint32_t ack = e->snd_nxt.v + (uint32_t)(int16_t)take16(f);
    uint16_t wnd = take16(f);
    uint8_t sizes = take8(f);
    uint32_t optlen = sizes % 11 * 4, len = sizes / 11 * 61;
    bool fresh = opens || e->lport == 0;
    be32 src = fresh ? peer_addr(which) : e->peer;

    take(f, options, optlen);
    size_t at = headers(b, src, IPPROTO_TCP_, 0, TCP_HLEN + optlen + len);
    uint8_t *tcp = b + at;
    store_be16(tcp, fresh ? (uint16_t)(1000 + which) : e->rport);
    store_be16(tcp + 2, fresh ? 80 : e->lport);
    store_be32(tcp + 4, seq);
    store_be32(tcp + 8, ack);
    tcp[12] = (uint8_t)((TCP_HLEN + optlen) << 2);
    tcp[13] = opens ? (uint8_t)(flags | TH_SYN) : flags;
    store_be16(tcp + 14, wnd);
    store_be16(tcp + 18, (uint16_t)(len / 2));
    memcpy(tcp + TCP_HLEN, options, optlen);
    arrive(f, b, at + TCP_HLEN + optlen + len, true);
}

/* protocol, fragment field (2), length (1), bytes */
static void put_ip(struct fuzz *f)
{
    uint8_t b[2048];
    uint8_t proto = take8(f);
    uint16_t frag = take16(f);
    size_t n = take8(f) * 4u;
    size_t at = headers(b, peer_addr(proto >> 5), proto & 1 ? IPPROTO_UDP_ : proto & 31, frag,
                        (uint32_t)n);

    take(f, b + at, n);
    if (proto & 1 && n >= UDP_HLEN && !(frag & 0x1fff)) {
        store_be16(b + at + 2, 7000);
        store_be16(b + at + 4, (uint16_t)n);
        memset(b + at + 6, 0, 2);
    }
    arrive(f, b, at + n, true);
}

static void put_icmp(struct fuzz *f)
{
    uint8_t b[256];
    struct icmp_hdr icmp = {.type = take8(f), .code = take8(f)};
    uint32_t quote = f->last_len > ETH_HLEN + 60 ? 60 : 0;

    icmp.mtu = take16(f);
    size_t at = headers(b, peer_addr(0), IPPROTO_ICMP_, 0, ICMP_HLEN + quote), l4 = at;
    at += icmp_emit(b + at, &icmp);
    memcpy(b + at, f->last + ETH_HLEN, quote);
    uint16_t sum = csum_finish(csum_add_portable(b + l4, ICMP_HLEN + quote, 0));
    memcpy(b + l4 + 2, &sum, 2);
    arrive(f, b, at + quote, true);
}

/* ---- the application ---------------------------------------------------------------- */

static void event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    struct fuzz *f = core_state;
    mr_sock s;

    if (ev->type != MR_EV_ACCEPT)
        return;
    for (unsigned i = 0; i < SOCKS; i++)
        if (f->sock[i].v == 0 && mr_accept(m, ev->sock, &s, NULL) == 0)
            f->sock[i] = s;
}

static void released(void *arg, const void *ptr, size_t n)
{
    struct fuzz *f = arg;

    (void)ptr;
    MR_ASSERT(n > 0 && f->gives > 0);
    f->gives--;
}

static void slice_take(struct fuzz *f, mr_sock s)
{
    for (unsigned i = 0; i < SLICES; i++) {
        if (f->held[i])
            continue;
        f->held[i] = mr_recv_slices(f->m, s, &f->slice[i], 1) == 1;
        return;
    }
}

static void slice_give_back(struct fuzz *f, unsigned i)
{
    if (f->held[i % SLICES])
        mr_slice_release(f->m, &f->slice[i % SLICES]);
    f->held[i % SLICES] = false;
}

static void open_sock(struct fuzz *f, mr_sock *s, uint8_t arg)
{
    struct mr_addr to = {.port = (uint16_t)(90 + (arg & 3))};
    struct mr_addr any = {.port = (uint16_t)(80 + (arg & 3))};

    to.ip[10] = to.ip[11] = 0xff;
    store_be32(to.ip + 12, be32_get(arg & 64 ? own_addr() : peer_addr(arg >> 2)));
    if (s->v != 0)
        return;
    if (arg & 128)
        mr_listen(f->m, &any, NULL, s);
    else
        mr_connect(f->m, NULL, &to, NULL, s);
}

static void forget(struct fuzz *f, mr_sock *s, bool rudely)
{
    if (rudely)
        mr_abort(f->m, *s);
    else
        mr_close(f->m, *s);
    s->v = 0;
}

static void send_udp(struct fuzz *f, mr_sock s, uint16_t n)
{
    static const uint8_t zeros[8192];
    struct mr_addr to = {.port = 9};

    to.ip[10] = to.ip[11] = 0xff;
    store_be32(to.ip + 12, be32_get(peer_addr(0)));
    mr_sendto(f->m, s, zeros, n % sizeof(zeros), &to);
}

/* Near zero as it is, for what is true or false; beyond, coarse. */
static int64_t option_value(int8_t v)
{
    return v >= -8 && v <= 8 ? v : (int64_t)v * 97;
}

/* which call and socket (1), argument (2) */
static void call(struct fuzz *f)
{
    static const uint8_t bytes[4096];
    uint8_t buf[4096];
    uint8_t what = take8(f);
    uint16_t arg = take16(f);
    mr_sock *s = &f->sock[(what >> 4) % SOCKS];
    int64_t v;

    switch (what & 15) {
    case 0:
    case 1:
        open_sock(f, s, (uint8_t)arg);
        break;
    case 2:
    case 3:
        mr_send(f->m, *s, bytes, arg % sizeof(bytes), arg >> 14);
        break;
    case 4:
        f->gives += mr_send_give(f->m, *s, bytes, 1u + arg % sizeof(bytes), 0, released, f) == 0;
        break;
    case 5:
    case 6:
        mr_recv(f->m, *s, buf, arg % sizeof(buf), arg >> 15);
        break;
    case 7:
        slice_take(f, *s);
        break;
    case 8:
        slice_give_back(f, arg);
        break;
    case 9:
        mr_shutdown(f->m, *s);
        break;
    case 10:
        forget(f, s, false);
        break;
    case 11:
        forget(f, s, true);
        break;
    case 12:
        mr_setopt(f->m, *s, (enum mr_opt)(arg >> 8), option_value((int8_t)arg));
        break;
    case 13:
        mr_getopt(f->m, *s, (enum mr_opt)(arg >> 8), &v);
        break;
    case 14:
        send_udp(f, f->sock[1], arg);
        break;
    default:
        mr_recvfrom(f->m, f->sock[1], buf, sizeof(buf), NULL);
        break;
    }
}

/* ---- a run ------------------------------------------------------------------------- */

static void tiny(struct stack_config *c)
{
    struct stack_limits *l = &c->limits;

    l->eth.neighbours = 8;
    l->eth.txq = 32;
    l->ip.reass_datagrams = 4;
    l->ip.reass_chunks = 16;
    l->ip.jumbo = 2;
    l->ip.loop = 16;
    l->ip.loopq = 16;
    l->ip.errors = 8;
    l->ip.pmtu = 8;
    l->udp.pcbs = 2;
    l->udp.copies = 4;
    l->tcp.conns = 8;
    l->tcp.time_wait = 4;
    l->tcp.syns = 3;
    l->tcp.listeners = 4;
    l->tcp.cold = 4;
    l->tcp.loss = 3;
    l->tcp.ooo_packets = 16;
    l->tcp.ooo_runs = 4;
    l->tx_packets = 24;
    l->copy_packets = 16;
    l->snd_chunks = 8;
    l->snd_bufs = 24;
}

static void start(struct fuzz *f, uint8_t *memory)
{
    struct stack_config c;
    struct sim_port_wire wire = {.send = sent, .arg = f};
    uint8_t knobs = take8(f);
    struct sim_port_config port = {.mtu = 1500, .rx_packets = 24, .rx_low_water = 6};
    struct mem m;
    struct ip_addr own = ip4_addr(own_addr());

    mem_init(&m, memory, MEMORY_BYTES);
    port.tx_csum = knobs & 1;
    port.tso_max = knobs & 2 ? 8000 : 0;
    stack_config_default(&c);
    tiny(&c);
    c.tcp.sack = knobs & 4;
    c.tcp.timestamps = knobs & 8;
    c.tcp.cookies = knobs & 16 ? TCP_COOKIES_ALWAYS : TCP_COOKIES_OVERFLOW;
    c.tcp.rcvbuf = knobs & 32 ? 3000 : 65536;
    c.tcp.isn_fixed = true;
    c.tcp.isn_offset = knobs & 64 ? 0xfffffff0 : 1000;
    size_t bytes = align_up(stack_bytes(&c.limits), 4096);
    void *at = mem_carve(&m, bytes, 4096);
    memset(at, 0, bytes);
    f->stack = stack_init(at, bytes, &c, f->now);
    /* Behind the stack's memory: sockets refer to received packets from its start. */
    f->port = sim_port_init(&m, 0, &port, &wire);
    stack_port_add(f->stack, &f->port->nic, 0, 0, 0);
    stack_addr_add(f->stack, 1, &own, 24, false);
    for (unsigned i = 0; i < 3; i++) {
        struct ip_addr peer = ip4_addr(peer_addr(i));
        stack_neigh_add(f->stack, 1, &peer, &peer_mac);
    }
    at = mem_carve(&m, native_bytes(), 4096);
    memset(at, 0, native_bytes());
    f->native = native_init(at, f->stack);
    f->m = native_mr(f->native);
    f->app = (struct mr_app){.name = "fuzz", .event = event};
    f->shard = (struct shard){.stack = f->stack,
                              .native = f->native,
                              .app = &f->app,
                              .core_state = f,
                              .netifs = 1};
    f->shard.nic[1] = &f->port->nic;
}

static void operate(struct fuzz *f)
{
    uint8_t op = take8(f);

    switch (op & 7) {
    case 0:
        put_frame(f);
        break;
    case 1:
    case 2:
        put_segment(f, (op & 7) == 2);
        break;
    case 3:
        put_ip(f);
        break;
    case 4:
        call(f);
        break;
    case 5:
        f->now += (uint64_t)take16(f) * (op & 8 ? 100000 : 500);
        break;
    case 6:
        put_icmp(f);
        break;
    default:
        f->port->refuse = op >> 3 & 3;
        f->port->starved = op >> 5 & 1;
        break;
    }
    /* Operations without a turn between them arrive as one burst. */
    if (!(op & 128))
        turn(f);
}

static bool is_quiet(const struct tcp *t)
{
    return t->conns.used + t->tws.used + t->syns.used + t->tx->descs.used == 0;
}

/* Nothing may be missing when everything is closed and the longest of all time-outs has passed. */
static void finish(struct fuzz *f)
{
    struct tcp *t = stack_tcp(f->stack);

    f->port->refuse = 0;
    f->port->starved = false;
    for (unsigned i = 0; i < SLICES; i++)
        slice_give_back(f, i);
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < SOCKS; i++)
            if (f->sock[i].v != 0)
                forget(f, &f->sock[i], true);
        f->now += round < 30 ? USEC_PER_SEC : 30 * USEC_PER_SEC;
        turn(f);
        if (round > 33 && is_quiet(t))
            break;
    }
    MR_ASSERT(f->gives == 0);
    MR_ASSERT(t->conns.used == 0 && t->syns.used == 0 && t->listeners.used == 0);
    MR_ASSERT(t->tws.used == 0 && t->colds.used == 0 && t->losses.used == 0 && t->flows.used == 0);
    MR_ASSERT(t->sbufs->bufs.used == 0 && t->sbufs->chunks.used == 0);
    MR_ASSERT(t->tx->descs.used == 0 && t->copies->descs.used == 0);
    MR_ASSERT(sim_port_lent(f->port) == 0);
    MR_ASSERT(stack_ip(f->stack)->reass_pool.used == 0);
    MR_ASSERT(stack_ip(f->stack)->jumbo.descs.used == 0);
    MR_ASSERT(stack_udp(f->stack)->pcbs.used == 0);
}

static uint8_t *memory(void)
{
    static uint8_t *kept;

    if (kept == NULL)
        kept = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (kept == MAP_FAILED)
        abort();
    return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz f;
    struct mr_addr any = {.port = 80}, udp = {.port = 7000};

    f = (struct fuzz){.in = data, .left = size, .now = 1000000};
    start(&f, memory());
    mr_listen(f.m, &any, NULL, &f.sock[0]);
    mr_udp_open(f.m, &udp, NULL, &f.sock[1]);
    for (unsigned i = 0; i < OPS_MAX && f.left > 0; i++)
        operate(&f);
    finish(&f);
    return 0;
}
