/* host/port: the port that --net names. */
#pragma once

#include "drv/tap.h"
#include "drv/wire_shm.h"

struct host_port {
    struct nic *nic;
    struct pkt_pool *pool; /* receive pool of queue 0 */
    struct tap *tap;       /* exactly one of these two is set */
    struct wire_shm *wire;
};

/* Bytes of descriptor memory host_port_open carves at most, whatever the port. */
size_t host_port_bytes(void);

/* net: "tap:NAME" or "wire:PATH:0|1".  The descriptors come from m and live as long as the port.
 * 0; or -1, and one line about the reason in why. */
int host_port_open(struct host_port *p, struct mem *m, const char *net, char *why, size_t n);
void host_port_close(struct host_port *p);
/* The device is gone for good. */
bool host_port_is_gone(const struct host_port *p);
