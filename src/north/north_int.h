/* north, private.
 *
 *   north.c    open and close; one request from its first byte to its answer
 *   guard.c    who may: tokens, loopback, other sites' pages
 *   route.c    the table of routes, and finding one
 *   openapi.c  the same table as a document
 *   gather.c   questions to cores, and merging what they say
 *   field.c    values of match fields, from JSON
 *   body.c     flows, groups and meters in our manner and Ryu's
 *   onos_in.c  the same in ONOS's
 *   ours.c onos.c ryu.c    what the routes do
 *   topology.c switches, links and hosts in all three manners
 *   metrics.c  Prometheus's text
 *   pof.c      POF entries */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include "north/north.h"

#define BODY_MAX (1u << 20)
#define ARGS_MAX 4u
#define TOKENS_MAX 64u
#define TOKEN_MAX 128u

/* What is wrong, for the one who asked. */
struct why {
    char text[256];
};
/* Always false. */
bool why_say(struct why *w, const char *how, ...) FMT_LIKE(2, 3);

enum access { ACCESS_OPEN, ACCESS_READ, ACCESS_WRITE };

struct token {
    char word[TOKEN_MAX];
    bool writes;
};

struct north {
    struct north_source source;
    struct MHD_Daemon *daemon;
    unsigned port;
    bool has_tokens;
    unsigned n_tokens;
    struct token token[TOKENS_MAX];
};

enum verb { VERB_GET, VERB_POST, VERB_PUT, VERB_DELETE, VERBS };

struct route;

/* A request under way. */
struct call {
    struct north *n;
    const struct route *route;
    struct MHD_Connection *conn;
    char arg[ARGS_MAX][128]; /* what stood for {..} in the path, decoded */
    char *data;              /* owned; the body */
    size_t data_n;
    bool data_full;
    json_t *body; /* owned; NULL: none */
    /* The answer. */
    unsigned status;
    json_t *out; /* owned */
    char *text;  /* owned; or borrowed where text_static is set */
    size_t text_n;
    bool text_static;
    const char *type; /* of text */
};

typedef void (*handler)(struct call *c);

struct route {
    enum verb verb;
    enum access access;
    const char *path; /* "/v1/switches/{dpid}/ports" */
    handler handle;
    const char *body; /* name of the body's schema; NULL: none is read */
    const char *says; /* a sentence */
};

/* route.c */
extern const struct route routes[];
extern const size_t n_routes;
/* 0 and c->route, c->arg; 404: no such path; 405: not this verb. */
unsigned route_find(struct call *c, const char *verb, const char *path);
const char *verb_name(enum verb v);
/* %xx undone; false: malformed or longer than cap. */
bool url_decode(const char *s, size_t n, char *out, size_t cap);

/* guard.c */
bool tokens_read(struct north *n, const char *path, struct why *w);
/* 0: it may; 401 or 403 and why. */
unsigned guard(const struct north *n, struct MHD_Connection *conn, enum access a, struct why *w);

/* gather.c */
void call_fail(struct call *c, unsigned status, const char *how, ...) FMT_LIKE(3, 4);
/* What is answered; NULL: nothing, because c is answered already. */
static inline void call_reply(struct call *c, json_t *out)
{
    if (out != NULL)
        c->out = out;
}
/* The argument of the query, decoded into buf; false: not there. */
bool call_query(const struct call *c, const char *name, char *buf, size_t cap);
/* Ask one core; on 421 the one it names.  What it said (the caller's), or NULL: c is answered. */
json_t *ask_one(struct call *c, unsigned core, struct sdn_ask *q);
/* A list to its end, from one core or from all, as one array; NULL: c is answered. */
json_t *ask_list(struct call *c, const struct sdn_ask *q, const char *key, bool all);
/* A command: c gets the core's status and text; done: the status of success (200, 201, 204). */
void ask_command(struct call *c, struct sdn_ask *q, unsigned done);
/* Of a switch: {"key": [..]} whatever core it is on. */
json_t *ask_of_switch(struct call *c, enum sdn_ask_kind k, uint64_t dpid);
/* 1, "1", "0x1", "of:0000000000000001", "0000000000000001"; hex: digits alone are hexadecimal. */
bool dpid_read(const char *s, bool hex, uint64_t *out);
/* The same from path argument i; false: c is answered. */
bool call_dpid(struct call *c, unsigned i, bool hex, uint64_t *out);
bool mac_read(const char *s, struct mac_addr *out);
uint64_t dpid_of(json_t *o, const char *key);

/* JSON in and out, shorter. */
static inline uint64_t jnum(json_t *o, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(o, key));

    return (uint64_t)v;
}
static inline const char *jtext(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s != NULL ? s : "";
}
static inline bool jtrue(json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}
static inline json_t *jint(uint64_t v)
{
    return json_integer((json_int_t)v);
}

/* field.c */
bool number_read(const char *s, uint64_t *out); /* decimal or 0x */
/* An integer of at most max, or its digits in a string. */
bool number_in(json_t *v, uint64_t max, const char *where, uint64_t *out, struct why *w);
bool port_in(json_t *v, const char *where, uint32_t *out, struct why *w);
bool field_in(enum ofp_field f, json_t *v, const char *where, struct ofp_match *m, struct why *w);

/* body.c: our manner and Ryu's.  Strictly: what is not known is refused. */
bool match_in(json_t *o, struct ofp_match *m, struct why *w);
bool flow_in(json_t *o, uint16_t priority, struct ofp_flow *f, struct why *w);
bool group_in(json_t *o, struct ofp_group *g, struct why *w);
bool meter_in(json_t *o, struct ofp_meter *m, struct why *w);
/* One member after the other: every key of o must be among those allowed. */
bool keys_in(json_t *o, const char *where, const char *const *allowed, struct why *w);

/* onos_in.c */
bool onos_flow_in(json_t *o, struct ofp_flow *f, struct why *w);
bool onos_group_in(json_t *o, struct ofp_group *g, struct why *w);
bool onos_meter_in(json_t *o, struct ofp_meter *m, struct why *w);
bool onos_device(const char *s, uint64_t *dpid);
json_t *onos_selector(json_t *match);
json_t *onos_treatment(json_t *actions);
uint64_t onos_flow_id(uint64_t dpid, json_t *flow);
json_t *onos_flow(uint64_t dpid, json_t *flow);
void onos_dpid(char out[24], uint64_t dpid);

/* openapi.c, metrics.c */
void serve_openapi(struct call *c);
void serve_metrics(struct call *c);
