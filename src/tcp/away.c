/* Connections that do not live at home (flow/home.h).
 *
 * A connection lives away from home when the caller bound it to a port that hashes elsewhere, when
 * only other cores listen on the port, or when its home has moved.  Its core asks the home for
 * leave:
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
 * When the home moves the same is asked at the new one, and the old one owes a connection nothing:
 * it hears END, as it would when the flow ended.
 *
 * Letters may be refused by a full ring.  What was asked and not answered is asked again, which
 * changes nothing at home; an END is kept until it is sent.  Home may so answer twice, and the
 * second time otherwise: a YES that nobody waits for any more is answered by END.  An answer says
 * to what: leave that was given for what has ended since, and asked for anew, is none. */
#include "tcp/tcp_int.h"

#define RETRY_US (50 * USEC_PER_MSEC)
#define NOES_DOUBTED 3u /* by what is half open */

/* A home that stands still must not cost every turn of ours a walk over all that waits for it. */
#define WALK_SHORT 256u
#define WALK_AGAIN_US (2 * USEC_PER_MSEC)

enum away_state {
    AWAY_FREE,
    AWAY_LEFT,    /* a node that is no more, but on the list; */
    AWAY_HOME,    /* one at home; over: its flow has moved on */
    AWAY_ASKED,   /* a record at the away core: home has not answered; */
    AWAY_HELD,    /* home knows; */
    AWAY_REFUSED, /* home said no; */
    AWAY_GONE,    /* there is nothing more to say but to those in `owed` */
};

/* The head of every MAIL_AWAY letter. */
struct away_letter {
    struct flow_key key;
    tcp_seq iss_min; /* YES: our ISN must not be below; 0: no bound.  NO: 0: there was no room */
    uint8_t how;     /* ASK: enum tcp_away_how; END: AWAY_MOVED: the flow lives on */
    uint16_t ask;    /* ASK, and the answer: struct tcp_away's */
};

static const struct cores *cores_of(const struct tcp *t)
{
    return t->ip->eth->cores;
}

