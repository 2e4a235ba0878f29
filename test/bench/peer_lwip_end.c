#define _GNU_SOURCE
#include "peer_lwip_end.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench_frame.h"

enum { STALL_S = 2, TIMER_EVERY = 1024 };

static void *symbol(void *lib, const char *name)
{
    void *address = dlsym(lib, name);

    if (address == NULL)
        bench_die("lwip: no symbol %s", name);
    return address;
}

static void functions_load(struct end *e, const char *library)
{
    void *lib = dlmopen(LM_ID_NEWLM, library, RTLD_NOW);

    if (lib == NULL)
        bench_die("lwip: %s", dlerror());
#define X(name) *(void **)&e->name = symbol(lib, #name);
    END_FUNCTIONS(X)
#undef X
    *(void **)&e->mallinfo2 = symbol(lib, "mallinfo2");
    e->tw_pcbs = symbol(lib, "tcp_tw_pcbs");

    /* A C library in a second namespace believes that threads exist and takes every lock with
     * atomic instructions, and tries to give memory back on every free.  lwIP shall not pay for
     * our loader. */
    *(char *)symbol(lib, "__libc_single_threaded") = 1;
    int (*mallopt_there)(int, int);
    *(void **)&mallopt_there = symbol(lib, "mallopt");
    mallopt_there(M_TRIM_THRESHOLD, INT_MAX);
}

static void slot_put(struct pbuf *p)
{
    struct end_slot *s = (struct end_slot *)(void *)p;

    s->next = s->owner->free_slots;
    s->owner->free_slots = s;
}

static void slots_init(struct end *e)
{
    e->slots = aligned_alloc(64, END_SLOTS * sizeof *e->slots);
    if (e->slots == NULL)
        bench_die("lwip: no memory for the wire");
    memset(e->slots, 0, END_SLOTS * sizeof *e->slots);
    for (unsigned i = 0; i < END_SLOTS; i++) {
        e->slots[i].owner = e;
        e->slots[i].pbuf.custom_free_function = slot_put;
        slot_put(&e->slots[i].pbuf.pbuf);
    }
    e->queue_tail = &e->queue_head;
}

/* The driver's transmit: one copy into a slot of the other end. */
static err_t wire_send(struct netif *netif, struct pbuf *p)
{
    struct end *to = ((struct end *)netif->state)->other;
    struct end_slot *s = to->free_slots;

    if (s == NULL) {
        to->wire_drops++;
        return ERR_BUF;
    }
    to->free_slots = s->next;
    s->size = p->tot_len;
    uint8_t *at = s->frame;
    for (; p != NULL; p = p->next) {
        memcpy(at, p->payload, p->len);
        at += p->len;
    }
    s->next = NULL;
    *to->queue_tail = s;
    to->queue_tail = &s->next;
    return ERR_OK;
}

unsigned end_pump(struct end *e)
{
    unsigned frames = 0;

    while (e->queue_head != NULL) {
        struct end_slot *s = e->queue_head;
        e->queue_head = s->next;
        if (e->queue_head == NULL)
            e->queue_tail = &e->queue_head;
        struct pbuf *p = e->pbuf_alloced_custom(PBUF_RAW, s->size, PBUF_REF, &s->pbuf, s->frame,
                                                END_SLOT_BYTES);
        if (e->netif.input(p, &e->netif) != ERR_OK)
            e->pbuf_free(p);
        frames++;
    }
    return frames;
}

static uint64_t now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec;
}

void end_pair_pump(struct end *client, struct end *server, const uint64_t *left)
{
    static unsigned turn;
    uint64_t stalled_s = 0;

    while (*left != 0) {
        unsigned moved = end_pump(server);
        moved += end_pump(client);
        if (moved == 0 && stalled_s == 0)
            stalled_s = now_s();
        else if (moved != 0)
            stalled_s = 0;
        if (stalled_s != 0 && now_s() - stalled_s > STALL_S)
            bench_die("lwip: stalled with %llu to go, %llu frames lost",
                      (unsigned long long)*left,
                      (unsigned long long)(client->wire_drops + server->wire_drops));
        if (++turn % TIMER_EVERY == 0 || moved == 0) {
            client->sys_check_timeouts();
            server->sys_check_timeouts();
        }
    }
}

void end_pair_settle(struct end *client, struct end *server)
{
    while (end_pump(server) + end_pump(client) != 0)
        ;
}

void end_expire_timewait(struct end *e)
{
    while (*e->tw_pcbs != NULL)
        e->tcp_slowtmr();
}

size_t end_heap_bytes(const struct end *e)
{
    struct mallinfo2 m = e->mallinfo2();

    return m.uordblks + m.hblkhd;
}

static err_t netif_init_wire(struct netif *netif)
{
    static const uint8_t mac[] = { 2, 0, 0, 0, 0 };
    struct end *e = netif->state;

    netif->name[0] = 'm';
    netif->name[1] = 'w';
    netif->mtu = 1500;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, mac, sizeof mac);
    netif->hwaddr[5] = ip4_addr4(&e->addr);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                   NETIF_FLAG_LINK_UP;
    netif->output = e->etharp_output;
    netif->linkoutput = wire_send;
    return ERR_OK;
}

static void end_init(struct end *e, struct end *other, const char *library, uint8_t host)
{
    ip4_addr_t mask, gateway = { 0 };

    memset(e, 0, sizeof *e);
    functions_load(e, library);
    slots_init(e);
    e->other = other;
    IP4_ADDR(&e->addr, 10, 0, 0, host);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    e->lwip_init();
    e->netif_add(&e->netif, &e->addr, &mask, &gateway, e, netif_init_wire, e->ethernet_input);
    e->netif_set_default(&e->netif);
}

void end_pair_init(struct end *client, struct end *server, const char *library)
{
    end_init(client, server, library, 1);
    end_init(server, client, library, 2);
    client->netif_set_up(&client->netif);
    server->netif_set_up(&server->netif);
    end_pair_settle(client, server);
}
