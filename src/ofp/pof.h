/* pof: what only Protocol-Oblivious Forwarding can say.
 *
 * THEORY OF OPERATION
 *
 * A POF switch knows no protocol.  A field is an offset and a length in bits, in the packet or in
 * the metadata that travels with it; a table is a list of such fields, made by TABLE_MOD; an entry
 * lies in a slot of its table that the controller chooses, and carries blocks of instructions of a
 * fixed size, one of which holds blocks of actions of a fixed size.  Nothing on the wire varies in
 * length: a FLOW_MOD is always 1,200 bytes (Huawei) or 2,192 (USTC).
 *
 * The structures here hold both dialects.  Values and masks are bytes from the left: the first bit
 * of a field is the highest bit of value[0], whatever its length; where a dialect wants a number
 * instead (Huawei's ADD_FIELD and WRITE_METADATA) the codec shifts.  What a structure holds and the
 * dialect cannot say makes an emitter return 0.
 *
 * Offsets and lengths: shared/reference/pof.md; where USTC's 1.4.0 has a type in front of an
 * operand (a number or the place of a field), the operand lies 4 bytes further than Huawei's.
 * DELETE_FIELD and GOTO_DIRECT_TABLE carry it in both places there: each reader finds it where it
 * looks. */
#pragma once

#include "ofp/ofp.h"

#define POF_FIELDS_MAX 8u
#define POF_KEY_BITS_MAX 320u
#define POF_VALUE_BYTES 16u
#define POF_VALUE_BITS 128u
#define POF_METADATA 0xffffu /* a field's id: it lies in the metadata */
#define POF_ACTIONS_MAX 6u   /* that the structures hold; see pof_actions_max */
#define POF_INSTRUCTIONS_MAX 6u
#define POF_GROUP_ACTIONS_MAX 4u
#define POF_FRAME_MAX 2048u

/* What the dialect has room for. */
uint32_t pof_actions_max(enum ofp_dialect d);      /* in one instruction: 4, or 6 */
uint32_t pof_instructions_max(enum ofp_dialect d); /* in one entry: 4, or 6 */

/* The switch's 2,560 bytes for what it receives: messages that lie in them together, whole, are
 * safe however the network cuts them (pof.md, last line). */
#define POF_SWITCH_BUFFER 2560u

/* ---- places and values --------------------------------------------------------------- */

struct pof_match {
    uint16_t field;       /* an id of our own, or POF_METADATA */
    uint16_t offset, len; /* bits */
};
struct pof_matchx {
    struct pof_match at;
    uint8_t value[POF_VALUE_BYTES], mask[POF_VALUE_BYTES]; /* from the left */
};

/* ---- tables -------------------------------------------------------------------------- */

enum pof_table_type { POF_MM, POF_LPM, POF_EM, POF_LINEAR, POF_TABLE_TYPES };
const char *pof_table_type_name(uint32_t t); /* "MM"; "?" */
enum { POF_TABLE_ADD = 0, POF_TABLE_MODIFY = 1, POF_TABLE_DELETE = 2 };

struct pof_table {
    uint8_t command, id, type; /* id: among those of its type */
    uint8_t fields;
    uint32_t size;     /* slots */
    uint16_t key_bits; /* at most POF_KEY_BITS_MAX */
    uint16_t slot;     /* USTC: of the device */
    char name[OFP_PORT_NAME];
    struct pof_match field[POF_FIELDS_MAX];
};
size_t pof_emit_table_mod(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct pof_table *t);
enum ofp_err pof_parse_table_mod(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct pof_table *out);

/* ---- actions ------------------------------------------------------------------------- */

enum pof_action_type {
    POFA_OUTPUT = 0,
    POFA_SET_FIELD = 1,
    POFA_SET_FIELD_FROM_METADATA = 2,
    POFA_MODIFY_FIELD = 3,
    POFA_ADD_FIELD = 4,
    POFA_DELETE_FIELD = 5,
    POFA_CALCULATE_CHECKSUM = 6,
    POFA_GROUP = 7,
    POFA_DROP = 8,
    POFA_PACKET_IN = 9,
    POFA_COUNTER = 10,
    POFA_TYPES
};
const char *pof_action_name(uint32_t type); /* "OUTPUT"; "?" */

