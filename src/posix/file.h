/* posix/file: open file descriptions of a session, and the descriptors that name them.
 *
 * A file is in the session's memory and is counted: one for each descriptor of each process, one
 * for each call that is using it, one for each message that carries it.  When the last goes the
 * socket is closed, in its instance.
 *
 *      descriptor 5 of process A --+
 *      descriptor 7 of process B --+--> file 12: CONN --> instance 1, mr_sock
 *                                         |  level: what poll would say now
 *                                         |  watches: epoll sets it is in (wait.h)
 *                                         +- waiters: threads that sleep for it (wait.h)
 *
 * Locks, in the order in which they may be held: instance, file, epoll set.  A connection's and a
 * datagram socket's state is its instance's; file->lock is for `watches`, for what a fresh socket
 * becomes, and for a listener's instances. */
#pragma once

#include "posix/inst.h"

enum px_kind {
    PX_FREE,
    PX_FRESH,    /* a stream socket of which nothing is decided; may be bound */
    PX_LISTENER, /* ours, or ours and the kernel's (both) */
    PX_CONN,     /* ours: connecting, connected, or over */
    PX_DGRAM,    /* UDP: fresh, ours, or both */
    PX_EPOLL,
};

/* Options as they were set, in the units of setsockopt; what is set before there is a socket of
 * ours is given to it when it is made, and a listener's to what it accepts. */
struct px_opts {
    uint64_t set;                     /* bit by index into sock_opt.c's table: was set */
    int32_t value[40];                /* by the same index */
    int64_t rcvtimeo_us, sndtimeo_us; /* 0: none */
    int32_t linger;                   /* -1: off */
};

struct px_watch; /* wait.h */

struct px_file {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t refs;
    _Atomic uint32_t lock;
    _Atomic uint32_t born;  /* counts the files that this place has held */
    uint8_t kind;           /* enum px_kind */
    bool both;              /* the kernel's socket is in use, too */
    bool bound;             /* a local address was given */
    bool fd_is_own;         /* the descriptor is a kernel socket of its own, not the placeholder */
    _Atomic uint32_t flags; /* O_NONBLOCK, O_ASYNC ...: those of F_SETFL */
    _Atomic uint32_t level; /* EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR, EPOLLPRI: as poll
                             * would tell now; written inside the instance, or under lock */
    uint32_t slot;          /* CONN, DGRAM: its instance, */
    mr_sock sock;           /* and there; none: not yet */
    _Atomic uint64_t waiters; /* bit: that waiter is to be kicked at any news */
    _Atomic uint32_t watches; /* head of the list of its watches; 0: none */
    uint64_t cookie;          /* SO_COOKIE of the kernel's socket, if fd_is_own */
    struct mr_addr local, peer;
    int32_t err;              /* SO_ERROR */
    uint8_t shut;             /* 1: reading, 2: writing was shut down by us; SHUT_BY_PEER */
    uint8_t state;            /* CONN: enum px_state */
    uint8_t protocol, family; /* as socket() was asked */
    uint32_t type;            /* SOCK_STREAM, SOCK_DGRAM */
    struct px_listen *listen; /* LISTENER; in the segment */
    uint32_t next_port;       /* list of those with this local port (session.h: px_ports) */
    uint16_t port;            /* whose list it is in; 0: none */
    bool kernel_bound;        /* the kernel's socket has the port, too */
    bool told;                /* connect has said that it is connected */
    uint8_t counted;          /* 1 + which of px_ports.conns counts it; 0: none */
    struct px_opts opts;
    void *epoll;           /* EPOLL: wait.h's, in the segment */
    int32_t maker;         /* process that made it: while it does no descriptor names it */
    _Atomic int32_t named; /* a descriptor that names it, in some process: where to look first */
    uint32_t next_free;
};

#define SHUT_BY_PEER 4u /* its FIN came before its RST */

enum px_state {
    PX_IDLE,
    PX_CONNECTING,
    PX_CONNECTED,
    PX_OVER,   /* reset, or ended in order on both sides */
    PX_FAILED, /* it never came to be, and connect has not told yet */
};

/* ---- their memory --------------------------------------------------------------------------- */

/* Which files, watches and epoll sets are free, and descriptors on their way in messages.  The
 * session sets px_session->pools to so many bytes of zeroes and calls pools_init once. */
size_t pools_bytes(void);
void pools_init(struct px_pools *p);

/* ---- descriptors of this process -------------------------------------------------------- */

