/* Private to ofp's POF files: numbers at offsets, and what a dialect's blocks measure. */
#pragma once

#include "ofp/ofp_int.h"
#include "ofp/pof.h"

enum { POF_MATCH = 8, POF_MATCHX = 40, POF_ACTION = 48, POF_ENTRY_HEAD = 40 };
enum { POF_PORT = 120, POF_NAME = 64, POF_ERROR_TEXT = 256 };

/* Header of an instruction, what stands before its actions, and the actions. */
static inline uint32_t pof_instruction_size(enum ofp_dialect d)
{
    return 8u + 8u + POF_ACTION * pof_actions_max(d);
}

static inline uint32_t pof_entry_size(enum ofp_dialect d)
{
    return OFP_HLEN + POF_ENTRY_HEAD + POF_MATCHX * POF_FIELDS_MAX +
           pof_instructions_max(d) * pof_instruction_size(d);
}

static inline uint64_t pof_get64(const uint8_t *p)
{
    return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

static inline void pof_put64(uint8_t *p, uint64_t v)
{
    store_be32(p, (uint32_t)(v >> 32));
    store_be32(p + 4, (uint32_t)v);
}

/* A message of len bytes, all 0 but its header.  Returns its body, or NULL: it does not fit. */
uint8_t *pof_begin(enum ofp_dialect d, uint8_t *b, size_t cap, enum ofp_kind k, uint32_t xid,
                   size_t len);

void pof_text_get(char *to, const uint8_t *from); /* 64 bytes; what is no printable ASCII is '?' */
void pof_text_put(uint8_t *to, const char *from);

void pof_match_get(const uint8_t *p, struct pof_match *m);
void pof_match_put(uint8_t *p, const struct pof_match *m);
enum ofp_err pof_action_get(enum ofp_dialect d, const uint8_t *p, struct pof_action *a);
bool pof_action_put(enum ofp_dialect d, uint8_t *p, const struct pof_action *a);
enum ofp_err pof_instruction_get(enum ofp_dialect d, const uint8_t *p, struct pof_instruction *i);
bool pof_instruction_put(enum ofp_dialect d, uint8_t *p, const struct pof_instruction *i);

void pof_body_print(struct fmt *f, enum ofp_dialect d, const struct ofp_msg *m);
