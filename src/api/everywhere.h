/* api/everywhere: listeners that one call opens on every core.
 *
 * THEORY OF OPERATION
 *
 * The core of the call opens its own listener and keeps a record; every other core is told by
 * letter and opens one of its own, under a name made of the core of the call and the record's
 * place.
 * Options and the end are told the same way.  What a full ring did not take stays marked in the
 * record and is said after a later turn; a record is given up when everybody has heard the end. */
#pragma once

#include <millrace/millrace.h>

#include "stack/stack.h"

#define EVERYWHERE_MAX 64u
#define EVERYWHERE_OPTS 32u
_Static_assert(MR_OPT_LAST < EVERYWHERE_OPTS, "an option is a bit");

struct everywhere_own { /* opened here */
    mr_sock sock;
    struct mr_addr addr;
    void *user;
    uint32_t backlog;
    bool used, over;
    uint8_t gen;
    uint64_t open_todo, close_todo; /* cores still to be told */
    uint64_t opt_todo[EVERYWHERE_OPTS];
    int64_t opt[EVERYWHERE_OPTS];
};

struct everywhere_guest { /* opened here for another core's record */
    mr_sock sock;
    uint32_t name;
    uint8_t from;
    bool used;
};

struct everywhere {
    struct stack *stack; /* borrowed */
    bool busy;           /* something is still to be told */
    struct everywhere_own own[EVERYWHERE_MAX];
    struct everywhere_guest guest[EVERYWHERE_MAX * 4];
};

void everywhere_init(struct everywhere *e, struct stack *s);
/* As mr_listen. */
int everywhere_listen(struct everywhere *e, const struct mr_addr *local,
                      const struct mr_listen_opts *o, mr_sock *out);
/* h was given an option, or was closed: if it is one of ours, the others hear of it. */
void everywhere_option(struct everywhere *e, mr_sock h, enum mr_opt opt, int64_t value);
void everywhere_closed(struct everywhere *e, mr_sock h);
/* MAIL_LISTEN, MAIL_LISTEN_OPT, MAIL_UNLISTEN. */
void everywhere_letter(struct everywhere *e, const struct letter *l);
/* Say what is still to be said. */
void everywhere_flush(struct everywhere *e);
