/* Whose a segment is that finds no connection here (flow/home.h).
 *
 * Home decides.  It passes what nobody listens for here to a core that does, and says no if none
 * does.  While the flow's entry in the law's table has changed lately, home does not know all of
 * its flows, and a core that has not read the new table takes another for home:
 *
 *      home        gives everything to the old home first, which may have answered a SYN's twin
 *      old home    gives a SYN that it does not know back: it begins at home, or at who listens
 *      bystander   gives everything home, and speaks for nobody
 *      listener    that listens no more gives a SYN to another, or back to home: the news of that
 *                  are under way
 *
 * An ACK that brings back a cookie says of itself that nobody has its connection, and so does its
 * copy when somebody has.  While homes move only who was home for long believes it (knows_all).
 *
 * Passed on so, a packet is marked (PKT_MOVED), and who cannot take it says nothing: its sender
 * tries again, and by then everybody knows. */
#include "tcp/tcp_int.h"

static const struct cores *cores_of(const struct tcp *t)
{
    return t->ip->eth->cores;
}

uint32_t tcp_home_hash(const struct tcp *t, const struct flow_key *k)
{
    return home_hash(&cores_of(t)->home, ip_v4(&k->raddr), ip_v4(ip_laddr(t->ip, k->lidx)),
                     k->rport, k->lport);
}

unsigned tcp_leave_core(const struct tcp *t, const struct flow_key *k)
{
    const struct home *h = &cores_of(t)->home;

    if (!home_is_shared(h))
        return h->self;
    uint32_t hash = tcp_home_hash(t, k);
    unsigned home = rss_queue(h->law, hash);
    return home != h->self || h->settled ? home : home_was(h, hash, t->now);
}

static void pass(struct tcp *t, struct tcp_in *in, unsigned core)
{
    in->p->flags |= PKT_CSUM_OK; /* it was found right, and memory does not change it */
    ip_pass(t->ip, in->p, core);
    in->p = NULL;
}

/* To where it may be known; not further than a packet may go, and not to ourselves. */
static void pass_moved(struct tcp *t, struct tcp_in *in, unsigned core)
{
    if (in->p->hops >= IP_HOPS_MAX || core == cores_of(t)->home.self) {
        tcp_drop(in, &t->stats.drop_moved);
        return;
    }
    in->p->flags |= PKT_MOVED;
    pass(t, in, core);
}

void tcp_away_input(struct tcp *t, const struct tcp_away *a, struct tcp_in *in)
{
    unsigned home = tcp_home_core(t, &a->key);

    if (a->gone && home != cores_of(t)->home.self)
        pass_moved(t, in, home);
    else if (in->p->hops < IP_HOPS_MAX)
        pass(t, in, a->core);
    else
        tcp_drop(in, &t->stats.drop_no_conn);
}

void tcp_early_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in, bool in_time_wait)
{
    unsigned core = tcp_leave_core(t, k);
    bool waited = in_time_wait && tcp_begins(in->s);

    /* A SYN for what is in TIME-WAIT: that we have it home reads first, and we its answer before
     * this comes back. */
    if (in->p->hops < (waited ? IP_HOPS_MAX : 1) && core != cores_of(t)->home.self)
        pass(t, in, core);
    else
        tcp_drop(in, &t->stats.drop_no_conn);
}

bool tcp_moved_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in)
{
    const struct home *h = &cores_of(t)->home;

    if (!home_is_shared(h) || t->now >= h->moving_until)
        return false;
    pass_moved(t, in, home_was(h, tcp_home_hash(t, k), t->now));
    return true;
}

/* ---- a segment without a connection ---------------------------------------------------- */

/* What is known of one. */
struct stray {
    const struct flow_key *key;
    unsigned home, was;
    bool begins; /* it is a SYN */
    bool taken;  /* we listen for it, and it begins a connection here, or completes one */
    bool listened;
};

static struct stray stray_of(struct tcp *t, const struct flow_key *k, const struct tcp_in *in)
{
    const struct home *h = &cores_of(t)->home;
    const struct tcp_listener *l = tcp_listener_find(t, k->lidx, k->lport);
    uint32_t hash = tcp_home_hash(t, k);
    struct stray s = {.key = k, .home = rss_queue(h->law, hash), .was = home_was(h, hash, t->now)};

    s.begins = tcp_begins(in->s);
    s.taken = l && (s.begins ? !l->paused : tcp_cookie_is_ours(t, l, k, in->s));
    s.listened = l && !l->paused;
    return s;
}

/* Who has the four-tuple, if anybody, we know: as home for long, or as the one before, that was it
 * for long and is asked; or such a one has said that nobody has it. */
static bool knows_all(const struct tcp *t, const struct stray *s, const struct pkt *p)
{
    const struct home *h = &cores_of(t)->home;

    if (p->flags & PKT_LAST)
        return true;
    if (s->was != h->self)
        return false;
    return s->home == h->self ||
           ((p->flags & PKT_MOVED) && home_stay(h, tcp_home_hash(t, s->key)) >= HOME_GRACE_US);
}

