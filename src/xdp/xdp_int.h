/* xdp: a port on a network interface that the kernel keeps: AF_XDP.
 *
 * THEORY OF OPERATION
 *
 * A small program in the kernel sees every frame that the interface receives.  What is ours it
 * gives to the socket of the queue where the frame came in, everything else goes on to the kernel
 * (prog.bpf.c).  What is ours is one of two things:
 *
 *   address mode   our address is not the host's: ARP about it and all IPv4 to it
 *   port mode      it is the host's own: TCP and UDP to chosen ports, ICMP errors about them; ARP
 *                  stays with the kernel and we listen to it (idle.c), as frames of queue 0
 *
 * The program hangs on the interface by a BPF link, which is a descriptor of this process: when the
 * process ends, in whatever way, the program is gone.
 *
 *   NIC queue 0 --- socket 0 \                  frames of one memory (UMEM)
 *   NIC queue 2 --- socket 2 --- queue 0        [ receive pool ........ | to send ... ]
 *   NIC queue 1 --- socket 1 \                     ^ packet i's buffer is frame i
 *   NIC queue 3 --- socket 3 --- queue 1
 *
 * Each of our queues serves every so many of the NIC's, with a socket each over one memory.  The
 * frames at its beginning are the queue's receive pool: a packet taken from it waits in a socket's
 * fill ring, comes back with a frame in the receive ring, and goes up.  The frames at its end are
 * for what we send, a copy each; a packet of the pool itself goes out as it lies, and returns to
 * the pool when the completion ring says so.
 *
 * A frame longer than a chunk of that memory comes in pieces (multi-buffer, Linux 6.6): they are
 * copied together into a buffer of another, small pool. */
#pragma once

#include <net/if.h>
#include <stdatomic.h>
#include <xdp/xsk.h>

#include "drv/dev.h"
#include "xdp/prog.h"

#define XDP_NIC_QUEUES_MAX 256u
#define XDP_FRAMES_DEFAULT 4096u
#define XDP_FRAMES_MAX (1u << 18)
#define XDP_RING 2048u /* of every ring; powers of two */
#define XDP_TX_FRAMES XDP_RING
#define XDP_JOIN_FRAMES 256u
#define XDP_ROOM 256u    /* the kernel leaves free in front of a received frame */
#define XDP_L2_BYTES 22u /* Ethernet with two tags */

/* ---- what was asked for (options.c) --------------------------------------------------- */

enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_ZEROCOPY, XDP_MODE_COPY };
enum xdp_attach { XDP_ATTACH_AUTO, XDP_ATTACH_NATIVE, XDP_ATTACH_GENERIC };

struct xdp_wishes {
    char ifname[IFNAMSIZ];
    enum xdp_mode mode;
    enum xdp_attach attach;
    uint32_t busy_poll_us; /* 0: not */
    uint32_t frames;       /* of each receive pool; 0: what else was asked for */
    bool rss_assume, has_ports;
    uint64_t ports[XDP_PORT_WORDS];
};

bool xdp_options_read(struct xdp_wishes *o, const char *text, char *why, size_t n);

/* ---- the interface (iface.c, rss.c) ----------------------------------------------------- */

struct xdp_iface {
    int ask; /* a socket to ask by; -1 */
    int index;
    uint32_t mtu, queues;
    bool strips_vlan;
    struct mac_addr mac;
    char name[IFNAMSIZ], driver[32];
};

bool xdp_iface_open(struct xdp_iface *f, const char *name, char *why, size_t n);
/* Is there still an interface of this index? */
bool xdp_iface_is_there(const struct xdp_iface *f);
bool xdp_iface_is_up(const struct xdp_iface *f);
/* Is addr one of this host's? */
bool xdp_is_own_address(const struct ip_addr *addr);
/* What the NIC does, over `queues` queues of ours.  False: unknown. */
bool xdp_rss_read(const struct xdp_iface *f, uint32_t queues, struct rss *out);

/* ---- the program in the kernel (kernel.c) ------------------------------------------------ */

extern const unsigned char xdp_object[];
extern const size_t xdp_object_bytes;

struct xdp_kernel {
    struct bpf_object *object; /* owned; NULL: none */
    int link;                  /* the program's hold of the interface; -1 */
    int sockets, counts;       /* maps, the object's */
    bool native;
    char native_why[80]; /* it is not */
};

