/* select(2): poll with bits. */
#include "posix/wait_int.h"

#include <string.h>

#define SMALL 64u
#define WORD_BITS (8 * sizeof(unsigned long))

#define WANTS_READ (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define WANTS_WRITE (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define WANTS_EXCEPT POLLPRI

/* Sets larger than FD_SETSIZE are used by programs that know that the kernel takes them: bits of
 * longs, as many as n says. */
static bool bit_is(const fd_set *set, int fd)
{
    const unsigned long *word = (const unsigned long *)(const void *)set;

    return set && word[(unsigned)fd / WORD_BITS] >> ((unsigned)fd % WORD_BITS) & 1;
}

static void bit_set(fd_set *set, int fd)
{
    unsigned long *word = (unsigned long *)(void *)set;

    word[(unsigned)fd / WORD_BITS] |= 1ul << ((unsigned)fd % WORD_BITS);
}

struct sets {
    int n;
    fd_set *r, *w, *x;
};

static short events_of(const struct sets *s, int fd)
{
    return (short)((bit_is(s->r, fd) ? WANTS_READ : 0) | (bit_is(s->w, fd) ? WANTS_WRITE : 0) |
                   (bit_is(s->x, fd) ? WANTS_EXCEPT : 0));
}

static void zero(fd_set *set, int n)
{
    if (set)
        memset(set, 0, ((unsigned)n + WORD_BITS - 1) / WORD_BITS * sizeof(unsigned long));
}

/* The answer's bits; how many.  -EBADF: one was not open. */
static int fill(const struct sets *s, const struct poll_call *c, bool write)
{
    int bits = 0;

    for (unsigned k = 0; k < c->n; k++) {
        const struct pollfd *p = &c->p[k];
        bool r = p->revents & p->events & WANTS_READ && (p->events & POLLIN);
        bool w = p->revents & WANTS_WRITE && (p->events & POLLOUT);
        bool x = p->revents & WANTS_EXCEPT && (p->events & POLLPRI);

        if (p->revents & POLLNVAL)
            return -EBADF;
        bits += r + w + x;
        if (write && r)
            bit_set(s->r, p->fd);
        if (write && w)
            bit_set(s->w, p->fd);
        if (write && x)
            bit_set(s->x, p->fd);
    }
    return bits;
}

static int run(const struct sets *s, struct poll_call *c, int64_t timeout_us, const sigset_t *mask)
{
    int rc, bits;

    for (;;) {
        rc = poll_run(c, timeout_us, mask);
        if (rc < 0)
            return rc;
        bits = fill(s, c, false);
        if (bits || rc == 0 || timeout_us == 0)
            break;
        /* The kernel tells that one has hung up of which only urgent data was asked for: select
         * does not end for that. */
        for (unsigned k = 0; k < c->n; k++)
            if (c->p[k].revents)
                c->p[k].fd = -1;
    }
    if (bits < 0)
        return bits;
    zero(s->r, s->n);
    zero(s->w, s->n);
    zero(s->x, s->n);
    return fill(s, c, true);
}

/* How many descriptors the sets name; *ours: is one of them? */
static unsigned count(const struct sets *s, bool *is_ours)
{
    unsigned n = 0;

    for (int fd = 0; fd < s->n; fd++)
        if (events_of(s, fd)) {
            n++;
            *is_ours |= poll_is_ours(fd);
        }
    return n;
}

int px_select(int n, fd_set *r, fd_set *w, fd_set *x, int64_t timeout_us, const sigset_t *mask)
{
    struct sets s = {n, r, w, x};
    _Alignas(8) uint8_t small[SMALL * 24];
    struct poll_call c = {.select = true};
    uint8_t *memory = small;
    bool is_ours = false;
    unsigned fds;
    size_t bytes;
    int rc;

    if (!px_session || n <= 0 || (unsigned)n > PX_FDS)
        return PX_PASS;
    fds = count(&s, &is_ours);
    if (!is_ours)
        return PX_PASS;
    bytes = fds * sizeof(struct pollfd) + poll_bytes(fds);
    if (fds > SMALL) {
        memory = sys_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (sys_mmap_failed(memory))
            return -ENOMEM;
    }
    c.p = (struct pollfd *)(void *)memory;
    poll_parts(&c, memory + fds * sizeof(struct pollfd), fds);
    for (int fd = 0; fd < n; fd++)
        if (events_of(&s, fd))
            c.p[c.n++] = (struct pollfd){fd, events_of(&s, fd), 0};
    rc = run(&s, &c, timeout_us, mask);
    if (memory != small)
        sys_munmap(memory, bytes);
    return rc;
}
