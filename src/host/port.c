#include "host/port.h"

#include <stdio.h>
#include <string.h>

#include "os/os.h"

#define PAGE 4096u

static bool reserve(struct host_port *p, struct mem *m, size_t bytes, char *why, size_t n)
{
    p->bytes = align_up(bytes + PAGE, PAGE);
    p->memory = os_reserve(p->bytes, false);
    if (!p->memory) {
        snprintf(why, n, "no memory for a port's descriptors");
        return false;
    }
    mem_init(m, p->memory, p->bytes);
    return true;
}

static void open_tap(struct host_port *p, const char *name, char *why, size_t n)
{
    struct tap_config c = {.name = name, .queues = 1};
    struct mem m;

    if (reserve(p, &m, tap_bytes(&c), why, n))
        p->tap = tap_open(&m, &c, why, n);
    if (p->tap) {
        p->nic = tap_nic(p->tap);
        p->pool = tap_rx_pool(p->tap, 0);
    }
}

static void open_wire(struct host_port *p, const char *spec, char *why, size_t n)
{
    struct mem m;

    if (reserve(p, &m, wire_shm_bytes(), why, n))
        p->wire = wire_shm_open(&m, spec, why, n);
    if (p->wire) {
        p->nic = wire_shm_nic(p->wire);
        p->pool = wire_shm_rx_pool(p->wire, 0);
    }
}

int host_port_open(struct host_port *p, const char *net, char *why, size_t n)
{
    *p = (struct host_port){0};
    if (strncmp(net, "tap:", 4) == 0)
        open_tap(p, net + 4, why, n);
    else if (strncmp(net, "wire:", 5) == 0)
        open_wire(p, net + 5, why, n);
    else
        snprintf(why, n, "'%.80s' names no port", net);
    if (p->nic)
        return 0;
    os_release(p->memory, p->bytes);
    return -1;
}

void host_port_close(struct host_port *p)
{
    if (p->tap)
        p->nic->ops->close(p->nic);
    if (p->wire)
        wire_shm_close(p->wire);
    os_release(p->memory, p->bytes);
    *p = (struct host_port){0};
}

bool host_port_is_gone(const struct host_port *p)
{
    return p->tap && tap_is_gone(p->tap);
}
