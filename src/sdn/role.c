/* Roles (1.3.5, 6.3.6; OpenFlow 1.0: Nicira's extension).
 *
 * A change of role carries a generation id that must not be behind the switch's, so the switch is
 * asked for it first (NOCHANGE), and once more if another controller was quicker. */
#include "sdn/sdn_int.h"

enum { OFPET_ROLE_REQUEST_FAILED = 11, OFPRRFC_STALE = 0 };
#define TRIES 3u

/* The argument of XID_ROLE. */
struct role_arg {
    uint64_t ticket; /* 58 bits */
    enum ofp_role role;
    bool looking; /* it was NOCHANGE, to learn the generation */
    unsigned tries;
};

static uint64_t pack(const struct role_arg *a)
{
    return a->ticket << 6 | (uint64_t)a->tries << 4 | (uint64_t)a->looking << 2 | a->role;
}

static struct role_arg unpack(uint64_t v)
{
    return (struct role_arg){.ticket = v >> 6,
                             .tries = v >> 4 & 3,
                             .looking = (v >> 2 & 1) != 0,
                             .role = (enum ofp_role)(v & 3)};
}

static bool request(struct sdn *s, struct sdn_switch *sw, const struct role_arg *a)
{
    const struct ofp_role_msg r = {.role = a->looking ? OFP_ROLE_NOCHANGE : a->role,
                                   .generation = sw->generation_id + 1};
    uint8_t *b = say_begin(s, sw, 64, true);
    uint32_t xid = xid_next(sw);
    size_t n = b ? ofp_emit_role_request(sw->dialect, b, 64, xid, &r) : 0;

    say_end(s, sw, n, true);
    if (n > 0)
        xid_note(s, sw, xid, XID_ROLE, pack(a));
    return n > 0;
}

bool role_want(struct sdn *s, struct sdn_switch *sw, enum ofp_role role, uint64_t ticket)
{
    const struct role_arg a = {
        .ticket = ticket,
        .role = role,
        .looking = sw->dialect == OFP_13 && (role == OFP_ROLE_MASTER || role == OFP_ROLE_SLAVE),
    };

    return request(s, sw, &a);
}

void role_reply(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m)
{
    struct role_arg a;
    struct ofp_role_msg r;
    uint64_t arg;

    if (xid_take(sw, m->xid, &arg) != XID_ROLE)
        return;
    if (ofp_parse_role(sw->dialect, m, &r) != OFP_OK) {
        session_bad(s, sw, m, 1, 6);
        return;
    }
    a = unpack(arg);
    if (sw->dialect == OFP_13)
        sw->generation_id = r.generation;
    sw->role_known = true;
    sw->master = r.role == OFP_ROLE_MASTER;
    if (a.looking) {
        a.looking = false;
        request(s, sw, &a);
    } else if (a.ticket) {
        ask_role(s, sw, a.ticket, r.role);
    }
}

void role_refused(struct sdn *s, struct sdn_switch *sw, uint64_t arg, const struct ofp_error_msg *e)
{
    struct role_arg a = unpack(arg);

    if (e->type == OFPET_ROLE_REQUEST_FAILED && e->code == OFPRRFC_STALE && ++a.tries < TRIES) {
        a.looking = true;
        if (request(s, sw, &a))
            return;
    }
    if (a.ticket)
        ask_error(s, sw, a.ticket, e);
}
