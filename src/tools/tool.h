/* What the programs share: their command lines and exit codes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <millrace/millrace.h>

enum tool_kind {
    TOOL_FLAG, /* bool, no value */
    TOOL_U32,  /* uint32_t from min to max; a suffix k, M or G multiplies by 1000s */
    TOOL_U64,
    TOOL_SIZE,  /* uint64_t; k, M and G are powers of 1024 */
    TOOL_TEXT,  /* const char *, not empty */
    TOOL_ADDR,  /* struct mr_addr with a port */
    TOOL_ADDRS, /* struct tool_addrs; may be given often */
};

struct tool_addrs {
    struct mr_addr *at; /* borrowed; max of them */
    size_t n, max;
};

struct tool_opt {
    const char *name; /* "--port" */
    enum tool_kind kind;
    void *out;
    uint64_t min, max;
};

#define TOOL_GO_ON (-1)

/* Read the command line: the network options every program has, --help,
 * --version, and opts.  words (may be NULL) takes up to *n_words arguments that
 * are no options.  TOOL_GO_ON, or the status to exit with: 0 after help or
 * version, 2 after one line on stderr. */
int tool_options(struct mr_config *c, int argc, char **argv, const struct tool_opt *opts, size_t n,
                 const char *usage, const char **words, int *n_words);

/* One line on stderr; returns 2. */
int tool_refuse(const char *name, const char *how, ...) __attribute__((format(printf, 2, 3)));

/* The exit code for what mr_run returned: 0, 2 for a configuration that cannot work, else 1. */
int tool_exit_code(int err);
