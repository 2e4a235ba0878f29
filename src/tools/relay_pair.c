/* Pairs of connections: how they begin and end, and their time limits. */
#include "tools/relay.h"

#define TICK_US 250000u

/* ---- queues and time limits */

static void queue_unlink(struct relay_pair *p)
{
    struct relay_queue *q = &p->relay->queue[p->state];

    *(p->prev != NULL ? &p->prev->next : &q->first) = p->next;
    *(p->next != NULL ? &p->next->prev : &q->last) = p->prev;
}

static void queue_link(struct relay_pair *p)
{
    struct relay_queue *q = &p->relay->queue[p->state];

    p->linked_us = mr_now_us(p->relay->m);
    p->next = NULL;
    p->prev = q->last;
    *(q->last != NULL ? &q->last->next : &q->first) = p;
    q->last = p;
}

static void set_state(struct relay_pair *p, enum relay_state state)
{
    queue_unlink(p);
    p->state = state;
    queue_link(p);
}

/* Limits are looked at once a tick, so a pair need not move more often than that. */
static void touch(struct relay_pair *p)
{
    if (mr_now_us(p->relay->m) - p->linked_us < TICK_US)
        return;
    queue_unlink(p);
    queue_link(p);
}

static void start_ticking(struct relay *r)
{
    if (!r->ticking && r->open > 0)
        r->ticking = mr_timer_start(r->m, TICK_US, NULL, NULL) == MR_OK;
}

/* ---- the end */

static void side_end(struct relay *r, struct relay_side *s, bool reset)
{
    while (s->waiting != NULL) {
        struct relay_slice *w = s->waiting;
        s->waiting = w->next;
        relay_slice_put(w);
    }
    if (mr_sock_eq(s->sock, MR_SOCK_NONE))
        return;
    if (reset && !s->closed)
        mr_abort(r->m, s->sock);
    else
        mr_close(r->m, s->sock);
    s->sock = MR_SOCK_NONE;
}

static void upstream_leave(struct relay_pair *p)
{
    if (p->upstream != RELAY_NO_UPSTREAM)
        p->relay->balancer.up[p->upstream].now--;
    p->upstream = RELAY_NO_UPSTREAM;
}

void relay_pair_free(struct relay_pair *p, bool reset)
{
    struct relay *r = p->relay;

    queue_unlink(p);
    upstream_leave(p);
    side_end(r, &p->side[0], reset);
    side_end(r, &p->side[1], reset);
    tool_pool_put(&r->pairs, p);
    r->open--;
}

/* ---- connecting */

static void set_buffers(struct relay *r, mr_sock s)
{
    mr_setopt(r->m, s, MR_NODELAY, 1);
    if (r->opt->buffer == 0)
        return;
    mr_setopt(r->m, s, MR_SNDBUF, r->opt->buffer);
    mr_setopt(r->m, s, MR_RCVBUF, r->opt->buffer);
}

/* What says nothing about the upstream: we have no memory, no port, no address. */
static bool is_ours(int err)
{
    return err == MR_ENOMEM || err == MR_ENOBUFS || err == MR_EADDRNOTAVAIL || err == MR_EADDRINUSE;
}

static void upstream_failed(struct relay_pair *p, int err)
{
    struct relay *r = p->relay;
    struct relay_upstream *u = &r->balancer.up[p->upstream];

    u->failures++;
    if (!is_ours(err))
        u->down_until_us = mr_now_us(r->m) + (uint64_t)r->opt->down_ms * 1000;
    upstream_leave(p);
}

/* Open a connection to the next upstream; with none left the client is reset and the pair gone. */
static void try_upstreams(struct relay_pair *p)
{
    struct relay *r = p->relay;
    struct relay_side *s = &p->side[1];

    for (;;) {
        unsigned i = relay_choose(&r->balancer, &p->client, p->tried, mr_now_us(r->m));
        int err;
        if (i == RELAY_NO_UPSTREAM)
            break;
        r->count.retries += p->tried != 0;
        p->tried |= (uint64_t)1 << i;
        p->upstream = i;
        r->balancer.up[i].now++;
        err = mr_connect(r->m, NULL, &r->balancer.up[i].addr, s, &s->sock);
        if (err == MR_OK) {
            set_buffers(r, s->sock);
            return;
        }
        s->sock = MR_SOCK_NONE;
        upstream_failed(p, err);
    }
    r->count.no_upstream++;
    relay_pair_free(p, true);
}

static void connect_failed(struct relay_pair *p, int err)
{
    upstream_failed(p, err);
    side_end(p->relay, &p->side[1], true);
    set_state(p, RELAY_CONNECTING);
    try_upstreams(p);
}

