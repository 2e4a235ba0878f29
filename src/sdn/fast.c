/* Packet-ins on the short way: the source is known at its port, the destination at another one of
 * the same switch, and one FLOW_MOD with the buffer's id is the answer.
 *
 * Packet-ins come in bursts.  A burst is walked three times: the first walk parses them and calls
 * the first buckets of their addresses from memory, the second looks there and calls the other
 * bucket of those that are not in it (one in five), the third answers.  So the misses of a burst
 * overlap, where one by one each would cost more than all the rest.  Answers are written straight
 * into the switch's output.
 *
 * In learn mode everything is decided here.  In network mode the table has only what the tracker of
 * hosts has put there: hosts at edge ports of this core's switches; whatever does not fit (unknown,
 * moved, multicast, ARP) goes to forward_slow. */
#include "ofp/fast.h"
#include "sdn/sdn_int.h"

/* As many as a slice of a transport's memory holds: until all of them are parsed, the first lines
 * have come from memory. */
#define BATCH 64u
#define SLOW_BYTES 12288u /* a flow as flow_say would have it, a packet without its frame */

enum { VLAN_HLEN = 18, T_VLAN = 0x8100, T_ARP = 0x0806, T_FIRST = 0x0600 };

struct fast {
    struct ofp_fast_flow flow[2]; /* OpenFlow 1.0, 1.3 */
};

/* One packet-in between the walks. */
struct seen {
    const uint8_t *frame;
    uint32_t len, buffer_id, in_port;
    uint16_t vlan, type, total_len;
    uint64_t src, dst; /* keys */
    uint64_t src_hash, dst_hash;
    struct mac_entry *from,
        *to; /* where the second walk found them; NULL: not in the first bucket */
};

/* Where answers are written. */
struct pen {
    uint8_t *from, *at, *end;
    uint32_t messages, flows;
};

void fast_carve(struct sdn *s)
{
    struct ofp_flow like;

    s->fast = mem_carve(&s->mem, sizeof(struct fast), CACHE_LINE);
    if (!s->fast)
        return;
    ofp_flow_init(&like);
    like.idle_timeout = s->config.flow_idle_s;
    like.hard_timeout = s->config.flow_hard_s;
    like.priority = s->config.flow_priority;
    like.cookie = s->net->cookie;
    ofp_fast_flow_init(&s->fast->flow[0], OFP_10, &like);
    ofp_fast_flow_init(&s->fast->flow[1], OFP_13, &like);
}

/* ---- the first walk ---- */

static inline uint64_t key_at(const uint8_t *mac, uint16_t id)
{
    uint64_t v;

    memcpy(&v, mac, sizeof(v));
    return (__builtin_bswap64(v) & ~UINT64_C(0xffff)) | id;
}

/* The frame has ETH_HLEN bytes at least. */
static inline void look_at(const struct sdn *s, const struct sdn_switch *sw, struct seen *x)
{
    const uint8_t *f = x->frame;

    x->type = load_be16(f + 12);
    x->vlan = 0;
    if (unlikely(x->type == T_VLAN) && x->len >= VLAN_HLEN)
        x->vlan = load_be16(f + 14) & 0xfff;
    x->dst = key_at(f, sw->mac_id);
    x->src = key_at(f + 6, sw->mac_id);
    x->src_hash = mac_hash(&s->macs, x->src, x->vlan);
    x->dst_hash = mac_hash(&s->macs, x->dst, x->vlan);
    mac_prefetch(&s->macs, (uint32_t)x->src_hash);
    mac_prefetch(&s->macs, (uint32_t)x->dst_hash);
    x->from = x->to = NULL;
}

/* A whole packet-in of the usual shape at p: its length; else 0. */
static inline uint32_t read_one(enum ofp_dialect d, const uint8_t *p, size_t n, struct seen *x)
{
    const uint32_t want = d == OFP_10 ? 18 + ETH_HLEN : 42 + ETH_HLEN;
    const uint16_t head = d == OFP_10 ? 0x0a01 : 0x0a04; /* version, PACKET_IN: as a word */
    struct ofp_fast_in in;
    struct ofp_msg m;
    uint16_t is;

    if (n < want)
        return 0;
    memcpy(&is, p, sizeof(is));
    m.p = p;
    m.len = load_be16(p + 2);
    if (is != head || m.len < want || m.len > n || !ofp_fast_packet_in(d, &m, &in))
        return 0;
    x->frame = in.frame;
    x->len = in.len;
    x->buffer_id = in.buffer_id;
    x->in_port = in.in_port;
    x->total_len = load_be16(p + 12);
    return m.len;
}

