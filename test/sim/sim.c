/* Runs simulated worlds and prints TAP: a point for every kept seed, a point for every hundred
 * others.
 *
 *   sim [--seeds A..B] [--seed N] [--kept FILE] [--jobs N] [--fill BYTE] [--check-every N]
 *       [--digests FILE] [--compare FILE] [--failed FOLDER] [--pcap FILE] [-v]
 *
 * Worlds run in child processes, so that one that crashes or hangs takes nothing with it; a world
 * that fails is run again to write a capture, and its replay command is printed. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/capture.h"
#include "sim/sim.h"

#define BLOCK 100u
#define JOBS_MAX 16
#define SECONDS_MAX 60 /* of processor time; a world takes milliseconds */
#define TOLD_MAX 5u    /* failures told in full */

enum outcome_state { UNTOUCHED, RUNNING, DONE };

struct outcome { /* in memory that the children share */
    enum outcome_state state;
    struct sim_result result;
};

struct options {
    uint64_t first, last; /* seeds; first > last: none */
    bool single;
    const char *kept, *digests, *compare, *failed, *pcap, *self;
    int jobs;
    unsigned fill, check_every;
    bool verbose, settles;
};

static struct {
    jmp_buf back;
    struct sim_result *result;
} trap;

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    if (trap.result == NULL) {
        fprintf(stderr, "# panic: %s:%d: %s\n", file, line, what);
        abort();
    }
    trap.result->failed = true;
    snprintf(trap.result->text, sizeof(trap.result->text), "ASSERT %s:%d: %s", file, line, what);
    longjmp(trap.back, 1);
}

/* ---- one world -------------------------------------------------------------------- */

static void *world_memory(void)
{
    void *p = mmap(NULL, SIM_MEMORY_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return p;
}

static void run_world(void *memory, uint64_t seed, const struct options *o, struct capture *c,
                      struct sim_result *result)
{
    struct sim_options so = {
        .seed = seed,
        .fill = (uint8_t)o->fill,
        .check_every = o->check_every,
        .settles = o->settles,
        .observer = capture_observer(c),
    };
    struct sim_world *volatile w = NULL;
    char text[200];

    trap.result = result;
    result->seed = seed;
    if (setjmp(trap.back) == 0) {
        w = sim_init(memory, SIM_MEMORY_BYTES, &so);
        if (c->verbose && sim_print(w, text, sizeof(text)) > 0)
            printf("# %s\n", text);
        while (sim_step(w))
            continue;
        *result = *sim_result(w);
    } else if (w != NULL) {
        /* The text is mr_panic's; the numbers tell how far it came. */
        struct sim_result until = *sim_result(w);
        until.failed = true;
        memcpy(until.text, result->text, sizeof(until.text));
        *result = until;
    }
    trap.result = NULL;
}

/* A world that runs for ever ends its process. */
static void time_limit(int seconds)
{
    struct itimerval t = {.it_value = {.tv_sec = seconds}};

    setitimer(ITIMER_VIRTUAL, &t, NULL);
}

/* ---- many worlds ------------------------------------------------------------------ */

struct jobs {
    const struct options *o;
    const uint64_t *seed;
    struct outcome *outcome; /* shared with the children */
    size_t n;
};

/* A child runs worlds [from, to), one after the other. */
static pid_t start_child(const struct jobs *j, size_t from, size_t to)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    void *memory = world_memory();
    struct capture none = {0};
    for (size_t i = from; i < to; i++) {
        if (j->outcome[i].state != UNTOUCHED)
            continue;
        j->outcome[i].state = RUNNING;
        time_limit(SECONDS_MAX);
        run_world(memory, j->seed[i], j->o, &none, &j->outcome[i].result);
        time_limit(0);
        j->outcome[i].state = DONE;
    }
    _exit(0);
}

/* The child has ended; a world it was in the middle of has killed it.  True: go on with the
 * rest of [from, to). */
static bool settle(const struct jobs *j, size_t from, size_t to, int status)
{
    bool rest = false;

    for (size_t i = from; i < to; i++) {
        struct outcome *u = &j->outcome[i];
        if (u->state == RUNNING) {
            u->state = DONE;
            u->result.seed = j->seed[i];
            u->result.failed = true;
            if (WIFSIGNALED(status) && WTERMSIG(status) == SIGVTALRM)
                snprintf(u->result.text, sizeof(u->result.text), "no end after %d s", SECONDS_MAX);
            else
                snprintf(u->result.text, sizeof(u->result.text), "the process died (status %d)",
                         status);
        }
        rest |= u->state == UNTOUCHED;
    }
    return rest;
}

struct child {
    pid_t pid; /* 0: none */
    size_t from, to;
};

