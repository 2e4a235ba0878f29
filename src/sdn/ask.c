/* Questions and commands: which file answers, who waits, and lists. */
#include "sdn/ask.h"

#define ASK_US (4 * USEC_PER_SEC)

/* ---- answered ---- */

void ask_answered(struct sdn *s, struct sdn_ask *q, unsigned status)
{
    q->status = status;
    q->next = NULL;
    *s->asks->answered_end = q;
    s->asks->answered_end = &q->next;
}

struct sdn_ask *sdn_next_answered(struct sdn *s)
{
    struct sdn_ask *q = s->asks->answered;

    if (!q)
        return NULL;
    s->asks->answered = q->next;
    if (!q->next)
        s->asks->answered_end = &s->asks->answered;
    q->next = NULL;
    return q;
}

void ask_text(struct sdn *s, struct sdn_ask *q, unsigned status, const char *text)
{
    q->n = q->cap > 0 ? fmt_print(q->buf, q->cap, "%s", text) : 0;
    ask_answered(s, q, status);
}

void ask_refused(struct sdn *s, struct sdn_ask *q, unsigned status, const char *text)
{
    struct json j;

    q->n = 0;
    if (q->cap > 0) {
        json_init(&j, q->buf, q->cap);
        json_object(&j, NULL);
        json_str(&j, "error", text);
        json_end(&j);
        q->n = json_fini(&j);
    }
    ask_answered(s, q, status);
}

void ask_json(struct sdn *s, struct sdn_ask *q, struct json *j)
{
    q->n = json_fini(j);
    if (q->n == 0)
        ask_refused(s, q, 413, "the answer does not fit");
    else
        ask_answered(s, q, 200);
}

/* ---- lists ---- */

#define LIST_TAIL 64u /* room for what closes a list */

void ask_list_begin(struct ask_list *l, struct sdn_ask *q, const char *key)
{
    *l = (struct ask_list){.q = q};
    json_init(&l->j, q->buf, q->cap);
    json_object(&l->j, NULL);
    json_array(&l->j, key);
}

bool ask_list_wants(struct ask_list *l)
{
    if (l->full || l->at++ < l->q->cursor)
        return false;
    if (l->q->max != 0 && l->kept == l->q->max) {
        l->full = true;
        l->at--;
        return false;
    }
    l->before = l->j;
    return true;
}

bool ask_list_kept(struct ask_list *l)
{
    if (!l->j.out.cut && l->j.out.size - l->j.out.len > LIST_TAIL) {
        l->kept++;
        return true;
    }
    l->j = l->before;
    l->j.out.buf[l->j.out.len] = '\0';
    l->full = true;
    l->at--;
    return false;
}

void ask_list_end(struct sdn *s, struct ask_list *l)
{
    if (l->full && l->kept == 0) {
        ask_refused(s, l->q, 413, "the answer does not fit");
        return;
    }
    l->q->cursor = l->full ? l->at : 0;
    json_end(&l->j);
    json_end(&l->j);
    ask_json(s, l->q, &l->j);
}

/* ---- waiting ---- */

uint64_t ask_wait(struct sdn *s, struct sdn_ask *q, const struct sdn_switch *sw)
{
    for (uint32_t i = 0; i < ASKS_WAITING; i++) {
        struct ask_wait *w = &s->asks->wait[i];
        if (w->q)
            continue;
        w->q = q;
        s->asks->waiting++;
        w->conn = sw->conn;
        w->stage = 0;
        w->until = s->now + ASK_US;
        w->generation = (w->generation + 1) & 0xffffff;
        json_init(&w->j, q->buf, max_u64(q->cap, 1));
        return (uint64_t)w->generation << 8 | (i + 1);
    }
    ask_refused(s, q, 503, "too many questions wait for switches already");
    return 0;
}

struct sdn_ask *ask_wait_over(struct sdn *s, struct ask_wait *w)
{
    struct sdn_ask *q = w->q;

    w->q = NULL;
    s->asks->waiting--;
    return q;
}

struct ask_wait *ask_waiting(const struct sdn *s, uint64_t ticket)
{
    uint64_t i = (ticket & 0xff) - 1;
    struct ask_wait *w = i < ASKS_WAITING ? &s->asks->wait[i] : NULL;

    return w && w->q && w->generation == ticket >> 8 ? w : NULL;
}

struct sdn_switch *ask_switch_of(struct sdn *s, struct sdn_ask *q)
{
    struct sdn_switch *sw = sdn_switch_find(s, q->dpid);
    uint32_t i = net_find(s, q->dpid);

    if (sw)
        return sw;
    if (i != NET_NONE && s->net->sw[i].connected && s->net->sw[i].core != s->config.core) {
        q->core = s->net->sw[i].core;
        q->n = 0;
        ask_answered(s, q, 421);
    } else {
        ask_refused(s, q, 404, "no switch with this datapath id is connected");
    }
    return NULL;
}

bool ask_say_barrier(struct sdn *s, struct sdn_switch *sw, uint64_t ticket)
{
    uint8_t *b = say_begin(s, sw, OFP_HLEN, true);
    uint32_t xid = xid_next(sw);
    size_t n = b ? ofp_emit(sw->dialect, b, OFP_HLEN, OFP_BARRIER_REQUEST, xid, NULL, 0) : 0;

    say_end(s, sw, n, true);
    if (n == 0)
        return false;
    xid_note(s, sw, xid, XID_ASK, ticket);
    return true;
}

