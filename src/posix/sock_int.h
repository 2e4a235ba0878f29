/* Private to sock_*.c. */
#pragma once

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "posix/pools.h"

/* ---- sock_addr.c: addresses between the program's shape and ours --------------------------- */

enum addr_kind {
    ADDR_BAD,      /* the kernel says what is wrong with it */
    ADDR_UNSPEC,   /* AF_UNSPEC */
    ADDR_WILDCARD, /* 0.0.0.0, :: */
    ADDR_OURS,     /* the session's own address */
    ADDR_V4,       /* another of IPv4, also carried in IPv6 */
    ADDR_V6,
};
enum addr_kind addr_parse(const struct px_file *f, const struct sockaddr *a, socklen_t n,
                          struct mr_addr *out);
/* As getsockname gives it: as much as fits, *n is the whole length.  0 or -EFAULT, -EINVAL. */
int addr_give(const struct px_file *f, const struct mr_addr *from, struct sockaddr *a,
              socklen_t *n);
uint32_t addr_v4(const struct mr_addr *a); /* host order */
struct mr_addr addr_any(uint16_t port);
bool addr_is_any(const struct mr_addr *a);
/* The same address, or one of them is any. */
bool addr_overlaps(const struct mr_addr *a, const struct mr_addr *b);

/* The first 64 KiB are nobody's.  What else is no memory shows before an instance is entered, where
 * a fault would be everybody's: the program has its SIGSEGV, and no EFAULT. */
static inline bool memory_is_bad(const void *p)
{
    if ((uintptr_t)p < 65536)
        return true;
    (void)*(const volatile uint8_t *)p;
    return false;
}

/* ---- locks --------------------------------------------------------------------------------- */

/* What they guard is sound after every store: an owner that died leaves nothing to repair. */
static inline void word_lock(_Atomic uint32_t *word)
{
    if (px_lock(word))
        atomic_thread_fence(memory_order_acquire);
}
/* One more reference, unless the last has gone. */
static inline bool file_hold(struct px_file *f)
{
    uint32_t refs = atomic_load_explicit(&f->refs, memory_order_relaxed);

    while (refs)
        if (atomic_compare_exchange_weak(&f->refs, &refs, refs + 1))
            return true;
    return false;
}
/* One more than the highest file that was ever in use. */
static inline uint32_t files_used(void)
{
    return px_session->pools->files.used;
}
static inline struct px_inst *file_inst(const struct px_file *f)
{
    return &px_session->inst[f->slot];
}
static inline struct sock *inst_sock(struct px_inst *i)
{
    return stack_sock(i->shard.stack);
}
static inline uint32_t file_flags(const struct px_file *f)
{
    return atomic_load_explicit(&f->flags, memory_order_relaxed);
}
static inline bool file_nonblock(const struct px_file *f, int flags)
{
    return (flags & MSG_DONTWAIT) || (file_flags(f) & O_NONBLOCK);
}
static inline int64_t timeout_of(int64_t option_us)
{
    return option_us ? option_us : -1;
}

/* ---- sock_port.c: local ports ---------------------------------------------------------------- */

/* May f have a->port at a->ip?  0: it has it now, if it had none; -EADDRINUSE. */
int port_take(struct px_file *f, const struct mr_addr *a);
/* The same of one by chance that f may have, whatever a->port is, and that nobody else has; f has
 * none. */
int port_take_any(struct px_file *f, const struct mr_addr *a);
void port_give(struct px_file *f);
/* A connection was accepted at its local port; it is closed, and waits: in TIME-WAIT. */
void port_count(struct px_file *f);
void port_uncount(struct px_file *f, bool waits);
/* Who is in a port's list is alive while its lock is held, which may be taken inside an instance
 * and not under a file's lock. */

/* A connection to `to` is about to begin here: a listener there that no instance has opened is
 * opened in i, for whoever will accept; inside i. */
void port_open_for(const struct mr_addr *to, struct px_inst *i);
/* The socket that another listener at the same address has in the slot, or none; heir: its news are
 * that one's from now on.  Inside. */
mr_sock port_shared(const struct px_file *f, unsigned slot, bool heir);
/* The same; from one that nobody accepts from there it goes over to f for good.  Inside. */
mr_sock port_inherit(struct px_file *f, unsigned slot);
/* The others that share f's socket in the slot have connections, too.  Inside. */
void port_tell_sharers(const struct px_file *f, unsigned slot);
/* Bind f to any address, at a port of our choice, ours and the kernel's. */
int bind_any(struct px_file *f, int fd, uint16_t port);

/* ---- sock_conn.c: one connection, inside its instance ---------------------------------------- */

/* What is shorter is refused by the kernel: RFC 2133's sockaddr_in6 had no scope. */
#define SIN6_BYTES_MIN 24u

