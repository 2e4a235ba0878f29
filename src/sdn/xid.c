/* Requests under way: a switch's answers find their way back to whoever asked.
 *
 * A request's xid counts up, so it names its place in a ring; the place keeps the whole number and
 * is worth something only while that is the same. */
#include "sdn/sdn_int.h"

struct xid_slot {
    uint64_t arg;
    uint32_t xid;
    uint32_t who; /* enum xid_for */
};
#define XIDS (XID_BYTES / sizeof(struct xid_slot))
_Static_assert((XIDS & (XIDS - 1)) == 0, "a ring");

void xid_note(struct sdn *s, struct sdn_switch *sw, uint32_t xid, enum xid_for who, uint64_t arg)
{
    if (!sw->xids) {
        sw->xids = pool_get(&s->xids);
        if (!sw->xids)
            return;
        memset(sw->xids, 0, XID_BYTES);
    }
    sw->xids[xid % XIDS] = (struct xid_slot){.arg = arg, .xid = xid, .who = who};
}

enum xid_for xid_look(const struct sdn_switch *sw, uint32_t xid, uint64_t *arg)
{
    const struct xid_slot *x = sw->xids ? &sw->xids[xid % XIDS] : NULL;

    *arg = 0;
    if (!x || x->xid != xid || x->who == XID_FREE)
        return XID_FREE;
    *arg = x->arg;
    return (enum xid_for)x->who;
}

enum xid_for xid_take(struct sdn_switch *sw, uint32_t xid, uint64_t *arg)
{
    enum xid_for who = xid_look(sw, xid, arg);

    if (who != XID_FREE)
        sw->xids[xid % XIDS].who = XID_FREE;
    return who;
}
