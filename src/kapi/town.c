/* Listeners of every core: letters between contexts, in lists under a lock. */
#include <stdlib.h>
#include <string.h>

#include "kapi/kapi_int.h"
#include "os/os.h"

void ktown_wake(struct ktown *t)
{
    for (unsigned i = 0; i < t->cores; i++)
        os_bell_ring(t->core[i]->bell);
}

void ktown_ring(void *arg, uint64_t cores)
{
    const struct kapi *k = arg;

    if (k->town == NULL)
        os_bell_ring(k->bell);
    else
        for (; cores; cores &= cores - 1)
            os_bell_ring(k->town->core[__builtin_ctzll(cores)]->bell);
}

static void post(struct ktown *t, unsigned to, const struct kletter *what)
{
    struct kletter *l = malloc(sizeof(*l));

    /* As with any allocation here: a listener that is lost would be missed by nobody's error. */
    MR_ASSERT(l != NULL);
    *l = *what;
    l->next = NULL;
    *(t->letter[to] != NULL ? &t->letter_last[to]->next : &t->letter[to]) = l;
    t->letter_last[to] = l;
}

static void post_all(struct kapi *k, const struct kletter *what)
{
    struct ktown *t = k->town;

    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->cores; i++)
        if (i != k->base.core)
            post(t, i, what);
    pthread_mutex_unlock(&t->lock);
    ktown_wake(t);
}

static struct kletter *take_letters(struct kapi *k)
{
    struct ktown *t = k->town;
    struct kletter *l;

    pthread_mutex_lock(&t->lock);
    l = t->letter[k->base.core];
    t->letter[k->base.core] = NULL;
    pthread_mutex_unlock(&t->lock);
    return l;
}

/* ---- out ------------------------------------------------------------------------------- */

int ktown_listen(struct kapi *k, struct ksock *s, const struct mr_listen_opts *opts)
{
    struct ktown *t = k->town;

    pthread_mutex_lock(&t->lock);
    s->every = ++t->everys;
    pthread_mutex_unlock(&t->lock);
    post_all(k, &(struct kletter){.kind = KLETTER_LISTEN,
                                  .every = s->every,
                                  .local = s->listen,
                                  .backlog = opts->backlog,
                                  .user = opts->user});
    return MR_OK;
}

void ktown_setopt(struct kapi *k, const struct ksock *s, enum mr_opt opt, int64_t value)
{
    post_all(k, &(struct kletter){
                    .kind = KLETTER_SETOPT, .every = s->every, .opt = opt, .value = value});
}

void ktown_close(struct kapi *k, struct ksock *s)
{
    post_all(k, &(struct kletter){.kind = KLETTER_CLOSE, .every = s->every});
    s->every = 0;
}

/* ---- in -------------------------------------------------------------------------------- */

static struct ksock *find(struct kapi *k, uint64_t every)
{
    for (uint32_t i = 0; i < k->used_socks; i++)
        if (k->socks[i].kind == KSOCK_LISTENER && k->socks[i].every == every)
            return &k->socks[i];
    return NULL;
}

bool ktown_has(const struct kapi *k, const struct mr_addr *local)
{
    for (uint32_t i = 0; i < k->used_socks; i++)
        if (k->socks[i].kind == KSOCK_LISTENER && k->socks[i].listen.port == local->port &&
            memcmp(k->socks[i].listen.ip, local->ip, sizeof(local->ip)) == 0)
            return true;
    return false;
}

static void obey(struct kapi *k, const struct kletter *l)
{
    const struct mr_listen_opts opts = {.backlog = l->backlog, .user = l->user};
    struct ksock *s = find(k, l->every);
    mr_sock h;

    switch (l->kind) {
    case KLETTER_LISTEN:
        if (kapi_listen(&k->base, &l->local, &opts, &h) == MR_OK)
            ksock_get(k, h, KSOCK_LISTENER)->every = l->every;
        return;
    case KLETTER_SETOPT:
        if (s != NULL)
            ksock_setopt(s, l->opt, l->value);
        return;
    case KLETTER_CLOSE:
        if (s != NULL)
            ksock_free(k, s);
        return;
    }
}

void ktown_read(struct kapi *k)
{
    struct kletter *l;

    os_bell_quiet(k->bell);
    l = k->town != NULL ? take_letters(k) : NULL;
    while (l != NULL) {
        struct kletter *next = l->next;
        obey(k, l);
        free(l);
        l = next;
    }
}
