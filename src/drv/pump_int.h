/* drv/pump, private: the two processes' agreement. */
#pragma once

#include <stdatomic.h>

#include "drv/pump.h"
#include "drv/wire_bell.h"

/* What programs use; in memory that all share. */
struct pump_front {
    struct wire_bell bell; /* nic.owner */
    struct memwire_port *port;
    int control; /* closed in all processes, or written to: the pump ends */
    _Atomic bool gone, down;
};

/* The pump's first word: the real port is open, and what it is; or why it is not. */
struct pump_report {
    bool good;
    char why[300];
    struct nic_caps caps;
    struct mac_addr mac;
    char name[16];
    unsigned facts;
    struct nic_fact fact[NIC_FACTS_MAX];
};

/* The answer: the wire is there.  A byte says then that the pump is at its other end. */
struct pump_order {
    void *wire;
    size_t bytes;
    struct pump_front *front;
};

struct pump_start {
    const struct dev_kind *kind;
    const struct dev_config *config; /* of the real port */
    struct pump_front *front;
    int control;
    int own; /* the pump's bell */
    int peer[MEMWIRE_QUEUES_MAX];
    unsigned peers;
};

/* All that the pump does, in its process, and in one that waits for its end. */
void pump_run(const struct pump_start *s);
