/* An instance's stack: formatted when somebody first enters it, and again when somebody has died
 * inside. */
#include <sys/mman.h>

#include "base/bits.h"
#include "os/os.h"
#include "posix/file.h"
#include "posix/session_int.h"

#define PAGE 4096u
#define BLIND_MIN_US 20u

static const struct mr_app app = {.name = "millrace", .event = file_event};

void inst_plan(struct session_own *o, unsigned slots)
{
    struct stack_config sc;

    stack_config_default(&sc);
    if (o->config.max_conns)
        stack_limits_for(&sc.limits, o->config.max_conns);
    sc.limits.cores = slots;
    o->limits = sc.limits;
    o->stack_bytes = align_up(stack_bytes(&o->limits), PAGE) + align_up(native_bytes(), PAGE);
}

static void config_fill(struct stack_config *sc, struct px_inst *i)
{
    const struct session_own *o = session_own();

    stack_config_default(sc);
    sc->limits = o->limits;
    sc->tcp.cc = o->config.congestion == MR_CC_NEWRENO ? CC_NEWRENO : CC_CUBIC;
    memcpy(sc->secret, o->secret, sizeof(sc->secret));
    memcpy(sc->tcp.isn_secret, o->isn_secret, sizeof(sc->tcp.isn_secret));
    if (o->mail) {
        mail_open(&i->mail, o->mail, i->slot);
        /* What was written to who lived here before. */
        i->mail.unread = ~(UINT64_C(1) << i->slot) & UINT64_MAX >> (64 - px_session->slots);
        sc->mail = i->shard.mail = &i->mail;
        sc->home = (struct home){.law = px_session->law,
                                 .self = i->slot,
                                 .cores = px_session->slots,
                                 .changed_at = o->law_changed_us};
    }
}

static struct ip_addr to_ip(const struct mr_addr *a)
{
    struct ip_addr ip;

    memcpy(ip.w, a->ip, sizeof(ip.w));
    return ip;
}

/* What is configured was judged when the session was made. */
static void net_setup(struct px_inst *i)
{
    const struct mr_config *c = &session_own()->config;
    struct ip_addr addr = to_ip(&c->addr), gateway = to_ip(&c->gateway);
    struct nic *nic = px_session->nic;
    int netif = stack_port_add(i->shard.stack, nic, i->slot, c->vlan, c->mtu);

    MR_ASSERT(netif > 0);
    int rc = stack_addr_add(i->shard.stack, (unsigned)netif, &addr, c->prefix_len, false);
    if (rc == 0 && !ip_is_any(&gateway)) {
        struct ip_addr all = ip4_of(0, 0, 0, 0);
        rc = stack_route_add(i->shard.stack, &all, 0, &gateway, (unsigned)netif);
    }
    MR_ASSERT(rc == 0);
    i->shard.netifs = (unsigned)netif;
    i->shard.nic[netif] = nic;
    i->shard.queue[netif] = (uint16_t)i->slot;
}

/* Wakes who sleeps for the slots. */
static void ring(void *arg, uint64_t slots)
{
    (void)arg;
    for (; slots; slots &= slots - 1)
        os_bell_ring(px_session->slot_bell[lowest_bit(slots)]);
}

void inst_make(struct px_inst *i)
{
    struct stack_config sc;
    size_t native = align_up(native_bytes(), PAGE), stack = i->bytes - native;

    i->shard = (struct shard){.app = &app, .core_state = i, .ring = ring};
    if (session_own()->capture)
        i->shard.tap =
            (struct shard_tap){capture_frame, capture_of(session_own()->capture, i->slot)};
    config_fill(&sc, i);
    i->law_seen = atomic_load(&px_session->law_generation);
    i->shard.stack = stack_init(i->memory, stack, &sc, os_now_us());
    i->shard.native = native_init(i->memory + stack, i->shard.stack);
    net_setup(i);
    if (atomic_load(&i->broken))
        stack_announce(i->shard.stack);
    i->unsent = false;
    i->blind_us = BLIND_MIN_US;
    atomic_store(&i->live, 1);
}

void inst_make_anew(struct px_inst *i)
{
    if (atomic_exchange(&i->live, 0))
        inst_past_note(i);
    atomic_fetch_add(&i->broken, 1);
    /* A hole in the file is zero for every process, and gives back what it took. */
    sys_madvise(i->memory, i->bytes, MADV_REMOVE);
    struct pkt_pool *received = nic_rx_pool(px_session->nic, i->slot);
    if (received)
        pkt_pool_reclaim(received);
    inst_make(i);
    inst_past_keep(i);
    atomic_store(&i->files, 0);
    file_lost(i->slot);
}