static uint64_t bit_of(unsigned core)
{
    return UINT64_C(1) << core;
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

static bool write_letter(struct tcp *t, unsigned to, enum mail_kind kind,
                         const struct away_letter *head)
{
    if (cores_of(t)->unannounced & bit_of(to))
        return false;
    return mail_send(cores_of(t)->mail, to, kind, head, sizeof(*head), NULL);
}

/* For leave: its SYN was not sent. */
static bool waits(const struct tcp_away *a)
{
    return a->state == AWAY_ASKED && a->how <= AWAY_CHOSEN;
}

static void ask(struct tcp *t, struct tcp_away *a)
{
    struct away_letter head = {.key = a->key, .how = a->how, .ask = a->ask};

    a->asked_ms = t->now_ms;
    a->unsent = !write_letter(t, a->core, MAIL_AWAY_ASK, &head);
}

static void record_free(struct tcp *t, struct tcp_away *a)
{
    flow_unlink(&t->abroad, (struct flow_node *)(void *)a);
    a->state = AWAY_FREE;
    pool_put(&t->aways, a);
}

static void left_put(struct tcp *t, struct tcp_away *a)
{
    a->state = AWAY_FREE;
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

/* Ask `core`, whatever was asked before.  Whom we have asked until now must hear the end. */
static void ask_anew(struct tcp *t, struct tcp_away *a, unsigned core)
{
    if (a->core != core && (a->state == AWAY_HELD || a->state == AWAY_ASKED))
        a->owed |= bit_of(a->core);
    a->owed &= ~bit_of(core);
    a->core = (uint8_t)core;
    a->state = AWAY_ASKED;
    a->noes = 0;
    a->ask = ++t->away_asks;
    ask(t, a);
    list_add(t, a);
}

/* The same four-tuple again, before its record has gone: home has not heard the end of the last
 * one, or had refused it. */
static void again(struct tcp *t, struct tcp_away *a, unsigned core)
{
    a->over = false;
    if (a->core == core && a->state == AWAY_GONE && (a->owed & bit_of(core))) {
        a->owed &= ~bit_of(core);
        a->state = AWAY_HELD;
    }
    if (a->core != core || a->state == AWAY_REFUSED || a->state == AWAY_GONE)
        ask_anew(t, a, core);
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
    a->state = AWAY_FREE;
    pool_put(&t->aways, a);
    return NULL;
}

bool tcp_away_ask(struct tcp *t, const struct flow_key *k, unsigned core, enum tcp_away_how how)
{
    struct tcp_away *a = find(&t->abroad, k);

    if (a) {
        a->how = (uint8_t)how;
        again(t, a, core);
        return true;
    }
    a = away_new(t, &t->abroad, k, AWAY_ASKED, core);
    if (!a)
        return false;
    a->how = (uint8_t)how;
    a->ask = ++t->away_asks;
    ask(t, a);
    list_add(t, a);
    return true;
}

/* What both ends of which are here needs nobody's leave. */
bool tcp_passive_away(struct tcp *t, const struct flow_key *k, const struct tcp_in *in)
{
    bool own = (in->p->flags & PKT_LOOPBACK) && in->p->hops == 0;

    return !own && home_is_shared(&cores_of(t)->home) &&
           tcp_home_core(t, k) != cores_of(t)->home.self &&
           tcp_away_ask(t, k, tcp_home_core(t, k), AWAY_PASSIVE);
}

bool tcp_away_asks(const struct tcp *t, const struct flow_key *k)
{
    const struct tcp_away *a = find(&t->abroad, k);

    return a && a->state == AWAY_ASKED;
}

bool tcp_away_waits(const struct tcp *t, const struct flow_key *k)
{
    const struct tcp_away *a = find(&t->abroad, k);

    return a && waits(a);
}

/* Tell whoever must hear the end. */
static void tell_ends(struct tcp *t, struct tcp_away *a)
{
    for (uint64_t left = a->owed; left; left &= left - 1) {
        unsigned to = lowest_bit(left);
        bool moved = to != a->core || !a->over;
        struct away_letter head = {.key = a->key, .how = moved ? AWAY_MOVED : AWAY_BOUND};
        if (write_letter(t, to, MAIL_AWAY_END, &head))
            a->owed &= ~bit_of(to);
    }
}

/* Tell, and forget; or stay on the list until that can be said. */
static void settle(struct tcp *t, struct tcp_away *a)
{
    tell_ends(t, a);
    if (a->state == AWAY_GONE && !a->owed && !a->listed)
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
    if (a->state == AWAY_HELD)
        a->owed |= bit_of(a->core);
    a->state = AWAY_GONE;
    settle(t, a);
}

void tcp_away_waiting(struct tcp *t, const struct flow_key *k)
{
    struct tcp_away *a = find(&t->abroad, k);

    if (a && a->how == AWAY_MOVED)
        a->how = AWAY_WAITING;
}

enum tcp_away_how tcp_away_how(const struct tcp *t, const struct flow_key *k)
{
    const struct tcp_away *a = find(&t->abroad, k);

    return a && waits(a) ? (enum tcp_away_how)a->how : AWAY_MOVED;
}

void tcp_away_move(struct tcp *t, const struct flow_key *k, unsigned home, enum tcp_away_how how)
{
    struct tcp_away *a = find(&t->abroad, k);

    if (a && a->core == home && a->state != AWAY_GONE)
        return;
    if (!a && home == cores_of(t)->home.self)
        return;
    if (!a && !(a = away_new(t, &t->abroad, k, AWAY_FREE, home))) {
        t->away_unsaid_until = t->now + HOME_GRACE_US;
        return;
    }
    a->over = false;
    a->how = (uint8_t)how;
    if (home != cores_of(t)->home.self) {
        ask_anew(t, a, home);
    } else if (a->state == AWAY_HELD || a->state == AWAY_ASKED) {
        a->owed |= bit_of(a->core);
        a->state = AWAY_GONE;
        settle(t, a);
    }
}

static void node_free(struct tcp *t, struct tcp_away *a)
{
    flow_unlink(&t->flows, (struct flow_node *)(void *)a);
    a->state = AWAY_LEFT;
    if (!a->listed)
        left_put(t, a);
}

bool tcp_away_stale(struct tcp *t, struct tcp_away *a, const struct tcp_in *in)
{
    bool given = tcp_begins(in->s) && a->over && (in->p->flags & PKT_LAST);

    if (!given && !(a->gone && tcp_home_core(t, &a->key) == cores_of(t)->home.self))
        return false;
    node_free(t, a);
    return true;
}

/* The next look at the list comes at once. */
static void look_soon(struct tcp *t)
{
    t->away_walk_at = 0;
    t->away_retry_at = t->now;
}

bool tcp_away_is_told(const struct tcp *t)
{
    for (mem_ref r = t->away_busy; r; r = at(t, r)->next)
        if (at(t, r)->state == AWAY_ASKED && at(t, r)->how >= AWAY_MOVED && !at(t, r)->over)
            return false;
    return t->now >= t->away_unsaid_until;
}

void tcp_law_settled(struct tcp *t, instant now)
{
    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    for (mem_ref r = t->away_busy; r; r = at(t, r)->next)
        at(t, r)->unsent |= waits(at(t, r));
    look_soon(t);
}

void tcp_away_reborn(struct tcp *t, unsigned core, instant now)
{
    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    for (uint32_t i = 0; i < t->aways.fresh; i++) {
        struct tcp_away *a = pool_at(&t->aways, i);
        if (a->state <= AWAY_LEFT)
            continue;
        a->owed &= ~bit_of(core);
        if (a->core != core)
            continue;
        if (a->state == AWAY_HOME) {
            node_free(t, a);
        } else if (a->state == AWAY_HELD || a->state == AWAY_ASKED) {
            if (a->state == AWAY_HELD && a->how != AWAY_WAITING)
                a->how = AWAY_MOVED;
            a->state = AWAY_ASKED;
            a->unsent = true;
            list_add(t, a);
        }
    }
    look_soon(t);
}

/* Who waits may go. */
static void let_go(struct tcp *t, struct tcp_conn *c)
{
    tcp_timer_clear(c, TCPT_USER);
    tcp_mark_output(t, c);
}

/* There was no answer.  Who waits for leave may need it of another by now, or of nobody: the core
 * that was home is asked only for a while, and then never says a word.  Who waited and is no more
 * needs it of nobody else (simulator, seed 15879). */
static void ask_again(struct tcp *t, struct tcp_away *a)
{
    unsigned leave = waits(a) ? tcp_leave_core(t, &a->key) : a->core;

    if (leave == a->core) {
        ask(t, a);
    } else if (leave != cores_of(t)->home.self && !a->over) {
        ask_anew(t, a, leave);
    } else {
        struct flow_node *node = flow_find(&t->flows, &a->key, flow_hash(&t->flows, &a->key));
        a->owed |= bit_of(a->core);
        a->state = AWAY_GONE;
        if (node && node->kind == FLOW_CONN && !a->over)
            let_go(t, (struct tcp_conn *)(void *)node);
    }
}

static void node_look(struct tcp *t, struct tcp_away *a)
{
    if (a->over && t->now_ms - a->asked_ms >= HOME_GRACE_US / USEC_PER_MSEC)
        node_free(t, a);
    else if (a->over)
        list_add(t, a);
}

void tcp_away_output(struct tcp *t)
{
    mem_ref r = t->away_busy;
    bool unsent = false;
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
                ask_again(t, a);
            unsent |= a->unsent;
            tell_ends(t, a);
            list_add(t, a);
        } else if (a->state == AWAY_HOME) {
            node_look(t, a);
        } else if (a->state == AWAY_LEFT) {
            left_put(t, a);
        } else if (a->owed || a->state == AWAY_GONE) {
            settle(t, a);
        }
    }
    t->away_retry_at = t->now + (unsent ? WALK_AGAIN_US : RETRY_US);
    t->away_walk_at = n > WALK_SHORT ? t->now + WALK_AGAIN_US : 0;
}

