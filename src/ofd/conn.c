/* Connections: accepted, read, put off, closed. */
#include <stdio.h>
#include <stdlib.h>

#include "ofd/ofd_int.h"
#include "os/os.h"

#define SPARE_CONNS 64u /* those that sdn has forgotten and that linger */

int ofd_conns_init(struct ofd_core *c)
{
    c->max_conns = c->ofd->config.sdn.conns + SPARE_CONNS;
    c->buckets = 64;
    while (c->buckets < c->max_conns)
        c->buckets *= 2;
    c->conns = os_reserve(c->max_conns * sizeof(*c->conns), false);
    c->bucket = calloc(c->buckets, sizeof(struct ofd_conn *));
    link_init(&c->later);
    link_init(&c->stalled);
    link_init(&c->handshakes);
    link_init(&c->lingering);
    link_init(&c->alone);
    return c->conns && c->bucket ? MR_OK : MR_ENOMEM;
}

/* ---- by sdn's number ------------------------------------------------------------------ */

static struct ofd_conn **bucket_of(const struct ofd_core *c, sdn_conn id)
{
    return &c->bucket[(id * UINT32_C(0x9e3779b1) >> 7) & (c->buckets - 1)];
}

struct ofd_conn *ofd_conn_find(const struct ofd_core *c, sdn_conn id)
{
    struct ofd_conn *k = *bucket_of(c, id);

    while (k && k->id != id)
        k = k->same;
    return k;
}

static void number_link(struct ofd_core *c, struct ofd_conn *k)
{
    struct ofd_conn **at = bucket_of(c, k->id);

    k->same = *at;
    *at = k;
}

static void number_unlink(struct ofd_core *c, struct ofd_conn *k)
{
    struct ofd_conn **at = bucket_of(c, k->id);

    while (*at != k)
        at = &(*at)->same;
    *at = k->same;
    k->same = NULL;
    k->id = 0;
}

/* ---- the beginning -------------------------------------------------------------------- */

static struct ofd_conn *conn_get(struct ofd_core *c)
{
    struct ofd_conn *k = c->free_conn;

    if (k)
        c->free_conn = k->same;
    else if (c->used_conns < c->max_conns)
        k = &c->conns[c->used_conns++];
    if (k) {
        *k = (struct ofd_conn){0};
        c->live_conns++;
    }
    return k;
}

static void conn_put(struct ofd_core *c, struct ofd_conn *k)
{
    link_remove(&k->turn);
    link_remove(&k->timed);
    link_remove(&k->alone);
    tls_close(k->tls);
    free(k->plain);
    *k = (struct ofd_conn){.same = c->free_conn};
    c->free_conn = k;
    c->live_conns--;
}

bool ofd_conn_begin(struct ofd_core *c, struct ofd_conn *k)
{
    struct sdn_peer peer = {.port = k->peer.port, .tls = k->tls != NULL};

    memcpy(peer.ip.w, k->peer.ip, sizeof(peer.ip.w));
    if (k->tls)
        snprintf(peer.subject, sizeof(peer.subject), "%s", tls_subject(k->tls));
    link_remove(&k->timed);
    k->id = sdn_open(c->sdn, k->listener->speech, &peer, c->now);
    if (!k->id) {
        c->stats.refused++;
        ofd_conn_gone(c, k, true, "no room for another switch");
        return false;
    }
    k->state = CONN_UP;
    k->is_new = true;
    c->news++;
    number_link(c, k);
    return true;
}

static bool begin_tls(struct ofd_core *c, struct ofd_conn *k)
{
    k->tls = tls_open(c->ofd->tls);
    k->plain = malloc(PLAIN_BYTES);
    k->state = CONN_TLS;
    k->until = c->now + c->ofd->config.sdn.handshake_us;
    link_append(&c->handshakes, &k->timed);
    if (k->tls && k->plain)
        return true;
    c->stats.refused++;
    ofd_conn_gone(c, k, true, "no memory for TLS");
    return false;
}

static struct ofd_conn *first_timed(const struct link *list)
{
    return link_is_empty(list) ? NULL : container_of(list->next, struct ofd_conn, timed);
}

/* No place is left: the oldest handshake of TLS ends, unless it has only just begun. */
static struct ofd_conn *place_made(struct ofd_core *c)
{
    uint64_t patience = c->ofd->config.sdn.handshake_us;
    struct ofd_conn *k = first_timed(&c->handshakes);