struct xdp_load {
    const struct xdp_iface *iface;
    const struct xdp_wishes *options;
    struct xdp_rules rules;
    bool frags; /* frames longer than a buffer are wanted */
};

/* Not yet on the interface. */
bool xdp_kernel_load(struct xdp_kernel *k, const struct xdp_load *l, char *why, size_t n);
bool xdp_kernel_attach(struct xdp_kernel *k, const struct xdp_load *l, char *why, size_t n);
bool xdp_kernel_serve(struct xdp_kernel *k, uint32_t nic_queue, int socket);
uint64_t xdp_kernel_count(const struct xdp_kernel *k, enum xdp_count what);
void xdp_kernel_close(struct xdp_kernel *k);

/* ---- the port ------------------------------------------------------------------------ */

/* A NIC queue's. */
struct xdp_sock {
    MR_ALIGNED(CACHE_LINE) struct xsk_socket *xsk; /* owned; NULL: not open */
    int fd;
    uint32_t posted;  /* frames that the kernel has to fill, */
    uint32_t share;   /* and should have */
    struct pkt *part; /* the beginning of a frame whose end has not come */
    bool skip;        /* until the end of a frame that there is no room for */
    struct xsk_ring_cons rx, done;
    struct xsk_ring_prod fill;
};

struct xdp_queue {
    MR_ALIGNED(CACHE_LINE) struct xdp *port;
    struct nic_stats *stats;
    struct xdp_sock *sock; /* those that it serves; the first one sends too */
    uint32_t socks, next_sock;
    uint32_t chunk, chunk_shift;
    uint32_t frames; /* in the receive pool */
    uint32_t tx_free_n;
    bool may_part; /* a frame may come and go in pieces */
    bool quirk;    /* veth: checksums may have been left to hardware that is not there */
    bool busy;     /* the kernel's part of receiving runs in our calls */
    bool look;     /* at what else there is to read, idle.c */
    bool armed;    /* epoll watches the sockets */
    bool down;     /* the interface was, when last asked to send */
    uint32_t polls;
    int epoll; /* what to sleep on if it is not one socket; -1 */
    struct xsk_ring_prod tx;
    uint8_t *umem; /* owned */
    size_t umem_bytes;
    struct xsk_umem *reg; /* owned */
    struct pkt_pool pool, joined;
    void *join_bufs; /* owned */
    size_t join_bytes;
    uint32_t tx_free[XDP_TX_FRAMES];
};

struct xdp {
    struct nic nic;
    struct xdp_wishes options;
    struct xdp_iface iface;
    struct xdp_kernel kernel;
    struct xdp_queue *queue;
    struct xdp_sock *sock; /* iface.queues of them */
    struct rss *rss;
    bool zero_copy;
    int arp;    /* what the kernel hears of neighbours in port mode; -1 */
    int links;  /* news of interfaces */
    int second; /* holds a second station address on the interface; -1 */
    _Atomic bool gone;
};

/* sockets.c */
bool xdp_queue_open(struct xdp_queue *q, struct mem *m, uint32_t frames, char *why, size_t n);
void xdp_queue_close(struct xdp_queue *q);
size_t xdp_queue_bytes(uint32_t frames);
/* Bytes of a UMEM chunk that holds a frame of this MTU if one can. */
uint32_t xdp_chunk_for(uint32_t mtu);
bool xdp_needs_parts(uint32_t mtu);

/* rx.c */
unsigned xdp_rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max);
void xdp_refill(struct xdp_queue *q);
bool xdp_has_frames(struct xdp_queue *q);

/* tx.c */
unsigned xdp_tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count);
/* Take back what was sent. */
void xdp_reclaim(struct xdp_queue *q);
/* Something lies in the ring that the kernel has not sent yet. */
bool xdp_has_unsent(const struct xdp_queue *q);
void xdp_kick(struct xdp_queue *q);

/* idle.c */
bool xdp_idle_open(struct xdp *x, const struct mac_addr *second, char *why, size_t n);
bool xdp_idle_queue_open(struct xdp_queue *q, char *why, size_t n);
/* Nobody sleeps. */
void xdp_disarm(struct xdp_queue *q);
int xdp_wait_fd(struct nic *nic, unsigned queue);
bool xdp_wait_prepare(struct nic *nic, unsigned queue);
/* News of the interface; ARP frames, of which up to max are put in out. */
unsigned xdp_look_around(struct xdp_queue *q, struct pkt **out, unsigned max);
void xdp_note(struct xdp *x, int err);
