/* A simulated OpenFlow switch, 1.0 or 1.3: bytes from a controller in, bytes out; frames in at a
 * port, frames out at ports; virtual time.
 *
 * It does what a real one does as far as a controller of layer 2 can tell: one table with
 * priorities, time-outs, cookies and counters; buffers, or none; PORT_STATUS; a HELLO with a
 * bitmap; errors for what it does not know. It keeps its flows when the controller is gone
 * (fail-secure) and loses them when it reboots.
 *
 * What it has to say gathers in out (to the controller) and tx (frames); the owner takes both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ofp/ofp.h"

#define OFSW_PORTS 24u
#define OFSW_BUFFERS 64u
#define OFSW_FRAME_MAX 1600u

struct ofsw_bytes {
    uint8_t *p; /* owned */
    size_t n, cap;
};

struct ofsw_frame {
    uint32_t port;
    uint32_t n;
    uint8_t *p; /* owned by whoever takes it */
};

struct ofsw_flow {
    struct ofp_flow *flow; /* owned */
    uint64_t made_us, used_us, packets, bytes;
};

struct of_switch {
    enum ofp_dialect dialect;
    uint64_t dpid;
    unsigned ports; /* numbered from 1 */
    bool link_up[OFSW_PORTS + 1];
    bool buffers;
    uint64_t now_us;
    /* The controller. */
    bool connected, said_hello, heard_hello;
    struct ofsw_bytes in, out;
    uint16_t miss_send_len;
    uint32_t xid;
    /* Flows. */
    struct ofsw_flow *flow; /* owned */
    size_t flows, flows_cap;
    uint32_t next_buffer;
    struct ofsw_kept {
        uint32_t id, in_port, n;
        uint8_t p[OFSW_FRAME_MAX];
    } kept[OFSW_BUFFERS];
    /* Frames to send. */
    struct ofsw_frame *tx; /* owned */
    size_t tx_n, tx_cap;
    /* What happened. */
    uint64_t packet_ins, packet_outs, flow_mods, errors_out, errors_in, malformed;
    struct ofp_port_stats count[OFSW_PORTS + 1];
    struct ofp_flow scratch;
    struct ofp_packet_out scratch_out;
};

void ofsw_init(struct of_switch *sw, enum ofp_dialect d, uint64_t dpid, unsigned ports,
               bool buffers);
void ofsw_fini(struct of_switch *sw);
/* A new connection: HELLO goes out. */
void ofsw_connected(struct of_switch *sw, uint64_t now_us);
/* It is gone: what was half said is forgotten. */
void ofsw_disconnected(struct of_switch *sw);
/* Bytes from the controller, cut anywhere. */
void ofsw_input(struct of_switch *sw, const uint8_t *p, size_t n, uint64_t now_us);
/* A frame arrives at a port. */
void ofsw_receive(struct of_switch *sw, uint32_t port, const uint8_t *p, size_t n, uint64_t now_us);
/* The link at a port changes: PORT_STATUS. */
void ofsw_link(struct of_switch *sw, uint32_t port, bool up, uint64_t now_us);
/* Time-outs. */
void ofsw_advance(struct of_switch *sw, uint64_t now_us);
/* Flows, buffers and the connection are lost. */
void ofsw_reboot(struct of_switch *sw);

/* Bytes at the front of out have been taken. */
void ofsw_bytes_drop(struct ofsw_bytes *b, size_t n);