/* IPv4 by an address that carries it is nothing to this socket. */
bool is_v6_only(const struct px_file *f);
/* The connection has ended, with err (<= 0). */
void conn_over(struct px_file *f, int64_t err);
/* A socket of the stack becomes f's; level is told.  Inside. */
void conn_attach(struct px_file *f, struct px_inst *i, mr_sock s, enum px_state state);
/* >0, 0 at the end, -EAGAIN, or what ended it (told once). */
ssize_t conn_take(struct px_file *f, struct mr *m, void *p, size_t n, unsigned mr_flags);
ssize_t conn_put(struct px_file *f, struct mr *m, const void *p, size_t n, unsigned mr_flags);
/* tcp_disconnect: as it was before connect. */
void conn_disconnect(struct px_file *f);
static inline int err_take(struct px_file *f)
{
    int err = f->err;

    f->err = 0;
    return err;
}
/* What poll would say, of whatever kind f is; inside, or under its lock. */
uint32_t level_of(struct px_file *f);
/* Enter the instance of what fd names, which is f without a reference: NULL if it has none, or fd
 * names something else by now.  Until inst_leave f stays what it is. */
struct px_inst *enter_fd(int fd, const struct px_file *f);

/* ---- sock_listen.c, sock_accept.c ------------------------------------------------------------ */

/* Inside i; orphan: not for the thread that polls by it. */
int listener_open_in(struct px_file *f, struct px_inst *i, bool orphan);
void listener_pending(struct px_file *f, unsigned slot);
void listener_news(struct px_file *f, unsigned slot);
void listener_close(struct px_file *f);
/* Gives up its place among the session's listeners, if it has one. */
void listen_put(struct px_file *f);
/* It listens no more, and may again. */
int listener_stop(struct px_file *f, int fd);
/* Wait with the kernel's socket of a file that is both, or a listener. */
ssize_t wait_both(int fd, struct px_file *f, short events, bool nonblock, int64_t timeout_us,
                  ssize_t (*attempt)(struct px_file *f, void *arg), void *arg);

/* ---- sock_udp*.c ----------------------------------------------------------------------------- */

int udp_bind_ours(struct px_file *f, const struct mr_addr *a, bool both);
int udp_reopen_in(struct px_file *f); /* inside its instance, which is new */
void udp_close_file(struct px_file *f);
int udp_autobind(struct px_file *f, int fd);
int udp_connect_file(struct px_file *f, int fd, const struct sockaddr *a, socklen_t n);
ssize_t udp_recvmsg(struct px_file *f, int fd, struct msghdr *m, int flags);
ssize_t udp_sendmsg(struct px_file *f, int fd, const struct msghdr *m, int flags);
int udp_shutdown(struct px_file *f, int fd, int how);

/* ---- sock_stream.c --------------------------------------------------------------------------- */

ssize_t stream_recvmsg(struct px_file *f, struct msghdr *m, int flags);
ssize_t stream_sendmsg(struct px_file *f, const struct msghdr *m, int flags);
/* One piece; waits as the file does. */
ssize_t stream_send(struct px_file *f, const void *p, size_t n, int flags);

/* ---- sock_opt*.c ----------------------------------------------------------------------------- */

/* Indices of what px_opts stores. */
enum opt_slot {
    OPT_REUSEADDR,
    OPT_REUSEPORT,
    OPT_KEEPALIVE,
    OPT_BROADCAST,
    OPT_SNDBUF,
    OPT_RCVBUF,
    OPT_RCVLOWAT,
    OPT_OOBINLINE,
    OPT_PRIORITY,
    OPT_NODELAY,
    OPT_CORK,
    OPT_MAXSEG,
    OPT_KEEPIDLE,
    OPT_KEEPINTVL,
    OPT_KEEPCNT,
    OPT_SYNCNT,
    OPT_LINGER2,
    OPT_DEFER_ACCEPT,
    OPT_WINDOW_CLAMP,
    OPT_QUICKACK,
    OPT_CONGESTION,
    OPT_USER_TIMEOUT,
    OPT_NOTSENT_LOWAT,
    OPT_TOS,
    OPT_TTL,
    OPT_BIND_NO_PORT,
    OPT_MTU_DISCOVER,
    OPT_PKTINFO,
    OPT_RECVTTL,
    OPT_RECVTOS,
    OPT_V6ONLY,
    OPT_BUSY_POLL,
    OPT_FREEBIND,
    OPT_FASTOPEN,
    OPT_SLOTS,
    OPT_NONE = OPT_SLOTS,
};
_Static_assert(OPT_SLOTS <= 40, "px_opts has room");

static inline bool opt_is_set(const struct px_file *f, enum opt_slot o)
{
    return f->opts.set >> o & 1;
}
static inline int32_t opt_value(const struct px_file *f, enum opt_slot o, int32_t otherwise)
{
    return opt_is_set(f, o) ? f->opts.value[o] : otherwise;
}
/* Give a socket of the stack what was set before there was one; inside. */
void opts_apply(struct px_file *f, struct mr *m, mr_sock s);
/* What an accepted connection has of its listener's. */
void opts_inherit(struct px_file *conn, const struct px_file *listener);
int opt_tcp_info(struct px_file *f, void *value, socklen_t *n);
