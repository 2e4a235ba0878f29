/* sock: sockets, handles, readiness, options: what an application sees, without the calls'
 * packaging.
 *
 * THEORY OF OPERATION
 *
 * A handle is 64 bits: an index into the pool of connections, listeners or UDP endpoints, the
 * object's generation, and which of the three it is.  A handle whose object has been closed, or
 * reused, no longer matches its generation: MR_EBADF.
 *
 *     63 60 59      48 47        32 31                 0
 *     |kind|   0      | generation |       index        |
 *
 * News is pulled with sock_event. TCP keeps it as bits in the connection, so that an application
 * that is slow to ask finds each kind of news once, in a fixed order: connected, readable,
 * writable, urgent, soft error, closed.
 *
 * Functions return 0 or a negative MR_E*, and have the meaning that millrace.h gives the calls of
 * their names. */
#pragma once

#include <millrace/millrace.h>

#include "tcp/tcp.h"
#include "time/kinds.h"
#include "udp/udp.h"

enum sock_kind { SOCK_CONN = 1, SOCK_LISTENER, SOCK_UDP, SOCK_TIMER };
static inline enum sock_kind sock_kind_of(mr_sock h)
{
    return (enum sock_kind)(h.v >> 60);
}

struct sock_limits {
    uint32_t timers; /* of the application, at one time */
};
extern const struct sock_limits sock_limits_default;

#define SOCK_STATS(X)                                                                              \
    X(bad_handle, "calls on a closed or stale handle")                                             \
    X(slices_lent, "slices lent to the application")                                               \
    X(slices_back, "slices it gave back")                                                          \
    X(gives, "buffers taken by reference")                                                         \
    X(gives_released, "of these, given back")                                                      \
    X(send_refused, "sends cut short or refused: send buffer full")                                \
    X(send_starved, "sends cut short or refused: no memory for the data")                          \
    X(timers_full, "timers refused: too many")

struct sock_stats {
    STAT_FIELDS(SOCK_STATS)
};
extern const struct stat_group sock_stat_group;

struct sock_timer {
    struct timer timer;
    void *user;
    instant due; /* may be further away than the wheel reaches */
    uint16_t gen;
    bool fired;
    mem_ref next; /* fired, not yet pulled */
};

struct sock {
    uint8_t *arena;
    struct tcp *tcp; /* borrowed, as all below */
    struct udp *udp;
    struct ip *ip;
    struct wheel *wheel;
    struct sbuf_pool *sbufs;
    struct pool timers;
    mem_ref fired_head, fired_tail;
    instant now;          /* of the verb being run */
    uint32_t udp_waiting; /* endpoints that want to know when sending is possible again */
    struct sock_stats stats;
};

void sock_init(struct sock *s, struct mem *m, const struct sock_limits *l, struct tcp *tcp,
               struct udp *udp, struct ip *ip, struct wheel *wheel, struct sbuf_pool *sbufs);

/* TIMER_APP fired. */
void sock_timer_fired(struct sock *s, struct timer *tm);
bool sock_event(struct sock *s, struct mr_event *ev);
/* UDP endpoints that were refused a packet hear that there are some again. */
void sock_udp_wake(struct sock *s);

int sock_listen(struct sock *s, const struct mr_addr *local, const struct mr_listen_opts *o,
                mr_sock *out);
int sock_accept(struct sock *s, mr_sock listener, mr_sock *out, struct mr_addr *peer);
int sock_connect(struct sock *s, const struct mr_addr *local, const struct mr_addr *remote,
                 void *user, mr_sock *out);
int64_t sock_recv(struct sock *s, mr_sock h, void *buf, size_t n, unsigned flags);
int sock_recv_slices(struct sock *s, mr_sock h, struct mr_slice *out, int max);
void sock_slice_release(struct sock *s, struct mr_slice *slice);
int64_t sock_send(struct sock *s, mr_sock h, const void *buf, size_t n, unsigned flags);
int sock_send_give(struct sock *s, mr_sock h, const void *ptr, size_t n, unsigned flags,
                   mr_release_fn release, void *arg);
