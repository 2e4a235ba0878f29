/* Addresses between a program's sockaddr and ours: IPv4, and IPv6 that carries it. */
#include "posix/sock_int.h"

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t zero[16];

uint32_t addr_v4(const struct mr_addr *a)
{
    return (uint32_t)a->ip[12] << 24 | (uint32_t)a->ip[13] << 16 | (uint32_t)a->ip[14] << 8 |
           a->ip[15];
}

struct mr_addr addr_any(uint16_t port)
{
    return mr_addr4(0, 0, 0, 0, port);
}

bool addr_is_any(const struct mr_addr *a)
{
    return memcmp(a->ip, zero, 16) == 0 || (memcmp(a->ip, mapped, 12) == 0 && addr_v4(a) == 0);
}

bool addr_overlaps(const struct mr_addr *a, const struct mr_addr *b)
{
    return addr_is_any(a) || addr_is_any(b) || memcmp(a->ip, b->ip, 16) == 0;
}

static enum addr_kind kind_v4(const struct mr_addr *a)
{
    if (addr_v4(a) == INADDR_ANY)
        return ADDR_WILDCARD;
    return addr_v4(a) == addr_v4(&px_session->net.addr) ? ADDR_OURS : ADDR_V4;
}

static enum addr_kind parse_in6(const struct sockaddr *a, socklen_t n, struct mr_addr *out)
{
    struct sockaddr_in6 in6 = {0};

    if (n < SIN6_BYTES_MIN)
        return ADDR_BAD;
    memcpy(&in6, a, n < sizeof(in6) ? n : sizeof(in6));
    memcpy(out->ip, &in6.sin6_addr, 16);
    out->port = ntohs(in6.sin6_port);
    if (memcmp(out->ip, zero, 16) == 0) {
        *out = addr_any(out->port);
        return ADDR_WILDCARD;
    }
    return memcmp(out->ip, mapped, 12) == 0 ? kind_v4(out) : ADDR_V6;
}

enum addr_kind addr_parse(const struct px_file *f, const struct sockaddr *a, socklen_t n,
                          struct mr_addr *out)
{
    struct sockaddr_in in;
    sa_family_t family;

    if (!a || n < sizeof(family) || n > sizeof(struct sockaddr_storage))
        return ADDR_BAD;
    memcpy(&family, a, sizeof(family));
    if (family == AF_UNSPEC)
        return ADDR_UNSPEC;
    if (family == AF_INET6 && f->family == AF_INET6)
        return parse_in6(a, n, out);
    /* Sockets of IPv6 connect and send to plain IPv4, too; bind is refused by the kernel. */
    if (family != AF_INET || n < sizeof(in))
        return ADDR_BAD;
    memcpy(&in, a, sizeof(in));
    memcpy(out->ip, mapped, 12);
    memcpy(out->ip + 12, &in.sin_addr, 4);
    out->port = ntohs(in.sin_port);
    return kind_v4(out);
}

static size_t print_in6(const struct mr_addr *from, void *out)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(from->port)};

    if (!addr_is_any(from))
        memcpy(&in6.sin6_addr, from->ip, 16);
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

static size_t print_in(const struct mr_addr *from, void *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(from->port)};

    if (!addr_is_any(from))
        memcpy(&in.sin_addr, from->ip + 12, 4);
    memcpy(out, &in, sizeof(in));
    return sizeof(in);
}

int addr_give(const struct px_file *f, const struct mr_addr *from, struct sockaddr *a, socklen_t *n)
{
    uint8_t text[sizeof(struct sockaddr_in6)];
    size_t whole = f->family == AF_INET6 ? print_in6(from, text) : print_in(from, text);

    if (!n)
        return -EFAULT;
    if ((int)*n < 0)
        return -EINVAL;
    if (*n && !a)
        return -EFAULT;
    memcpy(a, text, *n < whole ? *n : whole);
    *n = (socklen_t)whole;
    return 0;
}
