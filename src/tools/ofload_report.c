/* What is told while it runs and at the end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "stat/json.h"
#include "tools/ofload.h"

const char *const ofl_error_names[OFL_ERRORS] = {"connect",   "reset", "protocol",   "unknown",
                                                 "duplicate", "match", "wrong_port", "unanswered"};

static const struct {
    const char *name;
    uint64_t num, den;
} points[] = {{"p50", 50, 100},
              {"p90", 90, 100},
              {"p99", 99, 100},
              {"p99.9", 999, 1000},
              {"p99.99", 9999, 10000}};

/* Answers a second over the loops that count, in the way cbench sums up. */
struct rates {
    uint64_t min, max, avg, stdev;
};

/* Newton's, downwards from above: the largest r with r * r <= v. */
static uint64_t root(uint64_t v)
{
    uint64_t r = v, next = v / 2 + 1;

    while (next < r) {
        r = next;
        next = (r + v / r) / 2;
    }
    return r;
}

static struct rates rates_of(const struct ofload *l, const uint64_t *loops)
{
    const struct ofl_options *o = l->opt;
    struct rates r = {.min = UINT64_MAX};
    double squares = 0;

    for (uint32_t i = 0; i < o->loops; i++) {
        uint64_t v = loops[o->warmup + i] * 1000 / o->loop_ms;
        r.min = min_u64(r.min, v);
        r.max = max_u64(r.max, v);
        r.avg += v;
    }
    r.avg /= o->loops;
    for (uint32_t i = 0; i < o->loops; i++) {
        double d = (double)(loops[o->warmup + i] * 1000 / o->loop_ms) - (double)r.avg;
        squares += d * d;
    }
    r.stdev = root((uint64_t)(squares / o->loops));
    return r;
}

uint64_t ofl_error_sum(const struct ofload *l)
{
    uint64_t sum = 0;

    for (int e = 0; e < OFL_ERRORS; e++)
        sum += l->errors[e];
    return sum;
}

/* Of all cores, as far as they have come; the loops of the others end at the same time. */
void ofl_progress(struct ofload *l)
{
    uint64_t answers = l->opt->total->answers;

    if (l->opt->quiet || l->core != 0)
        return;
    fprintf(stderr, "loop %3" PRIu32 "  %10" PRIu64 " responses/s%s\n", l->loop + 1,
            (answers - l->told) * 1000 / l->opt->loop_ms,
            l->loop < l->opt->warmup ? "  (warm-up)" : "");
    l->told = answers;
}

void ofl_merge(struct ofload *to, const struct ofload *from)
{
    for (uint32_t i = 0; i < to->opt->warmup + to->opt->loops; i++) {
        to->per_loop[i] += from->per_loop[i];
        to->cbench_loop[i] += from->cbench_loop[i];
    }
    to->right_flow_mods += from->right_flow_mods;
    to->right_packet_outs += from->right_packet_outs;
    to->floods += from->floods;
    to->others += from->others;
    to->discarded += from->discarded;
    to->peer_errors += from->peer_errors;
    to->sent += from->sent;
    to->rx_bytes += from->rx_bytes;
    for (int e = 0; e < OFL_ERRORS; e++)
        to->errors[e] += from->errors[e];
    to->handshakes += from->handshakes;
    to->late_handshakes += from->late_handshakes;
    to->handshake_ns = max_u64(to->handshake_ns, from->handshake_ns);
    to->late_handshake_ns = max_u64(to->late_handshake_ns, from->late_handshake_ns);
    to->least = min_u64(to->least, from->least);
    to->most = max_u64(to->most, from->most);
    to->on_time += from->on_time;
    to->last_err = to->last_err != 0 ? to->last_err : from->last_err;
    if (to->first_wrong[0] == '\0')
        memcpy(to->first_wrong, from->first_wrong, sizeof(to->first_wrong));
    hist_merge(&to->latency, &from->latency);
}

static const char *mode_name(const struct ofl_options *o)
{
    return o->rate != 0        ? "rate"
           : o->in_flight == 1 ? "latency"
           : o->throughput     ? "throughput"
                               : "window";
}

/* What the worst and the best served switch have had, in thousandths of the mean. */
static uint64_t share(const struct ofload *l, uint64_t answers)
{
    uint64_t n = l->opt->switches - l->opt->late;

    return l->on_time == 0 ? 0 : (uint64_t)((double)answers * (double)n * 1e3 / (double)l->on_time);
}

static void json_rates(struct json *j, const char *key, struct rates r)
{
    json_object(j, key);
    json_u64(j, "min", r.min);
    json_u64(j, "max", r.max);
    json_u64(j, "avg", r.avg);
    json_u64(j, "stdev", r.stdev);
    json_end(j);
}

