/* Connections and cores: whose a segment is that finds no connection here, and connections that do
 * not live at home (flow/home.h).
 *
 * A connection lives away from home when the caller bound it to a port that hashes elsewhere, or
 * when only other cores listen on the port.  Its core asks the home for leave:
 *
 *      away core                               home
 *      ---------                               ----
 *      record in t->abroad, ASKED --- ASK -->  FLOW_AWAY node in t->flows: passes segments on
 *      HELD: an active open sends <-- YES ---  (or NO: the four-tuple is taken)
 *      its SYN now
 *      flow ends                  --- END -->  node gone
 *
 * An active open waits for the answer: its SYN,ACK will arrive at home, and two cores must never
 * use one four-tuple.  A passive one does not wait: until home knows it, the segments find their
 * way as the SYN did, by who has a listener.
 *
 * Letters may be refused by a full ring.  What was asked and not answered is asked again, which
 * changes nothing at home; an END is kept until it is sent.  Home may so answer twice, and the
 * second time otherwise: a YES that nobody waits for any more is answered by END. */
#include "tcp/tcp_int.h"

#define RETRY_US (50 * USEC_PER_MSEC)

/* A home that stands still must not cost every turn of ours a walk over all that waits for it. */
#define WALK_SHORT 256u
#define WALK_AGAIN_US (2 * USEC_PER_MSEC)

enum away_state {
    AWAY_HOME,    /* a node at home */
    AWAY_ASKED,   /* a record at the away core: home has not answered; */
    AWAY_HELD,    /* home knows; */
    AWAY_REFUSED, /* home said no; */
    AWAY_END,     /* home must be told that it is over; */
    AWAY_GONE,    /* there is nothing more to say */
};

/* The head of every MAIL_AWAY letter. */
struct away_letter {
    struct flow_key key;
    tcp_seq iss_min; /* YES: our ISN must not be below; 0: no bound.  NO: 0: there was no room */
};

static const struct cores *cores_of(const struct tcp *t)
{
    return t->ip->eth->cores;
}

static unsigned home_core(const struct tcp *t, const struct flow_key *k)
{
    return home_of_flow(&cores_of(t)->home, ip_v4(&k->raddr), ip_v4(ip_laddr(t->ip, k->lidx)),
                        k->rport, k->lport);
}

static struct tcp_away *at(const struct tcp *t, mem_ref r)
{
    return mem_ptr(t->arena, r);
}

static struct tcp_away *find(const struct flow_table *table, const struct flow_key *k)
{
    return (struct tcp_away *)(void *)flow_find(table, k, flow_hash(table, k));
}

/* ---- the away core ------------------------------------------------------------------- */

static bool write_letter(struct tcp *t, unsigned to, enum mail_kind kind, const struct flow_key *k,
                         tcp_seq iss_min)
{
    struct away_letter head = {*k, iss_min};

    return mail_send(cores_of(t)->mail, to, kind, &head, sizeof(head), NULL);
}

static void ask(struct tcp *t, struct tcp_away *a)
{
    a->asked_ms = t->now_ms;
    a->unsent = !write_letter(t, a->core, MAIL_AWAY_ASK, &a->key, seq_of(0));
}

static void record_free(struct tcp *t, struct tcp_away *a)
{
    flow_unlink(&t->abroad, (struct flow_node *)(void *)a);
    pool_put(&t->aways, a);
}

/* On the list of those with something to say or to hear. */
static void list_add(struct tcp *t, struct tcp_away *a)
{
    if (a->listed)
        return;
    a->listed = true;
    a->next = t->away_busy;
    t->away_busy = mem_ref_of(t->arena, a);
}

bool tcp_is_away(const struct tcp *t, const struct flow_key *k)
{
    return home_is_shared(&cores_of(t)->home) && home_core(t, k) != cores_of(t)->home.self;
}

/* The same four-tuple again, before its record has gone: home has not heard the end of the last
 * one, or had refused it. */
static void again(struct tcp *t, struct tcp_away *a)
{
    a->over = false;
    if (a->state == AWAY_END)
        a->state = AWAY_HELD;
    if (a->state != AWAY_REFUSED && a->state != AWAY_GONE)
        return;
    a->state = AWAY_ASKED;
    ask(t, a);
    list_add(t, a);
}

/* In `table`; NULL: there is no room. */
static struct tcp_away *away_new(struct tcp *t, struct flow_table *table, const struct flow_key *k,
                                 enum away_state state, unsigned core)
{
    struct tcp_away *a = pool_get(&t->aways);

    if (!a)
        return NULL;
    *a = (struct tcp_away){
        .key = *k, .kind = FLOW_AWAY, .state = (uint8_t)state, .core = (uint8_t)core};
    if (flow_link(table, (struct flow_node *)(void *)a))
        return a;
    pool_put(&t->aways, a);
    return NULL;
}

bool tcp_away_ask(struct tcp *t, const struct flow_key *k)
{
    struct tcp_away *a = find(&t->abroad, k);

    if (a) {
        again(t, a);
        return true;
    }
    a = away_new(t, &t->abroad, k, AWAY_ASKED, home_core(t, k));
    if (!a)
        return false;
    ask(t, a);
    list_add(t, a);
    return true;
}

