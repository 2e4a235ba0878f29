/* Running a program: signals, the loop, the end. */
#define _GNU_SOURCE 1

#include <stdio.h>
#include <stdlib.h>

#include "kapi/kapi_int.h"
#include "os/os.h"

#define IDLE_WAIT_US 1000000u
#define DRAIN_US 2000000u /* queued data gets this long to reach the kernel at the end */

/* What describes a stack of our own means nothing here; saying so beats
 * ignoring it. */
static const char *misplaced_option(const struct mr_config *c)
{
    if (c->control != NULL)
        return "--control";
    if (c->pcap != NULL)
        return "--pcap";
    if (c->vlan != 0)
        return "--vlan";
    if (c->mac != NULL)
        return "--mac";
    if (c->mtu != 0)
        return "--mtu";
    if (c->eal != NULL)
        return "--eal";
    if (c->exception != NULL)
        return "--exception";
    return NULL;
}

/* ---- one core's thread ------------------------------------------------------------------ */

struct kcore {
    struct ktown *town; /* borrowed */
    struct kapi *k;     /* borrowed */
    const struct mr_app *app;
    void *state;
    int cpu; /* -1: anywhere */
    bool begun;
    struct os_thread thread;
};

static int loop(struct kcore *c)
{
    struct mr *m = &c->k->base;
    struct mr_event ev;
    int err = MR_OK;

    while (!c->k->stop && !c->town->stop && err == MR_OK) {
        err = kapi_turn(m, IDLE_WAIT_US);
        while (!c->k->stop && kapi_next_event(m, &ev))
            c->app->event(m, c->state, &ev);
    }
    return err;
}

/* Closed connections may still have data queued here, above the kernel. */
static void drain(struct kapi *k)
{
    uint64_t end = k->now_us + DRAIN_US;
    struct mr_event ev;
    uint32_t waiting;

    k->stop = false;
    do {
        kapi_turn(&k->base, 10000);
        while (kapi_next_event(&k->base, &ev))
            continue;
        waiting = 0;
        for (uint32_t i = 0; i < k->used_socks; i++)
            waiting += k->socks[i].orphan;
    } while (waiting > 0 && k->now_us < end);
}

static void wait_for_step(struct ktown *t, unsigned step)
{
    pthread_mutex_lock(&t->lock);
    while (t->step < step)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static void next_step(struct ktown *t, int err)
{
    pthread_mutex_lock(&t->lock);
    t->step++;
    t->err = t->err != MR_OK ? t->err : err;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void stop_all(struct ktown *t)
{
    t->stop = true;
    ktown_wake(t);
    os_bell_ring(t->bell);
}

static int begin(struct kcore *c)
{
    int err = c->cpu >= 0 ? os_pin(c->cpu) : MR_OK;

    if (err != MR_OK) {
        fprintf(stderr, "%s: --cpus: there is no processor %d for us\n", c->app->name, c->cpu);
        return err;
    }
    err = c->app->init(&c->k->base, c->app->arg, &c->state);
    c->begun = err >= 0;
    return err < 0 ? err : MR_OK;
}

/* Steps: the inits from 0, the finis behind them. */
static void core_main(void *arg)
{
    struct kcore *c = arg;
    struct ktown *t = c->town;
    unsigned self = c->k->base.core;
    int err = MR_OK;

    wait_for_step(t, self);
    if (!t->stop)
        err = begin(c);
    if (err != MR_OK)
        stop_all(t);
    next_step(t, err);
    wait_for_step(t, t->cores);
    err = loop(c);
    if (err != MR_OK)
        fprintf(stderr, "%s: %s\n", c->app->name, mr_strerror(err));
    stop_all(t);
    wait_for_step(t, t->cores + self);
    if (c->begun && c->app->fini != NULL)
        c->app->fini(&c->k->base, c->state);
    next_step(t, err);
    if (c->begun)
        drain(c->k);
}

/* ---- all of them ------------------------------------------------------------------------ */

static int open_post(struct ktown *t)
{
    if (t->cores == 1)
        return MR_OK;
    t->post_bytes = mail_bytes(t->cores, POST_RING_BYTES);
    t->post = os_reserve(t->post_bytes, false);
    if (t->post == NULL)
        return MR_ENOMEM;
    mail_format(t->post, t->cores, POST_RING_BYTES);
    return MR_OK;
}

static int open_cores(struct ktown *t, struct kcore *core, const struct mr_config *c,
                      const struct mr_app *app)
{
    int cpu[MR_CORES_MAX], err = os_cpus_choose(c->cpus, t->cores, cpu);

    for (unsigned i = 0; i < t->cores && err >= 0; i++) {
        struct mr *m = kapi_open(c);
        err = m != NULL ? MR_OK : MR_ENOMEM;
        t->core[i] = (struct kapi *)(void *)m;
        if (m != NULL)
            kapi_join(t->core[i], t, i);
        core[i] = (struct kcore){.town = t, .k = t->core[i], .app = app, .cpu = cpu[i]};
    }
    return err < 0 ? err : MR_OK;
}

/* A thread that cannot be made is missed by the others' steps, so nobody begins. */
static unsigned start_cores(struct ktown *t, struct kcore *core)
{
    unsigned n = 0;

    while (n < t->cores && os_thread_start(&core[n].thread, core_main, &core[n]) == 0)
        n++;
    if (n == t->cores)
        return n;
    stop_all(t);
    for (unsigned i = 0; i < t->cores * 2; i++)
        next_step(t, MR_ENOMEM);
    return n;
}

static int run(struct ktown *t, struct kcore *core)
{
    unsigned n = start_cores(t, core);
    struct os_wait w[] = {{.fd = os_stop_fd()}, {.fd = t->bell}};

    while (!t->stop && os_wait(w, ARRAY_LEN(w), UINT64_MAX) <= 0)
        continue;
    stop_all(t);
    for (unsigned i = 0; i < n; i++)
        os_thread_join(&core[i].thread);
    return t->err;
}

static void close_cores(struct ktown *t)
{
    for (unsigned i = 0; i < t->cores; i++) {
        if (t->core[i] == NULL)
            continue;
        while (t->letter[i] != NULL) {
            struct kletter *l = t->letter[i];
            t->letter[i] = l->next;
            free(l);
        }
        kapi_close(&t->core[i]->base);
    }
}

int kapi_run(const struct mr_config *c, const struct mr_app *app)
{
    const char *option = misplaced_option(c);
    struct ktown t = {.cores = c->cores != 0 ? c->cores : 1,
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER};
    struct kcore core[MR_CORES_MAX];
    int err;

    if (option != NULL || t.cores > MR_CORES_MAX) {
        fprintf(stderr, "%s: %s needs a stack of our own, not --dev kernel\n", app->name,
                option != NULL ? option : "so many --cores");
        return MR_EINVAL;
    }
    t.bell = os_bell_make();
    err = t.bell < 0 ? t.bell : os_stop_catch();
    if (err == MR_OK)
        err = open_post(&t);
    if (err == MR_OK)
        err = open_cores(&t, core, c, app);
    if (err == MR_OK)
        err = run(&t, core);
    else
        fprintf(stderr, "%s: cannot start: %s\n", app->name, mr_strerror(err));
    close_cores(&t);
    os_release(t.post, t.post_bytes);
    os_close(t.bell);
    os_stop_release();
    return err;
}
