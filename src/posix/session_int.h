/* posix/session, private: what the session keeps for itself: inside session*.c, inst*.c and
 * janitor*.c.
 *
 *      PX_BASE | session | own | processes | tables | files | pools | refs | mail | port |
 *              | instance 0's stack | instance 1's stack | ...
 *
 * All of it is one file in memory, as long as was carved; nothing but what is touched is there.
 * What the port maps itself (the file of a wire) lies behind it, and its descriptors are hidden
 * like the others, so that every process can map it, too. */
#pragma once

#include "host/capture.h"
#include "host/port.h"
#include "posix/inst.h"
#include "posix/lock.h"

#define SESSION_MAGIC UINT64_C(0x6d72706f73697831) /* the library's version, in effect */
#define SESSION_SPAN (UINT64_C(1) << 40)           /* of addresses, at most */
#define SESSION_FILES UINT64_C(0x310000000000)     /* where the port's files are mapped */
#define SESSION_MAPS 4u
#define SESSION_TEXT 256u
#define SESSION_RING_BYTES (256u << 10) /* as host's: a letter must hold a packet of 64 KB */
#define SESSION_PORT_FDS 160u
#define PX_STAT_BYTES 512u

/* A file that the port has mapped. */
struct session_map {
    uint64_t at, bytes;
    int fd;
};

struct session_own {
    struct mr_config config; /* its texts are in `text` */
    char text[5][SESSION_TEXT];
    struct stack_limits limits;
    size_t stack_bytes;
    uint64_t secret[4], isn_secret[3];
    uint8_t *mail; /* the rings; NULL: one slot */
    struct host_port port;
    struct dev_memory lender;
    struct capture_file *capture; /* NULL: off */
    bool agrees;                  /* the port spreads frames as the law says */
    struct rss law;
    _Atomic uint32_t law_lock;
    uint64_t law_changed_us[RSS_TABLE_MAX]; /* when that entry came to its slot */
    _Atomic uint64_t law_slots; /* bit k: an entry is slot k's */
    uint64_t enabled;           /* bit k: the port uses queue k, where it follows no rule of ours */
    uint64_t bytes;             /* carved */
    unsigned maps;
    struct session_map map[SESSION_MAPS];
    uint64_t map_end; /* the next goes here */
    unsigned port_fds;
    struct px_refs *refs;    /* janitor_refs.c's */
    _Atomic uint32_t closed; /* the janitor is ending: nobody may come any more */
};

static inline struct session_own *session_own(void)
{
    return px_session->own;
}

/* Where the library's code is in this process. */
static inline const void *session_image(void)
{
    return (const void *)(uintptr_t)session_create;
}

/* ---- session_net.c ------------------------------------------------------------------------- */

/* c->net's addresses and the lists of networks.  False, and why. */
bool session_net_init(struct px_net *net, const struct px_session_config *c, char *why, size_t n);
enum px_why session_net_route(const struct px_net *net, uint32_t a);

/* ---- session_fds.c ------------------------------------------------------------------------- */

/* Make the bells, the placeholder and all else, and move what *fd says, too, to the top.  0 or an
 * error. */
int session_hide(struct px_session *s, int *const *fd, unsigned n);
uint64_t session_cookie(int fd);

/* ---- session_door.c ------------------------------------------------------------------------ */

/* The socket that says whose the port is; -EADDRINUSE: another session's. */
int session_door_make(const char *dev);
/* The janitor: somebody knocks. */
void session_door_serve(void);
/* Come into the session that has the port.  0; or an error and why. */
int session_door_enter(const struct mr_config *c, char *why, size_t n);

/* ---- session_proc.c ------------------------------------------------------------------------ */

/* A record for the calling process, without entries; NULL: there is none left. */
struct px_proc *session_proc_new(void);
/* /proc/PID/stat, from the end of the name on; NULL: it cannot be read. */
char *session_proc_stat(int pid, char text[PX_STAT_BYTES]);
uint64_t session_proc_started(int pid);
/* It is over: its files and slots go, and the record is free. */
void session_proc_bury(struct px_proc *p);
/* What `key` of the threads needs, in a process that is in the session from now on. */
void session_threads_init(void);

/* ---- session_slot.c ------------------------------------------------------------------------ */

/* This process was forked by one of the session's, and is still the same program. */
extern bool session_is_fork;

/* Is there a janitor, or a guard that takes its place?  0 as janitor's pid: there never was. */
bool session_is_looked_after(void);
/* If there was one and there is none, say so, once; from then on who claims a slot writes the
 * law. */
void session_look_for_janitor(void);

void session_slot_release(unsigned slot);
/* A waiter sleeps for no instance any more: who was killed in his sleep has not said so. */
void session_unattend(unsigned waiter);
/* All that a process has claimed; and the waiters of its threads. */
void session_slots_release(int pid);
/* Something has changed that the janitor has to do with. */
void session_ring(void);
static inline void session_ring_if_asleep(void)
{
    if (unlikely(atomic_load(&px_session->janitor_sleeps)) &&
        atomic_exchange(&px_session->janitor_sleeps, 0))
        session_ring();
}

/* ---- janitor_refs.c ------------------------------------------------------------------------ */

/* Of what it keeps in the session's memory. */
size_t janitor_refs_bytes(void);

/* ---- session_say.c ------------------------------------------------------------------------- */

/* The program begins: descriptor 2 is its standard error. */
void session_say_begin(void);
void session_say(const char *how, ...) __attribute__((format(printf, 1, 2)));

/* ---- inst_make.c --------------------------------------------------------------------------- */

/* Limits and bytes of every instance's stack. */
void inst_plan(struct session_own *o, unsigned slots);
/* Format it; inside. */
void inst_make(struct px_inst *i);
/* Somebody died inside: all that it had is lost; inside. */
void inst_make_anew(struct px_inst *i);

/* ---- inst_past.c --------------------------------------------------------------------------- */

/* Before its stack goes: what connections it has. */
void inst_past_note(struct px_inst *i);
/* The new one answers for them; */
void inst_past_keep(struct px_inst *i);
/* and their peers hear a RST. */
void inst_past_tell(struct px_inst *i, uint64_t now);
