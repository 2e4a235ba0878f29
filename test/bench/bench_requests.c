#define _GNU_SOURCE
#include "bench_requests.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench_pair.h"
#include "http/http.h"
#include "tools/httpd.h"

#define HTTP_PORT 80u
#define FILE_BYTES 1024u

static const char request[] = "GET /file HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n";

struct asker {
    mr_sock sock;
    uint64_t left; /* bytes of the answer */
};

struct crowd {
    struct bench_pair pair;
    struct httpd_options options;
    struct httpd *httpd;
    char root[64];
    struct asker *askers;
    uint32_t n, opened;
    uint64_t answer_bytes; /* 0: not known */
    uint64_t to_ask, done;
    uint64_t server_tsc;
};

/* ---- the client: does as little as it can --------------------------------------------- */

static void ask(struct mr *m, struct crowd *w, struct asker *a)
{
    w->to_ask--;
    a->left = w->answer_bytes;
    if (mr_send(m, a->sock, request, sizeof(request) - 1, 0) != sizeof(request) - 1)
        bench_die("bench_millrace: a request was not taken");
}

static void learn_answer(struct crowd *w, struct asker *a, const struct mr_slice *s)
{
    struct http_response r;
    size_t seen = 0, n = http_head_find(s->ptr, s->len, &seen);

    if (n == 0 || !http_response_parse(&r, s->ptr, n) || r.status != 200)
        bench_die("bench_millrace: not the answer that was asked for");
    w->answer_bytes = a->left = n + r.content_length;
}

static void answer(struct mr *m, struct crowd *w, struct asker *a)
{
    struct mr_slice s;

    while (mr_recv_slices(m, a->sock, &s, 1) == 1) {
        if (w->answer_bytes == 0)
            learn_answer(w, a, &s);
        a->left -= s.len;
        mr_slice_release(m, &s);
    }
    if (a->left > 0)
        return;
    w->done++;
    if (w->to_ask > 0)
        ask(m, w, a);
}

static void client_event(struct mr *m, void *state, const struct mr_event *ev)
{
    struct crowd *w = state;

    if (ev->type == MR_EV_READABLE)
        answer(m, w, ev->user);
    else if (ev->type == MR_EV_CONNECTED)
        w->opened++;
    else if (ev->type == MR_EV_CLOSED)
        bench_die("bench_millrace: a connection ended: %s", mr_strerror(ev->err));
}

/* ---- the world ------------------------------------------------------------------------- */

static const struct mr_app client_app = {.name = "client", .event = client_event};
static const struct mr_app server_app = {.name = HTTPD_NAME, .event = httpd_event};

static void file_make(struct crowd *w)
{
    char path[80], content[FILE_BYTES];
    int fd;

    memset(content, 'x', sizeof(content));
    snprintf(w->root, sizeof(w->root), "/tmp/bench-http-XXXXXX");
    if (mkdtemp(w->root) == NULL)
        bench_die("bench_millrace: no folder for a file");
    snprintf(path, sizeof(path), "%s/file", w->root);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || write(fd, content, sizeof(content)) != sizeof(content))
        bench_die("bench_millrace: cannot write %s", path);
    close(fd);
}

static void file_remove(struct crowd *w)
{
    char path[80];

    snprintf(path, sizeof(path), "%s/file", w->root);
    unlink(path);
    rmdir(w->root);
}

/* Opened here: valgrind does not know openat2, by which the server would. */
static void file_cache(struct crowd *w)
{
    char path[80];
    struct file *x;

    snprintf(path, sizeof(path), "%s/file", w->root);
    if (files_add(&w->httpd->files, "file", open(path, O_RDONLY), bench_now_us(&w->pair), &x) !=
        200)
        bench_die("bench_millrace: cannot read %s", path);
}

static void server_init(struct crowd *w)
{
    void *state;

    w->options = (struct httpd_options){.root = w->root,
                                        .port = HTTP_PORT,
                                        .cache_files = 16,
                                        .header_ms = 3600000,
                                        .idle_ms = 3600000,
                                        .body_ms = 3600000,
                                        .send_ms = 3600000};
    if (httpd_init(w->pair.server.m, &w->options, &state) != MR_OK)
        bench_die("bench_millrace: the server does not start");
    w->httpd = state;
    w->pair.server.shard.core_state = state;
    file_cache(w);
}

/* One at first: while its neighbour is asked for, few packets can wait. */
static void open_all(struct crowd *w)
{
    struct mr_addr to = w->pair.server.addr;

    to.port = HTTP_PORT;
    for (uint32_t i = 0; i < w->n; i++) {
        if (mr_connect(w->pair.client.m, NULL, &to, &w->askers[i], &w->askers[i].sock) != MR_OK)
            bench_die("bench_millrace: connect refused");
        while (w->opened + 32 < i || w->opened == 0)
            bench_turn(&w->pair);
    }
    while (w->opened < w->n)
        bench_turn(&w->pair);
    for (unsigned i = 0; i < 100; i++)
        bench_turn(&w->pair);
}

static uint64_t run_requests(void *ctx, uint64_t units, struct bench_watch *watch)
{
    struct crowd *w = ctx;

    (void)watch;
    w->to_ask = units;
    w->done = 0;
    w->server_tsc = 0;
    for (uint32_t i = 0; i < w->n && w->to_ask > 0; i++)
        ask(w->pair.client.m, w, &w->askers[i]);
    while (w->done < units) {
        bench_client_turn(&w->pair);
        uint64_t start = __rdtsc();
        bench_server_turn(&w->pair);
        w->server_tsc += __rdtsc() - start;
    }
    return units;
}

static void bench_http(struct bench *b, const char *name, uint32_t conns, uint64_t units)
{
    struct crowd *w;

    if (!bench_wants(b, name))
        return;
    w = calloc(1, sizeof(*w));
    w->n = conns;
    w->askers = calloc(conns, sizeof(*w->askers));
    bench_pair_init(&w->pair, b,
                    &(struct bench_pair_config){.conns = conns,
                                                .client_tw = 1024,
                                                .wire = &bench_small_wire,
                                                .huge = true,
                                                .client = &client_app,
                                                .server = &server_app,
                                                .client_state = w});
    file_make(w);
    server_init(w);
    open_all(w);
    run_requests(w, 1, NULL);
    bench_measure(b, name, "request", run_requests, w, units);
    /* By wall time: whoever else works on this core is in it. */
    bench_record(b, name, "server", "cycles/request", (double)w->server_tsc / (double)w->done);
    httpd_fini(w->pair.server.m, w->httpd);
    httpd_free(w->options.cores);
    bench_pair_fini(&w->pair);
    file_remove(w);
    free(w->askers);
    free(w);
}

void bench_requests(struct bench *b)
{
    bench_http(b, "http1k/1", 1, b->quick ? 50000 : 500000);
    bench_http(b, "http1k/64", 64, b->quick ? 50000 : 500000);
    bench_http(b, "http1k/1000", 1000, b->quick ? 50000 : 500000);
}
