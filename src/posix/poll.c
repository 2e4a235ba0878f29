/* poll(2), of descriptors that are ours and the kernel's. */
#include "posix/wait_int.h"

#include "os/os.h"

#define SMALL 64u /* so many descriptors need no memory of their own */

size_t poll_bytes(unsigned n)
{
    return n * (sizeof(struct pollfd) + 2 * sizeof(uint32_t));
}

void poll_parts(struct poll_call *c, void *memory, unsigned n)
{
    c->kernel = memory;
    c->file = (uint32_t *)(void *)(c->kernel + n);
    c->back = c->file + n;
}

/* A listener that this thread polls has connections come to its slot. */
static void poll_listener(struct px_file *f)
{
    struct px_inst *i = session_mine();

    listener_open(f, i);
}

static void sort_out(struct poll_call *c)
{
    c->kernels = 0;
    for (unsigned k = 0; k < c->n; k++) {
        struct pollfd *p = &c->p[k];
        struct px_file *f = file_peek(p->fd);

        c->file[k] = f ? file_index(f) : 0;
        if (f && f->kind == PX_LISTENER)
            poll_listener(f);
        if (f && !f->both && f->kind != PX_EPOLL)
            continue;
        if (!f && session_hides(p->fd)) {
            p->revents = POLLNVAL;
            continue;
        }
        c->back[c->kernels] = k;
        c->kernel[c->kernels++] = (struct pollfd){p->fd, p->events, 0};
    }
}

/* Holding no reference: a descriptor that another thread closes meanwhile is not told of any more,
 * and a handler that jumps out of the wait leaves nothing behind. */
static struct px_file *still(const struct poll_call *c, unsigned k)
{
    struct px_file *f = c->file[k] ? file_peek(c->p[k].fd) : NULL;

    return f && file_index(f) == c->file[k] ? f : NULL;
}

static unsigned ours(struct poll_call *c)
{
    unsigned n = 0;

    for (unsigned k = 0; k < c->n; k++) {
        struct pollfd *p = &c->p[k];
        struct px_file *f = still(c, k);
        uint32_t wants = (uint16_t)p->events | (c->select ? 0 : POLLERR | POLLHUP);

        if (f)
            p->revents = (short)(watch_level(f, px_thread.slot - 1) & wants);
        else if (p->revents != POLLNVAL || !session_hides(p->fd))
            p->revents = 0;
        n += p->revents != 0;
    }
    return n;
}

/* ours() and what the kernel said last, together. */
static int total(struct poll_call *c)
{
    int n = 0;

    ours(c);
    for (unsigned k = 0; k < c->kernels; k++)
        c->p[c->back[k]].revents |= c->kernel[k].revents;
    for (unsigned k = 0; k < c->n; k++)
        n += c->p[k].revents != 0;
    return n;
}

static void arm_all(struct poll_call *c, struct px_wait *w, bool arm)
{
    for (unsigned k = 0; k < c->n; k++) {
        struct px_file *f = c->file[k] ? &px_session->file[c->file[k]] : NULL;

        if (f && arm)
            wait_arm(w, f);
        else if (f)
            wait_disarm(w, f);
    }
}

static int poll_wait(struct poll_call *c, int64_t timeout_us, const sigset_t *mask)
{
    struct px_wait w;
    int slept = 0, kernel = 0;

    px_thread.round_us = 0;
    wait_begin(&w, timeout_us, false);
    wait_mask(&w, mask);
    arm_all(c, &w, true);
    while (ours(c) == 0 && kernel == 0 && slept == 0)
        slept = wait_sleep(&w, -1, c->kernel, c->kernels, &kernel);
    arm_all(c, &w, false);
    wait_end(&w);
    return slept;
}

int poll_run(struct poll_call *c, int64_t timeout_us, const sigset_t *mask)
{
    struct timespec none = {0, 0};
    int rc = 0, n;

    sort_out(c);
    wait_turn(0, wait_goes_on(timeout_us));
    n = (int)ours(c);
    if (n == 0 && timeout_us != 0)
        rc = poll_wait(c, timeout_us, mask);
    else if (c->kernels || mask)
        rc = sys_ppoll(c->kernel, c->kernels, &none, mask);
    n = total(c);
    wait_round(os_now_us(), n == 0);
    return n ? n : rc < 0 && rc != -ETIMEDOUT ? rc : 0;
}

static bool is_for_us(const struct pollfd *p, nfds_t n)
{
    if (px_session)
        for (nfds_t k = 0; k < n; k++)
            if (poll_is_ours(p[k].fd))
                return true;
    return false;
}

int px_poll(struct pollfd *p, nfds_t n, int64_t timeout_us, const sigset_t *mask)
{
    _Alignas(8) uint8_t small[SMALL * 16];
    struct poll_call c = {.p = p, .n = (unsigned)n};
    void *memory = small;
    struct rlimit limit;
    int rc;

    _Static_assert(sizeof(struct pollfd) + 2 * sizeof(uint32_t) == 16, "poll_bytes");
    /* More than may be open is an error, which the kernel tells best. */
    if (n > SMALL && (sys_prlimit(0, RLIMIT_NOFILE, NULL, &limit) < 0 || n > limit.rlim_cur))
        return PX_PASS;
    if (!is_for_us(p, n))
        return PX_PASS;
    if (n > SMALL) {
        memory = sys_mmap(NULL, poll_bytes(c.n), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (sys_mmap_failed(memory))
            return -ENOMEM;
    }
    poll_parts(&c, memory, c.n);
    rc = poll_run(&c, timeout_us, mask);
    if (memory != small)
        sys_munmap(memory, poll_bytes(c.n));
    return rc;
}
