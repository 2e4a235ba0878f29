/* Private to kapi. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "api/backend.h"
#include "api/post.h"
#include "kapi/kapi.h"

#define KAPI_OUTQ_BYTES ((size_t)256 << 10)   /* default send queue in front of the kernel's */
#define KAPI_LENT_BYTES_MAX ((size_t)4 << 20) /* slices one socket may have out */

enum kbuf_class { KBUF_REF, KBUF_SMALL, KBUF_LARGE, KBUF_CLASSES };

/* A buffer: a piece of a send queue (copied or given), or a lent slice.
 * Owned by the queue it is in, or by the application while lent. */
struct kbuf {
    struct kbuf *next;
    enum kbuf_class class;
    uint32_t cap; /* bytes of data[] */

    const uint8_t *ptr; /* send queue: data[] or the application's memory */
    size_t n, off;      /* length, and how much of it the kernel took */
    mr_release_fn release;
    void *arg;

    mr_sock lent_to;
    size_t lent; /* bytes */

    uint8_t data[];
};

/* A growing queue of handles. */
struct kqueue {
    uint64_t *v; /* owned */
    size_t head, count, cap;
};

enum ksock_kind { KSOCK_FREE, KSOCK_LISTENER, KSOCK_TCP, KSOCK_UDP };

struct ksock {
    int fd;
    uint32_t gen;
    enum ksock_kind kind;
    uint32_t pending; /* bit per enum mr_event_type */
    int err;          /* why the connection ended, an enum mr_err */
    int linger_s;
    bool in_news; /* in kapi.news or kapi.burst */
    bool dirty;   /* in kapi.dirty */
    bool connecting;
    bool eof;        /* recv returned 0 */
    bool drained;    /* a short read emptied the kernel's queue; no edge since */
    bool rdhup;      /* the peer finished: read on to the end */
    bool oob;        /* urgent data was seen: short reads mean nothing */
    bool urgent;     /* the kernel's urgent mark has been reported */
    bool blocked;    /* the kernel's send buffer is full; EPOLLOUT will come */
    bool nodelay;    /* MR_NODELAY, as the kernel has it */
    bool more;       /* the last send said MR_MORE */
    bool want_write; /* a send was cut short: owe a MR_EV_WRITABLE */
    bool want_read;  /* a read was refused because too much is lent */
    bool fin_asked, fin_sent;
    bool closed_said;            /* MR_EV_CLOSED was noted */
    bool starved;                /* listener: accept failed for want of a slot or descriptor */
    bool orphan;                 /* closed by the application, not yet flushed */
    void *user;                  /* borrowed from the application */
    struct kbuf *out, *out_last; /* owned */
    size_t outq, outq_max, lowat;
    size_t lent;
    uint64_t every;        /* listener of every core: which one; 0: only of this */
    struct mr_addr listen; /* listener: where */
    uint32_t next_free;
};

struct ktimer {
    uint64_t deadline_us;
    uint64_t order; /* equal deadlines expire in the order they were started */
    uint32_t slot;
};

struct ktimer_slot {
    void *user;
    mr_sock linger; /* ours: reset this orphan; none: the application's */
    uint32_t gen, pos, next_free;
    bool armed;
};

struct kapi_counters {
    uint64_t turns, events, accepts, connects, rx_bytes, tx_bytes, rx_dgrams, tx_dgrams;
    uint64_t sends, recvs, resets_seen;
};

/* What one core tells another about a listener of every core. */
enum kletter_kind { KLETTER_LISTEN, KLETTER_SETOPT, KLETTER_CLOSE };

struct kletter {
    struct kletter *next;
    enum kletter_kind kind;
    uint64_t every;
    struct mr_addr local; /* KLETTER_LISTEN */
    uint32_t backlog;
    void *user;
    enum mr_opt opt; /* KLETTER_SETOPT */
    int64_t value;
};

/* The cores of one program.  A lock and lists will do: letters are few, and this is the baseline,
 * not the thing itself. */