/* Leave is given: the SYN may go.  iss_min: home had the four-tuple in TIME-WAIT (RFC 6191). */
static void held(struct tcp *t, struct tcp_away *a, tcp_seq iss_min)
{
    struct flow_node *node = flow_find(&t->flows, &a->key, flow_hash(&t->flows, &a->key));

    if (a->over) {
        a->owed |= bit_of(a->core);
        a->state = AWAY_GONE;
        settle(t, a);
        return;
    }
    a->state = AWAY_HELD;
    struct tcp_conn *c = (struct tcp_conn *)(void *)node;
    if (!node || node->kind != FLOW_CONN || c->state != TCPS_SYN_SENT || a->how > AWAY_CHOSEN)
        return;
    if (iss_min.v && seq_eq(c->snd_max, c->snd_una) && seq_lt(c->snd_una, iss_min))
        c->snd_una = c->snd_nxt = c->snd_max = c->recover = iss_min;
    let_go(t, c);
}

/* Home was asked twice, said no and then yes: the flow that lives on has it now, and one that ended
 * at the first answer wants it no more. */
static void held_late(struct tcp *t, struct tcp_away *a, unsigned from, const struct flow_key *k)
{
    if (!a && (a = away_new(t, &t->abroad, k, AWAY_GONE, from)))
        a->over = true;
    if (!a)
        return;
    if (a->core != from) /* asked before home moved: the end has been told, or is owed */
        return;
    if (a->state == AWAY_REFUSED) {
        a->state = AWAY_HELD;
    } else if (a->state == AWAY_GONE) {
        a->owed |= bit_of(from);
        settle(t, a);
    }
}

