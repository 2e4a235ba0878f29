/* Questions from threads that are no core.
 *
 *     a thread: queue, knock, wait  -->  the core: questions_take, sdn_ask
 *               go on               <--            sdn_next_answered, questions_answer
 *
 * The question and the place where its asker waits are the asker's; the core touches them only
 * between the two, and no more once questions_end has refused what is left. */
#include "ofd/ofd_int.h"

void questions_init(struct questions *qs)
{
    *qs = (struct questions){.lock = PTHREAD_MUTEX_INITIALIZER};
    qs->end = &qs->first;
}

void questions_begin(struct questions *qs, struct mr *m)
{
    pthread_mutex_lock(&qs->lock);
    qs->m = m;
    bool waits = qs->first != NULL;
    pthread_mutex_unlock(&qs->lock);
    if (waits)
        mr_knock(m);
}

static void settle(struct question *w, int state)
{
    w->state = state;
    pthread_cond_signal(&w->answered);
}

void questions_end(struct questions *qs)
{
    pthread_mutex_lock(&qs->lock);
    qs->over = true;
    for (struct question *w = qs->first, *next; w; w = next) {
        next = w->next;
        settle(w, ASK_REFUSED);
    }
    for (struct question *w = qs->taken, *next; w; w = next) {
        next = w->next;
        settle(w, ASK_REFUSED);
    }
    qs->first = qs->taken = NULL;
    qs->end = &qs->first;
    pthread_mutex_unlock(&qs->lock);
}

bool ofd_ask(void *ofd, unsigned core, struct sdn_ask *q)
{
    struct questions *qs = &((struct ofd *)ofd)->questions[core];
    struct question w = {.q = q, .answered = PTHREAD_COND_INITIALIZER};
    void *owner = q->owner;

    if (core >= ((struct ofd *)ofd)->cores)
        return false;
    q->owner = &w;
    pthread_mutex_lock(&qs->lock);
    if (!qs->over) {
        *qs->end = &w;
        qs->end = &w.next;
        if (qs->m)
            mr_knock(qs->m);
        while (w.state == ASK_OPEN)
            pthread_cond_wait(&w.answered, &qs->lock);
    }
    pthread_mutex_unlock(&qs->lock);
    pthread_cond_destroy(&w.answered);
    q->owner = owner;
    return w.state == ASK_ANSWERED;
}

/* ---- the core's side ------------------------------------------------------------------ */

static struct questions *of_core(struct ofd_core *c)
{
    return &c->ofd->questions[c->index];
}

void questions_take(struct ofd_core *c)
{
    struct questions *qs = of_core(c);
    struct question *w;

    do {
        pthread_mutex_lock(&qs->lock);
        w = qs->first;
        if (w) {
            qs->first = w->next;
            if (!qs->first)
                qs->end = &qs->first;
            w->next = qs->taken;
            qs->taken = w;
        }
        pthread_mutex_unlock(&qs->lock);
        if (w) {
            c->stats.questions++;
            sdn_ask(c->sdn, w->q, c->now);
        }
    } while (w);
}

static void forget(struct questions *qs, const struct question *w)
{
    struct question **at = &qs->taken;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

void questions_answer(struct ofd_core *c)
{
    struct questions *qs = of_core(c);
    struct sdn_ask *q;

    while ((q = sdn_next_answered(c->sdn))) {
        struct question *w = q->owner;
        pthread_mutex_lock(&qs->lock);
        forget(qs, w);
        settle(w, ASK_ANSWERED);
        pthread_mutex_unlock(&qs->lock);
    }
}
