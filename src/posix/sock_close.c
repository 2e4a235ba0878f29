/* shutdown(2), and what close(2) does when the last reference goes. */
#include "os/os.h"
#include "posix/sock_int.h"

/* ---- shutdown -------------------------------------------------------------------------------- */

/* inet_shutdown: whoever polls hears of it, with all bits. */
static int shutdown_conn(struct px_file *f, int how)
{
    struct px_inst *i = file_inst(f);
    int rc = 0;

    inst_enter(i);
    if (f->state == PX_CONNECTED) {
        if (how != SHUT_RD && !(f->shut & 2)) {
            (void)mr_shutdown(inst_mr(i), f->sock);
            i->unsent = true;
        }
        f->shut |= (uint8_t)(how + 1);
    } else if (f->state == PX_CONNECTING) {
        conn_disconnect(f); /* what had begun is given up, and told as reset */
    } else {
        f->shut |= (uint8_t)(how + 1);
        rc = -ENOTCONN;
    }
    file_refresh(f);
    wait_notify(f, atomic_load(&f->level), -1);
    inst_leave(i);
    return rc;
}

/* A listener that is shut down for reading is a socket again that has its port and may listen. */
int listener_stop(struct px_file *f, int fd)
{
    if (f->both)
        (void)sys_shutdown(fd, SHUT_RD);
    word_lock(&f->lock);
    f->kind = PX_FRESH;
    f->both = false;
    atomic_store(&f->level, level_of(f));
    px_unlock(&f->lock);
    listener_close(f);
    wait_notify(f, UINT32_MAX, -1);
    return 0;
}

/* It is nobody's peer; what polls it is told what was shut all the same. */
static int shutdown_fresh(struct px_file *f, int how)
{
    word_lock(&f->lock);
    f->shut |= (uint8_t)(how + 1);
    atomic_store(&f->level, level_of(f));
    px_unlock(&f->lock);
    wait_notify(f, atomic_load(&f->level), -1);
    return -ENOTCONN;
}

static int shutdown_file(struct px_file *f, int fd, int how)
{
    if (f->kind == PX_EPOLL)
        return PX_PASS;
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    switch ((enum px_kind)f->kind) {
    case PX_LISTENER:
        return how == SHUT_WR ? 0 : listener_stop(f, fd);
    case PX_CONN:
        return shutdown_conn(f, how);
    case PX_DGRAM:
        return udp_shutdown(f, fd, how);
    case PX_FRESH:
        return shutdown_fresh(f, how);
    case PX_FREE:
    case PX_EPOLL:
        break;
    }
    return -ENOTCONN;
}

int px_shutdown(int fd, int how)
{
    struct px_file *f = file_get(fd);

    if (!f)
        return PX_PASS;
    int rc = shutdown_file(f, fd, how);
    file_put(f);
    return rc;
}

/* ---- the last reference ---------------------------------------------------------------------- */

static ssize_t sent_all(struct px_file *f, void *arg)
{
    int64_t left = 0;

    (void)arg;
    if (mr_getopt(inst_mr(file_inst(f)), f->sock, MR_SNDQ, &left) || left == 0)
        return 0;
    return -EAGAIN;
}

/* SO_LINGER with a time: close waits so long for what is queued to be acknowledged, whether the
 * socket blocks or not, and lets it go on afterwards.  A process that has died waits for
 * nothing. */
static void linger(struct px_file *f)
{
    struct px_inst *i = file_inst(f);
    bool waits = f->opts.linger > 0 && f->state == PX_CONNECTED &&
                 atomic_load(&px_session->janitor_pid) != sys_getpid();

    if (!waits)
        return;
    inst_enter(i);
    waits = mr_shutdown(inst_mr(i), f->sock) == 0 && sent_all(f, NULL) == -EAGAIN;
    i->unsent = true;
    inst_leave(i);
    if (waits)
        (void)wait_for(f, false, (int64_t)f->opts.linger * 1000000, sent_all, NULL);
}

/* Whoever closes first waits in TIME-WAIT. */
static bool is_active_close(const struct px_file *f, struct mr *m)
{
    unsigned poll = mr_poll(m, f->sock);

    if (poll & MR_OVER)
        return (f->shut & 2) && !(poll & MR_HAS_ERROR);
    return f->opts.linger != 0 && !(poll & (MR_RECV_END | MR_CAN_RECV));
}

/* It will be reset: RFC 9293 3.10.5, and RFC 2525 2.17 of what was not read. */
static bool is_reset(const struct px_file *f, struct mr *m)
{
    return f->opts.linger == 0 || (mr_poll(m, f->sock) & MR_CAN_RECV);
}

/* A reset discards what is queued.  What waits for company only would have left long ago, had we
 * known; and who hears of the close otherwise may look at the other end at once. */
static void conn_close(struct px_file *f)
{
    struct px_inst *i = file_inst(f);

    if (!f->sock.v)
        return;
    linger(f);
    inst_enter(i);
    bool reset = is_reset(f, inst_mr(i));
    if (reset && i->unsent)
        inst_say(i);
    port_uncount(f, is_active_close(f, inst_mr(i)));
    (void)mr_close(inst_mr(i), f->sock);
    f->sock = MR_SOCK_NONE;
    i->unsent = true;
    atomic_fetch_sub_explicit(&i->files, 1, memory_order_relaxed);
    if (reset)
        inst_say(i);
    inst_leave(i);
}

/* The port goes last: whoever is in its list may be asked. */
void file_closed(struct px_file *f)
{
    switch ((enum px_kind)f->kind) {
    case PX_CONN:
        conn_close(f);
        break;
    case PX_DGRAM:
        udp_close_file(f);
        break;
    case PX_LISTENER:
        listener_close(f);
        break;
    case PX_FRESH:
    case PX_FREE:
    case PX_EPOLL:
        break;
    }
    listen_put(f);
    port_give(f);
}