    if (!k || k->until > c->now + patience - patience / GIVE_WAY)
        return NULL;
    c->stats.tls_failed++;
    ofd_conn_gone(c, k, true, "TLS: others wait for its place");
    return conn_get(c);
}

static void begin(struct ofd_core *c, mr_sock s, const struct mr_addr *peer,
                  const struct ofd_listener *l)
{
    struct ofd_conn *k = conn_get(c);

    c->stats.accepted++;
    if (!k)
        k = place_made(c);
    if (!k) {
        c->stats.refused++;
        mr_abort(c->m, s);
        return;
    }
    k->sock = s;
    k->peer = *peer;
    k->listener = l;
    mr_set_user(c->m, s, k);
    mr_setopt(c->m, s, MR_NODELAY, 1);
    if (l->tls ? begin_tls(c, k) : ofd_conn_begin(c, k))
        ofd_conn_read(c, k);
}

void ofd_conn_accept_all(struct ofd_core *c, mr_sock listener, const struct ofd_listener *l)
{
    struct mr_addr peer;
    mr_sock s;

    while (mr_accept(c->m, listener, &s, &peer) == MR_OK)
        begin(c, s, &peer, l);
}

/* ---- the end -------------------------------------------------------------------------- */

static void say_end(struct ofd_core *c, const struct ofd_conn *k, const char *why)
{
    char text[MR_ADDR_TEXT];

    mr_addr_print(&k->peer, text);
    if (!why[0])
        why = "closed";
    if (k->said_up)
        ofd_say(c, "switch %016llx gone: %s, %s", (unsigned long long)k->dpid, text, why);
    else if (k->state != CONN_LINGER)
        ofd_say(c, "%s: %s", text, why);
}

/* Sdn forgets it. */
static void forget(struct ofd_core *c, struct ofd_conn *k)
{
    ofd_conn_drop_held(c, k);
    if (k->has_out)
        sdn_output_done(c->sdn, &k->out);
    k->has_out = false;
    if (k->is_new)
        c->news--;
    k->is_new = false;
    if (k->id) {
        sdn_closed(c->sdn, k->id, c->now);
        number_unlink(c, k);
    }
    link_remove(&k->turn);
    link_remove(&k->alone);
}

/* What is still to be sent lies in sdn's chunks: a peer that has hung up and does not read would
 * keep them for as long as it answers the stack's probes of its window. */
static bool holds_output(const struct ofd_core *c, mr_sock s)
{
    int64_t queued = 0;

    return mr_getopt(c->m, s, MR_SNDQ, &queued) == MR_OK && queued > COPY_MAX;
}

void ofd_conn_gone(struct ofd_core *c, struct ofd_conn *k, bool reset, const char *why)
{
    mr_sock s = k->sock;

    say_end(c, k, why);
    forget(c, k);
    conn_put(c, k);
    if (reset || holds_output(c, s))
        mr_abort(c->m, s);
    else
        mr_close(c->m, s);
}

void ofd_conn_linger(struct ofd_core *c, struct ofd_conn *k, const char *why)
{
    say_end(c, k, why);
    forget(c, k);
    if (k->tls) {
        tls_shutdown(k->tls);
        ofd_conn_send_records(c, k);
    }
    k->state = CONN_LINGER;
    k->said_up = false;
    mr_shutdown(c->m, k->sock);
    if (!k->closing) {
        k->until = c->now + LINGER_US;
        link_remove(&k->timed);
        link_append(&c->lingering, &k->timed);
    }
    ofd_conn_read(c, k);
}

/* ---- reading -------------------------------------------------------------------------- */

static void put_off(struct ofd_core *c, struct ofd_conn *k)
{
    if (!link_is_in(&k->turn))
        link_append(&c->later, &k->turn);
    c->stats.put_off++;
    core_again(c);
}

/* Nobody wants what a connection says that lingers; its end ends it. */
static void read_and_forget(struct ofd_core *c, struct ofd_conn *k)
{
    struct mr_slice s;
    int rc;

    while ((rc = mr_recv_slices(c->m, k->sock, &s, 1)) > 0)
        mr_slice_release(c->m, &s);
    if (rc != MR_EAGAIN)
        ofd_conn_gone(c, k, false, "");
}

