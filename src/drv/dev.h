/* drv/dev: ports by name: what --dev says is opened here, whatever it is.
 *
 * THEORY OF OPERATION
 *
 *     KIND:NAME[,OPTION[=VALUE]]...
 *
 * A kind of device is a struct dev_kind: a name, a line of help and a function that opens a port.
 * Some are in every program; those that need a library of their own (DPDK, libxdp) are modules,
 * millrace-KIND.so, loaded when somebody asks for one, so that a program needs the library only on
 * a machine where it is used:
 *
 *     program                                  module
 *     dev_find("dpdk:...") --- dlopen --->     mr_dev_module
 *                                                kind      what dev_find returns
 *                                                bind()    our panic hook, for its copy of the pure
 *                                                          rooms
 *
 * A module has its own copy of the pure rooms' code, which has no state, and works on the same
 * packets and pools.
 *
 * Everybody above sees a struct nic.  A driver gives the address it has in nic.mac, or leaves it
 * zero. */
#pragma once

#include "base/addr.h"
#include "nic/nic.h"

/* Where a port's buffers lie, for who wants to share them with other processes. */
struct dev_memory {
    /* Zero, on whole pages, committed on touch; NULL: there is none left.  Never given back. */
    void *(*reserve)(void *arg, size_t bytes);
    /* Map a file shared, as os_map_shared does; the descriptor is closed afterwards, and the
     * mapping never given back. */
    int (*map_file)(void *arg, int fd, size_t bytes, void **out);
    void *arg;
};

struct dev_config {
    const char *name;        /* what follows "KIND:"; borrowed for the port's life */
    uint32_t queues;         /* wanted, 1 to 64: one a core.  nic.caps.queues says how many it is */
    uint32_t buffers;        /* receive buffers a queue; 0: the driver's choice */
    const struct rss *steer; /* how frames are to be spread over the queues; copied; NULL: no
                              * matter.  nic.spread and nic.rss say what is */
    bool no_offload;         /* plain frames with finished checksums: for tests */

    /* For ports that take from a shared interface what is ours and leave the rest. */
    struct ip_addr addr; /* our own; any: the port takes all that comes */
    unsigned prefix_len; /* of its network */
    uint16_t vlan;       /* 0: untagged */
    struct mac_addr mac; /* the station address wanted; zero: the device's own, or nobody's */

    const char *eal; /* further arguments of DPDK's environment; NULL: none */
    /* Somebody wants the program to stop: a driver that waits for a peer gives up. */
    bool (*stop_asked)(void);
    const struct dev_memory *memory; /* borrowed while it is opened; NULL: this process's own */
};

struct dev_kind {
    const char *name;   /* "tap" */
    const char *syntax; /* "tap:IFNAME[,no-offload]": a line for --help */
    /* Several processes may use one port of it: they have its descriptors (nic_ops.descriptors)
     * under the same numbers, and its struct nic with all that it points to, m's memory and
     * dev_config.memory's, at the same address, as they have the code.  One process at a time, or
     * one that is told by a lock, uses a queue. */
    bool shared;
    /* Bytes of descriptor memory open carves at most. */
    size_t (*bytes)(const struct dev_config *c);
    /* NULL, and one line about what is missing and what to do about it in why. */
    struct nic *(*open)(struct mem *m, const struct dev_config *c, char *why, size_t n);
};

/* The kind of "KIND:NAME", and what follows the colon in *name.  NULL, and why: no such kind, no
 * name, or a module that is not there. */
const struct dev_kind *dev_find(const char *spec, const char **name, char *why, size_t n);
/* Every kind that could be named, whether its module is there or not: kind's syntax by index; NULL:
 * no more. */
const char *dev_syntax(unsigned i);
/* The spec begins with the name of a kind and has something behind it: for looking at a command
 * line without opening anything. */
bool dev_spec_is_good(const char *spec);

/* ---- options in a name ------------------------------------------------------------------ */

/* A walk over "NAME,key=value,key": the first word has no key. */
struct dev_words {
    const char *at;  /* what is left; NULL: nothing */
    char key[64];    /* of the current word */
    char value[256]; /* "" without one */
    bool too_long;   /* the word does not fit: bad */
};
void dev_words_init(struct dev_words *w, const char *text);
/* The next word: false at the end. */
bool dev_words_next(struct dev_words *w);
/* The first word, which is a name and nothing else.  False, and why. */
bool dev_words_name(struct dev_words *w, char *name, size_t size, char *why, size_t n);
/* Decimal digits and nothing else, min to max. */
bool dev_number(const char *text, uint32_t min, uint32_t max, uint32_t *out);

/* ---- modules --------------------------------------------------------------------------- */

#define DEV_ABI 2u

struct dev_module {
    uint32_t abi;
    const struct dev_kind *kind;
    void (*bind)(void (*panic)(const char *file, int line, const char *what));
};
/* What a module exports under this name. */
#define DEV_MODULE_SYMBOL "mr_dev_module"