static void run_all(const struct jobs *j)
{
    struct child child[JOBS_MAX] = {0};
    size_t next = 0;
    int alive = 0, status;

    for (;;) {
        for (int i = 0; i < j->o->jobs && next < j->n; i++) {
            if (child[i].pid != 0)
                continue;
            size_t to = next + BLOCK < j->n ? next + BLOCK : j->n;
            child[i] = (struct child){start_child(j, next, to), next, to};
            next = to;
            alive++;
        }
        if (alive == 0)
            return;
        pid_t pid = wait(&status);
        for (int i = 0; i < j->o->jobs; i++) {
            if (child[i].pid != pid)
                continue;
            if (settle(j, child[i].from, child[i].to, status)) {
                child[i].pid = start_child(j, child[i].from, child[i].to);
            } else {
                child[i].pid = 0;
                alive--;
            }
        }
    }
}

/* ---- telling ---------------------------------------------------------------------- */

static unsigned points, failed_points, told;

static void point(bool ok, const char *what)
{
    printf("%s %u - %s\n", ok ? "ok" : "not ok", ++points, what);
    fflush(stdout);
    failed_points += !ok;
}

/* Run the world once more, in a child, to write its capture. */
static void write_capture(const struct options *o, uint64_t seed, const char *path)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct sim_result r;
        struct capture c;
        time_limit(SECONDS_MAX);
        /* What a sanitizer had to say was said the first time. */
        if (freopen("/dev/null", "w", stderr) == NULL || !capture_open(&c, path, false))
            _exit(1);
        run_world(world_memory(), seed, o, &c, &r);
        capture_close(&c);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

static void tell_failure(const struct options *o, const struct sim_result *r)
{
    char path[4096];

    printf("# seed %" PRIu64 ": %s\n", r->seed, r->text);
    printf("#   replay: %s%s --seed %" PRIu64 " --pcap out.pcapng -v\n", o->self,
           o->settles ? " --settle" : "", r->seed);
    if (o->failed != NULL && told++ < TOLD_MAX) {
        snprintf(path, sizeof(path), "%s/seed-%" PRIu64 ".pcapng", o->failed, r->seed);
        write_capture(o, r->seed, path);
        printf("#   capture: %s\n", path);
    }
}

static void tell_block(const struct options *o, const struct outcome *u, size_t n)
{
    uint64_t frames = 0, bytes = 0, seconds = 0;
    unsigned failed = 0;
    char what[200];

    for (size_t i = 0; i < n; i++) {
        frames += u[i].result.frames;
        bytes += u[i].result.bytes_checked;
        seconds += u[i].result.ns / 1000000000;
        failed += u[i].result.failed;
        if (u[i].result.failed)
            tell_failure(o, &u[i].result);
    }
    snprintf(what, sizeof(what),
             "seeds %" PRIu64 "..%" PRIu64 ": %u failed, %" PRIu64 " frames, %" PRIu64
             " bytes checked, %" PRIu64 " s of virtual time",
             u[0].result.seed, u[n - 1].result.seed, failed, frames, bytes, seconds);
    point(failed == 0, what);
}

static void write_digests(const char *path, const struct outcome *u, size_t n)
{
    FILE *f = fopen(path, "w");

    if (f == NULL) {
        fprintf(stderr, "# %s: %s\n", path, strerror(errno));
        return;
    }
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%" PRIu64 " %016" PRIx64 "\n", u[i].result.seed, u[i].result.digest);
    fclose(f);
}

static const struct sim_result *find(const struct outcome *u, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        if (u[i].result.seed == seed)
            return &u[i].result;
    return NULL;
}

/* The other build's digests, if it has run. */
static void compare(const char *path, const struct outcome *u, size_t n)
{
    const char *what = "both builds give every seed the same digest";
    FILE *f = fopen(path, "r");
    uint64_t seed, digest;
    unsigned same = 0, different = 0;

    if (f == NULL) {
        printf("ok %u - %s # SKIP the other build has not run: no %s\n", ++points, what, path);
        return;
    }
    while (fscanf(f, "%" SCNu64 " %" SCNx64, &seed, &digest) == 2) {
        const struct sim_result *r = find(u, n, seed);
        if (r == NULL)
            continue;
        same += r->digest == digest;
        if (r->digest != digest && different++ < TOLD_MAX)
            printf("# seed %" PRIu64 ": %016" PRIx64 " here, %016" PRIx64 " there\n", seed,
                   r->digest, digest);
    }
    fclose(f);
    printf("# %u the same, %u different\n", same, different);
    point(different == 0 && same > 0, what);
}

/* ---- the command line --------------------------------------------------------------- */

static _Noreturn void usage(const char *what)
{
    fprintf(stderr, "sim: %s\n", what);
    exit(2);
}

