/* ofd: the controller as a program: sdn between sockets, threads and files.
 *
 * THEORY OF OPERATION
 *
 * Every core has a struct sdn (sdn/sdn.h) and the connections that the network brought to it:
 *
 *      slices --> sdn_input ... sdn_output --> mr_send_give                           conn.c send.c
 *                      TLS in between, where the listener says so                     feed.c
 *      mr_letter --> sdn_letter         sdn_letter_next --> mr_post                   letters.c
 *      ofd_ask (any thread) --queue, mr_knock--> sdn_ask ... sdn_next_answered        asks.c
 *      one timer, at sdn_deadline                                                     core.c
 *
 * What a burst brought is read in place and answered in chunks of up to 64 KB that are given to the
 * stack, not copied; a chunk comes back to sdn when the network has let go of it.
 *
 * FAIRNESS.  A connection is read at most QUANTUM bytes a turn, all together TURN_BYTES, so that
 * answers leave and letters are read before the next; what is left waits in a list until then.
 * While anybody's handshake is not over, those who are through wait in that list too, so a flood is
 * read after the newcomers.  A connection whose output is full is not read at all, and its slices
 * hold the peer's window shut.
 *
 * LIMITS.  sdn's, and as many sockets; a handshake of TLS may take as long as a switch's; a
 * connection that is closed has LINGER_US to take what was said last.
 *
 * Threads: each core's own; ofd_ask by any. */
#pragma once

#include <millrace/millrace.h>

#include "north/north.h"
#include "sdn/sdn.h"
#include "tls/tls.h"

#define OFD_LISTENERS_MAX 16u

struct ofd_listener {
    struct mr_addr at;
    enum sdn_speech speech;
    bool tls;
};

struct ofd_config {
    const char *name; /* of the program, in its lines on stderr */
    struct ofd_listener listener[OFD_LISTENERS_MAX];
    unsigned listeners;
    unsigned cores;
    struct sdn_config sdn; /* core, cores and secret are filled in */
    struct tls_config tls; /* if a listener wants it */
    const char *store;     /* file of what operators have asked for; NULL: it ends with us */
    bool quiet;            /* no lines about switches */
};

struct ofd;

/* config is copied; what it points to is borrowed until ofd_close.  NULL, and one line in why. */
struct ofd *ofd_open(const struct ofd_config *c, char *why, size_t n);
/* For mr_run, once. */
struct mr_app ofd_app(struct ofd *o);
/* Who answers the REST interface.  Questions asked before the cores turn wait until they do. */
struct north_source ofd_source(struct ofd *o);
/* No question will be answered any more: after mr_run, before the askers are waited for. */
void ofd_refuse_all(struct ofd *o);
void ofd_close(struct ofd *o);

#define OFD_STATS(X)                                                                               \
    X(accepted, "connections accepted")                                                            \
    X(refused, "connections refused: no room for another")                                         \
    X(tls_handshakes, "TLS handshakes completed")                                                  \
    X(tls_failed, "TLS handshakes that failed or took too long")                                   \
    X(stalls, "times a connection was not read because its output was full")                       \
    X(put_off, "times a connection's input was put off until the next turn")                       \
    X(gives, "chunks given to the stack without a copy")                                           \
    X(copies, "pieces of output copied")                                                           \
    X(questions, "questions and commands from other threads")                                      \
    X(lines_lost, "lines about switches that were not written: too many a second")

struct ofd_stats {
    STAT_FIELDS(OFD_STATS)
};
extern const struct stat_group ofd_stat_group;
