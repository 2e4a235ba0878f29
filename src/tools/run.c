/* `millrace run`: make a session, leave a janitor, become the program. */
#include "tools/run.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/port.h"
#include "preload/preload.h"
#include "tools/tool.h"

#define LIBRARY "libmillrace-preload.so"
#define WHY_BYTES (PATH_MAX + 300)
/* What shells say of a program that could not be started. */
#define CANNOT_RUN 126
#define NOT_FOUND 127

static const char usage[] =
    "usage: millrace run [options] [network options] [--] PROGRAM [ARGUMENT]...\n"
    "Runs PROGRAM, and whatever it starts, on Millrace's TCP/IP stack instead of the kernel's.\n"
    "What our stack does not reach, loopback first of all, stays the kernel's.\n"
    "  --slots N            most stacks: as many threads have one of their own, more share\n"
    "                       (default: 4 a processor, 8 to 16)\n"
    "  --only NET/LEN       only these destinations are ours; may be given often\n"
    "  --kernel NET/LEN     these destinations are the kernel's; may be given often\n"
    "  --library FILE       " LIBRARY ", if it is not where it was built or installed\n"
    "                       (also MILLRACE_LIBRARY)\n"
    "  --quiet              do not tell what is fast and slow of the device\n"
    "It ends with PROGRAM's own status; 2: an option or the device is not good; 126: PROGRAM\n"
    "cannot be run this way; 127: it is not there.\n";

struct options {
    struct px_session_config session;
    unsigned kernel, only;
    const char *library;
    bool quiet;
    char **program;
};

struct library {
    __typeof__(&mr_preload_create) create;
    __typeof__(&mr_preload_janitor) janitor;
    __typeof__(&mr_preload_check) check;
    __typeof__(&mr_preload_environment) environment;
};

/* ---- options --------------------------------------------------------------------------------- */

static int take_net(const char *option, const char **list, unsigned *n, const char *value)
{
    if (*n + 1 >= PX_NETS)
        return tool_refuse("millrace run", "%s may be given at most %u times", option, PX_NETS - 1);
    list[(*n)++] = value;
    return TOOL_GO_ON;
}

static int take_slots(struct options *o, const char *value)
{
    char *end;
    unsigned long v = strtoul(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end || v < 1 || v > PX_SLOTS_MAX)
        return tool_refuse("millrace run", "--slots wants a number from 1 to %u, not '%s'",
                           PX_SLOTS_MAX, value);
    o->session.slots = (unsigned)v;
    return TOOL_GO_ON;
}

/* The value of option argv[*i], if it is called name; NULL: it is not.  "": it lacks one. */
static const char *value_of(const char *name, int argc, char **argv, int *i)
{
    size_t n = strlen(name);

    if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] && argv[*i][n] != '='))
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    return *i + 1 < argc ? argv[++*i] : "";
}

static int take_own(struct options *o, int argc, char **argv, int *i)
{
    static const char *const names[] = {"--slots", "--only", "--kernel", "--library"};
    const char *value = NULL;
    unsigned k;

    for (k = 0; k < sizeof(names) / sizeof(names[0]) && !value; k++)
        value = value_of(names[k], argc, argv, i);
    if (!value)
        return tool_refuse(argv[0], "no option is called '%s' (--help lists them)", argv[*i]);
    if (!value[0])
        return tool_refuse(argv[0], "%s wants a value", names[k - 1]);
    switch (k - 1) {
    case 0:
        return take_slots(o, value);
    case 1:
        return take_net(names[1], o->session.only, &o->only, value);
    case 2:
        return take_net(names[2], o->session.kernel, &o->kernel, value);
    default:
        o->library = value;
        return TOOL_GO_ON;
    }
}

static int check_options(struct options *o)
{
    if (!o->program)
        return tool_refuse("millrace run", "which program? (--help)");
    if (strcmp(o->session.net.dev, "kernel") == 0)
        return tool_refuse("millrace run", "--dev says on which device (--help)");
    return TOOL_GO_ON;
}

static int take_options(struct options *o, int argc, char **argv)
{
    int status = TOOL_GO_ON;

    for (int i = 1; i < argc && status == TOOL_GO_ON; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("%s%s", usage, mr_config_help());
            return 0;
        }
        if (strcmp(argv[i], "--") == 0 || argv[i][0] != '-') {
            i += strcmp(argv[i], "--") == 0;
            o->program = i < argc ? argv + i : NULL;
            break;
        }
        if (strcmp(argv[i], "--quiet") == 0) {
            o->quiet = true;
            continue;
        }
        int taken = mr_config_option(&o->session.net, argc, argv, &i);
        if (taken < 0)
            return 2;
        if (taken == 0)
            status = take_own(o, argc, argv, &i);
    }
    return status == TOOL_GO_ON ? check_options(o) : status;
}

/* ---- the library ----------------------------------------------------------------------------- */

