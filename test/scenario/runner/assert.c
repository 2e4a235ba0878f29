/* Assertions: a C expression, or several with commas between them, over the members of struct
 * mr_tcp_info (tcpi_ in front is optional), states, numbers, and isn_step and isn_apart (calls.h).
 *
 *     %{ assert tcpi_snd_cwnd == 10 * mss, state == ESTABLISHED }%
 *     %{ assert fd4.rto_us >= 200000 }% */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/types.h"
#include "calls_int.h"
#include "parse.h"

struct expr {
    struct cursor c;
    struct app *a;
    struct mr_tcp_info info;
    bool has_info;
    char values[200]; /* what was looked up, for the message */
};

static int64_t expr_or(struct expr *e);

static const char *const states[] = {"CLOSED",     "LISTEN",     "SYN-SENT",   "SYN-RECEIVED",
                                     "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
                                     "CLOSING",    "LAST-ACK",   "TIME-WAIT"};

/* '-' and '_' are one in a state's name: scripts write names. */
static bool same_state(const char *a, const char *b)
{
    for (; *a != 0 && *b != 0; a++, b++)
        if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
            return false;
    return *a == *b;
}

static int64_t state_number(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (same_state(name, states[i]))
            return (int64_t)i;
    return -1;
}

static bool get_info(struct expr *e, struct fd *f)
{
    int err;

    if (f == NULL || !f->has_sock)
        return cursor_fail(&e->c, "no connection to look at");
    err = mr_tcp_info(e->a->m, f->sock, &e->info);
    e->has_info = err == 0;
    return e->has_info || cursor_fail(&e->c, "mr_tcp_info: %d", err);
}

static int64_t member(struct expr *e, const char *name)
{
    const struct mr_tcp_info *i = &e->info;
    const struct {
        const char *name;
        int64_t value;
    } members[] = {
        {"state", state_number(i->state)},
        {"srtt_us", i->srtt_us},
        {"rttvar_us", i->rttvar_us},
        {"rto_us", i->rto_us},
        {"snd_cwnd", i->snd_cwnd},
        {"snd_ssthresh", i->snd_ssthresh},
        {"snd_wnd", i->snd_wnd},
        {"rcv_wnd", i->rcv_wnd},
        {"mss", i->mss},
        {"sndq", i->sndq},
        {"rcvq", i->rcvq},
        {"in_flight", i->in_flight},
        {"retransmits", (int64_t)i->retransmits},
    };

    for (size_t k = 0; k < ARRAY_LEN(members); k++) {
        size_t used = strlen(e->values);

        if (strcmp(name, members[k].name) != 0)
            continue;
        snprintf(e->values + used, sizeof(e->values) - used, " %s=%" PRId64, name,
                 members[k].value);
        if (k == 0)
            snprintf(e->values + used, sizeof(e->values) - used, " state=%s", i->state);
        return members[k].value;
    }
    cursor_fail(&e->c, "unknown name '%s'", name);
    return 0;
}

static int64_t expr_name(struct expr *e, char *name)
{
    int number;

    if (strncmp(name, "fd", 2) == 0 && sscanf(name + 2, "%d", &number) == 1 && take(&e->c, ".")) {
        if (!get_info(e, app_fd(e->a, number)) || !take_name(&e->c, name, 48))
            return 0;
    } else if (strncmp(name, "TCP_", 4) == 0 && state_number(name + 4) >= 0) {
        return state_number(name + 4);
    } else if (state_number(name) >= 0) {
        return state_number(name);
    } else if (strcmp(name, "isn_step") == 0 || strcmp(name, "isn_apart") == 0) {
        return name[4] == 's' ? e->a->isn_step : e->a->isn_apart;
    } else if (!get_info(e, e->a->last)) {
        return 0;
    }
    return member(e, strncmp(name, "tcpi_", 5) == 0 ? name + 5 : name);
}

static int64_t expr_primary(struct expr *e)
{
    char name[48];
    int64_t v = 0;

    if (take(&e->c, "("))
        return v = expr_or(e), expect(&e->c, ")") ? v : 0;
    if (take(&e->c, "!") || take_word(&e->c, "not"))
        return !expr_primary(e);
    if (take_number(&e->c, &v))
        return v;
    if (take_name(&e->c, name, sizeof(name)))
        return expr_name(e, name);
    cursor_fail(&e->c, "expected a value at '%.24s'", e->c.at);
    return 0;
}

static int64_t expr_product(struct expr *e)
{
    int64_t v = expr_primary(e), w;

    for (;;) {
        if (take(&e->c, "*")) {
            v *= expr_primary(e);
        } else if (take(&e->c, "/")) {
            w = expr_primary(e);
            v = w != 0 ? v / w : 0;
        } else {
            return v;
        }
    }
}

static int64_t expr_sum(struct expr *e)
{
    int64_t v = expr_product(e);

    for (;;) {
        if (take(&e->c, "+"))
            v += expr_product(e);
        else if (take(&e->c, "-"))
            v -= expr_product(e);
        else
            return v;
    }
}

static int64_t expr_compare(struct expr *e)
{
    int64_t v = expr_sum(e);

    if (take(&e->c, "=="))
        return v == expr_sum(e);
    if (take(&e->c, "!="))
        return v != expr_sum(e);
    if (take(&e->c, "<="))
        return v <= expr_sum(e);
    if (take(&e->c, ">="))
        return v >= expr_sum(e);
    if (take(&e->c, "<"))
        return v < expr_sum(e);
    if (take(&e->c, ">"))
        return v > expr_sum(e);
    return v;
}

static int64_t expr_and(struct expr *e)
{
    int64_t v = expr_compare(e);

    while (take(&e->c, "&&") || take_word(&e->c, "and"))
        v = (expr_compare(e) != 0) & (v != 0);
    return v;
}

static int64_t expr_or(struct expr *e)
{
    int64_t v = expr_and(e);

    while (take(&e->c, "||") || take_word(&e->c, "or"))
        v = (expr_and(e) != 0) | (v != 0);
    return v;
}

enum call_status assert_eval(struct app *a, const char *text)
{
    struct expr e = {.a = a};

    cursor_init(&e.c, text);
    do {
        const char *start = e.c.at;
        int64_t v = expr_or(&e);

        if (e.c.error[0] != 0)
            return call_bad(a, "%s", e.c.error);
        if (v == 0)
            return call_bad(a, "assertion failed:%.*s (%s )", (int)(e.c.at - start), start,
                            e.values);
    } while (take(&e.c, ",") || take(&e.c, ";"));
    if (!at_end(&e.c))
        return call_bad(a, "not understood: '%.24s'", e.c.at);
    return CALL_DONE;
}