static const char *value(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc)
        usage("an option's value is missing");
    return argv[++*i];
}

static void parse(struct options *o, int argc, char **argv)
{
    *o = (struct options){.first = 1, .last = 0, .jobs = 2, .self = argv[0]};
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "-v") == 0) {
            o->verbose = true;
            continue;
        }
        if (strcmp(a, "--settle") == 0) {
            o->settles = true;
            continue;
        }
        const char *v = value(argc, argv, &i);
        if (strcmp(a, "--seeds") == 0) {
            if (sscanf(v, "%" SCNu64 "..%" SCNu64, &o->first, &o->last) != 2)
                usage("--seeds A..B");
        } else if (strcmp(a, "--seed") == 0) {
            o->first = o->last = strtoull(v, NULL, 0);
            o->single = true;
        } else if (strcmp(a, "--kept") == 0) {
            o->kept = v;
        } else if (strcmp(a, "--jobs") == 0) {
            o->jobs = atoi(v);
        } else if (strcmp(a, "--fill") == 0) {
            o->fill = (unsigned)strtoul(v, NULL, 0);
        } else if (strcmp(a, "--check-every") == 0) {
            o->check_every = (unsigned)strtoul(v, NULL, 0);
        } else if (strcmp(a, "--digests") == 0) {
            o->digests = v;
        } else if (strcmp(a, "--compare") == 0) {
            o->compare = v;
        } else if (strcmp(a, "--failed") == 0) {
            o->failed = v;
        } else if (strcmp(a, "--pcap") == 0) {
            o->pcap = v;
        } else {
            usage("an option is not known");
        }
    }
    if (o->jobs < 1 || o->jobs > JOBS_MAX)
        usage("--jobs 1..16");
}

/* Seeds of a file, one a line; '#' begins a comment.  Returns how many. */
static size_t read_kept(const char *path, uint64_t *seed, size_t max)
{
    FILE *f = path != NULL ? fopen(path, "r") : NULL;
    char line[256];
    size_t n = 0;

    if (f == NULL)
        return 0;
    while (n < max && fgets(line, sizeof(line), f) != NULL) {
        char *end;
        uint64_t v = strtoull(line, &end, 0);
        if (end != line)
            seed[n++] = v;
    }
    fclose(f);
    return n;
}

static int run_single(const struct options *o)
{
    struct sim_result r = {0};
    struct capture c;
    char what[100];

    if (!capture_open(&c, o->pcap, o->verbose)) {
        perror(o->pcap);
        return 2;
    }
    run_world(world_memory(), o->first, o, &c, &r);
    capture_close(&c);
    printf("# digest %016" PRIx64 ", %" PRIu64 " frames, %" PRIu64 " steps, %u of %u connections "
           "whole, %.3f s\n",
           r.digest, r.frames, r.steps, r.conns_whole, r.conns, (double)r.ns / 1e9);
    if (r.failed)
        printf("# %s\n", r.text);
    snprintf(what, sizeof(what), "seed %" PRIu64, o->first);
    point(!r.failed, what);
    printf("1..%u\n", points);
    return r.failed;
}

int main(int argc, char **argv)
{
    static uint64_t kept[1000];
    struct options o;
    struct jobs j;
    uint64_t *seed;

    parse(&o, argc, argv);
    if (o.single)
        return run_single(&o);
    size_t nkept = read_kept(o.kept, kept, sizeof(kept) / sizeof(kept[0]));
    size_t ndrawn = o.first <= o.last ? (size_t)(o.last - o.first + 1) : 0;
    j = (struct jobs){.o = &o, .n = nkept + ndrawn};
    j.outcome = mmap(NULL, (j.n + 1) * sizeof(*j.outcome), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    seed = malloc((j.n + 1) * sizeof(*seed));
    if (j.outcome == MAP_FAILED || seed == NULL)
        usage("out of memory");
    for (size_t i = 0; i < j.n; i++)
        seed[i] = i < nkept ? kept[i] : o.first + (i - nkept);
    j.seed = seed;
    if (o.failed != NULL && access(o.failed, W_OK) != 0)
        o.failed = NULL;
    fflush(stdout);
    run_all(&j);
    for (size_t i = 0; i < nkept; i++)
        tell_block(&o, &j.outcome[i], 1);
    for (size_t i = nkept; i < j.n; i += BLOCK)
        tell_block(&o, &j.outcome[i], i + BLOCK < j.n ? BLOCK : j.n - i);
    if (o.digests != NULL)
        write_digests(o.digests, j.outcome, j.n);
    if (o.compare != NULL)
        compare(o.compare, j.outcome, j.n);
    printf("1..%u\n", points);
    free(seed);
    return failed_points != 0;
}
