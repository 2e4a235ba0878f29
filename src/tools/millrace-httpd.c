/* millrace-httpd: serves the files of a folder over HTTP/1.1. */
#define _GNU_SOURCE 1

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/httpd.h"
#include "tools/tool.h"

#define LINGER_US 2000000u

static const char name[] = "millrace-httpd";

static void httpd_event(struct mr *m, void *core, const struct mr_event *ev)
{
    struct httpd *h = core;
    struct conn *c = ev->user;

    (void)m;
    switch (ev->type) {
    case MR_EV_ACCEPT:
        httpd_accept(h);
        break;
    case MR_EV_READABLE:
        if (c != NULL && c->state != CONN_SEND)
            conn_pump(c);
        break;
    case MR_EV_WRITABLE:
        if (c != NULL)
            conn_pump(c);
        break;
    case MR_EV_CLOSED:
        if (c != NULL) {
            h->count.aborted += ev->err != MR_OK;
            conn_free(c, false);
        }
        break;
    case MR_EV_TIMER:
        httpd_tick(h);
        break;
    case MR_EV_CONNECTED:
    case MR_EV_URGENT:
    case MR_EV_SOFT_ERROR:
        break;
    }
}

static int httpd_init(struct mr *m, void *arg, void **core_state)
{
    struct httpd_options *o = arg;
    struct mr_addr at = mr_addr4(0, 0, 0, 0, (uint16_t)o->port);
    struct httpd *h = calloc(1, sizeof(*h));
    int err;

    if (h == NULL)
        return MR_ENOMEM;
    h->m = m;
    h->opt = o;
    h->limit_us[CONN_IDLE] = (uint64_t)o->idle_ms * 1000;
    h->limit_us[CONN_HEAD] = (uint64_t)o->header_ms * 1000;
    h->limit_us[CONN_BODY] = (uint64_t)o->body_ms * 1000;
    h->limit_us[CONN_SEND] = (uint64_t)o->send_ms * 1000;
    h->limit_us[CONN_LINGER] = LINGER_US;
    tool_pool_init(&h->conns, sizeof(struct conn));
    tool_pool_init(&h->bufs, HTTP_HEAD_BYTES_MAX);
    tool_pool_init(&h->texts, TEXT_BYTES_MAX);
    h->next = o->cores;
    o->cores = h;
    err = files_init(&h->files, o->root, o->cache_files);
    if (err != MR_OK) {
        tool_refuse(name, "%s: %s", o->root, strerror(-err));
        return MR_EINVAL;
    }
    err = mr_listen(m, &at, NULL, &h->listener);
    if (err != MR_OK) {
        tool_refuse(name, "port %u: %s", o->port, mr_strerror(err));
        return err;
    }
    mr_setopt(m, h->listener, MR_NODELAY, 1);
    *core_state = h;
    return MR_OK;
}

/* No new connections; what is queued is still sent, what is not ends early. */
static void httpd_fini(struct mr *m, void *core)
{
    struct httpd *h = core;

    mr_close(m, h->listener);
    for (int s = 0; s < CONN_STATES; s++)
        while (h->queue[s].first != NULL)
            conn_free(h->queue[s].first, s == CONN_SEND);
}

static void cores_free(struct httpd *h)
{
    while (h != NULL) {
        struct httpd *next = h->next;
        files_fini(&h->files);
        tool_pool_fini(&h->conns);
        tool_pool_fini(&h->bufs);
        tool_pool_fini(&h->texts);
        free(h);
        h = next;
    }
}

/* A file that shrinks while it is sent has pages without content behind it; they
 * read as zeros, and the server lives.  Only mmap and _exit are called here. */
static void on_bus_error(int sig, siginfo_t *info, void *context)
{
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)4095;

    (void)context;
    if (info->si_code == BUS_ADRERR &&
        mmap((void *)page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
            MAP_FAILED)
        return;
    _exit(128 + sig);
}

static const char usage[] =
    "usage: millrace-httpd [--root DIR] [--port N] [options] [network options]\n"
    "Serves the files of a folder over HTTP/1.1; /status tells how it is doing.\n"
    "  --root DIR             the folder (default .)\n"
    "  --port N               default 80\n"
    "  --cache-files N        most files kept mapped (default 1024)\n"
    "  --header-timeout-ms N  a request's head must be complete in this time (default 10000)\n"
    "  --idle-timeout-ms N    between requests (default 30000)\n"
    "  --body-timeout-ms N    a request's body must be complete in this time (default 30000)\n"
    "  --send-timeout-ms N    the peer must take something in this time (default 60000)\n"
    "  --body-max N           longest request body that is skipped (default 1M)\n";

#define MS_MAX 86400000u

int main(int argc, char **argv)
{
    struct httpd_options o = {.root = ".",
                              .port = 80,
                              .cache_files = 1024,
                              .header_ms = 10000,
                              .idle_ms = 30000,
                              .body_ms = 30000,
                              .send_ms = 60000,
                              .body_max = 1 << 20};
    const struct tool_opt opts[] = {
        {"--root", TOOL_TEXT, &o.root, 0, 0},
        {"--port", TOOL_U32, &o.port, 1, 65535},
        {"--cache-files", TOOL_U32, &o.cache_files, 1, 60000},
        {"--header-timeout-ms", TOOL_U32, &o.header_ms, 1, MS_MAX},
        {"--idle-timeout-ms", TOOL_U32, &o.idle_ms, 1, MS_MAX},
        {"--body-timeout-ms", TOOL_U32, &o.body_ms, 1, MS_MAX},
        {"--send-timeout-ms", TOOL_U32, &o.send_ms, 1, MS_MAX},
        {"--body-max", TOOL_SIZE, &o.body_max, 0, (uint64_t)1 << 40},
    };
    const struct mr_app app = {
        .name = name,
        .arg = &o,
        .init = httpd_init,
        .event = httpd_event,
        .fini = httpd_fini,
        .status = httpd_status,
    };
    struct sigaction bus = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    struct mr_config c;
    int status;

    mr_config_init(&c);
    status = tool_options(&c, argc, argv, opts, sizeof(opts) / sizeof(opts[0]), usage, NULL, NULL);
    if (status != TOOL_GO_ON)
        return status;
    sigaction(SIGBUS, &bus, NULL);
    status = tool_exit_code(mr_run(&c, &app));
    cores_free(o.cores);
    return status;
}