/* The file of a descriptor, without a reference (fast: for look-ups that cannot outlive the call);
 * NULL: the kernel's. */
static inline struct px_file *file_peek(int fd)
{
    if (!px_session || (unsigned)fd >= PX_FDS)
        return NULL;
    uint32_t f = atomic_load_explicit(&px_proc->fd[fd].file, memory_order_acquire);
    return f ? &px_session->file[f] : NULL;
}
/* With a reference, for a call: another thread may close the descriptor meanwhile.  NULL: the
 * kernel's. */
struct px_file *file_get(int fd);
void file_put(struct px_file *f);

static inline uint32_t file_index(const struct px_file *f)
{
    return (uint32_t)(f - px_session->file);
}

/* A file with one reference, zero but for kind and linger (off); NULL: there is none left. */
struct px_file *file_new(enum px_kind kind);
/* Make fd name f, whose reference it takes over. */
void desc_set(int fd, struct px_file *f, bool cloexec);
/* fd names nothing of ours any more: because it is closed, or was left to the kernel, and why.  The
 * reference goes. */
void desc_clear(int fd, enum px_why why);
void desc_set_why(int fd, enum px_why why);
/* A new descriptor that is a dup of the placeholder; or an error.  Its entry is still empty. */
int desc_placeholder(bool cloexec);
/* F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, of any descriptor. */
int desc_fcntl(int fd, int cmd, long arg);
/* FIOCLEX and FIONCLEX have changed it in the kernel. */
void desc_set_cloexec(int fd, bool cloexec);
/* fork: `to` names what `from` names, with references of its own. */
void desc_copy(struct px_proc *to, struct px_proc *from);
/* exec: entries whose descriptor the kernel has closed go. */
void desc_after_exec(void);
/* The socket is left to the kernel for good: every descriptor, of any process, that names f becomes
 * plain, and what epoll sets it was in the kernel watches from now on (wait.h).  The caller has a
 * reference. */
void file_to_kernel(struct px_file *f, enum px_why why);
/* All descriptors of a process that has died. */
void desc_bury(struct px_proc *p);

/* ---- messages that carry descriptors (scm.c) --------------------------------------------- */

/* Before a message with descriptors goes out by a UNIX socket: those of ours are replaced, in a
 * copy, by kernel sockets that the receiver's process can tell.  0 or an error. */
#define SCM_ROOM 4096u /* n, for any message */
int scm_before_send(const struct msghdr *m, struct msghdr *copy, void *room, size_t n);
/* After it has gone, or was refused. */
void scm_after_send(struct msghdr *copy, bool gone);
/* After one was received. */
void scm_received(struct msghdr *m);
/* What has gone with the queue it was in arrives nowhere: the janitor lets go of it. */
void scm_age(uint64_t now_us);
/* When it is to look next; UINT64_MAX: nothing is under way. */
uint64_t scm_next(void);

/* ---- events (sock_event.c) --------------------------------------------------------------- */

/* News of a socket in instance i; inside.  The shard's application function. */
void file_event(struct mr *m, void *inst, const struct mr_event *ev);
/* Recompute f->level after a call on it; inside its instance. */
void file_refresh(struct px_file *f);
/* What poll would say now to the calling thread: f->level, and of a listener EPOLLIN if its slot,
 * or one that nobody accepts from any more, has a connection.  The kernel's side of a file that is
 * both is not in it. */
uint32_t file_level(const struct px_file *f);
/* The last reference went. */
void file_closed(struct px_file *f);
/* An instance was made anew, or is gone: its connections were reset, its listeners are closed. */
void file_lost(unsigned slot);

/* ---- listeners (sock_listen.c) ------------------------------------------------------------ */

/* A thread polls or accepts from listener f: its instance listens, too, from now on.  Fast when it
 * does already.  Outside of instances. */
void listener_open(struct px_file *f, struct px_inst *i);
/* An epoll set watches it for the slot, or no longer. */
void listener_alone(struct px_file *f, int slot, bool alone);
/* The slots from which the calling thread may accept. */
uint64_t listener_slots(const struct px_file *f);
/* The process has no descriptor of listener f any more, and others have: what waits in its slots is
 * theirs, and no more comes there.  Outside of instances. */
void listener_left(struct px_file *f, int32_t pid);
/* A slot was claimed, or given up: whoever had it does not accept any more. */
void listeners_left(unsigned slot);
/* Somebody has died who may have been told of connections that wait: others are. */
void listeners_again(void);