static void wait_end(struct sdn *s, struct ask_wait *w, unsigned status, const char *text)
{
    ask_refused(s, ask_wait_over(s, w), status, text);
}

void ask_error(struct sdn *s, struct sdn_switch *sw, uint64_t arg, const struct ofp_error_msg *e)
{
    struct ask_wait *w = ask_waiting(s, arg);
    char name[96], text[128];
    struct fmt f;

    if (!w || w->conn != sw->conn)
        return;
    fmt_init(&f, name, sizeof(name));
    ofp_error_print(&f, sw->dialect, e->type, e->code);
    fmt_print(text, sizeof(text), "the switch refused: %s", name);
    wait_end(s, w, 502, text);
}

void ask_barrier(struct sdn *s, struct sdn_switch *sw, uint64_t arg)
{
    struct ask_wait *w = ask_waiting(s, arg);

    if (w && w->conn == sw->conn)
        ask_text(s, ask_wait_over(s, w), 200, "{\"status\":\"confirmed\"}");
}

void ask_switch_gone(struct sdn *s, struct sdn_switch *sw)
{
    for (uint32_t i = 0; s->asks->waiting > 0 && i < ASKS_WAITING; i++)
        if (s->asks->wait[i].q && s->asks->wait[i].conn == sw->conn)
            wait_end(s, &s->asks->wait[i], 504, "the switch has gone");
}

void ask_advance(struct sdn *s, instant now)
{
    for (uint32_t i = 0; s->asks->waiting > 0 && i < ASKS_WAITING; i++)
        if (s->asks->wait[i].q && now >= s->asks->wait[i].until)
            wait_end(s, &s->asks->wait[i], 504, "the switch has not answered in time");
}

instant ask_deadline(const struct sdn *s)
{
    instant at = INSTANT_NEVER;

    /* Asked with every event: nearly always nobody waits. */
    for (uint32_t i = 0; s->asks->waiting > 0 && i < ASKS_WAITING; i++)
        if (s->asks->wait[i].q && s->asks->wait[i].until < at)
            at = s->asks->wait[i].until;
    return at;
}

void asks_carve(struct sdn *s)
{
    uint32_t places = 64;

    while (places < s->config.switches && places < 65536)
        places *= 2;
    s->asks = mem_carve(&s->mem, sizeof(struct asks), CACHE_LINE);
    struct ask_known *known = mem_carve(&s->mem, places * sizeof(*known), CACHE_LINE);
    if (mem_is_measuring(&s->mem))
        return;
    s->asks->answered_end = &s->asks->answered;
    s->asks->known = known;
    s->asks->known_mask = places - 1;
}

/* ---- which file ---- */

static void at_seat(struct sdn *s, struct sdn_ask *q, void (*f)(struct sdn *s, struct sdn_ask *q))
{
    if (sdn_is_seat(s)) {
        f(s, q);
        return;
    }
    q->core = 0;
    q->n = 0;
    ask_answered(s, q, 421);
}

void sdn_ask(struct sdn *s, struct sdn_ask *q, instant now)
{
    s->now = now;
    q->asked = now;
    q->n = 0;
    switch (q->kind) {
    case SDN_ASK_SWITCHES:
        ask_switches(s, q, false);
        return;
    case SDN_ASK_METRICS:
        if (q->flag)
            ask_datapaths(s, q);
        else
            ask_switches(s, q, true);
        return;
    case SDN_ASK_SWITCH:
    case SDN_ASK_PORTS:
        ask_switch(s, q);
        return;
    case SDN_ASK_FLOWS:
    case SDN_ASK_GROUPS:
    case SDN_ASK_METERS:
    case SDN_ASK_TABLES:
        ask_stats(s, q);
        return;
    case SDN_ASK_MACS:
        ask_macs(s, q);
        return;
    case SDN_ASK_LINKS:
        ask_links(s, q);
        return;
    case SDN_ASK_HOSTS:
        ask_hosts(s, q);
        return;
    case SDN_ASK_HOST:
        ask_host(s, q);
        return;
    case SDN_ASK_PATHS:
        ask_paths(s, q);
        return;
    case SDN_ASK_STORED:
        at_seat(s, q, ask_stored);
        return;
    case SDN_ASK_STORE_FILE:
        at_seat(s, q, ask_store_file);
        return;
    case SDN_ASK_EVENTS:
        ask_events(s, q);
        return;
    case SDN_ASK_COUNTERS:
        ask_counters(s, q);
        return;
    case SDN_DO_FLOW:
    case SDN_DO_FLOWS_CLEAR:
    case SDN_DO_GROUP:
    case SDN_DO_METER:
        at_seat(s, q, store_op_begin);
        return;
    case SDN_DO_PORT:
    case SDN_DO_ROLE:
    case SDN_DO_DISCONNECT:
        ask_do(s, q);
        return;
    case SDN_ASK_POF:
    case SDN_DO_POF_ADD:
    case SDN_DO_POF_DELETE:
        pof_ask(s, q, now);
        return;
    case SDN_ASK_KINDS:
        break;
    }
    ask_refused(s, q, 400, "no such question");
}
