/* ARP and our addresses between the cores of one program. */
#include "eth/eth_int.h"

enum what {
    TELL_ARP,   /* was heard */
    TELL_STATE, /* of our address, from core 0 */
    TELL_ASK,   /* core 0 for that */
};

/* The head of a MAIL_ARP letter. */
struct arp_letter {
    struct arp_pkt arp;
    be32 addr;
    uint8_t what;  /* enum what */
    uint8_t state; /* enum eth_addr_state */
    uint8_t netif;
};
_Static_assert(sizeof(struct arp_letter) <= MAIL_HEAD_MAX, "it is a head");

static bool write(struct eth *eth, unsigned core, const struct arp_letter *head)
{
    if (mail_send(eth->cores->mail, core, MAIL_ARP, head, sizeof(*head), NULL))
        return true;
    eth->stats.arp_not_told_full++;
    return false;
}

/* ---- what was heard ------------------------------------------------------------------- */

/* Others may have asked for the sender, or know him: he answers us, announces himself, or asks for
 * us. What third parties say to each other is not worth a letter. */
static bool is_news(struct eth *eth, unsigned netif, const struct arp_pkt *a)
{
    return a->spa.raw != 0 && (a->spa.raw == a->tpa.raw || addr_find(eth, netif, a->tpa));
}

void tell_arp(struct eth *eth, unsigned netif, const struct arp_pkt *a, bool conflict, instant now)
{
    const struct home *home = &eth->cores->home;
    struct arp_letter head = {.arp = *a, .what = TELL_ARP, .netif = (uint8_t)netif};
    bool reply = a->op == ARP_REPLY && a->spa.raw != a->tpa.raw;
    unsigned cores = conflict ? 1 : home->cores;

    /* What core 0 makes of a conflict it tells by itself. */
    if (conflict ? !eth_follows(eth) : !is_news(eth, netif, a))
        return;
    if (!credit_take(reply ? &eth->tell_reply : &eth->tell_other, eth->limits.arp_tell, now)) {
        eth->stats.arp_not_told_rate++;
        return;
    }
    eth->stats.arp_told++;
    for (unsigned c = 0; c < cores; c++)
        if (c != home->self)
            write(eth, c, &head);
}

static void hear_arp(struct eth *eth, const struct arp_letter *head, instant now)
{
    struct eth_addr *ours = arp_conflict(eth, head->netif, &head->arp);

    eth->stats.arp_heard++;
    if (!ours)
        arp_merge(eth, head->netif, &head->arp, now);
    else if (!eth_follows(eth))
        addr_conflict(eth, ours, now);
}

/* ---- our addresses ---------------------------------------------------------------------- */

void tell_addr(struct eth *eth, const struct eth_addr *a)
{
    if (!eth_is_shared(eth) || eth_follows(eth))
        return;
    for (unsigned c = 1; c < eth->cores->home.cores; c++)
        eth->addr_news[c] |= UINT64_C(1) << (a - eth->addr);
    eth->addr_untold = true;
}

void ask_addr(struct eth *eth, const struct eth_addr *a)
{
    struct arp_letter head = {.addr = a->addr, .what = TELL_ASK, .netif = a->netif};

    write(eth, 0, &head);
}

static void answer(struct eth *eth, unsigned core, const struct arp_letter *head)
{
    for (unsigned i = 0; i < ETH_ADDRS_MAX; i++) {
        const struct eth_addr *a = &eth->addr[i];
        if (a->addr.raw == head->addr.raw && a->netif == head->netif &&
            (a->state == ETH_ADDR_ACTIVE || a->state == ETH_ADDR_CONFLICT))
            eth->addr_news[core] |= UINT64_C(1) << i;
    }
    eth->addr_untold = true;
}

static bool tell_states(struct eth *eth, unsigned core)
{
    while (eth->addr_news[core]) {
        const struct eth_addr *a = &eth->addr[__builtin_ctzll(eth->addr_news[core])];
        struct arp_letter head = {
            .addr = a->addr, .what = TELL_STATE, .state = a->state, .netif = a->netif};
        if (!write(eth, core, &head))
            return false;
        eth->addr_news[core] &= eth->addr_news[core] - 1;
    }
    return true;
}

bool eth_tell(struct eth *eth)
{
    bool all = true;

    if (likely(!eth->addr_untold))
        return true;
    /* One that does not read keeps nothing from the others. */
    for (unsigned c = 1; c < eth->cores->home.cores; c++)
        all &= tell_states(eth, c);
    eth->addr_untold = !all;
    return all;
}

void eth_letter(struct eth *eth, const struct letter *l, instant now)
{
    struct arp_letter head;

    memcpy(&head, l->head, sizeof(head));
    /* A core that is still being set up has fewer interfaces. */
    if (head.netif >= eth->netifs)
        return;
    switch ((enum what)head.what) {
    case TELL_ARP:
        hear_arp(eth, &head, now);
        break;
    case TELL_STATE:
        addr_is(eth, head.netif, head.addr, (enum eth_addr_state)head.state);
        break;
    case TELL_ASK:
        answer(eth, l->from, &head);
        break;
    }
}
