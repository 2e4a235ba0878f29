/* Many cores in one thread: what an operation costs must not depend on how many there are. */
#include "scale.h"

#include <valgrind/callgrind.h>

#define ROUND_US 5u /* simulated time a round of all cores takes */
#define CONNS 100u  /* a core: few, so that set-up is short */
#define QUIET 50u   /* rounds without a letter */
#define ROUNDS_MAX 10000000u

static void turn_all(struct many *w, instant now)
{
    for (unsigned i = 0; i < w->config.cores; i++) {
        shard_turn(&w->shard[0][i]->shard, now);
        shard_turn(&w->shard[1][i]->shard, now);
    }
}

static uint64_t done_all(const struct many *w)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < w->config.cores; i++)
        n += scale_done(w->shard[0][i], w->shard[1][i]);
    return n;
}

/* Every core does so many operations; the cores that are through wait for the others. */
static instant portion(struct many *w, uint64_t operations, instant now)
{
    uint64_t end = done_all(w) + operations * w->config.cores;
    unsigned rounds = 0;

    for (unsigned i = 0; i < w->config.cores; i++)
        scale_begin(w->shard[0][i], operations);
    while (done_all(w) < end) {
        if (rounds++ == ROUNDS_MAX)
            bench_die("bench_scale: the simulated cores stand still");
        turn_all(w, now += ROUND_US);
    }
    return now;
}

static uint64_t letters_all(const struct many *w)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < w->config.cores; i++)
        n += w->shard[0][i]->mail.stats.sent + w->shard[1][i]->mail.stats.sent;
    return n;
}

static bool are_ready(const struct many *w)
{
    for (unsigned i = 0; i < w->config.cores; i++)
        if (!scale_is_ready(w->shard[0][i]))
            return false;
    return true;
}

/* Connections are open, and every core has told the others of its ports: no letter for a while. */
static instant settle(struct many *w, instant now)
{
    uint64_t before = 0;
    unsigned quiet = 0;

    for (unsigned rounds = 0; quiet < QUIET || !are_ready(w); rounds++) {
        if (rounds == ROUNDS_MAX)
            bench_die("bench_scale: the simulated cores do not become ready");
        turn_all(w, now += ROUND_US);
        quiet = letters_all(w) == before ? quiet + 1 : 0;
        before = letters_all(w);
    }
    return now;
}

bool scale_simulate(enum scale_work work, enum scale_wire wire, unsigned cores, uint64_t operations)
{
    struct many_config c = scale_config(work, wire, cores);
    struct many *w = many_open(&c);
    instant now = 1000000;

    for (unsigned i = 0; i < cores; i++)
        for (unsigned side = 0; side < 2; side++)
            many_shard_open(w, side, i, now);
    for (unsigned i = 0; i < cores; i++)
        scale_start(w->shard[0][i], w->shard[1][i], work, CONNS);
    now = settle(w, now);
    now = portion(w, operations, now);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    portion(w, operations, now);
    CALLGRIND_STOP_INSTRUMENTATION;
    for (unsigned i = 0; i < cores; i++)
        scale_stop(w->shard[1][i], work);
    uint64_t mails = many_mail_packets(w);
    printf("simulated %u cores, %llu operations, %llu packets by mail\n", cores,
           (unsigned long long)(operations * cores), (unsigned long long)mails);
    many_close(w);
    return mails == 0;
}
