/* For people. */
#include "ofp/of_int.h"
#include "ofp/pof_int.h"

const char *pof_table_type_name(uint32_t t)
{
    static const char *const name[POF_TABLE_TYPES] = {"MM", "LPM", "EM", "LINEAR"};

    return t < POF_TABLE_TYPES ? name[t] : "?";
}

const char *pof_action_name(uint32_t type)
{
    static const char *const name[POFA_TYPES] = {
        [POFA_OUTPUT] = "OUTPUT",
        [POFA_SET_FIELD] = "SET_FIELD",
        [POFA_SET_FIELD_FROM_METADATA] = "SET_FIELD_FROM_METADATA",
        [POFA_MODIFY_FIELD] = "MODIFY_FIELD",
        [POFA_ADD_FIELD] = "ADD_FIELD",
        [POFA_DELETE_FIELD] = "DELETE_FIELD",
        [POFA_CALCULATE_CHECKSUM] = "CALCULATE_CHECKSUM",
        [POFA_GROUP] = "GROUP",
        [POFA_DROP] = "DROP",
        [POFA_PACKET_IN] = "PACKET_IN",
        [POFA_COUNTER] = "COUNTER",
    };

    return type < POFA_TYPES ? name[type] : "?";
}

const char *pof_instruction_name(uint32_t type)
{
    static const char *const name[] = {
        [POFI_GOTO_TABLE] = "GOTO_TABLE",
        [POFI_WRITE_METADATA] = "WRITE_METADATA",
        [POFI_APPLY_ACTIONS] = "APPLY_ACTIONS",
        [POFI_METER] = "METER",
        [POFI_WRITE_METADATA_FROM_PACKET] = "WRITE_METADATA_FROM_PACKET",
        [POFI_GOTO_DIRECT_TABLE] = "GOTO_DIRECT_TABLE",
        [POFI_CONDITIONAL_JUMP] = "CONDITIONAL_JUMP",
        [POFI_CALCULATE_FIELD] = "CALCULATE_FIELD",
        [POFI_MOVE_PACKET_OFFSET] = "MOVE_PACKET_OFFSET",
    };

    return type < ARRAY_LEN(name) && name[type] ? name[type] : "?";
}

static void hex(struct fmt *f, const uint8_t *v, uint32_t bits)
{
    fmt_add(f, "0x");
    for (uint32_t i = 0; i < (bits + 7) / 8; i++)
        fmt_add(f, "%02x", v[i]);
}

static bool is_full(const uint8_t *mask, uint32_t bits)
{
    for (uint32_t i = 0; i < bits; i++)
        if ((mask[i / 8] & 0x80u >> (i & 7)) == 0)
            return false;
    return true;
}

void pof_match_print(struct fmt *f, const struct pof_match *m)
{
    fmt_add(f, "%s{%u,%u}", m->field == POF_METADATA ? "meta" : "", m->offset, m->len);
}

static void valued(struct fmt *f, const struct pof_match *at, const uint8_t *value,
                   const uint8_t *mask)
{
    pof_match_print(f, at);
    fmt_char(f, '=');
    hex(f, value, at->len);
    if (!is_full(mask, at->len)) {
        fmt_char(f, '/');
        hex(f, mask, at->len);
    }
}

void pof_action_print(struct fmt *f, const struct pof_action *a)
{
    fmt_add(f, "%s:", pof_action_name(a->type));
    switch (a->type) {
    case POFA_OUTPUT:
        if (a->by_field)
            pof_match_print(f, &a->at);
        else
            fmt_add(f, "%u", a->arg);
        if (a->metadata_len)
            fmt_add(f, "+meta{%u,%u}", a->metadata_offset, a->metadata_len);
        if (a->packet_offset)
            fmt_add(f, "@%u", a->packet_offset);
        break;
    case POFA_SET_FIELD:
        valued(f, &a->at, a->value, a->mask);
        break;
    case POFA_SET_FIELD_FROM_METADATA:
        pof_match_print(f, &a->at);
        fmt_add(f, "=meta@%u", a->metadata_offset);
        break;
    case POFA_MODIFY_FIELD:
        pof_match_print(f, &a->at);
        if (a->arg >> 31)
            fmt_add(f, "-%u", 0u - a->arg);
        else
            fmt_add(f, "+%u", a->arg);
        break;
    case POFA_ADD_FIELD:
        pof_match_print(f, &a->at);
        fmt_char(f, '=');
        hex(f, a->value, a->at.len);
        break;
    case POFA_DELETE_FIELD:
        pof_match_print(f, &a->at);
        break;
    case POFA_CALCULATE_CHECKSUM:
        pof_match_print(f, &a->at);
        fmt_add(f, "=sum{%u,%u}", a->over, a->over_len);
        break;
    default:
        fmt_add(f, "%u", a->arg);
        break;
    }
}

