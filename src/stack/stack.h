/* stack: one core's TCP/IP stack; the only room that knows the order of the layers.
 *
 * THEORY OF OPERATION
 *
 * Everything a stack knows lives in one range of memory handed to stack_init: no globals, no heap,
 * no clock, no OS.  It lives in time through five verbs:
 *
 *   stack_input     a burst of frames from a port, each run to completion up to its socket
 *   stack_event     pull the news for the layer above, one at a time
 *   stack_advance   time passes: due timers run
 *   stack_output    everything marked as having output becomes frames on the transmit queue
 *   stack_deadline  when to call advance again if nothing else happens
 *
 *   NIC --> stack_input -> eth_input -> ip_input -> udp_input, tcp_input      marks "has output"
 *                                                  |  stack_event (pulled)
 *                                     application <+
 *   NIC <-- stack_tx <- eth.txq <- ip_output <- tcp_output <- stack_output
 *
 * Nothing is sent inside stack_input: received buffers go back to the NIC first.
 *
 * Time is microseconds, given with every verb, and never goes back (an earlier `now` counts as the
 * latest one seen). Thread: one stack, one thread at a time. */
#pragma once

#include "mail/mail.h"
#include "sock/sock.h"

/* Every limit of a stack, in one place.  Memory for them is reserved at start and committed on
 * touch. */
struct stack_limits {
    struct eth_limits eth;
    struct ip_limits ip;
    struct udp_limits udp;
    struct tcp_limits tcp;
    struct sock_limits sock;
    uint32_t cores;      /* of the program; 0, 1: alone */
    uint32_t mailed;     /* packets from other cores, 2 KB each; larger ones: ip.jumbo */
    uint32_t tx_packets; /* packets being sent at one time */
    uint32_t
        copy_packets; /* received packets whose payload was moved off a NIC's buffers (2 KB each) */
    uint32_t snd_chunks; /* chunks of send buffer for copying calls */
    uint32_t snd_bufs;   /* send buffer descriptors: chunks and given ranges */
};
void stack_limits_default(struct stack_limits *l);
/* Scale the defaults to a number of connections (and as many in TIME_WAIT). */
void stack_limits_for(struct stack_limits *l, uint32_t max_conns);

/* A stack that is one of many (config.home.cores > 1) finds the owner of what is not its own:
 *
 *   a packet whose connection is not here   goes home (flow/home.h), and from there to the core
 *                                           that has it, or has a listener for it
 *   a fragment                              goes where its datagram is put together, the whole
 *                                           one home
 *   an ICMP error                           goes home by the packet it quotes
 *   what ARP says                           everybody hears
 *
 * by letters that stack_input, stack_output and the sockets' calls write, and stack_letter
 * reads. */
struct stack_config {
    struct stack_limits limits;
    struct tcp_config tcp; /* knobs: see tcp/tcp.h; tcp_config_default fills them */
    struct home home;      /* which of limits.cores this is; all zero: alone.  The law is
                            * copied */
    struct mail *mail;     /* to the other cores; NULL when alone.  Borrowed, outlives the stack */
    uint64_t secret[4];    /* random bits for ISNs, cookies, ports, hashes: from the OS, or from a
                              simulation's seed.  The same on all cores of a program: a four-tuple's
                              numbers and timestamps then go on when another core uses it again */
};
void stack_config_default(struct stack_config *c);

struct stack;

/* Bytes of memory stack_init needs. */
size_t stack_bytes(const struct stack_limits *l);

/* Format a stack in `memory` (zeroed, aligned to 4096, at least stack_bytes; kept until the end of
 * the stack's life). There is no stack_fini: release the memory. */
struct stack *stack_init(void *memory, size_t bytes, const struct stack_config *c, instant now);

/* One line per pool ("name capacity x size = bytes"), for people; returns the length. */
size_t stack_limits_print(const struct stack_limits *l, char *buf, size_t n);

/* ---- set-up ----------------------------------------------------------------------- */

