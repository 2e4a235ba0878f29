#include "api/post.h"

STAT_GROUP(post_stat_group, "post", POST_STATS);

#define DUE_LETTER 1u
#define DUE_KNOCK 2u

_Static_assert(POST_RING_BYTES / 2 > MR_LETTER_MAX + 64, "the longest letter fits into a ring");

void post_init(struct post *p, unsigned self, void *memory, struct post_bell bell)
{
    *p = (struct post){.bell = bell, .self = self};
    if (memory)
        mail_open(&p->mail, memory, self);
}

static bool is_alone(const struct post *p)
{
    return p->mail.cores == 0;
}

void post_look(struct post *p)
{
    if (unlikely(atomic_load_explicit(&p->knocked, memory_order_relaxed)))
        p->due |= DUE_KNOCK;
    if (!is_alone(p) && mail_news(&p->mail))
        p->due |= DUE_LETTER;
}

bool post_event(struct post *p, struct mr_event *ev)
{
    if (likely(!p->due))
        return false;
    if (p->due & DUE_LETTER) {
        p->due &= ~DUE_LETTER;
        p->stats.told++;
        *ev = (struct mr_event){.type = MR_EV_LETTER};
        return true;
    }
    p->due &= ~DUE_KNOCK;
    p->stats.knocks++;
    /* What was left before the knock is seen after this. */
    atomic_exchange(&p->knocked, 0);
    *ev = (struct mr_event){.type = MR_EV_KNOCK};
    return true;
}

int post_send(struct post *p, unsigned core, const void *buf, size_t n)
{
    if (is_alone(p))
        return MR_EINVAL;
    if (!mail_send_bytes(&p->mail, core, MAIL_APP, buf, (uint32_t)n)) {
        p->stats.refused++;
        return MR_EAGAIN;
    }
    p->stats.posted++;
    return MR_OK;
}

/* Who has read to the end looks once more, so that MR_EAGAIN means that the next letter will be
 * told; who finds more there may stop before its end, so it is told, too. */
static bool next(struct post *p, struct letter *l)
{
    if (is_alone(p))
        return false;
    if (mail_next(&p->mail, l))
        return true;
    p->due &= ~DUE_LETTER;
    if (!mail_news(&p->mail) || !mail_next(&p->mail, l))
        return false;
    p->due |= DUE_LETTER;
    return true;
}

int64_t post_take(struct post *p, void *buf, size_t n, unsigned *from)
{
    unsigned last = p->mail.last;
    struct letter l;

    if (!next(p, &l))
        return MR_EAGAIN;
    if (l.body_len > n) {
        p->mail.last = last;
        return MR_EMSGSIZE;
    }
    memcpy(buf, l.body, l.body_len);
    *from = l.from;
    mail_done(&p->mail, &l);
    p->stats.taken++;
    return l.body_len;
}

void post_knock(struct post *p)
{
    if (atomic_exchange(&p->knocked, 1) == 0 && p->bell.ring)
        p->bell.ring(p->bell.arg, UINT64_C(1) << p->self);
}

bool post_asleep(struct post *p)
{
    if (p->due)
        return false;
    return is_alone(p) || mail_asleep_unread(&p->mail);
}

void post_awake(struct post *p)
{
    if (!is_alone(p))
        mail_awake(&p->mail);
}
