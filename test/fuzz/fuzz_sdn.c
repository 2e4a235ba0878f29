/* A controller of one core and two switches that say anything, cut anywhere, at any time.
 *
 * The first byte picks mode and speech.  Then each byte is an act and names a connection by its
 * lowest bit; what it needs follows it.  Laws: sdn_check, and when the connections are gone
 * nothing of theirs is left. */
#include <stdlib.h>

#include "lib/fuzz_target.h"
#include "sdn/sdn_int.h"

#define LAW(fact)                                                                                  \
    do {                                                                                           \
        if (!(fact))                                                                               \
            __builtin_trap();                                                                      \
    } while (0)

enum { SAY = 0, SAY_LONG = 2, SHAKE = 4, HEAR = 6, WAIT = 8, REOPEN = 10, ACTS = 12 };

struct play {
    struct sdn *s;
    instant now;
    enum sdn_speech speech;
    sdn_conn conn[2];
    const uint8_t *at, *end;
};

static unsigned next(struct play *p)
{
    return p->at < p->end ? *p->at++ : 0;
}

static void letters(struct play *p)
{
    static uint8_t copy[SDN_LETTER_MAX];
    struct sdn_letter l;

    while (sdn_letter_next(p->s, 0, &l)) {
        uint32_t n = l.n;
        memcpy(copy, l.p, n);
        sdn_letter_done(p->s, l.to);
        sdn_letter(p->s, 0, copy, n, p->now);
    }
}

static void say(struct play *p, unsigned i, const uint8_t *b, size_t n)
{
    LAW(sdn_input(p->s, p->conn[i], b, n, p->now) <= n);
}

static void hear(struct play *p, unsigned i)
{
    struct sdn_out out;

    while (sdn_output(p->s, p->conn[i], &out)) {
        LAW(out.n >= OFP_HLEN);
        sdn_output_done(p->s, &out);
    }
}

/* As far as FEATURES_REPLY with two ports; 1.3's are whatever the input says. */
static void shake(struct play *p, unsigned i)
{
    struct ofp_port ports[2] = {{.no = 1, .name = "a"}, {.no = 2, .name = "b"}};
    struct ofp_features f = {.dpid = next(p) % 4, .buffers = 1, .tables = 1, .ports = 2};
    enum ofp_dialect d = next(p) % 2 ? OFP_10 : OFP_13;
    uint8_t b[512];
    size_t n = ofp_emit(d, b, sizeof(b), OFP_HELLO, 1, NULL, 0);

    if (n == 0)
        n = ofp_emit_hello(b, sizeof(b), 1, 1u << OFP_VERSION_13);
    n += ofp_emit_features_reply(d, b + n, sizeof(b) - n, 2, &f, ports, d == OFP_10 ? 2 : 0);
    if (d == OFP_13)
        n += ofp_emit_port_desc_reply(d, b + n, sizeof(b) - n, 5, ports, 2);
    say(p, i, b, n);
}

static void reopen(struct play *p, unsigned i)
{
    static const struct sdn_peer peer = {.port = 1};

    sdn_closed(p->s, p->conn[i], p->now);
    p->conn[i] = sdn_open(p->s, p->speech, &peer, p->now);
    LAW(p->conn[i] != 0);
}

static void act(struct play *p)
{
    unsigned what = next(p) % ACTS, i = what & 1;
    size_t n;

    switch (what & ~1u) {
    case SAY:
    case SAY_LONG:
        n = next(p) * ((what & ~1u) == SAY ? 1u : 16u);
        n = n < (size_t)(p->end - p->at) ? n : (size_t)(p->end - p->at);
        say(p, i, p->at, n);
        p->at += n;
        break;
    case SHAKE:
        shake(p, i);
        break;
    case HEAR:
        hear(p, i);
        break;
    case WAIT:
        p->now += next(p) * 20000u;
        sdn_advance(p->s, p->now);
        break;
    case REOPEN:
        reopen(p, i);
        break;
    default:
        break;
    }
    letters(p);
}

static void config(struct sdn_config *c, unsigned mode)
{
    sdn_config_init(c);
    c->mode = (enum sdn_mode)(mode % 3);
    c->conns = 2;
    c->ports = 16;
    c->macs = 64;
    c->hosts = c->switches = c->links = 16;
    c->stored = 16;
    c->chunks = 2;
    c->conn_chunks = 2;
    c->master = mode % 5 == 0;
    for (unsigned i = 0; i < 4; i++)
        c->secret[i] = i;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *memory;
    static size_t bytes;
    struct sdn_config c;
    struct play p = {.at = data, .end = data + size, .now = 1000000};
    unsigned pick = next(&p);

    config(&c, pick);
    if (!memory) {
        bytes = sdn_bytes(&c, NULL);
        memory = aligned_alloc(4096, bytes);
        LAW(memory != NULL);
    }
    memset(memory, 0, bytes);
    p.s = sdn_init(memory, &c, p.now);
    p.speech = (enum sdn_speech)(pick / 16 % 4);
    reopen(&p, 0);
    reopen(&p, 1);
    while (p.at < p.end)
        act(&p);
    sdn_check(p.s);
    for (unsigned i = 0; i < 2; i++)
        sdn_closed(p.s, p.conn[i], p.now);
    while (mac_sweep(&p.s->macs))
        ;
    LAW(p.s->switches.used == 0 && p.s->ports.used == 0 && p.s->partials.used == 0);
    LAW(p.s->xids.used == 0 && p.s->descs.used == 0 && chunks_used(p.s) == 0);
    LAW(p.s->macs.used == 0);
    return 0;
}
