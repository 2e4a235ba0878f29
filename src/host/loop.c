/* The main thread: it opens what the cores share, leads them through their steps, and waits. */
#include "host/host.h"

#include <stdio.h>
#include <string.h>

#include "drv/wire_files.h"
#include "host/host_int.h"

#define DRAIN_US USEC_PER_SEC /* what is queued at the end gets so long to go out */
/* A letter must hold a packet of 64 KB and takes at most half a ring. */
#define RING_BYTES (256u << 10)

static int fail(struct host *h, int err)
{
    fprintf(stderr, "%s: %s\n", h->app->name, h->why);
    return err;
}

/* ---- leading -------------------------------------------------------------------------- */

static bool is_done(struct core *c, enum step step)
{
    return atomic_load_explicit(&c->done, memory_order_acquire) == step;
}

static bool all_are_done(struct host *h, enum step step)
{
    for (unsigned i = 0; i < h->cores; i++)
        if (!is_done(&h->core[i], step))
            return false;
    return true;
}

static bool any_is_done(struct host *h, enum step step)
{
    for (unsigned i = 0; i < h->cores; i++)
        if (is_done(&h->core[i], step))
            return true;
    return false;
}

/* Who was told to halt, because another core is broken, is told nothing else. */
static void tell(struct core *c, enum step step)
{
    unsigned was = atomic_load(&c->told);

    while (was != STEP_HALT && !atomic_compare_exchange_weak(&c->told, &was, step))
        continue;
    os_bell_ring(c->bell);
}

static void tell_all(struct host *h, enum step step)
{
    for (unsigned i = 0; i < h->cores; i++)
        tell(&h->core[i], step);
}

/* Sleep until something has happened: a core is done, a question, a signal (if one counts), or the
 * time is over. */
static void wait_for_news(struct host *h, bool signals, uint64_t until)
{
    struct os_wait w[2 + CTL_CLIENTS_MAX + 1] = {{.fd = h->bell},
                                                 {.fd = signals ? os_stop_fd() : -1}};
    uint64_t now = os_now_us();
    unsigned n = 2;

    while (host_is_dying())
        os_wait(NULL, 0, UINT64_MAX);

    if (h->ctl)
        n += ctl_wait(h->ctl, w + n);
    if (os_wait(w, n, until == INSTANT_NEVER ? UINT64_MAX : until > now ? until - now : 0) <= 0)
        return;
    if (w[0].ready)
        os_bell_quiet(h->bell);
    if (h->ctl)
        ctl_serve(h->ctl);
}

static void wait_until_done(struct host *h, struct core *c, enum step step)
{
    struct os_wait w = {.fd = h->bell};

    while (!is_done(c, step))
        if (os_wait(&w, 1, UINT64_MAX) > 0)
            os_bell_quiet(h->bell);
}

static int step_of_all(struct host *h, enum step step)
{
    int rc = 0;

    tell_all(h, step);
    for (unsigned i = 0; i < h->cores; i++) {
        struct core *c = &h->core[i];
        wait_until_done(h, c, step);
        if (rc == 0 && c->rc < 0) {
            snprintf(h->why, sizeof(h->why), "%s", c->why);
            rc = c->rc;
        }
    }
    return rc;
}

/* One core after the other.  How many there are whose step went well; the next one's did not. */
static unsigned step_of_each(struct host *h, enum step step, unsigned cores)
{
    for (unsigned i = 0; i < cores; i++) {
        tell(&h->core[i], step);
        wait_until_done(h, &h->core[i], step);
        if (h->core[i].rc < 0)
            return i;
    }
    return cores;
}

/* ---- set-up ------------------------------------------------------------------------- */

static int port_setup(struct host *h)
{
    const struct mr_config *c = h->config;

    if (host_port_open(&h->port, c, h->why, sizeof(h->why)) < 0)
        return os_stop_asked() > 0 ? MR_EINTR : MR_EINVAL;
    if (c->mtu > h->port.nic->caps.mtu) {
        snprintf(h->why, sizeof(h->why), "--mtu %u: the port's is %u", c->mtu,
                 h->port.nic->caps.mtu);
        return MR_EINVAL;
    }
    host_port_say(&h->port, h->spread, sizeof(h->spread));
    host_port_facts(&h->port);
    return 0;
}

static int mail_setup(struct host *h)
{
    if (h->cores == 1)
        return 0;
    h->mail_bytes = mail_bytes(h->cores, RING_BYTES);
    h->mail = os_reserve(h->mail_bytes, false);
    h->post_bytes = mail_bytes(h->cores, POST_RING_BYTES);
    h->post = os_reserve(h->post_bytes, false);
    if (!h->mail || !h->post) {
        snprintf(h->why, sizeof(h->why), "no address space for the mail of %u cores", h->cores);
        return MR_ENOMEM;
    }
    mail_format(h->mail, h->cores, RING_BYTES);
    mail_format(h->post, h->cores, POST_RING_BYTES);
    return 0;
}

