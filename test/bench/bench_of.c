/* The SDN controller by itself: packet-ins in, flow-mods out, no TCP and no system call.
 *
 *   of/room/N    N switches, 100,000 hosts each (256: 4,000), network-wide forwarding   of/learn/N
 * the same, each switch a learning switch   of/cores     two cores with 8 switches each, against
 * one: by wall clock and by CPU time
 *
 * The switches are millrace-ofload's, so the handshake is cbench's and the answers of the first
 * round over all hosts are judged; afterwards all are counted.  Packet-ins are written while the
 * watch stands, a round of all switches at a time, and arrive cut every 4,096 bytes. */
#define _GNU_SOURCE
#include "bench_frame.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sdn/sdn.h"
#include "tools/ofload.h"

#define PIECE 4096u
#define ROUND_US 100u
#define HOUR_US 3600000000u
#define UNITS 4000000u
#define SHAKE_ROUNDS 200u
#define CORES 2u
#define CORE_SWITCHES 8u

/* One core's controller and its switches. */
struct room {
    struct ofl_options opt;
    struct ofl_total total;
    struct ofload load;
    struct sdn *sdn;
    size_t bytes;
    sdn_conn *conn; /* owned: of each switch */
    uint64_t now, packets;
    uint32_t chunk_n; /* packet-ins of a switch a round */
};

static uint64_t no_clock(struct mr *m)
{
    (void)m;
    return 0;
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- bytes to and fro */

/* What the controller says to all its switches: they answer it, or it is only let go. */
static void hear(struct room *r, bool answer)
{
    sdn_conn c;

    while ((c = sdn_next_ready(r->sdn)) != 0) {
        struct sdn_out out;
        while (sdn_output(r->sdn, c, &out)) {
            for (uint32_t i = 0; answer && i < r->load.n; i++)
                if (r->conn[i] == c && !ofl_input(&r->load.sw[i], out.p, out.n))
                    bench_die("bench_of: the controller says what is no OpenFlow 1.0");
            sdn_output_done(r->sdn, &out);
        }
        if (sdn_do(r->sdn, c) != SDN_DO_NOTHING)
            bench_die("bench_of: the controller hangs up: %s", sdn_why(r->sdn, c));
    }
}

static void tell(struct room *r, uint32_t i, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t part = n - at < PIECE ? n - at : PIECE;
        size_t taken = sdn_input(r->sdn, r->conn[i], p + at, part, r->now);
        at += taken;
        if (taken < part)
            hear(r, false);
    }
}

static void letters(struct room *room, unsigned cores)
{
    struct sdn_letter l;

    for (unsigned from = 0; from < cores; from++)
        while (sdn_letter_next(room[from].sdn, 0, &l)) {
            if (l.to < cores)
                sdn_letter(room[l.to].sdn, from, l.p, l.n, room[l.to].now);
            sdn_letter_done(room[from].sdn, l.to);
        }
}

/* ---- a round */

static void write_probes(struct room *r)
{
    for (uint32_t i = 0; i < r->load.n; i++)
        for (uint32_t k = 0; k < r->chunk_n; k++)
            ofl_probe_next(&r->load.sw[i].probes, r->load.sw[i].chunks + k * OFL_PROBE_BYTES, 0);
}

static void answer_probes(struct room *r, bool judged)
{
    r->now += ROUND_US;
    if (sdn_deadline(r->sdn) <= r->now)
        sdn_advance(r->sdn, r->now);
    for (uint32_t i = 0; i < r->load.n; i++)
        tell(r, i, r->load.sw[i].chunks, (size_t)r->chunk_n * OFL_PROBE_BYTES);
    hear(r, judged);
    r->packets += (uint64_t)r->load.n * r->chunk_n;
}

/* Every packet-in has had one flow-mod. */
static void must_be_answered(struct room *r, uint64_t packets, uint64_t flow_mods)
{
    if (sdn_stats(r->sdn)->flow_mods - flow_mods != packets)
        bench_die("bench_of: %llu packet-ins had %llu flow-mods", (unsigned long long)packets,
                  (unsigned long long)(sdn_stats(r->sdn)->flow_mods - flow_mods));
}

static uint64_t run_rounds(void *ctx, uint64_t units, struct bench_watch *w)
{
    struct room *r = ctx;
    uint64_t before = r->packets, flow_mods = sdn_stats(r->sdn)->flow_mods;

    while (r->packets - before < units) {
        bench_watch_stop(w);
        write_probes(r);
        bench_watch_start(w);
        answer_probes(r, false);
    }
    must_be_answered(r, r->packets - before, flow_mods);
    return r->packets - before;
}

/* ---- a room is made */

