#include "posix/inst.h"

#include "os/os.h"
#include "posix/lock.h"
#include "posix/session_int.h"

#define ROUND_US 10000u /* who has not polled for so long is in no round of events any more */
#define HOLD_US 500u    /* what is queued in a round waits so long for company */
#define HEAR_US 2000u   /* a peer that is not acknowledged sends again soon (RFC 8985 7.2) */
#define SETTLE_TURNS 8u
#define READ_TURNS 64u
#define BLIND_MIN_US 20u
#define BLIND_MAX_US 1000u
#define GONE_US 100000u

void inst_enter(struct px_inst *i)
{
    if (unlikely(px_lock(&i->lock)))
        inst_make_anew(i);
    else if (unlikely(!atomic_load_explicit(&i->live, memory_order_relaxed)))
        inst_make(i);
}

bool inst_try_enter(struct px_inst *i)
{
    if (!px_lock_try(&i->lock))
        return false;
    if (unlikely(!atomic_load_explicit(&i->live, memory_order_relaxed)))
        inst_make(i);
    return true;
}

/* May what is queued wait for more? */
static bool may_wait(struct px_inst *i, uint64_t now)
{
    if (!i->unsent_us)
        i->unsent_us = now;
    return now - i->unsent_us < HOLD_US;
}

static void send_some(struct px_inst *i)
{
    uint64_t now = os_now_us();

    if (now - px_thread.round_us >= ROUND_US) {
        inst_turn(i);
    } else if (!may_wait(i, now)) {
        inst_say(i);
        if (now - i->now_us >= HEAR_US)
            inst_hear(i);
    }
}

void inst_leave(struct px_inst *i)
{
    bool own = px_thread.slot == (int)i->slot + 1;

    /* Another's is turned by who sleeps for it, who knows of nothing, and not by us when we wait
     * (wait.c: turn_slots). */
    if (i->unsent && own)
        send_some(i);
    else if (i->unsent)
        inst_turn(i);
    inst_leave_unsent(i);
}

static uint64_t deadline(const struct px_inst *i)
{
    uint64_t at = shard_deadline(&i->shard);

    return unlikely(i->past_n) ? min_u64(at, i->past_us) : at;
}

/* Is something to be done earlier than who sleeps for it knows? */
static bool is_nearer(struct px_inst *i)
{
    uint64_t known = atomic_load_explicit(&i->due_us, memory_order_relaxed), at = deadline(i);

    if (at >= known)
        return false;
    i->told_us = max_u64(at, os_now_us());
    atomic_store_explicit(&i->due_us, i->told_us, memory_order_relaxed);
    return i->told_us < known;
}

/* One writes, inside. */
static void count(_Atomic uint64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* The thread may never poll again, and who sleeps for the instance does so until due_us: another
 * thread, which then has its bell rung, or the janitor.  The owner is awake and takes its place:
 * he will sleep for it himself, and each of his rounds would wake the other. */
void inst_leave_unsent(struct px_inst *i)
{
    uint32_t who = atomic_load(&i->attendant), me = (uint32_t)px_thread.waiter;
    bool other = who && who != me, own = px_thread.slot == (int)i->slot + 1;
    bool asks = other || (!who && atomic_load(&px_session->janitor_sleeps));
    bool news = i->unsent || (asks && is_nearer(i));

    if (news && other && own)
        other = !atomic_compare_exchange_strong(&i->attendant, &who, 0);
    count(&i->visits);
    px_unlock(&i->lock);
    /* The janitor says that he sleeps, then looks who was here since (somebody_left); here it is
     * the other way round. */
    if (news && other)
        os_bell_ring(px_session->slot_bell[i->slot]);
    else if (news || (!who && !asks))
        session_ring_if_asleep();
}

/* The janitor need not do it. */
static void alive(struct px_inst *i)
{
    count(&i->turns);
}

static void hear_law(struct px_inst *i, uint32_t law, uint64_t now)
{
    if (law / 2 != i->law_seen / 2)
        native_law_changed(i->shard.native, px_session->law, now);
    if (law % 2)
        native_law_settled(i->shard.native, now);
    i->law_seen = law;
    i->unsent = true;
}

bool inst_hear(struct px_inst *i)
{
    uint32_t law = atomic_load_explicit(&px_session->law_generation, memory_order_acquire);
    uint64_t now = os_now_us();

    if (unlikely(law != i->law_seen))
        hear_law(i, law, now);
    if (unlikely(i->past_n && now >= i->past_us)) {
        inst_past_tell(i, now);
        i->unsent = true;
    }
    bool busy = shard_hear(&i->shard, now);
    i->now_us = now;
    alive(i);
    if (busy)
        i->blind_us = BLIND_MIN_US;
    /* Timers have something to say without being news. */
    i->unsent |= busy || tcp_has_output(stack_tcp(i->shard.stack));
    return busy;
}

static bool say(struct px_inst *i)
{
    bool busy = shard_say(&i->shard, os_now_us());

    i->unsent = false;
    i->unsent_us = 0;
    busy |= shard_tell(&i->shard);
    alive(i);
    if (busy)
        i->blind_us = BLIND_MIN_US;
    return busy;
}

void inst_say(struct px_inst *i)
{
    (void)say(i);
}

void inst_say_due(struct px_inst *i)
{
    if (i->unsent && !may_wait(i, os_now_us()))
        inst_say(i);
}

bool inst_turn(struct px_inst *i)
{
    bool heard = inst_hear(i), said = say(i);

    return heard || said;
}

void inst_settle(struct px_inst *i)
{
    for (unsigned n = 0; n < SETTLE_TURNS && inst_turn(i); n++)
        continue;
}

bool inst_reads_all(struct px_inst *i)
{
    unsigned n = 0;

    do
        inst_turn(i);
    while (mail_waits(i->shard.mail) && ++n < READ_TURNS);
    return n < READ_TURNS;
}

uint64_t inst_deadline(struct px_inst *i)
{
    uint64_t at = deadline(i);

    /* Who has set a timer without owning it will again: until then it need not be told. */
    if (unlikely(i->told_us) && i->told_us > os_now_us())
        at = min_u64(at, i->told_us);
    else
        i->told_us = 0;
    atomic_store_explicit(&i->due_us, at, memory_order_relaxed);
    return at;
}

bool inst_asleep(struct px_inst *i, int *fd, uint64_t *patience_us)
{
    struct nic *nic = px_session->nic;

    if (unlikely(i->shard.tap.frame))
        capture_flush(i->shard.tap.arg);
    *fd = nic->ops->wait_fd ? nic->ops->wait_fd(nic, i->slot) : -1;
    /* What is broken for good polls ready for ever. */
    if (nic_is_gone(nic)) {
        *fd = -1;
        *patience_us = min_u64(*patience_us, GONE_US);
    } else if (*fd < 0) {
        i->blind_us = min_u64(i->blind_us * 2, BLIND_MAX_US);
        *patience_us = min_u64(*patience_us, i->blind_us);
    }
    if (nic->ops->wait_prepare && nic->ops->wait_prepare(nic, i->slot))
        return false;
    return !i->shard.mail || mail_asleep(i->shard.mail);
}

void inst_awake(struct px_inst *i)
{
    if (i->shard.mail)
        mail_awake(i->shard.mail);
}
