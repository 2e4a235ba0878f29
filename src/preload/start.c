/* The constructor, and what `millrace run` calls before it starts a program. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "posix/tls.h"
#include "preload/names.h"
#include "preload/preload.h"

#define SAID_BYTES (PATH_MAX + 400)

void preload_say(const char *how, ...)
{
    char text[SAID_BYTES];
    size_t n = (size_t)snprintf(text, sizeof(text), "millrace: ");
    va_list args;

    va_start(args, how);
    n = session_line(text, sizeof(text), n, how, args);
    va_end(args);
    preload_write(STDERR_FILENO, text, n);
}

__attribute__((constructor(101))) static void start(void)
{
    const char *session = getenv("MILLRACE_SESSION");
    char why[200] = "";

    preload_find();
    if (!session || !session[0])
        return;
    const char *record = strchr(session, ':');
    px_thread.call++;
    int rc = session_join(atoi(session), record ? atoi(record + 1) : -1, why, sizeof(why));
    px_thread.call--;
    if (rc < 0) {
        preload_say("%s: %s: it runs on the kernel's sockets", program_invocation_short_name, why);
        return;
    }
    preload_exec_init();
    preload_fork_init();
    preload_streams();
}

int mr_preload_create(const struct px_session_config *c, char *why, size_t n)
{
    if (px_session) {
        snprintf(why, n, "this is a program of another session already");
        return -EBUSY;
    }
    return session_create(c, why, n);
}

int mr_preload_janitor(void)
{
    return session_janitor();
}

void mr_preload_environment(char *preload, size_t preload_n, char *session, size_t session_n)
{
    const char *theirs = getenv("LD_PRELOAD");
    Dl_info self = {0};

    dladdr((const void *)(uintptr_t)mr_preload_environment, &self);
    snprintf(preload, preload_n, "%s%s%s", self.dli_fname, theirs ? " " : "", theirs ? theirs : "");
    snprintf(session, session_n, "%d", px_session->memory_fd);
}
