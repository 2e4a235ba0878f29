/* A segment for a connection in SYN-RECEIVED or a synchronised state: RFC 9293 3.10.7.4, one
 * function a step, in the order that RFC 5961 and RFC 7323 make of it:
 *
 *     RST -> SYN -> timestamp -> sequence number -> ACK -> URG -> data -> FIN
 *
 * A step returns false when it has dealt with the segment. */
#include "tcp/tcp_int.h"

/* tcp_acceptable reports whether a segment of len octets at seq holds a sequence number inside the
 * receive window. RFC 9293 3.10.7.4, Table 6:
 *
 *   SEG.LEN  RCV.WND   acceptable if
 *      0        0      SEG.SEQ = RCV.NXT
 *      0       >0      RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND
 *     >0        0      never
 *     >0       >0      first or last octet lies in the window
 */
bool tcp_acceptable(tcp_seq seq, uint32_t len, tcp_seq rcv_nxt, uint32_t wnd)
{
    if (wnd == 0)
        return len == 0 && seq_eq(seq, rcv_nxt);
    if (len == 0)
        return seq_in(seq, rcv_nxt, wnd);
    return seq_in(seq, rcv_nxt, wnd) || seq_in(seq_add(seq, len - 1), rcv_nxt, wnd);
}

/* RFC 5961 7, CVE-2016-5696: the limit is each connection's own, so it tells an attacker nothing
 * about another. */
void tcp_challenge_ack(struct tcp *t, struct tcp_conn *c)
{
    uint16_t now = (uint16_t)(t->now_ms | 1);

    if (c->challenge_ms && (uint16_t)(now - c->challenge_ms) < t->config.challenge_interval_ms)
        return;
    c->challenge_ms = now;
    t->stats.challenge_acks++;
    tcp_ack_now(t, c);
}

/* RFC 5961 3.2; MUST-66: a RST counts even when the window is closed. SHLD-2: data in it is of no
 * concern. */
static bool step_rst(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;

    if (likely(!(s->flags & TH_RST)))
        return true;
    if (seq_eq(s->seq, c->rcv_nxt)) {
        int err = c->state == TCPS_SYN_RECEIVED ? MR_ECONNREFUSED : MR_ECONNRESET;
        t->stats.reset_by_peer++;
        pkt_put(in->p);
        in->p = NULL;
        tcp_conn_end(t, c, c->state == TCPS_CLOSING || c->state == TCPS_LAST_ACK ? 0 : err);
        return false;
    }
    if (seq_in(s->seq, c->rcv_nxt, max_u32(tcp_rcv_wnd(c), 1)))
        tcp_challenge_ack(t, c);
    tcp_drop(in, &t->stats.drop_rst_challenged);
    return false;
}

/* RFC 5961 4.2: a SYN in a synchronised state is answered with an ACK, whatever its number. In
 * SYN-RECEIVED (simultaneous open) the peer's retransmitted SYN asks for our SYN,ACK again. */
static bool step_syn(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;

    if (likely(!(s->flags & TH_SYN)))
        return true;
    if (c->state == TCPS_SYN_RECEIVED && seq_eq(seq_add(s->seq, 1), c->rcv_nxt)) {
        if (s->flags & TH_ACK) {
            /* Simultaneous open: the SYN,ACK acknowledges ours; its own SYN is behind us. */
            s->flags &= (uint16_t)~TH_SYN;
            s->seq = c->rcv_nxt;
            return true;
        }
        tcp_ack_now(t, c);
        tcp_drop(in, &t->stats.dup_segs);
        return false;
    }
    tcp_challenge_ack(t, c);
    tcp_drop(in, &t->stats.drop_syn_challenged);
    return false;
}

/* RFC 7323 5.3 R1; 5.5: a timestamp more than 24 days old proves nothing any more. */
bool tcp_paws_rejects(const struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *s)
{
    const uint32_t outdated_ms = 24u * 24 * 3600 * 1000;

    return seq_lt(seq_of(s->ts_val), seq_of(c->ts_recent)) && c->ts_recent &&
           t->now_ms - c->rcv_time_ms < outdated_ms;
}

/* RFC 7323 4.3 (2). */
void tcp_ts_update(struct tcp_conn *c, const struct tcp_seg *s)
{
    if (seq_leq(s->seq, c->last_ack_sent))
        c->ts_recent = s->ts_val;
}

/* Timestamps negotiated: a segment without one is not the peer's (RFC 7323 3.2); PAWS judges the
 * others. */
static bool step_timestamp(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    const struct tcp_seg *s = in->s;

    if (!(c->flags & TF_TS))
        return true;
    if (!s->has_ts) {
        tcp_drop(in, &t->stats.drop_no_ts);
        return false;
    }
    if (tcp_paws_rejects(t, c, s)) {
        tcp_ack_now(t, c);
        tcp_drop(in, &t->stats.drop_paws);
        return false;
    }
    return true;
}