/* ---- the second walk ---- */

static inline struct mac_entry *locate_one(const struct mac_table *t, uint64_t hash, uint64_t key,
                                           uint16_t vlan)
{
    struct mac_entry *e = mac_in_bucket(mac_bucket(t, (uint32_t)hash), key, vlan);

    if (!e)
        mac_prefetch(t, (uint32_t)(hash >> 32));
    return e;
}

static inline void locate(const struct sdn *s, struct seen *x)
{
    x->from = locate_one(&s->macs, x->src_hash, x->src, x->vlan);
    /* It may be new: the tracker of hosts will look it up. */
    if (!x->from && s->config.mode == SDN_NETWORK)
        net_host_prefetch(s, x->src >> 16);
    x->to = locate_one(&s->macs, x->dst_hash, x->dst, x->vlan);
}

/* Hosts not found in the first bucket: in the second, or the tracker will look further. */
static inline void locate_new(const struct sdn *s, const struct seen *burst, uint32_t count)
{
    if (s->config.mode != SDN_NETWORK)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (!burst[i].from)
            net_host_prefetch_next(s, burst[i].src >> 16);
}

/* What was found may have moved since, when an earlier one of the burst was learnt. */
static inline struct mac_entry *still(const struct mac_table *t, struct mac_entry *e, uint64_t hash,
                                      uint64_t key, uint16_t vlan)
{
    if (likely(e && e->key == key && e->seen >> MAC_SEEN_BITS == vlan))
        return e;
    return mac_lookup(t, hash, key, vlan);
}

/* ---- the third walk ---- */

static bool is_group(const uint8_t *mac)
{
    return (mac[0] & 1) != 0;
}

/* 01-80-C2-00-00-0X: never forwarded (IEEE 802.1D, 7.12.6). */
static bool is_link_local(const uint8_t *mac)
{
    return load_be32(mac) == 0x0180c200 && mac[4] == 0 && mac[5] < 16;
}

static bool is_usable(const struct sdn_switch *sw, uint32_t no)
{
    const struct sdn_port *p;

    if (port_is_short(sw, no) || no == OFPP_LOCAL)
        return true;
    p = no >= SHORT_PORTS ? port_find(sw, no) : NULL;
    return p && port_is_up(p);
}

static struct ofp_packet_in as_packet_in(const struct seen *x)
{
    return (struct ofp_packet_in){.buffer_id = x->buffer_id,
                                  .in_port = x->in_port,
                                  .total_len = x->total_len,
                                  .frame = x->frame,
                                  .frame_len = x->len};
}

static void pen_down(struct sdn *s, struct sdn_switch *sw, struct pen *pen)
{
    if (pen->at != pen->from)
        say_end_many(s, sw, (size_t)(pen->at - pen->from), pen->messages, false);
    pen->from = pen->at = pen->end = NULL;
    pen->messages = 0;
}

/* And what it wrote since the beginning is counted. */
static void pen_away(struct sdn *s, struct sdn_switch *sw, struct pen *pen)
{
    pen_down(s, sw, pen);
    sw->flow_mods += pen->flows;
    s->stats.flow_mods += pen->flows;
}

static inline bool pen_has(struct sdn *s, struct sdn_switch *sw, struct pen *pen, size_t n)
{
    if (likely((size_t)(pen->end - pen->at) >= n))
        return true;
    pen_down(s, sw, pen);
    pen->from = pen->at = say_begin(s, sw, n, false);
    if (!pen->at)
        return false;
    pen->end = sw->data.end;
    return true;
}

/* The frame itself, behind its FLOW_MOD: the switch has not kept it. */
static void say_whole(struct sdn *s, struct sdn_switch *sw, struct pen *pen, const struct seen *x,
                      uint32_t port)
{
    struct ofp_packet_in p = as_packet_in(x);

    pen_down(s, sw, pen);
    if (x->len < x->total_len || !say_packet(s, sw, &p, &port, 1))
        s->stats.packet_ins_dropped++;
}

