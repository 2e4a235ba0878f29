/* drv/tap, private: talking to the kernel about the device. */
#pragma once

#include "drv/tap.h"

#define TAP_VNET_BYTES 12

bool tap_name_is_good(const char *name, char *why, size_t n);

/* A non-blocking descriptor on a queue of the device, offloads set.  Negative, and why.  *one is
 * set if many queues were wanted and the device has but one. */
int tap_attach(const struct tap_config *c, bool *one, char *why, size_t n);

/* Let the kernel choose a queue for each frame as r says: 0, and the table's descriptor, which is
 * the caller's to close; or an error. */
int tap_steer_start(int fd, const struct rss *r, int *map);
/* The same with another key or table of as many entries. */
int tap_steer_change(int fd, int map, const struct rss *was, const struct rss *r);
/* The kernel uses this queue of several, or does not. */
int tap_queue_enable(int fd, bool on);
/* As the kernel likes. */
void tap_steer_clear(int fd);

/* The MTU of the kernel's end. */
bool tap_mtu(const char *name, uint32_t *out, char *why, size_t n);
/* That end is up; fd: of any queue. */
bool tap_is_up(int fd);
