/* What is lent comes back, and neither end of a queue is without bottom. */
#include "contract.h"

#include <stdlib.h>

#include "os/os.h"

#define AT_ONCE 32u
#define HELD 24u

/* ---- ownership ------------------------------------------------------------------------- */

static void held_are_left_alone(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct pkt *held[HELD];

    for (unsigned i = 0; i < HELD; i++) {
        frame_udp(r, TO_PORT, frame, 60 + 50 * i, i, 1);
        rig_peer_send(r, frame, 60 + 50 * i);
    }
    unsigned got = rig_receive(r, 0, held, HELD, PATIENCE_US);
    want(r, got == HELD, "%u of %u came", got, HELD);
    for (unsigned i = 0; i < 4 && !r->failed; i++) {
        rig_many_in(r, 2000, 60 + 400 * i, i * 2000);
        rig_many_out(r, 500, 60 + 400 * i, i * 2000);
    }
    for (unsigned i = 0; i < got; i++) {
        want(r, frame_is(r, TO_PORT, held[i]->data, held[i]->len, 60 + 50 * i, i, 1),
             "a packet that was held while others passed has changed");
        pkt_put(held[i]);
    }
}

/* As soon as a fragment is given back its owner may write there. */
static void given_back_is_not_read(struct rig *r)
{
    static uint8_t frame[AT_ONCE][2048], got[FRAME_MAX];
    struct port *p = &r->port;
    struct beside with;

    for (unsigned round = 0; round < 100; round++) {
        struct pkt *k[8];
        for (unsigned i = 0; i < 8; i++) {
            frame_udp(r, FROM_PORT, frame[i], 1200, round * 8 + i, 0);
            k[i] = port_pieces(p, frame[i], 1200, ETH_IP_UDP, 1 + i % 4);
        }
        if (!rig_transmit(r, 0, k, 8))
            return;
        uint64_t until = os_now_us() + PATIENCE_US;
        while (p->sbufs.bufs.used > 0 && os_now_us() < until) {
            unsigned n = nic_rx_burst(p->nic, 0, k, 8);
            for (unsigned i = 0; i < n; i++)
                pkt_put(k[i]);
        }
        if (!want(r, p->sbufs.bufs.used == 0, "send buffers do not come back by themselves"))
            return;
        for (unsigned i = 0; i < 8; i++) {
            struct sbuf *b = sbuf_get(&p->sbufs);
            memset((uint8_t *)(uintptr_t)b->ptr, 0xdb, 1200);
            sbuf_put(&p->sbufs, b);
        }
        for (unsigned i = 0; i < 8; i++) {
            uint32_t n = rig_peer_recv(r, got, &with, PATIENCE_US);
            if (!want(r, frame_is(r, FROM_PORT, got, n, 1200, round * 8 + i, 0),
                      "a frame was read after its fragment was given back"))
                return;
        }
    }
}

/* A sender with a small pool waits for what it has sent. */
static void sent_comes_back(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct port *p = &r->port;
    struct beside with;

    for (unsigned i = 0; i < 200 && !r->failed; i++) {
        frame_udp(r, FROM_PORT, frame, 200, i, 0);
        struct pkt *k = port_packet(p, frame, 200);
        if (!rig_transmit(r, 0, &k, 1))
            return;
        want(r, rig_peer_recv(r, frame, &with, PATIENCE_US) > 0, "frame %u is lost", i);
        want(r, port_settle(p, PATIENCE_US), "after frame %u: %s", i, p->why);
    }
}

/* ---- a receiver without buffers -------------------------------------------------------- */

#define SMALL 64u
#define MOST 20000u

static struct pkt *hoard[MOST + BURST_MAX];

/* Hold everything until nothing comes any more: how many. */
static unsigned take_all(struct rig *r, bool *refused)
{
    static uint8_t frame[FRAME_MAX];
    unsigned have = 0, fresh;
    uint32_t seq = 0;

    do {
        for (unsigned i = 0; i < AT_ONCE; i++) {
            frame_udp(r, TO_PORT, frame, 100, seq, 0);
            if (r->kind->send(r, frame, 100, NULL))
                seq++;
            else
                *refused = true;
        }
        fresh = rig_receive(r, 0, hoard + have, BURST_MAX, QUIET_US);
        have += fresh;
    } while (fresh > 0 && have < MOST);
    return have;
}

