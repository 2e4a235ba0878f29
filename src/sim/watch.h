/* The watch: judges every frame a host sends by what an outsider can know.
 *
 * THEORY OF OPERATION
 *
 * Each direction of a TCP connection is a flow.  The watch learns a flow from the frames its
 * sender puts on the wire, in the order of sending and before anything befalls them; what the
 * other side has told the sender it learns from frames as they are delivered.  So it knows at
 * least as much as the sender, and can say, for every segment:
 *
 *     seq order       new data begins where the last ended: no gaps
 *     retransmission  FIN stands always at the same place, and nothing follows it
 *     acknowledgment  never goes back, never covers what the peer has not sent
 *     right edge      acknowledgment + window never goes back
 *     window          data never passes the edge the peer has given, but for a probe of one byte
 *     size            never larger than the peer's MSS allows
 *     timestamps      never go back
 *
 * and for every frame: its addresses are the host's, every length is exact, every checksum is
 * right.
 *
 * A new SYN (or SYN-ACK with another number) begins a new incarnation of a flow.  Until the peer,
 * too, has begun anew, what the peer acknowledges belongs to the old one and is not judged. */
#pragma once

#include "base/csum.h"
#include "mem/mem.h"
#include "wire/wire.h"

#define SIM_FLOWS 4096u /* a power of two; a flow that loses its place is forgotten */

struct sim_flow_key {
    be32 src, dst;
    uint16_t sport, dport;
};

struct sim_flow {
    struct sim_flow_key key;
    bool active;
    bool begun;          /* a segment that is no SYN was sent */
    bool fin;            /* fin_seq is known */
    bool iss_varies;     /* it has sent SYNs with several numbers: cookies */
    bool peer_anew;      /* the peer began a new incarnation; we have not yet */
    bool has_ack, has_edge, has_room, has_ts, has_wscale;
    uint8_t wscale;
    uint16_t mss;        /* announced by this side: what it is willing to receive */
    tcp_seq iss;
    tcp_seq snd_max;     /* behind the last octet sent */
    tcp_seq fin_seq;
    tcp_seq ack;         /* highest acknowledgment sent */
    tcp_seq edge;        /* right edge announced to the peer */
    tcp_seq room;        /* right edge the peer announced and the wire delivered */
    uint32_t ts_val;
};

struct sim_watch {
    struct sim_flow *flow; /* SIM_FLOWS */
    csum_fn csum;
    uint64_t segments, retransmitted, probes;
    const char *wrong;     /* static: the first law that was broken, or NULL */
    char detail[160];
};

struct sim_watch_host {
    struct mac_addr mac;
    be32 addr;
    uint32_t mtu;
    bool leaky;  /* packets have been lost inside the host: gaps prove nothing */
    bool ghosts; /* SYN cookies have come back: old connections may come to life again */
};

void sim_watch_init(struct sim_watch *w, struct mem *m);
/* A frame as its sender put it on the wire. */
void sim_watch_sent(struct sim_watch *w, const struct sim_watch_host *h, const uint8_t *b,
                    uint32_t n);
/* A frame that arrived at its receiver, perhaps damaged. */
void sim_watch_delivered(struct sim_watch *w, const uint8_t *b, uint32_t n);
