/* dpdk/eal: DPDK's environment, once in a process.
 *
 * It is begun when the first port is opened, without any device: ports are probed and removed one
 * by one.  Nothing of it outlives the process, however it ends: no file in a hugetlbfs, no run
 * directory, no socket.  The calling thread keeps its processors, signals their meaning, and no
 * worker threads are made. */
#pragma once

#include "base/types.h"

#include <signal.h>

struct eal_want {
    const char *more;   /* further arguments, split as a shell does; NULL: none */
    const char *first;  /* the first port's device */
    uint32_t megabytes; /* of memory this port needs */
};

/* Begin, or find that it was begun.  False, and why. */
bool eal_begin(const struct eal_want *w, char *why, size_t n);
/* Memory is of huge pages. */
bool eal_is_huge(void);
/* PCI devices can be opened: the first port was one, or the user's arguments say so. */
bool eal_has_pci(void);

/* Threads made between these two take no signals that somebody may send. */
void eal_signals_block(sigset_t *old);
void eal_signals_restore(const sigset_t *old);

/* From now on the first line of error that DPDK says is kept and none printed; until
 * eal_listen_end. */
void eal_listen(void);
/* That line; "" if nothing was said. */
const char *eal_listen_end(void);

/* Between these two DPDK's own thread for interrupts and alarms has done all earlier work and
 * stands still in work of ours.  False: it does not. */
bool eal_hold_interrupts(void);
void eal_release_interrupts(void);

/* The calling thread uses queues from now on; as often as eal_thread_leave. */
bool eal_thread_enter(void);
void eal_thread_leave(void);

/* ---- eal_args.c ------------------------------------------------------------------------ */

#define EAL_ARGS_MAX 64u

struct eal_args {
    char *v[EAL_ARGS_MAX + 1]; /* into text */
    unsigned n;
    char text[4096];
    size_t used;
};
void eal_args_init(struct eal_args *a);
/* One more; false: no room. */
bool eal_args_add(struct eal_args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Words between blanks; '...', "..." and a backslash keep blanks.  False: a quote is not closed, or
 * no room. */
bool eal_args_split(struct eal_args *a, const char *line);
bool eal_args_have(const struct eal_args *a, const char *option);
/* A name like 0000:03:00.0, with or without what follows it. */
bool eal_is_pci(const char *device);
