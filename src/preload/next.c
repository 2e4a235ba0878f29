/* Where the functions are that ours stand before. */
#include "preload/next.h"

#include <dlfcn.h>
#include <errno.h>

struct preload_next preload_next;

/* A libc older than the name has none that calls it; ours are there all the same. */
static long missing(void)
{
    errno = ENOSYS;
    return -1;
}

static uintptr_t find(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    return found ? (uintptr_t)found : (uintptr_t)missing;
}

void preload_find(void)
{
#define FIND(type, name, params, args) preload_next.name = (type(*) params)find(#name);
    NEXT_INNER(FIND)
    NEXT_OUTER(FIND)
#undef FIND
}

/* What the stack itself calls. */
#define INNER(type, name, params, args)                                                            \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        return NEXT(name) args;                                                                    \
    }
NEXT_INNER(INNER)
#undef INNER
