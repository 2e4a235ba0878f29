/* The simulated POF switch (lib/pof_switch.h) on a socket of the kernel's.
 *
 *     pof_switchd ADDR PORT huawei|ustc DEV PORTS [MS]
 *
 * It reads from its socket as the real ones do: whatever is there when it wakes up, up to MS
 * milliseconds late.  Commands on standard input, one a line:
 *
 *     rx PORT HEX      a frame arrives at a port
 *     link PORT up|down
 *     state            one line about itself
 *     cut              the connection is lost
 *
 * and on standard output: "tx PORT HEX", "state ...", "closed WHY". */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/pof_switch.h"

static struct pof_switch sw;
static int fd = -1;

static instant now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (instant)t.tv_sec * 1000000 + (instant)t.tv_nsec / 1000;
}

static void sent(void *context, uint32_t port, const uint8_t *frame, size_t n)
{
    (void)context;
    printf("tx %u ", port);
    for (size_t i = 0; i < n; i++)
        printf("%02x", frame[i]);
    printf("\n");
}

static void hang_up(void)
{
    if (fd >= 0)
        close(fd);
    fd = -1;
    if (sw.why)
        printf("closed %s\n", sw.why);
    pof_switch_disconnected(&sw, now());
    sw.why = NULL;
}

static void dial(const char *addr, const char *port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(port)),
                             .sin_addr.s_addr = inet_addr(addr)};

    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        fd = -1;
        sw.connect_at = now() + 200000;
        return;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    pof_switch_connected(&sw, now());
}

static void flush(void)
{
    size_t n;
    const uint8_t *p = pof_switch_output(&sw, &n);
    ssize_t k;

    if (fd < 0 || n == 0)
        return;
    k = write(fd, p, n);
    if (k > 0)
        pof_switch_output_done(&sw, (size_t)k);
    else if (k < 0 && errno != EAGAIN)
        hang_up();
}

static void receive(void)
{
    uint8_t b[65536];
    ssize_t k = read(fd, b, sizeof(b));

    if (k > 0)
        pof_switch_input(&sw, b, (size_t)k, now());
    else if (k == 0 || errno != EAGAIN)
        hang_up();
}

static void arrive(unsigned port, const char *hex)
{
    uint8_t b[2048];
    size_t n = 0;
    unsigned v;

    while (n < sizeof(b) && sscanf(hex + 2 * n, "%2x", &v) == 1)
        b[n++] = (uint8_t)v;
    if (port >= 1 && port <= sw.ports)
        pof_switch_packet(&sw, port, b, n);
}

static void command(char *line)
{
    static char hex[8192];
    char word[8];
    unsigned port;

    if (sscanf(line, "rx %u %8191s", &port, hex) == 2)
        arrive(port, hex);
    else if (sscanf(line, "link %u %7s", &port, word) == 2 && port >= 1 && port <= sw.ports)
        pof_switch_link(&sw, port, strcmp(word, "up") == 0);
    else if (strncmp(line, "state", 5) == 0)
        printf("state %d entries %u errors %u last %u/%u closed %u handshakes %u enabled %u\n",
               sw.state, pof_switch_entries(&sw), (unsigned)sw.errors, sw.error_type, sw.error_code,
               (unsigned)sw.closed, (unsigned)sw.handshakes, (unsigned)sw.port_mods);
    else if (strncmp(line, "cut", 3) == 0)
        hang_up();
}

/* False: nobody commands any more. */
static bool commands(void)
{
    static char line[16384];
    static size_t n;
    ssize_t k = read(0, line + n, sizeof(line) - 1 - n);
    char *end;

    if (k <= 0)
        return false;
    n += (size_t)k;
    line[n] = 0;
    while ((end = strchr(line, '\n')) != NULL) {
        *end = 0;
        command(line);
        n -= (size_t)(end + 1 - line);
        memmove(line, end + 1, n + 1);
    }
    return true;
}

int main(int argc, char **argv)
{
    unsigned late = argc > 6 ? (unsigned)atoi(argv[6]) : 0;

    if (argc < 6) {
        fprintf(stderr, "usage: pof_switchd ADDR PORT huawei|ustc DEV PORTS [MS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    pof_switch_init(&sw, strcmp(argv[3], "ustc") == 0 ? POF_USTC : POF_HUAWEI,
                    (uint32_t)strtoul(argv[4], NULL, 0), (uint32_t)atoi(argv[5]));
    sw.tx = sent;
    for (;;) {
        struct pollfd p[2] = {{.fd = 0, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
        instant t, due = pof_switch_deadline(&sw);

        flush();
        t = now();
        poll(p, fd >= 0 ? 2 : 1,
             due <= t           ? 0
             : due - t > 100000 ? 100
                                : (int)((due - t) / 1000) + 1);
        if ((p[0].revents & (POLLIN | POLLHUP)) && !commands())
            return 0;
        if (fd >= 0 && (p[1].revents & (POLLIN | POLLHUP | POLLERR))) {
            if (late)
                usleep((useconds_t)(rand() % (int)(late * 1000)));
            receive();
        }
        pof_switch_advance(&sw, now());
        if (fd >= 0 && sw.state == POF_SWITCH_DOWN)
            hang_up();
        if (fd < 0 && pof_switch_wants_connection(&sw))
            dial(argv[1], argv[2]);
    }
}
