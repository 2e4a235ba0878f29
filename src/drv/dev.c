/* Kinds of devices, and where those that are modules are found. */
#define _GNU_SOURCE
#include "drv/dev.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drv/drv_int.h"

#define PATH_BYTES 512u
#define BUILD_TREE_DEPTH 4u

static const struct {
    const char *name, *syntax;
    const struct dev_kind *kind; /* NULL: a module */
} kinds[] = {
    {"tap", "tap:IFNAME[,no-offload]", &dev_kind_tap},
    {"xdp", "xdp:IFNAME[,OPTION]...", NULL},
    {"packet", "packet:IFNAME[,OPTION]...", &dev_kind_packet},
    {"dpdk", "dpdk:DEVICE[,DEVARG]...", NULL},
    {"shm", "shm:PATH:0|1", &dev_kind_shm},
};

/* ---- modules --------------------------------------------------------------------------- */

/* The directory of a path, without its last slash; "" if there is none. */
static void cut_last(char *path)
{
    char *slash = strrchr(path, '/');

    *(slash ? slash : path) = '\0';
}

/* A program in the tree where it was built finds the modules built with it: a directory above its
 * own has src/millrace-KIND.so. */
static bool in_build_tree(const char *file, char *path, size_t n)
{
    char dir[PATH_BYTES];
    ssize_t len = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

    if (len <= 0)
        return false;
    dir[len] = '\0';
    for (unsigned i = 0; i < BUILD_TREE_DEPTH; i++) {
        cut_last(dir);
        if (!dir[0])
            return false;
        snprintf(path, n, "%s/src/%s", dir, file);
        if (access(path, R_OK) == 0)
            return true;
    }
    return false;
}

/* Where the module is: what MILLRACE_MODULES says, the tree of the program, where it was installed.
 */
static void place(const char *name, char *path, size_t n)
{
    const char *given = getenv("MILLRACE_MODULES");
    char file[40];

    snprintf(file, sizeof(file), "millrace-%s.so", name);
    if (given && given[0])
        snprintf(path, n, "%s/%s", given, file);
    else if (!in_build_tree(file, path, n))
        snprintf(path, n, "%s/%s", MODULE_DIR, file);
}

static const struct dev_kind *load(const char *name, char *why, size_t n)
{
    char path[PATH_BYTES + 64];

    place(name, path, sizeof(path));
    if (access(path, R_OK) != 0) {
        snprintf(why, n,
                 "%s: this build has no %s (%s is not there; it is built where the library is "
                 "installed)",
                 name, name, path);
        return NULL;
    }
    /* Stays until the process ends. */
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct dev_module *m = lib ? dlsym(lib, DEV_MODULE_SYMBOL) : NULL;
    if (!m) {
        snprintf(why, n, "%s: %s", name, dlerror());
        return NULL;
    }
    if (m->abi != DEV_ABI) {
        snprintf(why, n, "%s: %s is of another version of Millrace", name, path);
        return NULL;
    }
    m->bind(mr_panic);
    return m->kind;
}

/* ---- names ----------------------------------------------------------------------------- */

static const struct {
    const char *older, *name;
} synonyms[] = {{"wire", "shm"}};

static bool is_name(const char *spec, size_t n, const char *name)
{
    return strlen(name) == n && memcmp(spec, name, n) == 0;
}

/* The index of the spec's kind, and what follows in *rest; -1. */
static int find(const char *spec, const char **rest)
{
    size_t n = strcspn(spec, ":");
    const char *word = spec;

    *rest = spec[n] == ':' ? spec + n + 1 : spec + n;
    for (size_t i = 0; i < ARRAY_LEN(synonyms); i++)
        if (is_name(spec, n, synonyms[i].older)) {
            word = synonyms[i].name;
            n = strlen(word);
        }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (is_name(word, n, kinds[i].name))
            return (int)i;
    return -1;
}

bool dev_spec_is_good(const char *spec)
{
    const char *rest;

    return find(spec, &rest) >= 0 && rest[0] != '\0';
}

const struct dev_kind *dev_find(const char *spec, const char **name, char *why, size_t n)
{
    int i = find(spec, name);

    if (i < 0)
        snprintf(why, n, "'%.80s' names no kind of device", spec);
    else if ((*name)[0] == '\0')
        snprintf(why, n, "'%.80s': say which device: %s", spec, kinds[i].syntax);
    else
        return kinds[i].kind ? kinds[i].kind : load(kinds[i].name, why, n);
    return NULL;
}

const char *dev_syntax(unsigned i)
{
    return i < ARRAY_LEN(kinds) ? kinds[i].syntax : NULL;
}
