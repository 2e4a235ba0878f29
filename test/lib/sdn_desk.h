/* The cores of one controller on a desk: letters between them as a test wants, switches without a
 * transport, time that is what the test says. */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>

#include "base/rng.h"
#include "base/sha256.h"
#include "sdn/sdn_int.h"

#define DESK_CORES 4u
#define DESK_START (100 * USEC_PER_SEC)

struct desk {
    struct sdn_config config;
    struct sdn *core[DESK_CORES];
    void *memory[DESK_CORES];
    size_t bytes;
    instant now;
    struct rng rng;
};

static inline void desk_config(struct desk *d, unsigned cores)
{
    *d = (struct desk){.now = DESK_START};
    rng_init(&d->rng, 1);
    sdn_config_init(&d->config);
    d->config.cores = cores;
    d->config.conns = 128;
    d->config.ports = 4096;
    d->config.macs = 4096;
    d->config.hosts = 4096;
    d->config.switches = 64;
    d->config.links = 1024;
    d->config.stored = 64;
    d->config.chunks = 16;
    for (unsigned i = 0; i < 4; i++)
        d->config.secret[i] = 0x1234567 + i;
}

static inline void desk_start(struct desk *d)
{
    d->bytes = sdn_bytes(&d->config, NULL);
    for (unsigned c = 0; c < d->config.cores; c++) {
        d->config.core = c;
        d->memory[c] = mmap(NULL, d->bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        MR_ASSERT(d->memory[c] != MAP_FAILED);
        d->core[c] = sdn_init(d->memory[c], &d->config, d->now);
    }
}

static inline void desk_end(struct desk *d)
{
    for (unsigned c = 0; c < d->config.cores; c++)
        munmap(d->memory[c], d->bytes);
}

/* What cores have to say to switches goes nowhere. */
static inline void desk_mute(struct desk *d)
{
    struct sdn_out out;
    sdn_conn c;

    for (unsigned i = 0; i < d->config.cores; i++)
        while ((c = sdn_next_ready(d->core[i])))
            while (sdn_output(d->core[i], c, &out))
                sdn_output_done(d->core[i], &out);
}

/* One letter from each core, if it has one for somebody not in `blocked`. */
static inline bool desk_letters(struct desk *d, uint64_t blocked)
{
    struct sdn_letter l;
    bool any = false;

    for (unsigned c = 0; c < d->config.cores; c++)
        if (sdn_letter_next(d->core[c], blocked, &l)) {
            sdn_letter(d->core[l.to], c, l.p, l.n, d->now);
            sdn_letter_done(d->core[c], l.to);
            any = true;
        }
    return any;
}

/* Time passes, letters arrive at once. */
static inline void desk_pass(struct desk *d, instant us)
{
    instant until = d->now + us;

    while (d->now < until) {
        d->now += 10 * USEC_PER_MSEC;
        for (unsigned c = 0; c < d->config.cores; c++)
            sdn_advance(d->core[c], d->now);
        while (desk_letters(d, 0))
            ;
        desk_mute(d);
    }
}

/* A switch of OpenFlow 1.3, its handshake done. */
static inline struct sdn_switch *desk_switch(struct desk *d, unsigned core, uint64_t dpid,
                                             uint32_t ports)
{
    const struct sdn_peer peer = {.port = 1};
    struct sdn *s = d->core[core];
    sdn_conn c = sdn_open(s, SDN_SPEAKS_OPENFLOW, &peer, d->now);
    struct sdn_switch *sw = sdn_switch_of(s, c);

    if (!sw)
        return NULL;
    sw->dialect = OFP_13;
    sw->dpid = sw->features.dpid = dpid;
    session_known(s, sw);
    for (uint32_t i = 1; i <= ports; i++) {
        const struct ofp_port p = {.no = i};
        port_put(s, sw, &p);
    }
    session_up(s, sw);
    return sw;
}

/* What from's port has sent arrives at to's port of another core's, or the same core's, switch. */
static inline void desk_probe(struct desk *d, const struct sdn_switch *from, uint32_t from_port,
                              struct sdn *s, struct sdn_switch *to, uint32_t to_port)
{
    const struct lldp l = {.dpid = from->dpid, .port = from_port, .nonce = d->now};
    const struct mac_addr mac = {{2}};
    struct hmac_key key;
    uint8_t b[LLDP_LEN];

    hmac_key_init(&key, d->config.secret, sizeof(d->config.secret));
    lldp_emit(b, &l, &mac, &key);
    discover_input(s, to, to_port, b, sizeof(b), d->now);
}
