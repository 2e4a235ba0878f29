/* Private to udp. */
#pragma once

#include "udp/udp.h"

/* ---- table.c ---- */
void port_link(struct udp *udp, struct udp_pcb *pcb);
void port_unlink(struct udp *udp, struct udp_pcb *pcb);
void conn_link(struct udp *udp, struct udp_pcb *pcb);
void conn_unlink(struct udp *udp, struct udp_pcb *pcb);
/* The pcb connected from (laddr, lport) to (raddr, rport), or NULL. */
struct udp_pcb *conn_find(const struct udp *udp, const struct ip_addr *laddr, uint16_t lport,
                          const struct ip_addr *raddr, uint16_t rport);
/* The pcb bound to the port and to laddr, else to any address; not a connected one. */
struct udp_pcb *bound_find(const struct udp *udp, const struct ip_addr *laddr, uint16_t lport);
/* May a pcb with these options have the port at this address? */
bool port_is_free(const struct udp *udp, const struct udp_pcb *pcb, const struct ip_addr *addr,
                  uint16_t port);

/* Say what this core has at the port, if others are to know. */
void port_tell(struct udp *udp, uint16_t port);

static inline bool udp_is_shared(const struct udp *udp)
{
    return udp->cores && home_is_shared(&udp->cores->home);
}

/* ---- bind.c ---- */
/* Choose a port at pcb->laddr, for datagrams between `local` and `to` if they are given: such that
 * their home is here, if that can be.  MR_EADDRINUSE: none is free. */
int bind_ephemeral(struct udp *udp, struct udp_pcb *pcb, const struct ip_addr *local,
                   const struct udp_addr *to, bool connect);
