/* drv/wire_shm: the in-memory wire between two processes, in a shared file.
 *
 * Side 0 makes the file, formatted, and removes it at the end; side 1 waits some seconds for it to
 * appear.  One side 1 at a time: the next waits some seconds for the last to go, and takes up what
 * it left (nic/memwire.h).  When side 0 starts again it makes a new file: a side 1 of the old one
 * talks to nobody until it is started again too.
 *
 * An idle end sleeps on a FIFO for each queue, beside the file (drv/wire_files.h).  Where side 0
 * cannot make them an idle end looks now and then, which costs about a percent of a processor. */
#pragma once

#include "drv/dev.h"
#include "nic/memwire.h"

struct wire_shm;

struct wire_shm_config {
    const char *spec; /* "PATH:0", "PATH:0,peer=QUEUES" or "PATH:1" */
    uint32_t queues;  /* 1 to MEMWIRE_QUEUES_MAX; of side 1 at most what side 0 has made it with */
    const struct rss
        *rss; /* how frames for this end are spread, copied; NULL: by the default key */
    const struct dev_memory *memory; /* drv/dev.h; NULL: this process's */
};

/* Bytes of descriptor memory wire_shm_open carves from its struct mem. */
size_t wire_shm_bytes(const struct wire_shm_config *c);
/* NULL, and one line about the reason in why. */
struct wire_shm *wire_shm_open(struct mem *m, const struct wire_shm_config *c, char *why, size_t n);
void wire_shm_close(struct wire_shm *w);
struct nic *wire_shm_nic(struct wire_shm *w);
struct pkt_pool *wire_shm_rx_pool(struct wire_shm *w, unsigned queue);
