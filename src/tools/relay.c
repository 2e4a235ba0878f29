/* The relay of one core: its beginning, its events, its end, and what it says about itself. */
#include "tools/relay.h"

#include <stdlib.h>

#include "stat/json.h"

#define COPY_MAX_DEFAULT 512u

void relay_options_init(struct relay_options *o)
{
    *o = (struct relay_options){
        .balance = RELAY_ROUND_ROBIN,
        .connect_ms = 5000,
        .idle_ms = 300000,
        .down_ms = 5000,
        .pairs_max = 32768,
        .buffer = 256 << 10,
        .copy_max = COPY_MAX_DEFAULT,
    };
}

static void balancer_init(struct relay_balancer *b, const struct relay_options *o, unsigned core)
{
    *b = (struct relay_balancer){.how = o->balance, .n = (unsigned)o->upstreams};
    /* So that the cores do not all begin with the first. */
    b->next = core % b->n;
    for (unsigned i = 0; i < b->n; i++)
        b->up[i].addr = o->upstream[i];
}

static int open_listener(struct relay *r)
{
    int err = mr_listen(r->m, &r->opt->listen, NULL, &r->listener);

    if (err != MR_OK)
        return err;
    /* What is accepted inherits these. */
    mr_setopt(r->m, r->listener, MR_NODELAY, 1);
    if (r->opt->buffer != 0) {
        mr_setopt(r->m, r->listener, MR_SNDBUF, r->opt->buffer);
        mr_setopt(r->m, r->listener, MR_RCVBUF, r->opt->buffer);
    }
    return MR_OK;
}

int relay_init(struct mr *m, void *arg, void **core_state)
{
    struct relay_options *o = arg;
    struct relay *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return MR_ENOMEM;
    o->core[mr_core(m)] = r;
    r->m = m;
    r->opt = o;
    r->limit_us[RELAY_CONNECTING] = (uint64_t)o->connect_ms * 1000;
    r->limit_us[RELAY_OPEN] = (uint64_t)o->idle_ms * 1000;
    tool_pool_init(&r->slices, sizeof(struct relay_slice));
    tool_pool_init(&r->pairs, sizeof(struct relay_pair));
    balancer_init(&r->balancer, o, mr_core(m));
    *core_state = r;
    return open_listener(r);
}

void relay_event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    struct relay *r = core_state;

    (void)m;
    if (ev->type == MR_EV_ACCEPT)
        relay_accept(r);
    else if (ev->type == MR_EV_TIMER)
        relay_tick(r);
    else if (ev->user != NULL)
        relay_side_event(r, ev->user, ev);
}

/* What is under way is cut, and the peers must not take that for its end. */
void relay_fini(struct mr *m, void *core_state)
{
    struct relay *r = core_state;

    mr_close(m, r->listener);
    for (int s = 0; s < RELAY_STATES; s++)
        while (r->queue[s].first != NULL)
            relay_pair_free(r->queue[s].first, true);
}

void relay_fini_all(struct relay_options *o)
{
    for (unsigned i = 0; i < MR_CORES_MAX; i++) {
        struct relay *r = o->core[i];
        o->core[i] = NULL;
        if (r == NULL)
            continue;
        tool_pool_fini(&r->slices);
        tool_pool_fini(&r->pairs);
        free(r);
    }
}

static void put_upstream(struct json *j, const struct relay *r, const struct relay_upstream *u)
{
    char text[MR_ADDR_TEXT];

    json_object(j, NULL);
    json_str(j, "address", mr_addr_print(&u->addr, text));
    json_bool(j, "up", u->down_until_us <= mr_now_us(r->m));
    json_u64(j, "now", u->now);
    json_u64(j, "total", u->total);
    json_u64(j, "failures", u->failures);
    json_end(j);
}

size_t relay_status(void *core_state, char *buf, size_t n)
{
    const struct relay *r = core_state;
    const struct relay_counters *c = &r->count;
    struct json j;

    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_u64(&j, "open", r->open);
    json_u64(&j, "accepted", c->accepted);
    json_u64(&j, "finished", c->finished);
    json_u64(&j, "aborted", c->aborted);
    json_u64(&j, "refused", c->refused);
    json_u64(&j, "no_upstream", c->no_upstream);
    json_u64(&j, "no_memory", c->no_memory);
    json_u64(&j, "connect_timeouts", c->timeouts[RELAY_CONNECTING]);
    json_u64(&j, "idle_timeouts", c->timeouts[RELAY_OPEN]);
    json_u64(&j, "retries", c->retries);
    json_u64(&j, "blocked", c->blocked);
    json_u64(&j, "bytes_from_clients", c->bytes[0]);
    json_u64(&j, "bytes_from_upstreams", c->bytes[1]);
    json_u64(&j, "bytes_copied", c->copied[0] + c->copied[1]);
    json_array(&j, "upstreams");
    for (unsigned i = 0; i < r->balancer.n; i++)
        put_upstream(&j, r, &r->balancer.up[i]);
    json_end(&j);
    json_end(&j);
    return json_fini(&j);
}
