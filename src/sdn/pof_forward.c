/* Learning and shortest paths on a POF switch: what lies in its tables S and D.  See pof_int.h. */
#include "sdn/pof_int.h"

/* A slot's key: what it is for, a port, an address. */
enum what {
    WHAT_MISS = 1, /* S: to us and on */
    WHAT_LLDP,     /* S: to us, no further */
    WHAT_LINK,     /* S: from a link: on */
    WHAT_SOURCE,   /* S: a known source at its port: on */
    WHAT_BOUNCE,   /* D: to where it came from: dropped */
    WHAT_HOST,     /* D: out */
    WHAT_FLOOD,    /* D: from this port to all of the tree */
    WHAT_LAST,     /* D: dropped */
};
#define PORT_MASK 0xfffu
#define FLOOD_MAX (POF_INSTRUCTIONS_MAX * POF_ACTIONS_MAX)
/* Hosts beyond that leave room for those that are heard here. */
#define HOSTS_MAX 900u
#define LLDP_TYPE 0x88cc /* IEEE 802.1AB, 7.4 */

static uint64_t key_of(enum what w, uint32_t port, const struct mac_addr *mac)
{
    uint64_t m = mac ? (uint64_t)load_be32(mac->b) << 16 | load_be16(mac->b + 4) : 0;

    return (uint64_t)w << 60 | (uint64_t)(port & PORT_MASK) << 48 | m;
}

static enum what key_what(uint64_t key)
{
    return (enum what)(key >> 60);
}

bool forward_is_kept(uint64_t key)
{
    enum what w = key_what(key);

    return w != WHAT_SOURCE && w != WHAT_BOUNCE && w != WHAT_HOST;
}

/* ---- entries ------------------------------------------------------------------------- */

/* S matches (in_port, dst, src), D the first two. */
void forward_table(uint32_t which, struct pof_table *t)
{
    static const struct pof_match field[] = {{POF_METADATA, 16, 8}, {1, 0, 48}, {2, 48, 48}};

    memcpy(t->name, which == 0 ? "millrace-s" : "millrace-d", 11);
    t->fields = which == 0 ? 3 : 2;
    memcpy(t->field, field, t->fields * sizeof(*field));
}

static void match_port(struct pof_entry *e, uint64_t key)
{
    e->match[0].value[0] = (uint8_t)(key >> 48);
    e->match[0].mask[0] = 0xff;
}

static void match_mac(struct pof_matchx *x, uint64_t key)
{
    store_be16(x->value, (uint16_t)(key >> 32));
    store_be32(x->value + 2, (uint32_t)key);
    memset(x->mask, 0xff, 6);
}

static struct pof_instruction *apply(struct pof_entry *e)
{
    struct pof_instruction *i = &e->instruction[e->instructions++];

    i->type = POFI_APPLY_ACTIONS;
    return i;
}

static void onward(const struct pof_on *on, struct pof_entry *e)
{
    struct pof_instruction *i = &e->instruction[e->instructions++];

    i->type = POFI_GOTO_TABLE;
    i->table = on->table[pof_table_d(on)].global;
}

/* pof.md: ADD_FIELD(16 bits at 0), SET_FIELD_FROM_METADATA(bits 8-15, metadata offset 16),
 * PACKET_IN: the frame comes prefixed by `00 port`.  USTC's PACKET_IN says the port itself. */
static void to_us(enum ofp_dialect d, struct pof_entry *e)
{
    struct pof_instruction *i = apply(e);
    const struct pof_action in = {.type = POFA_PACKET_IN, .arg = 1};

    e->cookie = POF_COOKIE_PORT;
    e->cookie_mask = UINT64_MAX;
    if (d == POF_USTC) {
        i->action[i->actions++] = in;
        return;
    }
    i->action[i->actions++] = (struct pof_action){.type = POFA_ADD_FIELD, .at = {.len = 16}};
    i->action[i->actions++] = (struct pof_action){
        .type = POFA_SET_FIELD_FROM_METADATA, .at = {.offset = 8, .len = 8}, .metadata_offset = 16};
    i->action[i->actions++] = in;
    i->action[i->actions++] = (struct pof_action){.type = POFA_DELETE_FIELD, .at = {.len = 16}};
}

static void drop(struct pof_entry *e)
{
    struct pof_instruction *i = apply(e);

    i->action[i->actions++] = (struct pof_action){.type = POFA_DROP};
}

