/* ofd/network, private: the reader of the file. */
#pragma once

#include <yaml.h>

#include "ofd/network.h"

#define NETWORK_LINKS_MAX 4096u

struct network {
    struct sdn_static_link link[NETWORK_LINKS_MAX];
    uint32_t links;
    struct network_pof *pof; /* owned; NULL: none is declared */
};

/* Functions that return false have written a line into why: what is wrong where. */
struct reader {
    struct network *net; /* borrowed */
    const char *path;
    yaml_document_t doc;
    char *why;
    size_t why_n;
    char words[200]; /* of somebody who judges */
    struct fmt fmt;
};

bool reader_bad(struct reader *r, const yaml_node_t *at, const char *how, ...)
    __attribute__((format(printf, 3, 4)));
/* A scalar's text, or NULL. */
const char *reader_text(const yaml_node_t *n);
yaml_node_t *reader_node(struct reader *r, int index);
/* NULL: the mapping has no such member. */
yaml_node_t *reader_member(struct reader *r, const yaml_node_t *map, const char *name);
/* A mapping with no members but those: "name at fields". */
bool reader_is_map(struct reader *r, const yaml_node_t *n, const char *what, const char *members);
bool reader_number(struct reader *r, const yaml_node_t *n, const char *what, uint64_t max,
                   uint64_t *out);
/* Members that must be there. */
const char *reader_want_text(struct reader *r, const yaml_node_t *map, const char *name);
bool reader_want_number(struct reader *r, const yaml_node_t *map, const char *name, uint64_t max,
                        uint64_t *out);
typedef bool (*reader_item)(struct reader *r, const yaml_node_t *n, const void *arg);
/* Every item of a list; NULL is an empty one. */
bool reader_each(struct reader *r, const yaml_node_t *list, const char *what, reader_item take,
                 const void *arg);
/* What somebody has judged who writes his reasons to reader_words. */
bool reader_judged(struct reader *r, const yaml_node_t *n, bool good);
struct fmt *reader_words(struct reader *r);

/* network_pof.c */
bool network_pof_read(struct reader *r, const yaml_node_t *n);
const struct pof_program *network_pof_program(const struct network_pof *p);
void network_pof_free(struct network_pof *p);
