/* Several queues, a thread each. */
#include "contract.h"

#include <stdatomic.h>

#include "os/os.h"

#define FRAMES 6000u
#define FLOWS 251u
#define WINDOW 48u /* on their way at once */
#define BYTES 90u

struct worker {
    struct os_thread thread;
    struct nic *nic;
    const struct rig *rig;
    unsigned queue;
    _Atomic bool *stop;
    uint64_t received, sent, elsewhere;
    bool good;
};

static void send_back(struct worker *w, struct pkt **p, unsigned n)
{
    while (n > 0 && !atomic_load(w->stop)) {
        unsigned took = nic_tx_burst(w->nic, w->queue, p, n);
        w->sent += took;
        p += took;
        n -= took;
        if (took == 0)
            rig_pause();
    }
    for (unsigned i = 0; i < n; i++)
        pkt_put(p[i]);
}

/* A port that tells how it spreads must do so. */
static bool belongs_here(const struct worker *w, const struct pkt *p)
{
    uint32_t hash;

    if (w->nic->spread != NIC_SPREAD_RSS)
        return true;
    return rss_frame_hash(w->nic->rss, p->data, p->len, &hash) &&
           rss_queue(w->nic->rss, hash) == w->queue;
}

static void work(void *arg)
{
    struct worker *w = arg;
    struct pkt *p[BURST_MAX];

    w->good = !w->nic->ops->attach || w->nic->ops->attach(w->nic, w->queue) == 0;
    while (w->good && !atomic_load(w->stop)) {
        unsigned n = nic_rx_burst(w->nic, w->queue, p, 16), ours = 0;
        for (unsigned i = 0; i < n; i++) {
            if (frame_is_ours(w->rig, TO_PORT, p[i]->data, p[i]->len)) {
                w->elsewhere += !belongs_here(w, p[i]);
                p[ours++] = p[i];
            } else {
                pkt_put(p[i]);
            }
        }
        w->received += ours;
        send_back(w, p, ours);
        if (n == 0)
            rig_pause();
    }
    if (w->nic->ops->detach)
        w->nic->ops->detach(w->nic, w->queue);
}

/* What comes back, each once and unchanged. */
static void take_back(struct rig *r, uint8_t *seen, uint32_t *back)
{
    static uint8_t frame[FRAME_MAX];
    struct beside with;
    uint32_t n;

    while ((n = r->kind->recv(r, frame, sizeof(frame), &with)) > 0) {
        if (!frame_is_ours(r, TO_PORT, frame, n))
            continue;
        uint32_t seq = frame_seq(frame);
        if (!want(r,
                  seq < FRAMES &&
                      frame_is(r, TO_PORT, frame, n, BYTES, seq, (uint16_t)(seq % FLOWS)),
                  "a frame that was never sent came back"))
            continue;
        want(r, seen[seq]++ == 0, "frame %u came back twice", seq);
        (*back)++;
    }
}

static uint32_t traffic(struct rig *r)
{
    static uint8_t seen[FRAMES], frame[FRAME_MAX];
    uint64_t until = os_now_us() + 10 * PATIENCE_US;
    uint32_t sent = 0, back = 0;

    memset(seen, 0, sizeof(seen));
    while (back < FRAMES && os_now_us() < until && !r->failed) {
        while (sent < FRAMES && sent - back < WINDOW) {
            frame_udp(r, TO_PORT, frame, BYTES, sent, (uint16_t)(sent % FLOWS));
            if (!r->kind->send(r, frame, BYTES, NULL))
                break;
            sent++;
        }
        take_back(r, seen, &back);
        rig_pause();
    }
    return back;
}

static void a_thread_a_queue(struct rig *r)
{
    static struct worker w[QUEUES_MAX];
    struct nic *nic = r->port.nic;
    _Atomic bool stop = false;
    uint64_t received = 0, sent = 0, counted = 0;
    unsigned queues = nic->caps.queues, busy = 0;

    if (queues == 1) {
        pass_over(r, "the port has one queue");
        return;
    }
    want(r, queues == QUEUES_MAX, "%u queues were asked for, and %u are there", QUEUES_MAX, queues);
    queues = min_u32(queues, QUEUES_MAX);
    for (unsigned q = 0; q < queues; q++) {
        w[q] = (struct worker){.nic = nic, .rig = r, .queue = q, .stop = &stop};
        os_thread_start(&w[q].thread, work, &w[q]);
    }
    uint32_t back = traffic(r);
    atomic_store(&stop, true);
    for (unsigned q = 0; q < queues; q++) {
        os_thread_join(&w[q].thread);
        want(r, w[q].good, "queue %u cannot be attached", q);
        want(r, w[q].elsewhere == 0, "%u frames of others were on queue %u",
             (unsigned)w[q].elsewhere, q);
        want(r, nic->stats[q].rx_packets == w[q].received,
             "queue %u counts %u frames, its thread had %u", q, (unsigned)nic->stats[q].rx_packets,
             (unsigned)w[q].received);
        received += w[q].received;
        sent += w[q].sent;
        counted += nic->stats[q].tx_packets;
        busy += w[q].received > 0;
    }
    printf("# %s: %u of %u queues had frames\n", r->kind->name, busy, queues);
    want(r, back == FRAMES, "%u of %u frames came back; the queues received %u and sent %u", back,
         FRAMES, (unsigned)received, (unsigned)sent);
    want(r, received == FRAMES && counted == FRAMES, "queues count %u received and %u sent",
         (unsigned)received, (unsigned)counted);
    want(r, nic->spread == NIC_SPREAD_NONE || busy > 1, "one queue had everything");
}

const struct check queue_checks[] = {
    {.name = "four queues, a thread each: every frame comes on one of them, once",
     .run = a_thread_a_queue,
     .queues = QUEUES_MAX,
     .apart = true},
    {0},
};
