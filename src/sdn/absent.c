/* What sdn_int.h declares and nobody has written yet.  Whoever writes a function deletes it here. */
#include "sdn/sdn_int.h"

#define UNUSED(x) ((void)(x))

/* session */
sdn_conn sdn_open(struct sdn *s, enum sdn_speech speech, const struct sdn_peer *peer, instant now)
{
    UNUSED(s), UNUSED(speech), UNUSED(peer), UNUSED(now);
    return 0;
}
size_t sdn_input(struct sdn *s, sdn_conn c, const uint8_t *p, size_t n, instant now)
{
    UNUSED(s), UNUSED(c), UNUSED(p), UNUSED(now);
    return n;
}
void sdn_closed(struct sdn *s, sdn_conn c, instant now)
{
    UNUSED(s), UNUSED(c), UNUSED(now);
}
bool sdn_takes_input(const struct sdn *s, sdn_conn c)
{
    UNUSED(s), UNUSED(c);
    return true;
}
bool sdn_output(struct sdn *s, sdn_conn c, struct sdn_out *out)
{
    UNUSED(s), UNUSED(c), UNUSED(out);
    return false;
}
void sdn_output_done(struct sdn *s, const struct sdn_out *out)
{
    UNUSED(s), UNUSED(out);
}
void sdn_check(const struct sdn *s)
{
    UNUSED(s);
}
uint8_t *say_begin(struct sdn *s, struct sdn_switch *sw, size_t n, bool control)
{
    UNUSED(s), UNUSED(sw), UNUSED(n), UNUSED(control);
    return NULL;
}
void say_end(struct sdn *s, struct sdn_switch *sw, size_t n, bool control)
{
    UNUSED(s), UNUSED(sw), UNUSED(n), UNUSED(control);
}
bool say_plain(struct sdn *s, struct sdn_switch *sw, enum ofp_kind k)
{
    UNUSED(s), UNUSED(sw), UNUSED(k);
    return false;
}
bool say_flow(struct sdn *s, struct sdn_switch *sw, const struct ofp_flow *f, uint32_t *xid)
{
    UNUSED(s), UNUSED(sw), UNUSED(f), UNUSED(xid);
    return false;
}
bool say_packet(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p,
                const uint32_t *ports, size_t n_ports)
{
    UNUSED(s), UNUSED(sw), UNUSED(p), UNUSED(ports), UNUSED(n_ports);
    return false;
}
bool say_frame(struct sdn *s, struct sdn_switch *sw, uint32_t port, const void *frame, size_t n)
{
    UNUSED(s), UNUSED(sw), UNUSED(port), UNUSED(frame), UNUSED(n);
    return false;
}
void session_close(struct sdn *s, struct sdn_switch *sw, const char *why)
{
    UNUSED(s), UNUSED(sw), UNUSED(why);
}
void session_abort(struct sdn *s, struct sdn_switch *sw, const char *why)
{
    UNUSED(s), UNUSED(sw), UNUSED(why);
}
void session_probe(struct sdn *s, struct sdn_switch *sw)
{
    UNUSED(s), UNUSED(sw);
}
void session_bad(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m, uint16_t type,
                 uint16_t code)
{
    UNUSED(s), UNUSED(sw), UNUSED(m), UNUSED(type), UNUSED(code);
}
void alive_advance(struct sdn *s)
{
    UNUSED(s);
}
struct sdn_port *port_find(const struct sdn_switch *sw, uint32_t no)
{
    UNUSED(sw), UNUSED(no);
    return NULL;
}
void port_set_is(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p, enum sdn_port_is is)
{
    UNUSED(s), UNUSED(sw), UNUSED(p), UNUSED(is);
}
struct sdn_port *port_put(struct sdn *s, struct sdn_switch *sw, const struct ofp_port *desc)
{
    UNUSED(s), UNUSED(sw), UNUSED(desc);
    return NULL;
}
void port_remove(struct sdn *s, struct sdn_switch *sw, struct sdn_port *p)
{
    UNUSED(s), UNUSED(sw), UNUSED(p);
}
void port_remove_all(struct sdn *s, struct sdn_switch *sw)
{
    UNUSED(s), UNUSED(sw);
}
void xid_note(struct sdn *s, struct sdn_switch *sw, uint32_t xid, enum xid_for who, uint64_t arg)
{
    UNUSED(s), UNUSED(sw), UNUSED(xid), UNUSED(who), UNUSED(arg);
}
enum xid_for xid_take(struct sdn_switch *sw, uint32_t xid, uint64_t *arg)
{
    UNUSED(sw), UNUSED(xid), UNUSED(arg);
    return XID_FREE;
}
enum xid_for xid_look(const struct sdn_switch *sw, uint32_t xid, uint64_t *arg)
{
    UNUSED(sw), UNUSED(xid), UNUSED(arg);
    return XID_FREE;
}
bool role_want(struct sdn *s, struct sdn_switch *sw, enum ofp_role role, uint64_t ticket)
{
    UNUSED(s), UNUSED(sw), UNUSED(role), UNUSED(ticket);
    return false;
}
void event_note(struct sdn *s, enum event_kind k, uint64_t dpid, uint32_t port, const char *text)
{
    UNUSED(s), UNUSED(k), UNUSED(dpid), UNUSED(port), UNUSED(text);
}
const struct event *event_after(const struct sdn *s, uint64_t no)
{
    UNUSED(s), UNUSED(no);
    return NULL;
}
const char *event_kind_name(enum event_kind k)
{
    UNUSED(k);
    return "?";
}
void count_multipart(struct sdn *s, struct sdn_switch *sw, const struct ofp_multipart *mp,
                     instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(mp), UNUSED(now);
}
void count_advance(struct sdn *s, instant now)
{
    UNUSED(s), UNUSED(now);
}
instant count_deadline(const struct sdn *s)
{
    UNUSED(s);
    return INSTANT_NEVER;
}
void chunks_carve(struct sdn *s)
{
    UNUSED(s);
}
void events_carve(struct sdn *s)
{
    UNUSED(s);
}
void mac_carve(struct mac_table *t, struct mem *m, uint32_t max, uint64_t seed)
{
    UNUSED(t), UNUSED(m), UNUSED(max), UNUSED(seed);
}
uint32_t mac_find(const struct mac_table *t, uint64_t key, uint16_t vlan)
{
    UNUSED(t), UNUSED(key), UNUSED(vlan);
    return 0;
}
enum mac_news mac_learn(struct mac_table *t, uint64_t key, uint16_t vlan, uint32_t port,
                        uint32_t now_s)
{
    UNUSED(t), UNUSED(key), UNUSED(vlan), UNUSED(port), UNUSED(now_s);
    return MAC_SAME;
}
void mac_forget(struct mac_table *t, uint64_t key, uint16_t vlan)
{
    UNUSED(t), UNUSED(key), UNUSED(vlan);
}
void mac_forget_switch(struct mac_table *t, uint16_t id, uint32_t port)
{
    UNUSED(t), UNUSED(id), UNUSED(port);
}
bool mac_next(const struct mac_table *t, uint16_t id, uint64_t *cursor, struct mac_entry *out)
{
    UNUSED(t), UNUSED(id), UNUSED(cursor), UNUSED(out);
    return false;
}

