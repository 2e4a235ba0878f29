/* preload/exec: what is started, and with which environment: inside exec.c and spawn.c. */
#pragma once

#include "preload/call.h"

#define ENV_TEXT 8192
#define ENV_SESSION 40

/* What a program is started with; on the stack of the call. */
struct env {
    char **at; /* what it is given */
    size_t bytes;
    char session[ENV_SESSION + 16];
    char text[ENV_TEXT]; /* its LD_PRELOAD, where it had one of its own */
};

/* A copy of `given` that names the library, the session, and a record in it (-1: none).  Without a
 * session, `given`. */
char *const *env_make(struct env *e, char *const given[], int record);
void env_drop(struct env *e);

/* Say so if it cannot be preloaded.  becomes: this process itself will be it. */
void look_at(const char *path, bool becomes);
/* The first file of that name in PATH, as execvp looks for it; else the name. */
const char *search(const char *name, char *path, size_t n);
