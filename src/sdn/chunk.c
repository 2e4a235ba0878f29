/* Output: chunks of SDN_CHUNK_BYTES from one pool.
 *
 * A connection writes in two lanes, control and data; each is a list of chunks.  A chunk is written
 * from its beginning, taken by the transport in pieces of whole messages, and goes back to the pool
 * when all that was written of it has been let go of:
 *
 *     0            done         taken           written        SDN_CHUNK_BYTES
 *     [ let go of   | the transport's | to be taken  | room         ]
 *
 * (done counts bytes, since pieces come back in any order).  The pool gives out the chunk that came
 * back last, so a few that the processor's cache holds serve all connections.
 *
 * Each lane of each connection can always have one chunk; more of them as long as others' first
 * ones are not touched. */
#include "sdn/sdn_int.h"

#define CONTROL_CHUNKS 4u

struct chunk {
    struct chunk *next;       /* of its lane; in the pool: free */
    struct sdn_switch *owner; /* NULL: its connection is gone */
    uint32_t written, taken, done;
    bool control;
};

struct chunks {
    struct pool pool; /* of struct chunk */
    uint8_t *bytes;
    uint32_t reserve;
    bool starved; /* some connection is blocked because of others' chunks */
};

void chunks_carve(struct sdn *s)
{
    struct chunks *cs = mem_carve(&s->mem, sizeof(*cs), CACHE_LINE);
    struct chunks dry = {0};
    struct chunks *at = cs ? cs : &dry;
    uint32_t n = s->config.chunks + 2 * s->config.conns;

    pool_init(&at->pool, &s->mem, n, sizeof(struct chunk), MEM_UNIT);
    at->bytes = mem_carve(&s->mem, (size_t)n * SDN_CHUNK_BYTES, 4096);
    at->reserve = 2 * s->config.conns;
    s->chunks = cs;
}

static uint8_t *chunk_bytes(const struct sdn *s, const struct chunk *c)
{
    return s->chunks->bytes + (size_t)pool_index(&s->chunks->pool, c) * SDN_CHUNK_BYTES;
}

static struct out_lane *lane_of(struct sdn_switch *sw, bool control)
{
    return control ? &sw->control : &sw->data;
}

static bool lane_may_grow(const struct sdn *s, const struct sdn_switch *sw, bool control)
{
    uint32_t chunks = control ? sw->control.chunks : sw->data.chunks;
    uint32_t limit = control ? CONTROL_CHUNKS : s->config.conn_chunks;
    uint32_t free = pool_available(&s->chunks->pool);

    return chunks < limit && free > (chunks == 0 ? 0 : s->chunks->reserve);
}

/* The last chunk of a lane is full, or there is none: another one. */
static bool lane_grow(struct sdn *s, struct sdn_switch *sw, bool control)
{
    struct out_lane *lane = lane_of(sw, control);
    struct chunk *c = lane_may_grow(s, sw, control) ? pool_get(&s->chunks->pool) : NULL;

    if (!c) {
        s->stats.chunks_full++;
        if (control) {
            session_abort(s, sw, "it does not read what it is sent");
        } else {
            sw->blocked = true;
            s->chunks->starved = s->chunks->starved || sw->data.chunks < s->config.conn_chunks;
        }
        return false;
    }
    *c = (struct chunk){.owner = sw, .control = control};
    if (lane->last)
        lane->last->next = c;
    else
        lane->first = c;
    lane->last = c;
    lane->chunks++;
    lane->at = chunk_bytes(s, c);
    lane->end = lane->at + SDN_CHUNK_BYTES;
    return true;
}

uint8_t *say_begin(struct sdn *s, struct sdn_switch *sw, size_t n, bool control)
{
    struct out_lane *lane = lane_of(sw, control);

    MR_ASSERT(n <= SDN_CHUNK_BYTES);
    if (unlikely(sw->phase == PHASE_CLOSING))
        return NULL;
    if (unlikely((size_t)(lane->end - lane->at) < n) && !lane_grow(s, sw, control))
        return NULL;
    return lane->at;
}

void say_end(struct sdn *s, struct sdn_switch *sw, size_t n, bool control)
{
    if (n > 0)
        say_end_many(s, sw, n, 1, control);
}

void say_end_many(struct sdn *s, struct sdn_switch *sw, size_t n, uint32_t messages, bool control)
{
    struct out_lane *lane = lane_of(sw, control);

    MR_ASSERT(n > 0 && (size_t)(lane->end - lane->at) >= n);
    lane->at += n;
    lane->last->written += (uint32_t)n;
    s->stats.messages_out += messages;
    s->stats.bytes_out += n;
    ready_mark(s, sw);
}

