/* Requests. */
#include "http/http_int.h"

#define TARGET_BYTES_MAX 8192u

/* "HTTP/" DIGIT "." DIGIT (RFC 9112 2.3).  200, 400 or 505. */
static int parse_version(struct http_str v, uint8_t *minor)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.')
        return 400;
    if (v.p[5] < '0' || v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
        return 400;
    *minor = (uint8_t)(v.p[7] - '0');
    return v.p[5] == '1' ? 200 : 505;
}

static enum http_method method_of(struct http_str m)
{
    if (http_str_eq(m, HTTP_STR("GET")))
        return HTTP_GET;
    if (http_str_eq(m, HTTP_STR("HEAD")))
        return HTTP_HEAD;
    if (http_str_eq(m, HTTP_STR("POST")))
        return HTTP_POST;
    return http_str_eq(m, HTTP_STR("OPTIONS")) ? HTTP_OPTIONS : HTTP_OTHER;
}

/* What it names is not judged here. */
static bool is_host(struct http_str h)
{
    size_t i = 0;

    while (i < h.n && http_is((uint8_t)h.p[i], HTTP_C_HOST))
        i++;
    return i == h.n;
}

/* RFC 9112 3.2.2: "http://host/path"; the host of the target wins. */
static bool parse_absolute(struct http_request *r, struct http_str *target)
{
    size_t host = 7, i = 7;

    if (target->n < 8 || !http_str_ieq(http_str_of(target->p, 7), HTTP_STR("http://")))
        return false;
    while (i < target->n && target->p[i] != '/' && target->p[i] != '?')
        i++;
    r->host = http_str_of(target->p + host, i - host);
    if (r->host.n == 0 || !is_host(r->host))
        return false;
    *target = http_str_of(target->p + i, target->n - i);
    if (target->n == 0)
        *target = HTTP_STR("/");
    return true;
}

/* RFC 9112 3.2: the four forms of a target.  The authority form belongs to
 * CONNECT, which will be refused as a method, not as a target. */
static bool parse_form(struct http_request *r, struct http_str *target)
{
    if (target->n == 0)
        return false;
    if (target->p[0] == '/')
        return true;
    if (http_str_eq(*target, HTTP_STR("*")))
        return r->method == HTTP_OPTIONS;
    return parse_absolute(r, target) || r->method == HTTP_OTHER;
}

static int parse_target(struct http_request *r, struct http_str target)
{
    size_t i = 0;

    if (target.n > TARGET_BYTES_MAX)
        return 414;
    for (size_t k = 0; k < target.n; k++)
        if (!http_is((uint8_t)target.p[k], HTTP_C_TARGET))
            return 400;
    if (!parse_form(r, &target))
        return 400;
    while (i < target.n && target.p[i] != '?')
        i++;
    r->path = i > 0 ? http_str_of(target.p, i) : HTTP_STR("/");
    if (i < target.n)
        r->query = http_str_of(target.p + i + 1, target.n - i - 1);
    return 200;
}

static size_t span(const char *p, const char *end, unsigned classes)
{
    const char *at = p;

    while (at < end && http_is((uint8_t)*at, classes))
        at++;
    return (size_t)(at - p);
}

/* "GET /path?query HTTP/1.1", which nearly every request begins with.  False: look closer. */
static bool parse_plain_line(struct http_request *r, struct http_str line)
{
    static const char get[4] = "GET ", version[9] = " HTTP/1.1";
    const char *p = line.p + sizeof(get), *end = line.p + line.n - sizeof(version);
    struct http_str query = {0};
    size_t path_n, query_n = 0;

    if (line.n <= sizeof(get) + sizeof(version) || line.n > TARGET_BYTES_MAX ||
        memcmp(line.p, get, sizeof(get)) != 0 || memcmp(end, version, sizeof(version)) != 0 ||
        *p != '/')
        return false;
    path_n = span(p, end, HTTP_C_PATH);
    if (p + path_n < end && p[path_n] == '?') {
        query = http_str_of(p + path_n + 1, span(p + path_n + 1, end, HTTP_C_TARGET));
        query_n = 1 + query.n;
    }
    if (p + path_n + query_n != end)
        return false;
    r->method = HTTP_GET;
    r->minor = 1;
    r->path = http_str_of(p, path_n);
    r->query = query;
    return true;
}