static void note_not_new(struct ofd_core *c, struct ofd_conn *k)
{
    if (k->is_new && !sdn_is_new(c->sdn, k->id)) {
        k->is_new = false;
        c->news--;
    }
}

void ofd_conn_read(struct ofd_core *c, struct ofd_conn *k)
{
    uint32_t left = QUANTUM;

    if (k->state == CONN_LINGER) {
        read_and_forget(c, k);
        return;
    }
    for (;;) {
        enum fed fed = ofd_conn_feed(c, k);
        if (fed == FED_GONE)
            return;
        note_not_new(c, k);
        if (fed == FED_STALLED) {
            c->stats.stalls++;
            if (!link_is_in(&k->turn))
                link_append(&c->stalled, &k->turn);
            return;
        }
        if (fed == FED_END) {
            ofd_conn_gone(c, k, false, "closed by the switch");
            return;
        }
        if (left == 0) {
            put_off(c, k);
            return;
        }
        int n = mr_recv_slices(c->m, k->sock, k->held, HELD_MAX);
        if (n == MR_EAGAIN)
            return;
        if (n <= 0) {
            ofd_conn_gone(c, k, false, n == 0 ? "closed by the switch" : mr_strerror(n));
            return;
        }
        k->held_at = k->held_off = 0;
        k->held_n = (uint32_t)n;
        for (int i = 0; i < n; i++) {
            left -= min_u32(left, k->held[i].len);
            c->left -= min_u32(c->left, k->held[i].len);
        }
    }
}

void ofd_conn_readable(struct ofd_core *c, struct ofd_conn *k)
{
    if (link_is_in(&k->turn))
        return; /* put off, or stalled: read when its turn comes */
    if ((c->news > 0 || c->left == 0) && k->state == CONN_UP && !k->is_new)
        put_off(c, k);
    else
        ofd_conn_read(c, k);
}

void ofd_conns_later(struct ofd_core *c)
{
    struct link now;

    link_take_all(&now, &c->stalled);
    while (!link_is_empty(&now)) {
        struct ofd_conn *k = container_of(now.next, struct ofd_conn, turn);
        link_remove(&k->turn);
        if (sdn_takes_input(c->sdn, k->id) || sdn_do(c->sdn, k->id) != SDN_DO_NOTHING)
            link_append(&c->later, &k->turn);
        else
            link_append(&c->stalled, &k->turn);
    }
    /* Those whose turn does not come stay before those that are put off once more. */
    c->left = TURN_BYTES;
    link_take_all(&now, &c->later);
    while (!link_is_empty(&now) && c->left > 0) {
        struct ofd_conn *k = container_of(now.next, struct ofd_conn, turn);
        link_remove(&k->turn);
        ofd_conn_read(c, k);
        ofd_conns_send_ready(c);
    }
    if (link_is_empty(&now))
        return;
    while (!link_is_empty(&c->later)) {
        struct ofd_conn *k = container_of(c->later.next, struct ofd_conn, turn);
        link_remove(&k->turn);
        link_append(&now, &k->turn);
    }
    link_take_all(&c->later, &now);
    core_again(c);
}

/* ---- time ----------------------------------------------------------------------------- */

void ofd_conns_timed(struct ofd_core *c)
{
    struct ofd_conn *k;

    while ((k = first_timed(&c->handshakes)) && k->until <= c->now) {
        c->stats.tls_failed++;
        ofd_conn_gone(c, k, true, "TLS: the handshake took too long");
    }
    while ((k = first_timed(&c->lingering)) && k->until <= c->now)
        ofd_conn_gone(c, k, true, k->state == CONN_UP ? sdn_why(c->sdn, k->id) : "");
}

instant ofd_conns_deadline(const struct ofd_core *c)
{
    const struct ofd_conn *h = first_timed(&c->handshakes), *l = first_timed(&c->lingering);
    instant at = link_is_empty(&c->alone) ? INSTANT_NEVER : c->now + RETRY_US;

    if (h)
        at = min_u64(at, h->until);
    if (l)
        at = min_u64(at, l->until);
    return at;
}

void ofd_conns_fini(struct ofd_core *c)
{
    for (uint32_t i = 0; i < c->used_conns; i++) {
        struct ofd_conn *k = &c->conns[i];
        if (k->state == CONN_FREE)
            continue;
        mr_sock s = k->sock;
        forget(c, k);
        conn_put(c, k);
        mr_close(c->m, s);
    }
}
