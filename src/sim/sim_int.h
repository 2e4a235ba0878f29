/* sim, inside: the world and what its parts ask of each other. */
#pragma once

#include "base/fmt.h"
#include "shard/shard.h"
#include "shard/via.h"
#include "sim/app.h"
#include "sim/digest.h"
#include "sim/net.h"
#include "sim/oracle.h"
#include "sim/sim.h"
#include "sim/watch.h"

enum sim_event_kind {
    SIM_EV_FRAME,  /* arg: index of the frame that arrives */
    SIM_EV_TXDONE, /* arg: host * SIM_CORES_MAX + queue; the port gives packets back */
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
    bool moves;              /* homes do: the laws of hosts of many cores change */
    uint8_t defer_s;         /* listeners wait for data so long */
    bool starves;            /* ports run out of receive buffers, or refuse to send */
    uint8_t cores[SIM_HOSTS_MAX];
    uint32_t udp_datagrams;  /* a core that has a socket for them */
    uint32_t level;          /* of faults, 0..3 */
    uint64_t heal_ns;
    uint64_t bound_ns;       /* everything must be over by then */
    uint32_t check_every;
};

/* One core of a host: a stack, the loop around it, and its part of the application. */
struct sim_core {
    struct stack *stack;
    struct native *native;
    struct mail mail;
    struct shard shard;
    struct via via;         /* its port, if it has no queue of its own; */
    struct pkt_pool frames; /* else those of others on their way out */
    struct sim_app app;
    uint64_t wake_ns;  /* the next turn; SIM_NEVER: none */
    uint64_t stall_ns; /* it stands still until then */
    bool txdone_due;
};

struct sim_host {
    struct sim_clock clock;
    struct sim_watch_host seen; /* as the watch sees it */
    struct sim_port *port;
    struct sim_core core[SIM_CORES_MAX];
    unsigned cores;
    unsigned queues;            /* of the port: those of the first cores */
    struct rss *law;            /* NULL with one core */
    struct rng law_rng;         /* of its changes, */
    uint8_t stale;              /* and bit by core: it has not read the last one */
    bool port_stale;            /* nor has the port */
    uint8_t rounds;             /* in which each core turned, since the last change of the law; */
    uint8_t turned;             /* and bit by core: it has, in this one */
    uint8_t unsettled;          /* has not heard yet that all are through with it */
    struct mr_app mr_app;
    uint8_t listens[SIM_LISTENERS]; /* bit by core: opens the listener ... */
    bool one_call[SIM_LISTENERS];   /* ... for all of them */
    uint8_t udp;                /* bit by core: has a UDP socket */
    struct rng rng;             /* of the order of turns */
    uint32_t nap_us;  /* an arrived frame may wait so long for its turn */
    uint32_t wake_us; /* so may a core that is woken by another */
    uint32_t txdone_us;
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
    uint32_t cores; /* of all hosts */
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
/* All its cores. */
void sim_host_wake(struct sim_world *w, unsigned host, uint64_t ns);
/* When the first of its cores has its turn; SIM_NEVER: none has. */
uint64_t sim_host_next(const struct sim_host *h);
/* The cores whose turn it is, in an order drawn anew. */
void sim_host_turn(struct sim_world *w, unsigned host);
/* Over all cores. */
bool sim_host_is_leaky(struct sim_host *h);
bool sim_host_has_ghosts(const struct sim_host *h);
/* The sum of a counter, by its place in struct tcp_stats. */
uint64_t sim_host_tcp(const struct sim_host *h, size_t counter);
uint32_t sim_host_guests_lost(const struct sim_host *h);
/* Mail between its cores has been lost, as on a link. */
bool sim_host_loses_mail(const struct sim_host *h);

/* core.c */
void sim_core_init(struct sim_world *w, unsigned host, unsigned core, const struct stack_config *c,
                   void *mail, struct mem *m);
void sim_core_wake(struct sim_world *w, unsigned host, unsigned core, uint64_t ns);
void sim_core_turn(struct sim_world *w, unsigned host, unsigned core);
void sim_core_txdone(struct sim_world *w, unsigned host, unsigned core);
uint64_t sim_core_next(const struct sim_core *c);

/* spread.c: the law of a host of many cores, what its port makes of it, and the bytes of a ring
 * between two of them. */
void sim_draw_law(struct sim_host *h, struct rng *r, struct mem *m);
/* Other cores have its entries. */
void sim_law_move(struct sim_world *w, unsigned host);
/* A core's turn begins: it reads the law, or does so later. */
void sim_law_read(struct sim_world *w, unsigned host, unsigned core);
/* The core has turned: when all have, often enough after a change, it is over. */
void sim_law_turned(struct sim_world *w, unsigned host, unsigned core);
void sim_draw_spread(struct sim_host *h, struct rng *r, struct sim_port_config *port,
                     struct rss *other);
uint32_t sim_draw_ring(const struct sim_world *w, unsigned host, struct rng *r,
                       const struct sim_port_config *port);
/* config.c: limits and knobs, tiny or not. */
void sim_draw_limits(struct sim_world *w, struct rng *r, unsigned host, bool tiny,
                     struct stack_config *c);
void sim_draw_port(struct sim_world *w, struct rng *r, bool tiny, struct sim_port_config *c);

/* empty.c: what must be there no more when the world is over; NULL, or what still is. */
const char *sim_host_leftover(struct sim_host *h);
/* Packets went from core to core where none had to; NULL: none did. */
const char *sim_host_needless_mail(struct sim_world *w, unsigned host);
void sim_stack_fill(struct stack *s, uint8_t byte);

/* judge.c: what must hold between the cores of a host. */
/* A frame that the host sends: a reset is no answer to what some core waits for. */
void sim_judge_reset(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n);
/* Nobody sleeps before its mail. */
void sim_judge_sleep(struct sim_world *w, unsigned host);
/* No connection of this core lives on another. */
void sim_judge_homes(struct sim_world *w, struct sim_core *c);

struct mac_addr sim_router_mac(unsigned host);
