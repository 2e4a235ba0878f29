/* The law's table follows the claims. */
#include <limits.h>
#include <linux/futex.h>

#include "base/bits.h"
#include "os/os.h"
#include "posix/janitor_int.h"

#define ROUNDS 2u        /* who has moved says so, and who is told answers; */
#define ROUNDS_MAX 5u    /* that is read; a ring was full: again, */
#define ROUNDS_US 20000u /* unless somebody stands still */

/* ---- arithmetic -------------------------------------------------------------------------- */

struct shares {
    unsigned has[PX_SLOTS_MAX], may[PX_SLOTS_MAX];
};

static bool is_claimed(uint64_t claimed, unsigned slot)
{
    return slot < PX_SLOTS_MAX && (claimed >> slot & 1);
}

/* What each may have: all the same, and one more for some, those first who have it already. */
static void count(struct shares *s, const uint16_t *table, unsigned entries, uint64_t claimed)
{
    unsigned slots = (unsigned)__builtin_popcountll(claimed), each = entries / slots;
    unsigned extra = entries % slots;

    *s = (struct shares){0};
    for (unsigned i = 0; i < entries; i++)
        if (is_claimed(claimed, table[i]))
            s->has[table[i]]++;
    for (unsigned k = 0; k < PX_SLOTS_MAX; k++) {
        bool more = is_claimed(claimed, k) && s->has[k] > each && extra > 0;
        s->may[k] = is_claimed(claimed, k) ? each + more : 0;
        extra -= more;
    }
    for (unsigned k = 0; k < PX_SLOTS_MAX && extra; k++)
        if (is_claimed(claimed, k) && s->may[k] == each) {
            s->may[k]++;
            extra--;
        }
}

static unsigned neediest(const struct shares *s)
{
    unsigned best = 0;

    for (unsigned k = 1; k < PX_SLOTS_MAX; k++)
        if ((int)(s->may[k] - s->has[k]) > (int)(s->may[best] - s->has[best]))
            best = k;
    return best;
}

unsigned janitor_share(uint16_t *table, unsigned entries, uint64_t claimed)
{
    struct shares s;
    unsigned moved = 0;

    if (!claimed)
        return 0;
    count(&s, table, entries, claimed);
    for (unsigned i = 0; i < entries; i++) {
        unsigned k = table[i];
        if (is_claimed(claimed, k) && s.has[k] <= s.may[k])
            continue;
        unsigned to = neediest(&s);
        if (is_claimed(claimed, k))
            s.has[k]--;
        s.has[to]++;
        table[i] = (uint16_t)to;
        moved++;
    }
    return moved;
}

/* ---- the law ------------------------------------------------------------------------------ */

static uint64_t named(const struct rss *law)
{
    uint64_t slots = 0;

    for (unsigned i = 0; i <= law->mask; i++)
        slots |= UINT64_C(1) << __atomic_load_n(&law->table[i], __ATOMIC_RELAXED);
    return slots;
}

bool janitor_law_names(unsigned slot)
{
    return atomic_load(&session_own()->law_slots) >> slot & 1;
}

/* Others read it meanwhile. */
static bool write_table(struct session_own *o, uint64_t claimed)
{
    struct rss *law = &o->law;
    uint16_t table[RSS_TABLE_MAX];
    uint64_t now = os_now_us();

    memcpy(table, law->table, sizeof(table));
    if (janitor_share(table, law->mask + 1, claimed) == 0)
        return false;
    for (unsigned i = 0; i <= law->mask; i++) {
        if (law->table[i] == table[i])
            continue;
        o->law_changed_us[i] = now;
        __atomic_store_n(&law->table[i], table[i], __ATOMIC_RELAXED);
    }
    return true;
}

/* It is there, or somebody is about to make it, by a table that he may have read already. */
static bool may_have_read(struct px_inst *i)
{
    return atomic_load(&i->live) || atomic_load(&i->tid) || atomic_load(&i->lock);
}

/* Each reads what was written to it until now, the table first.  False: one could not be entered or
 * has not read all, or its new homes have not answered all that it told them. */
static bool turn_all(void)
{
    bool all = true;

    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        if (!may_have_read(i))
            continue;
        if (!janitor_enter(i)) {
            all = false;
            continue;
        }
        all &= inst_reads_all(i) && stack_law_is_told(i->shard.stack);
        inst_leave(i);
    }
    return all;
}

/* Every instance learns of it, tells the new homes of its connections, and hears of those that are
 * its own from now on, before the port delivers them there.  False: perhaps not everyone. */
static bool tell_instances(void)
{
    uint64_t until = os_now_us() + ROUNDS_US;
    bool settled = false;

    (void)turn_all(); /* reads the table: what the others say of it they have not read */
    for (unsigned round = 1; round < ROUNDS_MAX && !settled; round++) {
        if (round >= ROUNDS && os_now_us() >= until)
            break;
        settled = turn_all();
    }
    return settled;
}

/* A port that follows no rule of ours is told which queues nobody reads. */
static void tell_port(uint64_t now)
{
    struct session_own *o = session_own();
    struct nic *nic = px_session->nic;

    if (o->agrees) {
        nic_set_rss(nic, &o->law);
        return;
    }
    for (unsigned k = 0; k < px_session->slots; k++)
        if ((now >> k & 1) != (o->enabled >> k & 1))
            nic_queue_enable(nic, k, now >> k & 1);
    o->enabled = now;
}

/* Who is new has read what the others wrote to it, before the first SYN is passed to it: it would
 * refuse what it knows no listener of. */
static void inform(uint64_t fresh)
{
    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        if (!(fresh >> k & 1) || !janitor_enter(i))
            continue;
        inst_settle(i);
        inst_leave(i);
    }
}

/* Nobody lives where his home does not know of him: who waits for leave need not wait until
 * everyone must have had a turn, but asks again now. */
static void settle(uint32_t generation)
{
    atomic_store(&px_session->law_generation, generation | 1);
    (void)turn_all();
}

/* again: somebody may have written it, and told nobody. */
static void change(uint64_t claimed, bool again)
{
    struct session_own *o = session_own();

    inform(claimed & ~atomic_load(&o->law_slots));
    if (!write_table(o, claimed) && !again)
        return;
    atomic_store(&o->law_slots, named(&o->law));
    uint32_t generation = (atomic_load(&px_session->law_generation) + 2) & ~1u;
    atomic_store(&px_session->law_generation, generation);
    sys_futex(&px_session->law_generation, FUTEX_WAKE, INT_MAX, NULL);
    bool all = tell_instances();
    tell_port(named(&o->law));
    if (all)
        settle(generation);
}

void janitor_rebalance(void)
{
    struct session_own *o = session_own();

    if (px_session->slots == 1)
        return;
    /* Who died here has left a table that is right in every entry. */
    bool died = px_lock(&o->law_lock);
    if (died)
        atomic_store(&o->law_slots, named(&o->law));
    change(atomic_load(&px_session->claimed), died);
    px_unlock(&o->law_lock);
}
