#include "lib/of_switch.h"

#include <stdlib.h>
#include <string.h>

#include "base/panic.h"
#include "wire/wire.h"

#define MSG_ROOM 65536u
#define SECOND UINT64_C(1000000)

/* ---- bytes -------------------------------------------------------------------------------- */

static uint8_t *bytes_room(struct ofsw_bytes *b, size_t n)
{
    if (b->n + n > b->cap) {
        b->cap = (b->n + n) * 2;
        b->p = realloc(b->p, b->cap);
        MR_ASSERT(b->p != NULL);
    }
    return b->p + b->n;
}

void ofsw_bytes_drop(struct ofsw_bytes *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

static void send_frame(struct of_switch *sw, uint32_t port, const uint8_t *p, size_t n)
{
    struct ofsw_frame *f;

    if (port == 0 || port > sw->ports || !sw->link_up[port])
        return;
    if (sw->tx_n == sw->tx_cap) {
        sw->tx_cap = sw->tx_cap * 2 + 16;
        sw->tx = realloc(sw->tx, sw->tx_cap * sizeof(*sw->tx));
        MR_ASSERT(sw->tx != NULL);
    }
    f = &sw->tx[sw->tx_n++];
    *f = (struct ofsw_frame){.port = port, .n = (uint32_t)n, .p = malloc(n)};
    MR_ASSERT(f->p != NULL);
    memcpy(f->p, p, n);
    sw->count[port].tx_packets++;
    sw->count[port].tx_bytes += n;
}

/* ---- what it says --------------------------------------------------------------------------- */

static void say_error(struct of_switch *sw, const struct ofp_msg *m, uint16_t type, uint16_t code)
{
    uint8_t *b = bytes_room(&sw->out, 128);

    sw->errors_out++;
    sw->out.n +=
        ofp_emit_error(m->version, b, 128, m->xid, type, code, m->p, m->len < 64 ? m->len : 64);
}

static void port_desc(const struct of_switch *sw, uint32_t no, struct ofp_port *p)
{
    *p = (struct ofp_port){.no = no, .link_down = !sw->link_up[no]};
    p->state = p->link_down ? 1 : 0;
    p->mac = (struct mac_addr){{0x02, (uint8_t)(sw->dpid >> 16), (uint8_t)(sw->dpid >> 8),
                                (uint8_t)sw->dpid, 0, (uint8_t)no}};
    memcpy(p->name, "p00", 4);
    p->name[1] = (char)('0' + no / 10);
    p->name[2] = (char)('0' + no % 10);
}

static void ports_desc(const struct of_switch *sw, struct ofp_port ports[OFSW_PORTS])
{
    for (uint32_t i = 1; i <= sw->ports; i++)
        port_desc(sw, i, &ports[i - 1]);
}

static void say_features(struct of_switch *sw, uint32_t xid)
{
    struct ofp_port ports[OFSW_PORTS];
    struct ofp_features f = {.dpid = sw->dpid,
                             .buffers = sw->buffers ? OFSW_BUFFERS : 0,
                             .tables = 1,
                             .ports = sw->ports};

    ports_desc(sw, ports);
    sw->out.n += ofp_emit_features_reply(sw->dialect, bytes_room(&sw->out, MSG_ROOM), MSG_ROOM, xid,
                                         &f, ports, sw->ports);
}

static void packet_in(struct of_switch *sw, uint32_t port, const uint8_t *p, size_t n,
                      uint8_t reason, uint64_t cookie)
{
    struct ofp_packet_in in = {.buffer_id = OFP_NO_BUFFER,
                               .in_port = port,
                               .total_len = (uint16_t)n,
                               .reason = reason,
                               .cookie = cookie,
                               .frame = p,
                               .frame_len = (uint32_t)n};
    uint8_t *b;

    if (!sw->connected || !sw->heard_hello)
        return;
    if (sw->buffers && n <= OFSW_FRAME_MAX) {
        struct ofsw_kept *k = &sw->kept[++sw->next_buffer % OFSW_BUFFERS];
        *k = (struct ofsw_kept){.id = sw->next_buffer, .in_port = port, .n = (uint32_t)n};
        memcpy(k->p, p, n);
        in.buffer_id = k->id;
        if (in.frame_len > sw->miss_send_len)
            in.frame_len = sw->miss_send_len;
    }
    b = bytes_room(&sw->out, MSG_ROOM);
    sw->out.n += ofp_emit_packet_in(sw->dialect, b, MSG_ROOM, 0, &in);
    sw->packet_ins++;
}

/* ---- the pipeline ---------------------------------------------------------------------------- */

struct key {
    struct eth_hdr eth;
    uint32_t in_port;
    bool is_ip, is_arp;
    struct ipv4_hdr ip;
    struct arp_pkt arp;
};

static bool key_of(struct key *k, uint32_t port, const uint8_t *p, size_t n)
{
    *k = (struct key){.in_port = port};
    if (eth_parse(&k->eth, p, n) != WIRE_OK)
        return false;
    k->is_ip = k->eth.ethertype == ETHTYPE_IPV4 &&
               ipv4_parse(&k->ip, p + k->eth.hlen, n - k->eth.hlen) == WIRE_OK;
    k->is_arp = k->eth.ethertype == ETHTYPE_ARP &&
                arp_parse(&k->arp, p + k->eth.hlen, n - k->eth.hlen) == WIRE_OK;
    return true;
}

static uint64_t mac_u64(const struct mac_addr *m)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 6; i++)
        v = v << 8 | m->b[i];
    return v;
}

