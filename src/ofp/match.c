/* Neutral matches. */
#include "ofp/ofp_int.h"

static struct ofp_tlv *match_slot(struct ofp_match *m, enum ofp_field f)
{
    MR_ASSERT((unsigned)f < OFPF_FIELDS);
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->f[i].field == f)
            return &m->f[i];
    }
    MR_ASSERT(m->n < OFPF_FIELDS);
    return &m->f[m->n++];
}

void ofp_tlv_set(struct ofp_tlv *t, enum ofp_field f, const void *value, const void *mask)
{
    unsigned bytes = ofp_field_info(f)->bytes;

    *t = (struct ofp_tlv){.field = (uint8_t)f, .masked = mask != NULL};
    memcpy(t->value, value, bytes);
    if (mask != NULL)
        memcpy(t->mask, mask, bytes);
}

void ofp_tlv_set_u64(struct ofp_tlv *t, enum ofp_field f, uint64_t v)
{
    unsigned bytes = ofp_field_info(f)->bytes;

    MR_ASSERT(bytes <= 8);
    *t = (struct ofp_tlv){.field = (uint8_t)f};
    for (unsigned i = 0; i < bytes; i++)
        t->value[i] = (uint8_t)(v >> (bytes - 1 - i) * 8);
}

void ofp_match_set(struct ofp_match *m, enum ofp_field f, const void *value, const void *mask)
{
    ofp_tlv_set(match_slot(m, f), f, value, mask);
}

void ofp_match_set_u64(struct ofp_match *m, enum ofp_field f, uint64_t v)
{
    ofp_tlv_set_u64(match_slot(m, f), f, v);
}

const struct ofp_tlv *ofp_match_find(const struct ofp_match *m, enum ofp_field f)
{
    for (uint32_t i = 0; i < m->n; i++) {
        if (m->f[i].field == f)
            return &m->f[i];
    }
    return NULL;
}

static uint64_t bytes_u64(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n && i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

uint64_t ofp_tlv_u64(const struct ofp_tlv *t)
{
    return bytes_u64(t->value, ofp_field_info((enum ofp_field)t->field)->bytes);
}

uint64_t ofp_tlv_mask_u64(const struct ofp_tlv *t)
{
    unsigned bytes = ofp_field_info((enum ofp_field)t->field)->bytes;

    return t->masked ? bytes_u64(t->mask, bytes) : UINT64_MAX >> (64 - bytes * 8);
}

bool ofp_tlv_eq(const struct ofp_tlv *a, const struct ofp_tlv *b)
{
    unsigned bytes = ofp_field_info((enum ofp_field)a->field)->bytes;

    return a->field == b->field && a->masked == b->masked &&
           memcmp(a->value, b->value, bytes) == 0 &&
           (!a->masked || memcmp(a->mask, b->mask, bytes) == 0);
}

bool ofp_match_eq(const struct ofp_match *a, const struct ofp_match *b)
{
    if (a->n != b->n || a->others != b->others)
        return false;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct ofp_tlv *t = ofp_match_find(b, (enum ofp_field)a->f[i].field);
        if (t == NULL || !ofp_tlv_eq(&a->f[i], t))
            return false;
    }
    return true;
}

/* ---- printing ------------------------------------------------------------------------- */

/* RFC 5952 4: the longest run of zeros, of two at least, becomes "::". */
void ofp_print_ip6(struct fmt *f, const uint8_t *p)
{
    unsigned best = 8, longest = 1;

    for (unsigned i = 0; i < 8; i++) {
        unsigned n = 0;
        while (i + n < 8 && load_be16(p + 2 * (i + n)) == 0)
            n++;
        if (n > longest) {
            longest = n;
            best = i;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == best) {
            fmt_add(f, "::");
            i += longest - 1;
            continue;
        }
        fmt_add(f, "%s%x", i > 0 && i != best + longest ? ":" : "", load_be16(p + 2 * i));
    }
}

static void print_bytes(struct fmt *f, const struct ofp_tlv *t, const uint8_t *p)
{
    unsigned bytes = ofp_field_info((enum ofp_field)t->field)->bytes;

    switch (bytes) {
    case 16:
        ofp_print_ip6(f, p);
        return;
    case 6: {
        struct mac_addr mac;
        memcpy(mac.b, p, 6);
        fmt_mac(f, &mac);
        return;
    }
    default:
        break;
    }
    switch (t->field) {
    case OFPF_IPV4_SRC:
    case OFPF_IPV4_DST:
    case OFPF_ARP_SPA:
    case OFPF_ARP_TPA:
        fmt_ip4(f, be32_of(load_be32(p)));
        break;
    case OFPF_IN_PORT:
    case OFPF_IN_PHY_PORT:
        ofp_print_port_no(f, load_be32(p));
        break;
    case OFPF_ETH_TYPE:
    case OFPF_METADATA:
    case OFPF_TUNNEL_ID:
    case OFPF_VLAN_VID:
    case OFPF_IPV6_FLABEL:
    case OFPF_IPV6_EXTHDR:
        fmt_add(f, "0x%llx", (unsigned long long)bytes_u64(p, bytes));
        break;
    default:
        fmt_u64(f, bytes_u64(p, bytes));
        break;
    }
}

/* The length of a mask that is a prefix, or -1. */
static int prefix_len(const uint8_t *mask, unsigned bytes)
{
    unsigned n = 0;

    while (n < bytes * 8 && (mask[n / 8] >> (7 - n % 8) & 1) != 0)
        n++;
    for (unsigned i = n; i < bytes * 8; i++) {
        if ((mask[i / 8] >> (7 - i % 8) & 1) != 0)
            return -1;
    }
    return (int)n;
}

static bool is_address(enum ofp_field f)
{
    return f == OFPF_IPV4_SRC || f == OFPF_IPV4_DST || f == OFPF_ARP_SPA || f == OFPF_ARP_TPA ||
           f == OFPF_IPV6_SRC || f == OFPF_IPV6_DST;
}

void ofp_tlv_print(struct fmt *f, const struct ofp_tlv *t)
{
    const struct ofp_field_info *info = ofp_field_info((enum ofp_field)t->field);
    int prefix = is_address((enum ofp_field)t->field) ? prefix_len(t->mask, info->bytes) : -1;

    print_bytes(f, t, t->value);
    if (!t->masked)
        return;
    if (prefix >= 0) {
        fmt_add(f, "/%d", prefix);
    } else {
        fmt_char(f, '/');
        print_bytes(f, t, t->mask);
    }
}

void ofp_match_print(struct fmt *f, const struct ofp_match *m)
{
    if (m->n == 0 && m->others == 0)
        fmt_add(f, "any");
    for (uint32_t i = 0; i < m->n; i++) {
        fmt_add(f, "%s%s=", i > 0 ? "," : "", ofp_field_info((enum ofp_field)m->f[i].field)->name);
        ofp_tlv_print(f, &m->f[i]);
    }
    if (m->others > 0)
        fmt_add(f, "%s+%u unknown fields", m->n > 0 ? "," : "", m->others);
}
