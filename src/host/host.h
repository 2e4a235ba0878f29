/* host: a program on a stack of our own, on this machine.
 *
 * THEORY OF OPERATION
 *
 * host_run opens the port with a queue for each core and starts a thread a core, pinned to its
 * processor.  Each reserves the memory that the limits name, sets its stack up and turns it:
 *
 *     busy                 turn after turn
 *     nothing to do        look for spin_us longer: a packet that comes now costs no wake-up
 *     still nothing        sleep on the queue's descriptor and the core's bell until the stack's
 *                          next deadline; without one, for ever
 *
 * so an idle program uses no processor at all.  The bell is rung by other cores who have written a
 * letter, and by the main thread, which is no core: it leads the others through their steps
 * (host_int.h), waits for the stop signal and answers the control socket.
 *
 * SIGINT or SIGTERM end it in order: the application's fini runs on one core after the other, what
 * is queued gets a second to go out, then the rest is reset.  A second signal does not wait. */
#pragma once

#include <millrace/millrace.h>

/* Run app on the port that c->dev names, until it stops.  0, or an error after one line on stderr;
 * MR_EINVAL, MR_ENETDOWN, MR_EACCES: the configuration cannot work (exit status 2). */
int host_run(const struct mr_config *c, const struct mr_app *app);