static void open_room(struct room *r, unsigned core, unsigned cores, uint32_t switches,
                      uint32_t hosts, enum sdn_mode mode)
{
    struct sdn_config c;
    struct sdn_peer peer = {.port = 1};

    *r = (struct room){.opt = {.switches = switches * cores,
                               .hosts = hosts,
                               .buffers = OFL_BUFFERS,
                               .loops = 1,
                               .dpid_first = 1,
                               .cores = cores,
                               .quiet = true,
                               .clock = no_clock},
                       .now = 1000000,
                       .chunk_n = OFL_CHUNK_PROBES};
    r->opt.total = &r->total;
    r->load.opt = &r->opt;
    r->load.core = core;
    r->load.phase = OFL_RUNS;
    sdn_config_init(&c);
    c.mode = mode;
    c.core = core;
    c.cores = cores;
    for (unsigned i = 0; i < 4; i++)
        c.secret[i] = 0x9e3779b97f4a7c15u * (i + 1);
    c.conns = switches + 8;
    c.ports = switches * 8;
    c.switches = switches * cores + 8;
    c.macs = switches * (hosts + hosts / 4) + 1000;
    c.hosts = mode == SDN_NETWORK ? switches * cores * hosts + 1000 : 1000;
    c.echo_us = c.lldp_us = HOUR_US;
    c.stats_us = 0;
    r->bytes = sdn_bytes(&c, NULL);
    void *memory = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || !ofl_make(&r->load) || (r->conn = calloc(switches, 4)) == NULL)
        bench_die("bench_of: no memory");
    r->sdn = sdn_init(memory, &c, r->now);
    for (uint32_t i = 0; i < switches; i++) {
        r->conn[i] = sdn_open(r->sdn, SDN_SPEAKS_OPENFLOW, &peer, r->now);
        if (r->conn[i] == 0)
            bench_die("bench_of: connection %u is refused", i);
        r->load.sw[i].state = OFL_SHAKING;
        ofl_hello(&r->load.sw[i]);
    }
}

/* Handshakes, and whatever the controller wants to know, until it is silent. */
static void shake(struct room *room, unsigned cores)
{
    for (unsigned round = 0; round < SHAKE_ROUNDS; round++)
        for (unsigned core = 0; core < cores; core++) {
            struct room *r = &room[core];
            for (uint32_t i = 0; i < r->load.n; i++) {
                struct ofl_switch *s = &r->load.sw[i];
                tell(r, i, s->out + s->out_at, s->out_n - s->out_at);
                s->out_at = s->out_n = 0;
            }
            r->now += 10000;
            sdn_advance(r->sdn, r->now);
            hear(r, true);
            letters(room, cores);
        }
    for (unsigned core = 0; core < cores; core++)
        for (uint32_t i = 0; i < room[core].load.n; i++)
            if (room[core].load.sw[i].state != OFL_READY)
                bench_die("bench_of: a switch is not through its handshake");
}

/* Every host is seen, and its answer judged.  CPU time of all their first packet-ins. */
static double learn_all(struct room *room, unsigned cores)
{
    uint32_t rounds = room->opt.hosts / room->chunk_n + 2;
    double cpu_s = 0;

    for (uint32_t k = 0; k < rounds; k++)
        for (unsigned core = 0; core < cores; core++) {
            write_probes(&room[core]);
            cpu_s -= seconds(CLOCK_PROCESS_CPUTIME_ID);
            answer_probes(&room[core], true);
            letters(room, cores);
            cpu_s += seconds(CLOCK_PROCESS_CPUTIME_ID);
        }
    for (unsigned core = 0; core < cores; core++) {
        const struct ofload *l = &room[core].load;
        for (int e = 0; e < OFL_ERRORS; e++)
            if (l->errors[e] != 0)
                bench_die("bench_of: wrong answers: %s", l->first_wrong);
        if (l->floods + l->right_packet_outs != 0 || l->right_flow_mods != room[core].packets)
            bench_die("bench_of: %llu packet-ins, %llu flow-mods, %llu packet-outs, %llu floods",
                      (unsigned long long)room[core].packets,
                      (unsigned long long)l->right_flow_mods,
                      (unsigned long long)l->right_packet_outs, (unsigned long long)l->floods);
    }
    return cpu_s;
}

static void close_room(struct room *r)
{
    munmap(r->sdn, r->bytes);
    ofl_free(&r->load);
    free(r->conn);
}

static void measure(const struct bench *b, const char *name, uint32_t switches, uint32_t hosts,
                    enum sdn_mode mode)
{
    static struct room r;
    double first_s;

