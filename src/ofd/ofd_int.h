/* ofd, private. */
#pragma once

#include <pthread.h>

#include "ofd/ofd.h"

#define QUANTUM (128u << 10)
#define TURN_BYTES (512u << 10) /* of all connections */
#define HELD_MAX 32u
#define PLAIN_BYTES (16u << 10)
#define COPY_MAX 2048u /* a shorter piece of output is copied */
#define GIVE_WAY 10u /* when there is no place, a handshake may take this part of its time */
#define LINGER_US (2 * USEC_PER_SEC)
#define RETRY_US 500u /* nothing tells when another core has read, or a peer has acknowledged all */

/* ---- lists: in at most one of a kind -------------------------------------------------- */

struct link {
    struct link *next, *prev; /* NULL: in no list */
};

static inline void link_init(struct link *head)
{
    head->next = head->prev = head;
}

static inline bool link_is_in(const struct link *l)
{
    return l->next != NULL;
}

static inline bool link_is_empty(const struct link *head)
{
    return head->next == head;
}

static inline void link_append(struct link *head, struct link *l)
{
    l->prev = head->prev;
    l->next = head;
    l->prev->next = l->next->prev = l;
}

static inline void link_remove(struct link *l)
{
    if (!link_is_in(l))
        return;
    l->prev->next = l->next;
    l->next->prev = l->prev;
    *l = (struct link){0};
}

/* All of `from` is moved to `to`, which need not be initialised. */
static inline void link_take_all(struct link *to, struct link *from)
{
    link_init(to);
    if (link_is_empty(from))
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    link_init(from);
}

/* ---- connections ---------------------------------------------------------------------- */

enum conn_state {
    CONN_FREE,
    CONN_TLS,    /* TLS's handshake; sdn does not know it yet */
    CONN_UP,     /* it has a number of sdn's */
    CONN_LINGER, /* sdn has forgotten it; what was said last goes out */
};

struct ofd_conn {
    enum conn_state state;
    sdn_conn id;
    mr_sock sock;
    bool is_new;  /* counted in news */
    bool said_up; /* a line was written */
    bool has_out; /* out is lent */
    bool closing; /* sdn wants it closed once its output is taken; in timed */
    uint64_t dpid;
    const struct ofd_listener *listener; /* borrowed */
    struct mr_addr peer;

    struct mr_slice held[HELD_MAX];     /* received and not taken yet: [held_at, held_n), */
    uint32_t held_at, held_n, held_off; /* the first from held_off on */

    struct tls *tls; /* owned; NULL: in the clear */
    uint8_t *plain;  /* owned: PLAIN_BYTES */
    uint32_t plain_at, plain_n;

    struct sdn_out out;
    uint32_t out_off;

    struct link turn;  /* in core's later or stalled */
    struct link timed; /* in core's handshakes or lingering, by `until` */
    struct link alone; /* in core's alone: what is to be sent waits for acknowledgements */
    instant until;
    struct ofd_conn *same; /* of its bucket, by id; or the next free one */
};

/* A chunk that the stack has. */
struct give {
    struct ofd_core *core; /* borrowed */
    struct sdn_out out;
    struct give *next;
};

/* Questions to a core, from other threads. */
struct question {
    struct sdn_ask *q; /* borrowed from who waits */
    pthread_cond_t answered;
    enum { ASK_OPEN, ASK_ANSWERED, ASK_REFUSED } state;
    struct question *next;
};

struct questions {
    pthread_mutex_t lock;
    struct mr *m;                  /* NULL: the core does not turn yet */
    bool over;                     /* it does not turn any more */
    struct question *first, **end; /* not yet taken by the core */
    struct question *taken;        /* by it */
};

struct ofd_core {
    struct ofd *ofd; /* borrowed */
    struct mr *m;    /* borrowed */
    struct sdn *sdn;
    unsigned index;
    instant now;
    struct ofd_stats stats;

    void *sdn_memory; /* owned */
    size_t sdn_bytes;
    struct ofd_conn *conns; /* owned, max_conns */
    uint32_t max_conns, used_conns, live_conns;
    struct ofd_conn *free_conn;
    struct ofd_conn **bucket; /* owned, a power of two: by sdn's number */
    uint32_t buckets;
    uint32_t news; /* connections whose handshake is not over */
    struct link later, stalled, handshakes, lingering, alone;
    bool again;    /* we have knocked at ourselves */
    uint32_t left; /* of TURN_BYTES */

    struct give *gives; /* owned */
    uint32_t max_gives;
    struct give *free_give;

    uint64_t blocked; /* cores that took no letter, until the next try */
    instant timer_at; /* INSTANT_NEVER: no timer runs */
    mr_timer timer;
    instant say_at;    /* lines: when they were last counted, */
    uint32_t say_left; /* how many more there may be */
    uint64_t unsaid;
    uint8_t letter[SDN_LETTER_MAX];
};

