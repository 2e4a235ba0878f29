/* api/native: the public API on a stack of our own.
 *
 * One native context wraps one stack.  The loop around it (shard, simulator, scenario runner) does,
 * at each turn:
 *
 *     stack_input(...)                       packets
 *     native_advance(n, now)                 time: stack_advance, and application timers
 *     while (native_event(m, &ev)) app->event(...)
 *     native_flush(n, now)                   released buffers go back; stack_output
 *     stack_tx(...)                          frames to the port
 *
 * The public mr_* calls work on native_mr(n). */
#pragma once

#include <millrace/millrace.h>

#include "api/post.h"
#include "stack/stack.h"

struct native; /* embeds struct mr (api/backend.h) first */

/* Bytes for native_init. */
size_t native_bytes(void);
struct native *native_init(void *memory, struct stack *s);
/* Whom the program may write to, and who wakes this core when somebody knocks: as post_init, before
 * the first turn.  Without: nobody, and nobody. */
void native_post_init(struct native *n, void *memory, struct post_bell bell);
struct mr *native_mr(struct native *n);
/* Cores that the program has written to and that sleep; forgets them. */
uint64_t native_take_wakes(struct native *n);
/* As post_asleep and post_awake. */
bool native_asleep(struct native *n);
void native_awake(struct native *n);
const struct post_stats *native_post_stats(const struct native *n);
/* A letter from another core's context, of one of the kinds that api reads. */
void native_letter(struct native *n, const struct letter *l, instant now);
/* As stack_set_law. */
void native_law_changed(struct native *n, const struct rss *law, instant now);
/* As stack_law_settled. */
void native_law_settled(struct native *n, instant now);
void native_advance(struct native *n, instant now);
bool native_event(struct native *n, struct mr_event *ev);
void native_flush(struct native *n, instant now);
/* As stack_deadline, application timers included. */
instant native_deadline(const struct native *n);
bool native_is_stopped(const struct native *n); /* mr_stop was called */
