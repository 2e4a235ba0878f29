/* millrace: programs that know nothing of Millrace, on it. */
#include <stdio.h>
#include <string.h>

#include "tools/run.h"

#include <millrace/millrace.h>

static const char help[] =
    "usage: millrace run [options] [--] PROGRAM [ARGUMENT]...\n"
    "       millrace why [--control PATH | PID]\n"
    "Runs programs on Millrace's TCP/IP stack, unmodified, and tells what of them runs there.\n"
    "  run     start a program; its children are included\n"
    "  why     which descriptors are accelerated, which are not, and the reason\n"
    "--help after either word has its options.\n";

static const struct {
    const char *word;
    char *name;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"run", (char[]){"millrace run"}, run_main},
    {"why", (char[]){"millrace why"}, why_main},
};

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    for (size_t i = 0; word && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(word, commands[i].word) == 0) {
            argv[1] = commands[i].name;
            return commands[i].main(argc - 1, argv + 1);
        }
    if (word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
        fputs(help, stdout);
        return 0;
    }
    if (word && strcmp(word, "--version") == 0) {
        puts("millrace " MR_VERSION);
        return 0;
    }
    if (word)
        fprintf(stderr, "millrace: '%s' is neither run nor why (--help)\n", word);
    else
        fputs(help, stderr);
    return 2;
}
