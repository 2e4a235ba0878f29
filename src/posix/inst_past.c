/* Peers of an instance that was made anew.
 *
 * Who dies inside an instance takes its connections with it: not even a RST would come of them, and
 * a peer that only waits would wait for ever.  So they are copied from the stack that is no more
 * (each by itself, whatever state the whole is in), and the new stack tells their peers.  It knows
 * no neighbour at first and may lose what it sends, so it tells them more than once: who has heard
 * it takes no notice.  And whoever speaks is answered (tcp_past_keep). */
#include "base/bits.h"
#include "os/os.h"
#include "posix/session_int.h"
#include "stack/stack.h"

#define ROUNDS 3u
#define AT_ONCE 64u
#define TURN_US 500u /* between so many */

static const uint64_t pause_us[ROUNDS] = {20000, 1000000, 0}; /* after each round */

void inst_past_note(struct px_inst *i)
{
    const struct tcp *t = stack_tcp(i->shard.stack);

    i->past_n = tcp_past_list(t, i->past, session_own()->limits.tcp.conns);
    i->past_at = i->past_round = 0;
    i->past_us = 0;
}

void inst_past_keep(struct px_inst *i)
{
    uint64_t now = os_now_us();

    for (uint32_t k = 0; k < i->past_n; k++)
        tcp_past_keep(stack_tcp(i->shard.stack), &i->past[k], now);
}

void inst_past_tell(struct px_inst *i, uint64_t now)
{
    struct tcp *t = stack_tcp(i->shard.stack);
    uint32_t end = min_u32(i->past_at + AT_ONCE, i->past_n);

    while (i->past_at < end && tcp_past_reset(t, &i->past[i->past_at]))
        i->past_at++;
    i->past_us = now + TURN_US;
    if (i->past_at < i->past_n)
        return;
    i->past_us = now + pause_us[i->past_round];
    i->past_at = 0;
    if (++i->past_round == ROUNDS)
        i->past_n = 0;
}