static void outputs(const struct sdn_switch *sw, struct pof_entry *e, const uint32_t *port,
                    uint32_t n)
{
    struct pof_instruction *i = NULL;

    for (uint32_t k = 0; k < n; k++) {
        const struct sdn_port *p = port_find(sw, port[k]);

        if (!i || i->actions == pof_actions_max(sw->dialect)) {
            if (e->instructions == pof_instructions_max(sw->dialect))
                return;
            i = apply(e);
        }
        i->action[i->actions++] = (struct pof_action){
            .type = POFA_OUTPUT, .arg = port[k], .slot = p ? p->desc.pof_slot : 0};
    }
    if (n == 0)
        drop(e);
}

static uint32_t flood_ports(struct sdn *s, struct sdn_switch *sw, uint32_t in_port, uint32_t *port)
{
    uint32_t max = pof_actions_max(sw->dialect) * pof_instructions_max(sw->dialect);

    return tree_ports(s, sw, in_port, port, max);
}

static void build_s(struct sdn_switch *sw, const struct pof_slot *slot, struct pof_entry *e)
{
    switch (key_what(slot->key)) {
    case WHAT_LLDP:
        /* IEEE 802.1Q, 8.6.3: no bridge forwards what goes to 01-80-C2-00-00-0x. */
        e->priority = 300;
        memcpy(e->match[1].value, "\x01\x80\xc2\x00\x00\x00", 6);
        memcpy(e->match[1].mask, "\xff\xff\xff\xff\xff\xf0", 6);
        to_us(sw->dialect, e);
        return;
    case WHAT_LINK:
        e->priority = 200;
        match_port(e, slot->key);
        break;
    case WHAT_SOURCE:
        e->priority = 100;
        match_port(e, slot->key);
        match_mac(&e->match[2], slot->key);
        break;
    default:
        to_us(sw->dialect, e);
        break;
    }
    onward(pof_on(sw), e);
}

static void build_d(struct sdn *s, struct sdn_switch *sw, const struct pof_slot *slot,
                    struct pof_entry *e)
{
    uint32_t port[FLOOD_MAX];

    switch (key_what(slot->key)) {
    case WHAT_BOUNCE:
        e->priority = 300;
        match_port(e, slot->key);
        match_mac(&e->match[1], slot->key);
        drop(e);
        break;
    case WHAT_HOST:
        e->priority = 200;
        match_mac(&e->match[1], slot->key);
        port[0] = (uint32_t)slot->arg;
        outputs(sw, e, port, 1);
        break;
    case WHAT_FLOOD:
        e->priority = 50;
        match_port(e, slot->key);
        outputs(sw, e, port, flood_ports(s, sw, (uint32_t)(slot->key >> 48) & PORT_MASK, port));
        break;
    default:
        drop(e);
        break;
    }
}

void forward_build(struct sdn *s, struct sdn_switch *sw, uint32_t t, const struct pof_slot *slot,
                   struct pof_entry *e)
{
    struct pof_table table = {0};
    uint32_t which = t - pof_table_s(pof_on(sw));

    forward_table(which, &table);
    *e = (struct pof_entry){.fields = table.fields};
    for (uint32_t i = 0; i < table.fields; i++)
        e->match[i].at = table.field[i];
    if (which == 0)
        build_s(sw, slot, e);
    else
        build_d(s, sw, slot, e);
}

/* ---- what is wanted ------------------------------------------------------------------ */

static void want(struct sdn *s, struct pof_on *on, uint32_t t, uint64_t key, uint64_t arg)
{
    uint32_t slot = slot_take(s, on, t, key);

    if (slot != POF_NO_SLOT)
        slot_want(s, on, slot, arg);
}

static void unwant(struct pof_on *on, uint32_t t, uint64_t key)
{
    uint32_t slot = slot_find(on, t, key);

    if (slot != POF_NO_SLOT)
        slot_drop(on, slot);
}

void forward_begin(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);

    if (s->config.mode == SDN_NONE)
        return;
    want(s, on, pof_table_s(on), key_of(WHAT_MISS, 0, NULL), 1);
    want(s, on, pof_table_s(on), key_of(WHAT_LLDP, 0, NULL), 1);
    want(s, on, pof_table_d(on), key_of(WHAT_LAST, 0, NULL), 1);
    forward_look(s, sw);
}

