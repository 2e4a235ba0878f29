/* drv/ours: which of the frames of a shared interface are ours.
 *
 * THEORY OF OPERATION
 *
 * A port that shares its interface with the kernel takes what is for our address and leaves the
 * rest.  The rule is here twice: for our own eyes, and as a program for the kernel's.
 *
 *     frame                                                    whose
 *     IPv4 to our address                                      ours
 *     ARP request for our address                              ours
 *     ARP reply, an announcement (sender asks for itself),     both
 *       a request from somebody who has our address
 *     everything else; other VLANs; other stations             the kernel's
 *
 * Replies go to both, because both may have asked under the one MAC address. */
#pragma once

#include "base/addr.h"
#include "wire/wire.h"

struct ours {
    bool everything; /* the interface is not shared: nothing else counts */
    be32 addr;
    struct mac_addr mac; /* the station's: what is for another, and no group, is not ours */
    uint16_t vlan;       /* VID; 0: untagged */
};

enum whose { WHOSE_KERNELS, WHOSE_BOTH, WHOSE_OURS };

/* frame: with its VLAN tag, if it came with one. */
enum whose ours_judge(const struct ours *o, const uint8_t *frame, uint32_t len);

/* The same as a program: its descriptor, or an error.  A socket's filter, that lets through what is
 * ours or both's: for SO_ATTACH_BPF. */
int ours_filter(const struct ours *o);
/* At the interface's ingress, that drops what is ours alone before the kernel answers it; it is
 * there while the descriptor is open. */
int ours_ingress(const struct ours *o, int ifindex);
