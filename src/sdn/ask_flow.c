/* Matches, actions and flows as JSON; the REST interface takes the same (north/body.c). */
#include "sdn/ask.h"

void ask_json_dpid(struct json *j, const char *key, uint64_t dpid)
{
    char text[24];

    fmt_print(text, sizeof(text), "%016llx", (unsigned long long)dpid);
    json_str(j, key, text);
}

void ask_json_mac(struct json *j, const char *key, const struct mac_addr *m)
{
    char text[FMT_MAC_SIZE];
    struct fmt f;

    fmt_init(&f, text, sizeof(text));
    fmt_mac(&f, m);
    json_str(j, key, text);
}

static void hex_value(struct fmt *f, const uint8_t *v, unsigned n)
{
    fmt_add(f, "0x");
    for (unsigned i = 0; i < n; i++)
        fmt_add(f, "%02x", v[i]);
}

static void ipv6_value(struct fmt *f, const uint8_t *v)
{
    for (unsigned i = 0; i < 16; i += 2)
        fmt_add(f, "%s%x", i == 0 ? "" : ":", (unsigned)v[i] << 8 | v[i + 1]);
}

static void bytes_value(struct fmt *f, enum ofp_field field, const uint8_t *v)
{
    const struct ofp_field_info *info = ofp_field_info(field);
    bool ip = field == OFPF_IPV4_SRC || field == OFPF_IPV4_DST || field == OFPF_ARP_SPA ||
              field == OFPF_ARP_TPA;

    if (ip)
        fmt_add(f, "%u.%u.%u.%u", v[0], v[1], v[2], v[3]);
    else if (info->bytes == 16)
        ipv6_value(f, v);
    else if (info->bits == 48)
        fmt_add(f, "%02x:%02x:%02x:%02x:%02x:%02x", v[0], v[1], v[2], v[3], v[4], v[5]);
    else
        hex_value(f, v, info->bytes);
}

/* A mask that is a prefix is written as its length; -1: it is none. */
static int prefix_of(const uint8_t *m, unsigned n)
{
    unsigned bits = 0;

    while (bits < 8 * n && (m[bits / 8] >> (7 - bits % 8) & 1) != 0)
        bits++;
    for (unsigned i = bits; i < 8 * n; i++)
        if ((m[i / 8] >> (7 - i % 8) & 1) != 0)
            return -1;
    return (int)bits;
}

static void mask_value(struct fmt *f, enum ofp_field field, const uint8_t *m)
{
    const struct ofp_field_info *info = ofp_field_info(field);
    bool ip = field == OFPF_IPV4_SRC || field == OFPF_IPV4_DST || field == OFPF_ARP_SPA ||
              field == OFPF_ARP_TPA || info->bytes == 16;
    int prefix = ip ? prefix_of(m, info->bytes) : -1;

    fmt_char(f, '/');
    if (prefix >= 0)
        fmt_add(f, "%d", prefix);
    else
        bytes_value(f, field, m);
}

static bool is_number(const struct ofp_tlv *t)
{
    const struct ofp_field_info *info = ofp_field_info((enum ofp_field)t->field);

    return !t->masked && info->bits <= 32 && t->field != OFPF_IPV4_SRC &&
           t->field != OFPF_IPV4_DST && t->field != OFPF_ARP_SPA && t->field != OFPF_ARP_TPA;
}

static const char *port_word(uint32_t no)
{
    static const char *const words[] = {"IN_PORT", "TABLE",      "NORMAL", "FLOOD",
                                        "ALL",     "CONTROLLER", "LOCAL",  "ANY"};

    return no >= OFPP_IN_PORT ? words[no - OFPP_IN_PORT] : NULL;
}

static void port_value(struct json *j, const char *key, uint32_t no)
{
    if (port_word(no))
        json_str(j, key, port_word(no));
    else
        json_u64(j, key, no);
}

static void tlv_value(struct json *j, const char *key, const struct ofp_tlv *t)
{
    enum ofp_field field = (enum ofp_field)t->field;
    char text[96];
    struct fmt f;

    if (field == OFPF_IN_PORT && !t->masked) {
        port_value(j, key, (uint32_t)ofp_tlv_u64(t));
        return;
    }
    /* A tag with this VLAN id: the id; else bit 12 is to be seen. */
    if (field == OFPF_VLAN_VID && !t->masked && (ofp_tlv_u64(t) & 0x1000) != 0) {
        json_u64(j, key, ofp_tlv_u64(t) & 0xfff);
        return;
    }
    if (is_number(t) && field != OFPF_VLAN_VID) {
        json_u64(j, key, ofp_tlv_u64(t));
        return;
    }
    fmt_init(&f, text, sizeof(text));
    bytes_value(&f, field, t->value);
    if (t->masked)
        mask_value(&f, field, t->mask);
    json_str(j, key, text);
}

void ask_json_match(struct json *j, const struct ofp_match *m)
{
    json_object(j, "match");
    for (uint32_t i = 0; i < m->n; i++)
        tlv_value(j, ofp_field_info((enum ofp_field)m->f[i].field)->name, &m->f[i]);
    json_end(j);
}