/* Beside the program where it was built, or where both were installed. */
static void place(const struct options *o, char *path, size_t n)
{
    static const char *const beside[] = {"/../" LIBRARY, "/../src/" LIBRARY, "/" LIBRARY};
    const char *given = o->library ? o->library : getenv("MILLRACE_LIBRARY");
    char dir[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

    if (given && given[0]) {
        snprintf(path, n, "%s", given);
        return;
    }
    dir[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = '\0';
    for (unsigned i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
        snprintf(path, n, "%s%s", dir, beside[i]);
        if (access(path, R_OK) == 0)
            return;
    }
    snprintf(path, n, "%s/%s", MODULE_DIR, LIBRARY);
}

static void *symbol(void *lib, const char *name)
{
    void *found = dlsym(lib, name);

    if (!found)
        tool_refuse("millrace run", "%s", dlerror());
    return found;
}

/* LD_PRELOAD has blanks and colons between names, and programs change directory. */
static bool load(const struct options *o, struct library *l)
{
    char at[PATH_MAX + 64], path[PATH_MAX];
    void *lib;

    place(o, at, sizeof(at));
    if (!realpath(at, path) || !(lib = dlopen(path, RTLD_NOW | RTLD_LOCAL))) {
        tool_refuse("millrace run", "%s: %s", at, errno == ENOENT ? strerror(ENOENT) : dlerror());
        return false;
    }
    if (strpbrk(path, " :")) {
        tool_refuse("millrace run", "%s: LD_PRELOAD can name no file with a blank or a colon",
                    path);
        return false;
    }
    l->create = (__typeof__(l->create))(uintptr_t)symbol(lib, "mr_preload_create");
    l->janitor = (__typeof__(l->janitor))(uintptr_t)symbol(lib, "mr_preload_janitor");
    l->check = (__typeof__(l->check))(uintptr_t)symbol(lib, "mr_preload_check");
    l->environment = (__typeof__(l->environment))(uintptr_t)symbol(lib, "mr_preload_environment");
    return l->create && l->janitor && l->check && l->environment;
}

/* ---- the program ----------------------------------------------------------------------------- */

/* 0: it is a file that may be run; else the status to end with, its reason told. */
static int judge_file(const char *name, const char *path, bool tell)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        if (tell)
            tool_refuse("millrace run", "%s: %s", name, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? NOT_FOUND : CANNOT_RUN;
    }
    if (S_ISREG(st.st_mode) && access(path, X_OK) == 0)
        return 0;
    if (tell)
        tool_refuse("millrace run", "%s: %s", path,
                    S_ISDIR(st.st_mode) ? strerror(EISDIR) : "may not be executed");
    return CANNOT_RUN;
}

/* The program's path, as execvp would find it; 0, or the status to end with. */
static int find_program(const char *name, char *path, size_t n)
{
    const char *at = getenv("PATH");
    int status = NOT_FOUND;

    if (strchr(name, '/')) {
        snprintf(path, n, "%s", name);
        return judge_file(name, path, true);
    }
    for (at = at ? at : "/bin:/usr/bin"; *at; at += *at == ':') {
        size_t len = strcspn(at, ":");
        snprintf(path, n, "%.*s%s%s", (int)len, at, len ? "/" : "", name);
        int verdict = judge_file(name, path, false);
        if (verdict == 0)
            return 0;
        if (verdict == CANNOT_RUN)
            status = CANNOT_RUN;
        at += len;
    }
    tool_refuse("millrace run", "%s: %s", name,
                status == NOT_FOUND ? "no such program in PATH" : "may not be executed");
    return status;
}

static int leave_janitor(const struct library *l)
{
    pid_t pid = fork();
    int status = 1;

    if (pid == 0)
        _exit(l->janitor() < 0);
    if (pid < 0)
        return tool_refuse("millrace run", "fork: %s", strerror(errno));
    waitpid(pid, &status, 0);
    return status == 0 ? 0 : tool_refuse("millrace run", "the session has no janitor");
}

/* Same process, same terminal, same status: from here on we are it. */
static int become(const struct library *l, const char *path, char **argv)
{
    char preload[2 * PATH_MAX], session[32];

    l->environment(preload, sizeof(preload), session, sizeof(session));
    if (setenv("LD_PRELOAD", preload, 1) < 0 || setenv("MILLRACE_SESSION", session, 1) < 0)
        return tool_refuse("millrace run", "%s", strerror(errno));
    /* Without its own #! line a text is the shell's, as execvp has it. */
    execvp(strchr(argv[0], '/') ? path : argv[0], argv);
    int error = errno;
    tool_refuse("millrace run", "%s: %s", path, strerror(error));
    return error == ENOENT ? NOT_FOUND : CANNOT_RUN;
}

int run_main(int argc, char **argv)
{
    struct options o = {0};
    char why[WHY_BYTES] = "", path[PATH_MAX];
    struct library l;
    int status;

    mr_config_init(&o.session.net);
    status = take_options(&o, argc, argv);
    if (status != TOOL_GO_ON)
        return status;
    status = find_program(o.program[0], path, sizeof(path));
    if (status != 0)
        return status;
    if (!load(&o, &l))
        return 2;
    if (l.check(path, why, sizeof(why)) != PX_NOTE_NONE) {
        tool_refuse(argv[0], "%s", why);
        return CANNOT_RUN;
    }
    why[0] = '\0';
    int err = l.create(&o.session, why, sizeof(why));
    if (err < 0) {
        tool_refuse(argv[0], "%s", why[0] ? why : strerror(-err));
        return tool_exit_code(err);
    }
    /* The session's memory lies in this process, too. */
    if (!o.quiet)
        host_port_tell(((const struct px_session *)PX_BASE)->nic, "millrace run",
                       o.session.net.dev);
    status = leave_janitor(&l);
    return status ? status : become(&l, path, o.program);
}
