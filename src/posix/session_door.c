/* The door of a session: one port is one session's.  Who wants to make a second one with the same
 * port in the same network namespace comes into the first instead: the janitor hands him the
 * session's descriptors through a socket that is named after the port.
 *
 * The socket is bound in the abstract namespace, where a name lasts as long as its descriptor. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "os/os.h"
#include "posix/session_int.h"

#define AT_ONCE 128u /* descriptors a message; the kernel takes 253 */
#define PATIENCE_S 2 /* for the janitor */
#define DOOR_MAGIC 0x6d72646fu

/* What comes with each message. */
struct greeting {
    uint32_t magic, version;
    int32_t lo, hi, memory_fd;
    int32_t from, count; /* these descriptors */
    struct mr_addr addr;
    uint32_t prefix_len;
};

struct rights {
    struct msghdr m;
    struct iovec v;
    MR_ALIGNED(16) char room[CMSG_SPACE(AT_ONCE * sizeof(int))];
};

/* The device without its options. */
static socklen_t name_of(struct sockaddr_un *a, const char *dev)
{
    size_t n = strcspn(dev, ",");

    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int put = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "millrace %.*s", (int)n, dev);
    size_t len = min_size((size_t)put, sizeof(a->sun_path) - 2);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
}

int session_door_make(const char *dev)
{
    struct sockaddr_un a;
    socklen_t n = name_of(&a, dev);
    int fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = fd < 0 ? fd : sys_bind(fd, (const struct sockaddr *)&a, n);

    if (rc == 0)
        rc = sys_listen(fd, 8);
    if (rc == 0)
        return fd;
    if (fd >= 0)
        sys_close(fd);
    return rc;
}

static void rights_init(struct rights *r, struct greeting *g)
{
    r->v = (struct iovec){g, sizeof(*g)};
    r->m = (struct msghdr){.msg_iov = &r->v,
                           .msg_iovlen = 1,
                           .msg_control = r->room,
                           .msg_controllen = sizeof(r->room)};
}

/* ---- inside ------------------------------------------------------------------------------- */

static bool is_welcome(int fd)
{
    struct ucred who;
    socklen_t n = sizeof(who);

    return sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
           (who.uid == 0 || (int)who.uid == (int)sys_call3(SYS_geteuid, 0, 0, 0));
}

static bool hand_out(int fd, int from, int count)
{
    const struct session_own *o = session_own();
    struct greeting g = {DOOR_MAGIC,
                         (uint32_t)SESSION_MAGIC,
                         px_session->hidden_lo,
                         px_session->hidden_hi,
                         px_session->memory_fd,
                         from,
                         count,
                         o->config.addr,
                         o->config.prefix_len};
    struct rights r;

    rights_init(&r, &g);
    struct cmsghdr *c = CMSG_FIRSTHDR(&r.m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    r.m.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &(int){from + i}, sizeof(int));
    return sys_sendmsg(fd, &r.m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(g);
}

void session_door_serve(void)
{
    int lo = px_session->hidden_lo, hi = px_session->hidden_hi;
    int fd = sys_accept4(px_session->door_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    for (int at = lo; at <= hi && is_welcome(fd); at += (int)AT_ONCE)
        if (!hand_out(fd, at, hi - at + 1 < (int)AT_ONCE ? hi - at + 1 : (int)AT_ONCE))
            break;
    sys_close(fd);
}

/* ---- outside ------------------------------------------------------------------------------ */

static int put_in_place(const struct rights *r, const struct greeting *g)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(&r->m);
    size_t have = c && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    int rc = have == (size_t)g->count && !(r->m.msg_flags & MSG_CTRUNC) ? 0 : -EMFILE;

    for (size_t i = 0; i < have; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        if (rc == 0 && sys_fcntl(g->from + (int)i, F_GETFD, 0) >= 0)
            rc = -EBUSY;
        if (rc == 0)
            rc = sys_dup3(fd, g->from + (int)i, 0) < 0 ? -EMFILE : 0;
        sys_close(fd);
    }
    return rc;
}

/* Those of one message; g->from + g->count - 1 == g->hi: the last. */
static int take(int fd, struct greeting *g)
{
    struct rights r;

    rights_init(&r, g);
    ssize_t n = sys_recvmsg(fd, &r.m, MSG_CMSG_CLOEXEC);
    if (n != (ssize_t)sizeof(*g))
        return n < 0 ? (int)n : -EACCES;
    if (g->magic != DOOR_MAGIC || g->version != (uint32_t)SESSION_MAGIC || g->from < 3 ||
        g->count < 0 || g->count > (int)AT_ONCE)
        return -EPROTO;
    return put_in_place(&r, g);
}

static int take_all(int fd, struct greeting *g)
{
    struct rlimit was, most;
    int rc = sys_prlimit(0, RLIMIT_NOFILE, NULL, &was);

    if (rc < 0)
        return rc;
    most = (struct rlimit){was.rlim_max, was.rlim_max};
    sys_prlimit(0, RLIMIT_NOFILE, &most, NULL);
    do
        rc = take(fd, g);
    while (rc == 0 && g->from + g->count - 1 < g->hi);
    sys_prlimit(0, RLIMIT_NOFILE, &was, NULL);
    return rc;
}

static int knock(const char *dev, int *pid)
{
    struct sockaddr_un a;
    socklen_t n = name_of(&a, dev), size = sizeof(struct ucred);
    struct timeval t = {.tv_sec = PATIENCE_S};
    struct ucred who = {0};
    int fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    int rc = sys_connect(fd, (const struct sockaddr *)&a, n);
    if (rc == 0)
        rc = sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
    *pid = who.pid;
    if (rc == 0)
        return fd;
    sys_close(fd);
    return rc;
}

int session_door_enter(const struct mr_config *c, char *why, size_t n)
{
    struct greeting g;
    int pid = 0, fd = knock(c->dev, &pid), rc = fd < 0 ? fd : take_all(fd, &g);

    if (fd >= 0)
        sys_close(fd);
    if (rc < 0) {
        snprintf(why, n, "%s is in use by process %d, whose session cannot be joined: %s", c->dev,
                 pid, strerror(-rc));
        return rc;
    }
    if (memcmp(g.addr.ip, c->addr.ip, sizeof(g.addr.ip)) == 0 && g.prefix_len == c->prefix_len)
        rc = session_join(g.memory_fd, -1, why, n);
    else {
        snprintf(why, n, "%s is in use by process %d with another address", c->dev, pid);
        rc = -EBUSY;
    }
    if (rc < 0)
        sys_close_range((unsigned)g.lo, (unsigned)g.hi, 0);
    return rc;
}
