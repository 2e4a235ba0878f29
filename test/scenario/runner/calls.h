/* calls: a script's system calls, played on the public API.
 *
 * THEORY OF OPERATION
 *
 * Scripts speak of descriptors, binding and blocking; the public API has none of these.  A
 * descriptor here is a record that remembers what was bound and which options were set until there
 * is a socket to give them to.  A call that waits is tried again whenever the stack did something,
 * until the call's work is done. */
#pragma once

#include "script.h"

#include <millrace/millrace.h>

/* Linux's numbers. */
enum {
    SCN_SOL_IP = 0,
    SCN_SOL_SOCKET = 1,
    SCN_SOL_TCP = 6,
    SCN_SO_REUSEADDR = 2,
    SCN_SO_ERROR = 4,
    SCN_SO_BROADCAST = 6,
    SCN_SO_SNDBUF = 7,
    SCN_SO_RCVBUF = 8,
    SCN_SO_KEEPALIVE = 9,
    SCN_SO_OOBINLINE = 10,
    SCN_SO_LINGER = 13,
    SCN_TCP_NODELAY = 1,
    SCN_TCP_MAXSEG = 2,
    SCN_TCP_CORK = 3,
    SCN_TCP_KEEPIDLE = 4,
    SCN_TCP_KEEPINTVL = 5,
    SCN_TCP_KEEPCNT = 6,
    SCN_TCP_SYNCNT = 7,
    SCN_TCP_LINGER2 = 8,
    SCN_TCP_DEFER_ACCEPT = 9,
    SCN_TCP_WINDOW_CLAMP = 10,
    SCN_TCP_QUICKACK = 12,
    SCN_TCP_CONGESTION = 13,
    SCN_TCP_USER_TIMEOUT = 18,
    SCN_TCP_NOTSENT_LOWAT = 25,
    SCN_URGENT_LEFT = 1000, /* ours */
    SCN_IP_TOS = 1,
    SCN_IP_TTL = 2,
    SCN_MSG_OOB = 0x1,
    SCN_MSG_PEEK = 0x2,
    SCN_MSG_DONTWAIT = 0x40,
    SCN_MSG_MORE = 0x8000,
    SCN_O_NONBLOCK = 0x800,
    SCN_SIOCINQ = 0x541b,
    SCN_SIOCOUTQ = 0x5411,
    SCN_POLLIN = 0x1,
    SCN_POLLPRI = 0x2,
    SCN_POLLOUT = 0x4,
    SCN_POLLERR = 0x8,
    SCN_POLLHUP = 0x10,
};

/* ---- descriptors ------------------------------------------------------------------- */

#define FDS_MAX 64
#define FD_OPTS_MAX 16

struct fd {
    int number; /* in the script; 0: free */
    bool is_udp, has_sock, listening, connecting, connected;
    bool nonblock, read_shut;
    mr_sock sock;
    bool bound;
    struct mr_addr local, peer;
    struct fd_opt {
        enum mr_opt opt;
        int64_t value;
    } opts[FD_OPTS_MAX]; /* set before there was a socket */
    int nopts;
    uint32_t rx_at, tx_at; /* stream positions, for the oracle */
    unsigned events;       /* bit per enum mr_event_type, seen and not yet asked for */
    int soft_err;
    bool closed; /* MR_EV_CLOSED came */
    int closed_err;
    bool accept_ready, readable, write_blocked;
};

struct app {
    struct mr *m;
    struct fd fds[FDS_MAX];
    struct fd *last; /* the one assertions speak of by default */
    uint64_t given, released; /* bytes of mr_send_give */
    struct mr_addr local, remote; /* for '...' */
    bool connected_now;           /* connect() was called: a new flow will follow */
    uint16_t listened_port;       /* listen() or a UDP bind was called: its port, else 0 */
    bool listened_udp;
    int64_t isn_step;  /* the last ISN less that of the four-tuple's previous connection */
    int64_t isn_apart; /* its distance from that of the connection that began before, any */
    char why[256];
};

enum call_status {
    CALL_DONE,
    CALL_WAIT, /* would block */
    CALL_BAD,  /* the script is wrong, or content is: app->why */
};

/* A call in progress; zero it before the first try. */
struct call_state {
    bool started;
    uint64_t start_us;
    int64_t done; /* bytes moved so far */
};

struct call_result {
    int64_t value;
    int err; /* positive errno, with value -1 */
};

/* Try to complete a call. */
enum call_status call_try(struct app *a, const struct call_spec *c, struct call_state *st,
                          struct call_result *r);
void app_event(struct app *a, const struct mr_event *ev);
struct fd *app_fd(struct app *a, int64_t number);

/* Evaluate an assertion: CALL_DONE it holds; else CALL_BAD and app->why. */
enum call_status assert_eval(struct app *a, const char *text);
