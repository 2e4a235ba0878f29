/* The templates of fast.h, by the plain emitter: so both agree on every byte that is constant. */
#include "ofp/fast.h"

bool ofp_fast_flow_init(struct ofp_fast_flow *t, enum ofp_dialect d, const struct ofp_flow *like)
{
    static const struct mac_addr zero;
    struct ofp_flow f;

    *t = (struct ofp_fast_flow){.dialect = d};
    if (d != OFP_10 && d != OFP_13)
        return false;
    ofp_flow_init(&f);
    f.table = like->table;
    f.idle_timeout = like->idle_timeout;
    f.hard_timeout = like->hard_timeout;
    f.priority = like->priority;
    f.flags = like->flags;
    f.cookie = like->cookie;
    ofp_match_set_u64(&f.match, OFPF_IN_PORT, 0);
    ofp_match_set(&f.match, OFPF_ETH_DST, &zero, NULL);
    ofp_match_set(&f.match, OFPF_ETH_SRC, &zero, NULL);
    f.do_.apply.n = 1;
    f.do_.apply.a[0] = (struct ofp_action){.type = OFPA_OUTPUT};
    for (unsigned tagged = 0; tagged < 2; tagged++) {
        if (tagged != 0)
            ofp_match_set_u64(&f.match, OFPF_VLAN_VID, OFP_VLAN_PRESENT);
        size_t n = ofp_emit_flow_mod(d, t->bytes[tagged], OFP_FAST_MAX, 0, &f);
        t->len[tagged] = (uint16_t)n;
        if (n == 0)
            return false;
    }
    return true;
}
