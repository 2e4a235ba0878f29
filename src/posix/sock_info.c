/* TCP_INFO: what we know of it, in Linux's struct. */
#include "posix/sock_int.h"

#include <linux/tcp.h>

/* Linux's numbers of the states (include/net/tcp_states.h). */
static uint8_t state_number(const char *name)
{
    static const char *const names[] = {"",           "ESTABLISHED", "SYN-SENT",  "SYN-RECEIVED",
                                        "FIN-WAIT-1", "FIN-WAIT-2",  "TIME-WAIT", "CLOSED",
                                        "CLOSE-WAIT", "LAST-ACK",    "LISTEN",    "CLOSING"};

    for (uint8_t i = 1; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 7;
}

static void fill(struct tcp_info *t, const struct mr_tcp_info *i)
{
    uint32_t mss = i->mss ? i->mss : 536;

    t->tcpi_state = state_number(i->state);
    t->tcpi_rto = i->rto_us;
    t->tcpi_snd_mss = t->tcpi_rcv_mss = t->tcpi_advmss = mss;
    t->tcpi_unacked = (i->in_flight + mss - 1) / mss;
    t->tcpi_pmtu = mss + 40;
    t->tcpi_rtt = i->srtt_us;
    t->tcpi_rttvar = i->rttvar_us;
    t->tcpi_snd_ssthresh = i->snd_ssthresh / mss;
    t->tcpi_snd_cwnd = i->snd_cwnd / mss;
    t->tcpi_rcv_space = i->rcv_wnd;
    t->tcpi_total_retrans = (uint32_t)i->retransmits;
    t->tcpi_notsent_bytes = i->sndq > i->in_flight ? i->sndq - i->in_flight : 0;
    t->tcpi_snd_wnd = i->snd_wnd;
}

int opt_tcp_info(struct px_file *f, void *value, socklen_t *n)
{
    struct px_inst *i = file_inst(f);
    struct mr_tcp_info own = {0};
    struct tcp_info t = {.tcpi_state = f->kind == PX_LISTENER ? 10 : 7};

    if (f->kind == PX_CONN && f->sock.v) {
        inst_enter(i);
        if (mr_tcp_info(inst_mr(i), f->sock, &own) == 0)
            fill(&t, &own);
        inst_leave(i);
    } else if (f->kind == PX_LISTENER) {
        t.tcpi_sacked = f->listen->backlog;
    }
    if (*n > sizeof(t))
        *n = sizeof(t);
    if (*n && !value)
        return -EFAULT;
    memcpy(value, &t, *n);
    return 0;
}
