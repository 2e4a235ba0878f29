/* os: every system call the shell needs, thinly wrapped.
 *
 * Functions that can fail return 0 (or a descriptor, or a count) or a negative error, numerically
 * the errno, which is also enum mr_err's numbering.  Nothing here prints. */
#pragma once

#include "base/types.h"

#include <pthread.h>
#include <sys/types.h>

/* ---- time.c ------------------------------------------------------------------------- */

/* Microseconds of a clock that never goes back (CLOCK_MONOTONIC), never 0. */
uint64_t os_now_us(void);
/* Microseconds since 1970. */
uint64_t os_wall_us(void);
/* Let the kernel wake us within a microsecond of a timeout instead of 50. */
void os_exact_timeouts(void);

/* ---- mem.c -------------------------------------------------------------------------- */

/* Address space, zero, committed on touch; NULL if there is none.  huge: ask for huge pages. */
void *os_reserve(size_t bytes, bool huge);
void os_release(void *p, size_t bytes);
/* Map a file shared, making it `bytes` long if it is shorter.  An error if it cannot be. */
int os_map_shared(int fd, size_t bytes, void **out);
/* Random bits from the kernel; stops the program if there are none (nothing safe can follow). */
void os_random(void *out, size_t n);

/* ---- secret.c ----------------------------------------------------------------------- */

#define OS_SECRET_BYTES (3 * sizeof(uint64_t))

/* Random bits that are the same for all programs of this user until the machine starts anew: what
 * is numbered by them and os_now_us (RFC 6528) goes on where an earlier process has left it.  Kept
 * in /run/millrace-secret, or in $XDG_RUNTIME_DIR for who is not root; without a place, or with
 * anything else of that name there, they are fresh. */
void os_secret(uint64_t out[3]);
/* Kept at an absolute path.  An error: they are fresh. */
int os_secret_at(const char *path, uint64_t out[3]);

/* ---- cpu.c -------------------------------------------------------------------------- */

#define OS_CPUS_MAX 1024u

/* Bind the calling thread to one processor. */
int os_pin(int cpu);
/* Processors like "2" or "0-3,8", in the order they are named; how many, or -EINVAL. */
int os_cpus_parse(const char *list, uint16_t *out, unsigned max);
/* Those that this thread may use, one NUMA node after the other; how many. */
unsigned os_cpus_allowed(uint16_t *out, unsigned max);
/* A processor for each of `cores` threads: from the list, or without one from those allowed, from
 * the front again when there are not enough.  One thread without a list: -1, anywhere.  How many
 * different ones there are to choose from, or -EINVAL: the list is none. */
int os_cpus_choose(const char *list, unsigned cores, int *out);
/* Be kind to the other hyper-thread while spinning. */
static inline void os_relax(void)
{
    __builtin_ia32_pause();
}

/* ---- thread.c ----------------------------------------------------------------------- */

struct os_thread {
    pthread_t id;
    void (*run)(void *arg);
    void *arg;
};
/* The thread borrows *t until it is joined.  Signals that ask to stop go to others. */
int os_thread_start(struct os_thread *t, void (*run)(void *arg), void *arg);
void os_thread_join(struct os_thread *t);

/* A bell: a descriptor that is readable once it was rung, until it is quieted.  Any thread. */
int os_bell_make(void);
void os_bell_ring(int fd);
void os_bell_quiet(int fd);

/* ---- fd.c --------------------------------------------------------------------------- */

void os_close(int fd);
int os_set_nonblocking(int fd);
/* All of it, in as many calls as it takes.  0 or an error. */
int os_write_all(int fd, const void *p, size_t n);

struct os_wait {
    int fd;         /* -1: ignored */
    bool for_write; /* else for reading */
    bool ready, broken;
};
/* Sleep until a descriptor is ready or timeout_us has passed (UINT64_MAX: without end; 0: only
 * look).  Number of ready descriptors, 0, or an error; a signal counts as a timeout. */
int os_wait(struct os_wait *w, unsigned n, uint64_t timeout_us);

/* ---- bpf.c -------------------------------------------------------------------------- */

struct bpf_insn;

/* An array of so many 32-bit numbers that programs in the kernel can read: a descriptor, or an
 * error. */
int os_bpf_array(uint32_t entries);
int os_bpf_array_set(int map, uint32_t index, uint32_t value);
/* A socket filter, judged and loaded by the kernel: a descriptor, or an error. */
int os_bpf_load_filter(const struct bpf_insn *insns, unsigned n);
/* A program that judges every frame that comes in by a network device, before the kernel's own
 * stack does: a descriptor, with which the program goes, or an error.  Linux 6.6. */
int os_bpf_ingress(int ifindex, const struct bpf_insn *insns, unsigned n);

/* ---- signal.c ----------------------------------------------------------------------- */

/* From now on SIGINT and SIGTERM only ask to stop, and SIGPIPE does nothing. */
int os_stop_catch(void);
/* Give the signals back their meaning. */
void os_stop_release(void);
/* How often. */
unsigned os_stop_asked(void);
/* Readable once a stop was asked for; for os_wait. */
int os_stop_fd(void);

/* ---- unix.c ------------------------------------------------------------------------- */

/* A listening stream socket at path, mode 0600, non-blocking.  A dead socket file left there by a
 * killed process is replaced; a live one is -EADDRINUSE. */
int os_unix_listen(const char *path);
/* -EAGAIN: nobody waits.  The socket is non-blocking. */
int os_unix_accept(int listener);
/* Blocking. */
int os_unix_connect(const char *path);
