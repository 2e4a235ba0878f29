#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NODES_MAX 64u

_Static_assert(OS_CPUS_MAX == CPU_SETSIZE, "what a cpu_set_t can name");

int os_pin(int cpu)
{
    cpu_set_t set;

    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return -EINVAL;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* Digits at *text that name a processor. */
static bool take_cpu(const char **text, unsigned *out)
{
    char *end;

    if (**text < '0' || **text > '9')
        return false;
    unsigned long v = strtoul(*text, &end, 10);
    *text = end;
    *out = (unsigned)v;
    return v < OS_CPUS_MAX;
}

int os_cpus_parse(const char *list, uint16_t *out, unsigned max)
{
    unsigned n = 0, first, last;

    for (;;) {
        if (!take_cpu(&list, &first))
            return -EINVAL;
        last = first;
        if (*list == '-' && (list++, !take_cpu(&list, &last)))
            return -EINVAL;
        if (last < first || last - first >= max - n)
            return -EINVAL;
        for (unsigned cpu = first; cpu <= last; cpu++)
            out[n++] = (uint16_t)cpu;
        if (*list == '\0')
            return (int)n;
        if (*list++ != ',')
            return -EINVAL;
    }
}

/* 0 where the kernel knows no nodes. */
static unsigned node_of(unsigned cpu)
{
    char path[80];

    for (unsigned node = 0; node < NODES_MAX; node++) {
        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/node%u", cpu, node);
        if (access(path, F_OK) == 0)
            return node;
    }
    return 0;
}

unsigned os_cpus_allowed(uint16_t *out, unsigned max)
{
    uint8_t node[OS_CPUS_MAX] = {0};
    unsigned n = 0;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 0;
    for (unsigned cpu = 0; cpu < OS_CPUS_MAX; cpu++)
        if (CPU_ISSET(cpu, &set))
            node[cpu] = (uint8_t)node_of(cpu);
    for (unsigned k = 0; k < NODES_MAX; k++)
        for (unsigned cpu = 0; cpu < OS_CPUS_MAX && n < max; cpu++)
            if (CPU_ISSET(cpu, &set) && node[cpu] == k)
                out[n++] = (uint16_t)cpu;
    return n;
}

static unsigned different(const uint16_t *cpus, unsigned n)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    for (unsigned i = 0; i < n; i++)
        CPU_SET(cpus[i], &set);
    return (unsigned)CPU_COUNT(&set);
}

int os_cpus_choose(const char *list, unsigned cores, int *out)
{
    uint16_t cpus[OS_CPUS_MAX];
    int n = list ? os_cpus_parse(list, cpus, OS_CPUS_MAX)
                 : (int)os_cpus_allowed(cpus, OS_CPUS_MAX);

    if (n < 0)
        return n;
    for (unsigned i = 0; i < cores; i++)
        out[i] = n == 0 || (cores == 1 && !list) ? -1 : cpus[i % (unsigned)n];
    return (int)different(cpus, (unsigned)n);
}