/* ---- leaving ---- */

/* Whole messages that one segment of any network can carry, or one that is longer and an echo: a
 * POF switch must not see a part of one (pof.md).  Those that go together are answered together:
 * behind an entry goes the ECHO_REQUEST whose answer brings the acknowledgement that the next piece
 * waits for; alone it would wait for a delayed one. */
#define PIECE_BYTES 1400u
#define PIECE_ECHO 64u

static uint32_t piece(const uint8_t *p, uint32_t n)
{
    uint32_t k = load_be16(p + 2), most = max_u32(PIECE_BYTES, k + PIECE_ECHO);

    while (k + OFP_HLEN <= n && k + load_be16(p + k + 2) <= most)
        k += load_be16(p + k + 2);
    return k;
}

static bool lane_output(const struct sdn *s, const struct sdn_switch *sw,
                        const struct out_lane *lane, struct sdn_out *out)
{
    struct chunk *c = lane->first;

    while (c && c->taken == c->written)
        c = c->next;
    if (!c)
        return false;
    out->p = chunk_bytes(s, c) + c->taken;
    out->alone = sw->speech != SDN_SPEAKS_OPENFLOW;
    out->n = c->written - c->taken;
    if (out->alone)
        out->n = piece(out->p, out->n);
    out->chunk = pool_index(&s->chunks->pool, c);
    c->taken += out->n;
    return true;
}

bool sdn_output(struct sdn *s, sdn_conn c, struct sdn_out *out)
{
    const struct sdn_switch *sw = sdn_switch_of(s, c);

    return sw && (lane_output(s, sw, &sw->control, out) || lane_output(s, sw, &sw->data, out));
}

static void chunk_unlink(struct sdn_switch *sw, struct chunk *c)
{
    struct out_lane *lane = lane_of(sw, c->control);
    struct chunk *before = NULL;

    for (struct chunk *at = lane->first; at != c; at = at->next)
        before = at;
    if (before)
        before->next = c->next;
    else
        lane->first = c->next;
    if (lane->last == c) {
        lane->last = before;
        lane->at = lane->end = NULL;
    }
    lane->chunks--;
}

static void unblock(struct sdn *s, struct sdn_switch *sw)
{
    if (sw->blocked && lane_may_grow(s, sw, false)) {
        sw->blocked = false;
        ready_mark(s, sw);
    }
}

void sdn_output_done(struct sdn *s, const struct sdn_out *out)
{
    struct chunk *c = pool_at(&s->chunks->pool, out->chunk);
    struct sdn_switch *owner = c->owner;

    c->done += out->n;
    MR_ASSERT(c->done <= c->taken);
    if (c->done < c->written)
        return;
    if (owner)
        chunk_unlink(owner, c);
    pool_put(&s->chunks->pool, c);
    if (owner)
        unblock(s, owner);
    if (unlikely(s->chunks->starved)) {
        s->chunks->starved = false;
        for (struct sdn_switch *sw = s->first; sw; sw = sw->next) {
            unblock(s, sw);
            s->chunks->starved =
                s->chunks->starved || (sw->blocked && sw->data.chunks < s->config.conn_chunks);
        }
    }
}

/* The connection is gone: what the transport still holds comes back without it. */
static void lane_drop(struct sdn *s, struct out_lane *lane)
{
    struct chunk *next;

    for (struct chunk *c = lane->first; c; c = next) {
        next = c->next;
        c->owner = NULL;
        c->written = c->taken;
        if (c->done == c->taken)
            pool_put(&s->chunks->pool, c);
    }
    *lane = (struct out_lane){0};
}

void chunks_drop(struct sdn *s, struct sdn_switch *sw)
{
    lane_drop(s, &sw->control);
    lane_drop(s, &sw->data);
}

uint32_t chunks_used(const struct sdn *s)
{
    return s->chunks->pool.used;
}

void chunks_check(const struct sdn *s, const struct sdn_switch *sw)
{
    for (int k = 0; k < 2; k++) {
        const struct out_lane *lane = k ? &sw->control : &sw->data;
        uint32_t n = 0;

        for (const struct chunk *c = lane->first; c; c = c->next, n++) {
            MR_ASSERT(c->owner == sw && c->control == (k == 1));
            MR_ASSERT(c->done <= c->taken && c->taken <= c->written);
            MR_ASSERT(c->written <= SDN_CHUNK_BYTES && (c->done < c->written || c->written == 0));
            MR_ASSERT(c->next || (c == lane->last && lane->at == chunk_bytes(s, c) + c->written));
        }
        MR_ASSERT(n == lane->chunks && (n > 0) == (lane->last != NULL));
    }
}