static void instruction_print(struct fmt *f, const struct pof_instruction *i)
{
    fmt_add(f, "%s(", pof_instruction_name(i->type));
    switch (i->type) {
    case POFI_APPLY_ACTIONS:
        for (uint32_t k = 0; k < i->actions; k++) {
            if (k > 0)
                fmt_char(f, ',');
            pof_action_print(f, &i->action[k]);
        }
        break;
    case POFI_GOTO_TABLE:
        fmt_add(f, "%u", i->table);
        if (i->packet_offset)
            fmt_add(f, "@%u", i->packet_offset);
        break;
    case POFI_GOTO_DIRECT_TABLE:
        fmt_add(f, "%u[%u]", i->table, i->arg);
        break;
    case POFI_WRITE_METADATA:
        fmt_add(f, "meta{%u,%u}=", i->metadata_offset, i->len);
        hex(f, i->value, i->len);
        break;
    case POFI_WRITE_METADATA_FROM_PACKET:
        fmt_add(f, "meta{%u,%u}={%u,%u}", i->metadata_offset, i->len, i->packet_offset, i->len);
        break;
    default:
        fmt_add(f, "%u", i->arg);
        break;
    }
    fmt_char(f, ')');
}

void pof_entry_print(struct fmt *f, const struct pof_entry *e)
{
    const char *what = e->command == POF_ENTRY_ADD      ? "ADD"
                       : e->command == POF_ENTRY_MODIFY ? "MODIFY"
                       : e->command == POF_ENTRY_DELETE ? "DELETE"
                                                        : "?";

    fmt_add(f, "%s table=%s%u slot=%u priority=%u", what, pof_table_type_name(e->type), e->table,
            e->index, e->priority);
    for (uint32_t i = 0; i < e->fields; i++) {
        fmt_add(f, i ? "," : " match=");
        valued(f, &e->match[i].at, e->match[i].value, e->match[i].mask);
    }
    for (uint32_t i = 0; i < e->instructions; i++) {
        fmt_char(f, i ? ',' : ' ');
        instruction_print(f, &e->instruction[i]);
    }
}

/* ---- messages ------------------------------------------------------------------------ */

static void table_mod(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct pof_table t;

    if (pof_parse_table_mod(d, m, &t) != OFP_OK)
        return;
    fmt_add(f, " %s %s%u \"%s\" size=%u key=%u",
            t.command == POF_TABLE_ADD      ? "ADD"
            : t.command == POF_TABLE_DELETE ? "DELETE"
                                            : "?",
            pof_table_type_name(t.type), t.id, t.name, t.size, t.key_bits);
    for (uint32_t i = 0; i < t.fields; i++) {
        fmt_add(f, i ? "," : " match=");
        pof_match_print(f, &t.field[i]);
    }
}

static void entry(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct pof_entry e;

    if (pof_parse_entry(d, m, &e) != OFP_OK)
        return;
    fmt_char(f, ' ');
    pof_entry_print(f, &e);
}

static void group(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct pof_group g;

    if (pof_parse_group(d, m, &g) != OFP_OK)
        return;
    fmt_add(f, " command=%u group=%u counter=%u", g.command, g.id, g.counter);
    for (uint32_t i = 0; i < g.actions; i++) {
        fmt_char(f, i ? ',' : ' ');
        pof_action_print(f, &g.action[i]);
    }
}

static void port(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct ofp_port p;

    pof_parse_port_mod(d, m, &p);
    fmt_add(f, " port=%u \"%s\" ", p.no, p.name);
    fmt_mac(f, &p.mac);
    fmt_add(f, " config=0x%x state=0x%x of_enable=%u", p.config, p.state, p.pof_enabled);
}

static void resources(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct pof_resources r;

    pof_parse_resources(d, m, &r);
    fmt_add(f, " counters=%u meters=%u groups=%u", r.counters, r.meters, r.groups);
    for (uint32_t i = 0; i < POF_TABLE_TYPES; i++)
        fmt_add(f, " %s=%ux%u/%u", pof_table_type_name(r.table[i].type), r.table[i].tables,
                r.table[i].key_bits, r.table[i].size);
}

static void packet_out(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    struct pof_packet_out o;

    if (pof_parse_out(d, m, &o) != OFP_OK)
        return;
    fmt_add(f, " in_port=%u len=%u", o.in_port, o.frame_len);
    for (uint32_t i = 0; i < o.actions; i++) {
        fmt_char(f, i ? ',' : ' ');
        pof_action_print(f, &o.action[i]);
    }
}

static void small(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    if (m->kind == OFP_METER_MOD) {
        struct pof_meter t;

        pof_parse_meter(d, m, &t);
        fmt_add(f, " command=%u meter=%u rate=%u", t.command, t.id, t.rate);
    } else {
        struct pof_counter c;

        pof_parse_counter(d, m, &c);
        fmt_add(f, " command=%u counter=%u value=%llu", c.command, c.id,
                (unsigned long long)c.value);
    }
}

void pof_body_print(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    switch (m->kind) {
    case OFP_TABLE_MOD:
        table_mod(f, d, m);
        break;
    case OFP_FLOW_MOD:
        entry(f, d, m);
        break;
    case OFP_GROUP_MOD:
        group(f, d, m);
        break;
    case OFP_PORT_MOD:
    case OFP_PORT_STATUS:
        port(f, d, m);
        break;
    case POF_RESOURCE_REPORT:
        resources(f, d, m);
        break;
    case OFP_PACKET_OUT:
        packet_out(f, d, m);
        break;
    case OFP_METER_MOD:
    case POF_COUNTER_MOD:
    case POF_COUNTER_REQUEST:
    case POF_COUNTER_REPLY:
        small(f, d, m);
        break;
    case OFP_EXPERIMENTER: /* shorter than OpenFlow's */
        break;
    default: /* what POF shares with OpenFlow, in its fields if not in its bytes */
        of_body_print(f, d, m);
        break;
    }
}
