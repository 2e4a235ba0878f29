/* Threads, one a core, and their stop watches. */
#define _GNU_SOURCE
#include "scale.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <x86intrin.h>

#define WARM_SHARE 0.2  /* of the measured span, before it */
#define NEIGHBOURS 128u /* processors fetch lines in pairs */

enum phase { PHASE_OPEN, PHASE_WARM, PHASE_MEASURE, PHASE_END };

/* Read by every core, written four times a run. */
struct run {
    const struct scale_plan *plan;
    struct many *world; /* NULL: nothing but additions */
    pthread_barrier_t opened;
    uint64_t tsc0;
    double us_per_tsc;
    __attribute__((aligned(NEIGHBOURS))) _Atomic unsigned phase;
};

struct core {
    __attribute__((aligned(NEIGHBOURS))) struct run *run;
    unsigned index;
    pthread_t thread;
    struct many_shard *client, *server;
    uint64_t adds;
    uint64_t done[2], tsc[2], cpu_ns[2]; /* at both ends of the measured span */
    _Atomic bool ready;
};

static uint64_t thread_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static instant now_us(const struct run *r)
{
    return 1000000 + (instant)((double)(__rdtsc() - r->tsc0) * r->us_per_tsc);
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
        bench_die("bench_scale: cannot run on processor %d", cpu);
}

static void mark(struct core *c, unsigned end)
{
    c->done[end] = c->client ? scale_done(c->client, c->server) : c->adds;
    c->cpu_ns[end] = thread_ns();
    c->tsc[end] = __rdtsc();
}

static void enter(struct core *c, enum phase phase)
{
    switch (phase) {
    case PHASE_OPEN:
        break;
    case PHASE_WARM:
        if (c->client)
            scale_begin(c->client, UINT64_MAX / 2);
        break;
    case PHASE_MEASURE:
        mark(c, 0);
        break;
    case PHASE_END:
        mark(c, 1);
        break;
    }
}

static void add(struct core *c)
{
    uint64_t x[4] = {0};

    for (unsigned i = 0; i < 4096; i++)
        __asm__ volatile("add $1, %0; add $1, %1; add $1, %2; add $1, %3"
                         : "+r"(x[0]), "+r"(x[1]), "+r"(x[2]), "+r"(x[3]));
    c->adds += 4 * 4096;
}

static void turn(struct core *c)
{
    if (!c->client) {
        add(c);
        return;
    }
    shard_turn(&c->client->shard, now_us(c->run));
    shard_turn(&c->server->shard, now_us(c->run));
}

static void *core_main(void *arg)
{
    struct core *c = arg;
    struct run *r = c->run;
    unsigned phase = PHASE_OPEN, next;

    pin(r->plan->cpus[c->index]);
    if (r->world) {
        c->client = many_shard_open(r->world, 0, c->index, now_us(r));
        c->server = many_shard_open(r->world, 1, c->index, now_us(r));
    }
    pthread_barrier_wait(&r->opened);
    if (r->world)
        scale_start(c->client, c->server, r->plan->work, SCALE_CONNS);
    while (phase != PHASE_END) {
        turn(c);
        if (phase == PHASE_OPEN && (!c->client || scale_is_ready(c->client)))
            atomic_store_explicit(&c->ready, true, memory_order_release);
        next = atomic_load_explicit(&r->phase, memory_order_relaxed);
        if (next != phase)
            enter(c, phase = next);
    }
    if (r->world)
        scale_stop(c->server, r->plan->work);
    return NULL;
}

static void pause_s(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};

    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    nanosleep(&t, NULL);
}

static void conduct(struct run *r, struct core *core)
{
    for (unsigned i = 0; i < r->plan->cores; i++)
        while (!atomic_load_explicit(&core[i].ready, memory_order_acquire))
            pause_s(0.001);
    atomic_store(&r->phase, PHASE_WARM);
    pause_s(r->plan->seconds * WARM_SHARE);
    atomic_store(&r->phase, PHASE_MEASURE);
    pause_s(r->plan->seconds);
    atomic_store(&r->phase, PHASE_END);
    for (unsigned i = 0; i < r->plan->cores; i++)
        pthread_join(core[i].thread, NULL);
}

static struct scale_result result_of(const struct run *r, const struct core *core)
{
    struct scale_result s = {.busy = 1e9};
    double cpu_ns = 0, done = 0;

    for (unsigned i = 0; i < r->plan->cores; i++) {
        const struct core *c = &core[i];
        double ns = (double)(c->tsc[1] - c->tsc[0]) / r->plan->tsc_ghz;
        double used = (double)(c->cpu_ns[1] - c->cpu_ns[0]);
        double rate = (double)(c->done[1] - c->done[0]) / ns * 1e9;
        s.rate += rate;
        s.least = i == 0 || rate < s.least ? rate : s.least;
        s.most = rate > s.most ? rate : s.most;
        s.busy = used / ns < s.busy ? used / ns : s.busy;
        cpu_ns += used;
        done += (double)(c->done[1] - c->done[0]);
    }
    s.cpu_ns = cpu_ns / done;
    s.mails = r->world ? many_mail_packets(r->world) : 0;
    return s;
}

static struct scale_result run(const struct scale_plan *p, struct many *world)
{
    struct run *r = aligned_alloc(NEIGHBOURS, align_up(sizeof(*r), NEIGHBOURS));
    struct core *core = aligned_alloc(NEIGHBOURS, p->cores * sizeof(*core));

    memset(r, 0, sizeof(*r));
    memset(core, 0, p->cores * sizeof(*core));
    r->plan = p;
    r->world = world;
    r->tsc0 = __rdtsc();
    r->us_per_tsc = 1 / (p->tsc_ghz * 1000);
    pthread_barrier_init(&r->opened, NULL, p->cores);
    for (unsigned i = 0; i < p->cores; i++) {
        core[i].run = r;
        core[i].index = i;
        if (pthread_create(&core[i].thread, NULL, core_main, &core[i]) != 0)
            bench_die("bench_scale: no thread for core %u", i);
    }
    conduct(r, core);
    struct scale_result s = result_of(r, core);
    pthread_barrier_destroy(&r->opened);
    free(core);
    free(r);
    return s;
}

struct scale_result scale_run(const struct scale_plan *p)
{
    struct many_config c = scale_config(p->work, p->wire, p->cores);

    c.huge = true;
    struct many *world = many_open(&c);
    struct scale_result s = run(p, world);
    many_close(world);
    return s;
}

struct scale_result scale_run_adds(const struct scale_plan *p)
{
    return run(p, NULL);
}