/* The packet's value of a field; false: it has none, or we do not look at it. */
static bool key_value(const struct key *k, unsigned field, uint64_t *v)
{
    switch (field) {
    case OFPF_IN_PORT:
        *v = k->in_port;
        return true;
    case OFPF_ETH_DST:
        *v = mac_u64(&k->eth.dst);
        return true;
    case OFPF_ETH_SRC:
        *v = mac_u64(&k->eth.src);
        return true;
    case OFPF_ETH_TYPE:
        *v = k->eth.ethertype;
        return true;
    case OFPF_VLAN_VID:
        *v = k->eth.has_vlan ? (k->eth.vlan & 0xfffu) | 0x1000u : 0;
        return true;
    case OFPF_VLAN_PCP:
        *v = k->eth.vlan >> 13;
        return k->eth.has_vlan;
    case OFPF_IP_PROTO:
        *v = k->ip.proto;
        return k->is_ip;
    case OFPF_IPV4_SRC:
        *v = be32_get(k->ip.src);
        return k->is_ip;
    case OFPF_IPV4_DST:
        *v = be32_get(k->ip.dst);
        return k->is_ip;
    case OFPF_ARP_OP:
        *v = k->arp.op;
        return k->is_arp;
    default:
        return false;
    }
}

static uint64_t big_endian(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool matches(const struct ofp_match *m, const struct key *k)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const struct ofp_tlv *t = &m->f[i];
        unsigned bytes = ofp_field_info(t->field)->bytes;
        uint64_t v, mask;

        if (bytes > 8 || !key_value(k, t->field, &v))
            return false;
        mask = t->masked ? big_endian(t->mask, bytes) : UINT64_MAX;
        if ((v & mask) != (big_endian(t->value, bytes) & mask))
            return false;
    }
    return true;
}

static void output(struct of_switch *sw, uint32_t in_port, uint32_t port, const uint8_t *p,
                   size_t n, uint64_t cookie)
{
    switch (port) {
    case OFPP_IN_PORT:
        send_frame(sw, in_port, p, n);
        return;
    case OFPP_FLOOD:
    case OFPP_ALL:
        for (uint32_t i = 1; i <= sw->ports; i++)
            if (i != in_port)
                send_frame(sw, i, p, n);
        return;
    case OFPP_CONTROLLER:
        packet_in(sw, in_port, p, n, OFPR_ACTION, cookie);
        return;
    default:
        /* As the specification says: never back where it came from, unless told IN_PORT. */
        if (port != in_port)
            send_frame(sw, port, p, n);
        return;
    }
}

