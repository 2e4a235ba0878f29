/* What `millrace run` calls in this library before it starts the program. */
#include "preload/preload.h"

#include "posix/session.h"

int mr_preload_create(const struct px_session_config *c, char *why, size_t n)
{
    return session_create(c, why, n);
}

int mr_preload_janitor(void)
{
    return session_janitor();
}
