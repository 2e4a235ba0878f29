#define _GNU_SOURCE
#include "peer_linux_net.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_frame.h"

#define SYSCTL "/proc/sys/net/ipv4/"
#define ALLOWED SYSCTL "tcp_allowed_congestion_control"

enum { PATH_BYTES = 128, VALUE_BYTES = 256, PAGE_BYTES = 4096 };

static bool file_write(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool sysctl_write(const char *name, const char *value)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, SYSCTL "%s", name);
    return file_write(path, value);
}

void net_setting(const char *name, char *value, size_t size)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, SYSCTL "%s", name);
    snprintf(value, size, "?");
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return;
    if (fgets(value, (int)size, f) != NULL)
        value[strcspn(value, "\n")] = '\0';
    fclose(f);
}

static void loopback_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0)
        bench_die("linux: cannot bring the loopback up");
    close(fd);
}

/* A namespace may choose only among the congestion controls that the root namespace allows to
 * everybody.  The descriptor opened before the move keeps pointing at the root's list. */
static void cubic_set(int allowed_fd, const char *allowed)
{
    static const char wide[] = "reno bbr cubic";

    if (sysctl_write("tcp_congestion_control", "cubic") || allowed_fd < 0)
        return;
    if (pwrite(allowed_fd, wide, sizeof wide - 1, 0) < 0)
        return;
    sysctl_write("tcp_congestion_control", "cubic");
    if (pwrite(allowed_fd, allowed, strlen(allowed), 0) < 0)
        fprintf(stderr, "linux: could not restore " ALLOWED " to '%s'\n", allowed);
}

void net_enter(void)
{
    char allowed[VALUE_BYTES];
    int flags = CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER);

    net_setting("tcp_allowed_congestion_control", allowed, sizeof allowed);
    int allowed_fd = open(ALLOWED, O_WRONLY | O_CLOEXEC);
    if (unshare(flags) != 0)
        bench_die("linux: cannot make a network namespace");
    loopback_up();
    cubic_set(allowed_fd, allowed);
    if (allowed_fd >= 0)
        close(allowed_fd);
    sysctl_write("ip_local_port_range", "1024 65535");
    sysctl_write("tcp_max_tw_buckets", "4000000");
}

unsigned long net_files_max(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max;
}

bool net_slab_bytes(double *bytes)
{
    char line[512];
    FILE *f = fopen("/proc/slabinfo", "r");

    *bytes = 0;
    if (f == NULL)
        return false;
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long pages_a_slab, slabs;
        if (sscanf(line, "%*s %*u %*u %*u %*u %lu : tunables %*u %*u %*u : slabdata %*u %lu",
                   &pages_a_slab, &slabs) == 2)
            *bytes += (double)pages_a_slab * (double)slabs * PAGE_BYTES;
    }
    fclose(f);
    return true;
}
