#include "sim/capture.h"

#include <inttypes.h>
#include <unistd.h>

#include "stat/pcapng.h"
#include "wire/wire.h"

#define BLOCK_BYTES 16384u
#define LINE_BYTES 240u

bool capture_open(struct capture *c, const char *path, bool verbose)
{
    uint8_t b[512];
    char name[16];

    *c = (struct capture){.verbose = verbose};
    if (path == NULL)
        return true;
    c->pcap = fopen(path, "wb");
    if (c->pcap == NULL)
        return false;
    fwrite(b, 1, pcapng_section(b, sizeof(b), "millrace sim"), c->pcap);
    for (unsigned i = 0; i < SIM_HOSTS_MAX; i++) {
        snprintf(name, sizeof(name), "host%u", i);
        fwrite(b, 1, pcapng_interface(b, sizeof(b), PCAPNG_ETHERNET, 0, name), c->pcap);
    }
    return true;
}

void capture_close(struct capture *c)
{
    if (c->pcap != NULL)
        fclose(c->pcap);
    c->pcap = NULL;
}

static void print_time(uint64_t ns, unsigned host)
{
    printf("%4" PRIu64 ".%09" PRIu64 " host %u ", ns / 1000000000, ns % 1000000000, host);
}

static void frame(void *arg, uint64_t ns, unsigned host, bool out, const uint8_t *b, size_t n,
                  const char *note)
{
    struct capture *c = arg;
    struct pcapng_part part = {b, n};
    struct pcapng_packet p = {
        .iface = host,
        .us = ns / 1000,
        .dir = out ? PCAPNG_DIR_OUT : PCAPNG_DIR_IN,
        .comment = note,
        .part = &part,
        .parts = 1,
    };
    uint8_t block[BLOCK_BYTES];
    char line[LINE_BYTES];

    if (c->pcap != NULL) {
        fwrite(block, 1, pcapng_packet(block, sizeof(block), &p), c->pcap);
        /* The next frame may be the last thing this process sees. */
        fflush(c->pcap);
    }
    if (c->verbose) {
        frame_print(line, sizeof(line), b, n);
        print_time(ns, host);
        printf("%s %s%s%s%s\n", out ? ">" : "<", line, note ? " [" : "", note ? note : "",
               note ? "]" : "");
        fflush(stdout);
    }
}

static void note(void *arg, uint64_t ns, unsigned host, const char *text)
{
    struct capture *c = arg;

    if (!c->verbose)
        return;
    print_time(ns, host);
    printf("- %s\n", text);
    fflush(stdout);
}

struct sim_observer capture_observer(struct capture *c)
{
    struct sim_observer o = {.arg = c};

    if (c->verbose || c->pcap != NULL)
        o.frame = frame;
    if (c->verbose)
        o.note = note;
    return o;
}
