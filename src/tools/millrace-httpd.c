/* millrace-httpd: serves the files of a folder over HTTP/1.1. */
#define _GNU_SOURCE 1

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/httpd.h"
#include "tools/tool.h"

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
        .name = HTTPD_NAME,
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
    httpd_free(o.cores);
    return status;
}
