/* What sdn_int.h declares and nobody has written yet.  Whoever writes a function deletes it here. */
#include "sdn/sdn_int.h"

#define UNUSED(x) ((void)(x))

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