static void act(struct of_switch *sw, const struct ofp_actions *a, uint32_t in_port,
                const uint8_t *frame, size_t n, uint64_t cookie)
{
    uint8_t p[OFSW_FRAME_MAX];

    MR_ASSERT(n <= sizeof(p));
    memcpy(p, frame, n);
    for (uint32_t i = 0; i < a->n; i++) {
        const struct ofp_action *x = &a->a[i];
        if (x->type == OFPA_OUTPUT)
            output(sw, in_port, x->port, p, n, cookie);
        else if (x->type == OFPA_SET_FIELD && x->field.field == OFPF_ETH_DST)
            memcpy(p, x->field.value, 6);
        else if (x->type == OFPA_SET_FIELD && x->field.field == OFPF_ETH_SRC)
            memcpy(p + 6, x->field.value, 6);
    }
}

static struct ofsw_flow *lookup(struct of_switch *sw, const struct key *k)
{
    struct ofsw_flow *best = NULL;

    for (size_t i = 0; i < sw->flows; i++)
        if ((best == NULL || sw->flow[i].flow->priority > best->flow->priority) &&
            matches(&sw->flow[i].flow->match, k))
            best = &sw->flow[i];
    return best;
}

static void pipeline(struct of_switch *sw, uint32_t port, const uint8_t *p, size_t n)
{
    struct ofsw_flow *f;
    struct key k;

    if (!key_of(&k, port, p, n))
        return;
    f = lookup(sw, &k);
    if (f == NULL) {
        /* 1.3.5 5.4: without a miss entry the packet is dropped. */
        if (sw->dialect == OFP_10)
            packet_in(sw, port, p, n, OFPR_NO_MATCH, 0);
        return;
    }
    f->used_us = sw->now_us;
    f->packets++;
    f->bytes += n;
    act(sw, &f->flow->do_.apply, port, p, n, f->flow->cookie);
}

void ofsw_receive(struct of_switch *sw, uint32_t port, const uint8_t *p, size_t n, uint64_t now_us)
{
    sw->now_us = now_us;
    if (port == 0 || port > sw->ports || !sw->link_up[port])
        return;
    sw->count[port].rx_packets++;
    sw->count[port].rx_bytes += n;
    pipeline(sw, port, p, n);
}

/* ---- flows ----------------------------------------------------------------------------------- */

static void flow_removed(struct of_switch *sw, const struct ofsw_flow *f, uint8_t reason)
{
    uint64_t age = sw->now_us - f->made_us;
    struct ofp_flow_removed r = {.match = f->flow->match,
                                 .cookie = f->flow->cookie,
                                 .priority = f->flow->priority,
                                 .idle_timeout = f->flow->idle_timeout,
                                 .hard_timeout = f->flow->hard_timeout,
                                 .reason = reason,
                                 .duration_s = (uint32_t)(age / SECOND),
                                 .packets = f->packets,
                                 .bytes = f->bytes};

    if (!(f->flow->flags & OFPFF_SEND_FLOW_REM) || !sw->connected || !sw->heard_hello)
        return;
    sw->out.n += ofp_emit_flow_removed(sw->dialect, bytes_room(&sw->out, 2048), 2048, 0, &r);
}

static void flow_drop(struct of_switch *sw, size_t i)
{
    free(sw->flow[i].flow);
    sw->flow[i] = sw->flow[--sw->flows];
}

/* 1.3.5 6.4: every field of the description is in the flow, with at least its bits. */
static bool covers(const struct ofp_match *description, const struct ofp_match *m)
{
    for (uint32_t i = 0; i < description->n; i++) {
        const struct ofp_tlv *d = &description->f[i], *t = ofp_match_find(m, d->field);
        unsigned bytes = ofp_field_info(d->field)->bytes;

        if (t == NULL)
            return false;
        for (unsigned b = 0; b < bytes; b++) {
            uint8_t dm = d->masked ? d->mask[b] : 0xff, tm = t->masked ? t->mask[b] : 0xff;
            if ((dm & tm) != dm || ((d->value[b] ^ t->value[b]) & dm))
                return false;
        }
    }
    return true;
}

static bool goes_to(const struct ofp_flow *f, uint32_t port)
{
    for (uint32_t i = 0; i < f->do_.apply.n; i++)
        if (f->do_.apply.a[i].type == OFPA_OUTPUT && f->do_.apply.a[i].port == port)
            return true;
    return false;
}

