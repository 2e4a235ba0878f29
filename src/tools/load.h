/* millrace-load: load for servers, and the truth about their latency.
 *
 * THEORY OF OPERATION
 *
 * What a connection sends is a periodic stream: the same request again and again
 * (http), or a fixed pattern (rr, bulk).  So one block of bytes, as long as a
 * period and a piece, serves every connection at every offset, and what an echo
 * returns is checked against the same block.
 *
 * Closed loop: a connection sends its next request when an answer has come.
 * Open loop (--rate): request k is due at start + k / rate, whatever the server
 * does.  It goes to a connection that has room, or waits for one, and its
 * latency counts from when it was due, not from when it could be sent: a server
 * that stalls is charged for every request it kept from being sent (this is what
 * "corrected for coordinated omission" means).
 *
 *     connect all --> run (requests) --> drain (answers only) --> report
 *
 * With several cores each has its share of connections, rate and count, and does all this by
 * itself; the report is of all. */
#pragma once

#include <stdatomic.h>

#include "http/http.h"
#include "stat/hist.h"
#include "tools/tool_pool.h"

#include <millrace/millrace.h>

#define PIECE_BYTES ((size_t)64 << 10)
#define DEPTH_MAX 256u
#define REFERENCE_BYTES_MAX ((size_t)1 << 20)

enum load_error {
    ERR_CONNECT, /* refused, unreachable, timed out before it was open */
    ERR_RESET,   /* ended while an answer was awaited */
    ERR_TIMEOUT,
    ERR_STATUS,  /* http: not 200 */
    ERR_CONTENT, /* not what was expected */
    ERR_UNANSWERED,
    LOAD_ERRORS,
};

extern const char *const load_error_names[LOAD_ERRORS];

struct load;
struct lconn;
struct load_origin;

/* A socket's user pointer points to one: whose it is. */
struct load_end {
    bool of_origin;
};

struct load_mode {
    const char *name;
    /* Received bytes; false: the connection was given up (with load_bad). */
    bool (*input)(struct lconn *c, const uint8_t *p, size_t n);
    /* The peer finished; false: not at a place where it may. */
    bool (*end)(struct lconn *c);
    void (*reset)(struct lconn *c); /* a new connection begins */
};

extern const struct load_mode load_http, load_rr, load_bulk;

struct load_options {
    const struct load_mode *mode;
    struct mr_addr to;
    const char *path, *host;
    uint32_t connections, depth;
    uint64_t rate; /* requests a second over all connections; 0: closed loop */
    uint64_t count, size;
    uint64_t duration_ms, timeout_ms;
    bool close, json, quiet, no_verify;
    uint32_t origin_port; /* 0: none */
    uint64_t origin_bytes;
    unsigned cores;    /* that take part: each has at least a connection, and a request */
    struct load *list; /* owned: all of them */
    struct load_total *total;
};

/* What the cores tell each other while they run: each adds what it has done since the last time. */
struct load_total {
    _Atomic uint32_t running; /* the last one stops the program */
    _Atomic uint64_t done, rx_bytes, errors;
    _Atomic int64_t open;
};

enum lconn_state { LCONN_CLOSED, LCONN_CONNECTING, LCONN_OPEN };

struct lconn {
    struct load_end end; /* not of_origin */
    struct load *l;      /* borrowed */
    mr_sock sock;
    enum lconn_state state;
    bool in_ready, in_failed;    /* which of the lists of load it is in */
    uint32_t outstanding, first; /* of started */
    uint64_t tx_off, tx_end;     /* stream offsets: sent, may be sent */
    uint64_t rx_off;
    struct lconn *next_ready, *next_failed;
    /* http */
    uint8_t *head; /* owned: an answer's head that came in pieces */
    size_t head_n, seen;
    bool in_body, keep_alive;
    struct http_body body;
    int status;
    uint64_t started[]; /* depth of them: when each outstanding request was due */
};

enum load_phase { LOAD_CONNECT, LOAD_RUN, LOAD_DRAIN, LOAD_OVER };

struct load {
    struct mr *m;
    const struct load_options *opt; /* ours */
    struct load_options ours;       /* the program's, connections, rate and count being our share */
    struct load *next;              /* the program's list */
    enum load_phase phase;
    uint8_t *block; /* owned */
    size_t period, block_n;
    uint64_t request_n; /* bytes of one request */

    struct load_origin *origin; /* owned; NULL: none */
    struct tool_pool conns, heads;
    struct lconn **all; /* owned */
    uint32_t opened, open_now, half_open;
    struct lconn *ready_first, *ready_last; /* may take a request */
    struct lconn *failed;                   /* to be opened again at the next tick */

    uint64_t start_us, end_us, phase_end_us, due; /* due: number of the next request */
    bool pacing;                                  /* the pace timer runs */

    uint64_t waiting; /* requests without an answer */
    uint64_t sent, done, rx_bytes, connects;
    uint64_t told_done, told_rx, told_errors, told_open; /* already in the total */
    uint64_t last_done, last_rx;                         /* of the total, when last printed */
    uint64_t errors[LOAD_ERRORS];
    int last_err; /* of a connection that failed */
    struct hist all_time, second;

    uint8_t head[512]; /* the last answer's head, if it fits, */
    size_t head_n;
    struct http_response response; /* and what it said */

    uint8_t *reference; /* owned: the first answer's body */
    uint64_t reference_n;
    const struct lconn *reference_of; /* who is filling it */
    bool reference_done;
};

/* An answer is complete. */
void load_done(struct lconn *c);
/* Count an error and give the connection up; it is opened again later. */
void load_bad(struct lconn *c, enum load_error e);
/* Is p[0..n) what the stream holds at this offset? */
bool load_matches(const struct load *l, uint64_t offset, const uint8_t *p, size_t n);

/* ---- load_setup.c */

/* Of what the whole program is to do. */
void load_take_share(struct load *l, const struct load_options *o);
/* The stream's period, repeated until a piece fits behind every offset. */
bool load_make_block(struct load *l);
bool load_make_conns(struct load *l);

/* ---- load_origin.c */

/* MR_OK, or the error; what was made is l->origin. */
int load_origin_open(struct load *l);
void load_origin_event(struct load_origin *o, const struct mr_event *ev);
void load_origin_free(struct load_origin *o);

/* ---- load_report.c */

/* Every second: into the total, and from it onto the terminal. */
void load_progress(struct load *l);
/* What another core did, too. */
void load_merge(struct load *to, const struct load *from);
void load_report(const struct load *l);
uint64_t load_error_sum(const struct load *l);