/* The four-tuple is another's; if the port was our choice, choose again.  A record that was asked
 * for is over; the answer decides. */
static void give_up(struct tcp *t, struct tcp_away *a, struct tcp_conn *c)
{
    int err = MR_EADDRINUSE;

    a->over = true;
    if (a->state != AWAY_ASKED) {
        a->state = AWAY_GONE;
        settle(t, a);
    }
    if (c->port_tries)
        err = tcp_connect_again(t, c);
    if (err)
        tcp_conn_end(t, c, err);
}

/* Its peer believes it open. */
static bool is_acked(const struct flow_node *node)
{
    const struct tcp_syn *y = (const struct tcp_syn *)(const void *)node;

    return node->kind == FLOW_SYN && (y->flags & TSYN_ACKED);
}

/* Home says that somebody else has the four-tuple.  He may have ended, told home so, and passed us
 * the SYN that begins anew, which we have asked for; home reads what different cores write in any
 * order.  Who is connected asks on, what is half open some times. */
static bool asks_on(struct tcp_away *a, const struct flow_node *node)
{
    const struct tcp_conn *c = (const struct tcp_conn *)(const void *)node;

    if (a->how < AWAY_PASSIVE || !node)
        return false;
    if (node->kind == FLOW_CONN)
        return c->state != TCPS_SYN_SENT;
    return node->kind == FLOW_SYN && (is_acked(node) || a->noes++ < NOES_DOUBTED);
}

/* taken: somebody else has the four-tuple; a half-open connection then gives way, or it would
 * answer the other's segments with RST, and so does one in TIME-WAIT.  Else home had no room: who
 * lives already asks on. */
static void refused(struct tcp *t, struct tcp_away *a, bool taken)
{
    struct flow_node *node = flow_find(&t->flows, &a->key, flow_hash(&t->flows, &a->key));
    struct tcp_conn *c = (struct tcp_conn *)(void *)node;

    if (!a->over && (taken ? asks_on(a, node) : a->how >= AWAY_MOVED))
        return;
    a->state = AWAY_REFUSED;
    if (a->over) {
        a->state = AWAY_GONE;
        settle(t, a);
    } else if (node && node->kind == FLOW_CONN && c->state == TCPS_SYN_SENT) {
        if (taken)
            give_up(t, a, c);
        else
            tcp_conn_end(t, c, MR_EADDRINUSE);
    } else if (taken && node && node->kind == FLOW_SYN) {
        tcp_syn_free(t, (struct tcp_syn *)(void *)node);
    } else if (taken && node && node->kind == FLOW_TIME_WAIT) {
        tcp_tw_free(t, (struct tcp_tw *)(void *)node);
    }
}

/* ---- home ---------------------------------------------------------------------------- */

/* Home has moved: what is half open here gives way to what lives there (it moved between two
 * SYNs), and so does who waits for leave.  What is in TIME-WAIT there gives way itself. */
static void give_way(struct tcp *t, const struct flow_key *k)
{
    struct flow_node *node = flow_find(&t->flows, k, flow_hash(&t->flows, k));
    struct tcp_away *a = find(&t->abroad, k);

    if (node && node->kind == FLOW_SYN && !is_acked(node))
        tcp_syn_free(t, (struct tcp_syn *)(void *)node);
    else if (node && node->kind == FLOW_CONN && a && waits(a))
        give_up(t, a, (struct tcp_conn *)(void *)node);
}

/* May `from` have the four-tuple?  Asked before, nothing changes.  No, and *iss_min is 1: another
 * has it. */
