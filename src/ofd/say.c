/* Lines on stderr, and not too many of them: peers cause them. */
#include <stdarg.h>
#include <stdio.h>

#include "ofd/ofd_int.h"

#define LINES_A_SECOND 50u

void ofd_say(struct ofd_core *c, const char *how, ...)
{
    char line[400];
    va_list args;

    if (c->ofd->config.quiet)
        return;
    if (c->now - c->say_at >= USEC_PER_SEC) {
        c->say_at = c->now;
        c->say_left = LINES_A_SECOND;
        if (c->unsaid)
            fprintf(stderr, "%s: %llu lines more were not written\n", c->ofd->config.name,
                    (unsigned long long)c->unsaid);
        c->unsaid = 0;
    }
    if (c->say_left == 0) {
        c->unsaid++;
        c->stats.lines_lost++;
        return;
    }
    c->say_left--;
    va_start(args, how);
    vsnprintf(line, sizeof(line), how, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", c->ofd->config.name, line);
}
