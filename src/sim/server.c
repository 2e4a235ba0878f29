/* Listeners, and guests: accepted sockets that have not said who they are. */
#include "sim/sim_int.h"

#define TOGGLE_US_MAX 3000000u
#define GUEST_US_MAX (120 * USEC_PER_SEC)

/* Opened on every core by one call. */
static bool is_everywhere(const struct sim_app *a, const struct sim_listener *l)
{
    return a->world->host[a->host].one_call[l->port - SIM_PORT_FIRST];
}

void sim_server_open(struct sim_app *a, struct sim_listener *l)
{
    struct mr_addr local = {.port = l->port};
    struct mr_listen_opts opts = {.backlog = 1 + rng_below(&a->rng, 32), .user = l};

    opts.every_core = is_everywhere(a, l);
    int rc = mr_listen(a->m, &local, &opts, &l->sock);

    if (rc != 0)
        sim_fail(a->world, "host %u: mr_listen says %s", a->host, mr_strerror(rc));
    l->open = rc == 0;
    if (l->open && a->world->plan.defer_s)
        mr_setopt(a->m, l->sock, MR_DEFER_ACCEPT, a->world->plan.defer_s);
}

/* What the others have of it is closed for them. */
void sim_server_close(struct sim_app *a, struct sim_listener *l)
{
    struct sim_host *h = &a->world->host[a->host];
    unsigned i = l->port - SIM_PORT_FIRST;

    if (!(h->listens[i] >> a->core & 1)) /* another's */
        return;
    if (l->open)
        mr_close(a->m, l->sock);
    for (unsigned k = 0; k < h->cores && h->one_call[i]; k++)
        h->core[k].app.listener[i].open = false;
    l->open = false;
}

void sim_server_event(struct sim_app *a, const struct mr_event *ev)
{
    const struct sim_listener *opened = ev->user;
    struct sim_listener *l = &a->listener[opened->port - SIM_PORT_FIRST];

    if (ev->type != MR_EV_ACCEPT || (l != opened && !is_everywhere(a, l)))
        sim_fail(a->world, "host %u: a listener had event %d", a->host, (int)ev->type);
    if (!opened->open) /* we have not heard yet that it is closed */
        return;
    l->open = true;
    l->sock = ev->sock;
    sim_server_accept(a, l);
}

/* A listener's timer: it closes for a while, until the world is healed. */
void sim_server_toggle(struct sim_app *a, struct sim_listener *l)
{
    if (a->ending)
        return;
    if (!l->open)
        sim_server_open(a, l);
    else if (!a->world->healed)
        sim_server_close(a, l);
    if (!a->world->healed || !l->open)
        mr_timer_start(a->m, 1 + rng_below(&a->rng, TOGGLE_US_MAX), l, &l->timer);
}

static struct sim_guest *guest_get(struct sim_app *a)
{
    for (unsigned i = 0; i < SIM_GUESTS; i++)
        if (!a->guest[i].used)
            return &a->guest[i];
    return NULL;
}

static void guest_done(struct sim_app *a, struct sim_guest *g)
{
    if (g->timer_on)
        mr_timer_stop(a->m, g->timer);
    g->used = g->timer_on = false;
    a->world->guests--;
    for (unsigned i = 0; i < SIM_LISTENERS; i++)
        if (a->listener[i].open && a->listener[i].waiting)
            sim_server_accept(a, &a->listener[i]);
}

static void guest_lose(struct sim_app *a, struct sim_guest *g)
{
    a->guests_lost++;
    mr_close(a->m, g->sock);
    guest_done(a, g);
}

/* A connection has come to life twice.  A SYN cookie is honoured as long as it is fresh, so a late
 * copy of the first data segment does this, once the connection it belongs to is gone. */
static void guest_is_ghost(struct sim_app *a, struct sim_guest *g, const struct sim_conn *c)
{
    if (!sim_host_has_ghosts(&a->world->host[a->host]) || c->end[1].state != SIM_END_DONE)
        sim_fail(a->world, "host %u conn %u: accepted twice", a->host, c->id);
    mr_abort(a->m, g->sock);
    guest_done(a, g);
}

/* The header is whole: the guest becomes an end of its connection. */
static void guest_promote(struct sim_app *a, struct sim_guest *g)
{
    struct sim_conn *c = sim_hello_find(a->world, g->hello);
    struct mr_addr peer;
    mr_sock s = g->sock;

    if (!c || c->server != a->host) {
        sim_fail(a->world, "host %u: a header that names no plan", a->host);
        return;
    }
    if (c->end[1].state != SIM_END_NONE) {
        guest_is_ghost(a, g, c);
        return;
    }
    if (mr_peer_addr(a->m, s, &peer) != 0 ||
        load_be32(peer.ip + 12) != be32_get(sim_net_addr(&a->world->net, c->client)))
        sim_fail(a->world, "host %u conn %u: the peer's address is wrong", a->host, c->id);
    c->end[1].state = SIM_END_OPEN;
    c->end[1].core = (uint8_t)a->core;
    sim_end_open(a, &c->end[1], s, SIM_HELLO);
    guest_done(a, g);
    sim_end_poke(a, &c->end[1]);
}

static void guest_read(struct sim_app *a, struct sim_guest *g)
{
    while (g->n < SIM_HELLO) {
        int64_t n = mr_recv(a->m, g->sock, g->hello + g->n, SIM_HELLO - g->n, 0);
        if (n == MR_EAGAIN)
            return;
        if (n <= 0) {
            /* The client has quit before it said anything; whether it may, it is asked itself. */
            guest_lose(a, g);
            return;
        }
        g->n = (uint8_t)(g->n + n);
    }
    guest_promote(a, g);
}

void sim_guest_expire(struct sim_app *a, struct sim_guest *g)
{
    g->timer_on = false;
    guest_lose(a, g);
}

void sim_guest_event(struct sim_app *a, struct sim_guest *g, const struct mr_event *ev)
{
    if (!g->used || !mr_sock_eq(g->sock, ev->sock)) {
        sim_fail(a->world, "host %u: an event for a guest that has left", a->host);
        return;
    }
    guest_read(a, g);
    if (ev->type == MR_EV_CLOSED && g->used && mr_sock_eq(g->sock, ev->sock)) {
        guest_lose(a, g);
    }
}

void sim_server_accept(struct sim_app *a, struct sim_listener *l)
{
    struct sim_guest *g;
    struct mr_addr peer;

    l->waiting = true;
    while (l->open && (g = guest_get(a)) != NULL) {
        int rc = mr_accept(a->m, l->sock, &g->sock, &peer);
        if (rc == MR_EAGAIN) {
            l->waiting = false;
            return;
        }
        if (rc == MR_EBADF && is_everywhere(a, l)) { /* closed, and opened again since */
            l->open = false;
            return;
        }
        if (rc != 0) {
            sim_fail(a->world, "host %u: mr_accept says %s", a->host, mr_strerror(rc));
            return;
        }
        g->used = true;
        g->n = 0;
        a->world->guests++;
        mr_set_user(a->m, g->sock, g);
        g->timer_on =
            !sim_app_keepalive(a, g->sock) && mr_timer_start(a->m, GUEST_US_MAX, g, &g->timer) == 0;
        guest_read(a, g);
    }
}
