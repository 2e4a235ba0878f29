#include "os/os.h"

#include <sys/prctl.h>
#include <time.h>

static uint64_t clock_us(clockid_t which)
{
    struct timespec t;

    clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t os_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC) + 1;
}

uint64_t os_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

void os_exact_timeouts(void)
{
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
}
