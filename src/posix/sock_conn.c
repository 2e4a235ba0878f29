/* One connection: its bytes, its level, its errors.  All inside its instance. */
#include "posix/sock_int.h"

#define LEVEL_IN (EPOLLIN | EPOLLRDNORM)
#define LEVEL_OUT (EPOLLOUT | EPOLLWRNORM)
#define LEVEL_OVER (LEVEL_IN | LEVEL_OUT | EPOLLRDHUP | EPOLLHUP)

/* SO_RCVLOWAT holds for poll, too (socket(7), since Linux 2.6.28). */
static bool is_enough(const struct px_file *f)
{
    int64_t have = 0;

    if (likely(!opt_is_set(f, OPT_RCVLOWAT)))
        return true;
    (void)mr_getopt(inst_mr(file_inst(f)), f->sock, MR_RCVQ, &have);
    return have >= opt_value(f, OPT_RCVLOWAT, 1);
}

/* As tcp_poll: nothing while it connects; everything when it is over, whose reads and writes do not
 * wait. */
static uint32_t conn_level(const struct px_file *f)
{
    uint32_t level = f->err ? EPOLLERR : 0;

    switch ((enum px_state)f->state) {
    case PX_IDLE:
        return level | LEVEL_OUT | EPOLLHUP | (f->shut & 1 ? LEVEL_IN | EPOLLRDHUP : 0u);
    case PX_CONNECTING:
        return level;
    case PX_OVER:
    case PX_FAILED:
        return level | LEVEL_OVER;
    case PX_CONNECTED:
        break;
    }
    unsigned poll = mr_poll(inst_mr(file_inst(f)), f->sock);
    bool ended = (poll & MR_RECV_END) || (f->shut & 1);
    if (ended || ((poll & MR_CAN_RECV) && is_enough(f)))
        level |= LEVEL_IN;
    if (ended)
        level |= EPOLLRDHUP;
    if ((poll & MR_CAN_SEND) || (f->shut & 2))
        level |= LEVEL_OUT;
    if (poll & MR_URGENT_IN)
        level |= EPOLLPRI;
    if ((poll & MR_OVER) || (ended && (f->shut & 2)))
        level |= EPOLLHUP;
    return level;
}

/* An error can be read, too, but is no datagram. */
static bool has_datagram(const struct px_file *f)
{
    int64_t n = 0;

    return mr_getopt(inst_mr(file_inst(f)), f->sock, MR_RCVQ, &n) == 0 && n > 0;
}

static uint32_t dgram_level(const struct px_file *f)
{
    uint32_t level = f->err ? EPOLLERR : 0;

    if (f->sock.v) {
        unsigned poll = mr_poll(inst_mr(file_inst(f)), f->sock);
        if ((poll & MR_CAN_RECV) && (!(poll & MR_HAS_ERROR) || has_datagram(f)))
            level |= LEVEL_IN;
        if (poll & MR_CAN_SEND)
            level |= LEVEL_OUT | EPOLLWRBAND;
        if (poll & MR_HAS_ERROR)
            level |= EPOLLERR;
    } else {
        level |= LEVEL_OUT | EPOLLWRBAND;
    }
    if (f->shut & 1)
        level |= LEVEL_IN | EPOLLRDHUP;
    if (f->shut == 3)
        level |= EPOLLHUP;
    return level;
}

uint32_t level_of(struct px_file *f)
{
    switch ((enum px_kind)f->kind) {
    case PX_FRESH:
        return LEVEL_OUT | EPOLLHUP | (f->shut & 1 ? LEVEL_IN | EPOLLRDHUP : 0u);
    case PX_CONN:
        return conn_level(f);
    case PX_DGRAM:
        return dgram_level(f);
    case PX_LISTENER:
        return atomic_load_explicit(&f->listen->pending, memory_order_relaxed) ? LEVEL_IN : 0;
    case PX_FREE:
    case PX_EPOLL:
        break;
    }
    return 0;
}

void file_refresh(struct px_file *f)
{
    uint32_t was = atomic_load_explicit(&f->level, memory_order_relaxed);
    uint32_t is = level_of(f);

    if (was == is)
        return;
    atomic_store_explicit(&f->level, is, memory_order_release);
    if (is & ~was)
        wait_notify(f, is & ~was, -1);
}