static void pair_begin(struct relay *r, mr_sock client, const struct mr_addr *peer)
{
    struct relay_pair *p = r->open < r->opt->pairs_max ? tool_pool_get(&r->pairs) : NULL;

    if (p == NULL) {
        r->count.refused++;
        mr_abort(r->m, client);
        return;
    }
    *p = (struct relay_pair){.relay = r, .upstream = RELAY_NO_UPSTREAM, .client = *peer};
    p->side[0] = (struct relay_side){.sock = client, .pair = p};
    p->side[1] = (struct relay_side){.pair = p};
    mr_set_user(r->m, client, &p->side[0]);
    queue_link(p);
    r->open++;
    r->count.accepted++;
    try_upstreams(p);
}

void relay_accept(struct relay *r)
{
    struct mr_addr peer;
    mr_sock client;
    int err;

    while ((err = mr_accept(r->m, r->listener, &client, &peer)) == MR_OK)
        pair_begin(r, client, &peer);
    r->count.refused += err == MR_ENOMEM;
    start_ticking(r);
}

/* ---- time is up */

/* A peer that reads slowly is not idle: something of what is queued for it was acknowledged. */
static bool has_moved(struct relay_pair *p)
{
    int64_t n[2] = {0, 0}, before = p->unacked;

    for (int i = 0; i < 2; i++)
        if (mr_getopt(p->relay->m, p->side[i].sock, MR_SNDQ, &n[i]) != MR_OK)
            n[i] = 0;
    p->unacked = n[0] + n[1];
    return p->unacked != before;
}

static void out_of_time(struct relay_pair *p)
{
    struct relay *r = p->relay;

    switch (p->state) {
    case RELAY_CONNECTING:
        r->count.timeouts[RELAY_CONNECTING]++;
        connect_failed(p, MR_ETIMEDOUT);
        break;
    case RELAY_OPEN:
        if (has_moved(p)) {
            queue_unlink(p);
            queue_link(p);
            break;
        }
        r->count.timeouts[RELAY_OPEN]++;
        relay_pair_free(p, true);
        break;
    case RELAY_STATES:
        break;
    }
}

void relay_tick(struct relay *r)
{
    uint64_t now = mr_now_us(r->m);

    r->ticking = false;
    for (int s = 0; s < RELAY_STATES; s++)
        while (r->queue[s].first != NULL && r->queue[s].first->linked_us + r->limit_us[s] <= now)
            out_of_time(r->queue[s].first);
    start_ticking(r);
}

/* ---- events */

static bool is_upstream(const struct relay_side *s)
{
    return s == &s->pair->side[1];
}

/* Pass on what s has received. */
static void splice(struct relay_side *s)
{
    struct relay *r = s->pair->relay;

    if (relay_splice(s))
        return;
    r->count.no_memory++;
    relay_pair_free(s->pair, true);
}

static void established(struct relay *r, struct relay_pair *p)
{
    r->balancer.up[p->upstream].total++;
    set_state(p, RELAY_OPEN);
    /* What the client has sent meanwhile; the upstream's is an event of its own. */
    splice(&p->side[0]);
}

/* One that has finished in order may have unread data still; the other side drives that. */
static void finished(struct relay *r, struct relay_side *s)
{
    struct relay_pair *p = s->pair;

    s->closed = true;
    if (!p->side[0].closed || !p->side[1].closed) {
        splice(s);
        return;
    }
    r->count.finished++;
    relay_pair_free(p, false);
}

static void side_closed(struct relay *r, struct relay_side *s, int err)
{
    struct relay_pair *p = s->pair;

    if (p->state == RELAY_CONNECTING && is_upstream(s)) {
        connect_failed(p, err);
    } else if (err == MR_OK) {
        finished(r, s);
    } else {
        r->count.aborted++;
        relay_pair_free(p, true);
    }
}

void relay_side_event(struct relay *r, struct relay_side *s, const struct mr_event *ev)
{
    struct relay_pair *p = s->pair;
    bool open = p->state == RELAY_OPEN;

    if (open)
        touch(p);
    switch (ev->type) {
    case MR_EV_CONNECTED:
        established(r, p);
        break;
    case MR_EV_READABLE:
        if (open)
            splice(s);
        break;
    case MR_EV_WRITABLE:
        if (open)
            splice(&p->side[!is_upstream(s)]);
        break;
    case MR_EV_CLOSED:
        side_closed(r, s, ev->err);
        break;
    case MR_EV_ACCEPT:
    case MR_EV_URGENT:
    case MR_EV_SOFT_ERROR:
    case MR_EV_TIMER:
    case MR_EV_LETTER:
    case MR_EV_KNOCK:
        break;
    }
}
