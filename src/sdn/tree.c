/* The spanning tree that broadcasts take: of every part of the network that hangs together, breadth
 * first from its lowest datapath id; a switch's way to the root is through the lowest neighbour
 * that is nearer, by its lowest port.  Nothing in it depends on the order in which things were
 * learnt, so two replicas that hold the same have the same tree.  A switch without a connection is
 * no part of it: it would answer no broadcast. */
#include "sdn/sdn_int.h"

/* Places in the order of their datapath ids; a heap sort: what is in them is bounded, its order is
 * not ours to choose. */
static void sift(const struct net *n, uint32_t *v, uint32_t i, uint32_t count)
{
    for (uint32_t child; (child = 2 * i + 1) < count; i = child) {
        uint32_t t = v[i];
        if (child + 1 < count && n->sw[v[child + 1]].dpid > n->sw[v[child]].dpid)
            child++;
        if (n->sw[t].dpid >= n->sw[v[child]].dpid)
            return;
        v[i] = v[child];
        v[child] = t;
    }
}

static uint32_t order_make(struct net *n)
{
    uint32_t count = 0, *v = n->order;

    for (uint32_t i = 0; i < n->sw_used; i++)
        if (n->sw[i].known && n->sw[i].connected)
            v[count++] = i;
    for (uint32_t i = count / 2; i-- > 0;)
        sift(n, v, i, count);
    for (uint32_t end = count; end > 1; end--) {
        uint32_t t = v[0];
        v[0] = v[end - 1];
        v[end - 1] = t;
        sift(n, v, 0, end - 1);
    }
    return count;
}

/* The link towards the root of a switch that is `depth` away from it. */
static uint32_t uplink(const struct net *n, uint32_t at, const uint16_t *depth)
{
    uint32_t best = NET_NONE;

    /* By port: of two to the same neighbour the first stays. */
    for (uint32_t i = n->sw[at].out; i != NET_NONE; i = n->link[i].next_out) {
        const struct net_link *l = &n->link[i];
        if (net_link_is_usable(l) && depth[l->to] != PATH_FAR && depth[l->to] + 1 == depth[at] &&
            (best == NET_NONE || n->sw[l->to].dpid < n->sw[n->link[best].to].dpid))
            best = i;
    }
    return best;
}

static void grow(struct net *n, uint32_t root, uint16_t *depth)
{
    uint32_t head = 0, tail = 0;

    depth[root] = 0;
    n->queue[tail++] = root;
    while (head < tail) {
        uint32_t at = n->queue[head++], up = uplink(n, at, depth);
        if (up != NET_NONE)
            n->link[up].tree = n->link[n->link[up].opposite].tree = true;
        for (uint32_t i = n->sw[at].out; i != NET_NONE; i = n->link[i].next_out) {
            const struct net_link *l = &n->link[i];
            if (!net_link_is_usable(l) || depth[l->to] != PATH_FAR || !n->sw[l->to].connected)
                continue;
            depth[l->to] = (uint16_t)(depth[at] + 1);
            n->queue[tail++] = l->to;
        }
    }
}

void net_tree(struct sdn *s)
{
    struct net *n = s->net;
    uint32_t count;

    if (n->tree_at == n->topology)
        return;
    n->tree_at = n->topology;
    for (uint32_t i = 0; i < n->link_used; i++)
        n->link[i].tree = false;
    for (uint32_t i = 0; i < n->sw_used; i++)
        n->depth[i] = PATH_FAR;
    count = order_make(n);
    for (uint32_t i = 0; i < count; i++)
        if (n->depth[n->order[i]] == PATH_FAR)
            grow(n, n->order[i], n->depth);
}

/* Links of this switch that are in the tree, its ports marked. */
uint32_t tree_ports(struct sdn *s, struct sdn_switch *sw, uint32_t not_port, uint32_t *port,
                    uint32_t max)
{
    uint32_t k = 0;

    net_tree(s);
    for (const struct sdn_port *p = sw->ports; p && k < max; p = p->next) {
        if (!port_is_up(p) || p->desc.no == not_port || p->is == PORT_QUIET)
            continue;
        if (p->is == PORT_LINK && !tree_has(s, sw, p->desc.no))
            continue;
        port[k++] = p->desc.no;
    }
    return k;
}

bool tree_has(struct sdn *s, const struct sdn_switch *sw, uint32_t port)
{
    const struct net *n = s->net;

    if (sw->net == NET_NONE)
        return false;
    net_tree(s);
    for (uint32_t i = n->sw[sw->net].out; i != NET_NONE; i = n->link[i].next_out)
        if (n->link[i].from_port == port && n->link[i].tree)
            return true;
    return false;
}
