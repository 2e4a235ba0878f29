/* exec: the new program keeps the library and the session, whatever environment it is given; and
 * whoever cannot have them is told of. */
#include "preload/exec.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "posix/sys.h"
#include "preload/preload.h"

#define PRELOAD "LD_PRELOAD="
#define SESSION "MILLRACE_SESSION="

/* As the environment of this process said it when it began. */
static struct {
    char preload[PATH_MAX + 16], session[ENV_SESSION];
    const char *library; /* the path in preload */
} own;

void preload_exec_init(void)
{
    const char *preload = getenv("LD_PRELOAD"), *session = getenv("MILLRACE_SESSION");
    size_t n = preload ? strcspn(preload, " :") : 0;

    snprintf(own.preload, sizeof(own.preload), PRELOAD "%.*s", (int)n, preload ? preload : "");
    snprintf(own.session, sizeof(own.session), SESSION "%.*s",
             session ? (int)strcspn(session, ":") : 0, session ? session : "");
    own.library = own.preload + strlen(PRELOAD);
}

/* ---- the environment ------------------------------------------------------------------------- */

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Ours first, then the program's own.  What is too long for us is left as it is. */
static char *with_ours(struct env *e, char *theirs)
{
    int n;

    if (strstr(theirs, own.library))
        return theirs;
    n = snprintf(e->text, sizeof(e->text), "%s %s", own.preload, theirs + strlen(PRELOAD));
    return n < (int)sizeof(e->text) ? e->text : own.preload;
}

char *const *env_make(struct env *e, char *const given[], int record)
{
    size_t n = 0, to = 0;
    bool preloads = false;

    e->at = NULL;
    if (!px_session || !own.library)
        return given;
    while (given && given[n])
        n++;
    e->bytes = (n + 3) * sizeof(char *);
    e->at = sys_mmap(NULL, e->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sys_mmap_failed(e->at)) {
        e->at = NULL;
        return given;
    }
    for (size_t i = 0; i < n; i++) {
        if (begins(given[i], SESSION))
            continue;
        bool is_it = begins(given[i], PRELOAD);
        preloads |= is_it;
        e->at[to++] = is_it ? with_ours(e, given[i]) : given[i];
    }
    if (!preloads)
        e->at[to++] = own.preload;
    snprintf(e->session, sizeof(e->session), record < 0 ? "%s" : "%s:%d", own.session, record);
    e->at[to++] = e->session;
    e->at[to] = NULL;
    return e->at;
}

void env_drop(struct env *e)
{
    if (e->at)
        sys_munmap(e->at, e->bytes);
}

/* ---- what is started ------------------------------------------------------------------------- */

/* How many of our sockets it will inherit, and not be able to use. */
static unsigned inherited(void)
{
    uint32_t end = atomic_load(&px_proc->fds);
    unsigned n = 0;

    for (uint32_t fd = 0; fd < end; fd++) {
        const struct px_file *f = file_peek((int)fd);
        n += f && f->kind != PX_EPOLL && f->kind != PX_FRESH && !px_proc->fd[fd].cloexec;
    }
    return n;
}

void look_at(const char *path, bool becomes)
{
    char why[PATH_MAX + 200];
    enum px_note note;

    if (!px_session || !path)
        return;
    note = mr_preload_check(path, why, sizeof(why));
    if (note == PX_NOTE_NONE)
        return;
    if (becomes)
        atomic_store(&px_proc->note, (uint8_t)note);
    unsigned n = inherited();
    preload_say(n ? "%s: it runs on the kernel's sockets, and %u that it inherits are lost to it"
                  : "%s: it runs on the kernel's sockets",
                why, n);
}

const char *search(const char *name, char *path, size_t n)
{
    const char *at = getenv("PATH");

    if (strchr(name, '/') || !px_session)
        return name;
    for (at = at ? at : "/bin:/usr/bin"; *at; at += *at == ':') {
        size_t len = strcspn(at, ":");
        int written = snprintf(path, n, "%.*s%s%s", (int)len, at, len ? "/" : "", name);
        at += len;
        if (written < (int)n && access(path, X_OK) == 0)
            return path;
    }
    return name;
}

/* exec has come back: it failed. */
static int failed(int rc, struct env *e)
{
    int error = errno;

    env_drop(e);
    if (px_session)
        atomic_store(&px_proc->note, PX_NOTE_NONE);
    errno = error;
    return rc;
}

/* ---- exec ------------------------------------------------------------------------------------ */

WRAPPER(int, execve, (const char *path, char *const argv[], char *const envp[]))
{
    struct env e;
    char *const *env = env_make(&e, envp, -1);

    look_at(path, true);
    return failed(NEXT(execve)(path, argv, (char *const *)env), &e);
}

WRAPPER(int, execv, (const char *path, char *const argv[]))
{
    return preload_execve(path, argv, environ);
}

WRAPPER(int, execvpe, (const char *name, char *const argv[], char *const envp[]))
{
    char path[PATH_MAX];
    struct env e;
    char *const *env = env_make(&e, envp, -1);

    look_at(search(name, path, sizeof(path)), true);
    return failed(NEXT(execvpe)(name, argv, (char *const *)env), &e);
}

WRAPPER(int, execvp, (const char *name, char *const argv[]))
{
    return preload_execvpe(name, argv, environ);
}

WRAPPER(int, fexecve, (int fd, char *const argv[], char *const envp[]))
{
    char path[40];
    struct env e;
    char *const *env = env_make(&e, envp, -1);

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    look_at(path, true);
    return failed(NEXT(fexecve)(fd, argv, (char *const *)env), &e);
}

WRAPPER(int, execveat,
        (int dir, const char *path, char *const argv[], char *const envp[], int flags))
{
    struct env e;
    char *const *env = env_make(&e, envp, -1);

    if (path && (path[0] == '/' || (path[0] && dir == AT_FDCWD)))
        look_at(path, true);
    return failed(NEXT(execveat)(dir, path, argv, (char *const *)env, flags), &e);
}

/* How many arguments follow, their NULL among them. */
static size_t count(va_list args)
{
    size_t n = 1;

    while (va_arg(args, char *))
        n++;
    return n;
}

static void collect(char **argv, const char *first, va_list args)
{
    *argv = (char *)(uintptr_t)first;
    while (*argv++)
        *argv = va_arg(args, char *);
}

/* The arguments of an execl, as those of an execv. */
#define ARGUMENTS(first, args)                                                                     \
    __extension__({                                                                                \
        va_list counted_;                                                                          \
        va_copy(counted_, args);                                                                   \
        size_t n_ = count(counted_) + 1;                                                           \
        va_end(counted_);                                                                          \
        char **argv_ = __builtin_alloca(n_ * sizeof(char *));                                      \
        collect(argv_, first, args);                                                               \
        argv_;                                                                                     \
    })

WRAPPER(int, execl, (const char *path, const char *first, ...))
{
    va_list args;

    va_start(args, first);
    char **argv = ARGUMENTS(first, args);
    va_end(args);
    return preload_execve(path, argv, environ);
}

WRAPPER(int, execlp, (const char *name, const char *first, ...))
{
    va_list args;

    va_start(args, first);
    char **argv = ARGUMENTS(first, args);
    va_end(args);
    return preload_execvpe(name, argv, environ);
}

WRAPPER(int, execle, (const char *path, const char *first, ...))
{
    va_list args;

    va_start(args, first);
    char **argv = ARGUMENTS(first, args);
    char **envp = va_arg(args, char **);
    va_end(args);
    return preload_execve(path, argv, envp);
}
