/* Private to the room tcp: what its files say to each other. */
#pragma once

#include <millrace/millrace.h>

#include "tcp/tcp.h"
#include "time/kinds.h"

/* A received segment on its way through: the parsed header, trimmed as the steps go, and its
 * packet, whose data is the payload.  A step that keeps the packet sets p to NULL; whoever is last
 * puts it. */
struct tcp_in {
    struct tcp_seg *s;
    struct pkt *p;
    struct ip_info *ip;
    bool old; /* nothing in it is new: its window is no news either */
};

#define TCP_TS_OPTLEN 12u
/* Payloads up to this many bytes are copied behind the header: cheaper than a reference. */
#define TCP_COPY_MAX 512u
#define TCP_DUP_THRESH 3u
#define RXTSHIFT_MAX 15u
#define TCP_MSS_DEFAULT 536u /* MUST-15 */
#define TCP_MSS_MIN 64u      /* below this a peer's option is an attack: CVE-2019-11479 */

/* ACKED: our SYN,ACK has arrived, and data is awaited (struct tcp_listener's defer). */
enum { TSYN_TS = 1, TSYN_SACK = 2, TSYN_WSCALE = 4, TSYN_AWAY = 8, TSYN_ACKED = 16 };

static inline struct tcp_seg *seg_info(struct pkt *p)
{
    return (struct tcp_seg *)(void *)(p->info + IP_INFO_L4);
}

/* Count a drop under its reason: return tcp_drop(t, in, &t->stats.drop_x). */
static inline void tcp_drop(struct tcp_in *in, uint64_t *reason)
{
    ++*reason;
    if (in->p) {
        pkt_put(in->p);
        in->p = NULL;
    }
}

/* A SYN of a new connection: no answer to one of ours. */
static inline bool tcp_begins(const struct tcp_seg *s)
{
    return (s->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN;
}

static inline bool tcp_in_recovery(const struct tcp_conn *c)
{
    return c->flags & (TF_RECOVERY | TF_RTO_RECOVERY);
}
static inline bool tcp_is_synchronised(const struct tcp_conn *c)
{
    return c->state >= TCPS_ESTABLISHED;
}
/* May still receive data: RFC 9293 3.10.7.4, seventh. */
static inline bool tcp_may_receive(const struct tcp_conn *c)
{
    return c->state == TCPS_ESTABLISHED || c->state == TCPS_FIN_WAIT_1 ||
           c->state == TCPS_FIN_WAIT_2;
}
/* The sequence number of the first byte in sndq. */
static inline tcp_seq tcp_data_start(const struct tcp_conn *c)
{
    return seq_add(c->snd_una, c->flags & TF_SYN_QUEUED ? 1 : 0);
}
/* The sequence number behind the last byte in sndq; a FIN has this number. */
static inline tcp_seq tcp_data_end(const struct tcp_conn *c)
{
    return seq_add(tcp_data_start(c), c->sndq.cc);
}
static inline uint32_t tcp_in_flight(const struct tcp_conn *c)
{
    return seq_diff(c->snd_max, c->snd_una);
}

/* conn.c: life and lists */
struct tcp_conn *tcp_conn_new(struct tcp *t);
void tcp_set_state(struct tcp *t, struct tcp_conn *c, enum tcp_state to);
void tcp_mark_output(struct tcp *t, struct tcp_conn *c);
void tcp_listener_mark(struct tcp *t, struct tcp_listener *l);
/* The end of a connection, by whatever way: out of the table, timers off; the object stays until
 * its handle is closed. */
void tcp_conn_end(struct tcp *t, struct tcp_conn *c, int err);
/* A connection that never was linked, or has ended and is detached. */
void tcp_conn_free(struct tcp *t, struct tcp_conn *c);
void tcp_conn_setup(struct tcp *t, struct tcp_conn *c, const struct tcp_inherit *i);

static inline void tcp_ack_now(struct tcp *t, struct tcp_conn *c)
{
    c->flags |= TF_ACKNOW;
    tcp_mark_output(t, c);
}

/* user.c: after output. */
void tcp_unsent_wake(struct tcp *t, struct tcp_conn *c);

/* timers.c */
static inline void tcp_timer_set(struct tcp *t, struct tcp_conn *c, enum tcp_timer which,
                                 uint64_t delay_us)
{
    tick at = tick_ceil(t->now) + ticks_of_us(delay_us);

    c->deadline[which] = at ? at : 1; /* 0 means off */
    if (!timer_is_armed(&c->timer) || tick_lt(at, c->timer.expires))
        wheel_arm(t->wheel, &c->timer, at);
}
static inline void tcp_timer_clear(struct tcp_conn *c, enum tcp_timer which)
{
    c->deadline[which] = 0;
}
static inline bool tcp_timer_is_set(const struct tcp_conn *c, enum tcp_timer which)
{
    return c->deadline[which] != 0;
}
void tcp_rexmt_arm(struct tcp *t, struct tcp_conn *c);
void tcp_persist_arm(struct tcp *t, struct tcp_conn *c);
void tcp_keep_arm(struct tcp *t, struct tcp_conn *c);
/* Of what the application has closed: may it be in FIN-WAIT-2?  And how long (MR_LINGER2)? */
bool tcp_may_fin_wait_2(const struct tcp *t, const struct tcp_conn *c);
void tcp_fin_wait_2_arm(struct tcp *t, struct tcp_conn *c);

/* segment.c: RFC 9293 3.10.7.4 */
void tcp_segment_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in);
/* The same for a segment that was not predicted and has no source route. */
void tcp_segment_steps(struct tcp *t, struct tcp_conn *c, struct tcp_in *in);
bool tcp_acceptable(tcp_seq seq, uint32_t len, tcp_seq rcv_nxt, uint32_t wnd);
void tcp_challenge_ack(struct tcp *t, struct tcp_conn *c);
bool tcp_paws_rejects(const struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *s);
void tcp_ts_update(struct tcp_conn *c, const struct tcp_seg *s);

