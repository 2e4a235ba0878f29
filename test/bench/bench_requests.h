/* HTTP requests to our server, on the same wire as the other benches of one process. */
#pragma once

#include "bench_frame.h"

/* http1k/N: N connections, each asking again when its answer is there.  The cycles of the
 * server's turns are given by themselves. */
void bench_requests(struct bench *b);
