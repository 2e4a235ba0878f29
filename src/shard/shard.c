#include "shard/shard.h"

#include "shard/via.h"

/* Events a turn: an application that makes its own news must not keep packets waiting. */
#define EVENTS_MAX 4096u

/* A port that is full says so without telling when it will not be: look again this soon. */
#define TX_RETRY_US 100u

/* Letters a turn: others who write without pause must not keep packets waiting. */
#define LETTERS_MAX 256u

/* A core without a queue sends through ours.  A full port drops, as on the way in: the others'
 * frames must not wait before our own. */
static void put_out(struct shard *sh, const struct letter *l)
{
    struct pkt *p = sh->frames ? via_frame(sh->frames, l) : NULL;

    if (p && nic_tx_burst(sh->nic[p->netif], sh->queue[p->netif], &p, 1) == 1)
        return;
    sh->frames_dropped++;
    if (p)
        pkt_put(p);
}

static bool read_mail(struct shard *sh, instant now)
{
    struct letter l;
    unsigned n = 0;

    while (n < LETTERS_MAX && mail_next(sh->mail, &l)) {
        if (l.kind == MAIL_FRAME)
            put_out(sh, &l);
        else if (!stack_letter(sh->stack, &l, now))
            native_letter(sh->native, &l, now);
        mail_done(sh->mail, &l);
        n++;
    }
    stack_letters_done(sh->stack, now);
    return n > 0;
}

static bool receive(struct shard *sh, unsigned netif, instant now)
{
    struct pkt *frames[BURST_MAX];
    unsigned max = sh->burst ? sh->burst : BURST_MAX;
    unsigned n = nic_rx_burst(sh->nic[netif], sh->queue[netif], frames, max);
    bool mail = sh->mail && mail_waits(sh->mail) && read_mail(sh, now);

    if (n == 0)
        return mail;
    if (sh->tap.frame)
        for (unsigned i = 0; i < n; i++)
            sh->tap.frame(sh->tap.arg, frames[i], false, now);
    stack_input(sh->stack, netif, frames, n, now);
    return true;
}

bool shard_tell(struct shard *sh)
{
    struct mr *m = native_mr(sh->native);
    struct mr_event ev;
    unsigned n = 0;

    while (n < EVENTS_MAX && native_event(sh->native, &ev)) {
        sh->app->event(m, sh->core_state, &ev);
        n++;
    }
    return n > 0;
}

/* Frames that the port refused come back first and in order, so counting them is enough to show
 * each frame to the observer once. */
static void observe(struct shard *sh, unsigned netif, struct pkt **frames, unsigned n, instant now)
{
    for (unsigned i = sh->refused[netif]; i < n && sh->tap.frame; i++)
        sh->tap.frame(sh->tap.arg, frames[i], true, now);
}

static bool transmit(struct shard *sh, unsigned netif, instant now)
{
    struct pkt *frames[BURST_MAX];
    bool busy = false;
    unsigned n, sent;

    do {
        n = stack_tx(sh->stack, netif, frames, BURST_MAX);
        if (n == 0)
            break;
        observe(sh, netif, frames, n, now);
        sent = nic_tx_burst(sh->nic[netif], sh->queue[netif], frames, n);
        if (sent < n)
            stack_tx_return(sh->stack, netif, frames + sent, n - sent);
        sh->refused[netif] = n - sent;
        busy |= sent > 0;
    } while (sent == n);
    return busy;
}

static void ring_bells(struct shard *sh)
{
    uint64_t cores = native_take_wakes(sh->native);

    if (sh->mail)
        cores |= mail_take_wakes(sh->mail);

    if (likely(!cores))
        return;
    if (sh->ring)
        sh->ring(sh->ring_arg, cores);
    else
        sh->wake |= cores;
}

bool shard_hear(struct shard *sh, instant now)
{
    bool busy = false;

    for (unsigned i = 1; i <= sh->netifs; i++)
        busy |= receive(sh, i, now);
    native_advance(sh->native, now);
    ring_bells(sh);
    busy |= shard_tell(sh);
    sh->turns++;
    sh->busy_turns += busy;
    return busy;
}

bool shard_say(struct shard *sh, instant now)
{
    bool busy = false;

    native_flush(sh->native, now);
    for (unsigned i = 1; i <= sh->netifs; i++)
        busy |= transmit(sh, i, now);
    ring_bells(sh);
    return busy;
}

bool shard_turn(struct shard *sh, instant now)
{
    bool heard = shard_hear(sh, now), said = shard_say(sh, now);

    sh->busy_turns += said && !heard;
    return heard || said;
}

instant shard_deadline(const struct shard *sh)
{
    instant at = native_deadline(sh->native);

    for (unsigned i = 1; i <= sh->netifs; i++)
        if (sh->refused[i] > 0)
            at = min_u64(at, stack_now(sh->stack) + TX_RETRY_US);
    return at;
}
