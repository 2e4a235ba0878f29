/* sim, inside: the world and what its parts ask of each other. */
#pragma once

#include "base/fmt.h"
#include "shard/shard.h"
#include "sim/app.h"
#include "sim/digest.h"
#include "sim/net.h"
#include "sim/oracle.h"
#include "sim/sim.h"
#include "sim/watch.h"

enum sim_event_kind {
    SIM_EV_FRAME,  /* arg: index of the frame that arrives */
    SIM_EV_TXDONE, /* arg: host; its port gives packets back */
    SIM_EV_FAULT,  /* draw new faults */
    SIM_EV_HEAL,   /* from now on all is well */
};

/* What was drawn for the world as a whole. */
struct sim_plan {
    uint32_t hosts, conns;
    bool routed, calm;       /* calm: the network is perfect throughout */
    bool quits;              /* some applications give up */
    bool toggles;            /* listeners are closed and opened again */
    bool tiny;               /* some host has tiny limits */
    bool patient;            /* no fault lasts so long that a connection may time out */
    bool shrinks;            /* links change their MTU */
    bool attacked;           /* a stranger sends forged segments */
    bool pings;              /* so does the router, echo requests */
    bool starves;            /* ports run out of receive buffers, or refuse to send */
    uint32_t udp_datagrams;  /* a host */
    uint32_t level;          /* of faults, 0..3 */
    uint64_t heal_ns;
    uint64_t bound_ns;       /* everything must be over by then */
    uint32_t check_every;
};

/* One core of a host: a stack, and the loop around it.  Hosts have one; a host of many is a matter
 * of this array and of the order in which they are stepped. */
#define SIM_CORES_MAX 1u
struct sim_core {
    struct stack *stack;
    struct native *native;
    struct shard shard;
};

struct sim_host {
    struct sim_clock clock;
    struct sim_watch_host seen; /* as the watch sees it */
    struct sim_port *port;
    struct sim_core core[SIM_CORES_MAX];
    unsigned cores;
    struct sim_app app;
    struct mr_app mr_app;
    uint64_t wake_ns; /* the next turn; SIM_NEVER: none */
    uint32_t nap_us;  /* an arrived frame may wait so long for its turn */
    uint32_t txdone_us;
    bool txdone_due;
    uint64_t turns;
    struct mem mem;
};

struct sim_world {
    struct sim_options options;
    struct sim_plan plan;
    struct sim_queue queue;
    uint64_t now;
    struct rng rng;     /* of the faults */
    struct sim_digest digest;
    struct sim_oracle oracle;
    struct sim_net net;
    struct sim_watch watch;
    struct sim_host host[SIM_HOSTS_MAX];
    struct sim_conn *conn;
    struct sim_give *give;
    uint32_t give_free;
    uint8_t *scratch; /* SIM_SCRATCH_BYTES */
    bool healed, ending, over;
    uint16_t pings; /* sent */
    uint64_t turns;
    uint64_t idle_ns, idle_turns; /* when everything had been given back, and the turns by then */
    /* What is still under way in the applications. */
    uint32_t unfinished, open_ends, guests, held, gives_out;
    struct sim_result result;
};

#define SIM_SCRATCH_BYTES 65536u

/* The world is wrong: remember the first reason and stop. */
void sim_fail(struct sim_world *w, const char *how, ...) FMT_LIKE(2, 3);
void sim_note(struct sim_world *w, unsigned host, const char *how, ...) FMT_LIKE(3, 4);

/* draw.c */
void sim_draw_plan(struct sim_world *w);
void sim_draw_conns(struct sim_world *w);
void sim_draw_links(struct sim_world *w);
/* fault.c */
void sim_fault_next(struct sim_world *w);
void sim_fault_heal(struct sim_world *w);

/* attack.c: a stranger sends one forged segment to somebody. */
void sim_attack(struct sim_world *w);

/* ping.c: the router sends one echo request to somebody, and judges what is answered. */
void sim_ping(struct sim_world *w);
const char *sim_ping_judge(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n);

/* host.c */
void sim_host_init(struct sim_world *w, unsigned host, struct mem *m);
void sim_host_wake(struct sim_world *w, unsigned host, uint64_t ns);
void sim_host_turn(struct sim_world *w, unsigned host);
void sim_host_txdone(struct sim_world *w, unsigned host);
/* config.c: limits and knobs, tiny or not. */
void sim_draw_limits(struct sim_world *w, struct rng *r, unsigned host, bool tiny,
                     struct stack_config *c);
void sim_draw_port(struct sim_world *w, struct rng *r, bool tiny, struct sim_port_config *c);

/* empty.c: what must be there no more when the world is over; NULL, or what still is. */
const char *sim_host_leftover(struct sim_host *h);
void sim_stack_fill(struct stack *s, uint8_t byte);

struct mac_addr sim_router_mac(unsigned host);