/* Cut what was received before. The whole segment may be old: then its ACK field still counts. */
static void trim_left(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;
    uint32_t behind = seq_diff(c->rcv_nxt, s->seq), old = behind;

    if (old > s->len) {
        s->flags &= (uint16_t)~TH_FIN; /* the FIN is old as well */
        old = s->len;
    }
    if (old)
        tcp_dsack_note(t, c, s->seq, seq_add(s->seq, old));
    pkt_pull(in->p, old);
    s->len -= old;
    s->urp = s->urp > behind ? (uint16_t)(s->urp - behind) : 0; /* the same octet */
    s->seq = c->rcv_nxt;
    if (s->len == 0 && !(s->flags & TH_FIN)) {
        in->old = true;
        t->stats.dup_segs++;
        tcp_ack_now(t, c); /* an ACK for everything that is not new */
    }
}

/* Cut what lies beyond the window we have announced; a FIN there goes too. */
static void trim_right(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;
    uint32_t room = seq_diff(c->rcv_adv, s->seq);

    if (s->len + (s->flags & TH_FIN ? 1 : 0) <= room)
        return;
    if (s->len >= room) {
        s->len = room;
        pkt_trim(in->p, room);
    }
    s->flags &= (uint16_t) ~(TH_FIN | TH_PUSH);
    tcp_ack_now(t, c);
}

/* RFC 9293 3.10.7.4, first. A segment that only repeats is answered, and its ACK used; at a closed
 * window the data goes and the rest counts (MUST-66). */
static bool step_sequence(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    struct tcp_seg *s = in->s;
    uint32_t len = s->len + (s->flags & TH_FIN ? 1 : 0);
    uint32_t wnd = tcp_rcv_wnd(c);
    bool probe = wnd == 0 && seq_eq(s->seq, c->rcv_nxt);
    bool old = seq_lt(s->seq, c->rcv_nxt) && seq_gt(s->seq, seq_sub(c->rcv_nxt, 1u << 30));

    if (!tcp_acceptable(s->seq, len, c->rcv_nxt, wnd) && !probe && !(old && len)) {
        if (len || old)
            tcp_ack_now(t, c);
        else
            tcp_challenge_ack(t, c);
        tcp_drop(in, &t->stats.drop_seq);
        return false;
    }
    if ((c->flags & TF_TS) && !old)
        tcp_ts_update(c, s);
    if (old)
        trim_left(t, c, in);
    trim_right(t, c, in);
    return true;
}

/* RFC 9293 3.10.7.4, fifth, SYN-RECEIVED: an ACK must cover our SYN. Closed there, it is in
 * FIN-WAIT-1, and that is still so: else a FIN would lead on to CLOSING with the SYN on its way. */
static bool acks_our_syn(struct tcp *t, const struct tcp_conn *c, struct tcp_in *in)
{
    if (seq_gt(in->s->ack, c->snd_una) && seq_leq(in->s->ack, c->snd_max))
        return true;
    tcp_reset_answer(t, in);
    tcp_drop(in, &t->stats.drop_bad_ack);
    return false;
}

/* The ACK that completes the handshake. */
static void syn_received_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s)
{
    c->snd_wnd = (uint32_t)s->wnd << tcp_snd_scale(c);
    c->wnd_max = s->wnd;
    c->snd_wl1 = seq_sub(s->seq, 1);
    tcp_established(t, c);
}

static bool step_ack(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    bool opening = c->state == TCPS_SYN_RECEIVED;

    if (!(in->s->flags & TH_ACK)) {
        tcp_drop(in, &t->stats.drop_no_ack);
        return false;
    }
    if ((opening || (c->flags & TF_SYN_QUEUED)) && !acks_our_syn(t, c, in))
        return false;
    if (opening)
        syn_received_ack(t, c, in->s);
    return tcp_ack_input(t, c, in);
}

/* RFC 1122 4.2.2.13, SHLD-3: data for an application that is gone. */
static bool step_after_close(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    if (!(c->flags & TF_DETACHED) || in->s->len == 0 || c->state < TCPS_FIN_WAIT_1)
        return true;
    tcp_reset_send(t, c);
    tcp_drop(in, &t->stats.drop_after_close);
    tcp_conn_end(t, c, MR_ECONNRESET);
    return false;
}

/* SHLD-24: a later source route replaces the one we had. */
static void source_route_note(struct tcp *t, struct tcp_conn *c, const struct ip_info *ip)
{
    struct tcp_cold *cold = tcp_cold_get(t, c);

    if (!cold)
        return;
    cold->src_route_n = ip->src_route_n;
    memcpy(cold->src_route, ip->src_route, sizeof(cold->src_route));
    tcp_mss_set(t, c);
}

void tcp_segment_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    if (unlikely(in->ip->src_route_n))
        source_route_note(t, c, in->ip);
    if (!tcp_fast_input(t, c, in))
        tcp_segment_steps(t, c, in);
}

void tcp_segment_steps(struct tcp *t, struct tcp_conn *c, struct tcp_in *in)
{
    if (!step_rst(t, c, in) || !step_syn(t, c, in) || !step_timestamp(t, c, in) ||
        !step_sequence(t, c, in) || !step_ack(t, c, in) || !step_after_close(t, c, in))
        return;
    c->rcv_time_ms = t->now_ms;
    tcp_urgent_input(t, c, in->s);
    if (in->s->len || (in->s->flags & TH_FIN))
        tcp_data_input(t, c, in);
}
