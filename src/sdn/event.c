/* The last things that happened, for people: a ring. */
#include "sdn/sdn_int.h"

#define EVENTS 1024u
#define NOTES_A_SECOND 16u /* a switch */

struct events {
    uint64_t last; /* number of the newest; 0: none yet */
    struct event ring[EVENTS];
};

void events_carve(struct sdn *s)
{
    s->events = mem_carve(&s->mem, sizeof(struct events), CACHE_LINE);
}

void event_note(struct sdn *s, enum event_kind k, uint64_t dpid, uint32_t port, const char *text)
{
    uint64_t no = ++s->events->last;
    struct event *e = &s->events->ring[no % EVENTS];

    *e = (struct event){.no = no, .when = s->now, .kind = k, .dpid = dpid, .port = port};
    fmt_print(e->text, sizeof(e->text), "%s", text);
}

void event_note_some(struct sdn *s, struct sdn_switch *sw, enum event_kind k, uint32_t port,
                     const char *text)
{
    if (sw->notes_s != s->now_s) {
        sw->notes_s = s->now_s;
        sw->notes = 0;
    }
    if (sw->notes++ < NOTES_A_SECOND)
        event_note(s, k, sw->dpid, port, text);
}

const struct event *event_after(const struct sdn *s, uint64_t no)
{
    uint64_t last = s->events->last;

    /* A number of another run: all that is kept. */
    if (no > last)
        no = 0;
    if (no == last)
        return NULL;
    if (last - no > EVENTS)
        no = last - EVENTS;
    return &s->events->ring[(no + 1) % EVENTS];
}

const char *event_kind_name(enum event_kind k)
{
    static const char *const name[] = {
        [EVENT_SWITCH_UP] = "switch_up",
        [EVENT_SWITCH_DOWN] = "switch_down",
        [EVENT_PORT] = "port",
        [EVENT_LINK_UP] = "link_up",
        [EVENT_LINK_DOWN] = "link_down",
        [EVENT_HOST] = "host",
        [EVENT_HOST_MOVED] = "host_moved",
        [EVENT_ERROR] = "error",
        [EVENT_REFUSED] = "refused",
        [EVENT_COMMAND] = "command",
    };

    return k < ARRAY_LEN(name) ? name[k] : "?";
}
