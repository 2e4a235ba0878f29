/* What the application leaves behind when it ends, as a kernel does for a process. */
#include "host/host_int.h"

static struct tcp_conn *conn_at(const struct tcp *t, uint32_t i)
{
    return pool_at(&t->conns, i);
}

/* In FIN-WAIT-2 the peer has acknowledged all there was, our FIN too. */
static bool has_more_to_say(const struct tcp_conn *c)
{
    return c->state != TCPS_CLOSED && c->state != TCPS_FIN_WAIT_2;
}

bool core_all_is_said(struct core *c)
{
    const struct tcp *t = stack_tcp(c->shard.stack);

    for (uint32_t i = 0; i < t->conns.fresh; i++)
        if (has_more_to_say(conn_at(t, i)))
            return false;
    return true;
}

void core_close_the_rest(struct core *c)
{
    struct tcp *t = stack_tcp(c->shard.stack);
    instant now = os_now_us();

    for (uint32_t i = 0; i < t->listeners.fresh; i++) {
        struct tcp_listener *l = pool_at(&t->listeners, i);
        if (l->open)
            tcp_unlisten(t, l, now);
    }
    for (uint32_t i = 0; i < t->conns.fresh; i++) {
        struct tcp_conn *k = conn_at(t, i);
        if (k->state != TCPS_CLOSED && !(k->flags & TF_DETACHED))
            tcp_close(t, k, now);
    }
}

void core_reset_the_rest(struct core *c)
{
    struct tcp *t = stack_tcp(c->shard.stack);
    instant now = os_now_us();

    for (uint32_t i = 0; i < t->conns.fresh; i++)
        if (has_more_to_say(conn_at(t, i)))
            tcp_abort(t, conn_at(t, i), now);
}
