/* What a timer that comes off the wheel is embedded in.  The wheel is shared by all layers of a
 * stack; whoever pops it switches on the kind and calls the layer's own x_timer. */
#pragma once

enum timer_kind {
    TIMER_NONE,
    TIMER_NEIGH,     /* eth_timer: a neighbour entry */
    TIMER_ARP_PROBE, /* eth_timer: an address being probed, announced or defended */
    TIMER_REASS,     /* ip_timer: a datagram in reassembly */
    TIMER_PMTU,      /* ip_timer: path MTU entries age */
    TIMER_TCP_CONN,  /* a connection's retransmission, persist, keepalive ... */
    TIMER_TCP_TW,    /* a TIME_WAIT entry */
    TIMER_TCP_SYN,   /* a half-open connection */
    TIMER_APP,       /* the application's own */
    TIMER_KINDS
};
