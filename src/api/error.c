/* Sentences for the public error numbers. */
#include "api/backend.h"

const char *mr_strerror(int err)
{
    switch ((enum mr_err)err) {
    case MR_OK:
        return "no error";
    case MR_EINTR:
        return "interrupted";
    case MR_EIO:
        return "the device failed";
    case MR_EBADF:
        return "not an open socket";
    case MR_EAGAIN:
        return "not now; an event will tell when";
    case MR_ENOMEM:
        return "a configured limit is reached";
    case MR_EACCES:
        return "permission denied";
    case MR_EINVAL:
        return "invalid argument";
    case MR_EPIPE:
        return "sending was already shut down";
    case MR_EMSGSIZE:
        return "message too long";
    case MR_ENOPROTOOPT:
        return "option not available here";
    case MR_EOPNOTSUPP:
        return "operation not supported on this kind of socket";
    case MR_EAFNOSUPPORT:
        return "address family not supported";
    case MR_EADDRINUSE:
        return "address already in use";
    case MR_EADDRNOTAVAIL:
        return "address not available";
    case MR_ENETDOWN:
        return "network is down";
    case MR_ENETUNREACH:
        return "network is unreachable";
    case MR_ECONNABORTED:
        return "connection aborted";
    case MR_ECONNRESET:
        return "connection reset by peer";
    case MR_ENOBUFS:
        return "no buffer space left";
    case MR_EISCONN:
        return "already connected";
    case MR_ENOTCONN:
        return "not connected";
    case MR_ETIMEDOUT:
        return "connection timed out";
    case MR_ECONNREFUSED:
        return "connection refused";
    case MR_EHOSTUNREACH:
        return "host is unreachable";
    case MR_EALREADY:
        return "already in progress";
    case MR_EINPROGRESS:
        return "in progress";
    }
    return "unknown error";
}