/* fast.c */
bool tcp_fast_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in);

/* conn.c: the replies that wait are handed to ip. */
void tcp_replies_output(struct tcp *t);

/* listen.c, syn.c, cookie.c, connect.c */
struct tcp_listener *tcp_listener_find(struct tcp *t, uint16_t lidx, uint16_t port);
void tcp_listen_input(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                      struct tcp_in *in);
void tcp_syn_received(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                      struct tcp_in *in);
void tcp_syn_input(struct tcp *t, struct tcp_syn *y, struct tcp_in *in);
void tcp_syn_output(struct tcp *t);
void tcp_syn_timer(struct tcp *t, struct tcp_syn *y);
void tcp_syn_free(struct tcp *t, struct tcp_syn *y);
struct tcp_conn *tcp_passive_conn(struct tcp *t, struct tcp_listener *l, const struct tcp_syn *y,
                                  struct flow_node *was, const struct tcp_in *in);
void tcp_syn_fill(struct tcp *t, struct tcp_syn *y, struct tcp_listener *l,
                  const struct flow_key *k, const struct tcp_in *in);
bool tcp_syn_ack_send(struct tcp *t, struct tcp_syn *y, tcp_seq iss);
void tcp_cookie_send(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                     const struct tcp_in *in);
bool tcp_cookie_input(struct tcp *t, struct tcp_listener *l, const struct flow_key *k,
                      struct tcp_in *in);
bool tcp_cookies_live(const struct tcp *t, const struct tcp_listener *l);
bool tcp_cookie_is_ours(struct tcp *t, const struct tcp_listener *l, const struct flow_key *k,
                        const struct tcp_seg *s);
/* An active open takes another port, and begins anew.  0, or why not: it must end. */
int tcp_connect_again(struct tcp *t, struct tcp_conn *c);
void tcp_syn_sent_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in);
tcp_seq tcp_isn(const struct tcp *t, const struct flow_key *k);
/* RFC 6191: timestamps tell the old connection's segments from a new one's. */
static inline bool tcp_tw_may_be_reused(const struct tcp *t, const struct tcp_tw *w)
{
    return w->has_ts && t->config.timestamps;
}
uint32_t tcp_tw_reuse(const void *tcp, const struct flow_node *node);
uint32_t tcp_ts_offset(const struct tcp *t, const struct flow_key *k);

/* options.c */
uint16_t tcp_mss_to_announce(struct tcp *t, const struct ip_addr *raddr, uint16_t lidx,
                             uint16_t limit);
void tcp_mss_set(struct tcp *t, struct tcp_conn *c);
/* clamp: MR_WINDOW_CLAMP, or 0. */
unsigned tcp_wscale_wanted(const struct tcp *t, uint32_t rcv_buf, bool fixed, uint32_t clamp);
uint16_t tcp_mss_clamp(const struct tcp_seg *s);
void tcp_established(struct tcp *t, struct tcp_conn *c);

/* ack.c; true: go on with the segment */
bool tcp_ack_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in);
void tcp_ack_new(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s);
void tcp_wnd_update(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s);

