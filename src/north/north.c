#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "north/north_int.h"

#define REQUESTS_MAX 64u
#define REQUESTS_PER_IP 32u
#define SILENCE_S 10u

static const char default_listen[] = "127.0.0.1:8181";

/* ---- one request ---- */

static void call_free(struct call *c)
{
    json_decref(c->out);
    json_decref(c->body);
    if (!c->text_static)
        free(c->text);
    free(c->data);
    free(c);
}

static struct MHD_Response *call_response(struct call *c)
{
    struct MHD_Response *r;

    if (c->text == NULL && c->out != NULL) {
        c->text = json_dumps(c->out, JSON_COMPACT | JSON_ENCODE_ANY);
        c->text_n = c->text != NULL ? strlen(c->text) : 0;
        c->type = "application/json";
    }
    if (c->text == NULL)
        r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    else if (c->text_static)
        r = MHD_create_response_from_buffer(c->text_n, c->text, MHD_RESPMEM_PERSISTENT);
    else
        r = MHD_create_response_from_buffer(c->text_n, c->text, MHD_RESPMEM_MUST_FREE);
    if (r == NULL)
        return NULL;
    if (!c->text_static)
        c->text = NULL; /* the response's now */
    if (c->text_static)
        MHD_add_response_header(r, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; "
                                "script-src 'unsafe-inline'; connect-src 'self'");
    if (c->type != NULL)
        MHD_add_response_header(r, "Content-Type", c->type);
    if (c->status == 401)
        MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"millrace\"");
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(r, "X-Frame-Options", "DENY");
    return r;
}

static enum MHD_Result call_send(struct call *c)
{
    struct MHD_Response *r = call_response(c);
    enum MHD_Result done;

    if (r == NULL)
        return MHD_NO;
    done = MHD_queue_response(c->conn, c->status != 0 ? c->status : 200, r);
    MHD_destroy_response(r);
    return done;
}

/* The first look at a request, before its body: a wrong one need not send it. */
static bool call_begin(struct call *c, const char *method, const char *url)
{
    struct why w;
    unsigned status = route_find(c, strcmp(method, "HEAD") == 0 ? "GET" : method, url);

    if (status == 404)
        call_fail(c, 404, "path: nothing is called %.120s", url);
    else if (status == 405)
        call_fail(c, 405, "method: not %.20s here", method);
    else if (status == 0 && (status = guard(c->n, c->conn, c->route->access, &w)) != 0)
        call_fail(c, status, "%s", w.text);
    return status == 0;
}

/* False: more than a body may have. */
static bool call_data(struct call *c, const char *data, size_t n)
{
    if (c->data_n + n > BODY_MAX) {
        c->data_full = true;
        return false;
    }
    char *more = realloc(c->data, c->data_n + n);
    if (more == NULL) {
        c->data_full = true;
        return false;
    }
    memcpy(more + c->data_n, data, n);
    c->data = more;
    c->data_n += n;
    return true;
}

static void call_run(struct call *c)
{
    json_error_t e;

    if (c->data_full) {
        call_fail(c, 413, "body: more than %u bytes", BODY_MAX);
        return;
    }
    if (c->route->body != NULL && c->data_n != 0) {
        c->body = json_loadb(c->data, c->data_n, JSON_REJECT_DUPLICATES, &e);
        if (c->body == NULL || !json_is_object(c->body)) {
            call_fail(c, 400, "body: line %d column %d: %s", c->body == NULL ? e.line : 1,
                      c->body == NULL ? e.column : 1,
                      c->body == NULL ? e.text : "an object is wanted");
            return;
        }
    }
    if (c->route->body != NULL && c->route->verb != VERB_DELETE && c->body == NULL) {
        call_fail(c, 400, "body: is missing (%s)", c->route->body);
        return;
    }
    c->status = 200;
    c->route->handle(c);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_n, void **own)
{
    struct call *c = *own;
    (void)version;

    if (c == NULL) {
        c = calloc(1, sizeof(*c));
        if (c == NULL)
            return MHD_NO;
        *own = c;
        c->n = arg;
        c->conn = conn;
        return call_begin(c, method, url) ? MHD_YES : call_send(c);
    }
    if (*data_n != 0) {
        if (!c->data_full)
            call_data(c, data, *data_n);
        *data_n = 0;
        return MHD_YES;
    }
    if (c->status == 0)
        call_run(c);
    return call_send(c);
}

static void on_done(void *arg, struct MHD_Connection *conn, void **own,
                    enum MHD_RequestTerminationCode how)
{
    (void)arg, (void)conn, (void)how;
    if (*own != NULL)
        call_free(*own);
    *own = NULL;
}

/* Paths and arguments stay as they came: a '/' in a name is written %2F and is no separator. */
static size_t on_unescape(void *arg, struct MHD_Connection *conn, char *s)
{
    (void)arg, (void)conn;
    return strlen(s);
}

/* ---- open and close ---- */

struct where {
    struct sockaddr_storage ss;
    socklen_t len;
    bool loopback;
};

static bool where_read(const char *listen, struct where *at, struct why *w)
{
    char host[64];
    const char *colon = strrchr(listen, ':');
    struct sockaddr_in *v4 = (struct sockaddr_in *)&at->ss;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&at->ss;
    uint64_t port;

    *at = (struct where){0};
    if (!number_read(colon != NULL ? colon + 1 : listen, &port) || port > 65535 ||
        (colon != NULL && (size_t)(colon - listen) >= sizeof(host)))
        return why_say(w, "'%.80s' is not [ADDR:]PORT", listen);
    if (colon == NULL)
        snprintf(host, sizeof(host), "127.0.0.1");
    else
        snprintf(host, sizeof(host), "%.*s", (int)(colon - listen), listen);
    size_t n = strlen(host);
    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        at->len = sizeof(*v6);
        at->loopback = strcmp(host + 1, "::1") == 0;
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
            return true;
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        at->len = sizeof(*v4);
        if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
            at->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
            return true;
        }
    }
    return why_say(w, "'%.60s' is not an address", host);
}

static bool north_start(struct north *n, const struct north_config *c, struct why *w)
{
    const char *listen = c->listen != NULL ? c->listen : default_listen;
    struct where at;

    if (!where_read(listen, &at, w) || (c->token_file != NULL && !tokens_read(n, c->token_file, w)))
        return false;
    if (!n->has_tokens && !at.loopback)
        return why_say(w, "%s: without a token file only a loopback address may be listened on",
                       listen);
    n->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
            (at.ss.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0),
        0, NULL, NULL, on_request, n, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at.ss,
        MHD_OPTION_CONNECTION_LIMIT, REQUESTS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        REQUESTS_PER_IP, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S, MHD_OPTION_NOTIFY_COMPLETED,
        on_done, NULL, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
    if (n->daemon == NULL)
        return why_say(w, "%s: cannot be listened on", listen);
    n->port = MHD_get_daemon_info(n->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return true;
}

struct north *north_open(const struct north_config *c, char *why, size_t size)
{
    struct north *n = calloc(1, sizeof(*n));
    struct why w = {"out of memory"};

    if (n != NULL) {
        n->source = c->source;
        if (north_start(n, c, &w))
            return n;
        free(n);
    }
    snprintf(why, size, "%s", w.text);
    return NULL;
}

unsigned north_port(const struct north *n)
{
    return n->port;
}

void north_close(struct north *n)
{
    MHD_stop_daemon(n->daemon);
    free(n);
}
