/* posix/session: the memory that all processes of a session share, and who is in it.
 *
 * Made once, before the program (`millrace run`), inherited by fork, joined again after exec.  See
 * posix.h for the whole. */
#pragma once

#include <stdarg.h>
#include <stdatomic.h>

#include "mail/mail.h"
#include "nic/nic.h"
#include "posix/posix.h"

#include <millrace/millrace.h>

#define PX_BASE UINT64_C(0x300000000000) /* of the segment, in every process */
#define PX_SLOTS_MAX 64u
#define PX_WAITERS 64u
#define PX_PROCS 1024u
#define PX_FDS (1u << 17)   /* descriptors of a process that can be ours */
#define PX_FILES (1u << 18) /* open file descriptions of a session */
#define PX_NETS 16u
#define PX_NAME 64u
#define PX_LISTENS 1024u /* listeners of a session */

/* ---- which destinations are ours --------------------------------------------------------- */

struct px_route {
    uint32_t net, mask; /* host order */
    bool ours;
};
/* 127/8, multicast, broadcast and what no rule covers are the kernel's; our own address is ours. */
struct px_net {
    struct mr_addr addr; /* our own */
    unsigned prefix_len;
    struct mr_addr gateway;         /* any: only our network can be ours */
    struct px_route route[PX_NETS]; /* the first that matches; the last of a session with a gateway
                                     * is 0/0: all that is not excluded */
    unsigned routes;
};

/* ---- the session ---------------------------------------------------------------------------- */

/* An entry of a process's table: which file a descriptor names. */
struct px_fd {
    _Atomic uint32_t file; /* index; 0: the kernel's */
    uint8_t cloexec;
    uint8_t why; /* enum px_why: the reason why it is the kernel's, or how it is ours */
    uint16_t spare;
};

enum px_why {
    PX_WHY_NOTHING,  /* never was a socket of ours, or nothing is decided */
    PX_WHY_OURS,     /* accelerated */
    PX_WHY_BOTH,     /* a wildcard listener or datagram socket: ours and the kernel's */
    PX_WHY_FAMILY,   /* UNIX, IPv6, netlink ... */
    PX_WHY_TYPE,     /* raw, SCTP ... */
    PX_WHY_LOOPBACK, /* bound to or connected with 127/8 */
    PX_WHY_ROUTE,    /* no route of ours leads there, or it was excluded */
    PX_WHY_LOCAL,    /* bound to an address of the kernel's */
    PX_WHY_FULL,     /* the session has no file, socket or descriptor left for it */
    PX_WHY_OPTION,   /* needs an option that only the kernel has */
    PX_WHY_KINDS
};
extern const char *const px_why_text[PX_WHY_KINDS]; /* a sentence each */

/* Why a whole process, or a part of it, is the kernel's. */
enum px_note {
    PX_NOTE_NONE,
    PX_NOTE_STATIC,   /* has no dynamic linker: nothing can be preloaded */
    PX_NOTE_SETUID,   /* the dynamic linker preloads nothing into programs with more rights */
    PX_NOTE_IDENTITY, /* the same, when who starts it acts for another user than himself */
    PX_NOTE_GO,       /* Go's library makes its system calls itself */
    PX_NOTE_MACHINE,  /* of another machine, or of 32 bits */
    PX_NOTE_IO_URING, /* asked for io_uring, and was told that the kernel has none */
    PX_NOTE_KINDS
};
extern const char *const px_note_text[PX_NOTE_KINDS]; /* "is statically linked", ... */

/* why.c: the answer to the control question "why [PROCESS DESCRIPTOR]": a page of what every
 * descriptor is, as JSON; "next_process" and "next_descriptor" are what to go on with, if there is
 * more.  Its length; 0: n is too small (128 KiB are enough). */
size_t why_answer(const char *question, char *buf, size_t n);
/* account.c: to "session": how much of everything is in use.  As above. */
size_t account_answer(char *buf, size_t n);

struct px_proc {
    _Atomic int32_t pid;  /* 0: free; < 0: being cleared */
    uint64_t started;     /* of /proc/PID/stat: tells it from a later one of this pid */
    _Atomic uint32_t fds; /* one more than the highest entry ever used */
    char name[PX_NAME];   /* of the program */
    _Atomic uint8_t note; /* enum px_note: of what it is now */
    struct px_fd *fd;     /* PX_FDS; in the segment */
};

/* A thread that may sleep; its index is its bit in every set of waiters. */
struct px_waiter {
    MR_ALIGNED(CACHE_LINE) _Atomic int32_t tid; /* 0: free */
    _Atomic int32_t pid;
    _Atomic int32_t slot;      /* that its thread has claimed; -1: none */
    _Atomic uint32_t kicked;   /* there is news since it was cleared */
    _Atomic uint32_t sleeping; /* ... and its bell must be rung to say so */
    int bell;
};

struct px_inst; /* inst.h */
struct px_file; /* file.h */

/* Which files have a local port: lists by px_file.next_port, of TCP and of UDP. */
struct px_ports {
    _Atomic uint32_t lock;
    uint32_t first[2][65536]; /* index of a file; 0: none */
    /* TCP, of the connections that were accepted there: how many are open, and until when (seconds
     * of os_now_us) some may be in TIME-WAIT; [1]: those whose listener said SO_REUSEADDR. */
    _Atomic uint32_t conns[2][65536], busy_until[2][65536];
};

