/* peer_lwip_end: two whole lwIP stacks in one process, joined by a wire in memory.
 *
 * lwIP keeps its state in globals, so each end is a copy of Debian's library of its own, loaded
 * into a link-map namespace of its own (dlmopen): its lists hold only its own connections, as on
 * a machine of its own.  No tcpip thread is started: the raw API is called from one thread, which
 * the library allows while tcpip_init() has not been called.
 *
 * The wire carries Ethernet frames.  A frame is copied once, into a slot, and the receiver works
 * on the slot itself as a custom pbuf: what a driver with DMA would do, and lwIP's best.
 */
#ifndef PEER_LWIP_END_H
#define PEER_LWIP_END_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

/* The functions of lwIP that the bench calls, looked up once for each end. */
#define END_FUNCTIONS(X)                                                                           \
    X(lwip_init) X(netif_add) X(netif_set_default) X(netif_set_up) X(etharp_output)                \
    X(ethernet_input) X(pbuf_alloced_custom) X(pbuf_free) X(sys_check_timeouts) X(tcp_new)         \
    X(tcp_bind) X(tcp_connect) X(tcp_listen_with_backlog_and_err) X(tcp_accept) X(tcp_arg)         \
    X(tcp_recv) X(tcp_sent) X(tcp_recved) X(tcp_write) X(tcp_output) X(tcp_close) X(tcp_abort)     \
    X(tcp_slowtmr)

enum {
    END_SLOTS = 4096,       /* frames the wire holds in one direction */
    END_SLOT_BYTES = 1536,
    END_PORT = 80
};

/* A frame on the wire.  'free_list' is borrowed from the end that receives it. */
struct end_slot {
    struct pbuf_custom pbuf;   /* first: pbuf_free hands it back by this address */
    struct end *owner;
    struct end_slot *next;
    uint16_t size;
    uint8_t frame[END_SLOT_BYTES] __attribute__((aligned(64)));
};

struct end {
#define X(name) __typeof__(&name) name;
    END_FUNCTIONS(X)
#undef X
    struct mallinfo2 (*mallinfo2)(void);   /* of the C library this end uses */
    struct tcp_pcb **tw_pcbs;              /* the head of its TIME_WAIT list */
    struct netif netif;
    ip4_addr_t addr;
    struct end *other;
    struct end_slot *slots;                /* owned: END_SLOTS of them, frames coming in */
    struct end_slot *free_slots;
    struct end_slot *queue_head;
    struct end_slot **queue_tail;
    uint64_t wire_drops;
};

/* end_pair_init loads two stacks from the shared library 'library' and joins them.  Dies with
 * one line when the library cannot be loaded. */
void end_pair_init(struct end *client, struct end *server, const char *library);

/* end_pump carries the frames that wait at this end into its stack and returns their number. */
unsigned end_pump(struct end *e);

/* end_pair_pump carries frames both ways until 'left' is 0, and dies when nothing has moved
 * for two seconds. */
void end_pair_pump(struct end *client, struct end *server, const uint64_t *left);

/* end_pair_settle carries frames both ways until none is left. */
void end_pair_settle(struct end *client, struct end *server);

/* end_expire_timewait turns lwIP's slow timer until the TIME_WAIT list is empty.  Only while no
 * connection is open. */
void end_expire_timewait(struct end *e);

size_t end_heap_bytes(const struct end *e);

#endif
