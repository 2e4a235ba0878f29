/* pof_program: packet formats, tables and entries of POF switches, declared at run time.
 *
 * THEORY OF OPERATION
 *
 * A protocol is a name, the place where its header begins in a frame, and fields by offset and
 * length in bits.  A table is a name, a type, a size and the fields it matches.  A rule is an entry
 * of a table: values and masks for its fields, and steps: what is done.  All is said in words, so
 * that a file's reader and a REST request pass on strings and nobody else knows the grammar:
 *
 *     field    "label.ttl"; "meta.in_port" and "meta.len" are there from the beginning
 *     value    "17", "0x11", "00:11:22:33:44:55", "10.0.0.1"; with "/mask" of the same forms, after
 *              dots also "/24".  At most 128 bits
 *     step     "output 3"                   "drop"              "controller"
 *              "set label.id 0x22"          "set label.id from meta.in_port"
 *              "add label.ttl -1"           "insert label 0x00110a00"     "remove label"
 *              "checksum ip.sum over ip"    "count 5"   "group 3"   "meter 2"
 *              "write mine.id 0x12"         "write mine.id from label.id"
 *              "goto labels"                "forward": the controller's own forwarding
 *
 * Each adder returns false with a reason in `why` and leaves the program as it was.  The first
 * table is where a switch begins; it must be of type MM.  What no rule of a table matches goes on
 * to the table's miss step ("forward" for the first table, "drop" else).
 *
 * Steps are packed into a dialect's blocks when they are sent (pof_rule_build), so one program
 * serves both.  Pure; no memory but what is handed in. */
#pragma once

#include "ofp/pof.h"

#define POF_WORD 32u /* a name with its closing 0 */
#define POF_PROTOCOLS_MAX 32u
#define POF_PROGRAM_FIELDS_MAX 256u /* of all protocols together */
#define POF_TABLES_MAX 16u
#define POF_STEPS_MAX 24u
#define POF_FORWARD 0xffu /* as a table: the controller's own forwarding */

struct pof_protocol {
    char name[POF_WORD];
    uint16_t at, len; /* bits: where it begins in a frame; up to the end of its last field */
    bool metadata;
};

struct pof_field {
    char name[POF_WORD];
    uint8_t protocol;
    struct pof_match
        place; /* field: its index + 1, or POF_METADATA; offset from the frame's begin */
};

enum pof_step_kind {
    STEP_ACTION, /* action */
    STEP_GOTO,   /* table */
    STEP_METER,  /* action.arg */
    STEP_WRITE,  /* metadata action.at; value */
    STEP_COPY,   /* metadata at metadata_offset from packet action.at */
};
struct pof_step {
    enum pof_step_kind kind;
    uint8_t table; /* index into the program's, or POF_FORWARD */
    struct pof_action action;
};

struct pof_table_decl {
    char name[POF_WORD];
    enum pof_table_type type;
    uint32_t size;
    uint8_t fields;
    uint16_t field[POF_FIELDS_MAX]; /* indices into pof_program.field */
    uint16_t key_bits;
    struct pof_step miss;
};

struct pof_rule {
    uint64_t dpid; /* 0: every POF switch */
    uint32_t id;   /* given by who keeps it; names it in a deletion */
    uint8_t table;
    uint16_t priority;
    uint8_t steps;
    uint8_t value[POF_FIELDS_MAX][POF_VALUE_BYTES], mask[POF_FIELDS_MAX][POF_VALUE_BYTES];
    struct pof_step step[POF_STEPS_MAX];
};

struct pof_program {
    uint32_t protocols, fields, tables, rules, rules_max;
    struct pof_protocol protocol[POF_PROTOCOLS_MAX];
    struct pof_field field[POF_PROGRAM_FIELDS_MAX];
    struct pof_table_decl table[POF_TABLES_MAX];
    struct pof_rule *rule; /* borrowed from pof_program_init on */
};

/* An empty program with room for so many rules. */
void pof_program_init(struct pof_program *p, struct pof_rule *room, uint32_t rules_max);

/* at: bits from the frame's begin.  Fields follow with pof_program_field, for this protocol, the
 * last. */
bool pof_program_protocol(struct pof_program *p, const char *name, uint32_t at, struct fmt *why);
/* The same for fields in metadata; at >= 32, behind what the switch keeps there. */
bool pof_program_metadata(struct pof_program *p, const char *name, uint32_t at, struct fmt *why);
/* offset: bits from the protocol's begin, or -1: behind the field before. */
bool pof_program_field(struct pof_program *p, const char *name, int32_t offset, uint32_t bits,
                       struct fmt *why);

/* type: "MM", "LPM", "EM", "LINEAR".  Its fields follow with pof_program_key; then what a miss does
 * (optional).  All tables come before the first rule. */
bool pof_program_table(struct pof_program *p, const char *name, const char *type, uint32_t size,
                       struct fmt *why);
bool pof_program_key(struct pof_program *p, const char *field, struct fmt *why);
bool pof_program_miss(struct pof_program *p, const char *table, const char *step, struct fmt *why);

/* A rule is begun, then matched and given steps, then put into the program or sent to sdn_ask.  A
 * field that is not matched is any. */
bool pof_rule_begin(const struct pof_program *p, struct pof_rule *r, const char *table,
                    uint32_t priority, uint64_t dpid, struct fmt *why);
bool pof_rule_match(const struct pof_program *p, struct pof_rule *r, const char *field,
                    const char *value, struct fmt *why);
bool pof_rule_step(const struct pof_program *p, struct pof_rule *r, const char *step,
                   struct fmt *why);
/* Whole, and it fits the blocks of both dialects that it may go to (d; OFP_NONE: of either). */
bool pof_rule_check(const struct pof_program *p, const struct pof_rule *r, enum ofp_dialect d,
                    struct fmt *why);
bool pof_program_rule(struct pof_program *p, const struct pof_rule *r, struct fmt *why);
/* A rule in words, as a REST request has it; what SDN_DO_POF_ADD and SDN_DO_POF_DELETE carry
 * (sdn_ask.pof_entry).  A deletion names it by its id, or by table, priority and match. */
struct pof_rule_words {
    uint32_t id;
    uint64_t dpid;
    const char *table; /* NULL: not said */
    uint32_t priority, matches, steps;
    struct {
        const char *field, *value;
    } match[POF_FIELDS_MAX];
    const char *step[POF_STEPS_MAX];
};
bool pof_rule_read(const struct pof_program *p, struct pof_rule *r, const struct pof_rule_words *w,
                   struct fmt *why);
/* The program as a whole; to be called once when all is in. */
bool pof_program_check(const struct pof_program *p, struct fmt *why);

/* The two rules match the same with the same priority: a switch takes only one of them (it compares
 * values under their masks, not the masks). */
bool pof_rule_same(const struct pof_program *p, const struct pof_rule *a, const struct pof_rule *b);

/* The rule as an entry.  global: the switch's number of each of the program's tables, and of
 * forwarding in global[POF_TABLES_MAX].  Command, table's id and type, index are the caller's. */
bool pof_rule_build(const struct pof_program *p, const struct pof_rule *r, enum ofp_dialect d,
                    const uint8_t global[POF_TABLES_MAX + 1], struct pof_entry *out);

void pof_rule_print(struct fmt *f, const struct pof_program *p, const struct pof_rule *r);
/* "set label.id 0x22" again. */
void pof_step_print(struct fmt *f, const struct pof_program *p, const struct pof_step *s);
