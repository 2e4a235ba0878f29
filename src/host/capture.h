/* host/capture: every frame of a core into a pcapng file.
 *
 * Frames are gathered in a buffer of fixed size and written when it is full and when the core goes
 * to sleep.  What the file cannot take (a full disk) is counted and lost; the stack goes on.
 * Checksums left to the device are completed in the copy, so that they read right; a frame to be
 * segmented is written whole.  One thread. */
#pragma once

#include "pkt/pkt.h"
#include "time/time.h"

struct capture;

/* NULL, and one line about the reason in why. */
struct capture *capture_open(const char *path, const char *program, const char *port, char *why,
                             size_t n);
/* A shard_tap's function; arg is the capture. */
void capture_frame(void *arg, const struct pkt *p, bool out, instant now);
void capture_flush(struct capture *c);
uint64_t capture_seen(const struct capture *c);
uint64_t capture_lost(const struct capture *c);
/* Writes the totals, too. */
void capture_close(struct capture *c);

/* Finish the L4 checksum of a whole Ethernet frame whose checksum field holds the pseudo-header's
 * sum.  What is not TCP or UDP over IPv4 is left alone. */
void capture_finish_csum(uint8_t *frame, uint32_t len, csum_fn add);
