/* Bytes in and out of connections: recv(2), send(2) and their kin. */
#include "os/os.h"
#include "posix/sock_iov.h"

#define HEARD_US 200u /* who polls need not look again what has come since */
#define PEEK_BYTES 65536u
#define SKIP_BYTES 16384u
#define RECV_PLAIN (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC)
#define SEND_PLAIN (MSG_DONTWAIT | MSG_NOSIGNAL)

/* A thread that asks without polling must be told what has come, too.  True: something has. */
static bool look_again(struct px_inst *i)
{
    if (px_thread.round_us && os_now_us() - i->now_us < HEARD_US)
        return false;
    return inst_hear(i);
}

/* ---- in -------------------------------------------------------------------------------------- */

struct taking {
    struct walk walk;
    const struct msghdr *m;
    size_t done, target;
    int flags;
};

/* Everything is looked at from its beginning each time. */
static ssize_t peek(struct px_file *f, struct mr *m, struct taking *x)
{
    uint8_t room[PEEK_BYTES];
    uint8_t *p;
    size_t n;

    if (!walk_piece(&x->walk, &p, &n))
        return 0;
    if (walk_is_last(&x->walk))
        return conn_take(f, m, p, n, MR_PEEK);
    ssize_t got = conn_take(f, m, room, sizeof(room), MR_PEEK);
    return got > 0 ? (ssize_t)iov_scatter(x->m, room, (size_t)got) : got;
}

static ssize_t skip(struct px_file *f, struct mr *m, size_t n)
{
    uint8_t nowhere[SKIP_BYTES];

    return conn_take(f, m, nowhere, n < sizeof(nowhere) ? n : sizeof(nowhere), 0);
}

/* Until there is no more, or no room: what ended it. */
static ssize_t take_pieces(struct px_file *f, struct mr *m, struct taking *x)
{
    uint8_t *p;
    size_t n;

    while (walk_piece(&x->walk, &p, &n)) {
        ssize_t got = x->flags & MSG_TRUNC ? skip(f, m, n) : conn_take(f, m, p, n, 0);
        if (got <= 0)
            return got;
        x->walk.off += (size_t)got;
        x->done += (size_t)got;
    }
    return 0;
}

/* An error that comes after bytes is told by the next call. */
static ssize_t after(struct px_file *f, size_t done, ssize_t rc)
{
    if (done && rc < 0 && rc != -EAGAIN && rc != -EPIPE)
        f->err = (int32_t)-rc;
    return done ? (ssize_t)done : rc;
}

static ssize_t take_peek(struct px_file *f, struct mr *m, struct taking *x)
{
    ssize_t rc = peek(f, m, x);

    if (rc > 0 && (size_t)rc < x->target && !(f->level & EPOLLRDHUP)) {
        x->done = (size_t)rc;
        return -EAGAIN;
    }
    return rc;
}

static ssize_t take_attempt(struct px_file *f, void *arg)
{
    struct taking *x = arg;
    struct mr *m = inst_mr(file_inst(f));
    ssize_t rc = x->flags & MSG_PEEK ? take_peek(f, m, x) : take_pieces(f, m, x);

    file_refresh(f);
    if (x->flags & MSG_PEEK)
        return rc;
    if (rc == -EAGAIN && x->done < x->target)
        return -EAGAIN;
    return after(f, x->done, rc);
}

static ssize_t take_wait(struct px_file *f, struct taking *x, int flags)
{
    bool nonblock = file_nonblock(f, flags);
    ssize_t rc = wait_for(f, nonblock, timeout_of(f->opts.rcvtimeo_us), take_attempt, x);

    return rc < 0 && x->done ? (ssize_t)x->done : rc;
}

static ssize_t not_connected(const struct px_file *f)
{
    return f->kind == PX_EPOLL ? PX_PASS : -ENOTCONN;
}

static ssize_t any_attempt(struct px_file *f, void *arg)
{
    (void)arg;
    return level_of(f) & EPOLLIN ? 0 : -EAGAIN;
}

/* Linux waits for bytes, and takes none.  (read(2) of none does not come here.) */
static ssize_t take_nothing(struct px_file *f, int flags)
{
    return wait_for(f, file_nonblock(f, flags), timeout_of(f->opts.rcvtimeo_us), any_attempt, NULL);
}

ssize_t stream_recvmsg(struct px_file *f, struct msghdr *m, int flags)
{
    struct taking x = {.m = m, .flags = flags};
    ssize_t all = iov_bytes(m, flags & MSG_TRUNC);

    m->msg_controllen = 0;
    m->msg_flags = 0;
    m->msg_namelen = 0;
    if (all < 0)
        return all;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (f->kind == PX_LISTENER)
        return -ENOTCONN;
    if (flags & MSG_OOB) /* tcp_recv_urg: urgent data is in the stream, RFC 6093 */
        return -EINVAL;
    if (f->kind != PX_CONN)
        return not_connected(f);
    if (all == 0)
        return take_nothing(f, flags);
    size_t lowat = (size_t)opt_value(f, OPT_RCVLOWAT, 1);
    x.walk = (struct walk){m->msg_iov, m->msg_iovlen, 0};
    x.target = flags & MSG_WAITALL || lowat > (size_t)all ? (size_t)all : lowat;
    return take_wait(f, &x, flags);
}

