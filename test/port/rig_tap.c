/* The TAP: the peer is a packet socket on the device itself. */
#include "rigs.h"

#include <net/if.h>
#include <unistd.h>

#include "os/os.h"

#define OURS "mrport"

static void pull(struct rig *r, bool down)
{
    net_set_up(r->ifname, !down);
}

static void remove_device(struct rig *r)
{
    want(r, net_run("ip link del " OURS), "ip link del");
}

/* ---- TAP ------------------------------------------------------------------------------- */

static const char *const tap_bad[] = {"tap:",
                                      "tap:sixteen_is_toolong",
                                      "tap:lo",
                                      "tap:a/b",
                                      "tap:mrport,bogus",
                                      "tap:..",
                                      "tap:,word",
                                      NULL};

static const char *tap_start(struct rig *r)
{
    (void)r;
    const char *why = net_start();
    if (!why && access("/dev/net/tun", R_OK | W_OK) != 0)
        why = "this machine has no TAP devices";
    return why;
}

static bool tap_open_rig(struct rig *r, struct dev_config *c)
{
    snprintf(r->ifname, sizeof(r->ifname), OURS);
    if (!port_open(&r->port, "tap:" OURS, c))
        return false;
    net_set_up(OURS, true);
    return sock_open(r);
}

const struct rig_kind rig_tap = {.name = "tap",
                                 .queues = QUEUES_MAX,
                                 .bad = tap_bad,
                                 .start = tap_start,
                                 .open = tap_open_rig,
                                 .close_peer = sock_close,
                                 .send = sock_send,
                                 .recv = sock_recv,
                                 .pull = pull,
                                 .remove = remove_device};
