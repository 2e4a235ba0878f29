/* ofd/network: what an operator tells of a network in a file, instead of letting it be found.
 *
 *     links:                              # for switches that cannot send LLDP
 *       - [1/2, 2/1]                      # datapath id / port, both ends
 *     pof:                                # sdn/pof_program.h has the words
 *       metadata:
 *         - {name: mine, at: 32, fields: [{name: id, bits: 16}]}
 *       protocols:
 *         - name: label
 *           at: 112                       # bits from the frame's begin
 *           fields:
 *             - {name: id, bits: 16}
 *             - {name: ttl, bits: 8, offset: 24}
 *       tables:                           # the first is where a switch begins
 *         - {name: labels, type: MM, size: 128, keys: [label.id], miss: forward}
 *       rules:
 *         - {table: labels, priority: 10, match: {label.id: 0x22}, steps: [output 3], switch: 1}
 *
 * YAML, and so JSON.  What is wrong is said with the file, the line, and what was expected. */
#pragma once

#include "sdn/sdn.h"

struct network;

/* NULL, and one line in why. */
struct network *network_read(const char *path, char *why, size_t n);
/* Lends the configuration what was read, until network_free. */
void network_into(const struct network *net, struct sdn_config *c);
void network_free(struct network *net);
