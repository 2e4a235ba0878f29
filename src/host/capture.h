/* host/capture: every frame of every core into one pcapng file.
 *
 * Each core is an interface of the file.  Its frames are gathered in a buffer of its own, of fixed
 * size, and written when it is full and when the core goes to sleep: whole blocks in one write to
 * the end of the file, so that cores need not know of each other.  What the file cannot take (a
 * full disk) is counted and lost; the stack goes on.  Checksums left to the device are completed in
 * the copy, so that they read right; a frame to be segmented is written whole.
 *
 * Thread: a struct capture is its core's; the file is opened before them and closed after. */
#pragma once

#include "drv/dev.h"
#include "pkt/pkt.h"
#include "time/time.h"

struct capture;
struct capture_file;

/* cores: at least 1.  NULL, and one line about the reason in why. */
struct capture_file *capture_open(const char *path, const char *program, const char *port,
                                  unsigned cores, char *why, size_t n);
/* The same in memory that processes share: who writes the frames of a core may then be another each
 * time, one at a time. */
struct capture_file *capture_open_lent(const struct dev_memory *lender, const char *path,
                                       const char *program, const char *port, unsigned cores,
                                       char *why, size_t n);
/* Its descriptor, which may be put under another number before it is used. */
int *capture_fd(struct capture_file *f);
struct capture *capture_of(struct capture_file *f, unsigned core);
/* A shard_tap's function; arg is the core's capture. */
void capture_frame(void *arg, const struct pkt *p, bool out, instant now);
void capture_flush(struct capture *c);
uint64_t capture_seen(const struct capture *c);
uint64_t capture_lost(const struct capture *c);
/* Writes the totals, too. */
void capture_close(struct capture_file *f);

/* Finish the L4 checksum of a whole Ethernet frame whose checksum field holds the pseudo-header's
 * sum.  What is not TCP or UDP over IPv4 is left alone. */
void capture_finish_csum(uint8_t *frame, uint32_t len, csum_fn add);
