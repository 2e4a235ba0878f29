/* xdp/prog: what the program in the kernel is told, and what it counts.  Read by both sides. */
#pragma once

#define XDP_PORT_WORDS 1024 /* 65536 bits in words of 64 */

/* Fixed when the program is loaded. */
struct xdp_rules {
    unsigned int addr;    /* ours, network order */
    unsigned short vlan;  /* 0: untagged */
    unsigned short ports; /* only chosen ports of the host's own address */
};

enum xdp_count {
    XDP_COUNT_PASSED, /* left to the kernel */
    XDP_COUNT_TAKEN,
    XDP_COUNTS,
};