/* A listener's presence in the instances. */
struct px_listen {
    mr_sock sock[PX_SLOTS_MAX]; /* by slot; changed under that instance's lock */
    _Atomic uint64_t open;      /* bit k: sock[k] is */
    _Atomic uint64_t pending;   /* bit k: there are connections to accept */
    _Atomic uint64_t orphan;    /* bit k: who polls by slot k accepts from it no more */
    _Atomic uint64_t alone;     /* bit k: an epoll set watches it for slot k: what arrives there is
                                 * that set's; else anybody may take it */
    uint32_t backlog;
    _Atomic uint32_t used;
};

struct px_session {
    uint64_t magic;
    const void *image; /* where the library's code is in every process */
    struct px_net net;
    unsigned slots;  /* 1 to PX_SLOTS_MAX */
    struct nic *nic; /* in the segment; queue k is slot k's */
    struct rss *law; /* the janitor writes its table, relaxed; all read */
    _Atomic uint32_t law_generation; /* odd: settled (stack_law_settled) */
    _Atomic uint64_t claimed;     /* bit k: slot k is some thread's, and in the law's table */
    _Atomic uint32_t claims;      /* counts changes of `claimed` */
    struct px_inst *inst;         /* slots of them */
    struct px_file *file;         /* PX_FILES; index 0 is none */
    struct px_proc *proc;         /* PX_PROCS, */
    _Atomic uint32_t procs;       /* of which so many were ever used */
    _Atomic uint32_t turned_away; /* processes for which there was no record */
    struct px_waiter waiter[PX_WAITERS];
    struct px_pools *pools; /* file.h: free files, watches, epoll sets, descriptors under way */
    uint64_t spin_us;       /* look so long before sleeping */

    /* Descriptors that every process has under the same numbers, and that no program sees. */
    int hidden_lo, hidden_hi; /* inclusive */
    int memory_fd, placeholder_fd, janitor_bell, door_fd;
    int slot_bell[PX_SLOTS_MAX];
    uint64_t placeholder_cookie;
    _Atomic int32_t janitor_pid;     /* 0: there is none */
    _Atomic int32_t guard_pid;       /* who takes its place when it is killed (janitor_guard.c) */
    _Atomic uint32_t janitors;       /* so often it was */
    _Atomic uint32_t janitor_sleeps; /* ring its bell when you leave an instance unattended */
    char control[108];               /* path of the janitor's socket; "": none */

    struct px_ports ports;
    struct px_listen listens[PX_LISTENS];
    struct session_own *own; /* session_int.h */
};

/* This process's session; NULL: none. */
extern struct px_session *px_session;
/* This process's record in it; not NULL when px_session is not. */
extern struct px_proc *px_proc;

struct px_session_config {
    struct mr_config net; /* dev, addr, prefix_len, gateway, mtu, vlan, mac, max_conns (of an
                           * instance), spin_us, congestion, control, exception, eal, pcap */
    unsigned slots;       /* 0: as many as make sense on this machine and port */
    const char *kernel[PX_NETS], *only[PX_NETS]; /* "10.1.0.0/16"; NULL ends: destinations that are
                                                  * the kernel's; that alone are ours */
};

/* Make a session: open the port, lay out the memory, put the hidden descriptors where they will
 * stay.  The caller is its first process (px_proc).  A port that a session on this machine has
 * already, with the same address: the caller comes into that one, whose configuration holds.  0; or
 * a negative error, and one line in why. */
int session_create(const struct px_session_config *c, char *why, size_t n);
/* Become the janitor.  In a child of session_create's process, which ends at once: the janitor is
 * its child, nobody's whom the program could wait for.  Returns in the janitor, when the session is
 * over; or at once, with 0, if the session has one. */
int session_janitor(void);

/* After exec, in a process that has inherited the session's descriptors: memory_fd is said by the
 * environment, as is the record that its parent made for it (posix_spawn), or -1.  0; or a negative
 * error and why: this process then uses the kernel. */
int session_join(int memory_fd, int record, char *why, size_t n);
/* Around a fork, so that no file goes while the child comes: a record for the child, with its
 * parent's entries and a reference to each file, before; in the child, before anything else, it is
 * the child's own; in the parent afterwards, with what fork returned. */
void session_forking(void);
void session_forked(void);
void session_fork_over(int pid);
/* Between session_forking and session_fork_over, for a child that will not run our code before exec
 * (posix_spawn): the number of its record, or -1; and what its descriptor `to` will name: what
 * `from` does, or nothing (-1). */
int session_forking_record(void);
void session_forking_dup(int from, int to);

/* Is the descriptor one of the session's own, which a program neither sees nor closes? */
static inline bool session_hides(int fd)
{
    return px_session && fd >= px_session->hidden_lo && fd <= px_session->hidden_hi;
}

/* Does a route of ours lead to a (host order)?  PX_WHY_OURS, or why not. */
enum px_why session_route(uint32_t a);

/* ---- slots ----------------------------------------------------------------------------- */

/* The calling thread's instance: claims a slot the first time; when all are claimed, one that
 * another thread of this process has, else the least used.  Never NULL. */
struct px_inst *session_mine(void);
/* An instance for a connection that the calling thread opens: as session_mine, but what was forked
 * and has accepted nothing, and may end with this connection, takes another's if there is one: a
 * slot that comes and goes moves flows of everybody. */
struct px_inst *session_any(void);
/* Its instance, if it has claimed one. */
struct px_inst *session_mine_if(void);
/* The calling thread has something that is to be given back when it ends (a slot, a waiter). */
void session_thread_keeps(void);
/* The calling thread ends, or the process does: its slot and its waiter go. */
void session_thread_ends(void);

/* ---- lines for people (session_say.c) ---------------------------------------------------- */

/* Append to the n bytes of text, of at most size, what is said, and the line's end.  Its length;
 * what is too long is cut. */
size_t session_line(char *text, size_t size, size_t n, const char *how, va_list args)
    __attribute__((format(printf, 4, 0)));