/* To a core that listens.  False: there is none, or it has been passed on often enough. */
static bool pass_to_listener(struct tcp *t, const struct stray *s, struct tcp_in *in)
{
    const struct port_cores *ports = &cores_of(t)->ports;

    if (in->p->hops >= IP_HOPS_MAX || !port_cores_elsewhere(ports, PORT_TCP, s->key->lport))
        return false;
    in->p->flags |= PKT_LAST;
    pass(t, in, port_cores_pick(ports, PORT_TCP, s->key->lport, flow_hash(&t->flows, s->key)));
    return true;
}

/* Home is asked to answer: is a RST, or the like, the answer?  Not while somebody else may know
 * better. */
static bool say_nothing(struct tcp *t, const struct stray *s, struct tcp_in *in)
{
    const struct cores *c = cores_of(t);
    bool moves = (in->p->flags & PKT_MOVED) || t->now < c->home.moving_until;
    bool known = s->begins && !port_cores_elsewhere(&c->ports, PORT_TCP, s->key->lport);

    if ((known || !moves) && t->now >= c->quiet_until)
        return false;
    tcp_drop(in, &t->stats.drop_moved);
    return true;
}

static bool stray_at_home(struct tcp *t, const struct stray *s, struct tcp_in *in)
{
    const struct pkt *p = in->p;
    bool moves = s->was != s->home, asked = p->flags & PKT_MOVED;

    /* Whoever a SYN comes to gives it to us first, marked: that is not the old home's word
     * (simulator, seed 13417). */
    if (s->begins && p->hops == 1 && p->from != s->was)
        asked = false;
    /* Who gives a SYN to those who listen has asked; and who had the four-tuple in TIME-WAIT until
     * now knows better than the old home. */
    asked |= s->begins && ((p->flags & PKT_LAST) || t->iss_min.v);
    /* Another than the old home may have marked it; and a letter that says where it lives may be
     * under way. */
    asked &= s->begins || knows_all(t, s, p);
    if (moves && !asked) {
        pass_moved(t, in, s->was);
        return true;
    }
    if (s->taken)
        return false;
    if (!s->listened && pass_to_listener(t, s, in))
        return true;
    return say_nothing(t, s, in);
}

/* A SYN was given to us as to one who listens, and we do not any more: we know of others, or home
 * does.  If it ended a TIME-WAIT of ours it goes by home, which must hear of that before another
 * asks for the four-tuple.  False: it is answered here. */
static bool begins_elsewhere(struct tcp *t, const struct stray *s, struct tcp_in *in)
{
    const struct cores *c = cores_of(t);
    bool moves = (in->p->flags & PKT_MOVED) || t->now < c->home.moving_until;
    bool others = port_cores_elsewhere(&c->ports, PORT_TCP, s->key->lport);

    if (!t->iss_min.v && pass_to_listener(t, s, in))
        return true;
    if (!moves && !others)
        return false;
    pass_moved(t, in, s->home);
    return true;
}

static bool stray_away(struct tcp *t, const struct stray *s, struct tcp_in *in)
{
    const struct pkt *p = in->p;
    unsigned self = cores_of(t)->home.self;
    bool moved = p->flags & PKT_MOVED, moves = moved || t->now < cores_of(t)->home.moving_until;

    if (p->hops == 0) {
        /* What we sent to ourselves and listen for stays here. */
        if (s->taken && (p->flags & PKT_LOOPBACK))
            return false;
        if (s->was != s->home)
            pass_moved(t, in, s->home);
        else
            pass(t, in, s->home);
        return true;
    }
    /* The old home's first word: it is no flow of mine.  Asked again it is asked as who listens. */
    if (s->begins && s->was == self && p->hops <= 2 && !(p->flags & PKT_LAST)) {
        pass_moved(t, in, s->home);
        return true;
    }
    if (s->begins)
        return !s->taken && begins_elsewhere(t, s, in);
    bool known = knows_all(t, s, p);
    if (!moves || (s->taken && known))
        return false; /* home has passed it to us, who listen, or did */
    if (moved && s->was == self && known && pass_to_listener(t, s, in))
        return true;
    pass_moved(t, in, moved ? s->was : s->home);
    return true;
}

bool tcp_stray_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in)
{
    struct stray s = stray_of(t, k, in);

    return s.home == cores_of(t)->home.self ? stray_at_home(t, &s, in) : stray_away(t, &s, in);
}

unsigned tcp_error_core(const struct tcp *t, const struct ip_error *e)
{
    const struct home *h = &cores_of(t)->home;
    struct flow_key k = {e->remote, e->rport, e->lport, e->lidx, 0};
    const struct flow_node *node = flow_find(&t->flows, &k, flow_hash(&t->flows, &k));

    if (node && node->kind == FLOW_AWAY)
        return ((const struct tcp_away *)(const void *)node)->core;
    return node ? h->self : tcp_leave_core(t, &k);
}