struct pof_action {
    uint16_t type; /* enum pof_action_type */
    /* OUTPUT: the port; MODIFY_FIELD: what is added, modulo 2^32; GROUP, COUNTER: the id; DROP,
     * PACKET_IN: the reason; ADD_FIELD: the tag's id. */
    uint32_t arg;
    uint16_t slot; /* OUTPUT, USTC */
    /* OUTPUT: the metadata that goes before the packet, and where the packet begins (bytes);
     * SET_FIELD_FROM_METADATA: where the value is. */
    uint16_t metadata_offset, metadata_len, packet_offset;
    /* The place: SET_FIELD*, MODIFY_FIELD (at most 32 bits), ADD_FIELD, DELETE_FIELD (offset and
     * len), CALCULATE_CHECKSUM (of the checksum). */
    struct pof_match at;
    uint16_t over, over_len;                               /* CALCULATE_CHECKSUM: what is summed */
    uint8_t value[POF_VALUE_BYTES], mask[POF_VALUE_BYTES]; /* SET_FIELD, ADD_FIELD (value) */
    /* USTC: the port (OUTPUT) or the length (DELETE_FIELD) is read from the field `at`; CHECKSUM:
     * bit 0: the checksum lies in metadata, bit 1: what is summed does. */
    uint8_t by_field;
};

/* ---- instructions -------------------------------------------------------------------- */

enum pof_instruction_type {
    POFI_GOTO_TABLE = 1,
    POFI_WRITE_METADATA = 2,
    POFI_APPLY_ACTIONS = 4,
    POFI_METER = 6,
    POFI_WRITE_METADATA_FROM_PACKET = 7,
    POFI_GOTO_DIRECT_TABLE = 8,
    POFI_CONDITIONAL_JUMP = 9,   /* USTC */
    POFI_CALCULATE_FIELD = 10,   /* USTC */
    POFI_MOVE_PACKET_OFFSET = 11 /* USTC */
};
const char *pof_instruction_name(uint32_t type); /* "GOTO_TABLE"; "?" */

/* A number, or the place of one. */
struct pof_operand {
    bool by_field;
    bool backward; /* of a jump or a move */
    uint32_t number;
    struct pof_match at;
};

struct pof_instruction {
    uint16_t type; /* enum pof_instruction_type */
    uint8_t table; /* GOTO_*: the global id */
    uint8_t fields;
    uint8_t actions;
    uint16_t packet_offset;        /* GOTO_*: bytes; WRITE_METADATA_FROM_PACKET: bits */
    uint16_t metadata_offset, len; /* WRITE_METADATA*: bits */
    uint32_t arg; /* METER: the id; GOTO_DIRECT_TABLE: the slot; CALCULATE_FIELD: what */
    struct pof_operand
        operand[4];      /* USTC: [0] the second of a comparison or calculation, how far to move;
                                      [1..3] where to jump if less, equal, more */
    struct pof_match at; /* CONDITIONAL_JUMP, CALCULATE_FIELD: the first */
    uint8_t value[POF_VALUE_BYTES];         /* WRITE_METADATA; Huawei: at most 32 bits */
    struct pof_match field[POF_FIELDS_MAX]; /* GOTO_TABLE */
    struct pof_action action[POF_ACTIONS_MAX];
};

/* ---- entries ------------------------------------------------------------------------- */

enum { POF_ENTRY_ADD = 0, POF_ENTRY_MODIFY = 1, POF_ENTRY_DELETE = 3 };

struct pof_entry {
    uint8_t command, fields, instructions;
    uint8_t table, type;
    uint16_t slot; /* USTC: of the device */
    uint16_t idle_timeout, hard_timeout, priority;
    uint32_t counter;
    uint32_t index; /* the slot in the table, chosen by us */
    uint64_t cookie, cookie_mask;
    struct pof_matchx match[POF_FIELDS_MAX];
    struct pof_instruction instruction[POF_INSTRUCTIONS_MAX];
};
size_t pof_emit_entry(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                      const struct pof_entry *e);
enum ofp_err pof_parse_entry(enum ofp_dialect d, const struct ofp_msg *m, struct pof_entry *out);