/* Attach a port's queue as an interface (vlan 0: untagged; mtu 0: the port's).  Returns its index
 * >= 1, or MR_ENOMEM. */
int stack_port_add(struct stack *s, struct nic *nic, unsigned queue, unsigned vlan, uint32_t mtu);
/* Returns 0, MR_EINVAL, MR_ENOMEM.  probe: RFC 5227 probing first; the address is unusable until it
 * ends. */
int stack_addr_add(struct stack *s, unsigned netif, const struct ip_addr *a, unsigned prefix_len,
                   bool probe);
int stack_route_add(struct stack *s, const struct ip_addr *net, unsigned prefix_len,
                    const struct ip_addr *gateway, unsigned netif);
int stack_neigh_add(struct stack *s, unsigned netif, const struct ip_addr *a,
                    const struct mac_addr *mac);

/* ---- cores ------------------------------------------------------------------------- */

/* The table of the law has changed (key and entries are as they were), or may have.  It need not
 * name this core: then all that lives here lives away from home.  Each core is told at a time of
 * its own; within HOME_GRACE_US all should have been (flow/home.h).  Costs a walk over all
 * connections if something has changed. */
void stack_set_law(struct stack *s, const struct rss *law, instant now);
/* What lives here and has a new home by the last table is registered there. */
bool stack_law_is_told(const struct stack *s);
/* That is so of every core, and each has read what was written to it before: who waited for that
 * asks at once. */
void stack_law_settled(struct stack *s, instant now);
/* This core has begun anew, while the others went on: they forget what it had, and tell it again
 * what they have.  Once, after stack_init; the first life of a core may do it, too. */
void stack_announce(struct stack *s);

/* ---- the five verbs ---------------------------------------------------------------- */

/* Frames from interface netif's port; consumes them all.  n <= BURST_MAX. */
void stack_input(struct stack *s, unsigned netif, struct pkt **frames, unsigned n, instant now);
/* A letter from another core, of one of the stack's kinds; false: it is not the stack's. */
bool stack_letter(struct stack *s, const struct letter *l, instant now);
/* There is no further letter: the packets that came in letters go their way. */
void stack_letters_done(struct stack *s, instant now);
/* The next piece of news, or false. */
bool stack_event(struct stack *s, struct mr_event *ev);
void stack_advance(struct stack *s, instant now);
void stack_output(struct stack *s, instant now);
/* 0: call at once (something is due, or marked); INSTANT_NEVER: nothing will happen by itself. */
instant stack_deadline(const struct stack *s);

/* Take up to max frames of interface netif off the transmit queue; the caller owns them
 * (nic_tx_burst, or pkt_put). */
unsigned stack_tx(struct stack *s, unsigned netif, struct pkt **out, unsigned max);
/* Put frames back that the port did not take, in front and in order. */
void stack_tx_return(struct stack *s, unsigned netif, struct pkt **frames, unsigned n);

/* ---- for tests, statistics and tools ------------------------------------------------ */

const struct cores *stack_cores(const struct stack *s);
struct sock *stack_sock(struct stack *s);
struct tcp *stack_tcp(struct stack *s);
struct udp *stack_udp(struct stack *s);
struct ip *stack_ip(struct stack *s);
struct eth *stack_eth(struct stack *s);
instant stack_now(const struct stack *s);

/* One row a pool: what the limits have reserved and what is out. */
struct stack_pool {
    const char *name; /* static */
    uint32_t capacity, used, used_max;
    uint32_t object_bytes;
    uint64_t failures; /* refused: the pool was empty */
};
/* Fill up to max rows; returns how many there are. */
unsigned stack_pools(const struct stack *s, struct stack_pool *out, unsigned max);

/* Fill the buffers of all packet pools and send chunks with a byte, straight after stack_init:
 * whatever depends on uninitialised memory then shows. */
void stack_fill(struct stack *s, uint8_t byte);

/* Assert every invariant of every layer; the simulator calls it after each event.  O(everything).
 */
void stack_check(struct stack *s);
