/* From slices to sdn, in the clear or through TLS. */
#include <stdio.h>

#include "ofd/ofd_int.h"

static void next_slice(struct ofd_core *c, struct ofd_conn *k)
{
    mr_slice_release(c->m, &k->held[k->held_at]);
    k->held_at++;
    k->held_off = 0;
}

void ofd_conn_drop_held(struct ofd_core *c, struct ofd_conn *k)
{
    while (k->held_at < k->held_n)
        next_slice(c, k);
}

/* What sdn did not take: its output is full, or it wants the connection closed and no more of
 * it. */
static bool is_stalled(const struct ofd_core *c, const struct ofd_conn *k)
{
    return sdn_do(c->sdn, k->id) == SDN_DO_NOTHING;
}

static enum fed feed_clear(struct ofd_core *c, struct ofd_conn *k)
{
    while (k->held_at < k->held_n) {
        const struct mr_slice *s = &k->held[k->held_at];
        uint32_t n = s->len - k->held_off;
        size_t taken = sdn_input(c->sdn, k->id, s->ptr + k->held_off, n, c->now);
        if (taken < n) {
            k->held_off += (uint32_t)taken;
            if (is_stalled(c, k))
                return FED_STALLED;
            ofd_conn_drop_held(c, k);
            return FED_ALL;
        }
        next_slice(c, k);
    }
    return FED_ALL;
}

/* ---- TLS ------------------------------------------------------------------------------ */

/* Plain text that sdn did not take lies in k->plain until it does. */
static bool feed_plain(struct ofd_core *c, struct ofd_conn *k)
{
    uint32_t n = k->plain_n - k->plain_at;

    if (n == 0)
        return true;
    size_t taken = sdn_input(c->sdn, k->id, k->plain + k->plain_at, n, c->now);
    k->plain_at += (uint32_t)taken;
    if (taken == n)
        return true;
    if (is_stalled(c, k))
        return false;
    k->plain_at = k->plain_n;
    return true;
}

static bool records_put(struct ofd_core *c, struct ofd_conn *k)
{
    bool any = false;

    while (k->held_at < k->held_n) {
        const struct mr_slice *s = &k->held[k->held_at];
        size_t taken = tls_input(k->tls, s->ptr + k->held_off, s->len - k->held_off);
        any |= taken > 0;
        k->held_off += (uint32_t)taken;
        if (k->held_off < s->len)
            return any;
        next_slice(c, k);
    }
    return any;
}

static enum fed tls_is_over(struct ofd_core *c, struct ofd_conn *k)
{
    char why[240];

    snprintf(why, sizeof(why), "TLS: %s", tls_why(k->tls));
    c->stats.tls_failed += k->state == CONN_TLS;
    ofd_conn_send_records(c, k); /* the alert */
    ofd_conn_linger(c, k, why);
    return FED_GONE;
}

static enum fed feed_tls(struct ofd_core *c, struct ofd_conn *k)
{
    for (;;) {
        if (!feed_plain(c, k))
            return FED_STALLED;
        int64_t n = tls_read(k->tls, k->plain, PLAIN_BYTES);
        ofd_conn_send_records(c, k);
        if (k->state == CONN_TLS && tls_is_up(k->tls)) {
            c->stats.tls_handshakes++;
            if (!ofd_conn_begin(c, k))
                return FED_GONE;
        }
        k->plain_at = 0;
        k->plain_n = n > 0 ? (uint32_t)n : 0;
        if (n == TLS_FAILED)
            return tls_is_over(c, k);
        if (n == 0)
            return FED_END;
        if (n == TLS_AGAIN && !records_put(c, k))
            return FED_ALL;
    }
}

enum fed ofd_conn_feed(struct ofd_core *c, struct ofd_conn *k)
{
    return k->tls ? feed_tls(c, k) : feed_clear(c, k);
}
