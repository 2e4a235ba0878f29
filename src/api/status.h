/* api/status: what the cores of a program tell about themselves, as JSON.
 *
 * THEORY OF OPERATION
 *
 * A core's counters are its own thread's.  Whoever wants to know asks the core, which copies what
 * it counts into a struct status_core between two turns; text is made from the copies, by whoever
 * asked:
 *
 *     core 0   status_take ---> struct status_core --+
 *     core 1   status_take ---> struct status_core --+--> status_merge: sums, and a row a core
 *     core 2   (no answer)      NULL               --+
 *
 * Every counter of every layer is there, zero or not, under the name its room's list gives it. */
#pragma once

#include <millrace/millrace.h>

#include "api/post.h"
#include "stack/stack.h"

#define STATUS_APP_BYTES 16384u
#define STATUS_POOLS_MAX 24u
#define STATUS_ADDRS_MAX 8u

/* One core, in its own thread. */
struct status_source {
    struct stack *stack;
    const struct mr_app *app; /* may be NULL; its status becomes "app" */
    void *core_state;
    const struct post_stats *post;   /* may be NULL */
    const struct pkt_pool *rx_pool;  /* the port's; may be NULL */
    bool no_queue;                   /* it sends through another core's queue, which counts, too */
    int cpu;                         /* -1: anywhere */
    uint64_t turns, busy_turns;      /* of the loop */
    uint64_t captured, capture_lost; /* frames */
    uint64_t frames_dropped;         /* of cores without a queue, that were to go out by ours */
};

struct status_pool {
    const char *name; /* static */
    uint32_t used, used_max, capacity, fresh, size;
    uint32_t posted; /* of those in use: they wait in the port to be filled */
    uint64_t failures;
};

struct status_netif {
    char name[16];
    struct mac_addr mac;
    uint32_t mtu, vlan, tso_max;
    bool up, tx_csum, has_port;
    struct nic_stats port;
    unsigned addrs;
    struct ip_addr addr[STATUS_ADDRS_MAX];
};

/* What a core counted, at one moment. */
struct status_core {
    uint64_t now_us, turns, busy_turns, captured, capture_lost, frames_dropped;
    uint32_t connections, half_open, time_wait;
    int cpu;
    bool no_queue;
    struct eth_stats eth;
    struct ip_stats ip;
    struct udp_stats udp;
    struct tcp_stats tcp;
    struct sock_stats sock;
    struct mail_stats mail;
    struct post_stats post;
    unsigned netifs, pools;
    struct status_netif netif[NETIFS_MAX];
    struct status_pool pool[STATUS_POOLS_MAX];
    size_t app_n; /* 0: none */
    char app[STATUS_APP_BYTES];
};

/* The port that all cores share. */
struct status_port {
    const char *dev; /* as it was named */
    const struct nic *nic;
    bool link_up;
    unsigned counters; /* the driver's own, */
    const struct nic_counter *counter;
};

/* What no core knows. */
struct status_program {
    const char *name;   /* NULL: nothing is said of the program, its loops and its cores */
    const char *spread; /* how the port spreads frames: "rss", "unknown", "none" */
    const char *why;    /* it is not "rss"; "" or a sentence */
    const struct status_port *port; /* NULL: nothing is said of it */
};

void status_take(const struct status_source *s, struct status_core *out);
/* All but the connections, one object.  A core that did not answer is NULL.  Its length; 0 if it
 * does not fit. */
size_t status_merge(const struct status_program *p, const struct status_core *const *cores,
                    unsigned n, char *buf, size_t size);
/* Of one core that asks about itself. */
size_t status_print(const struct status_source *s, char *buf, size_t n);

/* ---- questions on the control socket --------------------------------------------------- */

enum status_ask {
    STATUS_ASK_STATUS, /* "status" */
    STATUS_ASK_CONNS,  /* "conns FROM COUNT" */
    STATUS_ASK_STRANGE,
};

struct status_question {
    enum status_ask ask;
    /* Of STATUS_ASK_CONNS. */
    unsigned core;
    uint32_t slot, count;
};

struct status_question status_question(const char *text);
/* To a strange one. */
size_t status_sorry(char *buf, size_t n);

/* Up to q->count connections of core q->core from its slot on: {"connections":[...],"next":PLACE},
 * next null at the end of the last of `cores`.  A page looks at a bounded number of slots, so it
 * may be short, or empty, and not be the last.  stack: that core's, in its thread; NULL: it does
 * not answer and is passed over. */
size_t status_conns(struct stack *stack, const struct status_question *q, unsigned cores, char *buf,
                    size_t n);
