/* The law's table has changed: who lives here may have another home now. */
#include "tcp/tcp_int.h"

static void conn_moved(struct tcp *t, struct tcp_conn *c, unsigned home)
{
    unsigned self = t->ip->eth->cores->home.self;
    bool away = c->flags & TF_AWAY, opens = away && c->state == TCPS_SYN_SENT;
    enum tcp_away_how how = opens ? tcp_away_how(t, &c->key) : AWAY_MOVED;

    /* Who waits for leave and has become home himself waits on: the old home must not have it. */
    if (home == self && (!away || how != AWAY_MOVED))
        return;
    tcp_away_move(t, &c->key, home, how);
    c->flags |= TF_AWAY;
}

static void syn_moved(struct tcp *t, struct tcp_syn *y, unsigned home)
{
    if (home == t->ip->eth->cores->home.self && !(y->flags & TSYN_AWAY))
        return;
    tcp_away_move(t, &y->key, home, AWAY_MOVED);
    y->flags |= TSYN_AWAY;
}

static void tw_moved(struct tcp *t, struct tcp_tw *w, unsigned home)
{
    if (home == t->ip->eth->cores->home.self && !w->away)
        return;
    tcp_away_move(t, &w->key, home, AWAY_WAITING);
    w->away = true;
}

static void node_moved(struct tcp *t, struct flow_node *node)
{
    const struct home *h = &t->ip->eth->cores->home;
    uint32_t hash = tcp_home_hash(t, &node->key);

    if (h->own->moved_at[hash & h->law->mask] != t->now)
        return;
    if (node->kind == FLOW_AWAY) {
        struct tcp_away *a = (struct tcp_away *)(void *)node;
        a->gone = a->over;
        return;
    }
    unsigned home = rss_queue(h->law, hash);
    t->stats.flows_moved++;
    if (node->kind == FLOW_CONN)
        conn_moved(t, (struct tcp_conn *)(void *)node, home);
    else if (node->kind == FLOW_SYN)
        syn_moved(t, (struct tcp_syn *)(void *)node, home);
    else
        tw_moved(t, (struct tcp_tw *)(void *)node, home);
}

void tcp_law_changed(struct tcp *t, instant now)
{
    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    flow_chooser_law_changed(&t->chooser);
    for (uint32_t b = 0; b < t->flows.buckets; b++)
        for (struct flow_bucket *k = &t->flows.bucket[b]; k; k = mem_ptr(t->arena, k->overflow))
            for (uint32_t i = 0; i < k->n; i++)
                node_moved(t, mem_ptr(t->arena, k->node[i]));
    t->away_walk_at = 0;
}
