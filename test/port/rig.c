/* What checks are made of. */
#define _GNU_SOURCE
#include "contract.h"

#include <sched.h>
#include <stdarg.h>
#include <time.h>

#include "os/os.h"

#define LOOK_AGAIN_NS 1000000L

bool want(struct rig *r, bool good, const char *format, ...)
{
    va_list args;

    if (good || r->failed)
        return good;
    r->failed = true;
    va_start(args, format);
    printf("# ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    return false;
}

void pass_over(struct rig *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->skip, sizeof(r->skip), format, args);
    va_end(args);
}

void rig_pause(void)
{
    sched_yield();
}

/* ---- open and close -------------------------------------------------------------------- */

bool rig_link(struct port *p, bool up, uint64_t us)
{
    uint64_t until = os_now_us() + us;

    if (!p->nic || !p->nic->ops->link_is_up)
        return true;
    while (p->nic->ops->link_is_up(p->nic) != up) {
        if (os_now_us() >= until)
            return false;
        nanosleep(&(struct timespec){0, LOOK_AGAIN_NS}, NULL);
    }
    return true;
}

bool rig_open(struct rig *r, const struct check *c)
{
    static const struct mac_addr nobody;
    struct dev_config d = {.queues = max_u32(min_u32(c->queues, r->kind->queues), 1),
                           .buffers = c->buffers,
                           .no_offload = c->plain,
                           .addr = ip4_of(10, 77, 0, 2),
                           .prefix_len = 24};

    r->there = (struct mac_addr){{2, 0, 0, 0, 0x77, 1}};
    r->here = (struct mac_addr){{2, 0, 0, 0, 0x77, 2}};
    r->open_for = c;
    rss_init(&r->law, rss_key_default, RSS_ENTRIES, d.queues);
    d.steer = &r->law;
    if (!r->kind->open(r, &d)) {
        want(r, false, "it does not open: %s", r->port.why);
        rig_close(r);
        return false;
    }
    if (!mac_eq(&r->port.nic->mac, &nobody))
        r->here = r->port.nic->mac;
    if (!c->apart)
        port_attach(&r->port);
    if (r->end.nic)
        port_attach(&r->end);
    bool up = want(r, rig_link(&r->port, true, PATIENCE_US), "the link does not come up") &&
              want(r, rig_link(&r->end, true, PATIENCE_US), "the peer's link does not come up");
    /* Some ports give out buffers when they are first read. */
    rig_settle(r);
    return up;
}

void rig_settle(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct beside with;

    r->strays = 0;
    if (!r->port.nic)
        return;
    want(r, port_settle(&r->port, PATIENCE_US), "%s", r->port.why);
    if (r->end.nic)
        want(r, port_settle(&r->end, PATIENCE_US), "the peer: %s", r->end.why);
    else
        while (r->kind->recv(r, frame, sizeof(frame), &with) > 0)
            ;
}

void rig_close(struct rig *r)
{
    if (!r->open_for)
        return;
    rig_settle(r);
    want(r, port_close(&r->port), "%s", r->port.why);
    r->kind->close_peer(r);
    r->open_for = NULL;
}

/* ---- frames there and back ------------------------------------------------------------- */

unsigned rig_receive(struct rig *r, unsigned queue, struct pkt **out, unsigned n, uint64_t us)
{
    uint64_t until = os_now_us() + us;
    unsigned have = 0;

    for (;;) {
        unsigned got = nic_rx_burst(r->port.nic, queue, out + have, n - have);
        unsigned end = have + got;
        for (unsigned i = have; i < end; i++) {
            if (frame_is_ours(r, TO_PORT, out[i]->data, out[i]->len)) {
                out[have++] = out[i];
            } else {
                r->strays++;
                pkt_put(out[i]);
            }
        }
        if (have == n || (got == 0 && os_now_us() >= until))
            return have;
        if (got == 0)
            rig_pause();
    }
}

