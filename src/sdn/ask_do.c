/* Commands that are not kept: a port, a role, the end of a connection. */
#include "sdn/ask.h"

static void do_port(struct sdn *s, struct sdn_ask *q, struct sdn_switch *sw)
{
    const struct sdn_port *p = port_find(sw, q->port);
    uint64_t ticket;
    uint32_t xid;
    uint8_t *b;
    size_t n;

    if (!p) {
        ask_refused(s, q, 404, "the switch has no such port");
        return;
    }
    if (ofp_is_pof(sw->dialect)) {
        ask_refused(s, q, 501, "a POF switch confirms nothing of this");
        return;
    }
    if ((ticket = ask_wait(s, q, sw)) == 0)
        return;
    b = say_begin(s, sw, 64, true);
    xid = xid_next(sw);
    /* Bit 0 of config is PORT_DOWN (1.0: 5.2.1; 1.3.5: 7.2.1). */
    n = b ? ofp_emit_port_mod(sw->dialect, b, 64, xid, &p->desc, q->flag ? 0 : 1, 1) : 0;
    say_end(s, sw, n, true);
    if (n > 0)
        xid_note(s, sw, xid, XID_ASK, ticket);
    if (n == 0 || !ask_say_barrier(s, sw, ticket)) {
        ask_refused(s, ask_wait_over(s, ask_waiting(s, ticket)), 503,
                    "too much is waiting for this switch already");
        return;
    }
    event_note(s, EVENT_COMMAND, sw->dpid, q->port, q->flag ? "port up" : "port down");
}

static void do_role(struct sdn *s, struct sdn_ask *q, struct sdn_switch *sw)
{
    uint64_t ticket = ask_wait(s, q, sw);

    if (ticket == 0)
        return;
    if (role_want(s, sw, q->role, ticket)) {
        event_note(s, EVENT_COMMAND, sw->dpid, 0, "role");
        return;
    }
    ask_refused(s, ask_wait_over(s, ask_waiting(s, ticket)), 501,
                "the switch's protocol has no roles");
}

void ask_role(struct sdn *s, struct sdn_switch *sw, uint64_t ticket, enum ofp_role role)
{
    static const char *const text[] = {
        [OFP_ROLE_NOCHANGE] = "{\"role\":\"NOCHANGE\"}",
        [OFP_ROLE_EQUAL] = "{\"role\":\"EQUAL\"}",
        [OFP_ROLE_MASTER] = "{\"role\":\"MASTER\"}",
        [OFP_ROLE_SLAVE] = "{\"role\":\"SLAVE\"}",
    };
    struct ask_wait *w = ask_waiting(s, ticket);

    if (w && w->conn == sw->conn)
        ask_text(s, ask_wait_over(s, w), 200, text[role & 3]);
}

void ask_do(struct sdn *s, struct sdn_ask *q)
{
    struct sdn_switch *sw = ask_switch_of(s, q);

    if (!sw)
        return;
    if (q->kind == SDN_DO_PORT) {
        do_port(s, q, sw);
    } else if (q->kind == SDN_DO_ROLE) {
        do_role(s, q, sw);
    } else {
        session_close(s, sw, "an operator closed it");
        ask_text(s, q, 200, "{\"status\":\"closed\"}");
    }
}
