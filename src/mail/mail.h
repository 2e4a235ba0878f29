/* mail: letters between the cores of one program.
 *
 * THEORY OF OPERATION
 *
 * Cores share nothing.  What one must tell another it writes as a letter into a ring that only it
 * writes and only the other reads; there is one for every ordered pair:
 *
 *      core a ---- ring a,b ----> core b       a letter: kind, a head of fixed shape, and
 *      core a <--- ring b,a ----- core b       perhaps a whole packet, copied in
 *
 * A letter is bytes, never a pointer: the writer's packet goes back to its pool at once, and a core
 * that has stopped reading holds nothing of anybody's.  A full ring takes no letter; mail_send says
 * so and the sender decides: a packet is dropped, as by a NIC whose queue is full, but for one to
 * ourselves, which waits (ip_pass); what must not be lost is kept by whoever wanted to say it and
 * said later.  Packets never take the last eighth of a ring: a flood cannot keep cores from talking
 * to each other.
 *
 * Each core has a box, the one place that others write to: a bit for every core that has put a
 * letter into its ring, and whether it is asleep.  A turn without mail costs one load.
 *
 *      writer: put letter; set my bit in the reader's box; is it asleep? then it must be woken
 *      reader: say asleep; look at the box once more; sleep
 *
 * Both orders are sequentially consistent, so a letter is never left lying before a sleeper.
 *
 * A core takes frames from its port first and then reads its mail, before it looks at the frames:
 * what another core wrote before it sent a packet is therefore known when the answer is processed.
 *
 * Thread: a struct mail belongs to its core's thread.  The shared memory is formatted once, before
 * any is opened. */
#pragma once

#include "pkt/pkt.h"
#include "stat/stat.h"

#define MAIL_CORES_MAX 64u
#define MAIL_HEAD_MAX 128u

/* Who understands a letter; the rooms that read it say what is in its head. */
enum mail_kind {
    MAIL_PACKET = 1, /* an IP packet for another core's stack (stack) */
    MAIL_ERROR,      /* struct ip_error (stack) */
    MAIL_ARP,        /* an ARP packet everybody should hear (stack) */
    MAIL_PORT,       /* a core has a port, or no longer (stack) */
    MAIL_AWAY_ASK,   /* a flow wants to live away from home: home is asked (stack) */
    MAIL_AWAY_YES,
    MAIL_AWAY_NO,
    MAIL_AWAY_END,
    MAIL_ANNOUNCE,   /* a core has begun anew, and knows nothing of the others (stack) */
    MAIL_FRAME,      /* a frame to send, from a core without a queue of its own (shard) */
    MAIL_LISTEN,     /* open a listener that is on every core; (api) */
    MAIL_LISTEN_OPT, /* it has a new option; */
    MAIL_UNLISTEN,   /* close it */
    MAIL_APP,        /* the program's own, in rings of its own (api) */
    MAIL_KINDS
};

#define MAIL_STATS(X)                                                                              \
    X(sent, "letters sent to other cores")                                                         \
    X(received, "letters from other cores")                                                        \
    X(packets_sent, "of those sent, packets that arrived at the wrong core")                       \
    X(packets_received, "of those received, packets")                                              \
    X(full, "letters not sent: the other core's ring was full")                                    \
    X(too_long, "letters not sent: longer than half a ring")                                       \
    X(wakes, "times another core had to be woken")                                                 \
    X(drop_packet_full, "dropped: packet for a core whose ring was full")                          \
    X(drop_packet_nobuf, "dropped: packet from another core, and no buffer for it")

struct mail_stats {
    STAT_FIELDS(MAIL_STATS)
};
extern const struct stat_group mail_stat_group;

struct mail_ring;
struct mail_box;

struct mail {
    unsigned self, cores;
    struct mail_ring *out[MAIL_CORES_MAX], *in[MAIL_CORES_MAX]; /* borrowed, shared memory */
    struct mail_box *box[MAIL_CORES_MAX];                       /* the same */
    unsigned last;    /* core whose letter was read last */
    uint64_t unread;  /* cores whose rings may hold letters, taken from our box */
    uint64_t to_wake; /* cores that were asleep when we wrote to them */
    struct mail_stats stats;
};

/* Bytes of shared memory for so many cores; ring_bytes a ring, a power of two of at least 1024.
 * A letter longer than half a ring never fits. */
size_t mail_bytes(unsigned cores, uint32_t ring_bytes);
/* memory: zeroed, aligned to 64. */
void mail_format(void *memory, unsigned cores, uint32_t ring_bytes);
void mail_open(struct mail *m, void *memory, unsigned self);

/* ---- writing ------------------------------------------------------------------------- */

/* head: n <= MAIL_HEAD_MAX bytes.  p: a packet whose bytes [data, end) and fragments follow; NULL:
 * none; it stays the caller's.  False: no room, or longer than half a ring (counted).  head may be
 * NULL if n is 0. */
bool mail_send(struct mail *m, unsigned to, enum mail_kind kind, const void *head, uint32_t n,
               const struct pkt *p);

/* The same for n bytes at p, without a head. */
bool mail_send_bytes(struct mail *m, unsigned to, enum mail_kind kind, const void *p, uint32_t n);

/* Cores to wake, and forgets them: call once a turn, after everything was written. */
static inline uint64_t mail_take_wakes(struct mail *m)
{
    uint64_t w = m->to_wake;

    m->to_wake = 0;
    return w;
}

/* ---- reading ------------------------------------------------------------------------- */

struct letter {
    unsigned from;
    enum mail_kind kind;
    uint32_t head_len, body_len;
    const uint8_t *head, *body; /* aligned to 16; borrowed until mail_done */
};

/* Anything to read?  One load. */
bool mail_waits(struct mail *m);
/* Has anybody written since this or mail_waits was asked last?  One load. */
bool mail_news(struct mail *m);
/* Look into every ring: the core's last life may have taken note of letters and not read them. */
void mail_look(struct mail *m);
/* The next letter, or false.  Cores are read round and round, oldest letter of each first. */
bool mail_next(struct mail *m, struct letter *out);
/* The letter has been read; its place may be written again. */
void mail_done(struct mail *m, const struct letter *l);

/* ---- sleeping ------------------------------------------------------------------------ */

/* We are about to sleep.  False: there is mail, do not.  mail_awake after either. */
bool mail_asleep(struct mail *m);
/* The same for who may sleep before mail that he knows of: false only if there are news. */
bool mail_asleep_unread(struct mail *m);
void mail_awake(struct mail *m);
