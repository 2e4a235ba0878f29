#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *run(void *arg)
{
    struct os_thread *t = arg;

    t->run(t->arg);
    return NULL;
}

int os_thread_start(struct os_thread *t, void (*fn)(void *arg), void *arg)
{
    sigset_t stop, before;

    t->run = fn;
    t->arg = arg;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    int err = pthread_create(&t->id, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

void os_thread_join(struct os_thread *t)
{
    pthread_join(t->id, NULL);
}

int os_bell_make(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

void os_bell_ring(int fd)
{
    ssize_t put = write(fd, &(uint64_t){1}, 8);

    (void)put;
}

void os_bell_quiet(int fd)
{
    uint64_t rung;
    ssize_t got = read(fd, &rung, sizeof(rung));

    (void)got;
}
