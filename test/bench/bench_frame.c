#define _GNU_SOURCE
#include "bench_frame.h"

#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <valgrind/callgrind.h>
#include <x86intrin.h>

enum {
    CALIBRATE_NS = 100 * 1000 * 1000,
    NS_A_S = 1000 * 1000 * 1000,
    GAUGE_ADDS = 8 * 1000000,
    VALGRIND_SHARE = 50    /* it is that much slower, and needs no long runs */
};

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * NS_A_S + (uint64_t)t.tv_nsec;
}

/* Under callgrind the watch also says what to count; anywhere else these requests do nothing. */
void bench_watch_start(struct bench_watch *w)
{
    CALLGRIND_START_INSTRUMENTATION;
    w->wall_start_ns = clock_ns(CLOCK_MONOTONIC_RAW);
    w->cpu_start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_watch_stop(struct bench_watch *w)
{
    w->cpu_ns += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - w->cpu_start_ns;
    w->wall_ns += clock_ns(CLOCK_MONOTONIC_RAW) - w->wall_start_ns;
    CALLGRIND_STOP_INSTRUMENTATION;
}

void bench_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* tsc_calibrate counts the time stamp counter's ticks over a tenth of a second. */
static double tsc_calibrate(void)
{
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC_RAW);
    uint64_t start = __rdtsc();
    uint64_t now_ns;

    do
        now_ns = clock_ns(CLOCK_MONOTONIC_RAW);
    while (now_ns - start_ns < CALIBRATE_NS);
    return (double)(__rdtsc() - start) / (double)(now_ns - start_ns);
}

double bench_gauge(const struct bench *b)
{
    struct bench_watch w = { 0 };
    uint64_t x[4] = { 0 };

    bench_watch_start(&w);
    for (unsigned i = 0; i < GAUGE_ADDS; i += 8)
        __asm__ volatile("add $1, %0; add $1, %1; add $1, %2; add $1, %3;"
                         "add $1, %0; add $1, %1; add $1, %2; add $1, %3"
                         : "+r"(x[0]), "+r"(x[1]), "+r"(x[2]), "+r"(x[3]));
    bench_watch_stop(&w);
    return (double)w.cpu_ns * b->tsc_ghz / GAUGE_ADDS;
}

static void pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        fprintf(stderr, "bench: cannot pin to core %d, running anywhere\n", cpu);
}

static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value > max) {
        fprintf(stderr, "bench: '%s' is not a number up to %lu\n", text, max);
        exit(2);
    }
    return value;
}

static int options_read(struct bench *b, int argc, char **argv)
{
    static const struct option options[] = {
        { "json", required_argument, NULL, 'j' }, { "notes", required_argument, NULL, 'n' },
        { "reps", required_argument, NULL, 'r' }, { "cpu", required_argument, NULL, 'c' },
        { "quick", no_argument, NULL, 'q' },      { NULL, 0, NULL, 0 },
    };
    int cpu = 1;
    int o;

    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (o) {
        case 'j': b->json_path = optarg; break;
        case 'n': b->notes_path = optarg; break;
        case 'r': b->reps = (unsigned)number(optarg, BENCH_REPS_MAX); break;
        case 'c': cpu = (int)number(optarg, CPU_SETSIZE - 1); break;
        case 'q': b->quick = true; break;
        default:
            fprintf(stderr, "usage: %s [--json FILE] [--notes FILE] [--reps N] [--cpu N] [--quick] "
                            "[BENCH...]\n", argv[0]);
            exit(2);
        }
    }
    while (optind < argc && b->names_count < BENCH_NAMES_MAX)
        b->names[b->names_count++] = argv[optind++];
    return cpu;
}

void bench_init(struct bench *b, const char *peer, int argc, char **argv)
{
    memset(b, 0, sizeof *b);
    b->peer = peer;
    b->reps = BENCH_REPS;
    int cpu = options_read(b, argc, argv);
    if (b->reps == 0)
        b->reps = 1;
    pin(cpu);
    b->tsc_ghz = tsc_calibrate();
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%s: cycles = CPU time x %.4f GHz, both ends, median of %u (least, most), core %d\n",
           peer, b->tsc_ghz, b->reps, cpu);
}

bool bench_wants(const struct bench *b, const char *name)
{
    for (size_t i = 0; i < b->names_count; i++)
        if (strcmp(b->names[i], name) == 0)
            return true;
    return b->names_count == 0;
}

uint64_t bench_units(const struct bench *b, uint64_t units)
{
    return b->quick ? (units + 9) / 10 : units;
}

void bench_load_print(FILE *out)
{
    double load[3] = { 0 };

    getloadavg(load, 3);
    fprintf(out, "load %.2f %.2f %.2f", load[0], load[1], load[2]);
}

/* json_append adds one object to the list in the file, which is kept a valid list at every moment
 * we are not in here: a program that dies between two records spoils nothing. */
