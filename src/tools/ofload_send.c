/* Packet-ins go out: as many as the window has room for, or those that are due. */
#include <string.h>

#include "tools/ofload.h"

#define SMALL_PROBES 6u  /* so few are copied rather than lent */
#define KNOCK_NS 400000u /* a packet-in due sooner than that is waited for without a timer */

const char ofl_timer_pace;

static void lent_back(void *arg, const void *ptr, size_t n)
{
    struct ofl_switch *s = arg;

    (void)n;
    s->free |= 1u << ((size_t)((const uint8_t *)ptr - s->chunks) / OFL_CHUNK_BYTES);
}

/* False: the connection takes no more now. */
static bool flush_small(struct ofl_switch *s)
{
    while (s->out_at < s->out_n) {
        int64_t r = mr_send(s->l->m, s->sock, s->out + s->out_at, s->out_n - s->out_at, 0);
        if (r <= 0)
            return false;
        s->out_at += (uint32_t)r;
    }
    return true;
}

static bool lend(struct ofl_switch *s)
{
    int r = mr_send_give(s->l->m, s->sock, s->chunks + s->pending * OFL_CHUNK_BYTES,
                         (size_t)s->pending_n * OFL_PROBE_BYTES, 0, lent_back, s);

    s->given = r == MR_OK;
    return s->given;
}

static bool flush(struct ofl_switch *s)
{
    return flush_small(s) && (s->given || lend(s));
}

static void send_small(struct ofl_switch *s, uint32_t n)
{
    for (; n > 0; n--) {
        uint8_t *at = ofl_out(s, OFL_PROBE_BYTES);
        if (at == NULL)
            break;
        memcpy(at, s->probes.frame, OFL_PROBE_BYTES);
        ofl_probe_next(&s->probes, at, s->l->now_ns);
        s->l->sent++;
    }
}

/* Filled first and offered then: what the connection refuses waits as it is. */
static bool send_chunk(struct ofl_switch *s, uint32_t n)
{
    uint32_t i = lowest_bit(s->free);
    uint8_t *at = s->chunks + i * OFL_CHUNK_BYTES;

    s->free &= ~(1u << i);
    s->pending = i;
    s->pending_n = min_u32(n, OFL_CHUNK_PROBES);
    for (uint32_t k = 0; k < s->pending_n; k++)
        ofl_probe_next(&s->probes, at + k * OFL_PROBE_BYTES, s->l->now_ns);
    s->l->sent += s->pending_n;
    return lend(s);
}

static void fill_window(struct ofl_switch *s)
{
    for (;;) {
        uint32_t room = s->l->window - min_u32(s->probes.in_flight, s->l->window);
        if (room == 0)
            return;
        if (room <= SMALL_PROBES) {
            send_small(s, room);
            flush_small(s);
            return;
        }
        /* Chunks are twice the send buffer, so before they run out it refuses, and tells. */
        if (s->free == 0 || !send_chunk(s, room))
            return;
    }
}

/* When packet-in k of the core is due. */
static uint64_t due_ns(const struct ofload *l, uint64_t k)
{
    return l->start_ns + k / l->rate * 1000000000u + k % l->rate * 1000000000u / l->rate;
}

/* The switches take turns: the j-th of one is the core's number j * n + its place. */
static void send_due(struct ofl_switch *s)
{
    struct ofload *l = s->l;
    uint64_t place = (uint64_t)(s - l->sw);

    /* A buffer that is not answered yet is not named again: a controller that falls behind is
     * seen in the latency, which counts from when a packet-in was due. */
    while (s->owed > 0 && s->probes.in_flight < l->opt->buffers) {
        uint8_t *at = ofl_out(s, OFL_PROBE_BYTES);
        uint64_t k = s->nth * l->n + place;
        if (at == NULL)
            break;
        memcpy(at, s->probes.frame, OFL_PROBE_BYTES);
        ofl_probe_next(&s->probes, at, due_ns(l, k));
        s->nth++;
        s->owed--;
        l->sent++;
    }
    flush_small(s);
}

void ofl_pump(struct ofl_switch *s)
{
    struct ofload *l = s->l;

    if (s->state != OFL_SHAKING && s->state != OFL_READY)
        return;
    if (!flush(s) || s->state != OFL_READY || l->phase != OFL_RUNS || l->discards)
        return;
    if (l->rate != 0)
        send_due(s);
    else
        fill_window(s);
}

/* What a switch that is not there would have had to send is passed over. */
static void owe(struct ofl_switch *s)
{
    if (s->state == OFL_READY)
        s->owed++;
    else
        s->nth++;
}

/* A timer's tick is far longer than the time between two packet-ins: for the last of it the core
 * knocks at its own door and comes back after the next burst. */
static void wait(struct ofload *l, uint64_t ns)
{
    if (l->pacing)
        return;
    l->pacing = true;
    if (ns < KNOCK_NS)
        mr_knock(l->m);
    else
        l->pacing = mr_timer_start(l->m, (ns - KNOCK_NS) / 1000, (void *)(uintptr_t)&ofl_timer_pace,
                                   NULL) == MR_OK;
}

void ofl_pace(struct ofload *l)
{
    uint64_t from = l->due;

    if (l->rate == 0 || l->phase != OFL_RUNS || l->n == 0)
        return;
    for (; due_ns(l, l->due) <= l->now_ns; l->due++)
        owe(&l->sw[l->due % l->n]);
    for (uint64_t k = from; k < l->due && k < from + l->n; k++)
        ofl_pump(&l->sw[k % l->n]);
    wait(l, due_ns(l, l->due) - l->now_ns);
}
