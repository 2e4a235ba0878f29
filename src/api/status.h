/* api/status: what a core of ours tells about itself, as JSON.
 *
 * The control socket, mr_status_json and /status pages all come here.  Every counter of every
 * layer is there, zero or not, under the name its room's list gives it. */
#pragma once

#include <millrace/millrace.h>

#include "stack/stack.h"

struct status_source {
    struct stack *stack;
    const char *program;      /* NULL: nothing is said of the program and its loop */
    const struct mr_app *app; /* may be NULL; its status becomes "app" */
    void *core_state;
    const struct pkt_pool *rx_pool;  /* the port's; may be NULL */
    uint64_t turns, busy_turns;      /* of the loop */
    uint64_t captured, capture_lost; /* frames */
};

/* All but the connections, one object.  Its length; 0 if it does not fit. */
size_t status_print(const struct status_source *s, char *buf, size_t n);

/* Up to count connections from slot `from` on: {"connections":[...],"next":SLOT}, next null at
 * the end.  A page looks at a bounded number of slots, so it may be short, or empty, and not be the
 * last. */
size_t status_conns(const struct status_source *s, uint32_t from, uint32_t count, char *buf,
                    size_t n);

/* The answer to a question on the control socket: "status", "conns FROM COUNT". */
size_t status_answer(const struct status_source *s, const char *question, char *buf, size_t n);
