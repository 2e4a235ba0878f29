/* Responses: parsing them for clients, emitting their heads for servers. */
#include "base/fmt.h"
#include "http/http_int.h"

/* RFC 9112 4: HTTP-version SP status-code SP [ reason-phrase ]; the second space
 * is often forgotten when there is no reason. */
static bool parse_status_line(struct http_response *r, struct http_str line)
{
    if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[8] != ' ')
        return false;
    if (line.p[7] < '0' || line.p[7] > '9' || (line.n > 12 && line.p[12] != ' '))
        return false;
    for (int i = 9; i < 12; i++) {
        if (line.p[i] < '0' || line.p[i] > '9')
            return false;
        r->status = r->status * 10 + (line.p[i] - '0');
    }
    r->minor = (uint8_t)(line.p[7] - '0');
    return r->status >= 100 && r->status < 600;
}

bool http_response_parse(struct http_response *out, const uint8_t *b, size_t n)
{
    struct http_lines lines = {.p = b, .end = b + n, .begin = b};
    struct http_framing f = {0};
    struct http_str line, name, value;
    bool bad = false;

    memset(out, 0, sizeof(*out));
    if (!http_line_next(&lines, &line, &bad) || !parse_status_line(out, line))
        return false;
    while (http_line_next(&lines, &line, &bad)) {
        if (!http_field_split(line, &name, &value))
            return false;
        if (http_framing_take(&f, name, value) != 200)
            return false;
    }
    if (bad || lines.p != lines.end || f.other_coding || (f.chunked && f.has_length))
        return false;
    out->chunked = f.chunked;
    out->has_length = f.has_length;
    out->content_length = f.length;
    out->keep_alive = http_framing_persists(&f, out->minor);
    return true;
}

const char *http_reason(int status)
{
    switch (status) {
    case 100:
        return "Continue";
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 206:
        return "Partial Content";
    case 301:
        return "Moved Permanently";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 412:
        return "Precondition Failed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 416:
        return "Range Not Satisfiable";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}

static void put(struct fmt *f, const char *text)
{
    fmt_str(f, text, http_str_z(text).n);
}

static void put_field(struct fmt *f, const char *name, const char *value)
{
    if (value == NULL)
        return;
    put(f, name);
    put(f, value);
    put(f, "\r\n");
}

static void put_range(struct fmt *f, const struct http_head *h)
{
    if (!h->has_range && !h->unsatisfied)
        return;
    put(f, "Content-Range: bytes ");
    if (h->has_range) {
        fmt_u64(f, h->range_first);
        fmt_char(f, '-');
        fmt_u64(f, h->range_last);
    } else {
        fmt_char(f, '*');
    }
    fmt_char(f, '/');
    fmt_u64(f, h->range_size);
    put(f, "\r\n");
}

size_t http_head_emit(char *buf, size_t size, const struct http_head *h)
{
    struct fmt f;

    fmt_init(&f, buf, size);
    put(&f, "HTTP/1.1 ");
    fmt_u64(&f, (uint64_t)h->status);
    fmt_char(&f, ' ');
    put_field(&f, http_reason(h->status), "");
    put_field(&f, "Date: ", h->date);
    put_field(&f, "Content-Type: ", h->type);
    if (h->has_length) {
        put(&f, "Content-Length: ");
        fmt_u64(&f, h->length);
        put(&f, "\r\n");
    }
    put_field(&f, "Last-Modified: ", h->last_modified);
    put_field(&f, "ETag: ", h->etag);
    put_range(&f, h);
    put_field(&f, "Location: ", h->location);
    put_field(&f, "Allow: ", h->allow);
    put_field(&f, "Accept-Ranges: ", h->accept_ranges ? "bytes" : NULL);
    put_field(&f, "Connection: ", h->close ? "close" : h->keep_alive ? "keep-alive" : NULL);
    put(&f, "\r\n");
    return f.cut ? 0 : f.len;
}
