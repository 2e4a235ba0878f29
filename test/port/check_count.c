/* What a port says: counters, descriptors, facts, reasons. */
#define _GNU_SOURCE
#include "contract.h"

#include <poll.h>

#include "os/os.h"

static bool reaches(const uint64_t *counter, uint64_t n, struct rig *r)
{
    uint64_t until = os_now_us() + PATIENCE_US;
    struct pkt *p;

    while (*counter < n && os_now_us() < until)
        if (nic_rx_burst(r->port.nic, 0, &p, 1) == 1)
            pkt_put(p);
    return *counter == n;
}

static void counters_agree(struct rig *r)
{
    const struct nic_stats *s = &r->port.nic->stats[0], was = *s;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < 100 && !r->failed; i++) {
        uint32_t n = 60 + mix(i) % 1400;
        rig_many_in(r, 5, n, i);
        rig_many_out(r, 5, n, i);
        bytes += 5 * n;
    }
    if (r->failed)
        return;
    if (r->strays > 0) {
        pass_over(r, "%u frames of others were on the link", r->strays);
        return;
    }
    want(r, s->rx_packets == was.rx_packets + 500 && s->rx_bytes == was.rx_bytes + bytes,
         "500 frames of %u bytes came, and it counted %u of %u", (unsigned)bytes,
         (unsigned)(s->rx_packets - was.rx_packets), (unsigned)(s->rx_bytes - was.rx_bytes));
    want(r, reaches(&s->tx_packets, was.tx_packets + 500, r) && s->tx_bytes == was.tx_bytes + bytes,
         "500 frames of %u bytes went, and it counted %u of %u", (unsigned)bytes,
         (unsigned)(s->tx_packets - was.tx_packets), (unsigned)(s->tx_bytes - was.tx_bytes));
    want(r, s->rx_error + s->tx_error + s->rx_nobuf == 0,
         "errors were counted: %u, %u, no buffer %u", (unsigned)s->rx_error, (unsigned)s->tx_error,
         (unsigned)s->rx_nobuf);
}

/* ---- what it says of itself ------------------------------------------------------------ */

static bool is_word(const char *s, size_t room)
{
    size_t n = strnlen(s, room);

    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
              (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
            return false;
    return n > 0 && n < room;
}

static void own_counters(struct rig *r)
{
    static struct nic_counter c[NIC_COUNTERS_MAX + 1], few[NIC_COUNTERS_MAX + 1];
    struct nic *nic = r->port.nic;

    if (!nic->ops->counters) {
        pass_over(r, "the port has no counters of its own");
        return;
    }
    rig_many_in(r, 64, 100, 0);
    rig_many_out(r, 64, 100, 0);
    snprintf(c[NIC_COUNTERS_MAX].name, sizeof(c[0].name), "canary");
    unsigned n = nic->ops->counters(nic, c, NIC_COUNTERS_MAX);
    want(r, n > 0 && n <= NIC_COUNTERS_MAX && strcmp(c[NIC_COUNTERS_MAX].name, "canary") == 0,
         "%u counters", n);
    for (unsigned i = 0; i < n; i++) {
        want(r, is_word(c[i].name, sizeof(c[i].name)), "'%.48s' is no name of a counter",
             c[i].name);
        for (unsigned j = 0; j < i; j++)
            want(r, strcmp(c[i].name, c[j].name) != 0, "'%s' is there twice", c[i].name);
    }
    for (unsigned most = 0; most < n; most++) {
        few[most] = c[NIC_COUNTERS_MAX];
        want(r, nic->ops->counters(nic, few, most) <= most && strcmp(few[most].name, "canary") == 0,
             "asked for %u counters, it wrote more", most);
    }
}

static void facts_are_lines(struct rig *r)
{
    const struct nic *n = r->port.nic;

    want(r, n->caps.mtu >= 576 && n->caps.mtu <= 65535, "MTU %u", n->caps.mtu);
    want(r, n->caps.queues >= 1, "no queue");
    want(r, n->caps.rx_buf_size >= n->caps.mtu + 14, "a buffer of %u bytes for an MTU of %u",
         n->caps.rx_buf_size, n->caps.mtu);
    want(r, n->caps.tso_max == 0 || n->caps.tx_csum, "segmentation without checksums");
    want(r,
         strnlen(n->name, sizeof(n->name)) > 0 &&
             strnlen(n->name, sizeof(n->name)) < sizeof(n->name),
         "the name has no end");
    want(r, (n->spread == NIC_SPREAD_RSS) == (n->rss != NULL), "spread says %d, and rss %p",
         (int)n->spread, (const void *)n->rss);
    want(r, n->facts <= NIC_FACTS_MAX, "%u facts", n->facts);
    for (unsigned i = 0; i < n->facts && i < NIC_FACTS_MAX; i++) {
        const char *text = n->fact[i].text;
        want(r,
             text[0] && strnlen(text, sizeof(n->fact[i].text)) < sizeof(n->fact[i].text) &&
                 !strchr(text, '\n'),
             "fact %u is not one line: '%.120s'", i, text);
        printf("# %s: %s %s\n", r->kind->name, n->fact[i].slow ? "slow:" : "fast:", text);
    }
}

/* ---- sleeping -------------------------------------------------------------------------- */

static bool is_readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, ms) == 1;
}

