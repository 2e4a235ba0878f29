/* `millrace why`: which descriptors are accelerated, which are not, and the reason. */
#include "tools/run.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"
#include "tools/jtree.h"
#include "tools/tool.h"

#include <millrace/millrace.h>

#define PATH_BYTES 256
#define ANSWER_BYTES ((size_t)1 << 20)

static const char usage[] =
    "usage: millrace why [options] [PID]\n"
    "What programs run by `millrace run` have of it: every socket, ours or the kernel's, and why.\n"
    "PID: only that process; without it all processes of all sessions.\n"
    "  --control PATH       this session only\n"
    "  --json               the answers as they come, one JSON document a line\n"
    "  -h, --help           this text\n"
    "      --version\n";

struct question {
    const char *control;
    long pid; /* 0: all */
    bool json;
    unsigned processes, ours, kernels; /* told so far */
};

/* ---- one answer ------------------------------------------------------------------------------ */

struct answer {
    char *text; /* owned */
    struct jtree tree;
};

static void drop(struct answer *a)
{
    jtree_fini(&a->tree);
    free(a->text);
    *a = (struct answer){0};
}

/* False: the other side has gone, or is no session. */
static bool ask(int fd, uint64_t process, uint64_t descriptor, struct answer *a)
{
    char line[64];
    size_t n = 0;
    int len = snprintf(line, sizeof(line), "why %llu %llu\n", (unsigned long long)process,
                       (unsigned long long)descriptor);

    *a = (struct answer){.text = malloc(ANSWER_BYTES)};
    bool good = a->text && os_write_all(fd, line, (size_t)len) == 0;
    while (good && (n == 0 || a->text[n - 1] != '\n')) {
        ssize_t got = read(fd, a->text + n, ANSWER_BYTES - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        good = got > 0 && (n += (size_t)got) < ANSWER_BYTES - 1;
    }
    if (good) {
        a->text[--n] = '\0';
        good = jtree_parse(&a->tree, a->text, n);
    }
    if (!good)
        drop(a);
    return good;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_text(const struct jtree *t, uint32_t at, const char *key, int width)
{
    int n;
    const char *text = jtree_str(t, at, key, &n);

    printf(" %-*.*s", width, n ? n : 1, n ? text : "-");
}

static void print_descriptor(struct question *q, const struct jtree *t, uint32_t at)
{
    const struct jnode *mine = &t->node[jtree_member(t, at, "ours")];
    bool ours = mine->len == 4;
    int n;

    printf("  %6llu", (unsigned long long)jtree_u64(t, at, "fd"));
    print_text(t, at, "kind", 10);
    print_text(t, at, "local", 21);
    print_text(t, at, "peer", 21);
    print_text(t, at, "state", 10);
    const char *why = jtree_str(t, at, "why", &n);
    printf(" %.*s\n", n, why);
    q->ours += ours;
    jtree_str(t, at, "kind", &n);
    q->kernels += n == 0;
}

static void print_process(struct question *q, const struct jtree *t, uint32_t at)
{
    uint32_t list = jtree_member(t, at, "descriptors");
    long pid = (long)jtree_u64(t, at, "pid");
    int n;

    if (q->pid && q->pid != pid)
        return;
    q->processes++;
    const char *name = jtree_str(t, at, "name", &n);
    printf("%.*s (%ld)", n, name, pid);
    const char *note = jtree_str(t, at, "note", &n);
    printf(n ? " %.*s\n" : "%.*s\n", n, note);
    if (jtree_first(t, list))
        printf("  %6s %-10s %-21s %-21s %-10s %s\n", "fd", "kind", "local", "peer", "state", "why");
    for (uint32_t i = jtree_first(t, list); i; i = jtree_next(t, list, i))
        print_descriptor(q, t, i);
}

/* Programs that the session had no room for do not stand among its processes. */
static void print_turned_away(const struct jtree *t)
{
    unsigned long long n = jtree_u64(t, 0, "turned_away"), room = jtree_u64(t, 0, "room");

    if (n)
        printf(
            "%llu process%s found no room in a session of %llu and ran on the kernel's sockets\n",
            n, n == 1 ? "" : "es", room);
}

static void print_answer(struct question *q, const struct answer *a)
{
    uint32_t list = jtree_member(&a->tree, 0, "processes");

    if (q->json) {
        puts(a->text);
        q->processes++;
        return;
    }
    for (uint32_t i = jtree_first(&a->tree, list); i; i = jtree_next(&a->tree, list, i))
        print_process(q, &a->tree, i);
}

/* All pages of a session's answer.  False: there is no session behind the socket. */
static bool ask_all(struct question *q, int fd)
{
    uint64_t process = 0, descriptor = 0;
    struct answer a;
    bool more = true;

    while (more) {
        if (!ask(fd, process, descriptor, &a))
            return false;
        more = jtree_member(&a.tree, 0, "next_process") != 0;
        process = jtree_u64(&a.tree, 0, "next_process");
        descriptor = jtree_u64(&a.tree, 0, "next_descriptor");
        if (!jtree_member(&a.tree, 0, "janitor")) {
            drop(&a);
            return false;
        }
        print_answer(q, &a);
        if (!more && !q->json)
            print_turned_away(&a.tree);
        drop(&a);
    }
    return true;
}

/* ---- finding sessions ------------------------------------------------------------------------ */

static unsigned look_in(struct question *q, const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned found = 0;

    while (d && (e = readdir(d))) {
        char path[PATH_BYTES + 64];
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, "millrace-", 9) != 0 || n < 15 || n >= PATH_BYTES ||
            strcmp(e->d_name + n - 5, ".sock") != 0)
            continue;
        if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
            continue;
        int fd = os_unix_connect(path);
        if (fd < 0)
            continue;
        found += ask_all(q, fd);
        os_close(fd);
    }
    if (d)
        closedir(d);
    return found;
}

