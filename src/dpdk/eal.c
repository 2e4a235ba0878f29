/* DPDK's environment: begun once, its voice caught, threads known to it. */
#define _GNU_SOURCE
#include "dpdk/eal.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <rte_alarm.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "os/os.h"

/* Of ports that are opened later, when memory cannot grow: without huge pages it is address space
 * until it is touched. */
#define NO_HUGE_MEGABYTES 1024u
/* Of the run directory, before the process id. */
#define PREFIX "millrace-"
/* DPDK's own. */
#define EAL_MEGABYTES 32u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool begun, failed, huge, pci;
    char failure[160];
} eal;

/* ---- its voice ------------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock;
    bool listening, all;
    char first[160]; /* the first error while listening: what follows is its consequence */
} voice = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A line, perhaps of many: "EAL: Cannot ...". */
static void keep(const char *text, size_t n)
{
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    if (n == 0 || voice.first[0])
        return;
    snprintf(voice.first, sizeof(voice.first), "%.*s", (int)n, text);
    for (char *c = voice.first; *c; c++)
        if (*c == '\n' || *c == '\t')
            *c = ' ';
}

static ssize_t hear(void *cookie, const char *text, size_t n)
{
    bool bad = rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR;

    (void)cookie;
    pthread_mutex_lock(&voice.lock);
    if (voice.listening && bad)
        keep(text, n);
    bool print = voice.all || (bad && !voice.listening);
    pthread_mutex_unlock(&voice.lock);
    if (print)
        os_write_all(STDERR_FILENO, text, n);
    return (ssize_t)n;
}

static void catch_voice(bool all)
{
    static const cookie_io_functions_t ear = {.write = hear};
    FILE *f = fopencookie(NULL, "w", ear);

    voice.all = all;
    if (!f)
        return;
    setvbuf(f, NULL, _IOLBF, 0);
    rte_openlog_stream(f);
}

void eal_listen(void)
{
    pthread_mutex_lock(&voice.lock);
    voice.listening = true;
    voice.first[0] = '\0';
    pthread_mutex_unlock(&voice.lock);
}

const char *eal_listen_end(void)
{
    pthread_mutex_lock(&voice.lock);
    voice.listening = false;
    pthread_mutex_unlock(&voice.lock);
    return voice.first;
}

/* ---- signals --------------------------------------------------------------------------- */

/* All but those that a thread gives itself: DPDK finds out by SIGBUS whether a page is there. */
void eal_signals_block(sigset_t *old)
{
    static const int own[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    sigset_t set;

    sigfillset(&set);
    for (unsigned i = 0; i < ARRAY_LEN(own); i++)
        sigdelset(&set, own[i]);
    pthread_sigmask(SIG_SETMASK, &set, old);
}

void eal_signals_restore(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* ---- huge pages ------------------------------------------------------------------------ */

/* Megabytes of free huge pages of the default size. */
static uint32_t huge_free(void)
{
    FILE *f = fopen("/proc/meminfo", "re");
    unsigned long v, pages = 0, kilobytes = 0;
    char line[128];

    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "HugePages_Free: %lu", &v) == 1)
            pages = v;
        if (sscanf(line, "Hugepagesize: %lu", &v) == 1)
            kilobytes = v;
    }
    fclose(f);
    return (uint32_t)(pages * kilobytes >> 10);
}

/* ---- beginning ------------------------------------------------------------------------- */

/* One lcore, ours, on every processor that this thread may use: EAL makes a thread for every
 * further one. */
static bool add_lcore(struct eal_args *a)
{
    uint16_t cpu[OS_CPUS_MAX];
    unsigned n = os_cpus_allowed(cpu, ARRAY_LEN(cpu));
    char list[1024];
    size_t at = 0;

    for (unsigned i = 0; i < n && at < sizeof(list) - 8; i++)
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%u", i ? "," : "", cpu[i]);
    return n == 0 || eal_args_add(a, "--lcores=0@(%s)", list);
}

/* The user says which PCI devices there are. */
static bool chosen(const struct eal_args *a)
{
    static const char *const option[] = {"-a", "--allow", "-b", "--block"};

    for (unsigned i = 0; i < ARRAY_LEN(option); i++)
        if (eal_args_have(a, option[i]))
            return true;
    return false;
}

static bool fill_args(struct eal_args *a, const struct eal_want *w)
{
    static const char *const given[] = {"-c", "-l", "--lcores"};
    struct eal_args more;
    bool lcores = false;

    eal_args_init(&more);
    if (w->more && !eal_args_split(&more, w->more))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(given); i++)
        lcores |= eal_args_have(&more, given[i]);
    eal.huge = !eal_args_have(&more, "--no-huge") && huge_free() >= w->megabytes + EAL_MEGABYTES;
    eal.pci = eal_is_pci(w->first) || chosen(&more);
    voice.all = eal_args_have(&more, "--log-level");
    eal_args_init(a);
    /* Nothing in any file: with and without huge pages that is called differently. */
    bool ok = eal_args_add(a, "millrace") &&
              eal_args_add(a, eal.huge ? "--in-memory" : "--no-shconf") &&
              eal_args_add(a, "--single-file-segments") && eal_args_add(a, "--no-telemetry") &&
              eal_args_add(a, "--file-prefix=" PREFIX "%d", (int)getpid());
    if (!lcores)
        ok = ok && add_lcore(a);
    if (!eal.pci)
        ok = ok && eal_args_add(a, "--no-pci") && eal_args_add(a, "--iova-mode=va");
    else if (!chosen(&more)) /* or every device that is bound would be probed: one that is none */
        ok = ok && eal_args_add(a, "-a") && eal_args_add(a, "0000:00:00.0");
    if (!eal.huge && !eal_args_have(&more, "--no-huge"))
        ok = ok && eal_args_add(a, "--no-huge");
    if (!eal.huge && !eal_args_have(&more, "-m"))
        ok = ok && eal_args_add(a, "-m") &&
             eal_args_add(a, "%u", max_u32(NO_HUGE_MEGABYTES, 4 * w->megabytes));
    return ok && (!w->more || eal_args_split(a, w->more));
}

