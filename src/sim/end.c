/* One end of a connection, from open to close. */
#include "sim/sim_int.h"

#define WATCHDOG_US (120 * USEC_PER_SEC)
#define KEEP_IDLE_S 8
#define KEEP_INTVL_S 2
#define KEEP_CNT 5
#define ORPHAN_NS (30 * SIM_NS_PER_SEC)

static void set(struct sim_app *a, struct sim_end *e, enum mr_opt opt, int64_t v)
{
    int rc = mr_setopt(a->m, e->sock, opt, v);

    if (rc != 0 && rc != MR_ENOMEM)
        sim_fail(a->world, "host %u: mr_setopt(%d, %lld) says %s", a->host, (int)opt, (long long)v,
                 mr_strerror(rc));
}

bool sim_app_keepalive(struct sim_app *a, mr_sock s)
{
    return mr_setopt(a->m, s, MR_KEEPIDLE, KEEP_IDLE_S) == 0 &&
           mr_setopt(a->m, s, MR_KEEPINTVL, KEEP_INTVL_S) == 0 &&
           mr_setopt(a->m, s, MR_KEEPCNT, KEEP_CNT) == 0 &&
           mr_setopt(a->m, s, MR_KEEPALIVE, 1) == 0;
}

static void set_options(struct sim_app *a, struct sim_end *e)
{
    const struct sim_manner *m = &e->conn->manner[e->side];

    if (m->nodelay)
        set(a, e, MR_NODELAY, 1);
    if (m->cork)
        set(a, e, MR_CORK, 1);
    if (m->quickack)
        set(a, e, MR_QUICKACK, 1);
    if (m->sndbuf)
        set(a, e, MR_SNDBUF, m->sndbuf);
    if (m->rcvbuf)
        set(a, e, MR_RCVBUF, m->rcvbuf);
    if (m->maxseg)
        set(a, e, MR_MAXSEG, m->maxseg);
    if (m->user_timeout_ms)
        set(a, e, MR_USER_TIMEOUT_MS, m->user_timeout_ms);
    set(a, e, MR_CONGESTION, m->cc);
    /* Where somebody may vanish without a word, the other must be able to find out. */
    if (a->world->plan.quits || a->world->plan.toggles || a->world->plan.tiny) {
        e->keeps_alive = sim_app_keepalive(a, e->sock);
        e->watched = !e->keeps_alive;
    } else {
        set(a, e, MR_KEEPALIVE, 0);
    }
}

void sim_end_open(struct sim_app *a, struct sim_end *e, mr_sock s, uint64_t rcvd)
{
    e->sock = s;
    e->rcvd = rcvd;
    e->moved_us = mr_now_us(a->m);
    if (e->side == 1)
        a->world->open_ends++;
    set_options(a, e);
    mr_set_user(a->m, s, e);
}

void sim_end_done(struct sim_app *a, struct sim_end *e)
{
    const struct sim_end *peer = &e->conn->end[!e->side];

    e->state = SIM_END_DONE;
    e->done_ns = a->world->now;
    if (e->side == 1)
        a->world->open_ends--;
    if (e->side == 0 || e->conn->twin)
        a->world->unfinished--;
    if (peer->state == SIM_END_DONE && !e->err && !peer->err && !e->quit && !peer->quit)
        a->world->result.conns_whole++;
    sim_digest_u64(&a->world->digest,
                   (uint64_t)e->conn->id << 32 | (uint32_t)e->side << 16 | (e->err & 0xff));
    sim_digest_u64(&a->world->digest, e->sent << 32 ^ e->rcvd);
    sim_note(a->world, e->host, "conn %u side %u: over; sent %llu received %llu error %d",
             e->conn->id, e->side, (unsigned long long)e->sent, (unsigned long long)e->rcvd,
             e->err);
    /* What is still lent goes back later: slices outlive their socket. */
    if (e->held_n)
        sim_end_poke_later(a, e, e->conn->manner[e->side].pause_us);
}

/* ---- endings that are not in order --------------------------------------------------- */

/* It closed without waiting for our FIN, and its orphan has waited long enough. */
static bool has_left(const struct sim_world *w, const struct sim_end *e)
{
    return e->state == SIM_END_DONE && !e->eof && w->now - e->done_ns > ORPHAN_NS;
}

/* The server has given up guests, of whom it does not know who they were. */
static bool loses_guests(const struct sim_world *w, unsigned host)
{
    return sim_host_guests_lost(&w->host[host]) > 0;
}

bool sim_end_is_unheard(const struct sim_world *w, const struct sim_end *e)
{
    return e->state == SIM_END_NONE && loses_guests(w, e->host);
}

/* Its SYN,ACK was a cookie, and when that came back it was too old, for there had been no room to
 * accept it, or there was no listener, or home had moved to a core that has sent none; though there
 * was one for a copy of the same segment. */
