/* The seat's own state, and what its two files call of each other. */
#pragma once

#include "sdn/sdn_int.h"

struct seat_link {
    uint32_t next, before; /* in the order; NET_NONE: the end */
};
struct seat_switch {
    instant gone_at;  /* when it lost its connection */
    instant claim_at; /* another connection claims it since; 0: none */
    unsigned claim_core;
    sdn_conn claim_conn;
};
struct seat {
    struct seat_link *order; /* of all places: switches, links, hosts */
    uint32_t first, last;
    uint32_t told[SDN_CORES_MAX]; /* the next place to tell a core of; NET_NONE: none */
    struct seat_switch *sw;
    uint8_t *moves;                    /* of hosts: seconds of the next hold */
    uint32_t *free_links, *free_hosts; /* places given back */
    uint32_t n_free_links, n_free_hosts;
    instant look_at;
    uint32_t events_s, events; /* notes of hosts in this second */
};

/* It is so from now on: here, and everywhere as letters allow. */
void seat_decide(struct sdn *s, const struct net_change *c, instant now);
/* What is in a place (switches, links, hosts, one behind the other), as a change. */
void seat_change_of(const struct sdn *s, uint32_t i, struct net_change *c);

void seat_link_reported(struct sdn *s, const struct net_report *r, instant now);
void seat_link_gone(struct sdn *s, uint32_t place, instant now);
void seat_links_into_gone(struct sdn *s, uint32_t place, instant now);
void seat_host_reported(struct sdn *s, const struct net_report *r, instant now);
void seat_host_gone(struct sdn *s, uint32_t place, instant now);
/* port 0: all of the switch. */
void seat_hosts_gone(struct sdn *s, uint32_t at, uint32_t port, instant now);
