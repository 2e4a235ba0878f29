/* preload: libc's names for what posix does: the library that LD_PRELOAD names.
 *
 * Each wrapper asks posix first and, told PX_PASS, the next definition of the name (dlsym
 * RTLD_NEXT): a descriptor that is not ours costs a look at one table. */
#pragma once

#include <stddef.h>

struct px_session_config;

/* `millrace run` loads this library itself and makes the session with it: the code lies where it
 * will lie in the program.  As session_create and session_janitor. */
__attribute__((visibility("default"))) int mr_preload_create(const struct px_session_config *c,
                                                             char *why, size_t n);
__attribute__((visibility("default"))) int mr_preload_janitor(void);
