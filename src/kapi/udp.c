/* UDP. */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "kapi/kapi_int.h"

#define UDP_PAYLOAD_MAX 65507

int kapi_udp_open(struct mr *m, const struct mr_addr *local, void *user, mr_sock *out)
{
    struct kapi *k = kapi_of(m);
    struct mr_addr any = mr_addr4(0, 0, 0, 0, 0);
    struct sockaddr_storage a;
    socklen_t n = kapi_to_sockaddr(&a, local != NULL ? local : &any);
    int fd = socket(a.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct ksock *s;
    int err, on = m->cores > 1;

    if (fd < 0)
        return kapi_err(errno);
    if (on && local != NULL && local->port != 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&a, n) != 0) {
        err = kapi_err(errno);
        close(fd);
        return err;
    }
    err = ksock_new(k, fd, KSOCK_UDP, user, &s);
    if (err == MR_OK)
        *out = ksock_handle(k, s);
    return err;
}

int kapi_sendto(struct mr *m, mr_sock h, const void *buf, size_t n, const struct mr_addr *to)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_UDP);
    struct sockaddr_storage a;
    socklen_t a_n;

    if (s == NULL)
        return MR_EBADF;
    if (n > UDP_PAYLOAD_MAX)
        return MR_EMSGSIZE;
    a_n = kapi_to_sockaddr(&a, to);
    k->count.sends++;
    if (sendto(s->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&a, a_n) >= 0) {
        k->count.tx_dgrams++;
        return MR_OK;
    }
    if (errno != EAGAIN && errno != EINTR)
        return kapi_err(errno);
    s->want_write = true;
    return MR_EAGAIN;
}

int64_t kapi_recvfrom(struct mr *m, mr_sock h, void *buf, size_t n, struct mr_addr *from)
{
    struct kapi *k = kapi_of(m);
    struct ksock *s = ksock_get(k, h, KSOCK_UDP);
    struct sockaddr_storage a = {0};
    socklen_t a_n = sizeof(a);
    ssize_t r;

    if (s == NULL)
        return MR_EBADF;
    k->count.recvs++;
    r = recvfrom(s->fd, buf, n, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&a, &a_n);
    if (r < 0)
        return errno == EINTR ? MR_EAGAIN : kapi_err(errno);
    k->count.rx_dgrams++;
    if (from != NULL)
        kapi_from_sockaddr(from, &a);
    return r;
}

int kapi_recvfrom_slice(struct mr *m, mr_sock h, struct mr_slice *out, struct mr_addr *from)
{
    struct kapi *k = kapi_of(m);
    struct kbuf *b = kbuf_get(k, KBUF_LARGE);
    int64_t r;

    if (b == NULL)
        return MR_ENOBUFS;
    r = kapi_recvfrom(m, h, b->data, b->cap, from);
    if (r < 0) {
        kbuf_put(k, b);
        return (int)r;
    }
    b->lent_to = h;
    *out = (struct mr_slice){.ptr = b->data, .len = (uint32_t)r, .token = b};
    return MR_OK;
}
