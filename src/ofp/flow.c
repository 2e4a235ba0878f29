/* Neutral flows and actions. */
#include "ofp/ofp_int.h"

void ofp_instructions_init(struct ofp_instructions *i)
{
    i->apply.n = i->write.n = 0;
    i->clear = i->has_goto = i->has_meter = i->has_metadata = false;
    i->goto_table = 0;
    i->meter = 0;
    i->metadata = i->metadata_mask = 0;
}

void ofp_flow_init(struct ofp_flow *f)
{
    f->command = OFPFC_ADD;
    f->table = 0;
    f->idle_timeout = f->hard_timeout = 0;
    f->priority = f->flags = 0;
    f->buffer_id = OFP_NO_BUFFER;
    f->out_port = f->out_group = OFPP_ANY;
    f->cookie = f->cookie_mask = 0;
    f->match.n = f->match.others = 0;
    ofp_instructions_init(&f->do_);
}

static bool action_eq(const struct ofp_action *a, const struct ofp_action *b)
{
    if (a->type != b->type || a->port != b->port || a->id != b->id || a->max_len != b->max_len ||
        a->ethertype != b->ethertype || a->ttl != b->ttl || a->raw_len != b->raw_len)
        return false;
    if (a->type == OFPA_SET_FIELD && !ofp_tlv_eq(&a->field, &b->field))
        return false;
    return a->raw_len == 0 || memcmp(a->raw, b->raw, a->raw_len) == 0;
}

bool ofp_actions_eq(const struct ofp_actions *a, const struct ofp_actions *b)
{
    uint32_t i = 0;

    while (i < a->n && i < b->n && action_eq(&a->a[i], &b->a[i]))
        i++;
    return i == a->n && i == b->n;
}

/* ---- printing ------------------------------------------------------------------------- */

static void print_output(struct fmt *f, const struct ofp_action *a)
{
    if (a->port == OFPP_CONTROLLER) {
        fmt_add(f, "CONTROLLER:%u", a->max_len);
        return;
    }
    if (a->port < OFPP_IN_PORT || a->port == OFPP_ANY)
        fmt_add(f, "output:");
    ofp_print_port_no(f, a->port);
}

static void print_queue(struct fmt *f, const struct ofp_action *a)
{
    if (a->port == 0) {
        fmt_add(f, "set_queue:%u", a->id);
        return;
    }
    fmt_add(f, "enqueue:");
    ofp_print_port_no(f, a->port);
    fmt_add(f, ":%u", a->id);
}

static void print_set(struct fmt *f, const struct ofp_tlv *t)
{
    fmt_add(f, "set_field:");
    ofp_tlv_print(f, t);
    fmt_add(f, "->%s", ofp_field_info((enum ofp_field)t->field)->name);
}

static void print_action(struct fmt *f, const struct ofp_action *a)
{
    switch (a->type) {
    case OFPA_OUTPUT:
        print_output(f, a);
        break;
    case OFPA_GROUP:
        fmt_add(f, "group:%u", a->id);
        break;
    case OFPA_SET_QUEUE:
        print_queue(f, a);
        break;
    case OFPA_SET_FIELD:
        print_set(f, &a->field);
        break;
    case OFPA_PUSH_VLAN:
        fmt_add(f, "push_vlan:0x%04x", a->ethertype);
        break;
    case OFPA_POP_VLAN:
        fmt_add(f, "pop_vlan");
        break;
    case OFPA_PUSH_MPLS:
        fmt_add(f, "push_mpls:0x%04x", a->ethertype);
        break;
    case OFPA_POP_MPLS:
        fmt_add(f, "pop_mpls:0x%04x", a->ethertype);
        break;
    case OFPA_PUSH_PBB:
        fmt_add(f, "push_pbb:0x%04x", a->ethertype);
        break;
    case OFPA_POP_PBB:
        fmt_add(f, "pop_pbb");
        break;
    case OFPA_SET_MPLS_TTL:
        fmt_add(f, "set_mpls_ttl:%u", a->ttl);
        break;
    case OFPA_DEC_MPLS_TTL:
        fmt_add(f, "dec_mpls_ttl");
        break;
    case OFPA_SET_NW_TTL:
        fmt_add(f, "set_nw_ttl:%u", a->ttl);
        break;
    case OFPA_DEC_NW_TTL:
        fmt_add(f, "dec_ttl");
        break;
    case OFPA_COPY_TTL_OUT:
        fmt_add(f, "copy_ttl_out");
        break;
    case OFPA_COPY_TTL_IN:
        fmt_add(f, "copy_ttl_in");
        break;
    case OFPA_EXPERIMENTER:
        fmt_add(f, "experimenter:0x%x", a->id);
        break;
    case OFPA_TYPES:
        break;
    }
}

void ofp_actions_print(struct fmt *f, const struct ofp_actions *a)
{
    if (a->n == 0)
        fmt_add(f, "drop");
    for (uint32_t i = 0; i < a->n; i++) {
        if (i > 0)
            fmt_char(f, ',');
        print_action(f, &a->a[i]);
    }
}

static const char *print_sep(struct fmt *f, const char *sep)
{
    fmt_add(f, "%s", sep);
    return ",";
}

/* As ovs-ofctl: what is applied stands bare, the rest is named. */
void ofp_instructions_print(struct fmt *f, const struct ofp_instructions *i)
{
    const char *sep = "";
    size_t begin;

    fmt_add(f, "actions=");
    begin = f->len;
    if (i->has_meter) {
        sep = print_sep(f, sep);
        fmt_add(f, "meter:%u", i->meter);
    }
    if (i->apply.n > 0) {
        sep = print_sep(f, sep);
        ofp_actions_print(f, &i->apply);
    }
    if (i->clear) {
        sep = print_sep(f, sep);
        fmt_add(f, "clear_actions");
    }
    if (i->write.n > 0) {
        sep = print_sep(f, sep);
        fmt_add(f, "write_actions(");
        ofp_actions_print(f, &i->write);
        fmt_char(f, ')');
    }
    if (i->has_metadata) {
        sep = print_sep(f, sep);
        fmt_add(f, "write_metadata:0x%llx/0x%llx", (unsigned long long)i->metadata,
                (unsigned long long)i->metadata_mask);
    }
    if (i->has_goto) {
        print_sep(f, sep);
        fmt_add(f, "goto_table:%u", i->goto_table);
    }
    if (f->len == begin)
        fmt_add(f, "drop");
}