static bool selected(const struct of_switch *sw, const struct ofp_flow *want,
                     const struct ofp_flow *have)
{
    bool strict = want->command == OFPFC_MODIFY_STRICT || want->command == OFPFC_DELETE_STRICT;
    bool deletes = want->command == OFPFC_DELETE || want->command == OFPFC_DELETE_STRICT;

    if (strict ? want->priority != have->priority || !ofp_match_eq(&want->match, &have->match)
               : !covers(&want->match, &have->match))
        return false;
    if (deletes && want->out_port != OFPP_ANY && !goes_to(have, want->out_port))
        return false;
    return sw->dialect == OFP_10 || ((want->cookie ^ have->cookie) & want->cookie_mask) == 0;
}

static void flow_add(struct of_switch *sw, const struct ofp_flow *f)
{
    struct ofsw_flow *at = NULL;

    for (size_t i = 0; i < sw->flows && at == NULL; i++)
        if (sw->flow[i].flow->priority == f->priority &&
            ofp_match_eq(&sw->flow[i].flow->match, &f->match))
            at = &sw->flow[i];
    if (at == NULL) {
        if (sw->flows == sw->flows_cap) {
            sw->flows_cap = sw->flows_cap * 2 + 16;
            sw->flow = realloc(sw->flow, sw->flows_cap * sizeof(*sw->flow));
            MR_ASSERT(sw->flow != NULL);
        }
        at = &sw->flow[sw->flows++];
        at->flow = malloc(sizeof(*at->flow));
        MR_ASSERT(at->flow != NULL);
    }
    *at->flow = *f;
    at->made_us = at->used_us = sw->now_us;
    at->packets = at->bytes = 0;
}

static void flow_delete(struct of_switch *sw, const struct ofp_flow *f)
{
    for (size_t i = sw->flows; i-- > 0;)
        if (selected(sw, f, sw->flow[i].flow)) {
            flow_removed(sw, &sw->flow[i], 2);
            flow_drop(sw, i);
        }
}

static bool flow_modify(struct of_switch *sw, const struct ofp_flow *f)
{
    bool any = false;

    for (size_t i = 0; i < sw->flows; i++)
        if (selected(sw, f, sw->flow[i].flow)) {
            sw->flow[i].flow->do_ = f->do_;
            any = true;
        }
    return any;
}

static struct ofsw_kept *kept_find(struct of_switch *sw, uint32_t id)
{
    struct ofsw_kept *k = &sw->kept[id % OFSW_BUFFERS];

    return id != OFP_NO_BUFFER && k->n > 0 && k->id == id ? k : NULL;
}

static void flow_mod(struct of_switch *sw, const struct ofp_msg *m)
{
    struct ofp_flow *f = &sw->scratch;
    struct ofsw_kept *k;

    if (ofp_parse_flow_mod(sw->dialect, m, f) != OFP_OK) {
        sw->malformed++;
        say_error(sw, m, 1, 6);
        return;
    }
    sw->flow_mods++;
    switch (f->command) {
    case OFPFC_ADD:
        flow_add(sw, f);
        break;
    case OFPFC_MODIFY:
    case OFPFC_MODIFY_STRICT:
        if (!flow_modify(sw, f) && sw->dialect == OFP_10)
            flow_add(sw, f);
        break;
    case OFPFC_DELETE:
    case OFPFC_DELETE_STRICT:
        flow_delete(sw, f);
        return;
    }
    if (f->buffer_id == OFP_NO_BUFFER)
        return;
    k = kept_find(sw, f->buffer_id);
    if (k == NULL) {
        say_error(sw, m, 1, sw->dialect == OFP_10 ? 8 : 8); /* BUFFER_UNKNOWN */
        return;
    }
    pipeline(sw, k->in_port, k->p, k->n);
    k->n = 0;
}

static void packet_out(struct of_switch *sw, const struct ofp_msg *m)
{
    struct ofp_packet_out *o = &sw->scratch_out;
    struct ofsw_kept *k;

    if (ofp_parse_packet_out(sw->dialect, m, o) != OFP_OK) {
        sw->malformed++;
        say_error(sw, m, 1, 6);
        return;
    }
    sw->packet_outs++;
    if (o->buffer_id == OFP_NO_BUFFER) {
        if (o->frame_len >= ETH_HLEN && o->frame_len <= OFSW_FRAME_MAX)
            act(sw, &o->actions, o->in_port, o->frame, o->frame_len, 0);
        return;
    }
    k = kept_find(sw, o->buffer_id);
    if (k == NULL) {
        say_error(sw, m, 1, 8);
        return;
    }
    act(sw, &o->actions, o->in_port, k->p, k->n, 0);
    k->n = 0;
}