/* recovery.c */
const struct cc_ops *tcp_cc(const struct tcp_conn *c);
bool tcp_app_limited(const struct tcp_conn *c, uint32_t acked);
struct cc_info tcp_cc_info(const struct tcp *t, const struct tcp_conn *c, uint32_t acked);
uint32_t tcp_initial_window(const struct tcp *t, const struct tcp_conn *c);
void tcp_dup_ack(struct tcp *t, struct tcp_conn *c);
void tcp_recovery_ack(struct tcp *t, struct tcp_conn *c, uint32_t acked);
void tcp_rto_fired(struct tcp *t, struct tcp_conn *c);
void tcp_loss_release(struct tcp *t, struct tcp_conn *c);
struct tcp_loss *tcp_loss_get(struct tcp *t, struct tcp_conn *c);

/* sack.c */
bool tcp_sack_input(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s);
void tcp_sack_advance(struct tcp_conn *c, struct tcp_loss *l);
uint32_t tcp_sack_pipe(const struct tcp_conn *c, const struct tcp_loss *l);
uint32_t tcp_sack_below(const struct tcp_loss *l, tcp_seq seq);
bool tcp_sack_first_lost(const struct tcp_conn *c, const struct tcp_loss *l);
bool tcp_sack_next(struct tcp_conn *c, struct tcp_loss *l, bool lost_only, tcp_seq *seq,
                   uint32_t *len);
/* Move *seq past a range that covers it; returns the bytes up to the next range, UINT32_MAX if
 * none. */
uint32_t tcp_sack_skip(const struct tcp_loss *l, tcp_seq *seq);

/* rtt.c */
void tcp_rtt_sample(struct tcp *t, struct tcp_conn *c, uint32_t rtt_us);
void tcp_rtt_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s);

/* data.c, reass.c, window.c */
void tcp_data_input(struct tcp *t, struct tcp_conn *c, struct tcp_in *in);
/* A sender on our loopback has no room in its buffer for a second segment of 64 KB. */
#define TCP_ACK_BYTES 16384u

/* RFC 9293 3.8.6.3: an ACK for every second segment (SHLD-18, SHLD-19), and for one that is large
 * whatever the MSS, else within delack_us (MUST-40). */
static inline void tcp_ack_data(struct tcp *t, struct tcp_conn *c, uint32_t len)
{
    if (!t->config.delack || (c->flags & (TF_DELACK | TF_QUICKACK)) ||
        len >= min_u32(2u * c->mss, TCP_ACK_BYTES)) {
        tcp_ack_now(t, c);
        return;
    }
    c->flags |= TF_DELACK;
    tcp_timer_set(t, c, TCPT_DELACK, t->config.delack_us);
}
void tcp_data_deliver(struct tcp *t, struct tcp_conn *c, struct pkt_list *pkts);
/* Keep the payload: in its own packet, or copied if the packet's pool is low.  early: it is not the
 * next in order, and has less of a claim to memory.  False: no memory; the packet is dropped. */
bool tcp_payload_keep(struct tcp *t, struct tcp_in *in, bool early, struct pkt_list *out);
void tcp_dsack_note(struct tcp *t, struct tcp_conn *c, tcp_seq start, tcp_seq end);
void tcp_fin_input(struct tcp *t, struct tcp_conn *c);
void tcp_urgent_input(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s);
void tcp_reass_insert(struct tcp *t, struct tcp_conn *c, struct tcp_in *in);
/* Deliver what has become contiguous; true: the FIN too. */
bool tcp_reass_deliver(struct tcp *t, struct tcp_conn *c);
void tcp_reass_clear(struct tcp *t, struct tcp_conn *c);
unsigned tcp_reass_blocks(const struct tcp *t, const struct tcp_conn *c, struct tcp_sack *out,
                          unsigned max);
/* Of a connection without MR_WINDOW_CLAMP, and of any. */
uint16_t tcp_wnd_announce(struct tcp *t, struct tcp_conn *c);
uint16_t tcp_wnd_announce_own(struct tcp *t, struct tcp_conn *c);
/* What a SYN says: RFC 7323 2.2, never scaled. */
static inline uint32_t tcp_syn_wnd(uint32_t space, uint32_t clamp)
{
    return min_u32(clamp ? min_u32(space, clamp) : space, 65535);
}
uint32_t tcp_rcv_space(const struct tcp_conn *c);
void tcp_rcv_tune(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s, uint32_t len);

/* output.c, emit.c, reset.c */
enum tcp_send_kind { TCP_SEND_NEW, TCP_SEND_REXMT, TCP_SEND_ACK, TCP_SEND_PROBE };
struct tcp_plan {
    tcp_seq seq;
    uint32_t len;   /* payload bytes */
    uint16_t flags; /* TH_* */
    enum tcp_send_kind kind;
};
bool tcp_conn_output(struct tcp *t, struct tcp_conn *c);
/* plain.c: the one segment, or ACK, that an undisturbed connection has to send now.  False: nothing
 * was done. */
