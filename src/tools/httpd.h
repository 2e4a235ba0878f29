/* millrace-httpd: a web server for static files.
 *
 * THEORY OF OPERATION
 *
 * One struct httpd a core.  A connection is read slice by slice; a request is
 * parsed where the slice lies, and only one that is cut by the end of a slice is
 * collected in a buffer.  The answer's head is copied into the send queue; the
 * file behind it is mapped memory that is given away piece by piece, and the
 * mapping lives until the last piece is acknowledged.  While an answer does not
 * fit the send queue the connection is not read (its slice is kept), so the
 * peer's own window holds it back.
 *
 *     HEAD ---request---> answer ---keep-alive---> HEAD
 *      |                    |  \---body to skip--> BODY --> HEAD
 *      | error, timeout     | close
 *      v                    v
 *     LINGER (we finished; what the peer still sends is dropped) --> closed
 *
 * Every state has a time limit; connections in one state form a queue in the
 * order of their deadlines, and one timer looks at the heads of the queues. */
#pragma once

#include "http/http.h"
#include "tools/tool_pool.h"

#include <millrace/millrace.h>

/* ---- files (httpd_files.c) -------------------------------------------------------- */

#define FILE_PATH_MAX 1024

/* The plain answer to a request for a file, head and small body, as it is given away.  What is on
 * its way must not change, so a new date may need a new one. */
struct ready {
    uint32_t refs; /* the file's and one for every answer on its way */
    uint32_t n;
    uint64_t unix_s; /* what Date says */
    char text[];
};

struct file {
    struct files *owner;        /* borrowed */
    struct file *next;          /* in its bucket */
    struct file *newer, *older; /* by last use */
    const uint8_t *map;         /* owned; NULL if empty */
    char *text;                 /* owned: content that was made, not mapped */
    struct ready *ready;        /* a reference; NULL: not made yet */
    uint64_t size;
    uint64_t mtime_s, mtime_ns, inode;
    uint64_t checked_us; /* when it was last compared with the file system */
    uint32_t refs;       /* the cache's and one for every piece on its way */
    uint32_t hash;
    const char *type; /* static */
    size_t path_n;
    char etag[HTTP_ETAG_SIZE];
    char last_modified[HTTP_DATE_SIZE];
    char path[]; /* below the root, without the first slash */
};

#define FILE_BUCKETS 1024u

struct files {
    int root_fd;
    uint32_t count, count_max;
    struct file *newest, *oldest;
    struct file *bucket[FILE_BUCKETS];
    uint64_t hits, misses, changed, evicted;
};

/* MR_OK, or an error of enum mr_err where root is no directory that can be read. */
int files_init(struct files *f, const char *root, uint32_t count_max);
void files_fini(struct files *f);
/* Find what a decoded path ("/a/b") names: 200 with a reference in *out, 301 (a
 * directory without its slash), 403, 404 or 503. */
int files_get(struct files *f, const char *path, uint64_t now_us, struct file **out);
/* Cache what is open as fd, which is closed, under a path below the root.  200 with the cache's
 * own reference in *out, 301, 403 or 503. */
int files_add(struct files *f, const char *path, int fd, uint64_t now_us, struct file **out);
void file_put(struct file *file);
void ready_put(struct ready *r);

/* ---- connections (httpd_conn.c) --------------------------------------------------- */

enum conn_state {
    CONN_IDLE,   /* nothing of the next request has come */
    CONN_HEAD,   /* some of it has */
    CONN_BODY,   /* skipping a request's body */
    CONN_SEND,   /* an answer waits for room in the send queue */
    CONN_LINGER, /* finished; waiting for the peer to finish */
    CONN_STATES,
};

/* What is left to send of one answer. */
struct answer {
    bool pending;
    struct ready *ready; /* a reference: all but a large body; NULL: given away, or there is text */
    char *text;          /* owned: head, and small bodies; NULL: none left */
    size_t text_n, text_off;
    struct file *file; /* a reference */
    const uint8_t *body;
    uint64_t body_left;
};

struct conn {
    mr_sock sock;
    struct httpd *h; /* borrowed */
    enum conn_state state;
    uint8_t *buf; /* owned: a head that came in pieces; NULL: none */
    size_t buf_n, seen;
    struct mr_slice slice; /* lent; token NULL: none */
    uint32_t slice_off;
    bool keep_alive;  /* after the current answer */
    bool expect_more; /* after the current answer a body is to be skipped */
    bool unread;      /* the peer may still be sending what we refused */
    struct http_body body;
    struct answer out;
    uint64_t deadline_us;
    struct conn *prev, *next; /* in the queue of its state */
};

struct conn_queue {
    struct conn *first, *last;
};

struct httpd_options {
    const char *root;
    uint32_t port;
    uint32_t cache_files;
    uint32_t header_ms, idle_ms, body_ms, send_ms;
    uint64_t body_max;
    struct httpd *cores; /* owned, a list: files come back until the contexts are gone */
};

struct httpd_counters {
    uint64_t accepted, refused, requests, bytes, by_class[6];
    uint64_t timeouts[CONN_STATES], aborted, blocked;
};

#define TEXT_BYTES_MAX 2048u /* an answer's head and a small body */

struct httpd {
    struct mr *m;
    struct httpd *next; /* the options' list */
    const struct httpd_options *opt;
    mr_sock listener;
    struct files files;
    struct tool_pool conns, bufs, texts;
    struct conn_queue queue[CONN_STATES];
    uint64_t limit_us[CONN_STATES];
    uint32_t open;
    bool ticking;
    uint64_t unix_s; /* what date says */
    uint64_t date_us;
    char date[HTTP_DATE_SIZE];
    struct httpd_counters count;
};

void httpd_accept(struct httpd *h);
/* Go on with a connection as far as it goes. */
void conn_pump(struct conn *c);
void conn_free(struct conn *c, bool reset);
void httpd_tick(struct httpd *h);
void conn_set_state(struct conn *c, enum conn_state state);

/* ---- answers (httpd_reply.c) ------------------------------------------------------ */

/* Answer a request that was parsed. */
void reply_request(struct conn *c, const struct http_request *r);
/* Answer with a page that says what is wrong, and finish the connection. */
void reply_error(struct conn *c, int status);

/* ---- sending (httpd_send.c) ------------------------------------------------------- */

/* Send on.  MR_OK: all of the answer is on its way; MR_EAGAIN; or an error. */
int reply_push(struct conn *c);
void reply_drop(struct conn *c);
size_t httpd_status(void *core, char *buf, size_t n);

/* ---- the application (httpd_app.c), as struct mr_app wants it --------------------- */

#define HTTPD_NAME "millrace-httpd"

/* arg: struct httpd_options.  MR_OK with a struct httpd, or the error, which has been told. */
int httpd_init(struct mr *m, void *arg, void **core_state);
void httpd_event(struct mr *m, void *core, const struct mr_event *ev);
/* No new connections; what is queued is still sent, what is not ends early. */
void httpd_fini(struct mr *m, void *core);
/* When all contexts are gone: the memory of all cores. */
void httpd_free(struct httpd *cores);
