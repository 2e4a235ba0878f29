/* Receive pools of the ports whose frames the kernel copies. */
#include <stdio.h>

#include "drv/drv_int.h"
#include "os/os.h"

#define PAGE 4096u

bool drv_rx_pool_init(struct pkt_pool *p, struct drv_buffers *b, struct mem *m, const char *name,
                      uint32_t buffers, uint32_t buf_size, const struct dev_memory *memory,
                      char *why, size_t n)
{
    b->bytes = (size_t)buffers * buf_size;
    b->lent = memory != NULL;
    b->at = memory ? memory->reserve(memory->arg, b->bytes) : os_reserve(b->bytes, false);
    if (!b->at) {
        snprintf(why, n, "no address space for %u receive buffers", buffers);
        return false;
    }
    mem_carve(m, 0, PAGE);
    pkt_pool_init(p, m, name, buffers, buf_size, PKT_HEADROOM, b->at);
    p->low_water = buffers / 4;
    return true;
}

void drv_buffers_release(struct drv_buffers *b)
{
    if (!b->lent)
        os_release(b->at, b->bytes);
}
