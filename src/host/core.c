/* A core's thread: it turns its shard, sleeps when there is nothing to do, and is led from step to
 * step. */
#include <stdio.h>

#include "host/host_int.h"

#define BLIND_SLEEP_MIN_US 20u   /* a port without a descriptor is looked at this often, */
#define BLIND_SLEEP_MAX_US 1000u /* and less often the longer nothing comes */
/* Whoever never sleeps asks so often whether there still is a port: a call of the system's. */
#define LOST_LOOK_US 100000u

/* ---- others who sleep ------------------------------------------------------------------ */

void core_ring(void *arg, uint64_t cores)
{
    struct core *c = arg;

    for (; cores; cores &= cores - 1)
        os_bell_ring(c->host->core[__builtin_ctzll(cores)].bell);
}

/* ---- sleeping -------------------------------------------------------------------------- */

static bool told_otherwise(struct core *c, enum step step)
{
    return atomic_load_explicit(&c->told, memory_order_acquire) != step;
}

static bool is_asked(struct core *c)
{
    return atomic_load_explicit(&c->asked, memory_order_acquire) !=
           atomic_load_explicit(&c->answered, memory_order_relaxed);
}

static uint64_t time_left(instant deadline, instant now)
{
    if (deadline == INSTANT_NEVER)
        return UINT64_MAX;
    return deadline > now ? deadline - now : 0;
}

/* What the port has to sleep on; -1: nothing. */
static int port_fd(struct core *c)
{
    struct nic *nic = c->host->port.nic;

    return !c->via && nic->ops->wait_fd ? nic->ops->wait_fd(nic, c->index) : -1;
}

static uint64_t port_patience(struct core *c, int fd, uint64_t us)
{
    struct nic *nic = c->host->port.nic;

    if (c->via)
        return us;
    if (nic->ops->wait_prepare && nic->ops->wait_prepare(nic, c->index))
        return 0;
    if (fd >= 0)
        return us;
    c->blind_sleep_us = min_u64(c->blind_sleep_us * 2, BLIND_SLEEP_MAX_US);
    return min_u64(us, c->blind_sleep_us);
}

/* A port that can say so says itself whether it is gone for good: a descriptor may also be broken
 * because the link went down. */
static bool port_is_lost(struct core *c, bool broken)
{
    struct nic *nic = c->host->port.nic;

    return nic->ops->is_gone ? nic->ops->is_gone(nic) : broken;
}

/* Sleep until a packet, a letter, our bell or `until`.  False: the port is gone. */
static bool sleep_until(struct core *c, instant until)
{
    struct os_wait w[] = {{.fd = port_fd(c)}, {.fd = c->bell}};
    uint64_t us = port_patience(c, w[0].fd, time_left(until, os_now_us()));

    if (c->capture)
        capture_flush(c->capture);
    if (c->shard.mail && !mail_asleep(c->shard.mail))
        us = 0;
    if (!native_asleep(c->shard.native))
        us = 0;
    if (os_wait(w, ARRAY_LEN(w), us) > 0 && w[1].ready)
        os_bell_quiet(c->bell);
    if (c->shard.mail)
        mail_awake(c->shard.mail);
    native_awake(c->shard.native);
    return !port_is_lost(c, w[0].broken);
}

/* ---- turning --------------------------------------------------------------------------- */

static void say_done(struct core *c, enum step step)
{
    atomic_store(&c->done, step);
    os_bell_ring(c->host->bell);
}

/* In STEP_DRAIN a core that has nothing more to say tells, and turns on. */
static bool may_go_on(struct core *c, enum step step)
{
    if (step == STEP_TURN)
        return !native_is_stopped(c->shard.native);
    if (atomic_load_explicit(&c->done, memory_order_relaxed) != step && core_all_is_said(c))
        say_done(c, step);
    return true;
}

static int say_lost(struct core *c)
{
    snprintf(c->why, sizeof(c->why), "%s: the device is gone", c->host->port.nic->name);
    return MR_ENETDOWN;
}

static int turn_until_told(struct core *c, enum step step)
{
    const uint32_t spin_us = c->host->config->spin_us;
    instant now = os_now_us(), last_busy = now, last_look = now;

    while (!told_otherwise(c, step) && may_go_on(c, step)) {
        if (shard_turn(&c->shard, now)) {
            last_busy = now;
            c->blind_sleep_us = BLIND_SLEEP_MIN_US;
        } else if (spin_us != MR_SPIN_ALWAYS && now - last_busy >= spin_us) {
            if (!sleep_until(c, shard_deadline(&c->shard)))
                return say_lost(c);
        } else if (now - last_look >= LOST_LOOK_US) {
            last_look = now;
            if (port_is_lost(c, false))
                return say_lost(c);
        } else {
            os_relax();
        }
        if (unlikely(is_asked(c)))
            core_answer(c);
        now = os_now_us();
    }
    return 0;
}

/* ---- the end ------------------------------------------------------------------------ */

static void no_event(struct mr *m, void *core_state, const struct mr_event *ev)
{
    (void)m;
    (void)core_state;
    (void)ev;
}

/* What comes after fini: the state that the application has released is shown to nobody. */
static const struct mr_app nobody = {.event = no_event};

static int drain(struct core *c)
{
    core_close_the_rest(c);
    return turn_until_told(c, STEP_DRAIN);
}

/* ---- steps -------------------------------------------------------------------------- */

static int init(struct core *c)
{
    return c->host->app->init(native_mr(c->shard.native), c->host->app->arg, &c->shard.core_state);
}

static int fini(struct core *c)
{
    if (c->host->app->fini)
        c->host->app->fini(native_mr(c->shard.native), c->shard.core_state);
    c->shard.app = &nobody;
    c->shard.core_state = NULL;
    return 0;
}

static int run(struct core *c, enum step step)
{
    switch (step) {
    case STEP_SETUP:
        return core_setup(c);
    case STEP_INIT:
        return init(c);
    case STEP_TURN:
        return turn_until_told(c, STEP_TURN);
    case STEP_FINI:
        return fini(c);
    case STEP_DRAIN:
        return drain(c);
    case STEP_CUT:
        core_reset_the_rest(c);
        shard_turn(&c->shard, os_now_us());
        return 0;
    case STEP_LAST:
        shard_turn(&c->shard, os_now_us());
        return 0;
    case STEP_HALT:
        if (c->capture)
            capture_flush(c->capture);
        return 0;
    case STEP_NONE:
    case STEP_OVER:
        break;
    }
    return 0;
}

/* Between steps a core sleeps on its bell; who asks it then is answered, too. */
static enum step next_step(struct core *c, enum step last)
{
    struct os_wait w = {.fd = c->bell};

    while (!told_otherwise(c, last)) {
        if (c->ready && is_asked(c))
            core_answer(c);
        if (os_wait(&w, 1, UINT64_MAX) > 0)
            os_bell_quiet(c->bell);
    }
    return (enum step)atomic_load(&c->told);
}

void core_main(void *arg)
{
    struct core *c = arg;
    enum step step = STEP_NONE;

    host_panic_core(c);
    c->blind_sleep_us = BLIND_SLEEP_MIN_US;
    while ((step = next_step(c, step)) != STEP_OVER) {
        c->rc = run(c, step);
        say_done(c, step);
    }
    core_detach(c);
    host_panic_core(NULL);
}