static bool admit(struct tcp *t, unsigned from, const struct flow_key *k, enum tcp_away_how how,
                  tcp_seq *iss_min)
{
    if (how == AWAY_MOVED)
        give_way(t, k);
    struct tcp_away *a = find(&t->flows, k);

    if (a && a->kind == FLOW_AWAY) {
        bool lives = how == AWAY_PASSIVE || how == AWAY_MOVED;
        /* What was there has moved on, and ended since; or nobody would live there now. */
        if (a->over && how > AWAY_CHOSEN)
            a->core = (uint8_t)from;
        /* What lives is newer than what is in TIME-WAIT, which is told, if it can be. */
        if (a->how == AWAY_WAITING && lives && a->core != from) {
            struct away_letter no = {.key = *k, .iss_min = seq_of(1)};
            (void)write_letter(t, a->core, MAIL_AWAY_NO, &no);
            a->core = (uint8_t)from;
        }
        if (a->core == from) {
            a->over = a->gone = false;
            a->how = (uint8_t)how;
        }
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
    a->how = (uint8_t)how;
    return true;
}

/* Is it too early to let a flow begin?  Home that has moved a moment ago does not know yet who
 * lives there, and waits for those who have the four-tuple to say so.  Who is not home says yes
 * only as the one before, that was it for long enough; else one of us two has not read the law. */
static bool is_early(const struct tcp *t, const struct flow_key *k, enum tcp_away_how how)
{
    const struct home *h = &cores_of(t)->home;
    uint32_t hash = tcp_home_hash(t, k);
    unsigned home = rss_queue(h->law, hash), was = home_was(h, hash, t->now);

    if (how > AWAY_CHOSEN || (home == h->self && (was == home || h->settled)))
        return false;
    return home == h->self || was != h->self || home_stay(h, hash) < HOME_GRACE_US;
}

/* Somebody has read a new table before us. */
static void hear_of_move(struct tcp *t)
{
    struct home *h = &t->ip->eth->cores->home;

    h->moving_until = max_u64(h->moving_until, t->now + HOME_GRACE_US);
}

static void asked(struct tcp *t, unsigned from, const struct away_letter *l)
{
    struct away_letter answer = {.key = l->key, .ask = l->ask};
    enum tcp_away_how how = (enum tcp_away_how)l->how;
    const struct tcp_away *a = find(&t->flows, &l->key);

    /* Not answered, or the answer not sent: it will be asked again. */
    if (a ? a->kind == FLOW_AWAY && a->gone && how <= AWAY_CHOSEN : is_early(t, &l->key, how))
        return;
    bool yes = admit(t, from, &l->key, how, &answer.iss_min);
    (void)write_letter(t, from, yes ? MAIL_AWAY_YES : MAIL_AWAY_NO, &answer);
}

/* Who has moved on is not at home here any more; but until all must have read the law nobody else
 * may have its four-tuple (simulator, seed 317), and an ACK that brings back a cookie does not
 * begin it again here (simulator, seed 17887). */
static void ended(struct tcp *t, unsigned from, const struct flow_key *k, bool moved)
{
    struct tcp_away *a = find(&t->flows, k);

    if (!a || a->kind != FLOW_AWAY || a->core != from)
        return;
    if (moved) {
        a->over = true;
        a->gone = tcp_home_core(t, k) != cores_of(t)->home.self;
        a->asked_ms = t->now_ms;
        list_add(t, a);
    } else {
        node_free(t, a);
    }
}

void tcp_away_letter(struct tcp *t, const struct letter *l, instant now)
{
    struct away_letter head;
    struct tcp_away *a;

    t->now = now;
    t->now_ms = (uint32_t)(now / USEC_PER_MSEC);
    memcpy(&head, l->head, sizeof(head));
    if (head.how >= AWAY_MOVED)
        hear_of_move(t);
    if (l->kind == MAIL_AWAY_ASK) {
        asked(t, l->from, &head);
        return;
    }
    if (l->kind == MAIL_AWAY_END) {
        ended(t, l->from, &head.key, head.how == AWAY_MOVED);
        return;
    }
    a = find(&t->abroad, &head.key);
    bool its = a && a->core == l->from, waited = its && a->state == AWAY_ASKED;
    bool asked_it = waited && a->ask == head.ask;
    /* It was told yes, and something lives there now. */
    bool displaced = its && a->state == AWAY_HELD && a->how == AWAY_WAITING;
    if (asked_it && l->kind == MAIL_AWAY_YES)
        held(t, a, head.iss_min);
    else if (l->kind == MAIL_AWAY_NO && (asked_it || displaced))
        refused(t, a, head.iss_min.v != 0);
    else if (l->kind == MAIL_AWAY_YES)
        held_late(t, a, l->from, &head.key);
}
