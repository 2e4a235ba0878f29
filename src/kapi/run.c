/* Running a program: signals, the loop, the end. */
#define _GNU_SOURCE 1

#include <stdio.h>
#include <string.h>

#include "kapi/kapi_int.h"
#include "os/os.h"

#define IDLE_WAIT_US 1000000u
#define DRAIN_US 2000000u /* queued data gets this long to reach the kernel at the end */

/* The process's signals, so the process's flag. */
static volatile sig_atomic_t asked_to_stop;

static void on_signal(int sig)
{
    (void)sig;
    asked_to_stop = 1;
}

/* The two signals are let in only while epoll waits, so none is missed between
 * looking at the flag and going to sleep. */
static void take_signals(sigset_t *wait_mask, sigset_t *before, struct sigaction old[2])
{
    struct sigaction act = {.sa_handler = on_signal};
    sigset_t block;

    sigemptyset(&block);
    sigaddset(&block, SIGINT);
    sigaddset(&block, SIGTERM);
    asked_to_stop = 0;
    sigprocmask(SIG_BLOCK, &block, before);
    *wait_mask = *before;
    sigdelset(wait_mask, SIGINT);
    sigdelset(wait_mask, SIGTERM);
    sigaction(SIGINT, &act, &old[0]);
    sigaction(SIGTERM, &act, &old[1]);
}

static void give_signals_back(const sigset_t *before, const struct sigaction old[2])
{
    sigaction(SIGINT, &old[0], NULL);
    sigaction(SIGTERM, &old[1], NULL);
    sigprocmask(SIG_SETMASK, before, NULL);
}


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
    return NULL;
}

static int loop(struct kapi *k, const struct mr_app *app, void *core)
{
    struct mr *m = &k->base;
    struct mr_event ev;
    int err = MR_OK;

    while (!k->stop && err == MR_OK) {
        err = kapi_turn(m, IDLE_WAIT_US);
        while (!k->stop && kapi_next_event(m, &ev))
            app->event(m, core, &ev);
        k->stop = k->stop || asked_to_stop;
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

static int run_open(struct kapi *k, const struct mr_app *app)
{
    void *core = NULL;
    int err = app->init(&k->base, app->arg, &core);

    if (err < 0)
        return err;
    err = loop(k, app, core);
    if (app->fini != NULL)
        app->fini(&k->base, core);
    drain(k);
    if (err != MR_OK)
        fprintf(stderr, "%s: %s\n", app->name, mr_strerror(err));
    return err;
}

int kapi_run(const struct mr_config *c, const struct mr_app *app)
{
    const char *option = misplaced_option(c);
    struct sigaction old[2];
    sigset_t wait_mask, before;
    int err, cpu = -1;
    struct mr *m;

    if (option != NULL) {
        fprintf(stderr, "%s: %s needs a stack of our own, not --net kernel\n", app->name, option);
        return MR_EINVAL;
    }
    err = os_cpus_choose(c->cpus, 1, &cpu);
    err = err < 0 ? err : cpu >= 0 ? os_pin(cpu) : MR_OK;
    m = err == MR_OK ? kapi_open(c) : NULL;
    if (m == NULL) {
        fprintf(stderr, "%s: cannot start on processor %d: %s\n", app->name, cpu,
                mr_strerror(err != MR_OK ? err : MR_ENOMEM));
        return err != MR_OK ? err : MR_ENOMEM;
    }
    take_signals(&wait_mask, &before, old);
    kapi_of(m)->wait_mask = &wait_mask;
    err = run_open(kapi_of(m), app);
    kapi_close(m);
    give_signals_back(&before, old);
    return err;
}
