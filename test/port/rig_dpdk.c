/* DPDK's devices that come in pairs: both ends are ours, in this process. */
#include "rigs.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

static char folder[64];

/* The module is there, and a folder for the sockets. */
static const char *start(struct rig *r)
{
    const char *name;

    if (!dev_find("dpdk:net_null0", &name, r->port.why, sizeof(r->port.why)))
        return r->port.why;
    snprintf(folder, sizeof(folder), "/tmp/millrace-port-XXXXXX");
    return mkdtemp(folder) ? NULL : "no folder for sockets";
}

static void end(struct rig *r)
{
    (void)r;
    rmdir(folder);
}

/* How the peer is opened once more. */
static char end_spec[150];
static struct dev_config end_config;

static void peer_goes_and_comes(struct rig *r, bool goes)
{
    struct dev_config c = end_config;

    if (goes) {
        r->kind->close_peer(r);
    } else if (want(r, port_open(&r->end, end_spec, &c), "the peer: %s", r->end.why)) {
        port_attach(&r->end);
        want(r, rig_link(&r->port, true, PATIENCE_US) && rig_link(&r->end, true, PATIENCE_US),
             "the link does not come up again");
    }
}

/* The one that listens first. */
static bool open_two(struct port *listener, const char *first, struct port *other,
                     const char *second, struct dev_config *c, struct rig *r)
{
    snprintf(end_spec, sizeof(end_spec), "%s", listener == &r->end ? first : second);
    end_config = *c;
    bool good = port_open(listener, first, c) && port_open(other, second, c);

    if (!good)
        snprintf(r->port.why, sizeof(r->port.why), "%s",
                 listener->nic ? other->why : listener->why);
    return good;
}

/* ---- virtio-user and vhost ------------------------------------------------------------- */

static void vhost_specs(char *vhost, char *virtio, size_t n)
{
    snprintf(vhost, n, "dpdk:net_vhost0,iface=%s/v", folder);
    snprintf(virtio, n, "dpdk:net_virtio_user0,path=%s/v", folder);
}

static bool vhost_open(struct rig *r, struct dev_config *c)
{
    char vhost[150], virtio[150];

    c->eal = "--no-huge";
    vhost_specs(vhost, virtio, sizeof(vhost));
    return open_two(&r->port, vhost, &r->end, virtio, c, r);
}

static bool virtio_open(struct rig *r, struct dev_config *c)
{
    char vhost[150], virtio[150];

    c->eal = "--no-huge";
    vhost_specs(vhost, virtio, sizeof(vhost));
    return open_two(&r->end, vhost, &r->port, virtio, c, r);
}

static const char *const virtio_bad[] = {"dpdk:",
                                         "dpdk:net_virtio_user1",
                                         "dpdk:net_virtio_user2,path=/no/such/socket",
                                         "dpdk:net_no_such_driver0",
                                         "dpdk:bogus",
                                         "dpdk:0000:ff:1f.7",
                                         NULL};
static const char *const vhost_bad[] = {"dpdk:net_vhost1", "dpdk:net_vhost2,iface=/no/such/dir/s",
                                        NULL};

const struct rig_kind rig_vhost = {.name = "dpdk-vhost",
                                   .queues = QUEUES_MAX,
                                   .bad = vhost_bad,
                                   .start = start,
                                   .end = end,
                                   .open = vhost_open,
                                   .close_peer = end_close,
                                   .send = end_send,
                                   .recv = end_recv,
                                   .pull = peer_goes_and_comes,
                                   .remove = end_close};
const struct rig_kind rig_virtio = {.name = "dpdk-virtio-user",
                                    .queues = QUEUES_MAX,
                                    .bad = virtio_bad,
                                    .start = start,
                                    .end = end,
                                    .open = virtio_open,
                                    .close_peer = end_close,
                                    .send = end_send,
                                    .recv = end_recv,
                                    .remove = end_close};

/* ---- memif ----------------------------------------------------------------------------- */

/* Who sees the other go tears down its own part on a thread of DPDK's; closing it meanwhile from
 * here is more than DPDK's drivers bear. */
static void wait_for_end(struct port *p)
{
    if (!p->nic)
        return;
    rig_link(p, false, PATIENCE_US);
    usleep(50000); /* the link is down before all is done */
}

static void close_after(struct rig *r)
{
    if (!r->port.nic)
        wait_for_end(&r->end);
    end_close(r);
    wait_for_end(&r->port);
}

#define HUGE_PATH "/proc/sys/vm/nr_hugepages"
#define HUGE_PAGES 128u

static unsigned long pages_before;

static unsigned long read_number(const char *path)
{
    FILE *f = fopen(path, "re");
    unsigned long n = 0;

    if (f && fscanf(f, "%lu", &n) != 1)
        n = 0;
    if (f)
        fclose(f);
    return n;
}

static void write_number(const char *path, unsigned long n)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return;
    fprintf(f, "%lu", n);
    fclose(f);
}

/* In a process of its own, so that the pages are given back however the test ends. */
static const char *go_on_as_child(void)
{
    int status = 0;
    pid_t child = fork();

    if (child < 0)
        return "no process to be had";
    if (child == 0)
        return NULL;
    signal(SIGTERM, SIG_IGN);
    waitpid(child, &status, 0);
    write_number(HUGE_PATH, pages_before);
    exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* It shares memory by the files of huge pages. */
static const char *memif_start(struct rig *r)
{
    const char *why;

    pages_before = read_number(HUGE_PATH);
    write_number(HUGE_PATH, pages_before + HUGE_PAGES);
    if (read_number(HUGE_PATH) < pages_before + HUGE_PAGES) {
        write_number(HUGE_PATH, pages_before);
        return "no huge pages to be had";
    }
    why = go_on_as_child();
    return why ? why : start(r);
}

static bool memif_open(struct rig *r, struct dev_config *c, bool server)
{
    char spec[2][150];

    for (unsigned i = 0; i < 2; i++)
        snprintf(spec[i], sizeof(spec[i]),
                 "dpdk:net_memif%u,role=%s,id=0,socket-abstract=no,socket=%s/m", i,
                 i ? "client" : "server", folder);
    return open_two(server ? &r->port : &r->end, spec[0], server ? &r->end : &r->port, spec[1], c,
                    r);
}

static bool memif_server_open(struct rig *r, struct dev_config *c)
{
    return memif_open(r, c, true);
}

static bool memif_client_open(struct rig *r, struct dev_config *c)
{
    return memif_open(r, c, false);
}

static const char *const memif_bad[] = {
    "dpdk:net_memif7,role=bogus",
    "dpdk:net_memif8,role=server,socket-abstract=no,socket=/no/such/dir/s", NULL};

const struct rig_kind rig_memif_server = {.name = "dpdk-memif-server",
                                          .queues = 1,
                                          .bad = memif_bad,
                                          .start = memif_start,
                                          .end = end,
                                          .open = memif_server_open,
                                          .close_peer = close_after,
                                          .send = end_send,
                                          .recv = end_recv,
                                          .pull = peer_goes_and_comes,
                                          .remove = close_after};
const struct rig_kind rig_memif_client = {.name = "dpdk-memif-client",
                                          .queues = 1,
                                          .bad = memif_bad,
                                          .start = memif_start,
                                          .end = end,
                                          .open = memif_client_open,
                                          .close_peer = close_after,
                                          .send = end_send,
                                          .recv = end_recv,
                                          .remove = close_after};
