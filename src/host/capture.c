#include "host/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "stat/pcapng.h"
#include "wire/wire.h"

#define BUF_BYTES (1u << 20)
#define FRAME_BYTES (70u << 10)

struct capture {
    MR_ALIGNED(CACHE_LINE) struct capture_file *file; /* each core writes its own */
    uint32_t iface;
    uint64_t seen, lost;
    uint32_t held; /* packets in buf */
    size_t used;
    uint8_t buf[BUF_BYTES];
    uint8_t frame[FRAME_BYTES];
};

struct capture_file {
    int fd;
    _Atomic bool broken; /* the file refused bytes: what would follow is garbage */
    csum_fn csum;
    uint64_t to_wall; /* add to an instant: microseconds since 1970 */
    unsigned cores;
    bool lent; /* its memory is another's */
    struct capture core[];
};

static size_t file_bytes(unsigned cores)
{
    return sizeof(struct capture_file) + cores * sizeof(struct capture);
}

/* What the file begins with: who wrote it, and an interface for each core. */
static void put_head(struct capture_file *f, const char *program, const char *port)
{
    struct capture *c = &f->core[0];
    char name[64];

    c->used = pcapng_section(c->buf, BUF_BYTES, program);
    for (unsigned i = 0; i < f->cores; i++) {
        snprintf(name, sizeof(name), f->cores == 1 ? "%s" : "%s core %u", port, i);
        c->used +=
            pcapng_interface(c->buf + c->used, BUF_BYTES - c->used, PCAPNG_ETHERNET, 0, name);
    }
    capture_flush(c);
}

static void release(struct capture_file *f, unsigned cores)
{
    if (!f->lent)
        os_release(f, file_bytes(cores));
}

struct capture_file *capture_open(const char *path, const char *program, const char *port,
                                  unsigned cores, char *why, size_t n)
{
    return capture_open_lent(NULL, path, program, port, cores, why, n);
}

struct capture_file *capture_open_lent(const struct dev_memory *lender, const char *path,
                                       const char *program, const char *port, unsigned cores,
                                       char *why, size_t n)
{
    size_t bytes = file_bytes(cores);
    struct capture_file *f =
        lender ? lender->reserve(lender->arg, bytes) : os_reserve(bytes, false);

    if (f)
        f->lent = lender != NULL;
    if (!f) {
        snprintf(why, n, "no memory for --pcap");
        return NULL;
    }
    f->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (f->fd < 0) {
        snprintf(why, n, "--pcap %s: %s", path, strerror(errno));
        release(f, cores);
        return NULL;
    }
    f->csum = csum_select();
    f->to_wall = os_wall_us() - os_now_us();
    f->cores = cores;
    for (unsigned i = 0; i < cores; i++) {
        f->core[i].file = f;
        f->core[i].iface = i;
    }
    put_head(f, program, port);
    return f;
}

int *capture_fd(struct capture_file *f)
{
    return &f->fd;
}

struct capture *capture_of(struct capture_file *f, unsigned core)
{
    MR_ASSERT(core < f->cores);
    return &f->core[core];
}

void capture_flush(struct capture *c)
{
    struct capture_file *f = c->file;

    if (c->used > 0 && !atomic_load_explicit(&f->broken, memory_order_relaxed)) {
        int rc = os_write_all(f->fd, c->buf, c->used);
        if (rc < 0 && !atomic_exchange(&f->broken, true))
            fprintf(stderr, "--pcap: %s; the capture ends here\n", strerror(-rc));
    }
    if (f->broken)
        c->lost += c->held;
    c->held = 0;
    c->used = 0;
}

void capture_finish_csum(uint8_t *frame, uint32_t len, csum_fn add)
{
    uint32_t l3 = 12;

    while (l3 + 6 <= len && load_be16(frame + l3) == ETHTYPE_VLAN)
        l3 += 4;
    if (l3 + 22 > len || load_be16(frame + l3) != ETHTYPE_IPV4)
        return;
    l3 += 2;
    uint32_t l4 = l3 + (frame[l3] & 15u) * 4, end = l3 + load_be16(frame + l3 + 2);
    uint32_t field = l4 + (frame[l3 + 9] == IPPROTO_TCP_ ? 16 : 6);
    bool known = frame[l3 + 9] == IPPROTO_TCP_ || frame[l3 + 9] == IPPROTO_UDP_;
    if (!known || end > len || field + 2 > end)
        return;
    uint16_t sum = csum_finish(add(frame + l4, end - l4, 0));
    if (sum == 0 && frame[l3 + 9] == IPPROTO_UDP_)
        sum = 0xffff;
    memcpy(frame + field, &sum, 2);
}

void capture_frame(void *arg, const struct pkt *p, bool out, instant now)
{
    struct capture *c = arg;
    uint32_t len = pkt_total(p);

    c->seen++;
    if (len > FRAME_BYTES || c->file->broken) {
        c->lost++;
        return;
    }
    pkt_copy_out(p, c->frame);
    if (p->flags & PKT_CSUM_PARTIAL)
        capture_finish_csum(c->frame, len, c->file->csum);
    struct pcapng_part part = {c->frame, len};
    struct pcapng_packet k = {
        .iface = c->iface,
        .us = now + c->file->to_wall,
        .dir = out ? PCAPNG_DIR_OUT : PCAPNG_DIR_IN,
        .part = &part,
        .parts = 1,
    };
    if (BUF_BYTES - c->used < len + 256)
        capture_flush(c);
    c->used += pcapng_packet(c->buf + c->used, BUF_BYTES - c->used, &k);
    c->held++;
}

uint64_t capture_seen(const struct capture *c)
{
    return c->seen;
}

uint64_t capture_lost(const struct capture *c)
{
    return c->lost;
}

void capture_close(struct capture_file *f)
{
    for (unsigned i = 0; i < f->cores; i++) {
        struct capture *c = &f->core[i];
        capture_flush(c);
        c->used = pcapng_stats(c->buf, BUF_BYTES, i, os_wall_us(), c->seen, c->lost);
        capture_flush(c);
    }
    os_close(f->fd);
    release(f, f->cores);
}
