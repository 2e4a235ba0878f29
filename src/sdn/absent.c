/* What sdn_int.h declares and nobody has written yet.  Whoever writes a function deletes it here. */
#include "sdn/sdn_int.h"

#define UNUSED(x) ((void)(x))

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
