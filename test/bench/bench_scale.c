/* How throughput grows with cores: the same work on one core and on N, in turns, in one run.
 *
 *   bench_scale [--cores LIST] [--seconds S] [--rounds N] [--quick] [--json FILE] [NAME...]
 *   bench_scale --simulate N [--operations N] [NAME...]
 *
 * The wire stands for a NIC whose DMA costs no core, so nothing but the stacks and their programs
 * is measured.  With the symmetric key both ends of a flow are on the same core and the cores meet
 * nowhere but in the memory system; with the usual one the wire carries the most of the traffic
 * from core to core.  Each round runs every number of cores once, on other processors each time;
 * medians count.  The additions say what the machine gives when nothing is shared at all.  What
 * counts is the rate by wall clock; "by CPU time" says what it would be with the processors to
 * ourselves, and "busy" how far we had them.
 *
 * It fails when a packet went by mail: with a port that hashes as the law says, none may. */
#define _GNU_SOURCE
#include "bench_ports.h"
#include "scale.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNTS_MAX 16u
#define ROUNDS 5u
#define ROUNDS_LIMIT 31u
#define ARGS_MAX 64u

struct options {
    unsigned cores[COUNTS_MAX], counts; /* numbers of cores; the first is 1 */
    unsigned rounds, simulate;
    double seconds;
    uint64_t operations;
};

struct machine {
    int cpu[2 * CPU_SETSIZE]; /* twice, so that a range may begin anywhere */
    unsigned cpus;
};

static const struct work {
    const char *name, *unit;
    enum scale_work work;
    enum scale_wire wire;
} works[] = {
    {"scale/rr64", "transaction", SCALE_RR, SCALE_STRAIGHT},
    {"scale/rr64-hashed", "transaction", SCALE_RR, SCALE_HASHED},
    {"scale/rr64-crossing", "transaction", SCALE_RR, SCALE_CROSSING},
    {"scale/crr64", "transaction", SCALE_CRR, SCALE_STRAIGHT},
    {"scale/bulk", "byte", SCALE_BULK, SCALE_STRAIGHT},
    {"scale/relay", "transaction", SCALE_RELAY, SCALE_STRAIGHT},
};
#define WORKS (sizeof(works) / sizeof(works[0]))

static double number(const char *text, double least, double most)
{
    char *end;
    double v = strtod(text, &end);

    if (*text == '\0' || *end != '\0' || !(v >= least && v <= most)) {
        fprintf(stderr, "bench_scale: '%s' is not a number from %g to %g\n", text, least, most);
        exit(2);
    }
    return v;
}

/* "2,4,8"; 1 is always there, and first. */
static void counts_read(struct options *o, char *list)
{
    o->counts = 1;
    for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
        unsigned n = (unsigned)number(word, 1, CORES_MAX);
        if (n > 1 && o->counts < COUNTS_MAX)
            o->cores[o->counts++] = n;
    }
}

static bool option(struct options *o, const char *name, char *value)
{
    if (strcmp(name, "--cores") == 0)
        counts_read(o, value);
    else if (strcmp(name, "--seconds") == 0)
        o->seconds = number(value, 0.001, 600);
    else if (strcmp(name, "--rounds") == 0)
        o->rounds = (unsigned)number(value, 1, ROUNDS_LIMIT);
    else if (strcmp(name, "--simulate") == 0)
        o->simulate = (unsigned)number(value, 1, CORES_MAX);
    else if (strcmp(name, "--operations") == 0)
        o->operations = (uint64_t)number(value, 1, 1e15);
    else
        return false;
    return true;
}

/* Takes our options out; what is left is bench_init's. */
static int options_read(struct options *o, int argc, char **argv, char **rest)
{
    int n = 0;

    *o = (struct options){
        .cores = {1, 2}, .counts = 2, .rounds = ROUNDS, .seconds = 1, .operations = 300};
    for (int i = 0; i < argc && n < (int)ARGS_MAX; i++) {
        if (i + 1 < argc && option(o, argv[i], argv[i + 1]))
            i++;
        else
            rest[n++] = argv[i];
    }
    rest[n] = NULL;
    return n;
}

static void machine_read(struct machine *m)
{
    cpu_set_t set;

    m->cpus = 0;
    sched_getaffinity(0, sizeof(set), &set);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((unsigned)i, &set))
            m->cpu[m->cpus++] = i;
    memcpy(m->cpu + m->cpus, m->cpu, m->cpus * sizeof(m->cpu[0]));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* In order, so that the median is in the middle. */
static void sort(double *values, unsigned n)
{
    qsort(values, n, sizeof(values[0]), by_value);
}