static bool has_lost_cookie(const struct sim_world *w, const struct sim_end *e)
{
    const struct sim_host *server = &w->host[e->conn->server];

    return e->rcvd == 0 && sim_host_tcp(server, offsetof(struct tcp_stats, syncookies_sent)) &&
           (w->plan.toggles || w->plan.moves ||
            sim_host_tcp(server, offsetof(struct tcp_stats, drop_accept_full)));
}

static bool has_cause(const struct sim_world *w, const struct sim_end *e, int err)
{
    const struct sim_end *peer = &e->conn->end[!e->side];
    bool odd = w->plan.toggles || w->plan.tiny;

    /* Twins that miss each other meet closed ports. */
    if (e->conn->twin && (err == MR_ECONNREFUSED || err == MR_ECONNRESET) && e->rcvd == 0)
        return true;
    switch (err) {
    case MR_ECONNRESET:
    case MR_EPIPE:
    case MR_ECONNABORTED:
        return peer->quit || peer->err || has_left(w, peer) || has_lost_cookie(w, e) ||
               e->conn->manner[!e->side].user_timeout_ms ||
               (peer->state == SIM_END_NONE && odd) || sim_end_is_unheard(w, peer);
    case MR_ECONNREFUSED:
        return w->plan.toggles || loses_guests(w, peer->host);
    case MR_ETIMEDOUT:
    case MR_EHOSTUNREACH:
    case MR_ENETUNREACH:
        /* Without cookies a SYN queue that is too small makes the unlucky wait for too long. */
        return !w->plan.patient || sim_host_loses_mail(&w->host[e->host]) ||
               sim_host_loses_mail(&w->host[peer->host]) || e->keeps_alive ||
               e->conn->manner[e->side].user_timeout_ms || peer->quit || peer->err ||
               (w->plan.tiny && e->state == SIM_END_CONNECTING);
    case MR_ENOMEM:
    case MR_ENOBUFS:
        return w->plan.tiny;
    default:
        return false;
    }
}

void sim_end_error(struct sim_app *a, struct sim_end *e, int err)
{
    e->err = err;
    if (!has_cause(a->world, e, err))
        sim_fail(a->world, "host %u conn %u side %u: %s, without a cause", e->host, e->conn->id,
                 e->side, mr_strerror(err));
    mr_close(a->m, e->sock);
    sim_end_done(a, e);
}

bool sim_end_quit(struct sim_app *a, struct sim_end *e)
{
    const struct sim_manner *m = &e->conn->manner[e->side];

    if (m->quit_at == SIM_NOT || e->sent + e->rcvd < m->quit_at)
        return false;
    e->quit = true;
    switch (m->quit) {
    case SIM_QUIT_ABORT:
        mr_abort(a->m, e->sock);
        break;
    case SIM_QUIT_CLOSE:
        e->shut = true;
        mr_close(a->m, e->sock);
        break;
    case SIM_QUIT_LINGER:
        e->shut = true;
        mr_setopt(a->m, e->sock, MR_LINGER, rng_below(&a->rng, 3));
        mr_close(a->m, e->sock);
        break;
    }
    sim_end_done(a, e);
    return true;
}

/* Without keepalive nobody tells us that the peer is gone. */
static bool is_lost(struct sim_app *a, struct sim_end *e)
{
    if (!e->watched || mr_now_us(a->m) - e->moved_us < WATCHDOG_US)
        return false;
    e->quit = true;
    mr_abort(a->m, e->sock);
    sim_end_done(a, e);
    return true;
}

/* ---- one step ---------------------------------------------------------------------- */

/* Everything is sent: say so; everything is received: close. */
static void wind_up(struct sim_app *a, struct sim_end *e)
{
    const struct sim_conn *c = e->conn;
    const struct sim_manner *m = &c->manner[e->side];
    uint32_t theirs = c->manner[!e->side].total;

    if (e->sent < m->total)
        return;
    if (e->eof || (m->leaves_early && e->rcvd == theirs)) {
        e->shut = true;
        mr_close(a->m, e->sock);
        sim_end_done(a, e);
    } else if (!e->shut && !m->leaves_early) {
        int rc = mr_shutdown(a->m, e->sock);
        e->shut = true;
        if (rc != 0)
            sim_end_error(a, e, rc);
    }
}

static int64_t ask(struct sim_app *a, const struct sim_end *e, enum mr_opt opt)
{
    int64_t v = -1;
    int rc = mr_getopt(a->m, e->sock, opt, &v);

    if (rc != 0 || v < 0)
        sim_fail(a->world, "host %u: mr_getopt(%d) says %s, %lld", a->host, (int)opt,
                 mr_strerror(rc), (long long)v);
    return v;
}