/* What both ends of which are here needs nobody's leave. */
bool tcp_passive_away(struct tcp *t, const struct flow_key *k, const struct tcp_in *in)
{
    bool own = (in->p->flags & PKT_LOOPBACK) && in->p->hops == 0;

    return !own && tcp_is_away(t, k) && tcp_away_ask(t, k);
}

bool tcp_away_waits(const struct tcp *t, const struct flow_key *k)
{
    const struct tcp_away *a = find(&t->abroad, k);

    return a && a->state == AWAY_ASKED;
}

/* Tell home, and forget; or stay on the list until that can be said. */
static void settle(struct tcp *t, struct tcp_away *a)
{
    if (a->state == AWAY_END && write_letter(t, a->core, MAIL_AWAY_END, &a->key, seq_of(0)))
        a->state = AWAY_GONE;
    if (a->state == AWAY_GONE && !a->listed)
        record_free(t, a);
    else
        list_add(t, a);
}

void tcp_away_end(struct tcp *t, const struct flow_key *k)
{
    struct tcp_away *a = find(&t->abroad, k);

    if (!a)
        return;
    a->over = true;
    if (a->state == AWAY_ASKED)
        return; /* the answer decides */
    a->state = a->state == AWAY_HELD ? AWAY_END : AWAY_GONE;
    settle(t, a);
}

void tcp_away_output(struct tcp *t)
{
    mem_ref r = t->away_busy;
    uint32_t n = 0;

    if (t->now < t->away_walk_at)
        return;
    t->away_busy = MEM_NONE;
    for (; r; n++) {
        struct tcp_away *a = at(t, r);
        r = a->next;
        a->listed = false;
        if (a->state == AWAY_ASKED) {
            if (a->unsent || t->now_ms - a->asked_ms >= RETRY_US / USEC_PER_MSEC)
                ask(t, a);
            list_add(t, a);
        } else if (a->state == AWAY_END || a->state == AWAY_GONE) {
            settle(t, a);
        }
    }
    t->away_retry_at = t->now + RETRY_US;
    t->away_walk_at = n > WALK_SHORT ? t->now + WALK_AGAIN_US : 0;
}

/* Leave is given: the SYN may go.  iss_min: home had the four-tuple in TIME-WAIT (RFC 6191). */
static void held(struct tcp *t, struct tcp_away *a, tcp_seq iss_min)
{
    struct flow_node *node = flow_find(&t->flows, &a->key, flow_hash(&t->flows, &a->key));

    if (a->over) {
        a->state = AWAY_END;
        settle(t, a);
        return;
    }
    a->state = AWAY_HELD;
    struct tcp_conn *c = (struct tcp_conn *)(void *)node;
    if (!node || node->kind != FLOW_CONN || c->state != TCPS_SYN_SENT)
        return;
    tcp_timer_clear(c, TCPT_USER);
    if (iss_min.v && seq_eq(c->snd_max, c->snd_una) && seq_lt(c->snd_una, iss_min))
        c->snd_una = c->snd_nxt = c->snd_max = c->recover = iss_min;
    tcp_mark_output(t, c);
}

/* Home was asked twice, said no and then yes: the flow that lives on has it now, and one that ended
 * at the first answer wants it no more. */
static void held_late(struct tcp *t, struct tcp_away *a, unsigned from, const struct flow_key *k)
{
    if (!a)
        a = away_new(t, &t->abroad, k, AWAY_END, from);
    else if (a->state == AWAY_REFUSED)
        a->state = AWAY_HELD;
    else if (a->state == AWAY_GONE)
        a->state = AWAY_END;
    if (a && a->state == AWAY_END)
        settle(t, a);
}

/* taken: somebody else has the four-tuple; a half-open connection then gives way, or it would
 * answer the other's segments with RST.  Else home had no room. */
static void refused(struct tcp *t, struct tcp_away *a, bool taken)
{
    struct flow_node *node = flow_find(&t->flows, &a->key, flow_hash(&t->flows, &a->key));
    struct tcp_conn *c = (struct tcp_conn *)(void *)node;

    a->state = AWAY_REFUSED;
    if (a->over) {
        a->state = AWAY_GONE;
        settle(t, a);
    } else if (node && node->kind == FLOW_CONN && c->state == TCPS_SYN_SENT) {
        tcp_conn_end(t, c, MR_EADDRINUSE);
    } else if (taken && node && node->kind == FLOW_SYN) {
        tcp_syn_free(t, (struct tcp_syn *)(void *)node);
    }
}

/* ---- home ---------------------------------------------------------------------------- */

/* May `from` have the four-tuple?  Asked before, nothing changes.  No, and *iss_min is 1: another
 * has it. */