/* ---- messages -------------------------------------------------------------------------------- */

static void flow_stats(struct of_switch *sw, const struct ofp_msg *m)
{
    struct ofp_flow_stats *s = calloc(sw->flows + 1, sizeof(*s));
    size_t done = 0, used, n = 0;

    MR_ASSERT(s != NULL);
    for (size_t i = 0; i < sw->flows; i++)
        if (covers(&sw->scratch.match, &sw->flow[i].flow->match) &&
            (sw->dialect == OFP_10 ||
             ((sw->scratch.cookie ^ sw->flow[i].flow->cookie) & sw->scratch.cookie_mask) == 0))
            s[n++] = (struct ofp_flow_stats){.flow = *sw->flow[i].flow,
                                             .packets = sw->flow[i].packets,
                                             .bytes = sw->flow[i].bytes};
    do {
        sw->out.n += ofp_emit_flow_stats_reply(sw->dialect, bytes_room(&sw->out, MSG_ROOM),
                                               MSG_ROOM, m->xid, s + done, n - done, &used);
        done += used;
    } while (done < n && used > 0);
    free(s);
}

static void multipart(struct of_switch *sw, const struct ofp_msg *m)
{
    struct ofp_port ports[OFSW_PORTS];
    enum ofp_stats type;
    uint32_t port;
    size_t used;
    uint8_t *b = bytes_room(&sw->out, MSG_ROOM);

    if (ofp_parse_multipart_request(sw->dialect, m, &type, &sw->scratch, &port) != OFP_OK) {
        say_error(sw, m, 1, 2);
        return;
    }
    if (type == OFPMP_PORT_DESC) {
        ports_desc(sw, ports);
        sw->out.n += ofp_emit_port_desc_reply(sw->dialect, b, MSG_ROOM, m->xid, ports, sw->ports);
    } else if (type == OFPMP_FLOW) {
        flow_stats(sw, m);
    } else if (type == OFPMP_PORT) {
        for (uint32_t i = 1; i <= sw->ports; i++)
            sw->count[i].port = i;
        sw->out.n += ofp_emit_port_stats_reply(sw->dialect, b, MSG_ROOM, m->xid, sw->count + 1,
                                               sw->ports, &used);
    } else {
        say_error(sw, m, 1, 2); /* BAD_STAT, BAD_MULTIPART */
    }
}

static void message(struct of_switch *sw, const struct ofp_msg *m)
{
    struct ofp_config config;
    struct ofp_role_msg role;
    uint8_t *b = bytes_room(&sw->out, MSG_ROOM);

    switch ((int)m->kind) {
    case OFP_HELLO:
        sw->heard_hello = true;
        return;
    case OFP_ERROR:
        sw->errors_in++;
        return;
    case OFP_ECHO_REQUEST:
        sw->out.n += ofp_emit(sw->dialect, b, MSG_ROOM, OFP_ECHO_REPLY, m->xid, m->p + OFP_HLEN,
                              m->len - OFP_HLEN);
        return;
    case OFP_FEATURES_REQUEST:
        say_features(sw, m->xid);
        return;
    case OFP_SET_CONFIG:
        if (ofp_parse_config(sw->dialect, m, &config) == OFP_OK)
            sw->miss_send_len = config.miss_send_len;
        return;
    case OFP_BARRIER_REQUEST:
        sw->out.n += ofp_emit(sw->dialect, b, MSG_ROOM, OFP_BARRIER_REPLY, m->xid, NULL, 0);
        return;
    case OFP_FLOW_MOD:
        flow_mod(sw, m);
        return;
    case OFP_PACKET_OUT:
        packet_out(sw, m);
        return;
    case OFP_MULTIPART_REQUEST:
        multipart(sw, m);
        return;
    case OFP_ROLE_REQUEST:
        if (ofp_parse_role(sw->dialect, m, &role) == OFP_OK)
            sw->out.n += ofp_emit_role_reply(sw->dialect, b, MSG_ROOM, m->xid, &role);
        return;
    case OFP_ECHO_REPLY:
    case OFP_PORT_MOD:
        return;
    default:
        say_error(sw, m, 1, 1);
        return;
    }
}

