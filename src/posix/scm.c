/* Descriptors of ours in messages of UNIX sockets (unix(7), SCM_RIGHTS).
 *
 * The kernel carries sockets of its own.  For a file whose descriptor is a socket of its own
 * (fd_is_own) that socket travels; for one that names the session's placeholder a fresh socket is
 * sent in its stead.  The session notes the travelling socket's cookie (SO_COOKIE), which the
 * receiver asks of every socket that comes while anything is under way: so it finds the file.
 *
 * A receiver that is not of the session gets a kernel socket that was never bound. */
#include "posix/pools.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "os/os.h"
#include "posix/session_int.h"

#define LOST_US 60000000u /* so long a socket that cannot be asked for may be under way */
/* Who answers for one that can is asked after a quarter of the time it has been under way. */
#define ASK_MIN_US 4000u
#define ASK_MAX_US 10000000u
#define RIGHTS_MAX 253 /* SCM_MAX_FD: of one message */

/* What a copy begins with, before its control data. */
struct note {
    uint64_t magic;
    int stand_ins;
    int stand_in[RIGHTS_MAX];
    uint32_t sent[RIGHTS_MAX]; /* index + 1 of the notes of this message */
    int sents;
};
#define NOTE_MAGIC UINT64_C(0x6d72736d6e6f7465)

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof cookie;

    return sys_getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &n) < 0 ? 0 : cookie;
}

/* ---- what is under way ----------------------------------------------------------------------- */

static struct px_file *sent_drop(struct px_pools *p, struct px_sent *s)
{
    struct px_file *f = file_of(s->file);

    s->cookie = 0;
    atomic_fetch_sub(&p->sents, 1);
    return f;
}

/* Takes the caller's reference to f.  stand_in: its descriptor, or -1.  Where; when all places are
 * taken the oldest goes. */
static unsigned sent_note(struct px_file *f, uint64_t cookie, int stand_in)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t n = sizeof(a);
    struct px_pools *p = px_session->pools;
    struct px_file *dropped = NULL;
    unsigned best = 0;

    pools_lock(&p->sent_lock);
    for (unsigned k = 0; k < PX_SENT && p->sent[best].cookie; k++)
        if (!p->sent[k].cookie || p->sent[k].at_us < p->sent[best].at_us)
            best = k;
    if (p->sent[best].cookie)
        dropped = sent_drop(p, &p->sent[best]);
    p->sent[best] = (struct px_sent){
        .cookie = cookie, .at_us = os_now_us(), .file = file_index(f), .stand_in = stand_in >= 0};
    p->sent[best].asked_us = p->sent[best].at_us;
    if (stand_in >= 0 && sys_getsockname(stand_in, (struct sockaddr *)&a, &n) == 0)
        memcpy(p->sent[best].name, a.sun_path, sizeof(p->sent[best].name));
    atomic_fetch_add(&p->sents, 1);
    px_unlock(&p->sent_lock);
    if (dropped)
        file_put(dropped);
    return best;
}

/* With its reference; NULL: nothing of ours has this cookie. */
static struct px_file *sent_take(uint64_t cookie)
{
    struct px_pools *p = px_session->pools;
    struct px_file *f = NULL;

    pools_lock(&p->sent_lock);
    for (unsigned k = 0; k < PX_SENT && !f && cookie; k++)
        if (p->sent[k].cookie == cookie)
            f = sent_drop(p, &p->sent[k]);
    px_unlock(&p->sent_lock);
    return f;
}

/* A stand-in has a name in the abstract space (unix(7)): when nobody answers to it the message that
 * carried it has gone with the queue it was in. */
static bool stand_in_lives(const struct px_sent *s)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(s->name));
    int fd, rc;

    memcpy(a.sun_path, s->name, sizeof(s->name));
    fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    rc = sys_connect(fd, (const struct sockaddr *)&a, n);
    sys_close(fd);
    return rc != -ECONNREFUSED;
}

static uint64_t ask_at(const struct px_sent *s)
{
    uint64_t step = (s->asked_us - s->at_us) / 4;

    if (!s->stand_in || !s->name[1])
        return s->at_us + LOST_US;
    return s->asked_us + min_u64(step > ASK_MIN_US ? step : ASK_MIN_US, ASK_MAX_US);
}

static bool is_lost(struct px_sent *s, uint64_t now_us)
{
    if (!s->cookie || ask_at(s) > now_us)
        return false;
    s->asked_us = now_us;
    return !s->stand_in || !s->name[1] || !stand_in_lives(s);
}

void scm_age(uint64_t now_us)
{
    struct px_pools *p = px_session->pools;

    for (unsigned k = 0; k < PX_SENT && atomic_load(&p->sents); k++) {
        struct px_file *lost = NULL;

        pools_lock(&p->sent_lock);
        if (is_lost(&p->sent[k], now_us))
            lost = sent_drop(p, &p->sent[k]);
        px_unlock(&p->sent_lock);
        if (lost)
            file_put(lost);
    }
}