/* ---- the rest ------------------------------------------------------------------------ */

struct pof_group {
    uint8_t command, type, actions; /* command: 0 add, 1 modify, 2 delete */
    uint32_t id, counter;
    uint16_t slot;
    struct pof_action action[POF_GROUP_ACTIONS_MAX];
};
size_t pof_emit_group(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                      const struct pof_group *g);
enum ofp_err pof_parse_group(enum ofp_dialect d, const struct ofp_msg *m, struct pof_group *out);

struct pof_meter {
    uint8_t command;
    uint16_t slot;
    uint32_t id, rate; /* Huawei: 16 bits */
};
size_t pof_emit_meter(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                      const struct pof_meter *t);
enum ofp_err pof_parse_meter(enum ofp_dialect d, const struct ofp_msg *m, struct pof_meter *out);

/* COUNTER_MOD, _REQUEST and _REPLY are one layout. */
enum { POF_COUNTER_ADD = 0, POF_COUNTER_DELETE = 1, POF_COUNTER_CLEAR = 2, POF_COUNTER_QUERY = 3 };
struct pof_counter {
    uint8_t command;
    uint16_t slot;
    uint32_t id;
    uint64_t value, bytes; /* bytes: USTC */
};
size_t pof_emit_counter(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                        enum ofp_kind kind, const struct pof_counter *c);
enum ofp_err pof_parse_counter(enum ofp_dialect d, const struct ofp_msg *m,
                               struct pof_counter *out);

struct pof_resources {
    uint8_t type;
    uint16_t slot;
    uint32_t counters, meters, groups;
    struct pof_resource {
        uint32_t dev, size; /* size: entries in all */
        uint8_t type, tables;
        uint16_t key_bits;
    } table[POF_TABLE_TYPES];
};
size_t pof_emit_resources(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                          const struct pof_resources *r);
enum ofp_err pof_parse_resources(enum ofp_dialect d, const struct ofp_msg *m,
                                 struct pof_resources *out);

/* USTC.  slot 0xffff: all of them. */
size_t pof_emit_queryall(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, uint16_t slot);

/* PORT_MOD whole; of_enable is what a switch obeys. */
enum ofp_err pof_parse_port_mod(enum ofp_dialect d, const struct ofp_msg *m, struct ofp_port *out);
size_t pof_emit_error(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid, uint16_t type,
                      uint16_t code, uint32_t dev, const char *text);

/* PACKET_OUT with POF's own actions.  USTC only. */
struct pof_packet_out {
    uint32_t buffer_id, in_port;
    uint8_t actions;
    struct pof_action action[POF_ACTIONS_MAX];
    const uint8_t *frame; /* borrowed */
    uint32_t frame_len;   /* at most POF_FRAME_MAX */
};
size_t pof_emit_out(enum ofp_dialect d, uint8_t *b, size_t cap, uint32_t xid,
                    const struct pof_packet_out *p);
enum ofp_err pof_parse_out(enum ofp_dialect d, const struct ofp_msg *m, struct pof_packet_out *out);

void pof_match_print(struct fmt *f, const struct pof_match *m); /* "{96,16}", "meta{16,8}" */
void pof_action_print(struct fmt *f, const struct pof_action *a);
void pof_entry_print(struct fmt *f, const struct pof_entry *e);

/* ---- bits ---------------------------------------------------------------------------- */

/* len bits at bit `from` of src become those at bit `to` of dst; the rest of dst stays. */
void pof_bits_copy(uint8_t *dst, uint32_t to, const uint8_t *src, uint32_t from, uint32_t len);
uint64_t pof_bits_get(const uint8_t *src, uint32_t from, uint32_t len); /* len <= 64 */
void pof_bits_set(uint8_t *dst, uint32_t to, uint32_t len, uint64_t v); /* the low len bits of v */
