/* preload/call: how a call of the program's goes into posix and comes back.
 *
 *      CALL(px_listen(fd, n))          what it says, with the program's signal handlers kept out
 *      CALL_AGAIN(fd, WAITS_READ, ..)  ... and begun again when only handlers with SA_RESTART ran,
 *                                      as signal(7) has it: not with a time-out of the socket's
 *
 * Both may be PX_PASS: the kernel is asked. */
#pragma once

#include <errno.h>

#include "posix/file.h"
#include "posix/tls.h"
#include "preload/next.h"

enum call_waits { WAITS_READ, WAITS_WRITE };

static inline void call_begin(void)
{
    px_thread.call++;
    __asm__ volatile("" ::: "memory");
}
static inline void call_end(void)
{
    __asm__ volatile("" ::: "memory");
    if (--px_thread.call == 0 && unlikely(px_thread.deferred))
        px_signals_run();
}
/* call_end of a call that a signal has ended; true: the call is to begin again. */
bool call_interrupted(int fd, enum call_waits waits);

#define CALL(what)                                                                                 \
    __extension__({                                                                                \
        call_begin();                                                                              \
        ssize_t rc_ = (what);                                                                      \
        call_end();                                                                                \
        rc_;                                                                                       \
    })
#define CALL_AGAIN(fd, waits, what)                                                                \
    __extension__({                                                                                \
        ssize_t rc_;                                                                               \
        bool again_ = false;                                                                       \
        do {                                                                                       \
            call_begin();                                                                          \
            rc_ = (what);                                                                          \
            if (unlikely(rc_ == -EINTR))                                                           \
                again_ = call_interrupted(fd, waits);                                              \
            else                                                                                   \
                call_end();                                                                        \
        } while (unlikely(rc_ == -EINTR && again_));                                               \
        rc_;                                                                                       \
    })

/* As libc's functions say it. */
static inline ssize_t answer(ssize_t rc)
{
    if (likely(rc >= 0))
        return rc;
    errno = (int)-rc;
    return -1;
}

/* A descriptor of ours, but for epoll sets; NULL: one of the kernel's, or a set. */
static inline const struct px_file *ours(int fd)
{
    const struct px_file *f = file_peek(fd);

    return f && likely(f->kind != PX_EPOLL) ? f : NULL;
}

/* Fortified libc's: it ends the program. */
_Noreturn void __chk_fail(void);
