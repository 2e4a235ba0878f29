/* sendfile(2) and splice(2): what the kernel moves by reference goes through memory here.
 *
 * Nothing may be lost when one side takes less than the other gave: a file is read where it was
 * left, a pipe no further than the connection has room, a connection no further than the pipe
 * took. */
#include "posix/sock_int.h"

#define BOUNCE 65536u
#define COUNT_MAX 0x7ffff000u /* as Linux's MAX_RW_COUNT */

/* Bytes a connection would take now; a few if none, so that it is asked and tells when it will. */
static size_t room_of(struct px_file *f)
{
    struct px_inst *i = file_inst(f);
    size_t room;

    inst_enter(i);
    room = sock_room(inst_sock(i), f->sock);
    inst_leave(i);
    return room;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- sendfile -------------------------------------------------------------------------------- */

static ssize_t send_file(struct px_file *f, int in, off_t *at, size_t n)
{
    uint8_t room[BOUNCE];
    size_t done = 0;
    ssize_t rc = 0;

    while (done < n) {
        size_t part = least(n - done, sizeof(room)), space = room_of(f);
        if (file_nonblock(f, 0))
            part = least(part, space ? space : 1);
        ssize_t got = sys_pread(in, room, part, *at);
        if (got <= 0) {
            rc = got;
            break;
        }
        rc = stream_send(f, room, (size_t)got, done + (size_t)got < n ? MSG_MORE : 0);
        if (rc <= 0)
            break;
        *at += rc;
        done += (size_t)rc;
        if (rc < got)
            break;
    }
    return done ? (ssize_t)done : rc;
}

static ssize_t sendfile_to(struct px_file *f, int in, off_t *offset, size_t n)
{
    off_t at = offset ? *offset : sys_lseek(in, 0, SEEK_CUR);

    int mode = sys_fcntl(in, F_GETFL, 0);

    if (mode < 0 || (mode & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    if (file_peek(in) || at == -ESPIPE)
        return -EINVAL;
    if (at < 0)
        return offset ? -EINVAL : at;
    if (f->kind != PX_CONN || !f->sock.v)
        return f->kind == PX_DGRAM ? -EOPNOTSUPP : -EPIPE;
    ssize_t rc = send_file(f, in, &at, least(n, COUNT_MAX));
    if (rc == -ESPIPE)
        return -EINVAL;
    if (rc > 0 && offset)
        *offset = at;
    else if (rc > 0)
        (void)sys_lseek(in, at, SEEK_SET);
    return rc;
}

ssize_t px_sendfile(int out, int in, off_t *offset, size_t n)
{
    struct px_file *f = file_get(out);

    if (!f)
        return file_peek(in) && file_peek(in)->kind != PX_EPOLL ? -EINVAL : PX_PASS;
    ssize_t rc = f->kind == PX_EPOLL ? PX_PASS : sendfile_to(f, in, offset, n);
    file_put(f);
    return rc;
}

/* ---- splice: a connection into a pipe -------------------------------------------------------- */

struct to_pipe {
    int pipe;
    bool waits; /* the pipe's descriptor would wait: it is asked first, page by page */
    size_t n;
    bool full; /* the pipe, not the connection, is what is waited for */
};

/* A pipe with a page free takes a page without waiting. */
static ssize_t pipe_put(const struct to_pipe *x, const uint8_t *p, size_t n)
{
    struct timespec now = {0};
    size_t done = 0;
    ssize_t rc = -EAGAIN;

    if (!x->waits)
        return sys_write(x->pipe, p, n);
    while (done < n) {
        struct pollfd q = {.fd = x->pipe, .events = POLLOUT};
        if (sys_ppoll(&q, 1, &now, NULL) <= 0)
            break;
        rc = sys_write(x->pipe, p + done, least(n - done, PIPE_BUF));
        if (rc <= 0)
            break;
        done += (size_t)rc;
    }
    return done ? (ssize_t)done : rc;
}

/* Looked at, written, and only then taken; inside, so nobody takes it meanwhile. */
static ssize_t to_pipe_attempt(struct px_file *f, void *arg)
{
    struct to_pipe *x = arg;
    struct mr *m = inst_mr(file_inst(f));
    uint8_t room[BOUNCE];
    ssize_t got = conn_take(f, m, room, least(x->n, sizeof(room)), MR_PEEK);

    if (got > 0) {
        ssize_t put = pipe_put(x, room, (size_t)got);
        x->full = put == -EAGAIN;
        got = put;
    }
    if (got > 0)
        got = conn_take(f, m, room, (size_t)got, 0);
    file_refresh(f);
    return x->full ? 0 : got;
}

static bool pipe_waits(int fd)
{
    return !(sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK);
}

/* Nothing is written at the end, which would tell. */
static bool has_no_reader(int pipe)
{
    struct timespec now = {0};
    struct pollfd p = {.fd = pipe, .events = POLLOUT};

    return sys_ppoll(&p, 1, &now, NULL) > 0 && (p.revents & POLLERR);
}

static ssize_t splice_in(struct px_file *f, int pipe, size_t n, unsigned flags)
{
    struct to_pipe x = {.pipe = pipe, .waits = pipe_waits(pipe), .n = n};
    bool blocks = x.waits && !(flags & SPLICE_F_NONBLOCK);
    ssize_t rc;

    if (f->kind != PX_CONN)
        return f->kind == PX_DGRAM ? -EINVAL : -ENOTCONN;
    for (;;) {
        rc = wait_for(f, file_nonblock(f, 0), timeout_of(f->opts.rcvtimeo_us), to_pipe_attempt, &x);
        if (!x.full)
            return rc == 0 && has_no_reader(pipe) ? -EPIPE : rc;
        struct pollfd p = {.fd = pipe, .events = POLLOUT};
        if (!blocks)
            return -EAGAIN;
        rc = sys_ppoll(&p, 1, NULL, NULL);
        if (rc < 0)
            return rc;
        x.full = false;
    }
}

/* ---- splice: a pipe into a connection -------------------------------------------------------- */

/* >0: something is there; 0: the end. */
static ssize_t pipe_ready(int pipe, bool blocks)
{
    struct timespec now = {0};
    struct pollfd p = {.fd = pipe, .events = POLLIN};
    int rc = sys_ppoll(&p, 1, blocks ? NULL : &now, NULL);

    if (rc < 0)
        return rc;
    return rc == 0 ? -EAGAIN : p.revents & POLLIN ? 1 : 0;
}

static ssize_t room_attempt(struct px_file *f, void *arg)
{
    size_t room;

    (void)arg;
    if (f->state == PX_CONNECTING)
        return -EAGAIN;
    if (f->state != PX_CONNECTED || f->err || (f->shut & 2))
        return 1; /* sending tells what is wrong */
    room = sock_room(inst_sock(file_inst(f)), f->sock);
    return room ? (ssize_t)least(room, BOUNCE) : -EAGAIN;
}

/* What was read is out of the pipe: it goes, even if memory for it has to be waited for. */
static ssize_t send_all(struct px_file *f, const uint8_t *p, size_t n, int flags)
{
    size_t done = 0;
    ssize_t rc = 0;

    while (done < n) {
        rc = stream_send(f, p + done, n - done, flags);
        if (rc == -EAGAIN) {
            (void)sys_nanosleep_us(100);
            continue;
        }
        if (rc <= 0)
            break;
        done += (size_t)rc;
    }
    return done ? (ssize_t)done : rc;
}

static ssize_t splice_out(struct px_file *f, int pipe, size_t n, unsigned flags)
{
    uint8_t room[BOUNCE];
    bool more = flags & SPLICE_F_MORE;
    ssize_t rc;

    if (f->kind != PX_CONN)
        return f->kind == PX_DGRAM ? -EINVAL : -EPIPE;
    rc = pipe_ready(pipe, pipe_waits(pipe) && !(flags & SPLICE_F_NONBLOCK));
    if (rc <= 0)
        return rc;
    rc = wait_for(f, file_nonblock(f, 0), timeout_of(f->opts.sndtimeo_us), room_attempt, NULL);
    if (rc <= 0)
        return rc;
    if (f->state != PX_CONNECTED || f->err || (f->shut & 2))
        return stream_send(f, room, 1, 0); /* takes nothing */
    rc = sys_read(pipe, room, least(n, (size_t)rc));
    return rc > 0 ? send_all(f, room, (size_t)rc, more ? MSG_MORE : 0) : rc;
}

static bool is_pipe(int fd)
{
    struct stat st;

    return sys_fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

static ssize_t splice_file(struct px_file *f, bool out, int pipe, size_t n, unsigned flags)
{
    int mode = sys_fcntl(pipe, F_GETFL, 0);

    if (mode < 0 || (mode & O_ACCMODE) == (out ? O_WRONLY : O_RDONLY))
        return -EBADF;
    if (f->kind == PX_EPOLL || !is_pipe(pipe))
        return -EINVAL;
    if (n == 0)
        return 0;
    n = least(n, COUNT_MAX);
    return out ? splice_out(f, pipe, n, flags) : splice_in(f, pipe, n, flags);
}

ssize_t px_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t n, unsigned flags)
{
    bool to_socket = file_peek(out) != NULL;
    struct px_file *f = file_get(to_socket ? out : in);
    ssize_t rc;

    if (!f)
        return PX_PASS;
    if (in_offset || out_offset)
        rc = (to_socket ? in_offset : out_offset) ? -ESPIPE : -EINVAL; /* the pipe's comes first */
    else if (flags & ~(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT))
        rc = -EINVAL;
    else
        rc = splice_file(f, to_socket, to_socket ? in : out, n, flags);
    file_put(f);
    return rc;
}
