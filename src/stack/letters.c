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
    struct pkt *p = ip_passed(&s->ip, l, &s->mailed);

    if (p)
        burst_add(&s->passed, p);
    if (s->passed.n == BURST_MAX)
        stack_letters_done(s, s->now);
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
    case MAIL_ARP:
    case MAIL_AWAY_ASK:
    case MAIL_AWAY_YES:
    case MAIL_AWAY_NO:
    case MAIL_AWAY_END:
    case MAIL_FRAME:
    case MAIL_LISTEN:
    case MAIL_UNLISTEN:
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

static void tell_ports(struct stack *s, unsigned core)
{
    struct port_cores *ports = &s->cores.ports;
    struct port_letter head = {0};
    enum port_kind kind;
    uint16_t port;

    while (port_cores_news(ports, core, &kind, &port, &head.have)) {
        head.port = port;
        head.kind = (uint8_t)kind;
        if (!mail_send(s->cores.mail, core, MAIL_PORT, &head, sizeof(head), NULL))
            return;
        port_cores_told(ports, core, kind, port);
    }
}

void stack_tell(struct stack *s)
{
    for (unsigned c = 0; c < s->cores.home.cores; c++)
        if (c != s->cores.home.self && s->cores.ports.news_n[c])
            tell_ports(s, c);
}
