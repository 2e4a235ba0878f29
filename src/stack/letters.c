/* What other cores write, and what they must be told. */
#include "stack/stack_int.h"

/* The head of a MAIL_PORT letter. */
struct port_letter {
    uint16_t port;
    uint8_t kind; /* enum port_kind */
    bool have;
};

static void packet(struct stack *s, const struct letter *l)
{
    /* A burst may be more than there are large buffers: what was read gives its own back. */
    if (s->passed.n == BURST_MAX || pkt_pool_is_low(&s->ip.jumbo))
        stack_letters_done(s, s->now);
    struct pkt *p = ip_passed(&s->ip, l, &s->mailed);

    if (p)
        burst_add(&s->passed, p);
}

/* The core that should hear of an error which is for nobody here; self: none.  It goes home, and
 * from there to who has the endpoint, and no further. */
static unsigned error_core(const struct stack *s, const struct ip_error *e, unsigned hops)
{
    const struct home *h = &s->cores.home;
    unsigned home;

    if (!home_is_shared(h))
        return h->self;
    if (e->proto == IPPROTO_UDP_)
        return udp_error_core(&s->udp, e, hops);
    home = home_of_flow(h, ip_v4(&e->remote), ip_v4(&e->local), e->rport, e->lport);
    return hops == 0 ? home : h->self;
}

void stack_error(struct stack *s, const struct ip_error *e, unsigned hops)
{
    unsigned core;

    if (e->proto == IPPROTO_TCP_) {
        core = home_is_shared(&s->cores.home) ? tcp_error_core(&s->tcp, e) : s->cores.home.self;
        if (core != s->cores.home.self && hops < IP_HOPS_MAX)
            ip_pass_error(&s->ip, e, hops, core);
        else
            tcp_icmp(&s->tcp, e, s->now);
        return;
    }
    if (udp_icmp_error(&s->udp, &s->ip, e, s->now))
        return;
    core = error_core(s, e, hops);
    if (core != s->cores.home.self)
        ip_pass_error(&s->ip, e, hops, core);
    else
        s->udp.stats.drop_error++;
}

static void error(struct stack *s, const struct letter *l)
{
    struct ip_error e;
    unsigned hops;

    if (ip_passed_error(&s->ip, l, &e, &hops))
        stack_error(s, &e, hops);
}

static void port(struct stack *s, const struct letter *l)
{
    struct port_letter head;

    memcpy(&head, l->head, sizeof(head));
    port_cores_set(&s->cores.ports, l->from, (enum port_kind)head.kind, head.port, head.have);
}

bool stack_letter(struct stack *s, const struct letter *l, instant now)
{
    stack_clock_set(s, now);
    switch (l->kind) {
    case MAIL_PACKET:
        packet(s, l);
        return true;
    case MAIL_PORT:
        port(s, l);
        return true;
    case MAIL_ERROR:
        error(s, l);
        return true;
    case MAIL_ARP:
        eth_letter(&s->eth, l, s->now);
        return true;
    case MAIL_AWAY_ASK:
    case MAIL_AWAY_YES:
    case MAIL_AWAY_NO:
    case MAIL_AWAY_END:
        tcp_away_letter(&s->tcp, l, s->now);
        return true;
    case MAIL_ANNOUNCE:
        port_cores_reborn(&s->cores.ports, l->from);
        tcp_away_reborn(&s->tcp, l->from, s->now);
        return true;
    case MAIL_FRAME:
    case MAIL_LISTEN:
    case MAIL_LISTEN_OPT:
    case MAIL_UNLISTEN:
    case MAIL_APP:
    case MAIL_KINDS:
        break;
    }
    return false;
}

void stack_letters_done(struct stack *s, instant now)
{
    stack_clock_set(s, now);
    if (s->passed.n)
        stack_ip_burst(s, &s->passed);
}

static bool tell_ports(struct stack *s, unsigned core)
{
    struct port_cores *ports = &s->cores.ports;
    struct port_letter head = {0};
    enum port_kind kind;
    uint16_t port;

    while (port_cores_news(ports, core, &kind, &port, &head.have)) {
        head.port = port;
        head.kind = (uint8_t)kind;
        if (!mail_send(s->cores.mail, core, MAIL_PORT, &head, sizeof(head), NULL))
            return false;
        port_cores_told(ports, core, kind, port);
    }
    return true;
}

void stack_announce(struct stack *s)
{
    const struct home *h = &s->cores.home;

    if (!home_is_shared(h))
        return;
    s->cores.unannounced = (h->cores == 64 ? 0 : UINT64_C(1) << h->cores) - 1;
    s->cores.unannounced &= ~(UINT64_C(1) << h->self);
    s->cores.quiet_until = s->now + HOME_GRACE_US;
    mail_look(s->cores.mail);
    (void)stack_tell(s);
}

void stack_set_law(struct stack *s, const struct rss *law, instant now)
{
    stack_clock_set(s, now);
    if (!home_is_shared(&s->cores.home) || !home_set_law(&s->cores.home, law, s->now))
        return;
    tcp_law_changed(&s->tcp, s->now);
    udp_law_changed(&s->udp);
}

void stack_law_settled(struct stack *s, instant now)
{
    stack_clock_set(s, now);
    if (!home_is_shared(&s->cores.home))
        return;
    home_settle(&s->cores.home);
    tcp_law_settled(&s->tcp, s->now);
}

bool stack_law_is_told(const struct stack *s)
{
    return tcp_away_is_told(&s->tcp);
}

/* Before a core has heard it, what else we tell it would be forgotten with what we had before. */
static bool announce(struct stack *s)
{
    struct cores *c = &s->cores;

    for (uint64_t left = c->unannounced; left; left &= left - 1)
        if (mail_send(c->mail, lowest_bit(left), MAIL_ANNOUNCE, NULL, 0, NULL))
            c->unannounced &= ~(left & (0 - left));
    return !c->unannounced;
}

bool stack_tell(struct stack *s)
{
    bool all = likely(!s->cores.unannounced) || announce(s);

    all &= eth_tell(&s->eth);

    /* Every turn comes here: no walk over cores that know all. */
    for (uint64_t left = s->cores.ports.untold & ~s->cores.unannounced; left; left &= left - 1)
        all &= tell_ports(s, lowest_bit(left));
    return all;
}
