/* Framing: the table of message layouts is the length checker. */
#include "ofp/ofp_int.h"

#define NOTHING .rest = REST_NONE, .step = 1
#define BYTES .rest = REST_BYTES, .step = 1, .max = OFP_MSG_MAX
#define STEPS(n) .rest = REST_STEP, .step = (n), .max = OFP_MSG_MAX
#define TLVS(n) .rest = REST_TLV, .step = (n), .max = OFP_MSG_MAX
#define EXACT(n) .fixed = (n), .max = (n), NOTHING

/* OpenFlow 1.0.0, 5.1 to 5.5. */
const struct ofp_layout ofp10_rows[] = {
    [0] = {OFP_HELLO, FROM_BOTH, .fixed = 8, BYTES},
    [1] = {OFP_ERROR, FROM_BOTH, .fixed = 12, BYTES},
    [2] = {OFP_ECHO_REQUEST, FROM_BOTH, .fixed = 8, BYTES},
    [3] = {OFP_ECHO_REPLY, FROM_BOTH, .fixed = 8, BYTES},
    [4] = {OFP_EXPERIMENTER, FROM_BOTH, .fixed = 12, BYTES, .deeper = true},
    [5] = {OFP_FEATURES_REQUEST, FROM_CONTROLLER, EXACT(8)},
    [6] = {OFP_FEATURES_REPLY, FROM_SWITCH, .fixed = 32, STEPS(48)},
    [7] = {OFP_GET_CONFIG_REQUEST, FROM_CONTROLLER, EXACT(8)},
    [8] = {OFP_GET_CONFIG_REPLY, FROM_SWITCH, EXACT(12)},
    [9] = {OFP_SET_CONFIG, FROM_CONTROLLER, EXACT(12)},
    [10] = {OFP_PACKET_IN, FROM_SWITCH, .fixed = 18, BYTES},
    [11] = {OFP_FLOW_REMOVED, FROM_SWITCH, EXACT(88)},
    [12] = {OFP_PORT_STATUS, FROM_SWITCH, EXACT(64)},
    [13] = {OFP_PACKET_OUT, FROM_CONTROLLER, .fixed = 16, BYTES},
    [14] = {OFP_FLOW_MOD, FROM_CONTROLLER, .fixed = 72, TLVS(8)},
    [15] = {OFP_PORT_MOD, FROM_CONTROLLER, EXACT(32)},
    [16] = {OFP_MULTIPART_REQUEST, FROM_CONTROLLER, .fixed = 12, BYTES, .deeper = true},
    [17] = {OFP_MULTIPART_REPLY, FROM_SWITCH, .fixed = 12, BYTES, .deeper = true},
    [18] = {OFP_BARRIER_REQUEST, FROM_CONTROLLER, EXACT(8)},
    [19] = {OFP_BARRIER_REPLY, FROM_SWITCH, EXACT(8)},
    [20] = {OFP_QUEUE_GET_CONFIG_REQUEST, FROM_CONTROLLER, EXACT(12)},
    [21] = {OFP_QUEUE_GET_CONFIG_REPLY, FROM_SWITCH, .fixed = 16, TLVS(8)},
};
_Static_assert(ARRAY_LEN(ofp10_rows) == OFP10_TYPES, "a row a type");

/* OpenFlow 1.3.5, 7.1 to 7.5.  Where a match of variable length stands in the middle, the fixed
 * part ends with the shortest match. */
const struct ofp_layout ofp13_rows[] = {
    [0] = {OFP_HELLO, FROM_BOTH, .fixed = 8, BYTES},
    [1] = {OFP_ERROR, FROM_BOTH, .fixed = 12, BYTES},
    [2] = {OFP_ECHO_REQUEST, FROM_BOTH, .fixed = 8, BYTES},
    [3] = {OFP_ECHO_REPLY, FROM_BOTH, .fixed = 8, BYTES},
    [4] = {OFP_EXPERIMENTER, FROM_BOTH, .fixed = 16, BYTES},
    [5] = {OFP_FEATURES_REQUEST, FROM_CONTROLLER, EXACT(8)},
    [6] = {OFP_FEATURES_REPLY, FROM_SWITCH, EXACT(32)},
    [7] = {OFP_GET_CONFIG_REQUEST, FROM_CONTROLLER, EXACT(8)},
    [8] = {OFP_GET_CONFIG_REPLY, FROM_SWITCH, EXACT(12)},
    [9] = {OFP_SET_CONFIG, FROM_CONTROLLER, EXACT(12)},
    [10] = {OFP_PACKET_IN, FROM_SWITCH, .fixed = 34, BYTES},
    [11] = {OFP_FLOW_REMOVED, FROM_SWITCH, .fixed = 56, TLVS(8)},
    [12] = {OFP_PORT_STATUS, FROM_SWITCH, EXACT(80)},
    [13] = {OFP_PACKET_OUT, FROM_CONTROLLER, .fixed = 24, BYTES},
    [14] = {OFP_FLOW_MOD, FROM_CONTROLLER, .fixed = 56, TLVS(8)},
    [15] = {OFP_GROUP_MOD, FROM_CONTROLLER, .fixed = 16, TLVS(8)},
    [16] = {OFP_PORT_MOD, FROM_CONTROLLER, EXACT(40)},
    [17] = {OFP_TABLE_MOD, FROM_CONTROLLER, EXACT(16)},
    [18] = {OFP_MULTIPART_REQUEST, FROM_CONTROLLER, .fixed = 16, BYTES, .deeper = true},
    [19] = {OFP_MULTIPART_REPLY, FROM_SWITCH, .fixed = 16, BYTES, .deeper = true},
    [20] = {OFP_BARRIER_REQUEST, FROM_CONTROLLER, EXACT(8)},
    [21] = {OFP_BARRIER_REPLY, FROM_SWITCH, EXACT(8)},
    [22] = {OFP_QUEUE_GET_CONFIG_REQUEST, FROM_CONTROLLER, EXACT(16)},
    [23] = {OFP_QUEUE_GET_CONFIG_REPLY, FROM_SWITCH, .fixed = 16, TLVS(8)},
    [24] = {OFP_ROLE_REQUEST, FROM_CONTROLLER, EXACT(24)},
    [25] = {OFP_ROLE_REPLY, FROM_SWITCH, EXACT(24)},
    [26] = {OFP_GET_ASYNC_REQUEST, FROM_CONTROLLER, EXACT(8)},
    [27] = {OFP_GET_ASYNC_REPLY, FROM_SWITCH, EXACT(32)},
    [28] = {OFP_SET_ASYNC, FROM_CONTROLLER, EXACT(32)},
    [29] = {OFP_METER_MOD, FROM_CONTROLLER, .fixed = 16, TLVS(8)},
};
_Static_assert(ARRAY_LEN(ofp13_rows) == OFP13_TYPES, "a row a type");

