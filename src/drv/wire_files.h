/* drv, private: the files of a shared wire, and who may use them.
 *
 *      PATH              the wire's memory, made by side 0
 *      PATH.INODE.S.Q    a FIFO, the bell of queue Q at side S, made by side 0; INODE is the
 *                        memory's, so that a wire that takes another's place has bells of its own
 *
 * Side 1 holds a lock on the memory's file: one at a time. */
#pragma once

#include <sys/types.h>

#include "base/types.h"

#define WIRE_PATH_BYTES 256u

/* What a name says: "PATH:0[,peer=QUEUES]" or "PATH:1". */
struct wire_spec {
    char path[WIRE_PATH_BYTES];
    unsigned side;
    uint32_t peer; /* queues that side 1 may have; 0: as many as side 0 */
};
bool wire_spec_read(const char *text, struct wire_spec *out);

struct wire_bell;

/* For the memory whose file is fd: make (side 0) or find (side 1) the bells, open them all into b's
 * own and peer.  0; or an error, and there are none. */
int wire_bells_make(struct wire_bell *b, const char *path, int fd, unsigned owns, unsigned peers);
int wire_bells_find(struct wire_bell *b, const char *path, int fd, unsigned owns, unsigned peers);
void wire_bells_remove(const char *path, ino_t inode);
/* The memory at `fresh` takes the place of what is at path, whose bells go.  0 or an error. */
int wire_file_put(const char *fresh, const char *path);
/* The wire at path with all its bells. */
void wire_files_remove(const char *path);
/* Side 1's lock, which goes with the last descriptor of this opening.  -EAGAIN: another's. */
int wire_lock(int fd);
