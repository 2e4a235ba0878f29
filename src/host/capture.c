#include "host/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "host/host_int.h"
#include "os/os.h"
#include "stat/pcapng.h"
#include "wire/wire.h"

#define BUF_BYTES (1u << 20)
#define FRAME_BYTES (70u << 10)

struct capture {
    int fd;
    bool broken;       /* the file refused bytes: what would follow is garbage */
    csum_fn csum;
    uint64_t to_wall;  /* add to an instant: microseconds since 1970 */
    uint64_t seen, lost;
    uint32_t held;     /* packets in buf */
    size_t used;
    uint8_t buf[BUF_BYTES];
    uint8_t frame[FRAME_BYTES];
};

/* For mr_panic: the frames before the end are those one wants to see. */
static struct capture *open_capture;

void host_flush_capture(void)
{
    if (open_capture)
        capture_flush(open_capture);
}

struct capture *capture_open(const char *path, const char *program, const char *port, char *why,
                             size_t n)
{
    struct capture *c = os_reserve(sizeof(*c), false);

    if (!c) {
        snprintf(why, n, "no memory for --pcap");
        return NULL;
    }
    c->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (c->fd < 0) {
        snprintf(why, n, "--pcap %s: %s", path, strerror(errno));
        os_release(c, sizeof(*c));
        return NULL;
    }
    c->csum = csum_select();
    c->to_wall = os_wall_us() - os_now_us();
    c->used = pcapng_section(c->buf, BUF_BYTES, program);
    c->used += pcapng_interface(c->buf + c->used, BUF_BYTES - c->used, PCAPNG_ETHERNET, 0, port);
    capture_flush(c);
    open_capture = c;
    return c;
}

void capture_flush(struct capture *c)
{
    if (c->used > 0 && !c->broken) {
        int rc = os_write_all(c->fd, c->buf, c->used);
        if (rc < 0) {
            fprintf(stderr, "--pcap: %s; the capture ends here\n", strerror(-rc));
            c->broken = true;
        }
    }
    if (c->broken)
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
    if (len > FRAME_BYTES || c->broken) {
        c->lost++;
        return;
    }
    pkt_copy_out(p, c->frame);
    if (p->flags & PKT_CSUM_PARTIAL)
        capture_finish_csum(c->frame, len, c->csum);
    struct pcapng_part part = {c->frame, len};
    struct pcapng_packet k = {
        .us = now + c->to_wall,
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

void capture_close(struct capture *c)
{
    capture_flush(c);
    c->used = pcapng_stats(c->buf, BUF_BYTES, 0, os_wall_us(), c->seen, c->lost);
    capture_flush(c);
    os_close(c->fd);
    open_capture = NULL;
    os_release(c, sizeof(*c));
}
