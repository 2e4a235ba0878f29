/* drv, private: the kinds of devices that are in every program. */
#pragma once

#include "drv/dev.h"

extern const struct dev_kind dev_kind_tap;
extern const struct dev_kind dev_kind_packet;
extern const struct dev_kind dev_kind_shm;

/* ---- receive buffers of ports that copy into their own ---------------------------------- */

struct drv_buffers {
    void *at; /* owned, unless lent; NULL: none */
    size_t bytes;
    bool lent; /* of a dev_memory */
};
/* A queue's pool: descriptors from m, on a page of their own, because they are first touched, and
 * so placed, by the thread that receives; buffers are address space.  False, and why. */
bool drv_rx_pool_init(struct pkt_pool *p, struct drv_buffers *b, struct mem *m, const char *name,
                      uint32_t buffers, uint32_t buf_size, const struct dev_memory *memory,
                      char *why, size_t n);
void drv_buffers_release(struct drv_buffers *b);
