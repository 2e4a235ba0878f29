/* Is a switch alive?  And the reasons to end a connection. */
#include "sdn/sdn_int.h"

/* Times are looked at so often; none needs to be finer. */
#define LOOK_US (USEC_PER_SEC / 2)
#define SWEEP_US USEC_PER_MSEC
#define PROBE_US (1 * USEC_PER_SEC)

static void why_set(struct sdn_switch *sw, const char *why)
{
    if (why != sw->why)
        fmt_print(sw->why, sizeof(sw->why), "%s", why);
}

void session_close(struct sdn *s, struct sdn_switch *sw, const char *why)
{
    if (sw->phase == PHASE_CLOSING)
        return;
    why_set(sw, why);
    sw->phase = PHASE_CLOSING;
    sw->todo = SDN_DO_CLOSE;
    sw->give_up_at = s->now + s->config.handshake_us;
    ready_mark(s, sw);
}

void session_abort(struct sdn *s, struct sdn_switch *sw, const char *why)
{
    if (sw->phase != PHASE_CLOSING)
        why_set(sw, why);
    sw->phase = PHASE_CLOSING;
    sw->todo = SDN_DO_ABORT;
    sw->give_up_at = INSTANT_NEVER;
    ready_mark(s, sw);
}

static void probe(struct sdn *s, struct sdn_switch *sw, instant patience)
{
    if (!say_plain(s, sw, OFP_ECHO_REQUEST))
        return;
    sw->probed = true;
    sw->echo_sent = s->now;
    sw->give_up_at = s->now + patience;
    s->alive_at = s->alive_at < sw->give_up_at ? s->alive_at : sw->give_up_at;
}

void session_probe(struct sdn *s, struct sdn_switch *sw)
{
    instant patience = s->config.echo_us < PROBE_US ? s->config.echo_us : PROBE_US;

    if (sw->phase != PHASE_UP)
        return;
    if (!sw->probed)
        probe(s, sw, patience);
    else if (sw->give_up_at > s->now + patience)
        sw->give_up_at = s->now + patience;
}

/* Whatever it says proves that it lives; the answer to an ECHO_REQUEST is only what it can always
 * say. */
static void look_up(struct sdn *s, struct sdn_switch *sw)
{
    if (sw->probed && sw->heard > sw->echo_sent)
        sw->probed = false;
    if (sw->probed && s->now >= sw->give_up_at) {
        s->stats.echo_timeouts++;
        session_abort(s, sw, "no answer to an echo request");
    } else if (!sw->probed && s->now >= sw->heard + s->config.echo_us) {
        probe(s, sw, s->config.echo_us);
    }
}

static void look(struct sdn *s, struct sdn_switch *sw)
{
    switch (sw->phase) {
    case PHASE_HELLO:
    case PHASE_FEATURES:
    case PHASE_PORTS:
        if (s->now >= sw->opened + s->config.handshake_us) {
            s->stats.handshake_timeouts++;
            session_abort(s, sw, "the handshake took too long");
        }
        break;
    case PHASE_UP:
        look_up(s, sw);
        break;
    case PHASE_CLOSING:
        if (s->now >= sw->give_up_at)
            session_abort(s, sw, sw->why);
        break;
    }
}

void alive_advance(struct sdn *s)
{
    bool sweeping;

    if (s->now < s->alive_at)
        return;
    for (struct sdn_switch *sw = s->first; sw; sw = sw->next)
        look(s, sw);
    sweeping = mac_sweep(&s->macs);
    s->alive_at = s->now + (sweeping ? SWEEP_US : LOOK_US);
}
