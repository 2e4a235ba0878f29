#include <errno.h>
#include <string.h>

#include "north/north_int.h"

#define ANSWER_FIRST (256u << 10)
#define ANSWER_MAX (64u << 20)

void call_fail(struct call *c, unsigned status, const char *how, ...)
{
    struct why w;
    va_list args;

    va_start(args, how);
    vsnprintf(w.text, sizeof(w.text), how, args);
    va_end(args);
    json_decref(c->out);
    c->status = status;
    c->out = json_pack("{s:s}", "error", w.text);
}

bool call_query(const struct call *c, const char *name, char *buf, size_t cap)
{
    const char *v =
        c->conn == NULL ? NULL : MHD_lookup_connection_value(c->conn, MHD_GET_ARGUMENT_KIND, name);

    return v != NULL && url_decode(v, strlen(v), buf, cap);
}

/* ---- names ---- */

bool dpid_read(const char *s, bool hex, uint64_t *out)
{
    size_t n;

    if (strncmp(s, "of:", 3) == 0) {
        s += 3;
        hex = true;
    }
    n = strlen(s);
    if (n == 0)
        return false;
    if (n == 16 || (hex && s[1] != 'x')) {
        if (n > 16 || s[strspn(s, "0123456789abcdefABCDEF")] != '\0')
            return false;
        *out = strtoull(s, NULL, 16);
        return true;
    }
    return number_read(s, out);
}

bool call_dpid(struct call *c, unsigned i, bool hex, uint64_t *out)
{
    if (dpid_read(c->arg[i], hex, out))
        return true;
    call_fail(c, 400, "path: '%.40s' is no datapath id", c->arg[i]);
    return false;
}

bool mac_read(const char *s, struct mac_addr *out)
{
    unsigned v[6];
    int n = 0;

    if (strspn(s, "0123456789abcdefABCDEF:") != strlen(s) || strlen(s) != 17 ||
        sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%n", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &n) != 6 ||
        n != 17)
        return false;
    for (unsigned i = 0; i < 6; i++)
        out->b[i] = (uint8_t)v[i];
    return true;
}

uint64_t dpid_of(json_t *o, const char *key)
{
    uint64_t v = 0;

    dpid_read(jtext(o, key), true, &v);
    return v;
}

/* ---- questions ---- */

/* Asks with a buffer that grows while the core says that it is too small. */
static json_t *ask_text(struct call *c, unsigned core, struct sdn_ask *q)
{
    const struct sdn_ask first = *q;
    json_t *out = NULL;

    for (size_t cap = ANSWER_FIRST; cap <= ANSWER_MAX; cap *= 16) {
        *q = first;
        q->buf = malloc(cap);
        q->cap = cap;
        if (q->buf == NULL) {
            q->status = 503;
            break;
        }
        if (!c->n->source.ask(c->n->source.arg, core, q))
            q->status = 503, q->n = 0;
        if (q->status != 413 || cap * 16 > ANSWER_MAX || q->kind >= SDN_DO_FLOW) {
            out = q->n != 0 ? json_loadb(q->buf, q->n, 0, NULL) : NULL;
            free(q->buf);
            break;
        }
        free(q->buf);
    }
    q->buf = NULL;
    return out;
}

static json_t *ask_follow(struct call *c, unsigned core, struct sdn_ask *q)
{
    /* A switch may move while we ask; twice round is enough for any that has come to rest. */
    for (unsigned hops = 0; hops < 4; hops++) {
        struct sdn_ask try = *q;
        json_t *out = ask_text(c, core, &try);
        if (try.status != 421 || try.core >= c->n->source.cores || try.core == core) {
            *q = try;
            return out;
        }
        json_decref(out);
        core = try.core;
    }
    q->status = 503;
    return NULL;
}

/* What a core says when it has no words of its own. */
static const char *status_words(unsigned status)
{
    switch (status) {
    case 404:
        return "no such switch";
    case 409:
        return "conflict";
    case 413:
        return "the answer is too long";
    case 421:
        return "the switch is on its way to another core";
    case 501:
        return "the switch's protocol cannot do that";
    case 502:
        return "the switch refused";
    case 503:
        return "not now";
    case 504:
        return "the switch did not answer in time";
    default:
        return "failed";
    }
}

static void refuse(struct call *c, unsigned status, json_t *said)
{
    if (json_object_get(said, "error") != NULL) {
        json_decref(c->out);
        c->out = json_incref(said);
        c->status = status;
    } else {
        call_fail(c, status >= 400 ? status : 500, "%s", status_words(status));
    }
}

json_t *ask_one(struct call *c, unsigned core, struct sdn_ask *q)
{
    json_t *out = ask_follow(c, core, q);

    if (q->status == 200 && out != NULL)
        return out;
    refuse(c, q->status == 200 ? 500 : q->status, out);
    json_decref(out);
    return NULL;
}

void ask_command(struct call *c, struct sdn_ask *q, unsigned done)
{
    json_t *said = ask_follow(c, 0, q);

    if (q->status >= 400 || q->status == 0) {
        refuse(c, q->status, said);
        json_decref(said);
        return;
    }
    c->status = q->status == 202 ? 202 : done;
    json_decref(c->out);
    c->out = said;
    if (q->status == 202 && said == NULL)
        c->out = json_pack("{s:s}", "status", "kept; the switch is not connected");
}

json_t *ask_list(struct call *c, const struct sdn_ask *proto, const char *key, bool all)
{
    unsigned last = all ? c->n->source.cores : 1;
    json_t *list = json_array();

    for (unsigned core = 0; core < last; core++) {
        uint64_t cursor = proto->cursor;
        do {
            struct sdn_ask q = *proto;
            q.cursor = cursor;
            json_t *out = ask_one(c, core, &q);
            if (out == NULL) {
                json_decref(list);
                return NULL;
            }
            json_array_extend(list, json_object_get(out, key));
            json_decref(out);
            cursor = q.cursor > cursor || q.cursor == 0 ? q.cursor : 0;
        } while (cursor != 0 && proto->max == 0);
    }
    return list;
}

json_t *ask_of_switch(struct call *c, enum sdn_ask_kind k, uint64_t dpid)
{
    struct sdn_ask q = {.kind = k, .dpid = dpid};

    return ask_one(c, 0, &q);
}
