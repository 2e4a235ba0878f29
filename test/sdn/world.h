/* A simulated network of OpenFlow switches under our controller, in virtual time.
 *
 * A seed draws everything: topology (line, ring, tree, mesh), dialects, buffers, cores, how the
 * bytes of a control connection are cut and how long letters between cores take, and a plan of
 * faults: links cut (loudly, with PORT_STATUS, and silently), frames lost, control connections
 * cut, switches rebooted, the controller restarted, hosts moved. Then everything heals, and the
 * judges look:
 *
 *     always                   no frame wanders: a bound on how many switches it passes
 *     after the healing        a broadcast reaches every host exactly once;
 *                              every host reaches every other, once, and passes no switch twice;
 *                              all cores know the same network
 *
 * A frame carries a number, so that each can be followed through switches and controller. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "lib/of_switch.h"
#include "sdn/sdn.h"

#define WORLD_SWITCHES 12u
#define WORLD_HOSTS 24u
#define WORLD_LINKS 32u
#define WORLD_CORES 4u

struct world_frame { /* what became of a numbered frame */
    uint16_t visits;
    uint8_t at[WORLD_SWITCHES];
    uint8_t got[WORLD_HOSTS];
};

struct world_switch {
    struct of_switch sw;
    unsigned core;
    sdn_conn conn;          /* 0: none */
    bool dead;              /* powered off until it is healed */
    struct ofsw_bytes down; /* from the controller, on the way */
    struct world_end {      /* what is plugged in */
        enum { END_NONE, END_LINK, END_HOST } what;
        unsigned index;
    } end[OFSW_PORTS + 1];
    bool pumping;
};

struct world_link {
    unsigned sw[2], port[2];
    bool up, silent; /* silent: up to all appearance, and nothing passes */
};

struct world_host {
    unsigned sw, port;
    uint8_t mac[6];
    uint32_t ip;
};

struct world_event {
    uint64_t at_us, order;
    enum world_what {
        W_FRAME_SWITCH,
        W_FRAME_HOST,
        W_PUMP,
        W_CORE,
        W_MAIL,
        W_TICK,
        W_CONNECT,
        W_FAULT,
        W_HOST,
    } what;
    unsigned a, b;
    uint8_t *frame; /* owned */
    uint32_t n;
};

struct world {
    uint64_t seed, now_us, order;
    struct rng rng;
    bool verbose, healed, failed;
    char why[200];
    unsigned switches, hosts, links, cores;
    struct world_switch sw[WORLD_SWITCHES];
    struct world_host host[WORLD_HOSTS];
    struct world_link link[WORLD_LINKS];
    struct sdn *sdn[WORLD_CORES];
    void *memory[WORLD_CORES];
    size_t bytes;
    struct sdn_config config;
    uint64_t core_at[WORLD_CORES]; /* when its next event is due */
    struct world_event *heap;      /* owned */
    size_t heap_n, heap_cap;
    struct world_frame *frame; /* owned; by number */
    size_t frames, frames_cap;
    uint32_t loss_ppm; /* of frames on links */
    uint64_t digest;   /* of everything that arrived */
    uint64_t faults, restarts, restarted_us;
};

/* Draw, run and judge the world of a seed.  False: w->why. */
bool world_run(struct world *w, uint64_t seed, bool verbose);