/* As a core does it: nothing came, so ask for a wake-up and sleep.  True: packets wait. */
static bool sleeps(struct rig *r, int fd, int ms)
{
    struct nic *n = r->port.nic;
    struct pkt *p;

    while (nic_rx_burst(n, 0, &p, 1) == 1)
        pkt_put(p);
    if (n->ops->wait_prepare && n->ops->wait_prepare(n, 0))
        return true;
    return is_readable(fd, ms);
}

static void wakes_up(struct rig *r)
{
    static uint8_t frame[FRAME_MAX];
    struct nic *n = r->port.nic;
    int fd = n->ops->wait_fd ? n->ops->wait_fd(n, 0) : -1;
    unsigned awake = 0;
    struct pkt *p;

    if (fd < 0) {
        pass_over(r, "the port has no descriptor to sleep on");
        return;
    }
    for (unsigned i = 0; i < 20; i++)
        awake += sleeps(r, fd, 5);
    want(r, awake < 10, "%u of 20 times it did not sleep, and nothing was there", awake);
    for (unsigned i = 0; i < 50 && !r->failed; i++) {
        bool early = i & 1; /* the frame is there before we ask */
        frame_udp(r, TO_PORT, frame, 100, i, 0);
        while (nic_rx_burst(n, 0, &p, 1) == 1)
            pkt_put(p);
        if (early) {
            rig_peer_send(r, frame, 100);
            bool ready = n->ops->wait_prepare && n->ops->wait_prepare(n, 0);
            want(r, ready || is_readable(fd, 2000), "it slept on a frame that was there");
        } else {
            bool ready = n->ops->wait_prepare && n->ops->wait_prepare(n, 0);
            rig_peer_send(r, frame, 100);
            want(r, ready || is_readable(fd, 2000), "a frame came, and it slept on");
        }
        want(r,
             rig_receive(r, 0, &p, 1, PATIENCE_US) == 1 &&
                 frame_is(r, TO_PORT, p->data, p->len, 100, i, 0),
             "it woke up for nothing, turn %u", i);
        if (!r->failed)
            pkt_put(p);
    }
}

/* ---- open and close -------------------------------------------------------------------- */

/* Twenty times, or as often as it can in so long. */
#define AGAIN_US UINT64_C(3000000)

static void again_and_again(struct rig *r)
{
    static const struct check plain = {.name = "again"};
    uint64_t until = os_now_us() + AGAIN_US;
    unsigned times = 0;

    while (times < 20 && (times < 4 || os_now_us() < until) && !r->failed) {
        times++;
        if (!rig_open(r, &plain))
            break;
        rig_many_in(r, 64, 100 + 10 * times, times);
        if (!r->failed)
            rig_many_out(r, 64, 100 + 10 * times, times);
        rig_close(r);
    }
    printf("# %s: opened %u times\n", r->kind->name, times);
}

/* It says what it is about: the kind of device, or the device. */
static bool names_it(const char *why, const char *spec)
{
    char word[64];
    size_t kind = strcspn(spec, ":");

    snprintf(word, sizeof(word), "%.*s", (int)kind, spec);
    if (strcasestr(why, word))
        return true;
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(spec + kind + 1, ",:"), spec + kind + 1);
    return word[0] && strstr(why, word);
}

static void bad_names(struct rig *r)
{
    if (!r->kind->bad) {
        pass_over(r, "it has no names");
        return;
    }
    for (unsigned i = 0; r->kind->bad[i] && !r->failed; i++) {
        const char *spec = r->kind->bad[i], *why = r->port.why;
        struct dev_config c = {.queues = 1, .addr = ip4_of(10, 77, 0, 2), .prefix_len = 24};
        bool opened = port_open(&r->port, spec, &c);
        if (opened)
            port_close(&r->port);
        want(r, !opened, "%s was opened", spec);
        want(r, why[0] && !strchr(why, '\n') && why[strlen(why) - 1] != ' ',
             "%s: no line about it: '%s'", spec, why);
        want(r, names_it(why, spec), "%s: which device? '%s'", spec, why);
        printf("# %s: %s\n", spec, why);
    }
}

const struct check count_checks[] = {
    {.name = "the queue's counters are what has passed", .run = counters_agree},
    {.name = "the port's own counters have names and stay in bounds", .run = own_counters},
    {.name = "what it says of itself can be, and is in lines", .run = facts_are_lines},
    {.name = "it sleeps without frames and wakes up for one", .run = wakes_up},
    {.name = "it opens again after close, again and again", .run = again_and_again, .itself = true},
    {.name = "a name that cannot be is refused in one line", .run = bad_names, .itself = true},
    {0},
};