struct ktown {
    unsigned cores;
    int bell;                        /* the main thread's: rung to stop */
    struct kapi *core[MR_CORES_MAX]; /* owned; written before the threads begin */
    void *post;                      /* owned: the program's rings; NULL with one core */
    size_t post_bytes;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    struct kletter *letter[MR_CORES_MAX], *letter_last[MR_CORES_MAX]; /* owned, to each core */
    uint64_t everys;
    unsigned step; /* inits and finis are taken one after the other */
    int err;       /* of an init or a loop; 0: none */
    _Atomic bool stop;
};

struct kapi {
    struct mr base;     /* first */
    struct ktown *town; /* borrowed; NULL: alone */
    struct post post;   /* the program's letters, and knocks */
    int bell;           /* rung when there are letters or knocks, or to stop */
    int epfd;
    bool stop;
    uint64_t now_us;

    struct ksock *socks; /* owned, reserved for max_socks, committed on touch */
    uint32_t max_socks, used_socks, live_socks, free_sock;

    struct kqueue news, burst, dirty, starved;
    struct kbuf *done; /* given buffers to release */
    struct kbuf *pool[KBUF_CLASSES];
    uint32_t pooled[KBUF_CLASSES];

    struct ktimer *heap; /* owned */
    uint32_t heap_n, heap_cap;
    struct ktimer_slot *timers; /* owned, heap_cap of them */
    uint32_t used_timers, free_timer;
    uint64_t timer_order;

    struct kapi_counters count;
    char status[1024];
};

static inline struct kapi *kapi_of(struct mr *m)
{
    return (struct kapi *)(void *)m;
}

extern const struct mr_backend kapi_backend;

/* ---- kapi.c */

/* One of a program's cores from now on. */
void kapi_join(struct kapi *k, struct ktown *t, unsigned core);

/* ---- sock.c: handles, news */

mr_sock ksock_handle(const struct kapi *k, const struct ksock *s);
/* The socket behind a handle, orphans too; NULL if stale. */
struct ksock *ksock_any(struct kapi *k, mr_sock h);
/* The same for the application: NULL also for orphans and, unless kind is KSOCK_FREE, for other
 * kinds. */
struct ksock *ksock_get(struct kapi *k, mr_sock h, enum ksock_kind kind);
/* Register fd in a fresh slot, which then owns it.  MR_ENOMEM, with fd closed. */
int ksock_new(struct kapi *k, int fd, enum ksock_kind kind, void *user, struct ksock **out);
/* Close the descriptor, release what is queued, give the slot up. */
void ksock_free(struct kapi *k, struct ksock *s);
void ksock_note(struct kapi *k, struct ksock *s, enum mr_event_type type);
/* Put s on the list of sockets whose queue is written by the next turn. */
void ksock_mark_dirty(struct kapi *k, struct ksock *s);
/* The connection ended: remember why, tell once. */
void ksock_fail(struct kapi *k, struct ksock *s, int err);
/* Tell that both directions are finished if they are. */
void ksock_check_finished(struct kapi *k, struct ksock *s);
int ksock_pending_error(const struct ksock *s);

void kqueue_push(struct kqueue *q, uint64_t v);
bool kqueue_pop(struct kqueue *q, uint64_t *v);

/* ---- town.c: listeners of every core */

/* Ring the bells of all. */
void ktown_wake(struct ktown *t);
/* Ring those of some, a bit each; arg is the struct kapi of one of them.  Any thread. */
void ktown_ring(void *arg, uint64_t cores);
/* The bell has rung: do what other cores have written. */
void ktown_read(struct kapi *k);
/* s is to be a listener of every core. */
int ktown_listen(struct kapi *k, struct ksock *s, const struct mr_listen_opts *opts);
/* The same was done to a listener of every core here. */
void ktown_setopt(struct kapi *k, const struct ksock *s, enum mr_opt opt, int64_t value);
void ktown_close(struct kapi *k, struct ksock *s);
/* Is there a listener here already? */
bool ktown_has(const struct kapi *k, const struct mr_addr *local);

/* ---- buf.c */