static void json_append(const struct bench *b, const char *name, const char *metric,
                        const char *unit, double value)
{
    if (b->json_path == NULL)
        return;
    FILE *f = fopen(b->json_path, "r+");
    if (f == NULL)
        f = fopen(b->json_path, "w+");
    if (f == NULL)
        bench_die("bench: cannot write %s", b->json_path);
    static const char tail[] = "\n]\n";
    static const char empty[] = "[\n]\n";
    const long tail_size = (long)sizeof tail - 1;
    fseek(f, 0, SEEK_END);
    bool first = ftell(f) <= (long)sizeof empty - 1;
    if (first)
        rewind(f);
    else
        fseek(f, -tail_size, SEEK_END);
    fprintf(f, "%s\n{\"bench\": \"%s\", \"peer\": \"%s\", \"metric\": \"%s\", \"unit\": \"%s\", "
               "\"value\": %.6g}%s", first ? "[" : ",", name, b->peer, metric, unit, value, tail);
    fclose(f);
}

void bench_record(const struct bench *b, const char *name, const char *metric, const char *unit,
                  double value)
{
    printf("%-18s %-8s %12.6g %s\n", name, metric, value, unit);
    json_append(b, name, metric, unit, value);
}

static void note_append(const struct bench *b, const char *key, const char *text)
{
    if (b->notes_path == NULL)
        return;
    FILE *f = fopen(b->notes_path, "a");
    if (f == NULL)
        bench_die("bench: cannot write %s", b->notes_path);
    fprintf(f, "%s\t%s\t%s\n", b->peer, key, text);
    fclose(f);
}

void bench_na(const struct bench *b, const char *name, const char *reason)
{
    printf("%-18s n/a, because %s\n", name, reason);
    note_append(b, name, reason);
}

void bench_note(const struct bench *b, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("# %s\n", text);
    note_append(b, "#", text);
}

static int double_compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_of(double *values, size_t n)
{
    qsort(values, n, sizeof values[0], double_compare);
    return values[n / 2];
}

/* instructions_measure runs a bench once under callgrind, counting nothing but the work, and says
 * over how many units the count in callgrind's file is to be spread. */
static double instructions_measure(const char *name, const char *unit, bench_fn *fn, void *ctx,
                                   uint64_t units)
{
    struct bench_watch w = { 0 };

    fn(ctx, units, &w);
    bench_watch_stop(&w);
    CALLGRIND_ZERO_STATS;
    bench_watch_start(&w);
    uint64_t done = fn(ctx, units, &w);
    bench_watch_stop(&w);
    printf("instructions %s %llu %s\n", name, (unsigned long long)done, unit);
    return 0;
}

double bench_measure(const struct bench *b, const char *name, const char *unit, bench_fn *fn,
                     void *ctx, uint64_t units)
{
    double cycles[BENCH_REPS_MAX], rate[BENCH_REPS_MAX], add[BENCH_REPS_MAX];
    char metric_unit[64];
    struct bench_watch warm = { 0 };

    if (RUNNING_ON_VALGRIND)
        return instructions_measure(name, unit, fn, ctx, units / VALGRIND_SHARE + 1);
    bench_watch_start(&warm);
    fn(ctx, units / 4 + 1, &warm);
    for (unsigned r = 0; r < b->reps; r++) {
        struct bench_watch w = { 0 };
        add[r] = bench_gauge(b);
        bench_watch_start(&w);
        double done = (double)fn(ctx, units, &w);
        bench_watch_stop(&w);
        cycles[r] = (double)w.cpu_ns * b->tsc_ghz / done;
        rate[r] = done * NS_A_S / (double)w.wall_ns;
    }
    double median = median_of(cycles, b->reps);
    double rate_median = median_of(rate, b->reps);
    double add_median = median_of(add, b->reps);
    printf("%-18s %-8s %12.6g cycles/%s (%.6g, %.6g)  %.6g %s/s  add %.2f  ", name, "cycles",
           median, unit, cycles[0], cycles[b->reps - 1], rate_median, unit, add_median);
    bench_load_print(stdout);
    putchar('\n');
    snprintf(metric_unit, sizeof metric_unit, "cycles/%s", unit);
    json_append(b, name, "cycles", metric_unit, median);
    snprintf(metric_unit, sizeof metric_unit, "%s/s", unit);
    json_append(b, name, "rate", metric_unit, rate_median);
    json_append(b, name, "add", "cycles/add", add_median);
    return median;
}

/* The permutation of Fisher and Yates, drawn by a xorshift generator of our own so that every
 * peer and every run walks the connections in the same order. */
void bench_order(uint32_t *order, uint32_t n)
{
    uint64_t x = 0x9e3779b97f4a7c15u;

    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint32_t j = (uint32_t)((x >> 32) % i);
        uint32_t t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}