/* What all rounds of one work gave, by number of cores. */
struct table {
    double rate[COUNTS_MAX][ROUNDS_LIMIT], ratio[COUNTS_MAX][ROUNDS_LIMIT];
    double cycles[COUNTS_MAX][ROUNDS_LIMIT];
    double even[COUNTS_MAX]; /* the slowest core to the fastest, worst round */
    double busy[COUNTS_MAX]; /* the least share of a processor that a core had */
    uint64_t mails;
};

/* work NULL: nothing but additions. */
static void measure(struct table *t, const struct bench *b, const struct options *o,
                    const struct machine *m, const struct work *work)
{
    memset(t, 0, sizeof(*t));
    for (unsigned round = 0; round < o->rounds; round++) {
        for (unsigned i = 0; i < o->counts; i++) {
            struct scale_plan p = {.work = work ? work->work : SCALE_RR,
                                   .wire = work ? work->wire : SCALE_STRAIGHT,
                                   .cores = o->cores[i],
                                   .cpus = m->cpu + round * o->cores[i] % m->cpus,
                                   .seconds = o->seconds,
                                   .tsc_ghz = b->tsc_ghz};
            struct scale_result r = work ? scale_run(&p) : scale_run_adds(&p);
            t->rate[i][round] = r.rate;
            t->ratio[i][round] = r.rate / t->rate[0][round];
            t->cycles[i][round] = r.cpu_ns * b->tsc_ghz;
            if (round == 0 || r.least / r.most < t->even[i])
                t->even[i] = r.least / r.most;
            if (round == 0 || r.busy < t->busy[i])
                t->busy[i] = r.busy;
            t->mails += r.mails;
        }
    }
}

static void print_row(struct table *t, const struct options *o, unsigned i, const char *name,
                      const char *unit)
{
    unsigned middle = o->rounds / 2;

    printf("%-19s %2u cores %12.6g %s/s %9.5g cycles/%s  x%.3f (%.3f..%.3f), by CPU time x%.3f  "
           "even %.2f busy %.2f  ",
           name, o->cores[i], t->rate[i][middle], unit, t->cycles[i][middle], unit,
           t->ratio[i][middle], t->ratio[i][0], t->ratio[i][o->rounds - 1],
           o->cores[i] * t->cycles[0][middle] / t->cycles[i][middle], t->even[i], t->busy[i]);
    bench_load_print(stdout);
    putchar('\n');
}

static void print(struct table *t, const struct bench *b, const struct options *o, const char *name,
                  const char *unit)
{
    char metric[32];

    for (unsigned i = 0; i < o->counts; i++) {
        sort(t->rate[i], o->rounds);
        sort(t->ratio[i], o->rounds);
        sort(t->cycles[i], o->rounds);
    }
    for (unsigned i = 0; i < o->counts; i++)
        print_row(t, o, i, name, unit);
    for (unsigned i = 1; i < o->counts; i++) {
        snprintf(metric, sizeof(metric), "cores%u/cores1", o->cores[i]);
        bench_record(b, name, metric, "ratio", t->ratio[i][o->rounds / 2]);
    }
}

static bool measure_all(const struct bench *b, const struct options *o, const struct machine *m)
{
    static struct table t;
    bool good = true;

    for (unsigned i = 0; i < o->counts; i++)
        if (o->cores[i] > m->cpus)
            bench_die("bench_scale: %u cores on a machine with %u", o->cores[i], m->cpus);
    if (bench_wants(b, "port-choice"))
        bench_ports(b);
    if (bench_wants(b, "scale/adds")) {
        measure(&t, b, o, m, NULL);
        print(&t, b, o, "scale/adds", "addition");
    }
    for (unsigned i = 0; i < WORKS; i++) {
        if (!bench_wants(b, works[i].name))
            continue;
        measure(&t, b, o, m, &works[i]);
        print(&t, b, o, works[i].name, works[i].unit);
        if (t.mails) {
            printf("%s: FAILED: %llu packets went by mail\n", works[i].name,
                   (unsigned long long)t.mails);
            good = false;
        }
    }
    return good;
}

static bool simulate_all(const struct bench *b, const struct options *o)
{
    bool good = true;

    for (unsigned i = 0; i < WORKS; i++)
        if (bench_wants(b, works[i].name)) {
            /* A transfer of fewer bytes than its windows has no steady part. */
            uint64_t scale = works[i].work == SCALE_BULK ? SCALE_GIVE : 1;
            printf("%s ", works[i].name);
            good &=
                scale_simulate(works[i].work, works[i].wire, o->simulate, o->operations * scale);
        }
    return good;
}

int main(int argc, char **argv)
{
    char *rest[ARGS_MAX + 1];
    struct options o;
    struct machine m;
    struct bench b;

    machine_read(&m);
    int n = options_read(&o, argc, argv, rest);
    bench_init(&b, "millrace", n, rest);
    if (b.quick)
        o.seconds /= 5;
    return (o.simulate ? simulate_all(&b, &o) : measure_all(&b, &o, &m)) ? 0 : 1;
}
