/* Answers come in: counted by what they are, and by when. */
#include <stdio.h>

#include "tools/ofload.h"

#define MASK_40 ((UINT64_C(1) << 40) - 1)

void ofl_settle(struct ofload *l)
{
    if (l->run_n > 0)
        hist_record_n(&l->latency, l->run_ns, l->run_n);
    l->run_n = 0;
}

/* What is read at once was mostly sent at once. */
static void record(struct ofload *l, uint64_t ns, uint32_t n)
{
    if (ns != l->run_ns) {
        ofl_settle(l);
        l->run_ns = ns;
    }
    l->run_n += n;
}

static void wrong(struct ofl_switch *s, enum ofl_error e, const uint8_t *msg, size_t n)
{
    struct ofload *l = s->l;

    if (l->errors[e]++ == 0 && l->first_wrong[0] == '\0') {
        uint32_t buffer = n < 12                                            ? 0
                          : msg[1] == OFT_FLOW_MOD && n >= OFL_FLOW_MOD_MIN ? load_be32(msg + 64)
                                                                            : load_be32(msg + 8);
        snprintf(l->first_wrong, sizeof(l->first_wrong),
                 "%s: switch %llu, %s of %zu bytes for buffer %u", ofl_error_names[e],
                 (unsigned long long)s->dpid, msg[1] == OFT_FLOW_MOD ? "FLOW_MOD" : "PACKET_OUT", n,
                 buffer);
    }
}

static void count(struct ofl_switch *s, uint64_t sent_ns, uint32_t n)
{
    struct ofload *l = s->l;

    if (l->phase != OFL_RUNS || l->discards) {
        l->discarded += n;
        return;
    }
    l->answers += n;
    if (l->loop >= l->opt->warmup) {
        s->answers += n;
        record(l, (l->now_ns - sent_ns) & MASK_40, n);
    }
}

/* Without the check an answer is what cbench takes for one, and its latency unknown. */
static void count_blindly(struct ofl_switch *s, const uint8_t *msg, size_t n)
{
    struct ofload *l = s->l;

    if (!ofl_cbench_counts(msg, n))
        return;
    s->probes.in_flight -= s->probes.in_flight > 0;
    if (l->phase != OFL_RUNS || l->discards) {
        l->discarded++;
        return;
    }
    l->answers++;
    l->cbench++;
    if (l->loop >= l->opt->warmup)
        s->answers++;
}

size_t ofl_answers(struct ofl_switch *s, const uint8_t *p, size_t n)
{
    struct ofload *l = s->l;
    size_t used = 0;

    for (;;) {
        uint64_t sent_ns;
        uint32_t right = ofl_judge_run(&s->judge, &s->probes, p + used, n - used, &sent_ns);
        if (right == 0)
            return used;
        if (l->phase == OFL_RUNS && !l->discards)
            l->cbench += right;
        l->right_flow_mods += right;
        count(s, sent_ns, right);
        used += right * sizeof(s->judge.last);
    }
}

void ofl_answer(struct ofl_switch *s, const uint8_t *msg, size_t n)
{
    struct ofload *l = s->l;
    uint64_t sent_ns;
    enum ofl_verdict v;

    if (s->probes.sent == NULL) {
        count_blindly(s, msg, n);
        return;
    }
    v = ofl_judge(&s->judge, &s->probes, msg, n, &sent_ns);
    if (!l->discards && l->phase == OFL_RUNS)
        l->cbench += ofl_cbench_counts(msg, n);
    switch (v) {
    case OFL_RIGHT:
        *(msg[1] == OFT_FLOW_MOD ? &l->right_flow_mods : &l->right_packet_outs) += 1;
        count(s, sent_ns, 1);
        break;
    case OFL_FLOODED:
        l->floods++;
        count(s, sent_ns, 1);
        break;
    case OFL_NO_ANSWER:
        l->others++;
        break;
    case OFL_BAD_UNKNOWN:
        wrong(s, OFL_UNKNOWN, msg, n);
        break;
    case OFL_BAD_DUPLICATE:
        wrong(s, OFL_DUPLICATE, msg, n);
        break;
    case OFL_BAD_MATCH:
        wrong(s, OFL_MATCH, msg, n);
        break;
    case OFL_BAD_PORT:
        wrong(s, OFL_PORT, msg, n);
        break;
    case OFL_BAD_FORM:
        wrong(s, OFL_PROTOCOL, msg, n);
        break;
    }
}
