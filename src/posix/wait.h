/* posix/wait: sleeping, waking, epoll sets.
 *
 * Whoever turns an instance finds news of a file (wait_notify): it puts the file's watches on the
 * ready lists of their epoll sets and kicks the waiters of the file and of those sets.  A waiter
 * that is asleep has its bell rung, in whatever process it is.
 *
 * A thread that must wait
 *
 *      wait_arm      becomes a waiter of each file, then looks once more
 *      wait_sleep    turns the instances concerned, spins a while, and sleeps: on its bell, on what
 *                    the kernel has, and, where it attends an instance (nobody else sleeps for
 *                    it), on the port and the slot's bell until the stack's deadline
 *      wait_disarm
 *
 * and leaves the janitor a note (inst.attendant = 0) when it goes back to the program. */
#pragma once

#include "posix/file.h"

struct px_watch {
    uint32_t file, epoll; /* indices of files */
    int fd;               /* as it was added */
    int32_t slot; /* of the thread that added it, -1: none.  A listener's watches hear of what
                           * its own slot has to accept only */
    struct epoll_event want;
    uint32_t next_of_file, prev_of_file; /* lists; 0 ends */
    uint32_t next_of_epoll, prev_of_epoll;
    uint32_t next_ready, prev_ready; /* the set's ready list */
    uint32_t round, at;        /* the round of the set that told it last, and where in the answer */
    bool ready, armed, kernel; /* kernel: the kernel's epoll watches the descriptor, too */
};

/* Level has changed or something was added: bits of it that are new; inside the file's instance, or
 * for fresh sockets and epoll sets under the file's lock.  slot: only those who poll by that slot
 * are concerned (listeners); -1: all. */
void wait_notify(struct px_file *f, uint32_t bits, int slot);
void wait_kick(uint64_t waiters);
/* The last descriptor of f has gone, or it is the kernel's from now on (`kernel`): no set has it.
 */
void wait_forget(struct px_file *f, bool kernel);
/* f has become `both`: the kernel's sets that have a watch of it watch its descriptor, too. */
void wait_kernel_too(struct px_file *f);

/* One sleep of the calling thread. */
struct px_wait {
    int waiter;           /* -1: none was free: it looks every millisecond */
    uint64_t slots;       /* instances to turn, by bit */
    uint64_t until_us;    /* by os_now_us; UINT64_MAX: for ever */
    bool restarts;        /* a handler with SA_RESTART does not end it */
    uint32_t signals;     /* tls's counters when it began */
    uint64_t attends;     /* instances that it sleeps for, by bit */
    const sigset_t *mask; /* while it lasts (wait_mask); NULL: as it is */
    uint64_t blocked;     /* signals that only the mask blocks */
};
void wait_begin(struct px_wait *w, int64_t timeout_us, bool restarts);
void wait_mask(struct px_wait *w, const sigset_t *mask);
void wait_arm(struct px_wait *w, struct px_file *f);
/* Sleep until kicked, a kernel descriptor is ready, or the time is over.  epfd, or fds and n: what
 * the kernel is to watch beside (-1, NULL: nothing); their revents are written.  0: look again (or
 * the kernel's are ready: *kernel is how many); -ETIMEDOUT; -EINTR. */
int wait_sleep(struct px_wait *w, int epfd, struct pollfd *fds, unsigned n, int *kernel);
void wait_disarm(struct px_wait *w, struct px_file *f);
void wait_end(struct px_wait *w);

/* Block in a call on f: tries inside f's instance (or, while it has none, outside) until try says
 * something else than -EAGAIN, the socket's time-out passes, or a signal comes.  nonblock: once,
 * after one turn of the instance. */
ssize_t wait_for(struct px_file *f, bool nonblock, int64_t timeout_us,
                 ssize_t (*attempt)(struct px_file *f, void *arg), void *arg);