static void json_answers(struct json *j, const struct ofload *l)
{
    json_object(j, "answers");
    json_u64(j, "flow_mod", l->right_flow_mods);
    json_u64(j, "packet_out", l->right_packet_outs);
    json_u64(j, "flood", l->floods);
    json_u64(j, "without_buffer", l->others);
    json_u64(j, "discarded", l->discarded);
    json_u64(j, "controller_errors", l->peer_errors);
    json_end(j);
    json_object(j, "errors");
    for (int e = 0; e < OFL_ERRORS; e++)
        json_u64(j, ofl_error_names[e], l->errors[e]);
    json_end(j);
    json_str(j, "first_wrong", l->first_wrong);
}

static void report_json(const struct ofload *l)
{
    const struct ofl_options *o = l->opt;
    char buf[4096];
    struct json j;

    json_init(&j, buf, sizeof(buf));
    json_object(&j, NULL);
    json_str(&j, "mode", mode_name(o));
    json_bool(&j, "cbench", o->cbench);
    json_bool(&j, "checked", !o->no_check);
    json_u64(&j, "switches", o->switches);
    json_u64(&j, "hosts", o->hosts);
    json_u64(&j, "in_flight", o->in_flight);
    json_u64(&j, "rate", o->rate);
    json_u64(&j, "cores", o->cores);
    json_u64(&j, "loops", o->loops);
    json_u64(&j, "loop_ms", o->loop_ms);
    json_u64(&j, "sent", l->sent);
    json_rates(&j, "responses_per_s", rates_of(l, l->per_loop));
    json_rates(&j, "as_cbench_per_s", rates_of(l, l->cbench_loop));
    json_object(&j, "latency_ns");
    json_u64(&j, "count", l->latency.count);
    json_u64(&j, "min", l->latency.count != 0 ? l->latency.min : 0);
    json_u64(&j, "mean", hist_mean(&l->latency));
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        json_u64(&j, points[i].name, hist_percentile(&l->latency, points[i].num, points[i].den));
    json_u64(&j, "max", l->latency.max);
    json_end(&j);
    json_object(&j, "share_per_mille");
    json_u64(&j, "min", share(l, l->least));
    json_u64(&j, "max", share(l, l->most));
    json_end(&j);
    json_object(&j, "handshakes");
    json_u64(&j, "count", l->handshakes);
    json_u64(&j, "max_us", l->handshake_ns / 1000);
    json_u64(&j, "late", l->late_handshakes);
    json_u64(&j, "late_max_us", l->late_handshake_ns / 1000);
    json_end(&j);
    json_answers(&j, l);
    json_u64(&j, "rx_bytes", l->rx_bytes);
    json_end(&j);
    if (json_fini(&j) != 0)
        puts(buf);
}

static void print_rates(const char *what, struct rates r)
{
    printf("  %-16s min %" PRIu64 "  max %" PRIu64 "  avg %" PRIu64 "  stdev %" PRIu64
           "  a second\n",
           what, r.min, r.max, r.avg, r.stdev);
}

static void print_latency(const struct hist *h)
{
    if (h->count == 0)
        return;
    printf("  latency us       min %.1f  mean %.1f", (double)h->min / 1e3,
           (double)hist_mean(h) / 1e3);
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        printf("  %s %.1f", points[i].name,
               (double)hist_percentile(h, points[i].num, points[i].den) / 1e3);
    printf("  max %.1f\n", (double)h->max / 1e3);
}

void ofl_report(const struct ofload *l)
{
    const struct ofl_options *o = l->opt;
    char to[MR_ADDR_TEXT];

    if (o->json) {
        report_json(l);
        return;
    }
    printf("%s to %s: %" PRIu32 " switches, %" PRIu32 " hosts a switch, ", mode_name(o),
           mr_addr_print(&o->to, to), o->switches, o->hosts);
    if (o->rate != 0)
        printf("%" PRIu64 " packet-ins/s", o->rate);
    else
        printf("at most %" PRIu32 " on their way", o->in_flight);
    printf(", %" PRIu32 " loops of %" PRIu32 " ms\n", o->loops, o->loop_ms);
    print_rates("responses", rates_of(l, l->per_loop));
    print_rates("as cbench counts", rates_of(l, l->cbench_loop));
    print_latency(&l->latency);
    printf("  fairness         the least served switch has %.3f of the mean, the best %.3f\n",
           (double)share(l, l->least) / 1e3, (double)share(l, l->most) / 1e3);
    printf("  handshakes       %" PRIu32 ", the longest %.1f ms", l->handshakes,
           (double)l->handshake_ns / 1e6);
    if (o->late > 0)
        printf("; late %" PRIu32 ", the longest %.1f ms", l->late_handshakes,
               (double)l->late_handshake_ns / 1e6);
    printf("\n  answers          flow-mods %" PRIu64 "  packet-outs %" PRIu64 "  floods %" PRIu64
           "  without a buffer %" PRIu64 "  discarded %" PRIu64 "\n",
           l->right_flow_mods, l->right_packet_outs, l->floods, l->others, l->discarded);
    printf("  errors          ");
    for (int e = 0; e < OFL_ERRORS; e++)
        printf(" %s %" PRIu64, ofl_error_names[e], l->errors[e]);
    printf("\n");
    if (l->first_wrong[0] != '\0')
        printf("  the first wrong  %s\n", l->first_wrong);
}
