/* host/port: the port that --dev names, and how it spreads frames over the cores. */
#pragma once

#include <millrace/millrace.h>

#include "drv/dev.h"

struct host_port {
    struct nic *nic;        /* NULL: not open */
    unsigned cores, queues; /* core i has queue i, while there are any */
    const struct rss *law;  /* whose flow is whose: the port's own rule where it has one for as many
                             * queues as there are cores */
    bool rss_off;
    struct rss own;  /* what the port is asked to do; the law, if it does something else */
    uint8_t *memory; /* owned: its descriptors */
    size_t bytes;
    const struct dev_memory *lender; /* borrowed: whose memory it is; NULL: this process's */
};

/* The device that c->dev names, with a queue for each of c->cores if that can be.  The texts that
 * *c points to must stay.  0; or -1, and one line about the reason in why. */
int host_port_open(struct host_port *p, const struct mr_config *c, char *why, size_t n);
/* The same in memory that several processes share; of a port that can be used by them. */
int host_port_open_lent(struct host_port *p, const struct mr_config *c,
                        const struct dev_memory *lender, char *why, size_t n);
void host_port_close(struct host_port *p);
struct pkt_pool *host_port_rx_pool(const struct host_port *p, unsigned queue);

/* Every packet arrives at the core it is for. */
bool host_port_agrees(const struct host_port *p);
/* One line about how the port spreads frames, for people. */
void host_port_say(const struct host_port *p, char *text, size_t n);
/* "rss", "unknown", "none". */
const char *host_port_spread(const struct host_port *p);
/* Add to the port's facts what its capabilities mean. */
void host_port_facts(struct host_port *p);
/* What is fast and what is slow of a port, a line each, to stderr. */
void host_port_tell(const struct nic *nic, const char *program, const char *dev);
