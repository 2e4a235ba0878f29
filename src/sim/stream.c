/* Moving bytes: what an end sends, and the judgement of what it receives. */
#include "sim/sim_int.h"

#define READ_STEPS 12u
#define WRITE_STEPS 12u
#define PIECE_MAX 16384u

/* ---- content ---------------------------------------------------------------------- */

void sim_hello_fill(const struct sim_world *w, uint32_t id, uint8_t hello[SIM_HELLO])
{
    store_be32(hello, id);
    store_be32(hello + 4, (uint32_t)mix64(w->options.seed ^ (uint64_t)id << 32));
}

struct sim_conn *sim_hello_find(struct sim_world *w, const uint8_t hello[SIM_HELLO])
{
    uint8_t right[SIM_HELLO];
    uint32_t id = load_be32(hello);

    if (id >= w->plan.conns)
        return NULL;
    sim_hello_fill(w, id, right);
    return memcmp(right, hello, SIM_HELLO) == 0 ? &w->conn[id] : NULL;
}

static uint64_t stream_of(const struct sim_end *e)
{
    return (uint64_t)e->conn->id * 2 + e->side;
}

/* Bytes [pos, pos + n) of what e sends. */
static void fill(const struct sim_world *w, const struct sim_end *e, uint64_t pos, uint8_t *dst,
                 uint32_t n)
{
    uint8_t hello[SIM_HELLO];

    sim_oracle_fill(&w->oracle, stream_of(e), pos, dst, n);
    if (e->side != 0 || pos >= SIM_HELLO)
        return;
    sim_hello_fill(w, e->conn->id, hello);
    memcpy(dst, hello + pos, min_u32(n, (uint32_t)(SIM_HELLO - pos)));
}

/* e has received n bytes that should stand at pos of what its peer sends. */
static bool judge(struct sim_world *w, const struct sim_end *e, uint64_t pos, const uint8_t *b,
                  size_t n, const char *how)
{
    const struct sim_end *peer = &e->conn->end[!e->side];
    uint32_t first =
        peer->side == 0 && pos < SIM_HELLO ? min_u32((uint32_t)n, (uint32_t)(SIM_HELLO - pos)) : 0;
    uint8_t hello[SIM_HELLO];
    size_t good = first;

    /* Only twins read the header here. */
    if (first) {
        fill(w, peer, pos, hello, first);
        good = memcmp(hello, b, first) == 0 ? first : 0;
    }
    if (good == first)
        good += sim_oracle_check(&w->oracle, stream_of(peer), pos + first, b + first, n - first);
    w->result.bytes_checked += n;
    if (good < n) {
        sim_fail(w, "host %u conn %u: byte %llu of what host %u sent is wrong (%s)", e->host,
                 e->conn->id, (unsigned long long)(pos + good), peer->host, how);
        return false;
    }
    if (pos + n > peer->sent) {
        sim_fail(w, "host %u conn %u: received %llu bytes, only %llu were sent", e->host,
                 e->conn->id, (unsigned long long)(pos + n), (unsigned long long)peer->sent);
        return false;
    }
    return true;
}

/* ---- receiving -------------------------------------------------------------------- */

void sim_stream_release(struct sim_app *a, struct sim_end *e, bool all)
{
    for (uint32_t i = 0; i < e->held_n;) {
        struct sim_held *h = &e->held[i];
        if (!all && sim_app_chance(a, 50)) {
            i++;
            continue;
        }
        judge(a->world, e, h->pos, h->slice.ptr, h->slice.len, "a slice, on its release");
        mr_slice_release(a->m, &h->slice);
        *h = e->held[--e->held_n];
        a->world->held--;
    }
}

static int64_t read_slices(struct sim_app *a, struct sim_end *e)
{
    struct mr_slice s[SIM_HELD];
    uint64_t before = e->rcvd;
    int max = (int)(1 + rng_below(&a->rng, SIM_HELD - e->held_n));
    int n = mr_recv_slices(a->m, e->sock, s, max);

    for (int i = 0; i < n; i++) {
        judge(a->world, e, e->rcvd, s[i].ptr, s[i].len, "a slice");
        e->held[e->held_n++] = (struct sim_held){.slice = s[i], .pos = e->rcvd};
        a->world->held++;
        e->rcvd += s[i].len;
    }
    if (n > max)
        sim_fail(a->world, "mr_recv_slices gave more slices than asked for");
    return n > 0 ? (int64_t)(e->rcvd - before) : n;
}

static int64_t read_copy(struct sim_app *a, struct sim_end *e, const struct sim_manner *m)
{
    uint8_t *b = a->world->scratch;
    size_t want = 1 + rng_below(&a->rng, m->chunk_max);

    if (sim_app_chance(a, m->peek)) {
        int64_t n = mr_recv(a->m, e->sock, b, want, MR_PEEK);
        if (n > 0)
            judge(a->world, e, e->rcvd, b, (size_t)n, "a peek");
    }
    int64_t n = mr_recv(a->m, e->sock, b, want, 0);
    if (n > (int64_t)want)
        sim_fail(a->world, "mr_recv gave more than asked for");
    if (n > 0) {
        judge(a->world, e, e->rcvd, b, (size_t)n, "a copy");
        e->rcvd += (uint64_t)n;
    }
    return n;
}