struct ofd {
    struct ofd_config config;
    struct tls_context *tls;  /* owned; NULL: no listener wants it */
    struct store_file *store; /* owned; NULL: there is no such file */
    instant started;
    unsigned cores;
    struct questions questions[SDN_CORES_MAX];
    struct ofd_core core[SDN_CORES_MAX];
};

/* ---- core.c --------------------------------------------------------------------------- */

int ofd_init(struct mr *m, void *arg, void **core_state);
void ofd_event(struct mr *m, void *core_state, const struct mr_event *ev);
void ofd_fini(struct mr *m, void *core_state);
size_t ofd_status(void *core_state, char *buf, size_t n);
/* Another MR_EV_KNOCK, in the next turn. */
void core_again(struct ofd_core *c);

/* ---- conn.c --------------------------------------------------------------------------- */

int ofd_conns_init(struct ofd_core *c);
void ofd_conns_fini(struct ofd_core *c);
void ofd_conn_accept_all(struct ofd_core *c, mr_sock listener, const struct ofd_listener *l);
struct ofd_conn *ofd_conn_find(const struct ofd_core *c, sdn_conn id); /* or NULL */
void ofd_conn_readable(struct ofd_core *c, struct ofd_conn *k);
/* Read a quantum.  k may be free afterwards. */
void ofd_conn_read(struct ofd_core *c, struct ofd_conn *k);
/* Sdn knows it from now on; false: it has no room, and k is free. */
bool ofd_conn_begin(struct ofd_core *c, struct ofd_conn *k);
/* It is over at once: reset if `reset`, else closed.  why may be "".  k is free. */
void ofd_conn_gone(struct ofd_core *c, struct ofd_conn *k, bool reset, const char *why);
/* Sdn is done with it; the last words have a while to go out. */
void ofd_conn_linger(struct ofd_core *c, struct ofd_conn *k, const char *why);
/* In the next turn, those who were put off, and those who stalled if they can go on. */
void ofd_conns_later(struct ofd_core *c);
void ofd_conns_timed(struct ofd_core *c);
instant ofd_conns_deadline(const struct ofd_core *c);

/* ---- feed.c --------------------------------------------------------------------------- */

enum fed {
    FED_ALL,     /* what was held is taken */
    FED_STALLED, /* sdn takes no more now */
    FED_END,     /* the peer has finished (TLS) */
    FED_GONE,    /* k is free, or lingers */
};
/* Give sdn what is held. */
enum fed ofd_conn_feed(struct ofd_core *c, struct ofd_conn *k);
void ofd_conn_drop_held(struct ofd_core *c, struct ofd_conn *k);

/* ---- send.c --------------------------------------------------------------------------- */

int gives_init(struct ofd_core *c);
/* All that it has to say, as far as the network takes it; closes it if sdn wants that.  k may be
 * free afterwards. */
void ofd_conn_send(struct ofd_core *c, struct ofd_conn *k);
/* Records of TLS; false: the network takes no more now. */
bool ofd_conn_send_records(struct ofd_core *c, struct ofd_conn *k);
/* Every connection with news. */
void ofd_conns_send_ready(struct ofd_core *c);
/* Those whose next message waits for the acknowledgement of the last. */
void ofd_conns_send_alone(struct ofd_core *c);

/* ---- letters.c, asks.c, say.c --------------------------------------------------------- */

void letters_read(struct ofd_core *c);
void letters_post(struct ofd_core *c);

void questions_init(struct questions *qs);
void questions_begin(struct questions *qs, struct mr *m);
void questions_end(struct questions *qs);
bool ofd_ask(void *ofd, unsigned core, struct sdn_ask *q);
void questions_take(struct ofd_core *c);
void questions_answer(struct ofd_core *c);

/* ---- store_file.c: what operators have asked for, in a file --------------------------- */

/* Reads it, if it is there.  path is borrowed.  NULL, and why. */
struct store_file *store_file_open(struct ofd *o, const char *path, char *why, size_t n);
/* Into a core's sdn before its first connection; false: it is not such a file. */
bool store_file_load(struct store_file *f, struct sdn *s);
/* From now on it follows what core 0 keeps. */
void store_file_begin(struct store_file *f);
/* The last word, by core 0 itself. */
void store_file_save(struct store_file *f, const struct sdn *s);
/* After the last question was refused. */
void store_file_close(struct store_file *f);

/* A line on stderr about a switch or a connection, if there were not too many. */
void ofd_say(struct ofd_core *c, const char *how, ...) __attribute__((format(printf, 2, 3)));