static bool admit(struct tcp *t, unsigned from, const struct flow_key *k, tcp_seq *iss_min)
{
    struct tcp_away *a = find(&t->flows, k);

    if (a && a->kind == FLOW_AWAY) {
        *iss_min = a->core == from ? a->iss_min : seq_of(1);
        return a->core == from;
    }
    struct tcp_tw *w = (struct tcp_tw *)(void *)a;
    if (a && (a->kind != FLOW_TIME_WAIT || !tcp_tw_may_be_reused(t, w))) {
        *iss_min = seq_of(1);
        return false;
    }
    if (pool_available(&t->aways) == 0) /* a TIME-WAIT is not given up for nothing */
        return false;
    struct tcp_in none = {0};
    if (a)
        (void)tcp_tw_input(t, w, &none, iss_min);
    a = away_new(t, &t->flows, k, AWAY_HOME, from);
    if (!a) {
        *iss_min = seq_of(0);
        return false;
    }
    a->iss_min = *iss_min;
    return true;
}

static void asked(struct tcp *t, unsigned from, const struct flow_key *k)
{
    tcp_seq iss_min = seq_of(0);
    bool yes = admit(t, from, k, &iss_min);

    /* Not sent: it will be asked again. */
    (void)write_letter(t, from, yes ? MAIL_AWAY_YES : MAIL_AWAY_NO, k, iss_min);
}

static void ended(struct tcp *t, unsigned from, const struct flow_key *k)
{
    struct tcp_away *a = find(&t->flows, k);

    if (!a || a->kind != FLOW_AWAY || a->core != from)
        return;
    flow_unlink(&t->flows, (struct flow_node *)(void *)a);
    pool_put(&t->aways, a);
}

void tcp_away_letter(struct tcp *t, const struct letter *l, instant now)
{
    struct away_letter head;
    struct tcp_away *a;

    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    memcpy(&head, l->head, sizeof(head));
    if (l->kind == MAIL_AWAY_ASK) {
        asked(t, l->from, &head.key);
        return;
    }
    if (l->kind == MAIL_AWAY_END) {
        ended(t, l->from, &head.key);
        return;
    }
    a = find(&t->abroad, &head.key);
    if (a && a->state == AWAY_ASKED && l->kind == MAIL_AWAY_YES)
        held(t, a, head.iss_min);
    else if (a && a->state == AWAY_ASKED)
        refused(t, a, head.iss_min.v != 0);
    else if (l->kind == MAIL_AWAY_YES)
        held_late(t, a, l->from, &head.key);
}

/* ---- whose is it? -------------------------------------------------------------------- */

static void pass(struct tcp *t, struct tcp_in *in, unsigned core)
{
    in->p->flags |= PKT_CSUM_OK; /* it was found right, and memory does not change it */
    ip_pass(t->ip, in->p, core);
    in->p = NULL;
}

void tcp_away_input(struct tcp *t, const struct tcp_away *a, struct tcp_in *in)
{
    if (in->p->hops < IP_HOPS_MAX)
        pass(t, in, a->core);
    else
        tcp_drop(in, &t->stats.drop_no_conn);
}

void tcp_early_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in)
{
    if (in->p->hops == 0)
        pass(t, in, home_core(t, k));
    else
        tcp_drop(in, &t->stats.drop_no_conn);
}

/* Who listens here takes a new connection's segment; one who pauses, only the cookie that comes
 * back. */
static struct tcp_listener *taker(struct tcp *t, const struct flow_key *k, const struct tcp_in *in)
{
    struct tcp_listener *l = tcp_listener_find(t, k->lidx, k->lport);

    return l && l->paused && !tcp_cookie_is_ours(t, l, k, in->s) ? NULL : l;
}

/* What we sent to ourselves and listen for stays here: a SYN, and the cookie that comes back. */
static bool is_for_us(struct tcp *t, const struct tcp_listener *l, const struct flow_key *k,
                      const struct tcp_in *in)
{
    bool is_syn = (in->s->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN;

    return l && (in->p->flags & PKT_LOOPBACK) &&
           (is_syn || tcp_cookie_is_ours(t, l, k, in->s));
}

/* Home decides, and passes what nobody listens for here to a core that does. */
bool tcp_stray_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in)
{
    const struct cores *cores = cores_of(t);
    unsigned self = cores->home.self, home = home_core(t, k);
    const struct tcp_listener *l = taker(t, k, in);
    const struct pkt *p = in->p;

    if (home != self) {
        if (p->hops > 0 || is_for_us(t, l, k, in))
            return false;
        pass(t, in, home);
        return true;
    }
    if (l || p->hops >= IP_HOPS_MAX ||
        !port_cores_elsewhere(&cores->ports, PORT_TCP, k->lport))
        return false;
    pass(t, in, port_cores_pick(&cores->ports, PORT_TCP, k->lport, flow_hash(&t->flows, k)));
    return true;
}

unsigned tcp_error_core(const struct tcp *t, const struct ip_error *e)
{
    struct flow_key k = {e->remote, e->rport, e->lport, e->lidx, 0};
    const struct tcp_away *a = find(&t->flows, &k);

    if (a)
        return a->kind == FLOW_AWAY ? a->core : cores_of(t)->home.self;
    return home_core(t, &k);
}
