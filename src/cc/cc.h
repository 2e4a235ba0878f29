/* cc: congestion controllers as objects; knows nothing of tcp.
 *
 * THEORY OF OPERATION
 *
 * TCP tells the controller what happened (an ACK of new data, a loss, a
 * time-out, a restart after idleness) and the controller sets cwnd and ssthresh; what to send and
 * when is TCP's business.  A controller's own state is 16 bytes inside the connection.  One
 * interface, two controllers: NewReno (RFC 5681, 6582) and CUBIC (RFC 9438).
 *
 * All windows are bytes; times are milliseconds of a free-running 32-bit clock. */
#pragma once

#include "base/bits.h"
#include "base/types.h"

enum cc_kind { CC_NEWRENO, CC_CUBIC, CC_KINDS };

struct cc_cubic {
    uint32_t w_max;    /* window just before the last reduction, bytes; 0: a time-out's */
    uint32_t epoch_ms; /* start of this congestion avoidance epoch; 0: not begun */
    uint32_t k_ms;     /* time from the epoch's start to w_max */
    uint32_t w_est;    /* what Reno would have (RFC 9438 4.3) */
};

/* What the controller may look at and change.  Embedded in a connection. */
struct cc {
    uint32_t cwnd;     /* bytes */
    uint32_t ssthresh; /* bytes; UINT32_MAX: not known yet */
    uint32_t acked; /* bytes acknowledged towards the next increase (RFC 5681 3.1 (2), counting); of
                       w_est in CUBIC */
    union {
        struct cc_cubic cubic;
        uint32_t words[4];
    };
};

struct cc_info {
    uint32_t mss;     /* sender maximum segment size, bytes */
    uint32_t flight;  /* bytes outstanding before the event */
    uint32_t acked;   /* bytes newly acknowledged by it */
    uint32_t srtt_us; /* 0: none yet */
    uint32_t now_ms;
    bool app_limited; /* the window was not what held the sender back: no growth (RFC 9438 5.8) */
};

struct cc_ops {
    const char *name;
    void (*init)(struct cc *c);
    /* New data acknowledged outside recovery. */
    void (*ack)(struct cc *c, const struct cc_info *i);
    /* A loss was inferred from acknowledgements: set ssthresh and cwnd for entering recovery. */
    void (*loss)(struct cc *c, const struct cc_info *i);
    /* A retransmission time-out: set ssthresh (first time-out of a segment only) and cwnd to one
     * segment. */
    void (*timeout)(struct cc *c, const struct cc_info *i, bool first);
    /* Idle longer than the retransmission time-out (RFC 5681 4.1). */
    void (*restart)(struct cc *c, const struct cc_info *i, uint32_t initial_window);
};

const struct cc_ops *cc_ops(enum cc_kind kind);

/* Slow start and its exit, the same for every controller here (RFC 5681 3.1, growth of at most 2
 * SMSS an ACK: RFC 3465 L=2). Returns the bytes of i->acked not used up by slow start. */
uint32_t cc_slow_start(struct cc *c, const struct cc_info *i);
