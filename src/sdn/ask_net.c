/* Links, hosts and paths, from the replica: any core answers. */
#include "sdn/ask.h"

static uint64_t dpid_at(const struct sdn *s, uint32_t place)
{
    return place < s->net->switches ? s->net->sw[place].dpid : 0;
}

static void link_value(struct json *j, const struct sdn *s, const struct net_link *l)
{
    json_object(j, NULL);
    ask_json_dpid(j, "src_dpid", dpid_at(s, l->from));
    json_u64(j, "src_port", l->from_port);
    ask_json_dpid(j, "dst_dpid", dpid_at(s, l->to));
    json_u64(j, "dst_port", l->to_port);
    json_bool(j, "up", net_link_is_usable(l));
    json_bool(j, "fixed", l->fixed);
    json_bool(j, "tree", l->tree);
    json_end(j);
}

void ask_links(struct sdn *s, struct sdn_ask *q)
{
    struct ask_list l;

    net_tree(s);
    ask_list_begin(&l, q, "links");
    for (uint32_t i = 0; i < s->net->link_used; i++) {
        if (!s->net->link[i].known || !ask_list_wants(&l))
            continue;
        link_value(&l.j, s, &s->net->link[i]);
        if (!ask_list_kept(&l))
            break;
    }
    ask_list_end(s, &l);
}

static void host_members(struct json *j, const struct sdn *s, const struct net_host *h)
{
    char ip[FMT_IP4_SIZE];
    struct fmt f;

    ask_json_mac(j, "mac", &h->mac);
    json_u64(j, "vlan", h->vlan);
    fmt_init(&f, ip, sizeof(ip));
    if (h->ip.raw != 0)
        fmt_ip4(&f, h->ip);
    json_str(j, "ip", h->ip.raw != 0 ? ip : "");
    ask_json_dpid(j, "dpid", dpid_at(s, h->at));
    json_u64(j, "port", h->port);
}

void ask_hosts(struct sdn *s, struct sdn_ask *q)
{
    struct ask_list l;

    ask_list_begin(&l, q, "hosts");
    for (uint32_t i = 0; i < s->net->host_used; i++) {
        const struct net_host *h = &s->net->host[i];
        if (h->at == NET_NONE || !ask_list_wants(&l))
            continue;
        json_object(&l.j, NULL);
        host_members(&l.j, s, h);
        json_end(&l.j);
        if (!ask_list_kept(&l))
            break;
    }
    ask_list_end(s, &l);
}

void ask_host(struct sdn *s, struct sdn_ask *q)
{
    uint32_t i = net_host_by_mac(s, &q->mac);
    struct json j;

    if (i == NET_NONE) {
        ask_refused(s, q, 404, "no host with this address is known");
        return;
    }
    json_init(&j, q->buf, q->cap);
    json_object(&j, NULL);
    host_members(&j, s, &s->net->host[i]);
    json_end(&j);
    ask_json(s, q, &j);
}

/* ---- paths ---- */

#define PATHS_MAX 64u
#define HOPS_MAX 64u

struct walk {
    struct ask_list *list;
    uint32_t link[HOPS_MAX];
    uint32_t next[HOPS_MAX]; /* which of the ways on is being tried */
};

static void path_written(struct sdn *s, struct ask_list *l, const uint32_t *link, uint32_t n)
{
    if (!ask_list_wants(l))
        return;
    json_object(&l->j, NULL);
    json_u64(&l->j, "cost", n);
    json_array(&l->j, "links");
    for (uint32_t i = 0; i < n; i++)
        link_value(&l->j, s, &s->net->link[link[i]]);
    json_end(&l->j);
    json_end(&l->j);
    ask_list_kept(l);
}

/* Every way that gets one hop nearer each time, depth first. */
static void paths_walk(struct sdn *s, struct ask_list *l, uint32_t from, uint32_t to)
{
    struct walk w = {.list = l};
    uint32_t ways[16], depth = 0, at = from;

    w.next[0] = 0;
    for (;;) {
        uint32_t n =
            at != to && depth < HOPS_MAX - 1 ? path_links(s, at, to, ways, ARRAY_LEN(ways)) : 0;
        if (at == to)
            path_written(s, l, w.link, depth);
        if (w.next[depth] < n && !l->full) {
            w.link[depth] = ways[w.next[depth]++];
            at = s->net->link[w.link[depth]].to;
            w.next[++depth] = 0;
            continue;
        }
        if (depth == 0)
            return;
        depth--;
        at = s->net->link[w.link[depth]].from;
    }
}

static uint32_t end_of(struct sdn *s, const struct mac_addr *mac, uint64_t dpid)
{
    static const struct mac_addr none = {{0}};
    uint32_t host;

    if (mac_eq(mac, &none))
        return net_find(s, dpid);
    host = net_host_by_mac(s, mac);
    return host != NET_NONE ? s->net->host[host].at : NET_NONE;
}

void ask_paths(struct sdn *s, struct sdn_ask *q)
{
    uint32_t from = end_of(s, &q->mac, q->dpid), to = end_of(s, &q->mac2, q->dpid2);
    struct ask_list l;

    if (from == NET_NONE || to == NET_NONE) {
        ask_refused(s, q, 404,
                    from == NET_NONE ? "the first end is not known"
                                     : "the second end is not known");
        return;
    }
    if (q->max == 0 || q->max > PATHS_MAX)
        q->max = PATHS_MAX;
    q->cursor = 0;
    ask_list_begin(&l, q, "paths");
    paths_walk(s, &l, from, to);
    ask_list_end(s, &l);
    q->cursor = 0;
}
