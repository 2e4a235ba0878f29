/* bench_frame: what every benchmark program shares: a stopwatch in CPU cycles, repetitions, one
 * table and one file of records.
 *
 * A cycle here is one nanosecond of the CPU time this process used (user and system together, and
 * with it the interrupt work the kernel does on our behalf) times the frequency of the time stamp
 * counter.  Machines like ours have no hardware counters; CPU time leaves out the moments when
 * somebody else has the core, so a busy machine disturbs it less than wall time.  Wall time is
 * shown beside it.
 *
 * The core itself may be slow, when the host lowers its clock or somebody else works on its other
 * hardware thread, and no figure of CPU time can see that.  So before each repetition four
 * independent chains of additions are timed: 'add' is what one addition costs in the same cycles
 * (about 0.20 on a quiet core, 0.35 on a shared one here), and figures taken at different
 * values of it should not be compared.
 *
 * Every bench runs both ends of its connections in one process and one thread, so a figure is the
 * cost of both ends together.
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The shape of the work, the same for every peer. */
enum {
    BENCH_RR_BYTES = 64,    /* request and response of rr64 and crr64 */
    BENCH_RR_BURST = 32,    /* requests in flight at once over many connections */
    BENCH_CRR_BURST = 32,   /* connections open at once in crr64 */
    BENCH_REPS = 5,         /* repetitions, of which the median counts */
    BENCH_REPS_MAX = 99,
    BENCH_NAMES_MAX = 32    /* bench names on the command line */
};

/* bench_watch accumulates CPU time and wall time between start and stop. */
struct bench_watch {
    uint64_t cpu_ns;
    uint64_t wall_ns;
    uint64_t cpu_start_ns;
    uint64_t wall_start_ns;
};

/* bench is the state of one benchmark program. */
struct bench {
    const char *peer;                     /* static: the column's name */
    const char *json_path;                /* borrowed from argv, or NULL: write no records */
    const char *notes_path;               /* borrowed from argv, or NULL: write no notes */
    const char *names[BENCH_NAMES_MAX];   /* borrowed from argv: benches asked for; none: all */
    size_t names_count;
    unsigned reps;
    bool quick;                           /* a tenth of the work: for trying things out */
    double tsc_ghz;                       /* cycles a nanosecond, calibrated once */
};

/* bench_fn does 'units' units of work and returns how many it really did.  The watch is running
 * when it is called and must be running when it returns; stop and start it around parts that
 * should not be counted. */
typedef uint64_t bench_fn(void *ctx, uint64_t units, struct bench_watch *w);

/* bench_init reads the options (--json FILE, --notes FILE, --reps N, --quick, --cpu N, and names
 * of benches), pins the process to a core (1, unless told otherwise), calibrates the counter
 * and prints the table's head.  A bad option prints one line and exits with code 2. */
void bench_init(struct bench *b, const char *peer, int argc, char **argv);

/* bench_wants reports whether the command line asks for bench 'name'. */
bool bench_wants(const struct bench *b, const char *name);

/* bench_measure runs 'fn' once to warm up and then b->reps times over 'units' units, and records
 * the median cycles a unit (metric "cycles", unit "cycles/<unit>"), the median rate by wall
 * time (metric "rate", unit "<unit>/s") and the core's own speed meanwhile (metric "add", unit
 * "cycles/add").  Returns the median cycles a unit.
 *
 * Under valgrind --tool=callgrind --instr-atstart=no it runs less, once, and prints the line
 * "instructions NAME UNITS UNIT"; the count itself is in callgrind's file, and test/bench/run
 * puts the two together.  Instructions are the same on a busy machine. */
double bench_measure(const struct bench *b, const char *name, const char *unit, bench_fn *fn,
                     void *ctx, uint64_t units);

/* bench_gauge times four chains of additions, which keep the core as full as it can be but touch no
 * memory: what one addition costs, in cycles, says how much of the core is ours. */
double bench_gauge(const struct bench *b);

/* bench_units scales a count of units down when only a quick look is wanted. */
uint64_t bench_units(const struct bench *b, uint64_t units);

/* bench_record prints one figure and appends it to the records. */
void bench_record(const struct bench *b, const char *name, const char *metric, const char *unit,
                  double value);

/* bench_na says why this peer has no figure for a bench. */
void bench_na(const struct bench *b, const char *name, const char *reason);

/* bench_note prints a setting or a remark and keeps it for the final table's foot. */
void bench_note(const struct bench *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* bench_order fills order[0..n) with a random permutation, the same one in every run. */
void bench_order(uint32_t *order, uint32_t n);

/* bench_load_print writes the load average without a newline. */
void bench_load_print(FILE *out);

void bench_watch_start(struct bench_watch *w);
void bench_watch_stop(struct bench_watch *w);

/* bench_die prints one line and exits with code 1. */
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
