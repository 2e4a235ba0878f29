/* The public functions: each hands its call to the context's back end. */
#include "api/backend.h"

int mr_listen(struct mr *m, const struct mr_addr *local, const struct mr_listen_opts *opts,
              mr_sock *out)
{
    return m->be->listen(m, local, opts, out);
}

int mr_accept(struct mr *m, mr_sock listener, mr_sock *out, struct mr_addr *peer)
{
    return m->be->accept(m, listener, out, peer);
}

int mr_connect(struct mr *m, const struct mr_addr *local, const struct mr_addr *remote, void *user,
               mr_sock *out)
{
    return m->be->connect(m, local, remote, user, out);
}

int64_t mr_recv(struct mr *m, mr_sock s, void *buf, size_t n, unsigned flags)
{
    return n ? m->be->recv(m, s, buf, n, flags) : MR_EINVAL;
}

int mr_recv_slices(struct mr *m, mr_sock s, struct mr_slice *out, int max)
{
    return max > 0 ? m->be->recv_slices(m, s, out, max) : MR_EINVAL;
}

void mr_slice_release(struct mr *m, struct mr_slice *slice)
{
    m->be->slice_release(m, slice);
}

int64_t mr_send(struct mr *m, mr_sock s, const void *buf, size_t n, unsigned flags)
{
    return m->be->send(m, s, buf, n, flags);
}

int mr_send_give(struct mr *m, mr_sock s, const void *ptr, size_t n, unsigned flags,
                 mr_release_fn release, void *arg)
{
    return m->be->send_give(m, s, ptr, n, flags, release, arg);
}

int mr_shutdown(struct mr *m, mr_sock s)
{
    return m->be->shutdown(m, s);
}

int mr_close(struct mr *m, mr_sock s)
{
    return m->be->close(m, s);
}

int mr_abort(struct mr *m, mr_sock s)
{
    return m->be->abort(m, s);
}

int mr_udp_open(struct mr *m, const struct mr_addr *local, void *user, mr_sock *out)
{
    return m->be->udp_open(m, local, user, out);
}

int mr_sendto(struct mr *m, mr_sock s, const void *buf, size_t n, const struct mr_addr *to)
{
    return m->be->sendto(m, s, buf, n, to);
}

int64_t mr_recvfrom(struct mr *m, mr_sock s, void *buf, size_t n, struct mr_addr *from)
{
    return m->be->recvfrom(m, s, buf, n, from);
}

int mr_recvfrom_slice(struct mr *m, mr_sock s, struct mr_slice *out, struct mr_addr *from)
{
    return m->be->recvfrom_slice(m, s, out, from);
}

unsigned mr_poll(struct mr *m, mr_sock s)
{
    return m->be->poll(m, s);
}

int mr_setopt(struct mr *m, mr_sock s, enum mr_opt opt, int64_t value)
{
    return m->be->setopt(m, s, opt, value);
}

int mr_getopt(struct mr *m, mr_sock s, enum mr_opt opt, int64_t *value)
{
    return m->be->getopt(m, s, opt, value);
}

void mr_set_user(struct mr *m, mr_sock s, void *user)
{
    m->be->set_user(m, s, user);
}

int mr_local_addr(struct mr *m, mr_sock s, struct mr_addr *out)
{
    return m->be->local_addr(m, s, out);
}

int mr_peer_addr(struct mr *m, mr_sock s, struct mr_addr *out)
{
    return m->be->peer_addr(m, s, out);
}

int mr_tcp_info(struct mr *m, mr_sock s, struct mr_tcp_info *out)
{
    return m->be->tcp_info(m, s, out);
}

uint64_t mr_now_us(struct mr *m)
{
    return m->be->now_us(m);
}

int mr_timer_start(struct mr *m, uint64_t delay_us, void *user, mr_timer *out)
{
    return m->be->timer_start(m, delay_us, user, out);
}

void mr_timer_stop(struct mr *m, mr_timer t)
{
    m->be->timer_stop(m, t);
}

int mr_post(struct mr *m, unsigned core, const void *buf, size_t n)
{
    if (core >= m->cores || core == m->core || n == 0 || n > MR_LETTER_MAX)
        return MR_EINVAL;
    return m->be->post(m, core, buf, n);
}

int64_t mr_letter(struct mr *m, void *buf, size_t n, unsigned *from)
{
    return m->be->letter(m, buf, n, from);
}

void mr_knock(struct mr *m)
{
    m->be->knock(m);
}

void mr_stop(struct mr *m)
{
    m->be->stop(m);
}

const char *mr_status_json(struct mr *m)
{
    return m->be->status_json(m);
}

unsigned mr_core(const struct mr *m)
{
    return m->core;
}

unsigned mr_cores(const struct mr *m)
{
    return m->cores;
}