/* RFC 9112 3: method SP request-target SP HTTP-version. */
static int parse_request_line(struct http_request *r, struct http_str line)
{
    const char *end = line.p + line.n, *p = line.p, *target;
    int status;

    if (parse_plain_line(r, line))
        return 200;
    p += span(p, end, HTTP_C_TOKEN);
    if (p == line.p || p == end || *p != ' ')
        return 400;
    r->method = method_of(http_str_of(line.p, (size_t)(p - line.p)));
    target = ++p;
    while (p < end && *p != ' ')
        p++;
    if (p == end)
        return 400;
    status = parse_version(http_str_of(p + 1, (size_t)(end - p) - 1), &r->minor);
    return status != 200 ? status : parse_target(r, http_str_of(target, (size_t)(p - target)));
}

/* Fields that are kept as text.  Only the first of each counts: a condition or
 * range that is not honoured costs bytes, never correctness. */
static struct http_str *slot_of(struct http_request *r, struct http_str name)
{
    switch (name.n) {
    case 5:
        return http_name_is(name, HTTP_STR("range")) ? &r->range : NULL;
    case 8:
        if (http_name_is(name, HTTP_STR("if-match")))
            return &r->if_match;
        return http_name_is(name, HTTP_STR("if-range")) ? &r->if_range : NULL;
    case 13:
        return http_name_is(name, HTTP_STR("if-none-match")) ? &r->if_none_match : NULL;
    case 17:
        return http_name_is(name, HTTP_STR("if-modified-since")) ? &r->if_modified_since : NULL;
    case 19:
        return http_name_is(name, HTTP_STR("if-unmodified-since")) ? &r->if_unmodified_since : NULL;
    default:
        return NULL;
    }
}

struct parsing {
    struct http_request *r;
    struct http_framing framing;
    struct http_str host;
    bool expects_other;
};

static int take_field(struct parsing *p, struct http_str name, struct http_str value)
{
    struct http_str *slot = slot_of(p->r, name);

    if (slot != NULL) {
        if (slot->p == NULL)
            *slot = value;
        return 200;
    }
    if (http_name_is(name, HTTP_STR("host"))) {
        /* RFC 9112 3.2: a second one, or an invalid one, is answered 400. */
        if (p->host.p != NULL || !is_host(value))
            return 400;
        p->host = value;
        return 200;
    }
    if (http_name_is(name, HTTP_STR("expect"))) {
        p->r->expect_continue = http_str_ieq(value, HTTP_STR("100-continue"));
        p->expects_other = !p->r->expect_continue;
        return 200;
    }
    return http_framing_take(&p->framing, name, value);
}

/* What only the whole head can say. */
static int judge_head(struct parsing *p)
{
    struct http_request *r = p->r;
    const struct http_framing *f = &p->framing;

    if (r->host.p == NULL)
        r->host = p->host;
    /* RFC 9112 3.2: even an absolute target needs the field. */
    if (p->host.p == NULL && r->minor >= 1)
        return 400;
    /* RFC 9112 6.1 and 6.3: two framings, or one that HTTP/1.0 does not know, may
     * be an attempt to smuggle. */
    if ((f->chunked || f->other_coding) && (f->has_length || r->minor == 0))
        return 400;
    if (f->other_coding)
        return 501;
    if (p->expects_other)
        return 417;
    if (r->minor == 0)
        r->expect_continue = false;
    r->chunked = f->chunked;
    r->content_length = f->length;
    r->keep_alive = http_framing_persists(f, r->minor);
    return 200;
}

int http_request_parse(struct http_request *out, const uint8_t *b, size_t n)
{
    struct parsing p = {.r = out};
    struct http_lines lines = {.p = b, .end = b + n, .begin = b};
    struct http_str line, name, value;
    unsigned fields = 0;
    bool bad = false;
    int status = 200;

    memset(out, 0, sizeof(*out));
    while (lines.end - lines.p >= 2 && lines.p[0] == '\r' && lines.p[1] == '\n')
        lines.p += 2;
    if (!http_line_next(&lines, &line, &bad))
        return 400;
    status = parse_request_line(out, line);
    while (status == 200 && http_line_next(&lines, &line, &bad)) {
        if (++fields > HTTP_FIELDS_MAX)
            return 431;
        if (!http_field_split(line, &name, &value))
            return 400;
        status = take_field(&p, name, value);
    }
    if (status != 200)
        return status;
    if (bad || lines.p != lines.end)
        return 400;
    return judge_head(&p);
}
