/* host: a program on a stack of our own, on this machine.
 *
 * THEORY OF OPERATION
 *
 * host_run reserves the memory that the limits name, opens the port, sets the stack up and turns
 * it:
 *
 *     busy                 turn after turn
 *     nothing to do        look for spin_us longer: a packet that comes now costs no wake-up
 *     still nothing        sleep on the port's descriptor, the control socket and the stop signal
 *                          until the stack's next deadline; without one, for ever
 *
 * so an idle program uses no processor at all.  SIGINT or SIGTERM end it in order: the
 * application's fini runs, what is queued gets a second to go out, then the rest is reset.  A
 * second signal does not wait.
 *
 * One core a process for now; everything above os is per core already. */
#pragma once

#include <millrace/millrace.h>

/* Run app on the port that c->net names, until it stops.  0, or an error after one line on stderr;
 * MR_EINVAL, MR_ENETDOWN, MR_EACCES: the configuration cannot work (exit status 2). */
int host_run(const struct mr_config *c, const struct mr_app *app);