static void without_buffers(struct rig *r)
{
    struct nic *n = r->port.nic;
    struct pkt *p[BURST_MAX];
    uint64_t nobuf = n->stats[0].rx_nobuf;
    bool refused = false;
    unsigned have = take_all(r, &refused), late = 0, got;

    want(r, have >= 16, "only %u frames could be held", have);
    want(r, have < MOST, "%u frames are held, and there is no end", have);
    for (unsigned i = 0; i < have; i++) {
        if (have < MOST)
            want(r,
                 frame_is(r, TO_PORT, hoard[i]->data, hoard[i]->len, 100, frame_seq(hoard[i]->data),
                          0),
                 "a frame was written over while it was held");
        pkt_put(hoard[i]);
    }
    while ((got = rig_receive(r, 0, p, BURST_MAX, QUIET_US)) > 0) {
        late += got;
        for (unsigned i = 0; i < got; i++)
            pkt_put(p[i]);
    }
    want(r, n->stats[0].rx_nobuf > nobuf || refused || late > 0,
         "frames are missing, and neither was that counted nor did the sender wait");
    rig_many_in(r, 500, 300, 1000000);
}

/* ---- a sender without room ------------------------------------------------------------- */

#define OFFERED 4000u

/* Fill the port until it takes fewer than offered: how many it has. */
static unsigned fill_up(struct rig *r, struct pkt **p)
{
    unsigned have = 0;

    while (have < OFFERED) {
        unsigned n = min_u32(AT_ONCE, OFFERED - have);
        unsigned took = nic_tx_burst(r->port.nic, 0, p + have, n);
        have += took;
        if (took < n)
            break;
    }
    return have;
}

static bool peer_reads(struct rig *r, unsigned from, unsigned to)
{
    static uint8_t frame[FRAME_MAX];
    struct beside with;

    for (unsigned i = from; i < to; i++) {
        uint32_t got = rig_peer_recv(r, frame, &with, PATIENCE_US);
        if (!want(r, frame_is(r, FROM_PORT, frame, got, 80, i, 0),
                  "of %u taken, frame %u came as number %u, %u bytes", to, i, frame_seq(frame),
                  got))
            return false;
    }
    return true;
}

static void a_full_port(struct rig *r)
{
    static struct pkt *p[OFFERED], *copy[OFFERED];
    static uint8_t frame[FRAME_MAX];
    uint64_t before = r->port.nic->stats[0].tx_full;

    for (unsigned i = 0; i < OFFERED; i++) {
        frame_udp(r, FROM_PORT, frame, 80, i, 0);
        copy[i] = p[i] = port_packet(&r->port, frame, 80);
    }
    unsigned have = fill_up(r, p), at = have;
    bool full = have < OFFERED;
    want(r, memcmp(p + have, copy + have, (OFFERED - have) * sizeof(*p)) == 0,
         "what was not taken is not at the end, in order");
    want(r, !full || r->port.nic->stats[0].tx_full > before,
         "it was full, and that was not counted");
    if (!full)
        printf("# %s takes %u frames without end\n", r->kind->name, OFFERED);
    bool good = peer_reads(r, 0, have);
    while (at < OFFERED && good) {
        unsigned n = min_u32(AT_ONCE, OFFERED - at);
        good = rig_transmit(r, 0, p + at, n);
        at += n;
        good = good && peer_reads(r, at - n, at);
    }
    for (; at < OFFERED; at++)
        pkt_put(p[at]);
}

const struct check lend_checks[] = {
    {.name = "packets held stay as they are while thousands pass", .run = held_are_left_alone},
    {.name = "what was sent comes back without more being sent", .run = sent_comes_back},
    {.name = "a fragment given back is not read any more", .run = given_back_is_not_read},
    {.name = "when the application holds every buffer the lack shows, and passes",
     .run = without_buffers,
     .buffers = SMALL},
    {.name = "a full port leaves the rest with the caller, counts it, and goes on",
     .run = a_full_port},
    {0},
};
