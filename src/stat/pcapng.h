/* pcapng, the capture file format: blocks written into the caller's buffer, for Wireshark and
 * its relatives.  A file is one section header, one interface description for each interface
 * (they are numbered from 0 in this order), then packets and statistics.
 *
 * Each function returns the bytes it wrote, a multiple of 4, or 0 if they do not fit in size
 * bytes (of which some may have been written).  Times are microseconds since the epoch of 1970. */
#pragma once

#include "base/types.h"

enum pcapng_link {
    PCAPNG_ETHERNET = 1, /* LINKTYPE_ETHERNET */
    PCAPNG_RAW = 101,    /* LINKTYPE_RAW: begins with the IP header */
};

enum pcapng_dir {
    PCAPNG_DIR_UNKNOWN = 0,
    PCAPNG_DIR_IN = 1,
    PCAPNG_DIR_OUT = 2,
};

/* A packet's bytes may lie in pieces. */
struct pcapng_part {
    const void *p;
    size_t n;
};

struct pcapng_packet {
    uint32_t iface;
    uint64_t us;
    uint32_t orig_len; /* on the wire; 0: as many as there are in the parts */
    enum pcapng_dir dir;
    const char *comment; /* may be NULL */
    const struct pcapng_part *part;
    unsigned parts;
};

/* app: the program's name, may be NULL. */
size_t pcapng_section(uint8_t *b, size_t size, const char *app);

/* name: the interface's, may be NULL.  snaplen: the most bytes kept of a packet; 0: no limit. */
size_t pcapng_interface(uint8_t *b, size_t size, enum pcapng_link link, uint32_t snaplen,
                        const char *name);

size_t pcapng_packet(uint8_t *b, size_t size, const struct pcapng_packet *p);

/* Packets seen and, of these, lost before they came to the file. */
size_t pcapng_stats(uint8_t *b, size_t size, uint32_t iface, uint64_t us, uint64_t seen,
                    uint64_t lost);
