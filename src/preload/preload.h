/* preload: libc's names for what posix does: the library that LD_PRELOAD names.
 *
 * THEORY OF OPERATION
 *
 * Each wrapper asks posix first and, told PX_PASS, the next definition of the name (next.h): a
 * descriptor that is not ours costs a look at one table.
 *
 *      call.h       a call goes in and comes back; signal handlers stay out of it
 *      next.h       what stands behind our names
 *      socket.c io.c poll.c desc.c stdio.c signal.c syscall.c older.c
 *                   the names
 *      fork.c exec.c spawn.c
 *                   processes: a fork is told before and after, and what is exec'd keeps the
 *                   library and the session, whatever environment it is given
 *      program.c    what cannot be preloaded, and why
 *      start.c      the constructor, and what `millrace run` calls
 *
 * Nothing here calls malloc: a wrapper may be called inside an allocator. */
#pragma once

#include <stddef.h>

#include "posix/session.h"

struct px_session_config;

/* `millrace run` loads this library itself and makes the session with it: the code lies where it
 * will lie in the program.  As session_create and session_janitor. */
__attribute__((visibility("default"))) int mr_preload_create(const struct px_session_config *c,
                                                             char *why, size_t n);
__attribute__((visibility("default"))) int mr_preload_janitor(void);
/* Can the program at path be preloaded?  PX_NOTE_NONE; or why not, with one line in why. */
__attribute__((visibility("default"))) enum px_note mr_preload_check(const char *path, char *why,
                                                                     size_t n);
/* What its environment must say: two strings.  After mr_preload_create. */
__attribute__((visibility("default"))) void mr_preload_environment(char *preload, size_t preload_n,
                                                                   char *session, size_t session_n);

/* fork.c: a child is about to be; and it is, or is not (-1): in the parent. */
void preload_forking(void);
void preload_fork_over(pid_t pid);

/* fork.c, exec.c, stdio.c: from the constructor. */
void preload_fork_init(void);
void preload_exec_init(void);
void preload_streams(void);
/* One line on stderr: "millrace: ...". */
void preload_say(const char *how, ...) __attribute__((format(printf, 1, 2)));
