#include "posix/inst.h"

#include "os/os.h"
#include "posix/lock.h"
#include "posix/session_int.h"

#define ROUND_US 200u /* a round of events that takes longer sends in between */
#define SETTLE_TURNS 8u
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

static bool in_a_round(void)
{
    return px_thread.round_us && os_now_us() - px_thread.round_us < ROUND_US;
}

void inst_leave(struct px_inst *i)
{
    bool later = i->unsent && in_a_round();

    if (i->unsent && !later)
        inst_turn(i);
    px_unlock(&i->lock);
    /* The thread may never poll again. */
    if (later)
        session_ring_if_asleep();
}

bool inst_turn(struct px_inst *i)
{
    uint32_t law = atomic_load_explicit(&px_session->law_generation, memory_order_acquire);
    uint64_t now = os_now_us();

    if (unlikely(law != i->law_seen)) {
        i->law_seen = law;
        native_law_changed(i->shard.native, px_session->law, now);
    }
    if (unlikely(i->past_n && now >= i->past_us))
        inst_past_tell(i, now);
    bool busy = shard_turn(&i->shard, now);
    i->unsent = false;
    i->now_us = now;
    atomic_store_explicit(&i->turns, i->shard.turns, memory_order_relaxed);
    if (busy)
        i->blind_us = BLIND_MIN_US;
    return busy;
}

void inst_settle(struct px_inst *i)
{
    for (unsigned n = 0; n < SETTLE_TURNS && inst_turn(i); n++)
        continue;
}

uint64_t inst_deadline(struct px_inst *i)
{
    uint64_t at = shard_deadline(&i->shard);

    if (unlikely(i->past_n))
        at = min_u64(at, i->past_us);

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
