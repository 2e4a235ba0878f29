/* posix/inst: an instance: a stack, its queue of the port, and a lock.
 *
 * Any thread of any process of the session may enter an instance; who has claimed it nearly always
 * does.  Inside, nothing may wait and no signal handler of the program runs (tls.h).
 *
 * A turn (inst_turn) receives, advances, delivers events to files (file_event), and sends.  Calls
 * on sockets only queue; what was queued leaves when the thread polls again, when it blocks, when
 * inst_leave finds that it has waited for long, or from the janitor.
 *
 * A thread that polls sends first what its last round has left (inst_say), then hears what has come
 * (inst_hear), and answers that in its next round: an ACK that is owed leaves with the answer, a
 * FIN with the last bytes, a window update with both.  That halves the segments of a short
 * connection. */
#pragma once

#include "posix/session.h"
#include "shard/shard.h"

struct px_inst {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t lock; /* tid of who is inside; bit 31: others wait */
    unsigned slot;
    _Atomic uint32_t live; /* formatted; else the first inst_enter does it */
    struct shard shard;
    struct mail mail;
    uint32_t law_seen;          /* generation of the law's table that the stack knows */
    bool unsent;                /* something was queued, or heard, since anything was sent: */
    uint64_t unsent_us;         /* it was noticed then; 0: not yet */
    uint64_t now_us;            /* when it was last heard what had come */
    _Atomic uint64_t turns;     /* counted, for the janitor to see whether somebody turns it, */
    _Atomic uint64_t visits;    /* or was inside: he may have left a timer, or a window to tell */
    _Atomic uint32_t files;     /* that live here */
    _Atomic int32_t pid, tid;   /* who has claimed it; 0: nobody */
    _Atomic uint32_t attendant; /* index + 1 of the waiter that sleeps on its port and will turn it;
                                 * 0: nobody does */
    _Atomic uint64_t broken;    /* somebody died inside, so often: it was made anew */
    _Atomic uint64_t due_us;    /* its deadline as it was asked for last: who sleeps for it knows */
    uint64_t told_us;           /* that he was told by somebody else */
    struct tcp_past *past;      /* connections that it had when somebody died inside, */
    uint32_t past_n, past_at;   /* whose peers are told, */
    uint32_t past_round;        /* more than once */
    uint64_t past_us;           /* when next */
    uint64_t blind_us;          /* a port without a descriptor is looked at again after so long */
    uint8_t *memory;            /* its stack's, in the segment */
    size_t bytes;
};

/* Enter and leave.  Entering may wait for another thread that is inside. */
void inst_enter(struct px_inst *i);
/* False: somebody is inside. */
bool inst_try_enter(struct px_inst *i);
/* Sends what was queued, but in the middle of a round of events (tls.h: round), and in the instance
 * that the thread has claimed, only what has waited for long. */
void inst_leave(struct px_inst *i);
/* Sends nothing: the thread looks again, or is about to tell its program what there is.  Both wake
 * who sleeps for it, another thread or the janitor, if something is due earlier than he knows. */
void inst_leave_unsent(struct px_inst *i);

static inline struct mr *inst_mr(struct px_inst *i)
{
    return native_mr(i->shard.native);
}

/* One turn; inside.  True: something was done. */
bool inst_turn(struct px_inst *i);
/* Its halves. */
bool inst_hear(struct px_inst *i);
void inst_say(struct px_inst *i);
/* What has waited long enough. */
void inst_say_due(struct px_inst *i);
/* Turn until nothing more is to be done, at most a few times; inside. */
void inst_settle(struct px_inst *i);
/* The same until its mail was empty once.  False: it would not end. */
bool inst_reads_all(struct px_inst *i);
/* When it wants to be turned again if nothing arrives, by os_now_us; inside. */
uint64_t inst_deadline(struct px_inst *i);
/* What to sleep on besides the slot's bell: the port's descriptor, or -1: look again after
 * *patience_us (lowered if the port has none).  False: frames or letters wait: do not sleep.
 * inst_awake afterwards, whichever it was; inside. */
bool inst_asleep(struct px_inst *i, int *fd, uint64_t *patience_us);
void inst_awake(struct px_inst *i);
