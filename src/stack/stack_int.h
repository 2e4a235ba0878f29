/* Private to the room stack. */
#pragma once

#include "stack/stack.h"

/* Everything of one core, at the start of its memory. */
struct stack {
    struct mem mem;
    struct wheel wheel;
    struct pkt_pool tx;     /* packets being sent */
    struct pkt_pool copies; /* payload moved off the ports' buffers */
    struct pkt_pool mailed; /* packets from other cores */
    struct cores cores;
    struct sbuf_pool sbufs;
    struct eth eth;
    struct ip ip;
    struct udp udp;
    struct tcp tcp;
    struct sock sock;
    struct burst passed; /* out of letters, not yet looked at */
    instant now;
    bool stalled; /* the last output could not finish: packets or queue used up */
};

/* Carve as stack_init would; with a measuring arena only the sizes are set in `scratch`. */
void stack_measure(struct stack *scratch, struct mem *m, const struct stack_limits *l);

/* turn.c */
instant stack_clock_set(struct stack *s, instant now);
/* IP packets from wherever they came, up to their sockets; the burst is empty afterwards. */
void stack_ip_burst(struct stack *s, struct burst *packets);

/* letters.c: what other cores do not know yet, as far as their rings have room; false: some of it
 * is still to be told. */
bool stack_tell(struct stack *s);
/* An ICMP error that so many cores have passed on: to its transport, or to the core it concerns. */
void stack_error(struct stack *s, const struct ip_error *e, unsigned hops);
