/* A world's frames as a pcapng file, an interface a host, and as text. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "sim/sim.h"

struct capture {
    FILE *pcap;   /* NULL: none */
    bool verbose; /* print every frame and note on stdout */
};

/* False: the file cannot be written.  path may be NULL. */
bool capture_open(struct capture *c, const char *path, bool verbose);
void capture_close(struct capture *c);
struct sim_observer capture_observer(struct capture *c);
