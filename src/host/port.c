#include "host/port.h"

#include <stdio.h>
#include <string.h>

static struct tap_config tap_config_for(const char *name)
{
    return (struct tap_config){.name = name, .queues = 1};
}

size_t host_port_bytes(void)
{
    struct tap_config c = tap_config_for("");
    size_t tap = tap_bytes(&c), wire = wire_shm_bytes(1);

    return (tap > wire ? tap : wire) + 4096;
}

static void open_tap(struct host_port *p, struct mem *m, const char *name, char *why, size_t n)
{
    struct tap_config c = tap_config_for(name);

    p->tap = tap_open(m, &c, why, n);
    if (p->tap) {
        p->nic = tap_nic(p->tap);
        p->pool = tap_rx_pool(p->tap, 0);
    }
}

static void open_wire(struct host_port *p, struct mem *m, const char *spec, char *why, size_t n)
{
    p->wire = wire_shm_open(m, spec, 1, NULL, why, n);
    if (p->wire) {
        p->nic = wire_shm_nic(p->wire);
        p->pool = wire_shm_rx_pool(p->wire, 0);
    }
}

int host_port_open(struct host_port *p, struct mem *m, const char *net, char *why, size_t n)
{
    *p = (struct host_port){0};
    if (strncmp(net, "tap:", 4) == 0)
        open_tap(p, m, net + 4, why, n);
    else if (strncmp(net, "wire:", 5) == 0)
        open_wire(p, m, net + 5, why, n);
    else
        snprintf(why, n, "'%.80s' names no port", net);
    return p->nic ? 0 : -1;
}

void host_port_close(struct host_port *p)
{
    if (p->tap)
        p->nic->ops->close(p->nic);
    if (p->wire)
        wire_shm_close(p->wire);
    *p = (struct host_port){0};
}

bool host_port_is_gone(const struct host_port *p)
{
    return p->tap && tap_is_gone(p->tap);
}
