/* One core: set up, turn, wait, end. */
#include "host/host.h"

#include <stdio.h>
#include <string.h>

#include "api/status.h"
#include "base/hash.h"
#include "ctl/ctl.h"
#include "host/capture.h"
#include "host/port.h"
#include "os/os.h"
#include "shard/shard.h"

#define PAGE 4096u
#define LOOK_AROUND_US 10000u   /* a busy core serves the control socket this often */
#define DRAIN_US USEC_PER_SEC   /* what is queued at the end gets so long to go out */
#define BLIND_SLEEP_MIN_US 20u  /* a port without a descriptor is looked at this often, */
#define BLIND_SLEEP_MAX_US 1000u /* and less often the longer nothing comes */

struct host {
    const struct mr_config *config;
    const struct mr_app *app;
    uint8_t *memory; /* owned: the stack's arena, the port's descriptors, the context */
    size_t bytes;
    struct host_port port;
    struct shard shard;
    struct capture *capture; /* NULL: off */
    struct ctl *ctl;         /* NULL: off */
    uint64_t blind_sleep_us;
    bool ending;
    char why[200];
};

static int fail(struct host *h, int err)
{
    fprintf(stderr, "%s: %s\n", h->app->name, h->why);
    return err;
}

/* ---- set-up ------------------------------------------------------------------------- */

static struct ip_addr to_ip(const struct mr_addr *a)
{
    struct ip_addr ip;

    memcpy(ip.w, a->ip, sizeof(ip.w));
    return ip;
}

static int stack_setup(struct host *h, instant now)
{
    struct stack_config sc;
    size_t need;

    stack_config_default(&sc);
    if (h->config->max_conns)
        stack_limits_for(&sc.limits, h->config->max_conns);
    sc.tcp.cc = h->config->congestion == MR_CC_NEWRENO ? CC_NEWRENO : CC_CUBIC;
    os_random(sc.secret, sizeof(sc.secret));
    need = align_up(stack_bytes(&sc.limits), PAGE);
    h->bytes = need + align_up(host_port_bytes(), PAGE) + align_up(native_bytes(), PAGE);
    h->memory = os_reserve(h->bytes, false);
    if (!h->memory) {
        snprintf(h->why, sizeof(h->why), "no address space for %zu MB; lower --max-conns",
                 h->bytes >> 20);
        return fail(h, MR_ENOMEM);
    }
    h->shard.stack = stack_init(h->memory, need, &sc, now);
    struct mem m;
    mem_init(&m, h->memory + need, h->bytes - need);
    h->shard.native = native_init(mem_carve(&m, native_bytes(), CACHE_LINE), h->shard.stack);
    if (host_port_open(&h->port, &m, h->config->net, h->why, sizeof(h->why)) < 0)
        return fail(h, MR_EINVAL);
    return 0;
}

/* Without --mac: local, the same at every start, and different for every name and address. */
static struct mac_addr make_mac(const struct mr_config *c)
{
    uint64_t v = 0;
    struct mac_addr mac;

    for (const char *s = c->net; *s; s++)
        v = mix64(v + (uint8_t)*s + 1);
    for (unsigned i = 0; i < sizeof(c->addr.ip); i++)
        v = mix64(v + c->addr.ip[i] + 1);
    memcpy(mac.b, &v, sizeof(mac.b));
    mac.b[0] = (uint8_t)((mac.b[0] & 0xfc) | 2);
    return mac;
}

static void set_mac(struct nic *nic, const struct mr_config *c)
{
    unsigned b[6];

    nic->mac = make_mac(c);
    if (c->mac &&
        sscanf(c->mac, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) == 6)
        for (unsigned i = 0; i < 6; i++)
            nic->mac.b[i] = (uint8_t)b[i];
}

static int net_setup(struct host *h)
{
    const struct mr_config *c = h->config;
    struct ip_addr addr = to_ip(&c->addr), gateway = to_ip(&c->gateway);
    struct stack *s = h->shard.stack;
    uint32_t mtu_max = h->port.nic->caps.mtu;

    if (c->mtu > mtu_max) {
        snprintf(h->why, sizeof(h->why), "--mtu %u: the port's is %u", c->mtu, mtu_max);
        return fail(h, MR_EINVAL);
    }
    set_mac(h->port.nic, c);
    int netif = stack_port_add(s, h->port.nic, 0, c->vlan, c->mtu);
    int rc = netif < 0 ? netif : stack_addr_add(s, (unsigned)netif, &addr, c->prefix_len, false);
    if (rc == 0 && !ip_is_any(&gateway)) {
        struct ip_addr all = ip4_of(0, 0, 0, 0);
        rc = stack_route_add(s, &all, 0, &gateway, (unsigned)netif);
    }
    if (rc < 0) {
        snprintf(h->why, sizeof(h->why), "address or gateway: %s", mr_strerror(rc));
        return fail(h, rc);
    }
    h->shard.netifs = (unsigned)netif;
    h->shard.nic[netif] = h->port.nic;
    return 0;
}

