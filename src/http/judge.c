/* Conditional requests (RFC 9110 13) and ranges (14). */
#include "base/fmt.h"
#include "http/http_int.h"

void http_etag_emit(char out[HTTP_ETAG_SIZE], uint64_t mtime_ns, uint64_t size)
{
    fmt_print(out, HTTP_ETAG_SIZE, "\"%llx-%llx\"", (unsigned long long)mtime_ns,
              (unsigned long long)size);
}

/* RFC 9110 8.8.3.2: our tags are strong, so a weak comparison only ignores the
 * other's "W/". */
static bool etag_matches(struct http_str item, struct http_str ours, bool weak)
{
    if (weak && item.n > 2 && item.p[0] == 'W' && item.p[1] == '/')
        item = http_str_of(item.p + 2, item.n - 2);
    return http_str_eq(item, ours);
}

static bool list_matches(struct http_str list, struct http_str ours, bool weak)
{
    struct http_str item;

    while (http_list_next(&list, &item))
        if (http_str_eq(item, HTTP_STR("*")) || etag_matches(item, ours, weak))
            return true;
    return false;
}

/* Steps 1 to 4 of RFC 9110 13.2.2: 200 (go on), 304 or 412. */
static int judge_conditions(const struct http_request *r, const struct http_resource *f,
                            uint64_t now_s)
{
    uint64_t t;

    if (r->if_match.p != NULL) {
        if (!list_matches(r->if_match, http_str_z(f->etag), false))
            return 412;
    } else if (r->if_unmodified_since.p != NULL &&
               http_date_parse(r->if_unmodified_since, now_s, &t) && f->mtime_s > t) {
        return 412;
    }
    if (r->if_none_match.p != NULL)
        return list_matches(r->if_none_match, http_str_z(f->etag), true) ? 304 : 200;
    if (r->if_modified_since.p != NULL && http_date_parse(r->if_modified_since, now_s, &t) &&
        f->mtime_s <= t)
        return 304;
    return 200;
}

/* RFC 9110 13.1.5: the range counts only if the resource is still the one the
 * client has the rest of. */
static bool range_still_counts(const struct http_request *r, const struct http_resource *f,
                               uint64_t now_s)
{
    uint64_t t;

    if (r->if_range.p == NULL)
        return true;
    if (r->if_range.n > 0 && (r->if_range.p[0] == '"' || r->if_range.p[0] == 'W'))
        return etag_matches(r->if_range, http_str_z(f->etag), false);
    return http_date_parse(r->if_range, now_s, &t) && t == f->mtime_s;
}

enum range_kind { RANGE_NONE, RANGE_ONE, RANGE_NOWHERE };

/* RFC 9110 14.1.2: first-last, first-, or -suffix. */
static enum range_kind parse_spec(struct http_str spec, uint64_t size, uint64_t *first,
                                  uint64_t *last)
{
    size_t dash = 0;
    struct http_str a, b;

    while (dash < spec.n && spec.p[dash] != '-')
        dash++;
    if (dash == spec.n)
        return RANGE_NONE;
    a = http_str_of(spec.p, dash);
    b = http_str_of(spec.p + dash + 1, spec.n - dash - 1);
    if (a.n == 0) {
        uint64_t suffix;
        if (!http_str_u64(b, &suffix))
            return RANGE_NONE;
        if (suffix == 0 || size == 0)
            return RANGE_NOWHERE;
        *first = suffix >= size ? 0 : size - suffix;
        *last = size - 1;
        return RANGE_ONE;
    }
    *last = UINT64_MAX;
    if (!http_str_u64(a, first) || (b.n > 0 && !http_str_u64(b, last)) || *last < *first)
        return RANGE_NONE;
    if (*first >= size)
        return RANGE_NOWHERE;
    if (*last >= size)
        *last = size - 1;
    return RANGE_ONE;
}

static enum range_kind parse_range(struct http_str range, uint64_t size, uint64_t *first,
                                   uint64_t *last)
{
    struct http_str spec, more;

    if (range.n < 6 || !http_str_ieq(http_str_of(range.p, 6), HTTP_STR("bytes=")))
        return RANGE_NONE;
    range = http_str_of(range.p + 6, range.n - 6);
    if (!http_list_next(&range, &spec) || http_list_next(&range, &more))
        return RANGE_NONE;
    return parse_spec(spec, size, first, last);
}

struct http_verdict http_judge(const struct http_request *r, const struct http_resource *f,
                               uint64_t now_s)
{
    struct http_verdict v = {.status = judge_conditions(r, f, now_s), .count = f->size};
    uint64_t first = 0, last = 0;
    enum range_kind kind = RANGE_NONE;

    /* RFC 9110 14.2: Range is defined for GET only. */
    if (v.status == 200 && r->method == HTTP_GET && r->range.p != NULL &&
        range_still_counts(r, f, now_s))
        kind = parse_range(r->range, f->size, &first, &last);
    switch (kind) {
    case RANGE_NONE:
        break;
    case RANGE_ONE:
        v = (struct http_verdict){.status = 206, .first = first, .count = last - first + 1};
        break;
    case RANGE_NOWHERE:
        v = (struct http_verdict){.status = 416};
        break;
    }
    if (v.status == 304 || v.status == 412)
        v.count = 0;
    return v;
}