static void action_value(struct json *j, const struct ofp_action *a)
{
    static const char *const names[] = {
        [OFPA_OUTPUT] = "OUTPUT",
        [OFPA_GROUP] = "GROUP",
        [OFPA_SET_QUEUE] = "SET_QUEUE",
        [OFPA_SET_FIELD] = "SET_FIELD",
        [OFPA_PUSH_VLAN] = "PUSH_VLAN",
        [OFPA_POP_VLAN] = "POP_VLAN",
        [OFPA_PUSH_MPLS] = "PUSH_MPLS",
        [OFPA_POP_MPLS] = "POP_MPLS",
        [OFPA_PUSH_PBB] = "PUSH_PBB",
        [OFPA_POP_PBB] = "POP_PBB",
        [OFPA_SET_MPLS_TTL] = "SET_MPLS_TTL",
        [OFPA_DEC_MPLS_TTL] = "DEC_MPLS_TTL",
        [OFPA_SET_NW_TTL] = "SET_NW_TTL",
        [OFPA_DEC_NW_TTL] = "DEC_NW_TTL",
        [OFPA_COPY_TTL_OUT] = "COPY_TTL_OUT",
        [OFPA_COPY_TTL_IN] = "COPY_TTL_IN",
        [OFPA_EXPERIMENTER] = "EXPERIMENTER",
    };

    json_object(j, NULL);
    json_str(j, "type", names[a->type]);
    switch (a->type) {
    case OFPA_OUTPUT:
        port_value(j, "port", a->port);
        if (a->port == OFPP_CONTROLLER)
            json_u64(j, "max_len", a->max_len);
        break;
    case OFPA_GROUP:
        json_u64(j, "group_id", a->id);
        break;
    case OFPA_SET_QUEUE:
        json_u64(j, "queue_id", a->id);
        if (a->port != 0)
            port_value(j, "port", a->port);
        break;
    case OFPA_SET_FIELD:
        json_str(j, "field", ofp_field_info((enum ofp_field)a->field.field)->name);
        tlv_value(j, "value", &a->field);
        break;
    case OFPA_PUSH_VLAN:
    case OFPA_PUSH_MPLS:
    case OFPA_POP_MPLS:
    case OFPA_PUSH_PBB:
        json_u64(j, "ethertype", a->ethertype);
        break;
    case OFPA_SET_MPLS_TTL:
        json_u64(j, "mpls_ttl", a->ttl);
        break;
    case OFPA_SET_NW_TTL:
        json_u64(j, "nw_ttl", a->ttl);
        break;
    case OFPA_EXPERIMENTER:
        json_u64(j, "experimenter", a->id);
        break;
    case OFPA_POP_VLAN:
    case OFPA_POP_PBB:
    case OFPA_DEC_MPLS_TTL:
    case OFPA_DEC_NW_TTL:
    case OFPA_COPY_TTL_OUT:
    case OFPA_COPY_TTL_IN:
    case OFPA_TYPES:
        break;
    }
    json_end(j);
}

static void action_list(struct json *j, const struct ofp_actions *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        action_value(j, &a->a[i]);
}

void ask_json_actions(struct json *j, const struct ofp_actions *a)
{
    json_array(j, "actions");
    action_list(j, a);
    json_end(j);
}

static void instruction(struct json *j, const char *type, const char *key, uint64_t v)
{
    json_object(j, NULL);
    json_str(j, "type", type);
    if (key)
        json_u64(j, key, v);
    json_end(j);
}

static void hex_member(struct json *j, const char *key, uint64_t v)
{
    char text[24];

    fmt_print(text, sizeof(text), "0x%llx", (unsigned long long)v);
    json_str(j, key, text);
}

/* In the order in which a switch carries instructions out (1.3.5, 5.9). */
static void instructions(struct json *j, const struct ofp_instructions *d)
{
    json_array(j, "actions");
    if (d->has_meter)
        instruction(j, "METER", "meter_id", d->meter);
    action_list(j, &d->apply);
    if (d->clear)
        instruction(j, "CLEAR_ACTIONS", NULL, 0);
    if (d->write.n > 0) {
        json_object(j, NULL);
        json_str(j, "type", "WRITE_ACTIONS");
        ask_json_actions(j, &d->write);
        json_end(j);
    }
    if (d->has_metadata) {
        json_object(j, NULL);
        json_str(j, "type", "WRITE_METADATA");
        hex_member(j, "metadata", d->metadata);
        hex_member(j, "metadata_mask", d->metadata_mask);
        json_end(j);
    }
    if (d->has_goto)
        instruction(j, "GOTO_TABLE", "table_id", d->goto_table);
    json_end(j);
}

void ask_json_flow(struct json *j, const struct ofp_flow *f)
{
    json_u64(j, "table_id", f->table);
    json_u64(j, "priority", f->priority);
    hex_member(j, "cookie", f->cookie);
    json_u64(j, "idle_timeout", f->idle_timeout);
    json_u64(j, "hard_timeout", f->hard_timeout);
    json_u64(j, "flags", f->flags);
    ask_json_match(j, &f->match);
    instructions(j, &f->do_);
}
