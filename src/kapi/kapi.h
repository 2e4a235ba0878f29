/* The public API on the kernel's sockets: the baseline of every comparison.
 *
 * THEORY OF OPERATION
 *
 * One context is one epoll set and one thread.  Every descriptor is
 * non-blocking and registered once, edge-triggered, for everything; the set
 * reports a handle, so news for a socket that is gone is recognised by its
 * generation.
 *
 *     kapi_turn          write what was queued, call release callbacks,
 *                        epoll_pwait2, note per socket what happened
 *     kapi_next_event    hand the notes out, one at a time, then due timers
 *
 * A socket is in the list of news at most once, with a set of pending event
 * types, so the list is bounded by the number of sockets.  What happens while
 * events are handed out is delivered by the next turn, so a turn ends.
 *
 * Sends are gathered: mr_send copies small pieces and mr_send_give notes
 * references; both go out in one sendmsg when the burst of events has been
 * handled.  A give is released when the kernel has copied it.  Slices are
 * pool buffers that recv filled.
 *
 * Not available here: MR_URGENT_LEFT (the kernel does not tell) and the
 * options of mr_config that describe a stack of our own. */
#pragma once

#include <millrace/millrace.h>

/* Run app on kernel sockets until mr_stop, SIGINT or SIGTERM.  0, what init
 * returned, or an error after one line on stderr.  One call a process at a
 * time: the signal handlers are the process's. */
int kapi_run(const struct mr_config *c, const struct mr_app *app);

/* The parts of kapi_run, for tests and for programs with a loop of their own.
 * kapi_open returns NULL where the kernel refuses a descriptor or memory. */
struct mr *kapi_open(const struct mr_config *c);
void kapi_close(struct mr *m);

/* Write what is queued, then wait at most max_wait_us for news.  0, or an error. */
int kapi_turn(struct mr *m, uint64_t max_wait_us);

/* Take one event of the last turn; false when there is none left. */
bool kapi_next_event(struct mr *m, struct mr_event *ev);