struct kbuf *kbuf_get(struct kapi *k, enum kbuf_class class);
void kbuf_put(struct kapi *k, struct kbuf *b);
void kbuf_free_pools(struct kapi *k);

/* ---- addr.c */

/* Negative errno as enum mr_err. */
int kapi_err(int err_no);
socklen_t kapi_to_sockaddr(struct sockaddr_storage *out, const struct mr_addr *a);
void kapi_from_sockaddr(struct mr_addr *out, const struct sockaddr_storage *a);
int kapi_local_addr(struct mr *m, mr_sock h, struct mr_addr *out);
int kapi_peer_addr(struct mr *m, mr_sock h, struct mr_addr *out);

/* ---- tcp.c, close.c */

int kapi_listen(struct mr *m, const struct mr_addr *local, const struct mr_listen_opts *opts,
                mr_sock *out);
int kapi_accept(struct mr *m, mr_sock listener, mr_sock *out, struct mr_addr *peer);
int kapi_connect(struct mr *m, const struct mr_addr *local, const struct mr_addr *remote,
                 void *user, mr_sock *out);
void ksock_tcp_event(struct kapi *k, struct ksock *s, uint32_t mask);
int kapi_shutdown(struct mr *m, mr_sock h);
int kapi_close_sock(struct mr *m, mr_sock h);
int kapi_abort(struct mr *m, mr_sock h);
/* Give an orphan up if it has nothing left to do; true if it is gone. */
bool ksock_reap(struct kapi *k, struct ksock *s);
void ksock_reset(struct kapi *k, struct ksock *s);

/* ---- recv.c, send.c, udp.c */

int64_t kapi_recv(struct mr *m, mr_sock h, void *buf, size_t n, unsigned flags);
int kapi_recv_slices(struct mr *m, mr_sock h, struct mr_slice *out, int max);
void kapi_slice_release(struct mr *m, struct mr_slice *slice);
int64_t kapi_send(struct mr *m, mr_sock h, const void *buf, size_t n, unsigned flags);
int kapi_send_give(struct mr *m, mr_sock h, const void *ptr, size_t n, unsigned flags,
                   mr_release_fn release, void *arg);
/* Write what is queued as far as the kernel takes it. */
void ksock_flush(struct kapi *k, struct ksock *s);
void ksock_flush_all(struct kapi *k);
/* Drop what is queued; given buffers go to the list of those to release. */
void ksock_drop_queue(struct kapi *k, struct ksock *s);
void kapi_call_releases(struct kapi *k);

int kapi_udp_open(struct mr *m, const struct mr_addr *local, void *user, mr_sock *out);
int kapi_sendto(struct mr *m, mr_sock h, const void *buf, size_t n, const struct mr_addr *to);
int64_t kapi_recvfrom(struct mr *m, mr_sock h, void *buf, size_t n, struct mr_addr *from);
int kapi_recvfrom_slice(struct mr *m, mr_sock h, struct mr_slice *out, struct mr_addr *from);

/* ---- opt.c, info.c */

unsigned kapi_poll(struct mr *m, mr_sock h);
int kapi_setopt(struct mr *m, mr_sock h, enum mr_opt opt, int64_t value);
/* On this core only. */
int ksock_setopt(struct ksock *s, enum mr_opt opt, int64_t value);
int kapi_getopt(struct mr *m, mr_sock h, enum mr_opt opt, int64_t *value);
int kapi_tcp_info(struct mr *m, mr_sock h, struct mr_tcp_info *out);
const char *kapi_status_json(struct mr *m);

/* ---- timer.c */

int kapi_timer_start(struct mr *m, uint64_t delay_us, void *user, mr_timer *out);
void kapi_timer_stop(struct mr *m, mr_timer t);
/* Reset the orphan `linger` unless it is gone by then. */
int ktimer_linger(struct kapi *k, uint64_t delay_us, mr_sock linger);
/* Take one timer that is due; false if none is. */
bool ktimer_pop(struct kapi *k, struct ktimer_slot *out);
/* Microseconds until the first timer, at most max_us. */
uint64_t ktimer_wait_us(const struct kapi *k, uint64_t max_us);
