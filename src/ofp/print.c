/* Messages for people, a line each, in ovs-ofctl's manner. */
#include "ofp/ofp_int.h"

static const char *version_name(const struct ofp_msg *m, enum ofp_dialect d)
{
    if (ofp_is_pof(d))
        return d == POF_HUAWEI ? "POF Huawei" : "POF USTC";
    switch (m->version) {
    case OFP_VERSION_10:
        return "OF1.0";
    case OFP_VERSION_13:
        return "OF1.3";
    default:
        return NULL;
    }
}

static void print_head(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m)
{
    const char *version = version_name(m, d), *kind = ofp_kind_name(m->kind);

    if (m->kind == OFP_KINDS)
        fmt_add(f, "type %u", m->type);
    else
        fmt_add(f, "OFPT_%s", kind);
    if (version != NULL)
        fmt_add(f, " (%s)", version);
    else
        fmt_add(f, " (version 0x%x)", m->version);
    fmt_add(f, " (xid=0x%x):", m->xid);
}

static void print_hello(struct fmt *f, const struct ofp_msg *m)
{
    uint32_t versions;
    bool bitmap;

    if (ofp_parse_hello(m, &versions, &bitmap) != OFP_OK)
        fmt_add(f, " ***decode error: bad elements***");
    else if (bitmap)
        fmt_add(f, " version bitmap: 0x%x", versions);
}

static enum ofp_err frame_any(enum ofp_dialect d, const uint8_t *b, size_t n, struct ofp_msg *m)
{
    uint32_t need;
    enum ofp_err e;

    if (d == OFP_NONE)
        return ofp_frame_hello(b, n, m, &need);
    e = ofp_frame(d, OFP_FROM_SWITCH, b, n, m, &need);
    return e == OFP_BAD_TYPE ? ofp_frame(d, OFP_FROM_CONTROLLER, b, n, m, &need) : e;
}

void ofp_print(struct fmt *f, enum ofp_dialect d, const uint8_t *b, size_t n)
{
    const struct ofp_codec *c = ofp_codec(d);
    struct ofp_msg m;
    enum ofp_err e = frame_any(d, b, n, &m);

    if (n < OFP_HLEN) {
        fmt_add(f, "%zu bytes, less than a header", n);
        return;
    }
    print_head(f, d, &m);
    if (e == OFP_MORE)
        fmt_add(f, " ***%zu of %u bytes***", n, m.len);
    else if (e != OFP_OK)
        fmt_add(f, " ***decode error: %s (length %u)***", ofp_err_name(e), m.len);
    else if (m.kind == OFP_HELLO)
        print_hello(f, &m);
    else if (c != NULL && c->print != NULL)
        c->print(f, d, &m);
}
