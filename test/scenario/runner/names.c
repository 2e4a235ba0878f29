/* The numbers behind names, as Linux has them: scripts are written for it. */
#include <errno.h>
#include <string.h>

#include "calls.h"
#include "base/types.h"
#include "parse.h"

struct name {
    const char *name;
    int64_t value;
};

static const struct name constants[] = {
    {"AF_INET", 2},
    {"SOCK_STREAM", 1},
    {"SOCK_DGRAM", 2},
    {"SOCK_NONBLOCK", SCN_O_NONBLOCK},
    {"IPPROTO_IP", SCN_SOL_IP},
    {"IPPROTO_TCP", SCN_SOL_TCP},
    {"IPPROTO_UDP", 17},
    {"SOL_SOCKET", SCN_SOL_SOCKET},
    {"SOL_TCP", SCN_SOL_TCP},
    {"SOL_IP", SCN_SOL_IP},
    {"SO_REUSEADDR", SCN_SO_REUSEADDR},
    {"SO_ERROR", SCN_SO_ERROR},
    {"SO_BROADCAST", SCN_SO_BROADCAST},
    {"SO_SNDBUF", SCN_SO_SNDBUF},
    {"SO_RCVBUF", SCN_SO_RCVBUF},
    {"SO_KEEPALIVE", SCN_SO_KEEPALIVE},
    {"SO_OOBINLINE", SCN_SO_OOBINLINE},
    {"SO_LINGER", SCN_SO_LINGER},
    {"TCP_NODELAY", SCN_TCP_NODELAY},
    {"TCP_MAXSEG", SCN_TCP_MAXSEG},
    {"TCP_CORK", SCN_TCP_CORK},
    {"TCP_KEEPIDLE", SCN_TCP_KEEPIDLE},
    {"TCP_KEEPINTVL", SCN_TCP_KEEPINTVL},
    {"TCP_KEEPCNT", SCN_TCP_KEEPCNT},
    {"TCP_SYNCNT", SCN_TCP_SYNCNT},
    {"TCP_LINGER2", SCN_TCP_LINGER2},
    {"TCP_DEFER_ACCEPT", SCN_TCP_DEFER_ACCEPT},
    {"TCP_WINDOW_CLAMP", SCN_TCP_WINDOW_CLAMP},
    {"TCP_QUICKACK", SCN_TCP_QUICKACK},
    {"TCP_CONGESTION", SCN_TCP_CONGESTION},
    {"TCP_USER_TIMEOUT", SCN_TCP_USER_TIMEOUT},
    {"TCP_NOTSENT_LOWAT", SCN_TCP_NOTSENT_LOWAT},
    {"IP_TOS", SCN_IP_TOS},
    {"IP_TTL", SCN_IP_TTL},
    {"MSG_OOB", SCN_MSG_OOB},
    {"MSG_PEEK", SCN_MSG_PEEK},
    {"MSG_DONTWAIT", SCN_MSG_DONTWAIT},
    {"MSG_MORE", SCN_MSG_MORE},
    {"MSG_NOSIGNAL", 0},
    {"SHUT_RD", 0},
    {"SHUT_WR", 1},
    {"SHUT_RDWR", 2},
    {"F_GETFL", 3},
    {"F_SETFL", 4},
    {"O_RDWR", 2},
    {"O_NONBLOCK", SCN_O_NONBLOCK},
    {"SIOCINQ", SCN_SIOCINQ},
    {"SIOCOUTQ", SCN_SIOCOUTQ},
    {"POLLIN", SCN_POLLIN},
    {"POLLPRI", SCN_POLLPRI},
    {"POLLOUT", SCN_POLLOUT},
    {"POLLERR", SCN_POLLERR},
    {"POLLHUP", SCN_POLLHUP},
    /* Ours: what the public API says that sockets cannot. */
    {"MR_URGENT_LEFT", SCN_URGENT_LEFT},
    {"EV_ACCEPT", MR_EV_ACCEPT},
    {"EV_CONNECTED", MR_EV_CONNECTED},
    {"EV_READABLE", MR_EV_READABLE},
    {"EV_WRITABLE", MR_EV_WRITABLE},
    {"EV_URGENT", MR_EV_URGENT},
    {"EV_SOFT_ERROR", MR_EV_SOFT_ERROR},
    {"EV_CLOSED", MR_EV_CLOSED},
};

static const struct name errnos[] = {
    {"EPERM", EPERM},
    {"EINTR", EINTR},
    {"EIO", EIO},
    {"EBADF", EBADF},
    {"EAGAIN", EAGAIN},
    {"EWOULDBLOCK", EAGAIN},
    {"ENOMEM", ENOMEM},
    {"EACCES", EACCES},
    {"EINVAL", EINVAL},
    {"EPIPE", EPIPE},
    {"EPROTO", EPROTO},
    {"EDESTADDRREQ", EDESTADDRREQ},
    {"EMSGSIZE", EMSGSIZE},
    {"ENOPROTOOPT", ENOPROTOOPT},
    {"EOPNOTSUPP", EOPNOTSUPP},
    {"EAFNOSUPPORT", EAFNOSUPPORT},
    {"EADDRINUSE", EADDRINUSE},
    {"EADDRNOTAVAIL", EADDRNOTAVAIL},
    {"ENETDOWN", ENETDOWN},
    {"ENETUNREACH", ENETUNREACH},
    {"ECONNABORTED", ECONNABORTED},
    {"ECONNRESET", ECONNRESET},
    {"ENOBUFS", ENOBUFS},
    {"EISCONN", EISCONN},
    {"ENOTCONN", ENOTCONN},
    {"ETIMEDOUT", ETIMEDOUT},
    {"ECONNREFUSED", ECONNREFUSED},
    {"EHOSTUNREACH", EHOSTUNREACH},
    {"EALREADY", EALREADY},
    {"EINPROGRESS", EINPROGRESS},
};

bool constant_value(const char *name, int64_t *out)
{
    int e;

    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        if (strcmp(name, constants[i].name) == 0)
            return *out = constants[i].value, true;
    if (!errno_value(name, &e))
        return false;
    *out = e;
    return true;
}

bool errno_value(const char *name, int *out)
{
    for (size_t i = 0; i < ARRAY_LEN(errnos); i++)
        if (strcmp(name, errnos[i].name) == 0)
            return *out = (int)errnos[i].value, true;
    return false;
}

const char *errno_text(int value)
{
    for (size_t i = 0; i < ARRAY_LEN(errnos); i++)
        if (errnos[i].value == value)
            return errnos[i].name;
    return "?";
}