static inline bool answer(struct sdn *s, struct sdn_switch *sw, struct pen *pen,
                          const struct seen *x, uint32_t port)
{
    const struct ofp_fast_flow *t = &s->fast->flow[sw->dialect != OFP_10];
    uint16_t vlan = x->type == T_VLAN ? OFP_VLAN_PRESENT | x->vlan : 0;

    if (!pen_has(s, sw, pen, OFP_FAST_MAX))
        return false;
    uint8_t *at = pen->at;
    pen->at +=
        ofp_fast_flow_mod(t, at, fast_xid_next(sw), x->buffer_id, x->in_port, x->frame, vlan, port);
    /* The cookie's low half: this connection, and where the flow leads, this switch (net.h). */
    store_be32(at + (sw->dialect == OFP_10 ? 52 : 12),
               (uint32_t)sw->flow_conn << 16 | (sw->net & 0xffff));
    pen->messages++;
    pen->flows++;
    if (unlikely(x->buffer_id == OFP_NO_BUFFER))
        say_whole(s, sw, pen, x, port);
    return true;
}

/* Learn mode: an address that is new, or at another port than before. */
static MR_NO_INLINE void learn(struct sdn *s, struct sdn_switch *sw, const struct seen *x)
{
    if (is_group(x->frame + 6) || x->in_port == 0 || !is_usable(sw, x->in_port))
        return;
    switch (mac_learn(&s->macs, x->src, x->vlan, x->in_port, s->now_s)) {
    case MAC_SAME:
        break;
    case MAC_NEW_EVICTED:
        s->stats.macs_evicted++;
        s->stats.macs_learnt++;
        break;
    case MAC_NEW:
        s->stats.macs_learnt++;
        break;
    case MAC_MOVED:
        s->stats.macs_moved++;
        break;
    }
}

/* Learn mode, all that is not the usual case.  False: no room for the answer. */
static MR_NO_INLINE bool learn_slow(struct sdn *s, struct sdn_switch *sw, struct pen *pen,
                                    const struct seen *x)
{
    const struct mac_entry *to = mac_lookup(&s->macs, x->dst_hash, x->dst, x->vlan);
    struct ofp_packet_in p = as_packet_in(x);
    uint32_t all = sw->dialect == OFP_10 ? OFPP_FLOOD : OFPP_ALL;
    bool drop = is_link_local(x->frame) || (to && to->port == x->in_port);

    if (to && !drop && is_usable(sw, to->port))
        return answer(s, sw, pen, x, to->port);
    if (drop && x->buffer_id == OFP_NO_BUFFER)
        return true;
    pen_down(s, sw, pen);
    /* Without outputs: the switch need not keep it any longer. */
    if (!say_packet(s, sw, &p, &all, drop ? 0 : 1))
        return !sw->blocked;
    s->stats.floods += !drop;
    return true;
}

/* The long way looks at a packet-in once: without room for all it may write (a flow, and the frame
 * to every port) the packet-in waits, or it would be dropped (millrace-ofload missed one answer
 * each time the output filled up). */
static bool slow_has_room(struct sdn *s, struct sdn_switch *sw, const struct seen *x)
{
    size_t n = SLOW_BYTES + x->len + 16 * (size_t)sw->n_ports;

    return say_begin(s, sw, min_size(n, SDN_CHUNK_BYTES), false) != NULL;
}

/* Network mode: the first word of a host at an edge port, to one that is known at another.  The
 * usual case of the long way, which would find the destination three times more and write the
 * answer field by field. */
static bool is_first(const struct sdn *s, const struct sdn_switch *sw, const struct seen *x,
                     const struct mac_entry *from, const struct mac_entry *to)
{
    return !from && to && s->config.mode == SDN_NETWORK && sw->accepted && !sw->blocked &&
           to->port != x->in_port && port_is_short(sw, x->in_port) && port_is_short(sw, to->port) &&
           x->type >= T_FIRST && x->type != T_VLAN && x->type != T_ARP && !is_group(x->frame + 6) &&
           x->src >> 16 != 0;
}

static MR_NO_INLINE bool first(struct sdn *s, struct sdn_switch *sw, struct pen *pen,
                               const struct seen *x, uint32_t port)
{
    struct sdn_port *in = port_find(sw, x->in_port);
    struct mac_addr mac;

    if (!answer(s, sw, pen, x, port))
        return false;
    memcpy(mac.b, x->frame + 6, sizeof(mac.b));
    /* Who is asked whether it has moved is asked behind the answer (sdn_sim, seed 25). */
    pen_down(s, sw, pen);
    if (in && in->watched)
        host_seen(s, sw, in, &mac, 0, (be32){0}, s->now);
    return true;
}

