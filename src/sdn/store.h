/* What operators have asked for: flows, groups, meters, as OpenFlow 1.3 bytes.
 *
 * The seat gives each command a number and sends it to every core, itself included; each applies it
 * to its copy in the order of the numbers.  The core that has the switch sends it on with a barrier
 * and tells the seat what became of it; the others say that they have not got it.  No letter of
 * these is ever lost: what a core cannot take now is sent later (store_op.c), so copies never
 * differ.
 *
 *     ask -> store_op.c (seat) -- STORE_DO --> store.c: copy --> store_send.c: switch, barrier
 *                ^                                                     |
 *                +------------------- STORE_RESULT --------------------+
 *
 * On every connection what is kept is installed: groups and meters, flows, then a barrier. */
#pragma once

#include "sdn/sdn_int.h"

#define STORED_BYTES 2000u

enum stored_kind { STORED_GROUP, STORED_METER, STORED_FLOW, STORED_KINDS };
enum stored_state {
    STATE_WAITING,   /* not at the switch, or nobody knows yet */
    STATE_INSTALLED, /* behind a barrier */
    STATE_REFUSED,   /* by the switch: err */
    STATE_DOOMED,    /* to be deleted from the switch, then from here */
};

struct stored {
    struct stored *next; /* of the same hash, by seq */
    uint64_t dpid, seq;
    uint8_t kind, state; /* enum stored_kind, stored_state */
    uint16_t n, err_type, err_code;
    uint8_t bytes[STORED_BYTES];
};

enum store_what {
    STORE_DO = 1, /* seat to all: a command */
    STORE_DROP,   /* seat to all: seq was refused, forget it */
    STORE_RESULT, /* to the seat: of seq */
    STORE_STATE,  /* to the seat: the stored ones of dpid (seq 0: all) are so at the switch */
};
enum store_command {
    STORE_PUT,
    STORE_MODIFY,
    STORE_MODIFY_STRICT,
    STORE_DELETE,
    STORE_DELETE_STRICT,
    STORE_CLEAR
};
struct store_note {
    uint8_t what, kind, command; /* enum store_what, stored_kind, store_command */
    uint8_t keep, state;         /* keep what is put; STORE_STATE */
    uint8_t slot;                /* of the seat's op */
    uint16_t status, err_type, err_code, n;
    uint64_t seq, dpid;
    uint8_t bytes[STORED_BYTES]; /* n of them */
};
#define NOTE_HEAD (offsetof(struct store_note, bytes))

#define STORE_OPS 64u
#define STORE_RESULTS 64u

/* The seat's: a command under way. */
struct store_op {
    struct store_note note;
    struct sdn_ask *q;                   /* NULL: answered */
    uint64_t sent, said;                 /* bit a core: has the letter; has answered it */
    uint16_t status, err_type, err_code; /* of the core that has the switch; 0: none has */
    uint8_t dialect;
    instant until;
};

struct store {
    struct pool pool;
    struct stored **bucket;
    uint32_t mask, n;
    uint64_t version, seq;
    struct store_op *op; /* a ring; seat only */
    uint32_t op_first, op_n;
    /* Letters to the seat that found no room. */
    struct store_note *wait;
    uint32_t wait_n;
    uint32_t sending; /* switches that have not got everything yet */
};

/* store.c */
struct stored *stored_first(const struct store *st, uint64_t dpid);
struct stored *stored_next(const struct stored *e);
struct stored *stored_find(const struct store *st, uint64_t dpid, uint64_t seq);
void stored_remove(struct sdn *s, struct stored *e);
/* Applies a command to this copy; doom: what is to be deleted from a switch of this core by CLEAR
 * stays as STATE_DOOMED.  False: no room, or too long. */
bool store_apply(struct sdn *s, const struct store_note *c, bool doom);
void ask_stored(struct sdn *s, struct sdn_ask *q);

/* store_send.c: this core's switches */
void store_send(struct sdn *s, const struct store_note *c);
void store_send_advance(struct sdn *s);
/* To the seat, which may be this core. */
void store_tell(struct sdn *s, const struct store_note *n);

/* store_op.c: the seat */
void store_op_begin(struct sdn *s, struct sdn_ask *q);
void store_op_told(struct sdn *s, unsigned from, const struct store_note *n);
void store_op_advance(struct sdn *s);