void conn_attach(struct px_file *f, struct px_inst *i, mr_sock s, enum px_state state)
{
    f->slot = i->slot;
    f->sock = s;
    f->state = (uint8_t)state;
    f->kind = PX_CONN;
    mr_set_user(inst_mr(i), s, f);
    atomic_fetch_add_explicit(&i->files, 1, memory_order_relaxed);
    (void)mr_local_addr(inst_mr(i), s, &f->local);
    if (state == PX_CONNECTED && (mr_poll(inst_mr(i), s) & MR_OVER)) {
        int64_t err = 0; /* it came, and was reset before it was accepted */
        (void)mr_getopt(inst_mr(i), s, MR_ERROR, &err);
        f->state = PX_OVER;
        f->err = (int32_t)-err;
    }
    atomic_store_explicit(&f->level, level_of(f), memory_order_release);
}

struct px_inst *enter_fd(int fd, const struct px_file *f)
{
    uint32_t slot = f->slot;

    if (slot >= px_session->slots)
        return NULL;
    struct px_inst *i = &px_session->inst[slot];
    inst_enter(i);
    if (likely(file_peek(fd) == f && f->slot == slot && f->sock.v))
        return i;
    inst_leave(i);
    return NULL;
}

/* tcp_reset: after the peer's FIN a RST breaks the pipe, and who reads is at the end still. */
void conn_over(struct px_file *f, int64_t err)
{
    f->state = PX_OVER;
    f->err = (int32_t)-err;
    if ((f->level & (EPOLLRDHUP | EPOLLHUP)) == EPOLLRDHUP && !(f->shut & 1)) {
        f->shut |= SHUT_BY_PEER;
        if (f->err == ECONNRESET)
            f->err = EPIPE;
    }
}

/* The stack says that the connection has ended: the news of it may still be on its way. */
static void found_over(struct px_file *f, int64_t err)
{
    if (f->state == PX_CONNECTED)
        conn_over(f, err == MR_EPIPE ? 0 : err);
}

/* tcp_recvmsg: what is queued, then the error, then the end. */
ssize_t conn_take(struct px_file *f, struct mr *m, void *p, size_t n, unsigned mr_flags)
{
    if (unlikely(f->state == PX_IDLE))
        return -ENOTCONN;
    if (unlikely(f->state == PX_CONNECTING))
        return f->shut & 1 ? 0 : -EAGAIN;
    int64_t got = mr_recv(m, f->sock, p, n, mr_flags);
    if (likely(got > 0))
        return got;
    if (got < 0 && got != MR_EAGAIN)
        found_over(f, got);
    if (f->shut & SHUT_BY_PEER)
        return 0;
    if (f->err)
        return -err_take(f);
    if (got == 0 || f->state == PX_OVER || f->state == PX_FAILED || (f->shut & 1))
        return 0;
    return -EAGAIN;
}

/* What may be queued unsent is bounded by TCP_NOTSENT_LOWAT: as on Linux it is sent while it is
 * queued, and only what cannot go now is refused. */
static int64_t put_rest(struct px_file *f, struct mr *m, const uint8_t *p, size_t n,
                        unsigned mr_flags, int64_t put)
{
    size_t done = put > 0 ? (size_t)put : 0;

    do {
        inst_say(file_inst(f));
        put = mr_send(m, f->sock, p + done, n - done, mr_flags);
        done += put > 0 ? (size_t)put : 0;
    } while (put > 0 && done < n);
    return done ? (int64_t)done : put;
}

/* tcp_sendmsg: an error that waits comes first. */
ssize_t conn_put(struct px_file *f, struct mr *m, const void *p, size_t n, unsigned mr_flags)
{
    if (likely(f->state == PX_CONNECTED && !f->err && !(f->shut & 2))) {
        int64_t put = mr_send(m, f->sock, p, n, mr_flags);
        if (likely(put == (int64_t)n))
            return put;
        if ((put >= 0 || put == MR_EAGAIN) && opt_value(f, OPT_NOTSENT_LOWAT, 0))
            put = put_rest(f, m, p, n, mr_flags, put);
        if (put >= 0 || put == MR_EAGAIN)
            return put;
        found_over(f, put);
    }
    if (f->err)
        return -err_take(f);
    if (f->state == PX_CONNECTING && !(f->shut & 2))
        return -EAGAIN;
    return -EPIPE;
}
