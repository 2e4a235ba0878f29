/* epoll_wait(2). */
#include "posix/epoll_int.h"
#include "posix/wait_int.h"

#include "os/os.h"

#define LOOK_US 50 /* while ours are ready the kernel's side is asked so often */

/* Room in the answer that is kept for the kernel's: neither side starves the other. */
static int for_kernel(int max)
{
    return max < 2 ? 0 : max < 16 ? 1 : max / 8;
}

static int ours(struct px_set *s, struct epoll_event *ev, int max, uint32_t *round)
{
    return atomic_load(&s->ready) ? set_gather(s, ev, max, round) : 0;
}

/* What is ready now. */
static int look(struct px_set *s, int ep, struct epoll_event *ev, int max, uint64_t now)
{
    bool kernel = atomic_load_explicit(&s->kernel, memory_order_relaxed) > 0;
    bool due = kernel && now - atomic_load_explicit(&s->looked_us, memory_order_relaxed) >= LOOK_US;
    uint32_t round = 0;
    int n = 0;

    if (due && max == 1) {
        atomic_store_explicit(&s->looked_us, now, memory_order_relaxed);
        n = kernel_gather(s, ep, ev, 0, max, round);
        if (n)
            return n;
        kernel = false;
    }
    n = ours(s, ev, due ? max - for_kernel(max) : max, &round);
    if (kernel && n < max && (n == 0 || due)) {
        int before = n;

        n = kernel_gather(s, ep, ev, n, max, round);
        atomic_store_explicit(&s->looked_us, n > before ? 0 : now, memory_order_relaxed);
    }
    return n;
}

/* The kernel's side was asked just now, and is slept on. */
static int wait_set(struct px_file *sf, int ep, struct epoll_event *ev, int max, int64_t timeout_us,
                    const sigset_t *mask)
{
    struct px_set *s = set_of(sf);
    int n, slept = 0, kernel;
    uint32_t round = 0;
    struct px_wait w;

    wait_begin(&w, timeout_us, false);
    wait_mask(&w, mask);
    wait_arm(&w, sf);
    n = ours(s, ev, max, &round);
    while (n == 0 && slept == 0) {
        w.slots |= atomic_load_explicit(&s->slots, memory_order_relaxed);
        slept = wait_sleep(&w, ep, NULL, 0, &kernel);
        n = look(s, ep, ev, max, os_now_us());
    }
    wait_disarm(&w, sf);
    wait_end(&w);
    return n ? n : slept == -ETIMEDOUT ? 0 : slept;
}

int px_epoll_wait(int ep, struct epoll_event *ev, int max, int64_t timeout_us, const sigset_t *mask)
{
    struct px_file *sf = file_get(ep);
    uint64_t now;
    int n;

    if (!sf)
        return session_hides(ep) ? -EBADF : PX_PASS;
    if (sf->kind != PX_EPOLL || max <= 0 || max > INT_MAX / (int)sizeof *ev) {
        file_put(sf);
        return -EINVAL;
    }
    now = wait_turn(atomic_load_explicit(&set_of(sf)->slots, memory_order_relaxed),
                    wait_goes_on(timeout_us));
    n = look(set_of(sf), ep, ev, max, now);
    if (n == 0 && timeout_us != 0) {
        n = wait_set(sf, ep, ev, max, timeout_us, mask);
        now = os_now_us();
    }
    wait_round(now, n == 0);
    file_put(sf);
    return n;
}
