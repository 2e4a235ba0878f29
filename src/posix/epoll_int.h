/* Private to epoll*.c. */
#pragma once

#include "posix/pools.h"

#include <errno.h>
#include <string.h>

/* Bits of `events` that are no readiness. */
#define EP_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

/* epoll_set.c */
struct px_set *set_new(uint32_t file);
void set_free(struct px_set *s);
struct px_watch *watch_new(void);
void watch_free(struct px_watch *w);
/* Under the file's lock and the set's. */
void watch_link(struct px_set *s, struct px_file *f, struct px_watch *w);
void watch_unlink(struct px_set *s, struct px_file *f, struct px_watch *w);
struct px_watch *watch_find(const struct px_set *s, const struct px_file *f, int fd);
/* Readiness that is to be told now. */
uint32_t watch_wants(const struct px_watch *w);
/* It was added or re-armed: is it ready at once?  Outside of locks. */
void watch_check(struct px_set *s, struct px_file *f, struct px_watch *w);
/* What is ready, at most max; *round: this answer's number. */
int set_gather(struct px_set *s, struct epoll_event *ev, int max, uint32_t *round);

/* epoll_kernel.c: the kernel's set beside ours.  A descriptor that is both is in it with a token
 * for data, by which its answer is told from those of the kernel's own descriptors. */
int kernel_add(int ep, struct px_watch *w);
int kernel_mod(int ep, struct px_watch *w);
/* The kernel's part of an answer of which ours are the first n: how many there are then. */
int kernel_gather(struct px_set *s, int ep, struct epoll_event *ev, int n, int max, uint32_t round);
