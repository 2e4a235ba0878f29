/* Opening connections, and the application's door. */
#include "sim/sim_int.h"

#define RETRY_US 400000u
#define POLL_NS (10 * SIM_NS_PER_MSEC)

/* The side of the connection that this host opens. */
static struct sim_end *opened_by(const struct sim_app *a, struct sim_conn *c)
{
    return &c->end[c->twin && c->server == a->host];
}

static void retry(struct sim_app *a, struct sim_conn *c, struct sim_end *e, int why)
{
    sim_note(a->world, a->host, "conn %u: cannot connect: %s", c->id, mr_strerror(why));
    if (mr_timer_start(a->m, 1 + rng_below(&a->rng, RETRY_US), c, &e->timer) != 0)
        a->poll = true;
}

void sim_client_again(struct sim_app *a, struct sim_end *e)
{
    mr_close(a->m, e->sock);
    e->state = SIM_END_NONE;
    if (e->side == 1)
        a->world->open_ends--;
    retry(a, e->conn, e, MR_EADDRINUSE);
}

static int try_connect(struct sim_app *a, struct sim_conn *c, struct sim_end *e, mr_sock *s)
{
    const struct sim_end *peer = &c->end[!e->side];
    struct mr_addr to = {.port = c->port}, local = {.port = c->local_port};

    to.ip[10] = to.ip[11] = 0xff;
    store_be32(to.ip + 12, be32_get(sim_net_addr(&a->world->net, peer->host)));
    return mr_connect(a->m, c->local_port ? &local : NULL, &to, e, s);
}

void sim_client_connect(struct sim_app *a, struct sim_conn *c)
{
    struct sim_end *e = opened_by(a, c);
    mr_sock s;
    int rc;

    /* Without a timer it may have been opened by sim_app_poll. */
    if (e->state != SIM_END_NONE)
        return;
    rc = try_connect(a, c, e, &s);
    /* Ports or memory used up: they come back. */
    if (rc == MR_EADDRNOTAVAIL || rc == MR_ENOMEM || rc == MR_ENOBUFS ||
        (rc == MR_EADDRINUSE && c->local_port)) {
        retry(a, c, e, rc);
        return;
    }
    if (rc != 0) {
        sim_fail(a->world, "host %u conn %u: mr_connect says %s", a->host, c->id, mr_strerror(rc));
        return;
    }
    e->state = SIM_END_CONNECTING;
    sim_end_open(a, e, s, 0);
}

static bool is_opener(const struct sim_app *a, struct sim_conn *c)
{
    return (c->client == a->host || (c->twin && c->server == a->host)) &&
           opened_by(a, c)->core == a->core;
}

int sim_app_init(struct mr *m, void *arg, void **core_state)
{
    struct sim_app *a = arg;
    struct sim_world *w = a->world;

    *core_state = a;
    a->m = m;
    for (unsigned i = 0; i < SIM_LISTENERS; i++) {
        struct sim_listener *l = &a->listener[i];
        *l = (struct sim_listener){.tag = SIM_TAG_LISTENER, .port = (uint16_t)(SIM_PORT_FIRST + i)};
        if (!(w->host[a->host].listens[i] >> a->core & 1))
            continue;
        sim_server_open(a, l);
        if (w->plan.toggles && i == 0)
            mr_timer_start(m, 1 + rng_below(&a->rng, 2000000), l, &l->timer);
    }
    for (unsigned i = 0; i < SIM_GUESTS; i++)
        a->guest[i].tag = SIM_TAG_GUEST;
    sim_udp_open(a);
    for (uint32_t i = 0; i < w->plan.conns; i++) {
        struct sim_conn *c = &w->conn[i];
        if (is_opener(a, c) && mr_timer_start(m, c->start_us, c, &opened_by(a, c)->timer) != 0)
            a->poll = true;
    }
    return 0;
}

static void timer(struct sim_app *a, void *user)
{
    struct sim_end *e = user;

    switch (*(enum sim_tag *)user) {
    case SIM_TAG_START:
        sim_client_connect(a, user);
        break;
    case SIM_TAG_END:
        e->timer_on = false;
        sim_end_poke(a, e);
        break;
    case SIM_TAG_LISTENER:
        sim_server_toggle(a, user);
        break;
    case SIM_TAG_UDP:
        sim_udp_tick(a);
        break;
    case SIM_TAG_GUEST:
        sim_guest_expire(a, user);
        break;
    }
}

static void socket(struct sim_app *a, const struct mr_event *ev)
{
    switch (*(enum sim_tag *)ev->user) {
    case SIM_TAG_LISTENER:
        sim_server_event(a, ev);
        break;
    case SIM_TAG_GUEST:
        sim_guest_event(a, ev->user, ev);
        break;
    case SIM_TAG_END:
        sim_end_event(a, ev->user, ev);
        break;
    case SIM_TAG_UDP:
        sim_udp_read(a);
        break;
    case SIM_TAG_START:
        sim_fail(a->world, "a socket's event with a plan as its user");
        break;
    }
}

void sim_app_event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    struct sim_app *a = core_state;

    MR_ASSERT(m == a->m);
    if (a->world->over)
        return;
    sim_digest_u64(&a->world->digest, (uint64_t)(a->host << 8 | a->core) << 32 |
                                          (uint32_t)ev->type << 16 | (ev->err & 0xffff));
    if (!ev->user)
        sim_fail(a->world, "host %u: event %d has no user", a->host, (int)ev->type);
    else if (ev->type == MR_EV_TIMER)
        timer(a, ev->user);
    else
        socket(a, ev);
}

/* Not before the cores have heard of each other's listeners. */
static bool is_time(const struct sim_world *w, const struct sim_conn *c)
{
    return w->now >= (c->start_us + USEC_PER_MSEC) * SIM_NS_PER_USEC;
}

void sim_app_poll(struct sim_app *a)
{
    struct sim_world *w = a->world;

    if (!a->poll || w->now < a->poll_ns)
        return;
    a->poll = false;
    a->poll_ns = w->now + POLL_NS;
    for (uint32_t i = 0; i < w->plan.conns; i++) {
        struct sim_conn *c = &w->conn[i];
        if (is_opener(a, c) && is_time(w, c))
            sim_client_connect(a, c);
        a->poll |= is_opener(a, c) && opened_by(a, c)->state == SIM_END_NONE;
        for (unsigned side = 0; side < 2; side++) {
            struct sim_end *e = &c->end[side];
            if (e->host == a->host && e->core == a->core && !e->timer_on &&
                (e->state == SIM_END_OPEN || e->held_n))
                sim_end_poke(a, e);
        }
    }
}

void sim_app_end(struct sim_app *a)
{
    a->ending = true;
    for (unsigned i = 0; i < SIM_LISTENERS; i++)
        sim_server_close(a, &a->listener[i]);
    for (unsigned i = 0; i < SIM_LISTENERS; i++)
        mr_timer_stop(a->m, a->listener[i].timer);
    mr_timer_stop(a->m, a->udp.timer);
    if (a->udp.open)
        mr_close(a->m, a->udp.sock);
    a->udp.open = false;
}