static unsigned look_everywhere(struct question *q)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    unsigned found = look_in(q, "/tmp");

    return dir && strcmp(dir, "/tmp") != 0 ? found + look_in(q, dir) : found;
}

static int ask_one(struct question *q)
{
    int fd = os_unix_connect(q->control);

    if (fd < 0) {
        fprintf(stderr, "millrace why: %s: %s\n", q->control, strerror(-fd));
        return 1;
    }
    bool good = ask_all(q, fd);
    os_close(fd);
    if (!good)
        fprintf(stderr, "millrace why: %s: no session of `millrace run`\n", q->control);
    return good ? 0 : 1;
}

/* ---- the program ----------------------------------------------------------------------------- */

static int take_options(struct question *q, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *end;
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("millrace " MR_VERSION);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            q->json = true;
        } else if (strcmp(argv[i], "--control") == 0 && i + 1 < argc) {
            q->control = argv[++i];
        } else if (strncmp(argv[i], "--control=", 10) == 0) {
            q->control = argv[i] + 10;
        } else if (argv[i][0] == '-') {
            return tool_refuse(argv[0], "no option is called '%s' (--help lists them)", argv[i]);
        } else {
            q->pid = strtol(argv[i], &end, 10);
            if (*end || q->pid <= 0)
                return tool_refuse(argv[0], "'%s' is no process", argv[i]);
        }
    }
    return TOOL_GO_ON;
}

/* Does the process have our library? */
static bool has_library(long pid)
{
    char path[64], line[PATH_BYTES + 128];
    bool has = false;

    snprintf(path, sizeof(path), "/proc/%ld/maps", pid);
    FILE *f = fopen(path, "r");
    while (f && !has && fgets(line, sizeof(line), f))
        has = strstr(line, "libmillrace-preload") != NULL;
    if (f)
        fclose(f);
    return has;
}

/* No session that was found has it. */
static void tell_stranger(const struct question *q)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%ld", q->pid);
    if (access(path, F_OK) < 0)
        fprintf(stderr, "millrace why: there is no process %ld\n", q->pid);
    else if (!has_library(q->pid))
        fprintf(stderr,
                "millrace why: process %ld was not started by `millrace run`, or nothing "
                "could be preloaded into it\n",
                q->pid);
    else if (q->control)
        fprintf(stderr, "millrace why: process %ld is not of the session at %s\n", q->pid,
                q->control);
    else
        fprintf(stderr,
                "millrace why: process %ld has Millrace's library and is in no session that "
                "was found: its session had no room for it, is over, or has its control "
                "socket elsewhere (--control)\n",
                q->pid);
}

static int tell_totals(const struct question *q)
{
    if (q->processes == 0) {
        if (q->pid)
            tell_stranger(q);
        else
            fprintf(stderr, "millrace why: nothing is run by `millrace run`\n");
        return 1;
    }
    if (!q->json)
        printf("%u process%s: %u accelerated, %u the kernel's\n", q->processes,
               q->processes == 1 ? "" : "es", q->ours, q->kernels);
    return 0;
}

int why_main(int argc, char **argv)
{
    struct question q = {0};
    int status = take_options(&q, argc, argv);

    if (status != TOOL_GO_ON)
        return status;
    if (q.control) {
        status = ask_one(&q);
        if (status)
            return status;
    } else {
        look_everywhere(&q);
    }
    return tell_totals(&q);
}
