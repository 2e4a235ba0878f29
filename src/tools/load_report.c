/* What is told while it runs and at the end. */
#include <inttypes.h>
#include <stdio.h>

#include "stat/json.h"
#include "tools/load.h"

const char *const load_error_names[LOAD_ERRORS] = {"connect", "reset",   "timeout",
                                                   "status",  "content", "unanswered"};

static const struct {
    const char *name;
    uint64_t num, den;
} points[] = {{"p50", 50, 100},
              {"p90", 90, 100},
              {"p99", 99, 100},
              {"p99.9", 999, 1000},
              {"p99.99", 9999, 10000}};

uint64_t load_error_sum(const struct load *l)
{
    uint64_t sum = 0;

    for (int e = 0; e < LOAD_ERRORS; e++)
        sum += l->errors[e];
    return sum;
}

static void tell(struct load *l)
{
    struct load_total *t = l->opt->total;
    uint64_t errors = load_error_sum(l);

    t->done += l->done - l->told_done;
    t->rx_bytes += l->rx_bytes - l->told_rx;
    t->errors += errors - l->told_errors;
    t->open += (int64_t)l->open_now - (int64_t)l->told_open;
    l->told_done = l->done;
    l->told_rx = l->rx_bytes;
    l->told_errors = errors;
    l->told_open = l->open_now;
}

/* The percentiles are the first core's own. */
void load_progress(struct load *l)
{
    const struct load_total *t = l->opt->total;
    uint64_t done, rx;

    tell(l);
    if (l->opt->quiet || mr_core(l->m) != 0)
        return;
    done = t->done;
    rx = t->rx_bytes;
    if (l->phase == LOAD_CONNECT) {
        fprintf(stderr, "connecting: %" PRId64 " open, errors %" PRIu64 "\n", (int64_t)t->open,
                (uint64_t)t->errors);
        return;
    }
    fprintf(stderr,
            "%4.0f s  %9" PRIu64 " req/s  %9.1f Mbit/s  p50 %6" PRIu64 " us  p99 %6" PRIu64
            " us  open %" PRId64 "  errors %" PRIu64 "\n",
            (double)(mr_now_us(l->m) - l->start_us) / 1e6, done - l->last_done,
            (double)(rx - l->last_rx) * 8 / 1e6, hist_percentile(&l->second, 50, 100),
            hist_percentile(&l->second, 99, 100), (int64_t)t->open, (uint64_t)t->errors);
    l->last_done = done;
    l->last_rx = rx;
    hist_init(&l->second);
}

void load_merge(struct load *to, const struct load *from)
{
    to->start_us = min_u64(to->start_us, from->start_us);
    to->end_us = max_u64(to->end_us, from->end_us);
    to->done += from->done;
    to->connects += from->connects;
    to->rx_bytes += from->rx_bytes;
    for (int e = 0; e < LOAD_ERRORS; e++)
        to->errors[e] += from->errors[e];
    to->last_err = to->last_err != 0 ? to->last_err : from->last_err;
    hist_merge(&to->all_time, &from->all_time);
    to->ours.connections += from->ours.connections;
    to->ours.rate += from->ours.rate;
}

static double seconds(const struct load *l)
{
    double s = (double)(l->end_us - l->start_us) / 1e6;

    return s > 0 ? s : 1e-6;
}

static void report_json(const struct load *l)
{
    char buf[4096];
    struct json j;

    json_init(&j, buf, sizeof(buf));
    json_object(&j, NULL);
    json_str(&j, "mode", l->opt->mode->name);
    json_str(&j, "loop", l->opt->rate != 0 ? "open" : "closed");
    json_u64(&j, "rate", l->opt->rate);
    json_u64(&j, "connections", l->opt->connections);
    json_u64(&j, "depth", l->opt->depth);
    json_bool(&j, "close", l->opt->close);
    json_u64(&j, "duration_us", l->end_us - l->start_us);
    json_u64(&j, "requests", l->done);
    json_u64(&j, "requests_per_s", (uint64_t)((double)l->done / seconds(l)));
    json_u64(&j, "connects", l->connects);
    json_u64(&j, "rx_bytes", l->rx_bytes);
    json_u64(&j, "rx_bits_per_s", (uint64_t)((double)l->rx_bytes * 8 / seconds(l)));
    json_object(&j, "latency_us");
    json_u64(&j, "count", l->all_time.count);
    json_u64(&j, "min", l->all_time.count != 0 ? l->all_time.min : 0);
    json_u64(&j, "mean", hist_mean(&l->all_time));
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        json_u64(&j, points[i].name, hist_percentile(&l->all_time, points[i].num, points[i].den));
    json_u64(&j, "max", l->all_time.max);
    json_end(&j);
    json_object(&j, "errors");
    for (int e = 0; e < LOAD_ERRORS; e++)
        json_u64(&j, load_error_names[e], l->errors[e]);
    json_end(&j);
    json_end(&j);
    if (json_fini(&j) != 0)
        puts(buf);
}

static void report_latency(const struct hist *h)
{
    if (h->count == 0)
        return;
    printf("  latency us  min %" PRIu64 "  mean %" PRIu64, h->min, hist_mean(h));
    for (size_t i = 0; i < ARRAY_LEN(points); i++)
        printf("  %s %" PRIu64, points[i].name, hist_percentile(h, points[i].num, points[i].den));
    printf("  max %" PRIu64 "\n", h->max);
}

void load_report(const struct load *l)
{
    const struct load_options *o = l->opt;
    char to[MR_ADDR_TEXT];

    if (o->json) {
        report_json(l);
        return;
    }
    printf("%s to %s: %" PRIu32 " connections, depth %" PRIu32 ", ", o->mode->name,
           mr_addr_print(&o->to, to), o->connections, o->depth);
    if (o->rate != 0)
        printf("open loop at %" PRIu64 "/s", o->rate);
    else
        printf("closed loop");
    printf("%s, %.2f s\n", o->close ? ", one request a connection" : "", seconds(l));
    printf("  requests    %" PRIu64 "  (%.0f/s)\n", l->done, (double)l->done / seconds(l));
    printf("  received    %" PRIu64 " bytes  (%.1f Mbit/s)\n", l->rx_bytes,
           (double)l->rx_bytes * 8 / 1e6 / seconds(l));
    report_latency(&l->all_time);
    printf("  errors     ");
    for (int e = 0; e < LOAD_ERRORS; e++)
        printf(" %s %" PRIu64, load_error_names[e], l->errors[e]);
    printf("\n");
}