/* What the stack says about the connection must agree with what we know. */
static void inspect(struct sim_app *a, const struct sim_end *e)
{
    const struct sim_end *peer = &e->conn->end[!e->side];
    struct mr_tcp_info info;
    struct mr_addr addr;

    if ((uint64_t)ask(a, e, MR_SNDQ) > e->sent ||
        (uint64_t)ask(a, e, MR_URGENT_LEFT) > peer->sent ||
        e->rcvd + (uint64_t)ask(a, e, MR_RCVQ) > peer->sent)
        sim_fail(a->world, "host %u conn %u: queues longer than what was sent", a->host,
                 e->conn->id);
    if (mr_tcp_info(a->m, e->sock, &info) != 0 || info.mss == 0 || info.snd_cwnd == 0)
        sim_fail(a->world, "host %u conn %u: mr_tcp_info makes no sense", a->host, e->conn->id);
    if (mr_peer_addr(a->m, e->sock, &addr) != 0 ||
        load_be32(addr.ip + 12) != be32_get(sim_net_addr(&a->world->net, peer->host)) ||
        mr_local_addr(a->m, e->sock, &addr) != 0 ||
        load_be32(addr.ip + 12) != be32_get(sim_net_addr(&a->world->net, e->host)))
        sim_fail(a->world, "host %u conn %u: addresses are wrong", a->host, e->conn->id);
}

static void step(struct sim_app *a, struct sim_end *e)
{
    if (e->state != SIM_END_OPEN || is_lost(a, e))
        return;
    if (sim_app_chance(a, 3))
        inspect(a, e);
    sim_stream_read(a, e);
    if (e->state == SIM_END_OPEN && !a->world->over)
        sim_stream_write(a, e);
    if (e->state == SIM_END_OPEN && !a->world->over)
        wind_up(a, e);
    if (e->state == SIM_END_OPEN && (e->held_n || e->watched))
        sim_end_poke_later(a, e, e->held_n ? e->conn->manner[e->side].pause_us : 10000000);
}

void sim_end_poke_later(struct sim_app *a, struct sim_end *e, uint32_t us)
{
    uint32_t delay = us ? 1 + rng_below(&a->rng, us) : 1;

    if (e->timer_on)
        return;
    e->timer_on = mr_timer_start(a->m, delay, e, &e->timer) == 0;
    a->poll |= !e->timer_on;
}

void sim_end_poke(struct sim_app *a, struct sim_end *e)
{
    bool is_over = e->state == SIM_END_DONE;

    sim_stream_release(a, e, is_over && a->ending);
    if (is_over && e->held_n)
        sim_end_poke_later(a, e, e->conn->manner[e->side].pause_us);
    if (!is_over)
        step(a, e);
}

/* The socket's last event.  Unread data may still be read; so the step goes on reading, and finds
 * the end of stream or the error there. */
static void closed(struct sim_app *a, struct sim_end *e, int err)
{
    if (err == 0 && e->state == SIM_END_CONNECTING)
        sim_fail(a->world, "host %u conn %u: closed in order before it was open", e->host,
                 e->conn->id);
    if (err == 0 && !e->shut)
        sim_fail(a->world, "host %u conn %u: closed in order, but we have not finished", e->host,
                 e->conn->id);
    if (e->state == SIM_END_OPEN)
        step(a, e);
    /* Where there are few ports, one that is not home's is chosen if home has none. */
    if (err == MR_EADDRINUSE && (e->conn->local_port || a->world->plan.tiny) &&
        e->state == SIM_END_CONNECTING)
        sim_client_again(a, e);
    else if (err != 0 && (e->state == SIM_END_OPEN || e->state == SIM_END_CONNECTING))
        sim_end_error(a, e, err);
}

void sim_end_event(struct sim_app *a, struct sim_end *e, const struct mr_event *ev)
{
    if (!mr_sock_eq(ev->sock, e->sock) || e->state == SIM_END_DONE) {
        sim_fail(a->world, "host %u conn %u: event %d for a socket that was closed", a->host,
                 e->conn->id, (int)ev->type);
        return;
    }
    switch (ev->type) {
    case MR_EV_CONNECTED:
        if (e->state != SIM_END_CONNECTING)
            sim_fail(a->world, "host %u conn %u: connected twice", e->host, e->conn->id);
        e->state = SIM_END_OPEN;
        step(a, e);
        break;
    case MR_EV_READABLE:
    case MR_EV_WRITABLE:
    case MR_EV_URGENT:
        step(a, e);
        break;
    case MR_EV_CLOSED:
        closed(a, e, ev->err);
        break;
    case MR_EV_SOFT_ERROR:
        break;
    case MR_EV_ACCEPT:
    case MR_EV_TIMER:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
        sim_fail(a->world, "host %u: an event of a kind no connection has", a->host);
        break;
    }
}