uint64_t scm_next(void)
{
    struct px_pools *p = px_session->pools;
    uint64_t next = UINT64_MAX;

    if (!atomic_load(&p->sents))
        return next;
    pools_lock(&p->sent_lock);
    for (unsigned k = 0; k < PX_SENT; k++)
        if (p->sent[k].cookie)
            next = min_u64(next, ask_at(&p->sent[k]));
    px_unlock(&p->sent_lock);
    return next;
}

/* ---- sending --------------------------------------------------------------------------------- */

static bool is_rights(const struct cmsghdr *c)
{
    return c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(0);
}

static unsigned rights_count(const struct cmsghdr *c)
{
    return (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
}

/* CMSG_NXTHDR asks no more than that the next header lies inside. */
static struct cmsghdr *next_header(const struct msghdr *m, struct cmsghdr *c)
{
    return CMSG_NXTHDR((struct msghdr *)m, c);
}

static int rights_get(const struct cmsghdr *c, unsigned k)
{
    int fd;

    memcpy(&fd, CMSG_DATA(c) + k * sizeof fd, sizeof fd);
    return fd;
}

static bool carries_ours(const struct msghdr *m)
{
    if (!px_session || !m->msg_control || m->msg_controllen < sizeof(struct cmsghdr))
        return false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = next_header(m, c))
        for (unsigned k = 0; is_rights(c) && k < rights_count(c); k++) {
            struct px_file *f = file_peek(rights_get(c, k));

            if (f && f->kind != PX_EPOLL)
                return true;
        }
    return false;
}

static int stand_in_make(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        sys_bind(fd, (const struct sockaddr *)&a, sizeof(a.sun_family)); /* the kernel names it */
    return fd;
}

/* The descriptor that travels for fd, and a note of it. */
static int depart(struct note *note, int fd)
{
    struct px_file *f = file_get(fd);
    uint64_t cookie;
    bool own;

    if (session_hides(fd))
        return -EBADF;
    if (!f)
        return fd;
    if (f->kind == PX_EPOLL || note->sents == RIGHTS_MAX) {
        file_put(f);
        return fd;
    }
    cookie = f->fd_is_own ? cookie_of(fd) : 0;
    own = cookie && cookie != px_session->placeholder_cookie;
    if (!own) {
        fd = stand_in_make();
        if (fd < 0) {
            file_put(f);
            return fd;
        }
        note->stand_in[note->stand_ins++] = fd;
        cookie = cookie_of(fd);
    }
    note->sent[note->sents++] = sent_note(f, cookie, own ? -1 : fd) + 1;
    return fd;
}

int scm_before_send(const struct msghdr *m, struct msghdr *copy, void *room, size_t n)
{
    struct note *note = room;
    uint8_t *control = (uint8_t *)room + sizeof *note;

    *copy = *m;
    if (!carries_ours(m))
        return 0;
    if (n < sizeof *note + m->msg_controllen)
        return -ENOBUFS;
    *note = (struct note){.magic = NOTE_MAGIC};
    memcpy(control, m->msg_control, m->msg_controllen);
    copy->msg_control = control;
    copy->msg_flags = MSG_PROXY; /* the kernel does not read it: to us, that a note is before it */
    for (struct cmsghdr *c = CMSG_FIRSTHDR(copy); c; c = next_header(copy, c))
        for (unsigned k = 0; is_rights(c) && k < rights_count(c); k++) {
            int fd = depart(note, rights_get(c, k));

            if (fd < 0) {
                scm_after_send(copy, false);
                return fd;
            }
            memcpy(CMSG_DATA(c) + k * sizeof fd, &fd, sizeof fd);
        }
    return 0;
}

void scm_after_send(struct msghdr *copy, bool gone)
{
    struct note *note;

    if (!px_session || !(copy->msg_flags & MSG_PROXY) || !copy->msg_control)
        return;
    note = (struct note *)(void *)((uint8_t *)copy->msg_control - sizeof *note);
    for (int k = 0; k < note->sents && !gone; k++) {
        struct px_file *f = sent_take(px_session->pools->sent[note->sent[k] - 1].cookie);

        if (f)
            file_put(f);
    }
    for (int k = 0; k < note->stand_ins; k++)
        sys_close(note->stand_in[k]);
    copy->msg_flags = 0;
    session_ring_if_asleep();
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void arrive(int fd)
{
    struct px_file *f;

    desc_clear(fd, PX_WHY_NOTHING);
    if (!atomic_load(&px_session->pools->sents))
        return;
    f = sent_take(cookie_of(fd));
    if (f && (unsigned)fd < PX_FDS)
        desc_set(fd, f, sys_fcntl(fd, F_GETFD, 0) & FD_CLOEXEC);
    else if (f)
        file_put(f);
}

void scm_received(struct msghdr *m)
{
    if (!px_session || !m->msg_control || m->msg_controllen < sizeof(struct cmsghdr))
        return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = next_header(m, c))
        for (unsigned k = 0; is_rights(c) && k < rights_count(c); k++)
            arrive(rights_get(c, k));
}
