/* posix_spawn: libc makes the child and what becomes of its descriptors without a call that we
 * could see, so the parent writes its record. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "preload/exec.h"
#include "preload/preload.h"

/* One of libc's file actions, as it keeps them. */
struct action {
    int kind; /* enum kind */
    int spare;
    int a, b;
    void *more[2];
};
enum kind { CLOSE, DUP2, OPEN, CHDIR, FCHDIR, CLOSEFROM };

static const struct action *actions_of(const posix_spawn_file_actions_t *list)
{
    return (const struct action *)(const void *)list->__actions;
}

/* Does libc keep them as we believe?  It has for twenty years, but promises nothing. */
static bool is_known(void)
{
    posix_spawn_file_actions_t probe;
    bool good = false;

    if (posix_spawn_file_actions_init(&probe) != 0)
        return false;
    if (posix_spawn_file_actions_addclose(&probe, 711) == 0 &&
        posix_spawn_file_actions_adddup2(&probe, 712, 713) == 0 && probe.__used == 2) {
        const struct action *a = actions_of(&probe);
        good = a[0].kind == CLOSE && a[0].a == 711 && a[1].kind == DUP2 && a[1].a == 712 &&
               a[1].b == 713;
    }
    posix_spawn_file_actions_destroy(&probe);
    return good;
}

static void follow(const struct action *a)
{
    switch ((enum kind)a->kind) {
    case CLOSE:
    case OPEN:
        session_forking_dup(-1, a->a);
        break;
    case DUP2:
        session_forking_dup(a->a, a->b);
        break;
    case CLOSEFROM:
        for (unsigned fd = (unsigned)a->a; fd < atomic_load(&px_proc->fds); fd++)
            session_forking_dup(-1, (int)fd);
        break;
    case CHDIR:
    case FCHDIR:
        break;
    }
}

typedef int (*spawner)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const[], char *const[]);

static int spawn(spawner next, pid_t *pid, const char *name,
                 const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const argv[], char *const envp[])
{
    bool known = actions && actions->__used > 0 && is_known();
    pid_t child = -1;
    struct env e;

    preload_forking();
    for (int i = 0; known && i < actions->__used; i++)
        follow(&actions_of(actions)[i]);
    char *const *env = env_make(&e, envp, session_forking_record());
    int rc = next(&child, name, actions, attributes, argv, env);
    preload_fork_over(rc == 0 ? child : -1);
    env_drop(&e);
    if (rc == 0 && pid)
        *pid = child;
    return rc;
}

WRAPPER(int, posix_spawn,
        (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
         const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]))
{
    if (!px_session)
        return NEXT(posix_spawn)(pid, path, actions, attributes, argv, (char *const *)envp);
    look_at(path, false);
    return spawn(&NEXT(posix_spawn), pid, path, actions, attributes, argv, envp);
}

WRAPPER(int, posix_spawnp,
        (pid_t * pid, const char *name, const posix_spawn_file_actions_t *actions,
         const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]))
{
    char path[PATH_MAX];

    if (!px_session)
        return NEXT(posix_spawnp)(pid, name, actions, attributes, argv, (char *const *)envp);
    look_at(search(name, path, sizeof(path)), false);
    return spawn(&NEXT(posix_spawnp), pid, name, actions, attributes, argv, envp);
}