/* The end of stream must stand where the peer put it. */
static void read_eof(struct sim_app *a, struct sim_end *e)
{
    const struct sim_end *peer = &e->conn->end[!e->side];

    e->eof = true;
    sim_note(a->world, e->host, "conn %u: end of stream at %llu", e->conn->id,
             (unsigned long long)e->rcvd);
    if (e->rcvd == 0 && sim_end_is_unheard(a->world, peer))
        return;
    if (!peer->shut || peer->sent != e->rcvd)
        sim_fail(a->world, "host %u conn %u: end of stream at %llu, but the peer %s %llu", e->host,
                 e->conn->id, (unsigned long long)e->rcvd,
                 peer->shut ? "finished at" : "goes on after", (unsigned long long)peer->sent);
}

bool sim_stream_read(struct sim_app *a, struct sim_end *e)
{
    const struct sim_manner *m = &e->conn->manner[e->side];

    for (unsigned step = 0; step < READ_STEPS && !e->eof; step++) {
        int64_t n;
        if (sim_app_chance(a, m->pause)) {
            sim_end_poke_later(a, e, m->pause_us);
            return false;
        }
        n = e->held_n < SIM_HELD && sim_app_chance(a, m->slice) ? read_slices(a, e)
                                                                : read_copy(a, e, m);
        if (a->world->over || n == MR_EAGAIN)
            return !a->world->over;
        if (n < 0) {
            sim_end_error(a, e, (int)n);
            return false;
        }
        e->moved_us = mr_now_us(a->m);
        if (n == 0)
            read_eof(a, e);
        if (sim_end_quit(a, e))
            return false;
    }
    if (!e->eof)
        sim_end_poke_later(a, e, 0);
    return true;
}

/* ---- sending ---------------------------------------------------------------------- */

/* How much may be sent by now: everything, or as many requests or responses as it is our turn
 * for. */
static uint64_t allowance(const struct sim_end *e)
{
    const struct sim_conn *c = e->conn;
    const struct sim_manner *m = &c->manner[e->side];
    uint64_t n = m->total;

    if (m->waits_eof && !e->eof)
        return e->side == 0 ? min_u64(n, SIM_HELLO) : 0;
    if (c->request && e->side == 0)
        n = SIM_HELLO + (e->rcvd / c->response + 1) * c->request;
    else if (c->request)
        n = e->rcvd < SIM_HELLO ? 0 : (e->rcvd - SIM_HELLO) / c->request * c->response;
    return min_u64(n, m->total);
}

static void give_back(void *arg, const void *ptr, size_t n)
{
    struct sim_give *g = arg;
    struct sim_world *w = g->world;

    if (g->n == 0 || g->n != n || ptr != g->bytes) {
        sim_fail(w, "a buffer came back that was not given, or not so");
        return;
    }
    /* Whoever still sends from here now sends something else. */
    memset(g->bytes, 0xee, n);
    g->n = 0;
    g->next = w->give_free;
    w->give_free = (uint32_t)(g - w->give) + 1;
    w->gives_out--;
}

static int64_t send_give(struct sim_app *a, struct sim_end *e, uint32_t n, unsigned flags)
{
    struct sim_world *w = a->world;
    struct sim_give *g = &w->give[w->give_free - 1];
    int rc;

    n = min_u32(n, SIM_GIVE_BYTES);
    fill(w, e, e->sent, g->bytes, n);
    w->give_free = g->next;
    g->n = n;
    w->gives_out++;
    rc = mr_send_give(a->m, e->sock, g->bytes, n, flags, give_back, g);
    if (g->n != n)
        sim_fail(w, "a given buffer came back from inside mr_send_give");
    if (rc < 0)
        give_back(g, g->bytes, n);
    return rc < 0 ? rc : (int64_t)n;
}

static int64_t send_piece(struct sim_app *a, struct sim_end *e, const struct sim_manner *m,
                          uint32_t n)
{
    unsigned flags = 0;

    if (sim_app_chance(a, m->more))
        flags |= MR_MORE;
    if (sim_app_chance(a, m->oob))
        flags |= MR_OOB;
    if (a->world->give_free && sim_app_chance(a, m->give))
        return send_give(a, e, n, flags & MR_MORE);
    fill(a->world, e, e->sent, a->world->scratch, n);
    return mr_send(a->m, e->sock, a->world->scratch, n, flags);
}

bool sim_stream_write(struct sim_app *a, struct sim_end *e)
{
    const struct sim_manner *m = &e->conn->manner[e->side];

    for (unsigned step = 0; e->sent < allowance(e); step++) {
        uint32_t left = (uint32_t)min_u64(allowance(e) - e->sent, PIECE_MAX);
        uint32_t n = min_u32(left, 1 + rng_below(&a->rng, m->chunk_max));
        int64_t took;
        if (step == WRITE_STEPS || sim_app_chance(a, m->pause)) {
            sim_end_poke_later(a, e, step == WRITE_STEPS ? 0 : m->pause_us);
            return false;
        }
        took = send_piece(a, e, m, n);
        if (took == MR_EAGAIN)
            return false;
        if (took < 0) {
            sim_end_error(a, e, (int)took);
            return false;
        }
        if (took == 0 || took > n) {
            sim_fail(a->world, "mr_send took %lld of %u bytes", (long long)took, n);
            return false;
        }
        e->sent += (uint64_t)took;
        e->moved_us = mr_now_us(a->m);
        if (sim_end_quit(a, e))
            return false;
    }
    return true;
}
