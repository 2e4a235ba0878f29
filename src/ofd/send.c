/* From sdn to the network: chunks are given, short pieces copied, records of TLS copied. */
#include <stdlib.h>

#include "ofd/ofd_int.h"

/* ---- chunks the stack has ------------------------------------------------------------- */

int gives_init(struct ofd_core *c)
{
    c->max_gives = c->ofd->config.sdn.chunks;
    c->gives = calloc(c->max_gives, sizeof(*c->gives));
    if (!c->gives)
        return MR_ENOMEM;
    for (uint32_t i = c->max_gives; i-- > 0;) {
        c->gives[i] = (struct give){.core = c, .next = c->free_give};
        c->free_give = &c->gives[i];
    }
    return MR_OK;
}

/* Who waited for room may have it now: looked at in the next turn. */
static void output_done(struct ofd_core *c, const struct sdn_out *out)
{
    sdn_output_done(c->sdn, out);
    if (!link_is_empty(&c->stalled))
        core_again(c);
}

/* Between turns, so what can go on now does so in the next. */
static void given_back(void *arg, const void *p, size_t n)
{
    struct give *g = arg;
    struct ofd_core *c = g->core;

    (void)p;
    (void)n;
    if (c->sdn)
        output_done(c, &g->out);
    g->next = c->free_give;
    c->free_give = g;
}

/* ---- a piece of output ---------------------------------------------------------------- */

static int give(struct ofd_core *c, struct ofd_conn *k)
{
    struct give *g = c->free_give;
    int rc;

    g->out = k->out;
    rc = mr_send_give(c->m, k->sock, k->out.p, k->out.n, 0, given_back, g);
    if (rc == MR_OK) {
        c->free_give = g->next;
        c->stats.gives++;
    }
    return rc;
}

static int copy(struct ofd_core *c, struct ofd_conn *k)
{
    while (k->out_off < k->out.n) {
        int64_t n = mr_send(c->m, k->sock, k->out.p + k->out_off, k->out.n - k->out_off, 0);
        if (n < 0)
            return (int)n;
        k->out_off += (uint32_t)n;
    }
    c->stats.copies++;
    output_done(c, &k->out);
    return MR_OK;
}

/* A POF switch must get a message in one piece: it begins when nothing before it can hold back
 * a part of it. */
static bool must_wait(struct ofd_core *c, struct ofd_conn *k)
{
    int64_t queued = 0;

    if (!k->out.alone || k->out_off > 0)
        return false;
    return mr_getopt(c->m, k->sock, MR_SNDQ, &queued) == MR_OK && queued > 0;
}

static int send_clear(struct ofd_core *c, struct ofd_conn *k)
{
    if (must_wait(c, k)) {
        if (!link_is_in(&k->alone))
            link_append(&c->alone, &k->alone);
        return MR_EAGAIN;
    }
    if (k->out.n > COPY_MAX && k->out_off == 0 && c->free_give)
        return give(c, k);
    return copy(c, k);
}

/* ---- TLS ------------------------------------------------------------------------------ */

bool ofd_conn_send_records(struct ofd_core *c, struct ofd_conn *k)
{
    const uint8_t *p;
    size_t n;

    while ((n = tls_output(k->tls, &p)) > 0) {
        int64_t sent = mr_send(c->m, k->sock, p, n, 0);
        if (sent <= 0)
            return false;
        tls_sent(k->tls, (size_t)sent);
    }
    return true;
}

static int send_tls(struct ofd_core *c, struct ofd_conn *k)
{
    while (k->out_off < k->out.n) {
        if (!ofd_conn_send_records(c, k))
            return MR_EAGAIN;
        int64_t n = tls_write(k->tls, k->out.p + k->out_off, k->out.n - k->out_off);
        if (n == TLS_AGAIN)
            return MR_EAGAIN;
        if (n < 0)
            return MR_EPIPE;
        k->out_off += (uint32_t)n;
    }
    output_done(c, &k->out);
    ofd_conn_send_records(c, k);
    return MR_OK;
}

/* ---- a connection --------------------------------------------------------------------- */

static bool next_output(struct ofd_core *c, struct ofd_conn *k)
{
    if (k->has_out)
        return true;
    k->has_out = sdn_output(c->sdn, k->id, &k->out);
    k->out_off = 0;
    return k->has_out;
}

/* Sdn wants it closed, and it has so long to take what is said last. */
static void begin_closing(struct ofd_core *c, struct ofd_conn *k)
{
    if (k->closing)
        return;
    k->closing = true;
    k->until = c->now + LINGER_US;
    link_append(&c->lingering, &k->timed);
}

static const char *dialect_of(const struct sdn_who *w)
{
    return ofp_dialect_name(w->dialect);
}

static void say_up(struct ofd_core *c, struct ofd_conn *k)
{
    char text[MR_ADDR_TEXT];
    struct sdn_who who;

    if (!sdn_who(c->sdn, k->id, &who) || !who.up)
        return;
    k->said_up = true;
    k->dpid = who.dpid;
    ofd_say(c, "switch %016llx up: %s, %s, %u ports, core %u%s%s", (unsigned long long)who.dpid,
            mr_addr_print(&k->peer, text), dialect_of(&who), who.ports, c->index,
            k->tls ? ", TLS " : "", k->tls ? tls_subject(k->tls) : "");
}

void ofd_conn_send(struct ofd_core *c, struct ofd_conn *k)
{
    if (k->state != CONN_UP) {
        if (k->tls)
            ofd_conn_send_records(c, k);
        return;
    }
    if (!k->said_up)
        say_up(c, k);
    enum sdn_do what = sdn_do(c->sdn, k->id);
    if (what == SDN_DO_ABORT) {
        ofd_conn_gone(c, k, true, sdn_why(c->sdn, k->id));
        return;
    }
    if (what == SDN_DO_CLOSE)
        begin_closing(c, k);
    while (next_output(c, k)) {
        int rc = k->tls ? send_tls(c, k) : send_clear(c, k);
        if (rc == MR_EAGAIN)
            return; /* MR_EV_WRITABLE follows, or the timer */
        if (rc != MR_OK) {
            ofd_conn_gone(c, k, true, mr_strerror(rc));
            return;
        }
        k->has_out = false;
    }
    if (what == SDN_DO_CLOSE)
        ofd_conn_linger(c, k, sdn_why(c->sdn, k->id));
}

void ofd_conns_send_ready(struct ofd_core *c)
{
    sdn_conn id;

    while ((id = sdn_next_ready(c->sdn))) {
        struct ofd_conn *k = ofd_conn_find(c, id);
        if (k)
            ofd_conn_send(c, k);
    }
}

void ofd_conns_send_alone(struct ofd_core *c)
{
    struct link now;

    link_take_all(&now, &c->alone);
    while (!link_is_empty(&now)) {
        struct ofd_conn *k = container_of(now.next, struct ofd_conn, alone);
        link_remove(&k->alone);
        ofd_conn_send(c, k);
    }
}