const struct ofp_codec *ofp_codec(enum ofp_dialect d)
{
    static const struct ofp_codec *const codecs[OFP_DIALECTS] = {
        [OFP_10] = &ofp10_codec,
        [OFP_13] = &ofp13_codec,
        [POF_HUAWEI] = &pof_huawei_codec,
        [POF_USTC] = &pof_ustc_codec,
    };

    return (unsigned)d < OFP_DIALECTS ? codecs[d] : NULL;
}

static enum ofp_err frame_header(const uint8_t *b, size_t n, struct ofp_msg *out, uint32_t *need)
{
    *out = (struct ofp_msg){.kind = OFP_KINDS};
    *need = OFP_HLEN;
    if (n < OFP_HLEN)
        return OFP_MORE;
    out->version = b[0];
    out->type = b[1];
    out->len = load_be16(b + 2);
    out->xid = load_be32(b + 4);
    out->p = b;
    return out->len < OFP_HLEN ? OFP_BAD_LEN : OFP_OK;
}

/* What is wrong with a message is said as soon as its header shows it: waiting for the rest of what
 * will be refused anyway would let a peer fill our memory. */
enum ofp_err ofp_frame(enum ofp_dialect d, enum ofp_from from, const uint8_t *b, size_t n,
                       struct ofp_msg *out, uint32_t *need)
{
    const struct ofp_codec *c = ofp_codec(d);
    enum ofp_err e = frame_header(b, n, out, need);

    if (e != OFP_OK)
        return e;
    if (c == NULL || out->version != c->layouts.version)
        return OFP_BAD_VERSION;
    if (out->type >= c->layouts.n)
        return OFP_BAD_TYPE;
    const struct ofp_layout *l = &c->layouts.row[out->type];
    if ((l->from & 1u << from) == 0)
        return OFP_BAD_TYPE;
    out->kind = (enum ofp_kind)l->kind;
    if (!ofp_layout_fits(l, out->len))
        return OFP_BAD_LEN;
    *need = out->len;
    if (n < out->len)
        return OFP_MORE;
    return l->deeper ? c->frame(from, out) : OFP_OK;
}

/* OpenFlow 1.3.5, 7.5.1: HELLO may carry elements we do not know; 1.0.0, 5.5.1: or anything. */
enum ofp_err ofp_frame_hello(const uint8_t *b, size_t n, struct ofp_msg *out, uint32_t *need)
{
    enum ofp_err e = frame_header(b, n, out, need);

    if (e != OFP_OK)
        return e;
    if (out->version == 0)
        return OFP_BAD_VERSION;
    if (out->type > 1)
        return OFP_BAD_TYPE;
    out->kind = out->type == 0 ? OFP_HELLO : OFP_ERROR;
    if (out->kind == OFP_ERROR && out->len < 12)
        return OFP_BAD_LEN;
    *need = out->len;
    return n < out->len ? OFP_MORE : OFP_OK;
}

int ofp_type_of(enum ofp_dialect d, enum ofp_kind k)
{
    const struct ofp_codec *c = ofp_codec(d);

    for (int i = 0; c != NULL && i < c->layouts.n; i++) {
        if (c->layouts.row[i].from != 0 && c->layouts.row[i].kind == k)
            return i;
    }
    return -1;
}

bool ofp_can(enum ofp_dialect d, enum ofp_from from, enum ofp_kind k)
{
    const struct ofp_codec *c = ofp_codec(d);
    int type = ofp_type_of(d, k);

    if (c == NULL)
        return false;
    if (type < 0)
        return (c->extra[from] >> k & 1) != 0;
    return (c->layouts.row[type].from & 1u << from) != 0;
}
