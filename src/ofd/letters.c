/* Letters between cores. */
#include "ofd/ofd_int.h"

#define LETTERS_MAX 512u /* a turn */

void letters_read(struct ofd_core *c)
{
    unsigned from;
    int64_t n;

    for (unsigned i = 0; i < LETTERS_MAX; i++) {
        n = mr_letter(c->m, c->letter, sizeof(c->letter), &from);
        if (n <= 0)
            return;
        sdn_letter(c->sdn, from, c->letter, (size_t)n, c->now);
    }
    core_again(c);
}

/* Who takes none now is tried again after the next event, or by the timer (core.c): a core under
 * load comes to its timer late. */
void letters_post(struct ofd_core *c)
{
    struct sdn_letter l;

    c->blocked = 0;
    while (sdn_letter_next(c->sdn, c->blocked, &l)) {
        int rc = mr_post(c->m, l.to, l.p, l.n);
        if (rc == MR_EAGAIN)
            c->blocked |= UINT64_C(1) << l.to;
        else
            sdn_letter_done(c->sdn, l.to);
        MR_ASSERT(rc == MR_OK || rc == MR_EAGAIN);
    }
}
