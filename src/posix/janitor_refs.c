/* Calls that never returned.
 *
 * A call holds a reference to its file while it runs.  Who is killed in one leaves that reference
 * behind: the connection would never be closed, and its peer wait for ever.  It is nowhere written
 * down, because that would cost every call; but it can be found: a reference for which there is
 * no descriptor, no message under way and nobody who waits is a call's, and no call of the living
 * lasts a second without waiting.  So the files that the dead process had are looked at for a
 * second, and what is too much all that time is given back; sooner where no living process has the
 * file: its peer waits. */
#include "base/bits.h"
#include "posix/janitor_int.h"
#include "posix/pools.h"

#define SUSPECTS 4096u
#define LOOK_US 20000u
#define LOOKS 50u
#define LOOKS_ALONE 3u /* nobody alive has a descriptor of it */

struct suspect {
    uint32_t file, born;
    uint32_t excess; /* the least that was seen */
    uint32_t looks;
};

/* In the session's memory: who takes the janitor's place goes on with it. */
struct px_refs {
    uint64_t at_us;
    unsigned n;
    struct suspect s[SUSPECTS];
    uint8_t is[PX_FILES];     /* it is one of them */
    uint32_t known[PX_FILES]; /* references that are accounted for */
};

size_t janitor_refs_bytes(void)
{
    return sizeof(struct px_refs);
}

static uint64_t waiters_of(int32_t pid)
{
    uint64_t w = 0;

    for (unsigned k = 0; k < PX_WAITERS; k++)
        w |= (uint64_t)(atomic_load(&px_session->waiter[k].pid) == pid) << k;
    return w;
}

/* Another of its holders has died while it was looked at: from the beginning. */
static void look_again(uint32_t index)
{
    struct px_refs *refs = session_own()->refs;

    for (unsigned i = 0; i < refs->n; i++)
        if (refs->s[i].file == index) {
            refs->s[i].looks = 0;
            refs->s[i].excess = UINT32_MAX;
        }
}

static void suspect(struct px_refs *refs, uint32_t index)
{
    if (refs->is[index]) {
        look_again(index);
    } else if (refs->n < SUSPECTS) {
        refs->is[index] = 1;
        refs->s[refs->n++] = (struct suspect){
            .file = index, .born = atomic_load(&file_of(index)->born), .excess = UINT32_MAX};
    }
}

/* What it had, and what it was about to have: of that no descriptor tells (a worker killed in
 * accept, 2026-11-23). */
void janitor_refs_suspect(const struct px_proc *p)
{
    struct px_refs *refs = session_own()->refs;
    uint32_t fds = atomic_load(&p->fds), files = px_session->pools->files.used;
    int32_t pid = atomic_load(&p->pid);
    uint64_t dead = waiters_of(pid);

    for (uint32_t i = 0; i < fds; i++) {
        uint32_t index = atomic_load(&p->fd[i].file);
        if (!index)
            continue;
        /* Its waiters will be others', who did not ask for this file. */
        atomic_fetch_and(&file_of(index)->waiters, ~dead);
        suspect(refs, index);
    }
    for (uint32_t i = 1; i < files; i++)
        if (file_of(i)->maker == pid && atomic_load(&file_of(i)->refs) && !refs->is[i])
            suspect(refs, i);
}

/* Descriptors of the living, and of those that are about to be. */
static void count_entries(struct px_refs *refs)
{
    for (unsigned k = 0; k < atomic_load(&px_session->procs); k++) {
        struct px_proc *p = &px_session->proc[k];
        uint32_t fds = atomic_load(&p->pid) ? atomic_load(&p->fds) : 0;
        for (uint32_t i = 0; i < fds; i++) {
            uint32_t index = atomic_load_explicit(&p->fd[i].file, memory_order_relaxed);
            if (index && refs->is[index])
                refs->known[index]++;
        }
    }
    for (unsigned k = 0; k < PX_SENT; k++) {
        const struct px_sent *sent = &px_session->pools->sent[k];
        if (sent->cookie && sent->file && sent->file < PX_FILES && refs->is[sent->file])
            refs->known[sent->file]++;
    }
}

static uint64_t living_waiters(void)
{
    uint64_t w = 0;

    for (unsigned k = 0; k < PX_WAITERS; k++)
        w |= (uint64_t)(atomic_load(&px_session->waiter[k].tid) != 0) << k;
    return w;
}

/* True: it is a suspect no longer. */
static bool judge(struct suspect *s, uint32_t known, uint64_t waiters)
{
    struct px_file *f = file_of(s->file);
    uint32_t has = atomic_load(&f->refs);

    known += (uint32_t)__builtin_popcountll(atomic_load(&f->waiters) & waiters);
    if (has <= known || atomic_load(&f->born) != s->born)
        return true;
    s->excess = min_u32(s->excess, has - known);
    if (++s->looks < (known ? LOOKS : LOOKS_ALONE))
        return false;
    for (uint32_t i = 0; i < s->excess; i++)
        file_put(f);
    return true;
}

bool janitor_refs_look(uint64_t now_us)
{
    struct px_refs *refs = session_own()->refs;
    unsigned left = 0;

    if (refs->n == 0 || now_us - refs->at_us < LOOK_US)
        return refs->n > 0;
    refs->at_us = now_us;
    for (unsigned i = 0; i < refs->n; i++)
        refs->known[refs->s[i].file] = 0;
    count_entries(refs);
    uint64_t waiters = living_waiters();
    for (unsigned i = 0; i < refs->n; i++) {
        struct suspect s = refs->s[i];
        if (judge(&s, refs->known[s.file], waiters))
            refs->is[s.file] = 0;
        else
            refs->s[left++] = s;
    }
    refs->n = left;
    return left > 0;
}

/* It may have died between two stores: what is in the list is marked, and nothing else. */
void janitor_refs_go_on(void)
{
    struct px_refs *refs = session_own()->refs;

    memset(refs->is, 0, px_session->pools->files.used);
    for (unsigned i = 0; i < refs->n; i++)
        refs->is[refs->s[i].file] = 1;
}
