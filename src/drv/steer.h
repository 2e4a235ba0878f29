/* drv/steer, private: a program by which the kernel chooses a queue for each frame, as nic/rss.h
 * does. The key is written into the program; the table is a map that the program reads. */
#pragma once

#include "nic/rss.h"

enum steer_start {
    STEER_AT_ETHERNET, /* what the program sees begins with the Ethernet header */
    STEER_AT_NETWORK,  /* ... behind it */
};

/* The table's descriptor, which is the caller's to close; or an error. */
int steer_table(const struct rss *r);
/* Another table of as many entries: 0 or an error. */
int steer_set_table(int map, const struct rss *r);
/* The program's descriptor, which is the caller's to hand to the device and close; or an error. */
int steer_program(const struct rss *r, int map, enum steer_start start);
