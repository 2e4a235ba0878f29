/* peer_linux_net: a network namespace of our own in which the kernel is set to its best. */
#ifndef PEER_LINUX_NET_H
#define PEER_LINUX_NET_H

#include <stdbool.h>
#include <stddef.h>

/* net_enter moves the process into a new network namespace with its loopback up, the congestion
 * control set to cubic where the system lets us, and room for many ports and TIME_WAIT
 * sockets.  Without root it makes a user namespace too.  Dies when no namespace can be made.
 * The list of allowed congestion controls is widened for the moment that takes and restored. */
void net_enter(void);

/* net_setting reads one line of /proc/sys/net/ipv4/<name> in the namespace into 'value'. */
void net_setting(const char *name, char *value, size_t size);

/* net_files_max raises the limit of descriptors as far as it goes and returns it. */
unsigned long net_files_max(void);

/* net_slab_bytes sums the memory in the kernel's slabs; false where only root may look. */
bool net_slab_bytes(double *bytes);

#endif
