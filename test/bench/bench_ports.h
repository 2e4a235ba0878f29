/* bench_ports: what the choice of a local port costs (flow/choose.h). */
#ifndef BENCH_PORTS_H
#define BENCH_PORTS_H

#include "bench_frame.h"

/* bench_ports measures the choice for 1 to 64 cores with many connections present, to a thousand
 * peers and to one, prints a table and records (metric "cycles", unit "cycles/choice"):
 *   port-choice/CORES  the dearer of the two, where the oldest connections end
 *   port-choice        the dearest of these
 *   port-choice/any    the dearest where any connection may end: the walk then meets used ports */
void bench_ports(const struct bench *b);

#endif