static int capture_setup(struct host *h)
{
    const struct mr_config *c = h->config;

    if (!c->pcap)
        return 0;
    h->capture =
        capture_open(c->pcap, h->app->name, h->port.nic->name, h->cores, h->why, sizeof(h->why));
    for (unsigned i = 0; h->capture && i < h->cores; i++)
        h->core[i].capture = capture_of(h->capture, i);
    return h->capture ? 0 : MR_EINVAL;
}

/* The file of a wire that is made here, "shm:PATH:0" or by its older name; else "". */
static void shared_file(const char *dev, char *path, size_t n)
{
    bool wire = strncmp(dev, "shm:", 4) == 0 || strncmp(dev, "wire:", 5) == 0;
    struct wire_spec s;

    path[0] = '\0';
    if (wire && wire_spec_read(strchr(dev, ':') + 1, &s) && s.side == 0)
        snprintf(path, n, "%.*s", (int)n - 1, s.path);
}

static int ctl_setup(struct host *h)
{
    const struct mr_config *c = h->config;
    struct ctl_answerer a = {host_answer, h};
    char path[200], wire[200];

    ctl_default_path(path, sizeof(path), h->app->name);
    if (!c->control || strcmp(c->control, "none") != 0) {
        h->ctl = ctl_open(c->control ? c->control : path, &a, h->why, sizeof(h->why));
        if (!h->ctl)
            return MR_EINVAL;
    }
    shared_file(c->dev, wire, sizeof(wire));
    host_panic_files(h, h->ctl ? (c->control ? c->control : path) : NULL, wire);
    return 0;
}

static bool same_network(const struct mr_addr *a, const struct mr_addr *b, unsigned prefix_len)
{
    uint32_t differ = load_be32(a->ip + 12) ^ load_be32(b->ip + 12);

    return prefix_len == 0 || differ >> (32 - prefix_len) == 0;
}

static bool is_any(const struct mr_addr *a)
{
    return load_be32(a->ip + 12) == 0;
}

/* RFC 1122 3.2.1.3: nobody's own.  RFC 3021: a network of two has neither. */
static bool is_networks_own(const struct mr_addr *a, unsigned prefix_len)
{
    uint32_t rest = prefix_len < 31 ? UINT32_MAX >> prefix_len : 0;
    uint32_t host = load_be32(a->ip + 12) & rest;

    return rest && (host == 0 || host == rest);
}

/* What the stack would refuse with a number, said in words. */
static int config_setup(struct host *h, const struct mr_config *given)
{
    struct mr_config *c = &h->ours;

    *c = *given;
    c->cores = c->cores ? c->cores : 1;
    h->config = c;
    h->cores = min_u32(c->cores, MR_CORES_MAX);
    if (is_any(&c->addr))
        snprintf(h->why, sizeof(h->why), "--dev %s needs --addr A.B.C.D/LEN", c->dev);
    else if (c->prefix_len > 32)
        snprintf(h->why, sizeof(h->why), "a network's length is 1 to 32 bits");
    else if (is_networks_own(&c->addr, c->prefix_len))
        snprintf(h->why, sizeof(h->why),
                 "--addr is the network's first address or its last, broadcast: no host's");
    else if (!is_any(&c->gateway) && !same_network(&c->addr, &c->gateway, c->prefix_len))
        snprintf(h->why, sizeof(h->why), "--gateway is not in the network of --addr");
    else if (c->cores > MR_CORES_MAX)
        snprintf(h->why, sizeof(h->why), "--cores: at most %u", MR_CORES_MAX);
    else
        return 0;
    return MR_EINVAL;
}

/* The threads, which then wait to be told. */
static int cores_setup(struct host *h)
{
    int cpu[MR_CORES_MAX], rc;

    rc = os_cpus_choose(h->config->cpus, h->cores, cpu);
    if (rc < 0) {
        snprintf(h->why, sizeof(h->why), "--cpus %s: processors are 2 or 0-3,8", h->config->cpus);
        return MR_EINVAL;
    }
    for (unsigned i = 0; i < h->cores; i++) {
        struct core *c = &h->core[i];
        c->host = h;
        c->index = i;
        c->cpu = cpu[i];
        c->bell = os_bell_make();
        rc = c->bell < 0 ? c->bell : os_thread_start(&c->thread, core_main, c);
        if (rc < 0) {
            snprintf(h->why, sizeof(h->why), "core %u: %s", i, strerror(-rc));
            return rc;
        }
        c->started = true;
    }
    return 0;
}

