/* scenario: plays packetdrill scripts against the pure stack; one TAP point each.
 *
 *   scenario [-v] SCRIPT...
 *
 * -v prints every packet.  Each script runs in a process of its own, so that one that stops the
 * stack costs one point. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/panic.h"
#include "run.h"

#define SECONDS_MAX 20

_Noreturn void mr_panic(const char *file, int line, const char *what)
{
    printf("# panic at %s\n#   %s:%d: %s\n", run_where(), file, line, what);
    fflush(stdout);
    abort();
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t n = 0, room = 0;

    if (f == NULL)
        return NULL;
    do {
        char *grown = realloc(text, room + 65536);

        if (grown == NULL)
            break;
        text = grown;
        room += 65536;
        n += fread(text + n, 1, room - n - 1, f);
    } while (n == room - 1);
    fclose(f);
    if (text != NULL)
        text[n] = 0;
    return text;
}

/* Lines for people, as TAP comments. */
static void print_comment(const char *text)
{
    while (*text != 0) {
        int n = (int)strcspn(text, "\n");

        printf("#   %.*s\n", n, text);
        text += n + (text[n] != 0);
    }
}

static int play(const char *path, bool verbose)
{
    static struct run_report report;
    char *text = read_file(path);

    if (text == NULL) {
        printf("#   %s: %s\n", path, strerror(errno));
        return 1;
    }
    run_script(path, text, verbose, &report);
    free(text);
    print_comment(report.text);
    return report.ok ? 0 : 1;
}

/* The script's name as a sentence: no folder, no ".pkt", spaces for hyphens. */
static void print_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *dot = strstr(name, ".pkt");

    for (; *name != 0 && name != dot; name++)
        putchar(*name == '-' ? ' ' : *name);
}

static bool play_alone(const char *path, bool verbose)
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        int rc;

        alarm(SECONDS_MAX);
        rc = play(path, verbose);
        fflush(stdout);
        exit(rc);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFSIGNALED(status))
        printf("#   %s: signal %d\n", path, WTERMSIG(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    int first = 1, failed = 0;
    bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;

    first += verbose;
    if (first >= argc) {
        fprintf(stderr, "usage: scenario [-v] SCRIPT...\n");
        return 2;
    }
    printf("1..%d\n", argc - first);
    for (int i = first; i < argc; i++) {
        bool ok = play_alone(argv[i], verbose);

        failed += !ok;
        printf("%s %d - ", ok ? "ok" : "not ok", i - first + 1);
        print_name(argv[i]);
        putchar('\n');
    }
    return failed > 0 ? 1 : 0;
}
