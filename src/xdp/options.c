/* xdp:IFNAME[,OPTION]...: the words. */
#include <stdio.h>
#include <string.h>

#include "xdp/xdp_int.h"

static bool one_of(const char *value, const char *const *names, unsigned count, unsigned *out)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(value, names[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool read_mode(struct xdp_wishes *o, const char *value)
{
    static const char *const names[] = {
        [XDP_MODE_AUTO] = "auto", [XDP_MODE_ZEROCOPY] = "zerocopy", [XDP_MODE_COPY] = "copy"};
    unsigned i;

    if (!one_of(value, names, ARRAY_LEN(names), &i))
        return false;
    o->mode = (enum xdp_mode)i;
    return true;
}

static bool read_attach(struct xdp_wishes *o, const char *value)
{
    static const char *const names[] = {[XDP_ATTACH_AUTO] = "auto",
                                        [XDP_ATTACH_NATIVE] = "native",
                                        [XDP_ATTACH_GENERIC] = "generic"};
    unsigned i;

    if (!one_of(value, names, ARRAY_LEN(names), &i))
        return false;
    o->attach = (enum xdp_attach)i;
    return true;
}

static bool read_busy_poll(struct xdp_wishes *o, const char *value)
{
    return dev_number(value, 1, 1000000, &o->busy_poll_us);
}

static bool read_frames(struct xdp_wishes *o, const char *value)
{
    return dev_number(value, 64, XDP_FRAMES_MAX, &o->frames);
}

/* N or N-M. */
static bool read_ports(struct xdp_wishes *o, const char *value)
{
    char first[16];
    uint32_t from, to;
    size_t n = strcspn(value, "-");

    if (n >= sizeof(first))
        return false;
    memcpy(first, value, n);
    first[n] = '\0';
    if (!dev_number(first, 1, 65535, &from))
        return false;
    to = from;
    if (value[n] == '-' && !dev_number(value + n + 1, from, 65535, &to))
        return false;
    for (uint32_t p = from; p <= to; p++)
        o->ports[p / 64] |= UINT64_C(1) << (p % 64);
    o->has_ports = true;
    return true;
}

static bool read_rss(struct xdp_wishes *o, const char *value)
{
    o->rss_assume = true;
    return strcmp(value, "assume") == 0;
}

static const struct {
    const char *key, *values;
    bool (*read)(struct xdp_wishes *o, const char *value);
} words[] = {
    {"mode", "auto, zerocopy or copy", read_mode},
    {"attach", "auto, native or generic", read_attach},
    {"busy-poll", "microseconds", read_busy_poll},
    {"port", "a port or FIRST-LAST", read_ports},
    {"frames", "receive buffers a queue, 64 to 262144", read_frames},
    {"rss", "assume", read_rss},
};

static bool read_word(struct xdp_wishes *o, const struct dev_words *w, char *why, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(w->key, words[i].key) != 0)
            continue;
        if (!w->too_long && words[i].read(o, w->value))
            return true;
        snprintf(why, n, "xdp: %s=%.40s: it is %s", w->key, w->value, words[i].values);
        return false;
    }
    snprintf(why, n,
             "xdp: no option is called '%s'; there are mode, attach, busy-poll, port, frames, rss",
             w->key);
    return false;
}

bool xdp_options_read(struct xdp_wishes *o, const char *text, char *why, size_t n)
{
    struct dev_words w;

    memset(o, 0, sizeof(*o));
    dev_words_init(&w, text);
    if (!dev_words_next(&w) || !w.key[0] || w.value[0] || strlen(w.key) >= sizeof(o->ifname)) {
        snprintf(why, n, "xdp: '%.40s' cannot be the name of a network device", w.key);
        return false;
    }
    memcpy(o->ifname, w.key, strlen(w.key) + 1);
    while (dev_words_next(&w))
        if (!read_word(o, &w, why, n))
            return false;
    return true;
}