static size_t answer(void *arg, const char *question, char *buf, size_t n)
{
    struct host *h = arg;
    struct status_source s = {
        .stack = h->shard.stack,
        .program = h->app->name,
        .app = h->app,
        .core_state = h->shard.core_state,
        .rx_pool = h->port.pool,
        .turns = h->shard.turns,
        .busy_turns = h->shard.busy_turns,
        .captured = h->capture ? capture_seen(h->capture) : 0,
        .capture_lost = h->capture ? capture_lost(h->capture) : 0,
    };

    return status_answer(&s, question, buf, n);
}

static int doors_setup(struct host *h)
{
    const struct mr_config *c = h->config;
    struct ctl_answerer a = {answer, h};
    char path[200];

    if (c->pcap) {
        h->capture = capture_open(c->pcap, h->app->name, h->port.nic->name, h->why, sizeof(h->why));
        if (!h->capture)
            return fail(h, MR_EINVAL);
        h->shard.tap = (struct shard_tap){capture_frame, h->capture};
    }
    if (c->control && strcmp(c->control, "none") == 0)
        return 0;
    ctl_default_path(path, sizeof(path), h->app->name);
    h->ctl = ctl_open(c->control ? c->control : path, &a, h->why, sizeof(h->why));
    return h->ctl ? 0 : fail(h, MR_EINVAL);
}

static bool same_network(const struct ip_addr *a, const struct ip_addr *b, unsigned prefix_len)
{
    uint32_t differ = be32_get(ip_v4(a)) ^ be32_get(ip_v4(b));

    return prefix_len == 0 || differ >> (32 - prefix_len) == 0;
}

/* What the stack would refuse with a number, said in words. */
static bool addresses_make_sense(struct host *h)
{
    const struct mr_config *c = h->config;
    struct ip_addr addr = to_ip(&c->addr), gateway = to_ip(&c->gateway);

    if (ip_is_any(&addr))
        snprintf(h->why, sizeof(h->why), "--net %s needs --addr A.B.C.D/LEN", c->net);
    else if (c->prefix_len > 32)
        snprintf(h->why, sizeof(h->why), "a network's length is 1 to 32 bits");
    else if (!ip_is_any(&gateway) && !same_network(&addr, &gateway, c->prefix_len))
        snprintf(h->why, sizeof(h->why), "--gateway is not in the network of --addr");
    else
        return true;
    return false;
}

static int setup(struct host *h)
{
    const struct mr_config *c = h->config;
    int rc, cpu;

    if (!addresses_make_sense(h))
        return fail(h, MR_EINVAL);
    rc = os_cpus_choose(c->cpus, 1, &cpu);
    if (rc < 0 || (cpu >= 0 && os_pin(cpu) < 0)) {
        snprintf(h->why, sizeof(h->why), "--cpus %s: there is no such processor", c->cpus);
        return fail(h, MR_EINVAL);
    }
    os_exact_timeouts();
    rc = stack_setup(h, os_now_us());
    if (rc == 0)
        rc = net_setup(h);
    if (rc == 0)
        rc = doors_setup(h);
    return rc;
}

/* ---- waiting ------------------------------------------------------------------------ */

static uint64_t time_left(instant deadline, instant now)
{
    if (deadline == INSTANT_NEVER)
        return UINT64_MAX;
    return deadline > now ? deadline - now : 0;
}

/* Sleep until a packet, a question, a signal or `until`.  False: the port is gone. */
static bool sleep_until(struct host *h, instant until)
{
    struct nic *nic = h->port.nic;
    int fd = nic->ops->wait_fd ? nic->ops->wait_fd(nic, 0) : -1;
    struct os_wait w[2 + CTL_CLIENTS_MAX + 1] = {{.fd = fd}, {.fd = h->ending ? -1 : os_stop_fd()}};
    unsigned n = 2;
    uint64_t us = time_left(until, os_now_us());

    if (h->capture)
        capture_flush(h->capture);
    if (h->ctl)
        n += ctl_wait(h->ctl, w + n);
    if (nic->ops->wait_prepare && nic->ops->wait_prepare(nic, 0))
        us = 0;
    if (fd < 0) {
        h->blind_sleep_us = min_u64(h->blind_sleep_us * 2, BLIND_SLEEP_MAX_US);
        us = min_u64(us, h->blind_sleep_us);
    }
    if (os_wait(w, n, us) > 0 && h->ctl)
        ctl_serve(h->ctl);
    return !w[0].broken && !host_port_is_gone(&h->port);
}

