/* Descriptors that every process of a session has under the same numbers: at the top, where no
 * program looks.  A higher number costs every fork, which copies a table of that length: hence no
 * higher than TOP_MAX where the limit does not ask for it. */
#include "posix/session_int.h"

#include <errno.h>
#include <sys/eventfd.h>

#define TOP_MAX 65536u

struct hidden {
    struct rlimit was;
    unsigned lo, next, end;
};

uint64_t session_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof(cookie);

    return sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0 ? 0 : cookie;
}

/* One past the highest number that may be used. */
static unsigned top(const struct rlimit *limit)
{
    uint64_t soft = limit->rlim_cur, hard = limit->rlim_max;

    if (soft < TOP_MAX && hard > soft)
        return (unsigned)(hard < TOP_MAX ? hard : TOP_MAX);
    return (unsigned)(soft < PX_FDS ? soft : PX_FDS);
}

static bool range_is_free(unsigned lo, unsigned n)
{
    for (unsigned fd = lo; fd < lo + n; fd++)
        if (sys_fcntl((int)fd, F_GETFD, 0) >= 0)
            return false;
    return true;
}

/* Room for n numbers in a row, above the soft limit for the time being. */
static int begin(struct hidden *h, unsigned n)
{
    int rc = sys_prlimit(0, RLIMIT_NOFILE, NULL, &h->was);
    struct rlimit most = {h->was.rlim_max, h->was.rlim_max};

    if (rc < 0)
        return rc;
    unsigned lo = top(&h->was);
    sys_prlimit(0, RLIMIT_NOFILE, &most, NULL);
    do {
        if (lo < n + 16)
            return -EMFILE;
        lo -= n;
    } while (!range_is_free(lo, n));
    h->lo = h->next = lo;
    h->end = lo + n;
    return 0;
}

/* The descriptor goes where it will stay, and stays through exec. */
static int move(struct hidden *h, int fd)
{
    int to = sys_fcntl(fd, F_DUPFD, (long)h->next);

    if (fd >= 0)
        sys_close(fd);
    if (to < 0 || (unsigned)to >= h->end)
        return to < 0 ? to : -EMFILE;
    h->next = (unsigned)to + 1;
    return to;
}

static int move_made(struct hidden *h, int made, int *out)
{
    int fd = made < 0 ? made : move(h, made);

    *out = fd;
    return fd < 0 ? fd : 0;
}

static int bell(struct hidden *h, int *out)
{
    return move_made(h, sys_eventfd(0, EFD_NONBLOCK), out);
}

static int make(struct px_session *s, struct hidden *h)
{
    int rc = 0;

    for (unsigned i = 0; i < PX_WAITERS && rc == 0; i++)
        rc = bell(h, &s->waiter[i].bell);
    for (unsigned i = 0; i < s->slots && rc == 0; i++)
        rc = bell(h, &s->slot_bell[i]);
    if (rc == 0)
        rc = bell(h, &s->janitor_bell);
    if (rc == 0)
        rc = move_made(h, sys_socket(AF_UNIX, SOCK_STREAM, 0), &s->placeholder_fd);
    return rc;
}

int session_hide(struct px_session *s, int *const *fd, unsigned n)
{
    unsigned all = PX_WAITERS + s->slots + 2 + n;
    struct hidden h;
    int rc = begin(&h, all);

    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = move_made(&h, *fd[i], fd[i]);
    if (rc == 0)
        rc = make(s, &h);
    sys_prlimit(0, RLIMIT_NOFILE, &h.was, NULL);
    if (rc < 0)
        return rc;
    s->hidden_lo = (int)h.lo;
    s->hidden_hi = (int)h.end - 1;
    s->placeholder_cookie = session_cookie(s->placeholder_fd);
    return 0;
}