void ofsw_input(struct of_switch *sw, const uint8_t *p, size_t n, uint64_t now_us)
{
    struct ofp_msg m;
    uint32_t need;
    size_t at = 0;

    sw->now_us = now_us;
    memcpy(bytes_room(&sw->in, n), p, n);
    sw->in.n += n;
    for (;;) {
        enum ofp_err e;

        /* The controller's HELLO may have another version: the lower one counts. */
        if (!sw->heard_hello)
            e = ofp_frame_hello(sw->in.p + at, sw->in.n - at, &m, &need);
        else
            e = ofp_frame(sw->dialect, OFP_FROM_CONTROLLER, sw->in.p + at, sw->in.n - at, &m,
                          &need);
        if (e == OFP_MORE)
            break;
        if (e != OFP_OK) {
            sw->malformed++;
            if (m.len < OFP_HLEN)
                break;
        } else {
            message(sw, &m);
        }
        at += m.len;
    }
    ofsw_bytes_drop(&sw->in, at);
}

/* ---- life ------------------------------------------------------------------------------------ */

void ofsw_init(struct of_switch *sw, enum ofp_dialect d, uint64_t dpid, unsigned ports,
               bool buffers)
{
    MR_ASSERT(ports <= OFSW_PORTS);
    memset(sw, 0, sizeof(*sw));
    sw->dialect = d;
    sw->dpid = dpid;
    sw->ports = ports;
    sw->buffers = buffers;
    sw->miss_send_len = 128;
    for (unsigned i = 1; i <= ports; i++)
        sw->link_up[i] = true;
}

static void flows_clear(struct of_switch *sw)
{
    while (sw->flows > 0)
        flow_drop(sw, sw->flows - 1);
}

void ofsw_fini(struct of_switch *sw)
{
    flows_clear(sw);
    for (size_t i = 0; i < sw->tx_n; i++)
        free(sw->tx[i].p);
    free(sw->tx);
    free(sw->flow);
    free(sw->in.p);
    free(sw->out.p);
}

void ofsw_connected(struct of_switch *sw, uint64_t now_us)
{
    uint8_t *b = bytes_room(&sw->out, 64);

    sw->now_us = now_us;
    sw->connected = true;
    sw->heard_hello = false;
    if (sw->dialect == OFP_13)
        sw->out.n += ofp_emit_hello(b, 64, ++sw->xid, 1u << OFP_VERSION_13 | 1u << OFP_VERSION_10);
    else
        sw->out.n += ofp_emit(OFP_10, b, 64, OFP_HELLO, ++sw->xid, NULL, 0);
}

void ofsw_disconnected(struct of_switch *sw)
{
    sw->connected = sw->heard_hello = false;
    sw->in.n = sw->out.n = 0;
}

void ofsw_link(struct of_switch *sw, uint32_t port, bool up, uint64_t now_us)
{
    struct ofp_port p;

    sw->now_us = now_us;
    if (sw->link_up[port] == up)
        return;
    sw->link_up[port] = up;
    if (!sw->connected || !sw->heard_hello)
        return;
    port_desc(sw, port, &p);
    sw->out.n +=
        ofp_emit_port_status(sw->dialect, bytes_room(&sw->out, 256), 256, 0, OFPPR_MODIFY, &p);
}

void ofsw_advance(struct of_switch *sw, uint64_t now_us)
{
    sw->now_us = now_us;
    for (size_t i = sw->flows; i-- > 0;) {
        const struct ofsw_flow *f = &sw->flow[i];
        uint64_t idle = f->flow->idle_timeout * SECOND, hard = f->flow->hard_timeout * SECOND;

        if (idle > 0 && now_us - f->used_us >= idle)
            flow_removed(sw, f, 0);
        else if (hard > 0 && now_us - f->made_us >= hard)
            flow_removed(sw, f, 1);
        else
            continue;
        flow_drop(sw, i);
    }
}

void ofsw_reboot(struct of_switch *sw)
{
    flows_clear(sw);
    ofsw_disconnected(sw);
    memset(sw->kept, 0, sizeof(sw->kept));
}