bool tcp_plain_output(struct tcp *t, struct tcp_conn *c);
/* There must be a packet to send it in. */
void tcp_emit_segment(struct tcp *t, struct tcp_conn *c, struct tcp_plan *pl);
/* Send a prepared header (and nothing else) with the flow's addresses; it leaves at the next
 * output. */
void tcp_reply(struct tcp *t, const struct flow_key *k, const struct tcp_seg *s, uint8_t tos);
/* RFC 9293 3.10.7.1: the reset that answers a segment nobody owns. */
void tcp_reset_answer(struct tcp *t, struct tcp_in *in);
void tcp_reset_send(struct tcp *t, struct tcp_conn *c);

/* timewait.c */
void tcp_tw_enter(struct tcp *t, struct tcp_conn *c);
/* True: the segment is a new SYN for this address pair and the old connection is gone: go on as if
 * none had been. */
bool tcp_tw_input(struct tcp *t, struct tcp_tw *w, struct tcp_in *in, tcp_seq *iss_min);
/* The segment is of a connection that came after it, with another core. */
bool tcp_tw_is_outlived(const struct tcp_tw *w, const struct tcp_seg *s);
/* A segment for what was lost (tcp_past_keep).  False: it is about something else. */
bool tcp_past_input(struct tcp *t, const struct tcp_tw *w, struct tcp_in *in);
void tcp_tw_timer(struct tcp *t);
void tcp_tw_free(struct tcp *t, struct tcp_tw *w);

/* whose.c, with many cores */
uint32_t tcp_home_hash(const struct tcp *t, const struct flow_key *k);
static inline unsigned tcp_home_core(const struct tcp *t, const struct flow_key *k)
{
    return rss_queue(t->ip->eth->cores->home.law, tcp_home_hash(t, k));
}
/* Whose leave an active open needs: home's; or, at home, that of who was home a moment ago.  Our
 * own number: nobody's. */
unsigned tcp_leave_core(const struct tcp *t, const struct flow_key *k);
/* It may belong to a connection that has not told its new home yet: passed to the old one. */
bool tcp_moved_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in);

/* away.c */
enum tcp_away_how {
    AWAY_BOUND,   /* an active open, waiting for leave, from a port of the caller's, */
    AWAY_CHOSEN,  /* or of ours: if the answer is no it may be another */
    AWAY_PASSIVE, /* the others do not wait */
    AWAY_MOVED,   /* it was at home, and asks until there is room for it */
    AWAY_WAITING, /* so, and it is in TIME-WAIT: whatever lives there is newer */
};
/* Ask core for leave to have the flow here.  False: no memory to remember it. */
bool tcp_away_ask(struct tcp *t, const struct flow_key *k, unsigned core, enum tcp_away_how how);
/* The same after the flow's home has moved; perhaps to us. */
void tcp_away_move(struct tcp *t, const struct flow_key *k, unsigned home, enum tcp_away_how how);
/* How it was asked for; AWAY_MOVED: it was not. */
enum tcp_away_how tcp_away_how(const struct tcp *t, const struct flow_key *k);
/* A passive open that `in` begins or completes lives away from home, and home is being told. */
bool tcp_passive_away(struct tcp *t, const struct flow_key *k, const struct tcp_in *in);
/* It has come to TIME-WAIT. */
void tcp_away_waiting(struct tcp *t, const struct flow_key *k);
/* Home has not answered. */
bool tcp_away_asks(const struct tcp *t, const struct flow_key *k);
/* And there is an active open that waits for it. */
bool tcp_away_waits(const struct tcp *t, const struct flow_key *k);
/* The flow is no more. */
void tcp_away_end(struct tcp *t, const struct flow_key *k);
/* Letters that could not be sent, or were not answered. */
void tcp_away_output(struct tcp *t);
/* A segment for a four-tuple for which we still wait: another core may have it, and to answer it is
 * not for us. */
void tcp_early_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in,
                     bool in_time_wait);
/* A segment for a flow that lives on another core. */
void tcp_away_input(struct tcp *t, const struct tcp_away *a, struct tcp_in *in);
/* It lived there once, and the segment is not for it: the node is no more. */
bool tcp_away_stale(struct tcp *t, struct tcp_away *a, const struct tcp_in *in);
/* A segment without a connection here.  True: it was passed on; false: it is ours to answer. */
bool tcp_stray_input(struct tcp *t, const struct flow_key *k, struct tcp_in *in);
