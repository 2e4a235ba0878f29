/* What is done for a process whose own code broke a promise: which core's it was is said, the
 * frames before the end are written by those who hold them, and files that others would find are
 * removed. */
#include <stdio.h>
#include <unistd.h>

#include "drv/wire_files.h"
#include "host/host_int.h"

#define PATIENCE_US 200000u

/* The process's, like the signals: a process has one host at a time. */
static _Thread_local struct core *this_core;
static _Thread_local bool this_thread_died;
static struct {
    _Atomic(struct host *) host; /* borrowed; NULL: none runs */
    char control[200], wire[200];
} files;
static _Atomic int dying;

void host_panic_core(struct core *c)
{
    this_core = c;
}

static void keep(char *out, size_t n, const char *path)
{
    snprintf(out, n, "%s", path ? path : "");
}

void host_panic_files(struct host *h, const char *control, const char *wire)
{
    atomic_store(&files.host, NULL);
    keep(files.control, sizeof(files.control), control);
    keep(files.wire, sizeof(files.wire), wire);
    atomic_store(&files.host, h);
}

bool host_is_dying(void)
{
    return atomic_load(&dying) > 0;
}

static void remove_files(void)
{
    if (files.control[0])
        unlink(files.control);
    if (files.wire[0])
        wire_files_remove(files.wire);
}

/* Every core writes its own frames; one that hangs is not waited for. */
static void flush_captures(struct host *h)
{
    uint64_t until = os_now_us() + PATIENCE_US;

    for (unsigned i = 0; i < h->cores; i++)
        if (&h->core[i] != this_core && h->core[i].started) {
            atomic_store(&h->core[i].told, STEP_HALT);
            os_bell_ring(h->core[i].bell);
        }
    if (this_core)
        capture_flush(this_core->capture);
    for (unsigned i = 0; i < h->cores; i++)
        while (&h->core[i] != this_core && atomic_load(&h->core[i].done) != STEP_HALT &&
               os_now_us() < until)
            os_relax();
}

/* Another core is broken, too, and was first: it waits for our frames and ends the process. */
static void wait_for_the_end(struct host *h)
{
    if (this_core && h->capture) {
        capture_flush(this_core->capture);
        atomic_store(&this_core->done, STEP_HALT);
    }
    os_wait(NULL, 0, 2 * PATIENCE_US);
}

void host_die(const char *file, int line, const char *what)
{
    if (this_core)
        fprintf(stderr, "millrace: core %u: %s:%d: broken promise: %s\n", this_core->index, file,
                line, what);
    else
        fprintf(stderr, "millrace: %s:%d: broken promise: %s\n", file, line, what);
    /* The promise may have been the capture's own. */
    bool again = this_thread_died, first = !again && atomic_fetch_add(&dying, 1) == 0;
    this_thread_died = true;
    if (again || !files.host)
        return;
    if (!first) {
        wait_for_the_end(files.host);
        return;
    }
    remove_files();
    if (files.host->capture)
        flush_captures(files.host);
}
