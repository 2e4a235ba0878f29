/* The judges: what must be so when everything has healed. */
#include <inttypes.h>
#include <string.h>

#include "sdn/world_int.h"

#define MS UINT64_C(1000)

static void judge_broadcasts(struct world *w)
{
    for (unsigned h = 0; h < w->hosts && !w->failed; h++) {
        uint32_t id = world_broadcast(w, h);
        world_run_until(w, w->now_us + 100 * MS);
        for (unsigned o = 0; o < w->hosts && !w->failed; o++)
            if (w->frame[id].got[o] != (o != h))
                world_fail(w, "a broadcast of host %u reached host %u %u times", h, o,
                           w->frame[id].got[o]);
        for (unsigned i = 0; i < w->switches && !w->failed; i++)
            if (w->frame[id].at[i] > 1 + w->sw[i].sw.ports)
                world_fail(w, "a broadcast of host %u passed switch %u %u times", h, i,
                           w->frame[id].at[i]);
    }
}

static void judge_pairs(struct world *w)
{
    for (unsigned h = 0; h < w->hosts && !w->failed; h++) {
        uint32_t first = (uint32_t)w->frames;
        for (unsigned o = 0; o < w->hosts; o++)
            if (o != h)
                world_ping(w, h, o);
        world_run_until(w, w->now_us + 50 * MS);
        for (unsigned o = 0, id = first; o < w->hosts && !w->failed; o++) {
            if (o == h)
                continue;
            if (w->frame[id].got[o] != 1)
                world_fail(w, "host %u (%u.%u) sent to host %u (%u.%u): it arrived %u times", h,
                           w->host[h].sw, w->host[h].port, o, w->host[o].sw, w->host[o].port,
                           w->frame[id].got[o]);
            for (unsigned i = 0; i < w->switches && !w->failed; i++)
                if (w->frame[id].at[i] > 1)
                    world_fail(w, "a frame of host %u to host %u passed switch %u %u times", h, o,
                               i, w->frame[id].at[i]);
            id++;
        }
    }
}

/* Every core tells the same of what all should know. */
static void judge_replicas(struct world *w, enum sdn_ask_kind kind, const char *what)
{
    static char text[2][65536];

    for (unsigned i = 0; i < w->cores && !w->failed; i++) {
        char *to = text[i > 0];
        struct sdn_ask q = {.kind = kind, .buf = to, .cap = sizeof(text[0])};
        memset(to, 0, sizeof(text[0]));
        sdn_ask(w->sdn[i], &q, w->now_us);
        if (sdn_next_answered(w->sdn[i]) != &q || q.status != 200)
            world_fail(w, "core %u does not tell its %s: %u", i, what, q.status);
        else if (i > 0 && strcmp(text[0], text[1]) != 0)
            world_fail(w, "core %u knows other %s than core 0: %.60s | %.60s", i, what, text[1],
                       text[0]);
    }
}

void world_judge(struct world *w)
{
    for (unsigned i = 0; i < w->switches && !w->failed; i++) {
        if (w->sw[i].conn == 0)
            world_fail(w, "switch %u is not connected", i);
        else if (w->sw[i].sw.malformed > 0)
            world_fail(w, "switch %u was sent %" PRIu64 " malformed messages", i,
                       w->sw[i].sw.malformed);
    }
    judge_broadcasts(w);
    judge_pairs(w);
    judge_replicas(w, SDN_ASK_LINKS, "links");
    for (unsigned i = 0; i < w->cores && !w->failed; i++)
        sdn_check(w->sdn[i]);
}
