/* Addresses and errors between the kernel's shape and ours. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "kapi/kapi_int.h"

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t all_zero[16];

/* enum mr_err has Linux's numbers; only a few have other names there. */
int kapi_err(int err_no)
{
    switch (err_no) {
    case EMFILE:
    case ENFILE:
        return MR_ENOMEM;
    case EPERM:
        return MR_EACCES;
    case ENOTSOCK:
        return MR_EBADF;
    default:
        return -err_no;
    }
}

/* The family is written under the name it is read by: to the compiler the same bytes of another
 * struct are other bytes. */
socklen_t kapi_to_sockaddr(struct sockaddr_storage *out, const struct mr_addr *a)
{
    bool v4 = memcmp(a->ip, v4_mapped, 12) == 0 || memcmp(a->ip, all_zero, 16) == 0;

    memset(out, 0, sizeof(*out));
    if (v4) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
        out->ss_family = AF_INET;
        in->sin_port = htons(a->port);
        memcpy(&in->sin_addr, a->ip + 12, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)out;
    out->ss_family = AF_INET6;
    in6->sin6_port = htons(a->port);
    memcpy(&in6->sin6_addr, a->ip, 16);
    return sizeof(*in6);
}

void kapi_from_sockaddr(struct mr_addr *out, const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;
        memcpy(out->ip, v4_mapped, 12);
        memcpy(out->ip + 12, &in->sin_addr, 4);
        out->port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)a;
        memcpy(out->ip, &in6->sin6_addr, 16);
        out->port = ntohs(in6->sin6_port);
    }
}

typedef int (*name_fn)(int fd, struct sockaddr *a, socklen_t *n);

static int name_of(struct mr *m, mr_sock h, struct mr_addr *out, name_fn name)
{
    struct ksock *s = ksock_get(kapi_of(m), h, KSOCK_FREE);
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof(a);

    if (s == NULL)
        return MR_EBADF;
    if (name(s->fd, (struct sockaddr *)&a, &n) != 0)
        return kapi_err(errno);
    kapi_from_sockaddr(out, &a);
    return MR_OK;
}

int kapi_local_addr(struct mr *m, mr_sock h, struct mr_addr *out)
{
    return name_of(m, h, out, getsockname);
}

int kapi_peer_addr(struct mr *m, mr_sock h, struct mr_addr *out)
{
    return name_of(m, h, out, getpeername);
}
