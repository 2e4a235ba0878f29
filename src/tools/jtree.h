/* jtree: read a JSON text (RFC 8259) into a tree, for millrace-stat.
 *
 * Nodes lie in one array in the order of the text, a container before what it holds; strings stay
 * in the text, which must outlive the tree.  Escapes are not undone: our own writer makes few. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jtype { J_NULL, J_BOOL, J_NUMBER, J_STRING, J_ARRAY, J_OBJECT };

struct jnode {
    enum jtype type;
    const char *key; /* in an object; NULL elsewhere */
    int key_len;
    const char *text; /* of a scalar, quotes stripped */
    int len;
    uint32_t end; /* index behind the last node inside */
};

struct jtree {
    struct jnode *node; /* owned; node[0] is the root */
    uint32_t n;
};

/* False: not JSON, or out of memory; the tree is then empty. */
bool jtree_parse(struct jtree *t, const char *text, size_t n);
void jtree_fini(struct jtree *t);

/* First node inside i, or 0 if there is none; the next one beside i inside parent, or 0. */
uint32_t jtree_first(const struct jtree *t, uint32_t i);
uint32_t jtree_next(const struct jtree *t, uint32_t parent, uint32_t i);

/* The member `key` of object i, or 0. */
uint32_t jtree_member(const struct jtree *t, uint32_t i, const char *key);
/* Its value; 0 or "" if it is not there. */
uint64_t jtree_u64(const struct jtree *t, uint32_t object, const char *key);
const char *jtree_str(const struct jtree *t, uint32_t object, const char *key, int *len);