/* north */
void store_switch_up(struct sdn *s, struct sdn_switch *sw, instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(now);
}
void store_switch_gone(struct sdn *s, struct sdn_switch *sw)
{
    UNUSED(s), UNUSED(sw);
}
void store_confirmed(struct sdn *s, struct sdn_switch *sw, uint64_t arg, instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(arg), UNUSED(now);
}
void store_refused(struct sdn *s, struct sdn_switch *sw, uint64_t arg,
                   const struct ofp_error_msg *e, instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(arg), UNUSED(e), UNUSED(now);
}
void store_letter(struct sdn *s, unsigned from, const uint8_t *p, size_t n, instant now)
{
    UNUSED(s), UNUSED(from), UNUSED(p), UNUSED(n), UNUSED(now);
}
void store_advance(struct sdn *s, instant now)
{
    UNUSED(s), UNUSED(now);
}
instant store_deadline(const struct sdn *s)
{
    UNUSED(s);
    return INSTANT_NEVER;
}
void ask_multipart(struct sdn *s, struct sdn_switch *sw, uint64_t arg, const struct ofp_msg *m,
                   const struct ofp_multipart *mp, instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(arg), UNUSED(m), UNUSED(mp), UNUSED(now);
}
void ask_error(struct sdn *s, struct sdn_switch *sw, uint64_t arg, const struct ofp_error_msg *e)
{
    UNUSED(s), UNUSED(sw), UNUSED(arg), UNUSED(e);
}
void ask_role(struct sdn *s, struct sdn_switch *sw, uint64_t ticket, enum ofp_role role)
{
    UNUSED(s), UNUSED(sw), UNUSED(ticket), UNUSED(role);
}
void ask_barrier(struct sdn *s, struct sdn_switch *sw, uint64_t arg)
{
    UNUSED(s), UNUSED(sw), UNUSED(arg);
}
void ask_switch_gone(struct sdn *s, struct sdn_switch *sw)
{
    UNUSED(s), UNUSED(sw);
}
void ask_advance(struct sdn *s, instant now)
{
    UNUSED(s), UNUSED(now);
}
instant ask_deadline(const struct sdn *s)
{
    UNUSED(s);
    return INSTANT_NEVER;
}
void ask_answered(struct sdn *s, struct sdn_ask *q, unsigned status)
{
    UNUSED(s), UNUSED(q), UNUSED(status);
}
void ask_refused(struct sdn *s, struct sdn_ask *q, unsigned status, const char *text)
{
    UNUSED(s), UNUSED(q), UNUSED(status), UNUSED(text);
}
void sdn_ask(struct sdn *s, struct sdn_ask *q, instant now)
{
    UNUSED(s), UNUSED(q), UNUSED(now);
}
struct sdn_ask *sdn_next_answered(struct sdn *s)
{
    UNUSED(s);
    return NULL;
}
void store_carve(struct sdn *s)
{
    UNUSED(s);
}
void asks_carve(struct sdn *s)
{
    UNUSED(s);
}

/* pof */
void pof_opened(struct sdn *s, struct sdn_switch *sw, instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(now);
}
void pof_message(struct sdn *s, struct sdn_switch *sw, const struct ofp_msg *m, instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(m), UNUSED(now);
}
void pof_switch_gone(struct sdn *s, struct sdn_switch *sw)
{
    UNUSED(s), UNUSED(sw);
}
void pof_topology_changed(struct sdn *s, struct sdn_switch *sw, instant now)
{
    UNUSED(s), UNUSED(sw), UNUSED(now);
}
void pof_advance(struct sdn *s, instant now)
{
    UNUSED(s), UNUSED(now);
}
instant pof_deadline(const struct sdn *s)
{
    UNUSED(s);
    return INSTANT_NEVER;
}
void pof_ask(struct sdn *s, struct sdn_ask *q, instant now)
{
    UNUSED(s), UNUSED(q), UNUSED(now);
}
void pof_carve(struct sdn *s)
{
    UNUSED(s);
}
bool sdn_who(const struct sdn *s, sdn_conn c, struct sdn_who *out)
{
    UNUSED(s), UNUSED(c), UNUSED(out);
    return false;
}