    if (!bench_wants(b, name))
        return;
    open_room(&r, 0, 1, switches, hosts, mode);
    shake(&r, 1);
    first_s = learn_all(&r, 1);
    bench_record(b, name, "first", "cycles/packet-in",
                 first_s * 1e9 * b->tsc_ghz / (double)r.packets);
    uint64_t before = r.packets, fast = sdn_stats(r.sdn)->packet_ins_fast;
    bench_measure(b, name, "packet-in", run_rounds, &r, bench_units(b, UNITS));
    bench_record(b, name, "short_way", "of all",
                 (double)(sdn_stats(r.sdn)->packet_ins_fast - fast) / (double)(r.packets - before));
    close_room(&r);
}

/* ---- two cores */

struct worker {
    struct room *room;
    uint64_t units;
    int cpu;
    pthread_barrier_t *barrier;
    double wall_s, cpu_s;
    pthread_t thread;
};

/* The writing of packet-ins counts here: it is as much work for each core. */
static void *work(void *arg)
{
    struct worker *w = arg;
    uint64_t before = w->room->packets;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)w->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    pthread_barrier_wait(w->barrier);
    w->wall_s = seconds(CLOCK_MONOTONIC);
    w->cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID);
    while (w->room->packets - before < w->units) {
        write_probes(w->room);
        answer_probes(w->room, false);
    }
    w->wall_s = seconds(CLOCK_MONOTONIC) - w->wall_s;
    w->cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID) - w->cpu_s;
    return NULL;
}

struct rates {
    double wall, cpu;
};

static struct rates run_cores(struct room *room, unsigned from, unsigned n, uint64_t units,
                              const int *cpu)
{
    struct worker w[CORES];
    pthread_barrier_t barrier;
    struct rates sum = {0, 0};

    pthread_barrier_init(&barrier, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        w[i] = (struct worker){
            .room = &room[from + i], .units = units, .cpu = cpu[from + i], .barrier = &barrier};
        if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
            bench_die("bench_of: no thread");
    }
    for (unsigned i = 0; i < n; i++) {
        pthread_join(w[i].thread, NULL);
        sum.wall += (double)units / w[i].wall_s;
        sum.cpu += (double)units / w[i].cpu_s;
    }
    pthread_barrier_destroy(&barrier);
    return sum;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* One core is each of the two in turn; letters are exchanged between the runs. */
static void measure_cores(const struct bench *b)
{
    static struct room room[CORES];
    double wall[BENCH_REPS_MAX], cpu[BENCH_REPS_MAX];
    int cpus[CORES];
    unsigned found = 0;
    cpu_set_t set;

    if (!bench_wants(b, "of/cores"))
        return;
    /* bench_init has pinned this thread to one processor. */
    CPU_ZERO(&set);
    for (unsigned i = 0; i < 1024; i++)
        CPU_SET(i, &set);
    sched_setaffinity(0, sizeof(set), &set);
    sched_getaffinity(0, sizeof(set), &set);
    for (int i = 0; i < CPU_SETSIZE && found < CORES; i++)
        if (CPU_ISSET((unsigned)i, &set))
            cpus[found++] = i;
    if (found < CORES) {
        bench_na(b, "of/cores", "there is one processor");
        return;
    }
    for (unsigned core = 0; core < CORES; core++)
        open_room(&room[core], core, CORES, CORE_SWITCHES, 100000, SDN_NETWORK);
    shake(room, CORES);
    learn_all(room, CORES);
    uint64_t units = bench_units(b, UNITS);
    for (unsigned rep = 0; rep < b->reps; rep++) {
        struct rates one = run_cores(room, rep % CORES, 1, units, cpus);
        struct rates all = run_cores(room, 0, CORES, units, cpus);
        letters(room, CORES);
        wall[rep] = all.wall / one.wall;
        cpu[rep] = all.cpu / one.cpu;
    }
    qsort(wall, b->reps, sizeof(double), by_size);
    qsort(cpu, b->reps, sizeof(double), by_size);
    bench_record(b, "of/cores", "scale", "of one core", wall[b->reps / 2]);
    bench_record(b, "of/cores", "scale_cpu", "of one core", cpu[b->reps / 2]);
    for (unsigned core = 0; core < CORES; core++)
        close_room(&room[core]);
}

int main(int argc, char **argv)
{
    static const struct {
        uint32_t switches, hosts;
    } sizes[] = {{1, 100000}, {16, 100000}, {256, 4000}};
    struct bench b;

    bench_init(&b, "millrace", argc, argv);
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        char name[32];
        snprintf(name, sizeof(name), "of/room/%u", sizes[i].switches);
        measure(&b, name, sizes[i].switches, sizes[i].hosts, SDN_NETWORK);
        snprintf(name, sizeof(name), "of/learn/%u", sizes[i].switches);
        measure(&b, name, sizes[i].switches, sizes[i].hosts, SDN_LEARN);
    }
    measure_cores(&b);
    return 0;
}