/* MR_EINTR: told to stop while it waited for the port. */
static int setup(struct host *h, const struct mr_config *given)
{
    int rc = config_setup(h, given);

    os_random(h->secret, sizeof(h->secret));
    os_secret(h->isn_secret);
    os_exact_timeouts();
    h->bell = os_bell_make();
    if (rc == 0)
        rc = h->bell < 0 ? h->bell : port_setup(h);
    if (rc == 0)
        rc = mail_setup(h);
    if (rc == 0)
        rc = capture_setup(h);
    if (rc == 0)
        rc = cores_setup(h);
    if (rc == 0)
        rc = step_of_all(h, STEP_SETUP);
    if (rc == 0)
        rc = ctl_setup(h);
    return rc < 0 && rc != MR_EINTR ? fail(h, rc) : rc;
}

/* ---- many cores, in words --------------------------------------------------------------- */

static size_t append(char *text, size_t n, size_t at, const char *how, int v)
{
    int put = at < n ? snprintf(text + at, n - at, how, v) : 0;

    return at + (size_t)put;
}

static void say_cores(struct host *h)
{
    char list[400] = "";
    size_t at = 0;
    int different[MR_CORES_MAX], processors = os_cpus_choose(h->config->cpus, h->cores, different);

    if (h->cores == 1)
        return;
    for (unsigned i = 0; i < h->cores; i++)
        at = append(list, sizeof(list), at, i ? ",%d" : "%d", h->core[i].cpu);
    fprintf(stderr, "%s: %u cores on processors %s%s; %s\n", h->app->name, h->cores, list,
            (unsigned)processors < h->cores ? ", which they must share" : "", h->spread);
}

/* ---- the run -------------------------------------------------------------------------- */

/* Until somebody stops or the port is gone. */
static int run(struct host *h)
{
    int rc = 0;

    tell_all(h, STEP_TURN);
    while (os_stop_asked() == 0 && !any_is_done(h, STEP_TURN))
        wait_for_news(h, true, INSTANT_NEVER);
    for (unsigned i = 0; i < h->cores && rc == 0; i++)
        if (is_done(&h->core[i], STEP_TURN) && h->core[i].rc < 0) {
            snprintf(h->why, sizeof(h->why), "%s", h->core[i].why);
            rc = fail(h, h->core[i].rc);
        }
    return rc;
}

/* A second signal does not wait. */
static void end(struct host *h)
{
    uint64_t until;

    step_of_each(h, STEP_FINI, h->cores);
    until = os_now_us() + DRAIN_US;
    tell_all(h, STEP_DRAIN);
    while (!all_are_done(h, STEP_DRAIN) && os_stop_asked() < 2 && os_now_us() < until)
        wait_for_news(h, false, until);
    step_of_all(h, STEP_CUT);
    step_of_all(h, STEP_LAST);
}

static void release(struct host *h)
{
    for (unsigned i = 0; i < h->cores; i++)
        if (h->core[i].started) {
            tell(&h->core[i], STEP_OVER);
            os_thread_join(&h->core[i].thread);
        }
    host_panic_files(NULL, NULL, NULL);
    if (h->ctl)
        ctl_close(h->ctl);
    if (h->capture)
        capture_close(h->capture);
    if (h->port.nic)
        host_port_close(&h->port);
    for (unsigned i = 0; i < h->cores; i++)
        if (h->core[i].host)
            core_release(&h->core[i]);
    os_release(h->mail, h->mail_bytes);
    os_release(h->post, h->post_bytes);
    os_close(h->bell);
    os_stop_release();
}

static int turn_and_end(struct host *h)
{
    unsigned good = step_of_each(h, STEP_INIT, h->cores);
    int rc;

    if (good < h->cores) {
        rc = h->core[good].rc;
        step_of_each(h, STEP_FINI, good);
        return rc;
    }
    say_cores(h);
    host_port_tell(h->port.nic, h->app->name, h->config->dev);
    rc = run(h);
    end(h);
    return rc;
}

int host_run(const struct mr_config *c, const struct mr_app *app)
{
    struct host *h = os_reserve(sizeof(*h), false);
    int rc;

    if (!h)
        return MR_ENOMEM;
    h->app = app;
    h->bell = -1;
    rc = os_stop_catch();
    if (rc == 0)
        rc = setup(h, c);
    if (rc == 0)
        rc = turn_and_end(h);
    else if (rc == MR_EINTR)
        rc = 0;
    release(h);
    os_release(h, sizeof(*h));
    return rc;
}