static ssize_t recv_slowly(int fd, void *p, size_t n, int flags)
{
    struct iovec v = {p, n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

    return px_recvmsg(fd, &m, flags);
}

ssize_t px_recv(int fd, void *p, size_t n, int flags)
{
    struct px_file *f = file_peek(fd);
    struct px_inst *i;
    ssize_t got;

    if (!f)
        return PX_PASS;
    if (unlikely(f->kind != PX_CONN || (flags & ~RECV_PLAIN) || n == 0 || memory_is_bad(p) ||
                 opt_is_set(f, OPT_RCVLOWAT) || !(i = enter_fd(fd, f))))
        return recv_slowly(fd, p, n, flags);
    got = conn_take(f, inst_mr(i), p, n, 0);
    if (got == -EAGAIN && file_nonblock(f, flags) && look_again(i))
        got = conn_take(f, inst_mr(i), p, n, 0);
    file_refresh(f);
    if (got == -EAGAIN && !file_nonblock(f, flags)) {
        inst_leave(i);
        return recv_slowly(fd, p, n, flags);
    }
    inst_leave(i);
    return got;
}

/* ---- out ------------------------------------------------------------------------------------- */

struct putting {
    struct walk walk;
    size_t done;
    int flags;
};

static unsigned mr_flags_of(const struct putting *x)
{
    unsigned flags = x->flags & MSG_MORE || !walk_is_last(&x->walk) ? MR_MORE : 0;

    return flags | (x->flags & MSG_OOB && walk_is_last(&x->walk) ? MR_OOB : 0);
}

static ssize_t put_pieces(struct px_file *f, struct mr *m, struct putting *x)
{
    uint8_t *p;
    size_t n;

    while (walk_piece(&x->walk, &p, &n)) {
        ssize_t put = conn_put(f, m, p, n, mr_flags_of(x));
        if (put < 0)
            return put;
        x->walk.off += (size_t)put;
        x->done += (size_t)put;
        if ((size_t)put < n)
            return -EAGAIN;
    }
    return 0;
}

static ssize_t put_attempt(struct px_file *f, void *arg)
{
    struct putting *x = arg;
    struct px_inst *i = file_inst(f);
    ssize_t rc = put_pieces(f, inst_mr(i), x);

    file_refresh(f);
    if (x->done)
        i->unsent = true;
    return rc == -EAGAIN ? rc : after(f, x->done, rc);
}

static ssize_t put_wait(struct px_file *f, struct putting *x)
{
    ssize_t rc =
        wait_for(f, file_nonblock(f, x->flags), timeout_of(f->opts.sndtimeo_us), put_attempt, x);

    return rc < 0 && x->done ? (ssize_t)x->done : rc;
}

ssize_t stream_sendmsg(struct px_file *f, const struct msghdr *m, int flags)
{
    struct putting x = {.flags = flags};
    ssize_t all = iov_bytes(m, false);

    if (all < 0)
        return all;
    if (flags & MSG_FASTOPEN)
        return -EOPNOTSUPP;
    if (f->kind != PX_CONN)
        return f->kind == PX_EPOLL ? PX_PASS : -EPIPE;
    x.walk = (struct walk){m->msg_iov, m->msg_iovlen, 0};
    if (all == 0)
        return f->state != PX_CONNECTED || (f->shut & 2) ? (f->err ? -err_take(f) : -EPIPE) : 0;
    return put_wait(f, &x);
}

ssize_t stream_send(struct px_file *f, const void *p, size_t n, int flags)
{
    struct iovec v = {(void *)(uintptr_t)p, n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

    return stream_sendmsg(f, &m, flags);
}

static ssize_t send_slowly(int fd, const void *p, size_t n, int flags)
{
    struct iovec v = {(void *)(uintptr_t)p, n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

    return px_sendmsg(fd, &m, flags);
}

/* A part was taken; a blocking send goes on with the rest. */
static ssize_t send_rest(int fd, const uint8_t *p, size_t n, size_t done, int flags)
{
    ssize_t rc = send_slowly(fd, p + done, n - done, flags);

    return (ssize_t)done + (rc > 0 ? rc : 0);
}

ssize_t px_send(int fd, const void *p, size_t n, int flags)
{
    struct px_file *f = file_peek(fd);
    struct px_inst *i;
    bool nonblock;
    ssize_t put;

    if (!f)
        return PX_PASS;
    if (unlikely(f->kind != PX_CONN || (flags & ~(SEND_PLAIN | MSG_MORE)) || n == 0 ||
                 memory_is_bad(p) || !(i = enter_fd(fd, f))))
        return send_slowly(fd, p, n, flags);
    nonblock = file_nonblock(f, flags);
    put = conn_put(f, inst_mr(i), p, n, flags & MSG_MORE ? MR_MORE : 0);
    if (put == -EAGAIN && nonblock && look_again(i))
        put = conn_put(f, inst_mr(i), p, n, flags & MSG_MORE ? MR_MORE : 0);
    i->unsent |= put > 0;
    file_refresh(f);
    inst_leave(i);
    if (likely(put == (ssize_t)n || nonblock))
        return put;
    if (put == -EAGAIN)
        return send_slowly(fd, p, n, flags);
    return put > 0 ? send_rest(fd, p, n, (size_t)put, flags) : put;
}
