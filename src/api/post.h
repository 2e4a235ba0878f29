/* api/post: letters between a program's own cores, and knocks.
 *
 * THEORY OF OPERATION
 *
 * The program's letters lie in a struct mail of their own, beside the stack's: a program that does
 * not read keeps those who write to it waiting, and no packet.  They stay in the rings until the
 * program takes them; a full ring is the writer's MR_EAGAIN.
 *
 * MR_EV_LETTER is an edge: `due` is set when somebody has written since the last look, and cleared
 * by telling it or by reading to the end.  Who does not read to the end is told again when more
 * comes; a core sleeps before letters its program has been told of, and not before news.
 *
 * A knock is a flag that any thread sets.  Who finds it clear rings the core's bell; who finds it
 * set comes before the event, which is delivered after the flag is cleared.
 *
 * Both back ends use this.  A turn without news costs two loads. */
#pragma once

#include <stdatomic.h>

#include <millrace/millrace.h>

#include "mail/mail.h"

/* Holds three of the longest letters at least; half a ring is the longest that mail takes. */
#define POST_RING_BYTES (UINT32_C(128) << 10)

#define POST_STATS(X)                                                                              \
    X(posted, "letters of the program to its other cores")                                         \
    X(refused, "letters of the program refused: the other core had not read those before")         \
    X(taken, "letters that the program has taken")                                                 \
    X(told, "times the program was told of letters")                                               \
    X(knocks, "times the program was told that another thread has knocked")

struct post_stats {
    STAT_FIELDS(POST_STATS)
};
extern const struct stat_group post_stat_group;

/* Wakes cores, bit by core; any thread. */
struct post_bell {
    void (*ring)(void *arg, uint64_t cores); /* NULL: nobody sleeps */
    void *arg;
};

struct post {
    struct mail mail; /* cores 0: alone */
    unsigned due;     /* events to deliver, a bit each */
    struct post_bell bell;
    struct post_stats stats;
    unsigned self;
    _Atomic unsigned knocked; /* any thread's */
};

/* memory: formatted by mail_format with rings of POST_RING_BYTES; NULL: alone. */
void post_init(struct post *p, unsigned self, void *memory, struct post_bell bell);

/* Is there anything new to tell?  Once a turn. */
void post_look(struct post *p);
/* The next event, or false. */
bool post_event(struct post *p, struct mr_event *ev);

/* The public calls. */
int post_send(struct post *p, unsigned core, const void *buf, size_t n);
int64_t post_take(struct post *p, void *buf, size_t n, unsigned *from);
void post_knock(struct post *p);

/* Cores to wake, and forgets them. */
static inline uint64_t post_take_wakes(struct post *p)
{
    return mail_take_wakes(&p->mail);
}

/* We are about to sleep.  False: there is something to tell, do not.  post_awake after either. */
bool post_asleep(struct post *p);
void post_awake(struct post *p);