static uint64_t hash_ports(const uint32_t *port, uint32_t n)
{
    uint64_t h = 14695981039346656037u;

    for (uint32_t i = 0; i < n; i++)
        h = (h ^ port[i]) * 1099511628211u;
    return h | 1;
}

/* A flood may come in here: hosts may be behind it, or it is a link of the tree. */
static bool floods(struct sdn *s, const struct sdn_switch *sw, const struct sdn_port *p)
{
    return port_is_up(p) &&
           (p->is == PORT_EDGE || (p->is == PORT_LINK && tree_has(s, sw, p->desc.no)));
}

static void look_port(struct sdn *s, struct sdn_switch *sw, const struct sdn_port *p)
{
    struct pof_on *on = pof_on(sw);
    uint64_t flood = key_of(WHAT_FLOOD, p->desc.no, NULL);
    uint64_t link = key_of(WHAT_LINK, p->desc.no, NULL);
    uint32_t port[FLOOD_MAX];

    if (floods(s, sw, p))
        want(s, on, pof_table_d(on), flood, hash_ports(port, flood_ports(s, sw, p->desc.no, port)));
    else
        unwant(on, pof_table_d(on), flood);
    if (p->is == PORT_LINK && port_is_up(p))
        want(s, on, pof_table_s(on), link, 1);
    else
        unwant(on, pof_table_s(on), link);
}

/* Entries for ports that are gone. */
static void look_gone(const struct sdn_switch *sw, struct pof_on *on, uint32_t t, enum what w)
{
    const struct pof_table_on *table = &on->table[t];

    for (uint32_t i = table->first; i < table->first + table->used; i++)
        if ((on->slot[i].flags & SLOT_WANTED) && key_what(on->slot[i].key) == w &&
            !port_find(sw, (uint32_t)(on->slot[i].key >> 48) & PORT_MASK))
            slot_drop(on, i);
}

void forward_look(struct sdn *s, struct sdn_switch *sw)
{
    struct pof_on *on = pof_on(sw);

    if (s->config.mode == SDN_NONE || on->tables == 0)
        return;
    for (const struct sdn_port *p = sw->ports; p; p = p->next)
        if (p->desc.no <= 255)
            look_port(s, sw, p);
    look_gone(sw, on, pof_table_s(on), WHAT_LINK);
    look_gone(sw, on, pof_table_d(on), WHAT_FLOOD);
}

/* ---- hosts --------------------------------------------------------------------------- */

static uint32_t host_slot(const struct pof_on *on, const struct mac_addr *mac)
{
    return slot_find(on, pof_table_d(on), key_of(WHAT_HOST, 0, mac));
}

static void host_forget(struct pof_on *on, const struct mac_addr *mac)
{
    uint32_t slot = host_slot(on, mac);
    uint32_t port;

    if (slot == POF_NO_SLOT)
        return;
    port = (uint32_t)on->slot[slot].arg;
    slot_drop(on, slot);
    unwant(on, pof_table_d(on), key_of(WHAT_BOUNCE, port, mac));
    unwant(on, pof_table_s(on), key_of(WHAT_SOURCE, port, mac));
}

/* It is reached through this port; here: it is behind it. */
static void host_put(struct sdn *s, struct pof_on *on, const struct mac_addr *mac, uint32_t port,
                     bool here)
{
    uint32_t slot = host_slot(on, mac);

    if (slot != POF_NO_SLOT && on->slot[slot].arg != port) {
        uint32_t old = (uint32_t)on->slot[slot].arg;

        unwant(on, pof_table_d(on), key_of(WHAT_BOUNCE, old, mac));
        unwant(on, pof_table_s(on), key_of(WHAT_SOURCE, old, mac));
    }
    want(s, on, pof_table_d(on), key_of(WHAT_HOST, 0, mac), port);
    want(s, on, pof_table_d(on), key_of(WHAT_BOUNCE, port, mac), 1);
    if (here)
        want(s, on, pof_table_s(on), key_of(WHAT_SOURCE, port, mac), 1);
    else
        unwant(on, pof_table_s(on), key_of(WHAT_SOURCE, port, mac));
}

