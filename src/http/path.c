/* Paths and types of resources. */
#include "http/http_int.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One decoded byte from s[*i], which moves on; -1 if it is malformed or NUL. */
static int next_byte(struct http_str s, size_t *i)
{
    int high, low;

    if (s.p[*i] == '\0')
        return -1;
    if (s.p[*i] != '%')
        return (uint8_t)s.p[(*i)++];
    if (s.n - *i < 3)
        return -1;
    high = hex(s.p[*i + 1]);
    low = hex(s.p[*i + 2]);
    *i += 3;
    return high < 0 || low < 0 || (high | low) == 0 ? -1 : high << 4 | low;
}

/* The segment out[start..n) is complete: drop it if it is empty or ".", and for
 * ".." the one before it too.  The new length, or -1: above the root. */
static int64_t end_segment(const char *out, size_t start, size_t n)
{
    size_t len = n - start;

    if (len == 0 || (len == 1 && out[start] == '.'))
        return (int64_t)start;
    if (len != 2 || out[start] != '.' || out[start + 1] != '.')
        return (int64_t)n;
    if (start == 1)
        return -1;
    for (start--; out[start - 1] != '/';)
        start--;
    return (int64_t)start;
}

/* A path without percent signs, whose segments are neither empty nor begin with a dot, is what it
 * decodes to.  Its length in out, or 0: look closer. */
static size_t copy_plain(char *out, size_t size, struct http_str path)
{
    char before = '/';

    if (path.n + 2 > size)
        return 0;
    for (size_t i = 1; i < path.n; i++) {
        char c = path.p[i];
        if (c == '%' || c == '\0' || (before == '/' && (c == '/' || c == '.')))
            return 0;
        out[i] = before = c;
    }
    return path.n;
}

/* Decoding comes first, so that "%2e%2e%2f" is what it looks like after it. */
int http_path_decode(char *out, size_t size, struct http_str path)
{
    size_t i = 0, n = 1, start = 1, plain;
    int64_t kept;

    if (path.n == 0 || path.p[0] != '/')
        return 400;
    if (size < 2)
        return 414;
    out[0] = '/';
    plain = copy_plain(out, size, path);
    if (plain != 0) {
        out[plain] = '\0';
        return 0;
    }
    for (i = 1; i < path.n;) {
        int c = next_byte(path, &i);
        if (c < 0)
            return 400;
        if (n + 2 > size)
            return 414;
        if (c != '/') {
            out[n++] = (char)c;
            continue;
        }
        kept = end_segment(out, start, n);
        if (kept < 0)
            return 400;
        /* A segment that stays is followed by its slash; a dropped one has it already. */
        n = (size_t)kept;
        if (out[n - 1] != '/')
            out[n++] = '/';
        start = n;
    }
    kept = end_segment(out, start, n);
    if (kept < 0)
        return 400;
    out[kept] = '\0';
    return 0;
}

/* RFC 3986 2.3: what needs no percent sign in a path. */
static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~' || c == '/';
}

size_t http_path_encode(char *out, size_t size, const char *path)
{
    size_t n = 0;

    for (; *path != '\0'; path++) {
        if (n + 4 > size)
            return 0;
        if (is_plain(*path)) {
            out[n++] = *path;
        } else {
            out[n++] = '%';
            out[n++] = "0123456789ABCDEF"[(uint8_t)*path >> 4];
            out[n++] = "0123456789ABCDEF"[(uint8_t)*path & 15];
        }
    }
    if (n >= size)
        return 0;
    out[n] = '\0';
    return n;
}

static const struct {
    char ending[8];
    char type[32];
} types[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/plain; charset=utf-8"},
    {"c", "text/plain; charset=utf-8"},
    {"h", "text/plain; charset=utf-8"},
    {"xml", "application/xml"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/x-icon"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"ttf", "font/ttf"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
};

static struct http_str ending_of(const char *path)
{
    struct http_str s = http_str_z(path);
    size_t dot = s.n;

    while (dot > 0 && s.p[dot - 1] != '.' && s.p[dot - 1] != '/')
        dot--;
    if (dot == 0 || s.p[dot - 1] == '/')
        return http_str_of(path, 0);
    return http_str_of(path + dot, s.n - dot);
}

const char *http_mime(const char *path)
{
    struct http_str ending = ending_of(path);

    for (size_t i = 0; ending.n > 0 && i < ARRAY_LEN(types); i++)
        if (http_str_ieq(ending, http_str_z(types[i].ending)))
            return types[i].type;
    return "application/octet-stream";
}