bool rig_transmit(struct rig *r, unsigned queue, struct pkt **p, unsigned n)
{
    uint64_t until = os_now_us() + PATIENCE_US;
    unsigned sent = 0;

    while (sent < n && os_now_us() < until) {
        unsigned got = nic_tx_burst(r->port.nic, queue, p + sent, n - sent);
        sent += got;
        if (got == 0)
            rig_pause();
    }
    for (unsigned i = sent; i < n; i++)
        pkt_put(p[i]);
    return want(r, sent == n, "%u of %u frames were taken in %u s", sent, n,
                (unsigned)(PATIENCE_US / 1000000));
}

bool rig_peer_send(struct rig *r, const uint8_t *frame, uint32_t n)
{
    uint64_t until = os_now_us() + PATIENCE_US;

    while (!r->kind->send(r, frame, n, NULL)) {
        if (os_now_us() >= until)
            return want(r, false, "the peer cannot send %u bytes", n);
        rig_pause();
    }
    return true;
}

uint32_t rig_peer_recv(struct rig *r, uint8_t *out, struct beside *with, uint64_t us)
{
    uint64_t until = os_now_us() + us;
    uint32_t n;

    do {
        n = r->kind->recv(r, out, FRAME_MAX, with);
        if (n == 0)
            rig_pause();
    } while (
        (n == 0 || (!frame_is_ours(r, FROM_PORT, out, n) && !frame_is_ours(r, TO_PORT, out, n))) &&
        os_now_us() < until);
    return n;
}

static bool burst_in(struct rig *r, unsigned count, uint32_t n, uint32_t seq)
{
    static uint8_t frame[FRAME_MAX];
    struct pkt *p[BURST_MAX];
    bool good = true;

    for (unsigned i = 0; i < count && good; i++) {
        frame_udp(r, TO_PORT, frame, n, seq + i, 0);
        good = rig_peer_send(r, frame, n);
    }
    unsigned got = rig_receive(r, 0, p, count, PATIENCE_US);
    want(r, got == count, "%u of %u frames of %u bytes were received", got, count, n);
    for (unsigned i = 0; i < got; i++) {
        good &= want(r, frame_is(r, TO_PORT, p[i]->data, p[i]->len, n, seq + i, 0),
                     "frame %u of %u, %u bytes, is number %u and %u bytes", i, count, n,
                     frame_seq(p[i]->data) - seq, p[i]->len);
        pkt_put(p[i]);
    }
    return good && got == count;
}

static bool burst_out(struct rig *r, unsigned count, uint32_t n, uint32_t seq)
{
    static uint8_t frame[FRAME_MAX];
    struct pkt *p[BURST_MAX];
    struct beside with;

    for (unsigned i = 0; i < count; i++) {
        frame_udp(r, FROM_PORT, frame, n, seq + i, 0);
        p[i] = port_packet(&r->port, frame, n);
    }
    if (!rig_transmit(r, 0, p, count))
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint32_t got = rig_peer_recv(r, frame, &with, PATIENCE_US);
        if (!want(r, got > 0, "%u of %u frames of %u bytes reached the peer", i, count, n) ||
            !want(r, frame_is(r, FROM_PORT, frame, got, n, seq + i, 0),
                  "frame %u of %u, %u bytes, came as number %u and %u bytes", i, count, n,
                  frame_seq(frame) - seq, got))
            return false;
    }
    return true;
}

bool rig_round(struct rig *r, uint32_t n, uint32_t seq)
{
    return burst_in(r, 1, n, seq) && burst_out(r, 1, n, seq);
}

bool rig_many_in(struct rig *r, uint32_t count, uint32_t n, uint32_t seq)
{
    for (uint32_t at = 0; at < count; at += 32)
        if (!burst_in(r, min_u32(32, count - at), n, seq + at))
            return false;
    return true;
}

bool rig_many_out(struct rig *r, uint32_t count, uint32_t n, uint32_t seq)
{
    for (uint32_t at = 0; at < count; at += 32)
        if (!burst_out(r, min_u32(32, count - at), n, seq + at))
            return false;
    return true;
}