static void host_set(struct sdn *s, struct sdn_switch *sw, const struct net_host *h)
{
    struct pof_on *on = pof_on(sw);
    bool here = h->at == sw->net;
    uint32_t port;

    if (sw->net == NET_NONE)
        return;
    port =
        here ? h->port : path_port(s, sw->net, h->at, path_hash(s, &h->mac, &h->mac, h->vlan), 0);
    if (port != 0)
        host_put(s, on, &h->mac, port, here);
    else
        host_forget(on, &h->mac);
}

void forward_hosts(struct sdn *s, struct sdn_switch *sw)
{
    uint32_t n = 0;

    if (s->config.mode != SDN_NETWORK)
        return;
    for (uint32_t i = 0; i < s->net->host_used && n < HOSTS_MAX; i++) {
        if (s->net->host[i].at == NET_NONE)
            continue;
        host_set(s, sw, &s->net->host[i]);
        n++;
    }
}

void pof_host_changed(struct sdn *s, const struct mac_addr *mac)
{
    /* Most networks have no such switch, and a million hosts. */
    if (s->pof->switches.used == 0)
        return;
    uint32_t i = net_host_by_mac(s, mac);

    for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
        struct pof_on *on = pof_on(sw);

        if (!on || on->stage < STAGE_PORTS || on->tables == 0 || sw->phase != PHASE_UP)
            continue;
        if (i == NET_NONE)
            host_forget(on, mac);
        else
            host_set(s, sw, &s->net->host[i]);
        send_more(s, sw);
    }
}

/* ---- packets ------------------------------------------------------------------------- */

/* The port a frame came from, the frame without what we had put in front; 0: it does not say. */
static uint32_t port_of(const struct sdn_switch *sw, struct ofp_packet_in *p)
{
    const struct pof_on *on = pof_on(sw);
    /* A switch may say no cookie; all that S sends to us has its port in front. */
    bool ours = p->cookie == POF_COOKIE_PORT || p->table == on->table[pof_table_s(on)].global;

    if (sw->dialect == POF_USTC)
        return p->in_port;
    if (!ours || p->frame_len < 2 || p->frame[0] != 0)
        return 0;
    p->frame += 2;
    p->frame_len -= 2;
    return p->frame[-1];
}

static void learn(struct sdn *s, struct sdn_switch *sw, struct sdn_port *in,
                  const struct eth_hdr *eth, be32 ip)
{
    uint16_t vlan = eth->has_vlan ? eth->vlan & 0xfff : 0;
    enum mac_news news;
    uint32_t i;

    if (s->config.mode == SDN_LEARN) {
        news = mac_learn(&s->macs, mac_key(eth->src.b, sw->mac_id), vlan, in->desc.no, s->now_s);
        s->stats.macs_learnt += news == MAC_NEW || news == MAC_NEW_EVICTED;
        s->stats.macs_moved += news == MAC_MOVED;
        host_put(s, pof_on(sw), &eth->src, in->desc.no, true);
        return;
    }
    host_seen(s, sw, in, &eth->src, vlan, ip, s->now);
    /* Known, and its entry has given way to others: it comes back. */
    i = net_host_find(s, &eth->src, vlan);
    if (i != NET_NONE && s->net->host[i].at == sw->net && s->net->host[i].port == in->desc.no)
        host_set(s, sw, &s->net->host[i]);
}

void forward_packet(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *said)
{
    struct ofp_packet_in p = *said;
    struct sdn_port *in;
    struct eth_hdr eth;
    struct arp_pkt arp;
    be32 ip = {0};
    uint32_t port;

    /* A switch that has too few tables for ours has none, and may say packets all the same. */
    if (s->config.mode == SDN_NONE || pof_on(sw)->tables == 0)
        return;
    port = port_of(sw, &p);
    in = port_find(sw, port);
    if (!in || eth_parse(&eth, p.frame, p.frame_len) != WIRE_OK) {
        s->stats.packet_ins_dropped++;
        return;
    }
    if (eth.ethertype == LLDP_TYPE) {
        if (s->config.mode == SDN_NETWORK)
            discover_input(s, sw, port, p.frame, p.frame_len, s->now);
        return;
    }
    if (mac_is_multicast(&eth.src) || mac_eq(&eth.src, &(struct mac_addr){{0}}))
        return;
    if (eth.ethertype == ETHTYPE_ARP &&
        arp_parse(&arp, p.frame + eth.hlen, p.frame_len - eth.hlen) == WIRE_OK &&
        mac_eq(&arp.sha, &eth.src))
        ip = arp.spa;
    learn(s, sw, in, &eth, ip);
}
