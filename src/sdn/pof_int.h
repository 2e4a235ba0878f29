/* POF switches in the controller: what the files pof_*.c share.
 *
 *     pof_hello.c     the handshake, in its one order
 *     pof_send.c      one switch's tables, entries and ports on their way to it
 *     pof_forward.c   learning and shortest paths: two tables of entries
 *     pof_rules.c     the program: its tables and entries on a switch; changes at run time
 *     pof_ask.c       questions about all that
 *     pof_program.c   the program itself; pof_build.c, pof_words.c
 *
 * FORWARDING on a switch that tells no port with a packet and sends no packet for us:
 *
 *     S (in_port, dst, src)                 D (in_port, dst)
 *       01-80-C2-00-00-0x: to us alone        to where it came from: dropped
 *       from a link: on to D                  known destination: out
 *       known source at its port: on to D     else: a flood for each in_port, along the tree
 *       else: to us and on to D               else (from a link outside the tree): dropped
 *
 * "To us" is ADD_FIELD of 16 bits in front, SET_FIELD_FROM_METADATA of the port, PACKET_IN, and
 * DELETE_FIELD, so that the same packet goes on; a frame comes prefixed by `00 port` (pof.md).
 * USTC says the port itself.  No packet waits for us: what is unknown is flooded by the switch.
 *
 * SENDING.  What a switch should have is kept as slots that are wanted and slots that are there;
 * what differs waits in a queue in the order in which it began to differ, so that a match that
 * moves from one slot to another is taken away first.  What goes out together (one entry, or
 * several small messages) is less than the switch's receive buffer holds, and behind it goes an
 * ECHO_REQUEST; the next goes when it is answered, the buffer is empty then.  So whatever lies
 * between us may cut messages as it likes. */
#pragma once

#include "sdn/pof_program.h"
#include "sdn/sdn_int.h"

#define POF_SWITCHES_MAX 256u
#define POF_SLOTS_MAX 8192u /* of all tables of a switch */
#define POF_RULES_MAX 4096u
#define POF_TABLES_ALL (POF_TABLES_MAX + 2) /* the program's, S and D */
#define POF_NO_SLOT UINT32_MAX

/* The cookie of what sends frames to us with their port in front. */
#define POF_COOKIE_PORT UINT64_C(0x4d5200505254)

enum pof_slot_flags { SLOT_WANTED = 1, SLOT_THERE = 2, SLOT_QUEUED = 4 };

struct pof_slot {
    uint64_t
        key; /* what it is for; see pof_forward.c; of the program: the rule's id, 0: the miss */
    uint64_t arg;  /* what it does; when it changes the entry is written again */
    uint32_t next; /* in the queue */
    uint32_t seen; /* when it was last wanted, for the oldest to give way */
    uint8_t flags, tries;
};

struct pof_table_on {
    uint8_t type, id, global;
    bool made;
    uint32_t size, used; /* used: slots below were wanted at some time */
    uint32_t first;      /* its first slot in pof_on.slot */
};

enum pof_stage {
    STAGE_SHAKE,   /* the handshake */
    STAGE_TABLES,  /* TABLE_MOD for each table */
    STAGE_ENTRIES, /* the program, misses, floods */
    STAGE_PORTS,   /* PORT_MOD */
    STAGE_RUN,
};

#define POF_BATCH 24u

/* What belongs to one switch; sdn_switch.pof. */
struct pof_on {
    enum pof_stage stage;
    /* pof_hello.c */
    bool has_features, has_config, has_resources, asked_config;
    uint32_t ports_heard;
    instant asked_at, config_at;
    struct pof_resources resources;
    /* pof_send.c */
    uint32_t tables; /* of table[]: the program's first, then S and D */
    struct pof_table_on table[POF_TABLES_ALL];
    uint32_t table_next; /* the next TABLE_MOD */
    uint32_t queue, queue_last;
    bool fenced, deaf; /* waiting for an answer; it never answers */
    uint32_t fence_xid, silent;
    instant fence_at;
    uint32_t batch; /* messages since the last fence was answered */
    struct {
        uint32_t xid, slot;
    } sent[POF_BATCH];
    uint64_t entries_sent, refused;
    /* pof_forward.c */
    uint8_t global[POF_TABLES_MAX + 1];
    instant look_at;
    struct pof_slot slot[POF_SLOTS_MAX];
};

struct pof {
    struct pool switches; /* of struct pof_on */
    /* The program, and its rules as they are now. */
    bool has_program;
    struct pof_program program;
    uint32_t next_rule;
    uint64_t version;
    /* The seat: cores that missed a change, and what they have been told anew. */
    uint64_t behind;
    uint32_t told[SDN_CORES_MAX];
};

static inline struct pof_on *pof_on(const struct sdn_switch *sw)
{
    return sw->pof;
}

/* Table S and table D among on->table. */
static inline uint32_t pof_table_s(const struct pof_on *on)
{
    return on->tables - 2;
}
static inline uint32_t pof_table_d(const struct pof_on *on)
{
    return on->tables - 1;
}

/* ---- pof_send.c ---- */

/* The handshake is over: which tables there will be. */
bool send_plan(struct sdn *s, struct sdn_switch *sw);
/* The slot of table t with this key, or POF_NO_SLOT. */
uint32_t slot_find(const struct pof_on *on, uint32_t t, uint64_t key);
/* The same, taken for it if there was none; the oldest that is not `kept` gives way. */
uint32_t slot_take(struct sdn *s, struct pof_on *on, uint32_t t, uint64_t key);
/* It is wanted with this argument. */
void slot_want(struct sdn *s, struct pof_on *on, uint32_t slot, uint64_t arg);
void slot_drop(struct pof_on *on, uint32_t slot);
uint32_t slot_table(const struct pof_on *on, uint32_t slot);
void send_more(struct sdn *s, struct sdn_switch *sw);
void send_answered(struct sdn *s, struct sdn_switch *sw, uint32_t xid);
void send_refused(struct sdn *s, struct sdn_switch *sw, uint32_t xid,
                  const struct ofp_error_msg *e);
void send_advance(struct sdn *s, struct sdn_switch *sw);
/* Entries that are there. */
uint32_t send_there(const struct pof_on *on, uint32_t t);

/* ---- pof_forward.c ---- */

/* A slot that must not give way to others: one that is not for a host. */
bool forward_is_kept(uint64_t key);
void forward_begin(struct sdn *s, struct sdn_switch *sw); /* misses, LLDP, floods */
void forward_hosts(struct sdn *s, struct sdn_switch *sw); /* all that are known */
void forward_look(struct sdn *s, struct sdn_switch *sw);  /* floods and links as they are now */
void forward_packet(struct sdn *s, struct sdn_switch *sw, const struct ofp_packet_in *p);
void forward_build(struct sdn *s, struct sdn_switch *sw, uint32_t t, const struct pof_slot *slot,
                   struct pof_entry *e);
void forward_table(uint32_t which, struct pof_table *t); /* 0: S, 1: D */

/* ---- pof_rules.c ---- */

void rules_begin(struct sdn *s, struct sdn_switch *sw);
const struct pof_rule *rule_by_id(const struct pof *p, uint32_t id);
bool rules_build(struct sdn *s, struct sdn_switch *sw, uint32_t t, const struct pof_slot *slot,
                 struct pof_entry *e);
void rules_advance(struct sdn *s);
/* A command; the answer is made by the caller.  Returns an HTTP status. */
unsigned rules_add(struct sdn *s, const struct pof_rule *r, uint32_t *id, struct fmt *why);
unsigned rules_delete(struct sdn *s, uint32_t id, struct fmt *why);
