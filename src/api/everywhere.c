#include "api/everywhere.h"

/* Heads of the letters; a name is a record's place and generation. */
struct listen_letter {
    struct mr_addr addr;
    void *user;
    uint32_t name, backlog;
};
struct option_letter {
    uint32_t name, opt;
    int64_t value;
};
struct unlisten_letter {
    uint32_t name;
};
_Static_assert(sizeof(struct listen_letter) <= MAIL_HEAD_MAX, "fits");

void everywhere_init(struct everywhere *e, struct stack *s)
{
    memset(e, 0, sizeof(*e));
    e->stack = s;
}

static const struct cores *cores_of(const struct everywhere *e)
{
    return stack_cores(e->stack);
}

/* ---- the core of the call ------------------------------------------------------------ */

static uint32_t name_of(const struct everywhere *e, const struct everywhere_own *o)
{
    return (uint32_t)(o - e->own) | (uint32_t)o->gen << 8;
}

static struct everywhere_own *own_find(struct everywhere *e, mr_sock h)
{
    if (sock_kind_of(h) != SOCK_LISTENER)
        return NULL;
    for (unsigned i = 0; i < EVERYWHERE_MAX; i++)
        if (e->own[i].used && !e->own[i].over && mr_sock_eq(e->own[i].sock, h))
            return &e->own[i];
    return NULL;
}

static uint64_t all_others(const struct everywhere *e)
{
    const struct home *h = &cores_of(e)->home;
    uint64_t all = h->cores == 64 ? UINT64_MAX : (UINT64_C(1) << h->cores) - 1;

    return all & ~(UINT64_C(1) << h->self);
}

int everywhere_listen(struct everywhere *e, const struct mr_addr *local,
                      const struct mr_listen_opts *o, mr_sock *out)
{
    struct everywhere_own *free = NULL;

    for (unsigned i = 0; i < EVERYWHERE_MAX && !free; i++)
        if (!e->own[i].used)
            free = &e->own[i];
    if (!free)
        return MR_ENOMEM;
    int rc = sock_listen(stack_sock(e->stack), local, o, out);
    if (rc < 0)
        return rc;
    *free = (struct everywhere_own){.sock = *out,
                                    .addr = *local,
                                    .user = o->user,
                                    .backlog = o->backlog,
                                    .used = true,
                                    .gen = (uint8_t)(free->gen + 1),
                                    .open_todo = all_others(e)};
    e->busy = true;
    return 0;
}

void everywhere_option(struct everywhere *e, mr_sock h, enum mr_opt opt, int64_t value)
{
    struct everywhere_own *o = own_find(e, h);

    if (!o || (unsigned)opt >= EVERYWHERE_OPTS)
        return;
    o->opt[opt] = value;
    o->opt_todo[opt] = all_others(e);
    e->busy = true;
}

void everywhere_closed(struct everywhere *e, mr_sock h)
{
    struct everywhere_own *o = own_find(e, h);

    if (!o)
        return;
    o->over = true;
    o->close_todo = all_others(e) & ~o->open_todo;
    o->open_todo = 0;
    memset(o->opt_todo, 0, sizeof(o->opt_todo));
    e->busy = true;
}

static bool send(struct everywhere *e, unsigned core, enum mail_kind kind, const void *head,
                 uint32_t n)
{
    return mail_send(cores_of(e)->mail, core, kind, head, n, NULL);
}

/* All that one core must still hear of o, in order.  False: its ring is full. */
static bool tell(struct everywhere *e, struct everywhere_own *o, unsigned core)
{
    uint64_t bit = UINT64_C(1) << core;
    struct listen_letter open = {o->addr, o->user, name_of(e, o), o->backlog};
    struct unlisten_letter end = {name_of(e, o)};

    if (o->open_todo & bit) {
        if (!send(e, core, MAIL_LISTEN, &open, sizeof(open)))
            return false;
        o->open_todo &= ~bit;
    }
    for (unsigned i = 0; i < EVERYWHERE_OPTS; i++) {
        struct option_letter opt = {name_of(e, o), i, o->opt[i]};
        if (!(o->opt_todo[i] & bit))
            continue;
        if (!send(e, core, MAIL_LISTEN_OPT, &opt, sizeof(opt)))
            return false;
        o->opt_todo[i] &= ~bit;
    }
    if (o->close_todo & bit) {
        if (!send(e, core, MAIL_UNLISTEN, &end, sizeof(end)))
            return false;
        o->close_todo &= ~bit;
    }
    return true;
}

void everywhere_flush(struct everywhere *e)
{
    bool busy = false;

    if (likely(!e->busy))
        return;
    for (unsigned i = 0; i < EVERYWHERE_MAX; i++) {
        struct everywhere_own *o = &e->own[i];
        bool told = true;
        for (unsigned c = 0; o->used && c < cores_of(e)->home.cores; c++)
            if (c != cores_of(e)->home.self)
                told &= tell(e, o, c);
        if (o->used && o->over && told)
            o->used = false;
        busy |= !told;
    }
    e->busy = busy;
}

/* ---- the others ---------------------------------------------------------------------- */

static struct everywhere_guest *guest_find(struct everywhere *e, unsigned from, uint32_t name)
{
    for (unsigned i = 0; i < ARRAY_LEN(e->guest); i++)
        if (e->guest[i].used && e->guest[i].from == from && e->guest[i].name == name)
            return &e->guest[i];
    return NULL;
}

/* No room, or the port is somebody's: this core goes without, and whoever listens serves. */
static void guest_open(struct everywhere *e, unsigned from, const struct listen_letter *l)
{
    struct mr_listen_opts o = {.backlog = l->backlog, .user = l->user};
    mr_sock s;

    for (unsigned i = 0; i < ARRAY_LEN(e->guest); i++) {
        struct everywhere_guest *g = &e->guest[i];
        if (g->used)
            continue;
        if (sock_listen(stack_sock(e->stack), &l->addr, &o, &s) == 0)
            *g = (struct everywhere_guest){s, l->name, (uint8_t)from, true};
        return;
    }
}

void everywhere_letter(struct everywhere *e, const struct letter *l)
{
    struct sock *sock = stack_sock(e->stack);
    struct listen_letter open;
    struct option_letter opt;
    struct unlisten_letter end;
    struct everywhere_guest *g;

    if (l->kind == MAIL_LISTEN) {
        memcpy(&open, l->head, sizeof(open));
        guest_open(e, l->from, &open);
    } else if (l->kind == MAIL_LISTEN_OPT) {
        memcpy(&opt, l->head, sizeof(opt));
        if ((g = guest_find(e, l->from, opt.name)))
            (void)sock_setopt(sock, g->sock, (enum mr_opt)opt.opt, opt.value);
    } else if (l->kind == MAIL_UNLISTEN) {
        memcpy(&end, l->head, sizeof(end));
        if ((g = guest_find(e, l->from, end.name))) {
            (void)sock_close(sock, g->sock);
            g->used = false;
        }
    }
}
