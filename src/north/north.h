/* north: the controller's northbound side: REST with JSON, metrics for Prometheus, a web page.
 *
 * THEORY OF OPERATION
 *
 * HTTP is served by threads of libmicrohttpd's, on a management address of the kernel's, and never
 * by a core.  A request becomes questions to the cores (struct sdn_ask); a core answers between two
 * turns, in JSON and in one shape of ours (doc/rest.md); the thread merges what several cores said
 * and puts it into the shape that the request's manner has: ours, ONOS's or Ryu's.
 *
 *      GET /onos/v1/devices         route.c   one table: who may, what is asked, how it is shown
 *           |
 *           v
 *      north_source.ask x cores     gather.c  every core, lists to their end; 421: whom it names
 *           |
 *           v
 *      JSON, ours ----------------- view_*.c  the same facts in the manner asked for
 *
 *      POST body -> body_*.c -> struct ofp_flow, ofp_group, ofp_meter -> ask -> 201, 202, 4xx, 5xx
 *
 * The routing table is also what /openapi.json is made from.
 *
 * TOKENS.  A token file has a line a token: "ro WORD" or "rw WORD"; '#' begins a comment.  With
 * one, every request but the page itself says "Authorization: Bearer WORD".  Without one only
 * a loopback address may be listened on.
 *
 * LIMITS.  Body 1 MiB, 64 connections, 32 of one address, 10 seconds of silence.
 *
 * Threads: north_open and north_close by one; the source is called by many. */
#pragma once

#include "sdn/sdn.h"

struct north;

/* Who knows; the shell fills it in.  Everything is called by several threads at a time. */
struct north_source {
    void *arg;
    unsigned cores;
    /* Ask a core, and wait until the question comes back answered (q->status is set, the text in
     * q->buf[0..q->n)).  Cores answer in bounded time: what waits for a switch is answered 504 by
     * the core itself.  False: the core cannot be asked any more (the program ends); q is the
     * caller's again. */
    bool (*ask)(void *arg, unsigned core, struct sdn_ask *q);
    /* Facts about the process as one JSON object (version, uptime, listeners, cores); its length,
     * 0: does not fit.  May be NULL. */
    size_t (*facts)(void *arg, char *buf, size_t cap);
};

struct north_config {
    const char *listen;     /* ADDR:PORT or [ADDR]:PORT; port 0: any.  NULL: 127.0.0.1:8181 */
    const char *token_file; /* NULL: none */
    struct north_source source;
};

/* NULL, and one line about the reason in why. */
struct north *north_open(const struct north_config *c, char *why, size_t n);
/* The port it listens on. */
unsigned north_port(const struct north *n);
/* Waits for requests under way; the source must answer or refuse them meanwhile. */
void north_close(struct north *n);