static struct tcp_conn *conn_at(const struct tcp *t, uint32_t i)
{
    return pool_at(&t->conns, i);
}

/* In FIN-WAIT-2 the peer has acknowledged all there was, our FIN too. */
static bool has_more_to_say(const struct tcp_conn *c)
{
    return c->state != TCPS_CLOSED && c->state != TCPS_FIN_WAIT_2;
}

static bool all_is_said(const struct tcp *t)
{
    for (uint32_t i = 0; i < t->conns.fresh; i++)
        if (has_more_to_say(conn_at(t, i)))
            return false;
    return true;
}

/* At the end a second signal stops the waiting for connections to finish. */
static bool is_over(const struct host *h)
{
    if (h->ending)
        return os_stop_asked() > 1 || all_is_said(stack_tcp(h->shard.stack));
    return os_stop_asked() > 0 || native_is_stopped(h->shard.native);
}

static int turn_until(struct host *h, instant until)
{
    instant now = os_now_us(), last_busy = now, last_look = now;

    while (now < until && !is_over(h)) {
        if (shard_turn(&h->shard, now)) {
            last_busy = now;
            h->blind_sleep_us = BLIND_SLEEP_MIN_US;
        } else if (now - last_busy >= h->config->spin_us && h->config->spin_us != MR_SPIN_ALWAYS) {
            if (!sleep_until(h, min_u64(shard_deadline(&h->shard), until))) {
                snprintf(h->why, sizeof(h->why), "%s: the device is gone", h->port.nic->name);
                return fail(h, MR_ENETDOWN);
            }
        } else {
            os_relax();
        }
        now = os_now_us();
        if (h->ctl && now - last_look >= LOOK_AROUND_US) {
            ctl_serve(h->ctl);
            last_look = now;
        }
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

/* What a kernel does for a process that ends: it closes what the program left open. */
static void close_the_rest(struct tcp *t, instant now)
{
    for (uint32_t i = 0; i < t->listeners.fresh; i++) {
        struct tcp_listener *l = pool_at(&t->listeners, i);
        if (l->open)
            tcp_unlisten(t, l, now);
    }
    for (uint32_t i = 0; i < t->conns.fresh; i++) {
        struct tcp_conn *c = conn_at(t, i);
        if (c->state != TCPS_CLOSED && !(c->flags & TF_DETACHED))
            tcp_close(t, c, now);
    }
}

static void reset_the_rest(struct tcp *t, instant now)
{
    for (uint32_t i = 0; i < t->conns.fresh; i++)
        if (has_more_to_say(conn_at(t, i)))
            tcp_abort(t, conn_at(t, i), now);
}

static void end(struct host *h)
{
    static const struct mr_app nobody = {.event = no_event};
    struct tcp *t = stack_tcp(h->shard.stack);

    if (h->app->fini)
        h->app->fini(native_mr(h->shard.native), h->shard.core_state);
    h->shard.app = &nobody;
    h->ending = true;
    close_the_rest(t, os_now_us());
    turn_until(h, os_now_us() + DRAIN_US);
    reset_the_rest(t, os_now_us());
    shard_turn(&h->shard, os_now_us());
}

static void release(struct host *h)
{
    if (h->ctl)
        ctl_close(h->ctl);
    if (h->capture)
        capture_close(h->capture);
    if (h->port.nic)
        host_port_close(&h->port);
    os_release(h->memory, h->bytes);
    os_stop_release();
}

int host_run(const struct mr_config *c, const struct mr_app *app)
{
    struct host h = {.config = c, .app = app, .blind_sleep_us = BLIND_SLEEP_MIN_US};
    int rc = os_stop_catch();

    h.shard.app = app;
    if (rc == 0)
        rc = setup(&h);
    if (rc == 0) {
        rc = app->init(native_mr(h.shard.native), app->arg, &h.shard.core_state);
        if (rc >= 0) {
            rc = turn_until(&h, INSTANT_NEVER);
            end(&h);
        }
    }
    release(&h);
    return rc;
}
