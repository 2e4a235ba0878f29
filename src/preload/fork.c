/* fork, and what forks inside libc. */
#include "preload/call.h"

#include <pthread.h>
#include <sys/types.h>

#include "preload/preload.h"

/* The session keeps one record for a child that is about to be. */
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

static _Thread_local struct {
    bool under_way;
    bool wrapped; /* our wrapper will hear what fork returned */
} forking __attribute__((tls_model("initial-exec")));

/* Signal handlers wait until it is over: they might leave by longjmp. */
void preload_forking(void)
{
    if (!px_session)
        return;
    px_thread.call++;
    pthread_mutex_lock(&one);
    session_forking();
    forking.under_way = true;
}

static void end_in_parent(void)
{
    forking.under_way = false;
    pthread_mutex_unlock(&one);
    call_end();
}

static void in_child(void)
{
    forking.wrapped = false;
    if (!forking.under_way)
        return;
    forking.under_way = false;
    session_forked();
    pthread_mutex_init(&one, NULL);
    call_end();
}

/* What fork returned is told to no handler.  Where the program did not come through our wrapper,
 * the child says who it is. */
static void in_parent(void)
{
    if (forking.under_way && !forking.wrapped)
        end_in_parent();
}

void preload_fork_over(pid_t pid)
{
    if (!forking.under_way)
        return;
    session_fork_over(pid);
    end_in_parent();
}

static pid_t returned(pid_t pid)
{
    int error = errno;

    forking.wrapped = false;
    if (pid != 0)
        preload_fork_over(pid);
    errno = error;
    return pid;
}

/* By pthread_atfork a fork inside libc, or by a library that was bound to libc's, is told, too, and
 * the child is itself before other handlers run in it. */
void preload_fork_init(void)
{
    pthread_atfork(preload_forking, in_parent, in_child);
}

WRAPPER(pid_t, fork, (void))
{
    forking.wrapped = true;
    return returned(NEXT(fork)());
}

/* A child that shares our memory would change its parent's table. */
WRAPPER(pid_t, vfork, (void))
{
    return preload_fork();
}

WRAPPER(pid_t, forkpty,
        (int *pty, char *name, const struct termios *settings, const struct winsize *size))
{
    forking.wrapped = true;
    return returned(NEXT(forkpty)(pty, name, settings, size));
}

/* It runs no handlers. */
WRAPPER(pid_t, _Fork, (void))
{
    preload_forking();
    pid_t pid = NEXT(_Fork)();
    if (pid == 0)
        in_child();
    return returned(pid);
}

/* The parent has gone when it returns.  Its descriptors 0 to 2 are /dev/null by dup2 inside
 * libc. */
WRAPPER(int, daemon, (int stay, int keep))
{
    int rc = NEXT(daemon)(stay, keep);

    for (int fd = 0; fd < 3 && rc == 0 && !keep && px_session; fd++)
        CALL((desc_clear(fd, PX_WHY_NOTHING), 0));
    return rc;
}