int sock_shutdown(struct sock *s, mr_sock h);
int sock_close(struct sock *s, mr_sock h);
int sock_abort(struct sock *s, mr_sock h);

int sock_udp_open(struct sock *s, const struct mr_addr *local, void *user, mr_sock *out);
int sock_sendto(struct sock *s, mr_sock h, const void *buf, size_t n, const struct mr_addr *to);
int64_t sock_recvfrom(struct sock *s, mr_sock h, void *buf, size_t n, struct mr_addr *from);
int sock_recvfrom_slice(struct sock *s, mr_sock h, struct mr_slice *out, struct mr_addr *from);

/* What sock_send would take; if it is nothing, MR_EV_WRITABLE will come. */
uint32_t sock_room(struct sock *s, mr_sock h);

/* poll.c: the same of a connection that lives, and of everything else. */
unsigned sock_poll_conn(const struct sock *s, struct tcp_conn *c);
unsigned sock_poll_other(struct sock *s, mr_sock h);
/* Inline for who asks after every call: of a connection with nothing to tell but data and room. */
static inline unsigned sock_poll(struct sock *s, mr_sock h)
{
    uint32_t index = (uint32_t)h.v;

    if (unlikely(sock_kind_of(h) != SOCK_CONN || index >= s->tcp->conns.fresh))
        return sock_poll_other(s, h);
    struct tcp_conn *c = pool_at(&s->tcp->conns, index);
    if (unlikely((uint16_t)(h.v >> 32) != c->gen || (c->flags & TF_DETACHED)))
        return MR_OVER;
    if (likely(c->state == TCPS_ESTABLISHED && !(c->flags & (TF_URG_RCV | TF_WANT_WRITE)) &&
               c->sndq.cc <= c->snd_buf / 2 && !c->cold))
        return MR_CAN_SEND | (c->rcvq.cc ? MR_CAN_RECV : 0u);
    return sock_poll_conn(s, c);
}

/* What BSD sockets ask of datagrams beyond the public calls. */

/* options: enum udp_options, for a port that is shared. */
int sock_udp_open_with(struct sock *s, const struct mr_addr *local, uint8_t options, void *user,
                       mr_sock *out);
/* Fix the peer; NULL: none any more.  As udp_connect. */
int sock_udp_connect(struct sock *s, mr_sock h, const struct mr_addr *to);
/* enum udp_options, one of them. */
int sock_udp_option(struct sock *s, mr_sock h, uint8_t option, bool on);
struct sock_dgram {
    const uint8_t *data; /* borrowed, until sock_udp_drop */
    uint32_t len;
    struct mr_addr from, to;
    uint8_t tos, ttl;
};
/* The oldest datagram, which stays; MR_EAGAIN; or an ICMP error, told once. */
int sock_udp_peek(struct sock *s, mr_sock h, struct sock_dgram *out);
void sock_udp_drop(struct sock *s, mr_sock h);

int sock_setopt(struct sock *s, mr_sock h, enum mr_opt opt, int64_t value);
int sock_getopt(struct sock *s, mr_sock h, enum mr_opt opt, int64_t *value);
void sock_set_user(struct sock *s, mr_sock h, void *user);
int sock_local_addr(struct sock *s, mr_sock h, struct mr_addr *out);
int sock_peer_addr(struct sock *s, mr_sock h, struct mr_addr *out);
int sock_tcp_info(struct sock *s, mr_sock h, struct mr_tcp_info *out);
void sock_conn_info(const struct sock *s, const struct tcp_conn *c, struct mr_tcp_info *out);

int sock_timer_start(struct sock *s, uint64_t delay_us, void *user, mr_timer *out);
void sock_timer_stop(struct sock *s, mr_timer t);
