/* The seam between the public functions and what implements them.
 *
 * THEORY OF OPERATION
 *
 * A context is some back end's own struct whose first member is a struct mr.
 * Every public function that takes a context is one line: it calls through
 * m->be.  Millrace's own stack (api/native.c), the kernel's sockets (kapi) and
 * the simulator each fill one constant table, and a program cannot tell which
 * one it runs on.
 *
 * The contract of each entry is the one millrace.h states for the public
 * function of the same name; no entry may be missing. */
#pragma once

#include "base/types.h"

#include <millrace/millrace.h>

struct mr_backend {
    const char *name; /* "millrace", "kernel" */

    int (*listen)(struct mr *m, const struct mr_addr *local, const struct mr_listen_opts *opts,
                  mr_sock *out);
    int (*accept)(struct mr *m, mr_sock listener, mr_sock *out, struct mr_addr *peer);
    int (*connect)(struct mr *m, const struct mr_addr *local, const struct mr_addr *remote,
                   void *user, mr_sock *out);
    int64_t (*recv)(struct mr *m, mr_sock s, void *buf, size_t n, unsigned flags);
    int (*recv_slices)(struct mr *m, mr_sock s, struct mr_slice *out, int max);
    void (*slice_release)(struct mr *m, struct mr_slice *slice);
    int64_t (*send)(struct mr *m, mr_sock s, const void *buf, size_t n, unsigned flags);
    int (*send_give)(struct mr *m, mr_sock s, const void *ptr, size_t n, unsigned flags,
                     mr_release_fn release, void *arg);
    int (*shutdown)(struct mr *m, mr_sock s);
    int (*close)(struct mr *m, mr_sock s);
    int (*abort)(struct mr *m, mr_sock s);

    int (*udp_open)(struct mr *m, const struct mr_addr *local, void *user, mr_sock *out);
    int (*sendto)(struct mr *m, mr_sock s, const void *buf, size_t n, const struct mr_addr *to);
    int64_t (*recvfrom)(struct mr *m, mr_sock s, void *buf, size_t n, struct mr_addr *from);
    int (*recvfrom_slice)(struct mr *m, mr_sock s, struct mr_slice *out, struct mr_addr *from);

    unsigned (*poll)(struct mr *m, mr_sock s);
    int (*setopt)(struct mr *m, mr_sock s, enum mr_opt opt, int64_t value);
    int (*getopt)(struct mr *m, mr_sock s, enum mr_opt opt, int64_t *value);
    void (*set_user)(struct mr *m, mr_sock s, void *user);
    int (*local_addr)(struct mr *m, mr_sock s, struct mr_addr *out);
    int (*peer_addr)(struct mr *m, mr_sock s, struct mr_addr *out);
    int (*tcp_info)(struct mr *m, mr_sock s, struct mr_tcp_info *out);

    uint64_t (*now_us)(struct mr *m);
    int (*timer_start)(struct mr *m, uint64_t delay_us, void *user, mr_timer *out);
    void (*timer_stop)(struct mr *m, mr_timer t);

    /* core is another's, n is 1 to MR_LETTER_MAX. */
    int (*post)(struct mr *m, unsigned core, const void *buf, size_t n);
    int64_t (*letter)(struct mr *m, void *buf, size_t n, unsigned *from);
    void (*knock)(struct mr *m);

    void (*stop)(struct mr *m);
    const char *(*status_json)(struct mr *m);
};

struct mr {
    const struct mr_backend *be; /* static */
    unsigned core, cores;
};

/* Largest buffer mr_send_give takes. */
#define MR_GIVE_BYTES_MAX ((size_t)1 << 30)
