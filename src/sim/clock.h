/* A host's clock: it began at an offset of its own and runs fast or slow by some parts per
 * million of the world's time.
 *
 *     host microseconds = offset + world seconds * (10^6 + ppm)
 */
#pragma once

#include "time/time.h"

#define SIM_NS_PER_SEC UINT64_C(1000000000)
#define SIM_NS_PER_MSEC UINT64_C(1000000)
#define SIM_NS_PER_USEC UINT64_C(1000)
#define SIM_NEVER UINT64_MAX

struct sim_clock {
    uint64_t offset_us;
    int32_t ppm; /* -200,000 .. 200,000 */
};

static inline uint64_t sim_clock_rate(const struct sim_clock *c)
{
    return (uint64_t)(INT64_C(1000000) + c->ppm);
}

/* The host's time at a world time. */
static inline instant sim_clock_read(const struct sim_clock *c, uint64_t ns)
{
    uint64_t rate = sim_clock_rate(c);

    return c->offset_us + ns / SIM_NS_PER_SEC * rate + ns % SIM_NS_PER_SEC * rate / SIM_NS_PER_SEC;
}

/* The first world time at which the host's clock shows t or later; SIM_NEVER for INSTANT_NEVER. */
static inline uint64_t sim_clock_find(const struct sim_clock *c, instant t)
{
    uint64_t rate = sim_clock_rate(c);

    if (t == INSTANT_NEVER)
        return SIM_NEVER;
    if (t <= c->offset_us)
        return 0;
    uint64_t us = t - c->offset_us;
    uint64_t ns = us / rate * SIM_NS_PER_SEC + us % rate * SIM_NS_PER_SEC / rate;
    while (sim_clock_read(c, ns) < t)
        ns++;
    return ns;
}
