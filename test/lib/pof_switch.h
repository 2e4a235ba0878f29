/* A simulated POF switch, as strict as the two public ones are (shared/reference/pof.md): bytes in,
 * bytes out, packets in and out, virtual time.
 *
 * Its way of receiving is theirs: a buffer of 2,560 bytes into which each wake-up reads as much as
 * there is room for; what is whole is handled; the buffer is moved to the front only when it is
 * exactly full, and when a message that has begun reaches the end of it, the read of no bytes looks
 * like the end of the connection and the connection is closed.  One call of pof_switch_input is one
 * wake-up.
 *
 * The handshake is HELLO, FEATURES_REQUEST, SET_CONFIG, GET_CONFIG_REQUEST, nothing else between,
 * or it closes.  After GET_CONFIG_REQUEST it sleeps a second; then it sends an ECHO_REQUEST every 2
 * s. */
#pragma once

#include "ofp/pof.h"
#include "time/time.h"

#define POF_SWITCH_PORTS 32u
#define POF_SWITCH_TABLES 8u /* of each type */
#define POF_SWITCH_GROUPS 64u
#define POF_SWITCH_METERS 64u
#define POF_SWITCH_COUNTERS 512u
#define POF_SWITCH_METADATA 32u
#define POF_SWITCH_MTU 1514u

enum pof_switch_state {
    POF_SWITCH_DOWN, /* not connected; wants to be from connect_at on */
    POF_SWITCH_HELLO,
    POF_SWITCH_FEATURES,
    POF_SWITCH_CONFIG,
    POF_SWITCH_GET_CONFIG,
    POF_SWITCH_SLEEP, /* until wake_at */
    POF_SWITCH_RUN,
};

struct pof_switch_table {
    bool there;
    struct pof_table t;
    struct pof_entry **slot; /* owned; t.size of them, NULL where empty */
    uint32_t used;
};

struct pof_switch {
    enum ofp_dialect dialect;
    uint32_t dev;
    uint32_t table_size;             /* the most slots of one table */
    uint8_t tables[POF_TABLE_TYPES]; /* how many of each type; at most POF_SWITCH_TABLES */
    uint32_t ports;
    struct ofp_port port[POF_SWITCH_PORTS];
    bool drops_control; /* never answers an ECHO_REQUEST, as a stranger switch might */
    /* Packets that leave. */
    void (*tx)(void *context, uint32_t port, const uint8_t *frame, size_t n);
    void *context;

    enum pof_switch_state state;
    instant now, connect_at, wake_at, echo_at;
    const char *why; /* it closed the connection; NULL: it did not */
    /* What the socket holds and it has not read. */
    uint8_t *socket;
    size_t socket_n, socket_room;
    uint8_t buffer[POF_SWITCH_BUFFER];
    uint32_t received, handled;
    bool inside; /* a message: reads until it is whole */
    uint32_t have;
    /* What it has written and nobody has taken. */
    uint8_t *out;
    size_t out_n, out_room;
    uint32_t xid;

    struct pof_switch_table table[POF_TABLE_TYPES][POF_SWITCH_TABLES];
    struct pof_group group[POF_SWITCH_GROUPS];
    bool group_there[POF_SWITCH_GROUPS];
    struct pof_meter meter[POF_SWITCH_METERS];
    bool meter_there[POF_SWITCH_METERS];
    uint64_t counter[POF_SWITCH_COUNTERS];
    bool counter_there[POF_SWITCH_COUNTERS];
    struct ofp_config config;

    /* For judges. */
    uint64_t closed, handshakes, messages, entry_mods, table_mods, port_mods, errors, packet_ins,
        packet_outs, rx, transmitted, missed;
    uint16_t error_type, error_code; /* the last */
};

/* Ports 1..ports with names "p1"... and MAC addresses of their own. */
void pof_switch_init(struct pof_switch *w, enum ofp_dialect d, uint32_t dev, uint32_t ports);
void pof_switch_fini(struct pof_switch *w);

static inline bool pof_switch_wants_connection(const struct pof_switch *w)
{
    return w->state == POF_SWITCH_DOWN && w->now >= w->connect_at;
}
void pof_switch_connected(struct pof_switch *w, instant now);
void pof_switch_disconnected(struct pof_switch *w, instant now); /* the other side has gone */
void pof_switch_input(struct pof_switch *w, const uint8_t *p, size_t n, instant now);
/* What it has written; n of it taken. */
const uint8_t *pof_switch_output(const struct pof_switch *w, size_t *n);
void pof_switch_output_done(struct pof_switch *w, size_t n);
void pof_switch_advance(struct pof_switch *w, instant now);
instant pof_switch_deadline(const struct pof_switch *w);

/* A packet arrives at a port. */
void pof_switch_packet(struct pof_switch *w, uint32_t port, const uint8_t *frame, size_t n);
/* A port's link goes down or comes up: PORT_STATUS. */
void pof_switch_link(struct pof_switch *w, uint32_t port, bool up);

/* Of all tables. */
uint32_t pof_switch_entries(const struct pof_switch *w);

/* Shared by its two files. */
void pof_switch_error(struct pof_switch *w, uint32_t xid, uint16_t type, uint16_t code,
                      const char *text);
void pof_switch_packet_in(struct pof_switch *w, const uint8_t *frame, size_t n, uint32_t in_port,
                          uint8_t reason, uint8_t table, uint64_t cookie);
uint32_t pof_switch_global(const struct pof_switch *w, uint32_t type, uint32_t id);
/* The actions of a PACKET_OUT. */
void pof_switch_apply(struct pof_switch *w, const struct pof_packet_out *o);
