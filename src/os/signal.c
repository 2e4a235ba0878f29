#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Signals belong to the process, so these do too. */
static volatile sig_atomic_t stop_asked;
static int stop_fd = -1;
static struct sigaction old_int, old_term, old_pipe;

static void on_stop(int sig)
{
    int saved = errno;

    (void)sig;
    stop_asked++;
    /* A sleeper must wake although the signal came between its last look and its sleep. */
    ssize_t put = write(stop_fd, &(uint64_t){1}, 8);
    (void)put;
    errno = saved;
}

int os_stop_catch(void)
{
    struct sigaction a = {.sa_handler = on_stop}, ignore = {.sa_handler = SIG_IGN};

    MR_ASSERT(stop_fd < 0);
    stop_asked = 0;
    stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (stop_fd < 0)
        return -errno;
    sigemptyset(&a.sa_mask);
    sigaction(SIGINT, &a, &old_int);
    sigaction(SIGTERM, &a, &old_term);
    sigaction(SIGPIPE, &ignore, &old_pipe);
    return 0;
}

void os_stop_release(void)
{
    if (stop_fd < 0)
        return;
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    sigaction(SIGPIPE, &old_pipe, NULL);
    close(stop_fd);
    stop_fd = -1;
}

unsigned os_stop_asked(void)
{
    return (unsigned)stop_asked;
}

int os_stop_fd(void)
{
    return stop_fd;
}
