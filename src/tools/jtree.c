#include "tools/jtree.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

struct reader {
    const char *at, *end;
    struct jtree *t;
    uint32_t room;
};

static bool read_value(struct reader *r, const char *key, int key_len, int depth);

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->at >= r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool add(struct reader *r, struct jnode node)
{
    if (r->t->n == r->room) {
        uint32_t room = r->room ? r->room * 2 : 256;
        struct jnode *grown = realloc(r->t->node, room * sizeof(*grown));
        if (!grown)
            return false;
        r->t->node = grown;
        r->room = room;
    }
    node.end = r->t->n + 1;
    r->t->node[r->t->n++] = node;
    return true;
}

static bool read_string(struct reader *r, const char **text, int *len)
{
    const char *p;

    if (!take(r, '"'))
        return false;
    for (p = r->at; p < r->end && *p != '"'; p++)
        if (*p == '\\')
            p++;
    if (p >= r->end)
        return false;
    *text = r->at;
    *len = (int)(p - r->at);
    r->at = p + 1;
    return true;
}

static bool read_members(struct reader *r, bool object, int depth)
{
    char close = object ? '}' : ']';

    if (take(r, close))
        return true;
    do {
        const char *key = NULL;
        int key_len = 0;
        if (object && (!read_string(r, &key, &key_len) || !take(r, ':')))
            return false;
        if (!read_value(r, key, key_len, depth + 1))
            return false;
    } while (take(r, ','));
    return take(r, close);
}

static bool read_container(struct reader *r, struct jnode node, int depth)
{
    uint32_t at = r->t->n;

    node.type = *r->at++ == '{' ? J_OBJECT : J_ARRAY;
    if (depth > DEPTH_MAX || !add(r, node) || !read_members(r, node.type == J_OBJECT, depth))
        return false;
    r->t->node[at].end = r->t->n;
    return true;
}

static bool read_word(struct reader *r, struct jnode node)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at && strchr("+-.eE0123456789truefalsn", *r->at))
        r->at++;
    node.text = from;
    node.len = (int)(r->at - from);
    node.type = node.len == 0       ? J_NULL
                : *from == 'n'      ? J_NULL
                : strchr("tf", *from) ? J_BOOL
                                      : J_NUMBER;
    return node.len > 0 && add(r, node);
}

static bool read_value(struct reader *r, const char *key, int key_len, int depth)
{
    struct jnode node = {.key = key, .key_len = key_len};

    skip_blanks(r);
    if (r->at >= r->end)
        return false;
    if (*r->at == '{' || *r->at == '[')
        return read_container(r, node, depth);
    if (*r->at != '"')
        return read_word(r, node);
    node.type = J_STRING;
    return read_string(r, &node.text, &node.len) && add(r, node);
}

bool jtree_parse(struct jtree *t, const char *text, size_t n)
{
    struct reader r = {text, text + n, t, 0};

    *t = (struct jtree){0};
    if (read_value(&r, NULL, 0, 0)) {
        skip_blanks(&r);
        if (r.at == r.end)
            return true;
    }
    jtree_fini(t);
    return false;
}

void jtree_fini(struct jtree *t)
{
    free(t->node);
    *t = (struct jtree){0};
}

uint32_t jtree_first(const struct jtree *t, uint32_t i)
{
    return i < t->n && t->node[i].end > i + 1 ? i + 1 : 0;
}

uint32_t jtree_next(const struct jtree *t, uint32_t parent, uint32_t i)
{
    return t->node[i].end < t->node[parent].end ? t->node[i].end : 0;
}

uint32_t jtree_member(const struct jtree *t, uint32_t i, const char *key)
{
    size_t n = strlen(key);

    for (uint32_t k = jtree_first(t, i); k; k = jtree_next(t, i, k))
        if (t->node[k].key && (size_t)t->node[k].key_len == n &&
            memcmp(t->node[k].key, key, n) == 0)
            return k;
    return 0;
}

uint64_t jtree_u64(const struct jtree *t, uint32_t object, const char *key)
{
    uint32_t k = jtree_member(t, object, key);

    return k && t->node[k].type == J_NUMBER ? strtoull(t->node[k].text, NULL, 10) : 0;
}

const char *jtree_str(const struct jtree *t, uint32_t object, const char *key, int *len)
{
    uint32_t k = jtree_member(t, object, key);

    *len = k && t->node[k].type == J_STRING ? t->node[k].len : 0;
    return *len ? t->node[k].text : "";
}
