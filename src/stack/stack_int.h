/* Private to the room stack. */
#pragma once

#include "stack/stack.h"

/* Everything of one core, at the start of its memory. */
struct stack {
    struct mem mem;
    struct wheel wheel;
    struct pkt_pool tx;     /* packets being sent */
    struct pkt_pool copies; /* payload moved off the ports' buffers */
    struct sbuf_pool sbufs;
    struct eth eth;
    struct ip ip;
    struct udp udp;
    struct tcp tcp;
    struct sock sock;
    instant now;
    bool stalled; /* the last output could not finish: packets or queue used up */
};

/* Carve as stack_init would; with a measuring arena only the sizes are set in `scratch`. */
void stack_measure(struct stack *scratch, struct mem *m, const struct stack_limits *l);
