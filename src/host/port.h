/* host/port: the port that --net names. */
#pragma once

#include "drv/tap.h"
#include "drv/wire_shm.h"

struct host_port {
    struct nic *nic;
    struct pkt_pool *pool; /* receive pool of queue 0 */
    struct tap *tap;       /* exactly one of these is set */
    struct wire_shm *wire;
    void *memory; /* descriptors, owned */
    size_t bytes;
};

/* net: "tap:NAME" or "wire:PATH:0|1".  0; or -1, and one line about the reason in why. */
int host_port_open(struct host_port *p, const char *net, char *why, size_t n);
void host_port_close(struct host_port *p);
/* The device is gone for good. */
bool host_port_is_gone(const struct host_port *p);
