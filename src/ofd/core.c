/* One core: its events, its timer, its beginning and end. */
#include <stdio.h>
#include <stdlib.h>

#include "ofd/ofd_int.h"
#include "os/os.h"
#include "stat/json.h"

STAT_GROUP(ofd_stat_group, "ofd", OFD_STATS);

void core_again(struct ofd_core *c)
{
    if (c->again)
        return;
    c->again = true;
    mr_knock(c->m);
}

/* ---- time ----------------------------------------------------------------------------- */

static void timer_set(struct ofd_core *c)
{
    instant at = min_u64(sdn_deadline(c->sdn), ofd_conns_deadline(c));

    if (c->blocked)
        at = min_u64(at, c->now + RETRY_US);
    if (at >= c->timer_at)
        return;
    if (c->timer_at != INSTANT_NEVER)
        mr_timer_stop(c->m, c->timer);
    c->timer_at = INSTANT_NEVER;
    if (mr_timer_start(c->m, at > c->now ? at - c->now : 0, NULL, &c->timer) == MR_OK)
        c->timer_at = at;
}

static void time_has_come(struct ofd_core *c)
{
    c->timer_at = INSTANT_NEVER;
    c->blocked = 0;
    sdn_advance(c->sdn, c->now);
    ofd_conns_timed(c);
    ofd_conns_send_alone(c);
}

/* ---- events --------------------------------------------------------------------------- */

static void knocked(struct ofd_core *c)
{
    c->again = false;
    letters_read(c);
    questions_take(c);
    ofd_conns_later(c);
}

static void writable(struct ofd_core *c, struct ofd_conn *k)
{
    ofd_conn_send(c, k);
}

/* What every event may have left to do. */
static void settle(struct ofd_core *c)
{
    ofd_conns_send_ready(c);
    letters_post(c);
    questions_answer(c);
    timer_set(c);
}

void ofd_event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    struct ofd_core *c = core_state;

    c->now = mr_now_us(m);
    switch (ev->type) {
    case MR_EV_ACCEPT:
        ofd_conn_accept_all(c, ev->sock, ev->user);
        break;
    case MR_EV_READABLE:
        ofd_conn_readable(c, ev->user);
        break;
    case MR_EV_WRITABLE:
        writable(c, ev->user);
        break;
    case MR_EV_CLOSED:
        ofd_conn_gone(c, ev->user, false, ev->err ? mr_strerror(ev->err) : "closed by the switch");
        break;
    case MR_EV_TIMER:
        time_has_come(c);
        break;
    case MR_EV_LETTER:
        letters_read(c);
        break;
    case MR_EV_KNOCK:
        knocked(c);
        break;
    case MR_EV_CONNECTED:
    case MR_EV_URGENT:
    case MR_EV_SOFT_ERROR:
        return;
    }
    settle(c);
}

/* ---- the beginning -------------------------------------------------------------------- */

static int sdn_begin(struct ofd_core *c)
{
    struct sdn_config config = c->ofd->config.sdn;

    config.core = c->index;
    config.cores = c->ofd->cores;
    c->sdn_bytes = sdn_bytes(&config, NULL);
    c->sdn_memory = os_reserve(c->sdn_bytes, true);
    if (!c->sdn_memory)
        return MR_ENOMEM;
    c->sdn = sdn_init(c->sdn_memory, &config, c->now);
    if (c->ofd->store && !store_file_load(c->ofd->store, c->sdn)) {
        fprintf(stderr, "%s: %s: is not a file of ours, or damaged\n", c->ofd->config.name,
                c->ofd->config.store);
        return MR_EINVAL;
    }
    return MR_OK;
}

static int listen_all(struct ofd_core *c)
{
    const struct ofd_config *o = &c->ofd->config;

    for (unsigned i = 0; i < o->listeners; i++) {
        const struct ofd_listener *l = &o->listener[i];
        const struct mr_listen_opts opts = {.user = (void *)(uintptr_t)l, .every_core = true};
        char text[MR_ADDR_TEXT];
        mr_sock s;
        int rc = mr_listen(c->m, &l->at, &opts, &s);
        if (rc < 0) {
            fprintf(stderr, "%s: %s: %s\n", o->name, mr_addr_print(&l->at, text), mr_strerror(rc));
            return rc;
        }
    }
    return MR_OK;
}

int ofd_init(struct mr *m, void *arg, void **core_state)
{
    struct ofd *o = arg;
    struct ofd_core *c = &o->core[mr_core(m)];
    int rc;

    *core_state = c;
    c->ofd = o;
    c->m = m;
    c->index = mr_core(m);
    c->now = mr_now_us(m);
    c->timer_at = INSTANT_NEVER;
    rc = ofd_conns_init(c);
    if (rc == MR_OK)
        rc = gives_init(c);
    if (rc == MR_OK)
        rc = sdn_begin(c);
    if (rc == MR_ENOMEM)
        fprintf(stderr, "%s: no address space for the controller's tables (%zu MB a core)\n",
                o->config.name, c->sdn_bytes >> 20);
    if (rc == MR_OK && c->index == 0)
        rc = listen_all(c);
    if (rc != MR_OK)
        return rc;
    questions_begin(&o->questions[c->index], m);
    settle(c);
    return MR_OK;
}

/* ---- the end -------------------------------------------------------------------------- */

/* What the stack still has of sdn's chunks goes out after this, so the memory stays until
 * ofd_close. */
void ofd_fini(struct mr *m, void *core_state)
{
    struct ofd_core *c = core_state;

    c->now = mr_now_us(m);
    /* Before their askers are told that nobody will answer: a connection's end answers those that
     * wait for its switch, in the askers' memory. */
    ofd_conns_fini(c);
    questions_end(&c->ofd->questions[c->index]);
    if (c->ofd->store && c->index == 0 && c->sdn)
        store_file_save(c->ofd->store, c->sdn);
    c->sdn = NULL;
}

/* ---- facts ---------------------------------------------------------------------------- */

static void put_group(struct json *j, const struct stat_group *g, const void *base)
{
    json_object(j, g->name);
    for (unsigned i = 0; i < g->n; i++)
        json_u64(j, g->fields[i].name, stat_value(g, base, i));
    json_end(j);
}

size_t ofd_status(void *core_state, char *buf, size_t n)
{
    const struct ofd_core *c = core_state;
    struct json j;

    if (!c || !c->sdn)
        return 0;
    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_u64(&j, "connections", c->live_conns);
    put_group(&j, &ofd_stat_group, &c->stats);
    put_group(&j, &sdn_stat_group, sdn_stats(c->sdn));
    json_end(&j);
    return json_fini(&j);
}
