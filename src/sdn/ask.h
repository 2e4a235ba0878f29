/* Questions: what the files that answer them share. */
#pragma once

#include "sdn/sdn_int.h"
#include "stat/json.h"

/* Questions that wait for a switch. */
#define ASKS_WAITING 64u

struct ask_wait {
    struct sdn_ask *q; /* NULL: free */
    sdn_conn conn;
    uint32_t generation;
    unsigned stage; /* of a question with several requests */
    struct json j;  /* the answer so far */
    instant until;
};

/* How often a datapath has come and gone, on this core. */
struct ask_known {
    uint64_t dpid;
    uint32_t ups, downs; /* ups 0: the place is free */
};

struct asks {
    struct ask_known *known; /* open addressing, never emptied */
    uint32_t known_mask;
    struct sdn_ask *answered, **answered_end;
    uint32_t waiting; /* of these */
    struct ask_wait wait[ASKS_WAITING];
};

/* q waits for sw: a ticket for xid_note, 0: too many do (q is answered). */
uint64_t ask_wait(struct sdn *s, struct sdn_ask *q, const struct sdn_switch *sw);
/* It waits no longer; its question, which is to be answered now. */
struct sdn_ask *ask_wait_over(struct sdn *s, struct ask_wait *w);
struct ask_wait *ask_waiting(const struct sdn *s, uint64_t ticket); /* NULL: stale */
/* The switch of q->dpid on this core; NULL: q is answered (404, or 421 and where). */
struct sdn_switch *ask_switch_of(struct sdn *s, struct sdn_ask *q);
/* The answer is this text. */
void ask_text(struct sdn *s, struct sdn_ask *q, unsigned status, const char *text);
/* The answer is what j holds: 413 if it did not fit. */
void ask_json(struct sdn *s, struct sdn_ask *q, struct json *j);
/* A barrier whose reply ask_barrier is told of. */
bool ask_say_barrier(struct sdn *s, struct sdn_switch *sw, uint64_t ticket);

/* A counter.  One that a switch does not keep is all ones (1.3.5, A.3.5), and readers of JSON
 * commonly refuse a whole document for a number above 2^63 - 1, so that is the most said. */
static inline void ask_json_count(struct json *j, const char *key, uint64_t v)
{
    json_u64(j, key, v < INT64_MAX ? v : INT64_MAX);
}

/* {"key": [...]} from q->cursor on, as many as fit. */
struct ask_list {
    struct sdn_ask *q;
    struct json j, before;
    uint64_t at, kept;
    bool full;
};
void ask_list_begin(struct ask_list *l, struct sdn_ask *q, const char *key);
/* The next item is to be written. */
bool ask_list_wants(struct ask_list *l);
/* It is written; false: it did not fit, and is taken back. */
bool ask_list_kept(struct ask_list *l);
void ask_list_end(struct sdn *s, struct ask_list *l);

/* ask_flow.c: members of the object that is open. */
void ask_json_dpid(struct json *j, const char *key, uint64_t dpid);
void ask_json_mac(struct json *j, const char *key, const struct mac_addr *m);
void ask_json_match(struct json *j, const struct ofp_match *m);
void ask_json_actions(struct json *j, const struct ofp_actions *a);
/* table_id ... match, actions. */
void ask_json_flow(struct json *j, const struct ofp_flow *f);

/* A datapath has come (or gone). */
void ask_known(struct sdn *s, uint64_t dpid, bool up);
void ask_datapaths(struct sdn *s, struct sdn_ask *q);
/* ask_switch.c, ask_net.c, ask_stats.c, ask_do.c, store.c */
void ask_switches(struct sdn *s, struct sdn_ask *q, bool with_ports);
void ask_switch(struct sdn *s, struct sdn_ask *q);
void ask_macs(struct sdn *s, struct sdn_ask *q);
void ask_events(struct sdn *s, struct sdn_ask *q);
void ask_counters(struct sdn *s, struct sdn_ask *q);
void ask_links(struct sdn *s, struct sdn_ask *q);
void ask_hosts(struct sdn *s, struct sdn_ask *q);
void ask_host(struct sdn *s, struct sdn_ask *q);
void ask_paths(struct sdn *s, struct sdn_ask *q);
void ask_stats(struct sdn *s, struct sdn_ask *q);
void ask_do(struct sdn *s, struct sdn_ask *q);
void ask_stored(struct sdn *s, struct sdn_ask *q);
void ask_store_file(struct sdn *s, struct sdn_ask *q);
void store_op_begin(struct sdn *s, struct sdn_ask *q);