static void remove_dir(const char *dir)
{
    char path[1024];
    DIR *d = opendir(dir);
    struct dirent *e;

    if (!d)
        return;
    while ((e = readdir(d)))
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
            unlink(path);
        }
    closedir(d);
    rmdir(dir);
}

/* EAL makes a run directory even for what is only in memory, and leaves it: ours, and those of
 * programs of ours that were killed before they came here. */
static void clean_up(void)
{
    char parent[256], path[768];
    const char *dir = rte_eal_get_runtime_dir();
    struct dirent *e;
    char *slash;
    int pid, end;

    if (!dir)
        return;
    remove_dir(dir);
    snprintf(parent, sizeof(parent), "%s", dir);
    slash = strrchr(parent, '/');
    if (!slash)
        return;
    *slash = '\0';
    DIR *d = opendir(parent);
    while (d && (e = readdir(d))) {
        if (sscanf(e->d_name, PREFIX "%d%n", &pid, &end) != 1 || e->d_name[end] ||
            kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        snprintf(path, sizeof(path), "%s/%s", parent, e->d_name);
        remove_dir(path);
    }
    if (d)
        closedir(d);
}

static void begin(const struct eal_want *w)
{
    struct eal_args a;
    cpu_set_t cpus;

    if (!fill_args(&a, w)) {
        snprintf(eal.failure, sizeof(eal.failure), "--eal: a quote is not closed, or too long");
        eal.failed = true;
        return;
    }
    bool saved = sched_getaffinity(0, sizeof(cpus), &cpus) == 0;
    catch_voice(voice.all);
    eal_listen();
    int rc = rte_eal_init((int)a.n, a.v);
    int err = rte_errno;
    const char *said = eal_listen_end();
    if (saved)
        sched_setaffinity(0, sizeof(cpus), &cpus);
    clean_up();
    if (rc < 0) {
        snprintf(eal.failure, sizeof(eal.failure), "DPDK does not start: %s",
                 said[0] ? said : strerror(err));
        eal.failed = true;
    } else {
        rte_mp_disable(); /* or no thread but this one could be made known */
    }
}

bool eal_begin(const struct eal_want *w, char *why, size_t n)
{
    pthread_mutex_lock(&lock);
    if (!eal.begun) {
        sigset_t signals;
        eal.begun = true;
        eal_signals_block(&signals);
        begin(w);
        eal_signals_restore(&signals);
    }
    if (eal.failed)
        snprintf(why, n, "%s", eal.failure);
    pthread_mutex_unlock(&lock);
    return !eal.failed;
}

bool eal_is_huge(void)
{
    return eal.huge;
}

bool eal_has_pci(void)
{
    return eal.pci;
}

/* ---- its thread for interrupts ---------------------------------------------------------- */

static struct {
    pthread_mutex_t user; /* one at a time */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool asked, stands;
} hold = {.user = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static void stand_still(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&hold.lock);
    hold.stands = true;
    pthread_cond_broadcast(&hold.changed);
    while (hold.asked)
        pthread_cond_wait(&hold.changed, &hold.lock);
    hold.stands = false;
    pthread_cond_broadcast(&hold.changed);
    pthread_mutex_unlock(&hold.lock);
}

bool eal_hold_interrupts(void)
{
    pthread_mutex_lock(&hold.user);
    hold.asked = true;
    if (rte_eal_alarm_set(1, stand_still, NULL) < 0) {
        pthread_mutex_unlock(&hold.user);
        return false;
    }
    pthread_mutex_lock(&hold.lock);
    while (!hold.stands)
        pthread_cond_wait(&hold.changed, &hold.lock);
    pthread_mutex_unlock(&hold.lock);
    return true;
}

void eal_release_interrupts(void)
{
    pthread_mutex_lock(&hold.lock);
    hold.asked = false;
    pthread_cond_broadcast(&hold.changed);
    while (hold.stands)
        pthread_cond_wait(&hold.changed, &hold.lock);
    pthread_mutex_unlock(&hold.lock);
    pthread_mutex_unlock(&hold.user);
}

/* ---- threads --------------------------------------------------------------------------- */

static _Thread_local unsigned entered;
static _Thread_local bool registered;

/* The thread that has begun the environment is known to it for ever. */
bool eal_thread_enter(void)
{
    if (entered == 0 && rte_lcore_id() == LCORE_ID_ANY) {
        if (rte_thread_register() < 0)
            return false;
        registered = true;
    }
    entered++;
    return true;
}

void eal_thread_leave(void)
{
    if (--entered > 0 || !registered)
        return;
    rte_thread_unregister();
    registered = false;
}
