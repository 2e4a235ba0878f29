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

void load_progress(struct load *l)
{
    double mbit = (double)(l->rx_bytes - l->last_rx) * 8 / 1e6;

    if (l->opt->quiet)
        return;
    if (l->phase == LOAD_CONNECT) {
        fprintf(stderr, "connecting: %" PRIu32 " of %" PRIu32 ", errors %" PRIu64 "\n", l->open_now,
                l->opt->connections, load_error_sum(l));
        return;
    }
    fprintf(stderr,
            "%4.0f s  %9" PRIu64 " req/s  %9.1f Mbit/s  p50 %6" PRIu64 " us  p99 %6" PRIu64
            " us  open %" PRIu32 "  errors %" PRIu64 "\n",
            (double)(mr_now_us(l->m) - l->start_us) / 1e6, l->done - l->last_done, mbit,
            hist_percentile(&l->second, 50, 100), hist_percentile(&l->second, 99, 100), l->open_now,
            load_error_sum(l));
    l->last_done = l->done;
    l->last_rx = l->rx_bytes;
    hist_init(&l->second);
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