static MR_NO_INLINE bool slow(struct sdn *s, struct sdn_switch *sw, struct pen *pen,
                              const struct seen *x)
{
    struct ofp_packet_in p = as_packet_in(x);

    if (s->config.mode == SDN_LEARN) {
        learn(s, sw, x);
        return learn_slow(s, sw, pen, x);
    }
    pen_down(s, sw, pen);
    if (sw->blocked || !slow_has_room(s, sw, x))
        return false;
    forward_slow(s, sw, &p, s->now);
    return true;
}

/* False: no room for its answer, and it has not been looked at. */
static inline bool take(struct sdn *s, struct sdn_switch *sw, struct pen *pen, const struct seen *x)
{
    struct mac_entry *from = still(&s->macs, x->from, x->src_hash, x->src, x->vlan);
    const struct mac_entry *to = still(&s->macs, x->to, x->dst_hash, x->dst, x->vlan);
    uint32_t seen = (uint32_t)x->vlan << MAC_SEEN_BITS | (s->now_s & MAC_SEEN_MASK);

    if (unlikely(is_first(s, sw, x, from, to)))
        return first(s, sw, pen, x, to->port);
    if (unlikely(!from || !to || from->port != x->in_port || to->port == x->in_port ||
                 !port_is_short(sw, x->in_port) || !port_is_short(sw, to->port) ||
                 (x->type == T_ARP && s->config.mode == SDN_NETWORK)))
        return slow(s, sw, pen, x);
    if (unlikely(from->seen != seen))
        from->seen = seen;
    if (unlikely(!answer(s, sw, pen, x, to->port)))
        return false;
    s->stats.packet_ins_fast++;
    return true;
}

/* Parse the packet-ins of a burst, `first` before those at p.  Returns how many. */
static inline uint32_t read_burst(const struct sdn *s, const struct sdn_switch *sw,
                                  const uint8_t *first, size_t first_n, const uint8_t *p, size_t n,
                                  struct seen *burst, uint32_t *len)
{
    const enum ofp_dialect d = sw->dialect;
    uint32_t count = 0;

    if (first) {
        len[0] = read_one(d, first, first_n, &burst[0]);
        if (len[0] == 0)
            return 0;
        look_at(s, sw, &burst[count++]);
    }
    for (; count < BATCH; count++) {
        len[count] = read_one(d, p, n, &burst[count]);
        if (len[count] == 0)
            break;
        look_at(s, sw, &burst[count]);
        p += len[count];
        n -= len[count];
    }
    return count;
}

size_t fast_input(struct sdn *s, struct sdn_switch *sw, const uint8_t *first, size_t first_n,
                  const uint8_t *p, size_t n)
{
    struct seen burst[BATCH];
    uint32_t len[BATCH];
    struct pen pen = {0};
    uint32_t count, done, all = 0;
    size_t taken = 0, at = 0;

    do {
        count = read_burst(s, sw, taken == 0 ? first : NULL, first_n, p + at, n - at, burst, len);
        for (done = 0; done < count; done++)
            locate(s, &burst[done]);
        locate_new(s, burst, count);
        for (done = 0; done < count && take(s, sw, &pen, &burst[done]); done++)
            taken += len[done];
        at = taken > first_n ? taken - first_n : 0;
        all += done;
    } while (count == BATCH && done == count && sw->phase != PHASE_CLOSING);
    pen_away(s, sw, &pen);
    sw->packet_ins += all;
    s->stats.packet_ins += all;
    s->stats.messages_in += all;
    return taken;
}

bool fast_packet_in(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p)
{
    struct seen x = {.frame = p->frame,
                     .len = p->frame_len,
                     .buffer_id = p->buffer_id,
                     .in_port = p->in_port,
                     .total_len = p->total_len};
    struct pen pen = {0};
    bool is = true;

    if (x.len >= ETH_HLEN) {
        look_at(s, sw, &x);
        is = take(s, sw, &pen, &x);
        pen_away(s, sw, &pen);
    } else {
        s->stats.packet_ins_dropped++;
    }
    sw->packet_ins += is;
    s->stats.packet_ins += is;
    return is;
}
