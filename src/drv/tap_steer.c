/* drv/tap: the kernel chooses a queue for each frame as nic/rss.h does. */
#define _GNU_SOURCE
#include "drv/tap_int.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "drv/steer.h"
#include "os/os.h"

/* fd: of any queue.  The device keeps the program after we have closed ours. */
static int set_program(int fd, int map, const struct rss *r)
{
    int prog = steer_program(r, map, STEER_AT_ETHERNET);

    if (prog < 0)
        return prog;
    int rc = ioctl(fd, TUNSETSTEERINGEBPF, &prog) < 0 ? -errno : 0;
    os_close(prog);
    return rc;
}

int tap_steer_start(int fd, const struct rss *r, int *map)
{
    *map = steer_table(r);
    if (*map < 0)
        return *map;
    int rc = set_program(fd, *map, r);
    if (rc < 0) {
        os_close(*map);
        *map = -1;
    }
    return rc;
}

int tap_steer_change(int fd, int map, const struct rss *was, const struct rss *r)
{
    int rc = 0;

    if (was->mask != r->mask)
        return -EINVAL;
    if (memcmp(was->key, r->key, sizeof(r->key)) != 0)
        rc = set_program(fd, map, r);
    return rc < 0 ? rc : steer_set_table(map, r);
}

void tap_steer_clear(int fd)
{
    int none = -1;

    ioctl(fd, TUNSETSTEERINGEBPF, &none);
}
