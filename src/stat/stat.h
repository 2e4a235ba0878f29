/* stat: what the stack tells about itself.
 *
 * THEORY OF OPERATION
 *
 * A counter is a plain uint64_t in a struct of its room, written by one thread with ++ and read
 * by anybody.  Its name and its sentence of help are said once, in a list of the room:
 *
 *     #define UDP_STATS(X)                                     \
 *         X(rx_datagrams, "datagrams delivered to a socket")   \
 *         X(rx_no_port, "datagrams to a port nobody owns")
 *     struct udp_stats {
 *         STAT_FIELDS(UDP_STATS)
 *     };
 *     extern const struct stat_group udp_stat_group;
 *
 * and in one .c file
 *
 *     STAT_GROUP(udp_stat_group, "udp", UDP_STATS);
 *
 * The list makes the members and the table that describes them, so a counter without a name, or
 * a name without a counter, cannot be.  Status pages, the control socket and the manual walk the
 * table.  The other doors of this room:
 *
 *     stat/hist.h      histograms of latencies and sizes
 *     stat/trace.h     the last events, as fixed-size records
 *     stat/pcapng.h    packets, as a capture file
 *     stat/json.h      text for programs */
#pragma once

#include "base/types.h"

struct stat_field {
    const char *name; /* static */
    const char *help; /* static; a sentence without its full stop */
};

struct stat_group {
    const char *name;                /* static; the room's */
    const struct stat_field *fields; /* static */
    unsigned n;
};

#define STAT_MEMBER_(name, help) uint64_t name;
#define STAT_ROW_(name, help) {#name, help},
#define STAT_ONE_(name, help) +1

/* The members of a struct that holds nothing else. */
#define STAT_FIELDS(LIST) LIST(STAT_MEMBER_)

/* How many there are, as a constant. */
#define STAT_COUNT(LIST) (0 LIST(STAT_ONE_))

/* Defines the group 'var'; ends with a semicolon. */
#define STAT_GROUP(var, label, LIST)                                                               \
    static const struct stat_field var##_fields[] = {LIST(STAT_ROW_)};                             \
    const struct stat_group var = {label, var##_fields, ARRAY_LEN(var##_fields)}

/* Counter i of the struct at base, which STAT_FIELDS made from g's list.  Any thread. */
static inline uint64_t stat_value(const struct stat_group *g, const void *base, unsigned i)
{
    MR_ASSERT(i < g->n);
    return __atomic_load_n((const uint64_t *)base + i, __ATOMIC_RELAXED);
}

/* Adds the counters at 'from' to those at 'sum': shards into a total. */
static inline void stat_sum(const struct stat_group *g, void *sum, const void *from)
{
    for (unsigned i = 0; i < g->n; i++)
        ((uint64_t *)sum)[i] += stat_value(g, from, i);
}
