/* The applications of a simulated world: they know each other's plans, and judge what the stacks
 * between them did.
 *
 * THEORY OF OPERATION
 *
 * Every connection is planned when the world is drawn: who opens it and when, how many bytes go
 * each way, in what pieces, how they are read, and how each side ends it.  The client's stream
 * begins with a header that names the plan; the server reads it as a guest, and from then on both
 * ends walk along the same struct sim_conn.
 *
 *     bytes           every byte is compared with the oracle
 *     end of stream   stands where the sender put it, and only if the sender did
 *     errors          each needs a cause: somebody quit, a listener was shut, a timer was set
 *     gives           come back exactly once, and are overwritten then: a retransmission that
 *                     still reads them is seen at the other end
 *     slices          keep their content until released, after the close too
 *
 * An end works in bounded steps and goes to sleep between them on a timer of its own, so that
 * reading is slow, sending pauses, and slices stay lent for a while. */
#pragma once

#include "base/rng.h"

#include <millrace/millrace.h>

#define SIM_CONNS_MAX 320u
#define SIM_LISTENERS 2u
#define SIM_GUESTS 48u
#define SIM_HELD 8u
#define SIM_HELLO 8u /* the header's bytes */
#define SIM_GIVE_BYTES 8192u
#define SIM_GIVES 96u
#define SIM_PORT_FIRST 5000u
#define SIM_UDP_PORT 7000u
#define SIM_LOCAL_PORT 6000u /* a few that several connections use, one after the other */
#define SIM_TWIN_PORT 8000u
#define SIM_UDP_HELLO 8u
#define SIM_NOT UINT32_MAX

struct sim_world;
struct sim_conn;

enum sim_tag { SIM_TAG_LISTENER = 1, SIM_TAG_GUEST, SIM_TAG_END, SIM_TAG_START, SIM_TAG_UDP };

enum sim_quit { SIM_QUIT_ABORT, SIM_QUIT_CLOSE, SIM_QUIT_LINGER };

/* How one side of a connection behaves; chances out of 100. */
struct sim_manner {
    uint32_t total; /* bytes it sends in all */
    uint32_t chunk_max;
    uint32_t pause_us;
    uint32_t quit_at; /* give up when this many bytes went by, both ways; SIM_NOT: never */
    enum sim_quit quit;
    uint8_t give, slice, oob, more, pause, peek;
    bool waits_eof;    /* speaks only after the peer has finished */
    bool leaves_early; /* closes when it has all bytes, without waiting for the end of stream */
    bool nodelay, cork, quickack;
    uint8_t cc;
    uint32_t sndbuf, rcvbuf, maxseg, user_timeout_ms; /* 0: the default */
};

enum sim_end_state { SIM_END_NONE, SIM_END_CONNECTING, SIM_END_OPEN, SIM_END_DONE };

struct sim_held {
    struct mr_slice slice;
    uint64_t pos;
};

struct sim_end {
    enum sim_tag tag; /* SIM_TAG_END */
    enum sim_end_state state;
    uint8_t host, side; /* side 0: the client */
    uint8_t core;       /* drawn for who opens it; else where it was accepted */
    bool timer_on;
    bool keeps_alive;   /* by the stack's keepalive; */
    bool watched;       /* by ourselves, for there was no memory for that */
    bool shut;          /* no more will be sent: shutdown or close was called */
    bool eof;
    bool quit;          /* ended it rudely */
    int err;            /* why it was ended from below */
    struct sim_conn *conn;
    mr_sock sock;
    mr_timer timer;
    uint64_t sent, rcvd;
    uint64_t moved_us;  /* host time of the last progress */
    uint64_t done_ns;   /* world time of its end */
    uint32_t held_n;
    struct sim_held held[SIM_HELD];
};

struct sim_conn {
    enum sim_tag tag; /* SIM_TAG_START: the timer that opens it */
    uint32_t id;
    uint8_t client, server;
    uint16_t port;
    uint16_t local_port; /* 0: the stack's choice */
    bool twin;           /* both sides connect, at the same time: simultaneous open */
    uint32_t start_us;
    uint32_t request, response; /* bytes a round; 0: both stream freely */
    struct sim_manner manner[2];
    struct sim_end end[2];
};

/* An accepted socket that has not said yet which plan it belongs to. */
struct sim_guest {
    enum sim_tag tag; /* SIM_TAG_GUEST */
    bool used, timer_on;
    uint8_t n;
    uint8_t hello[SIM_HELLO];
    mr_sock sock;
    mr_timer timer; /* where there was no memory for keepalive */
};

struct sim_listener {
    enum sim_tag tag; /* SIM_TAG_LISTENER; as a timer: open or close it */
    bool open, waiting; /* waiting: there may be more to accept */
    uint16_t port;
    mr_sock sock;
    mr_timer timer;
};

struct sim_udp {
    enum sim_tag tag; /* SIM_TAG_UDP */
    bool open;
    bool own; /* has sent to its own host */
    mr_sock sock;
    mr_timer timer;
    uint32_t sent, rcvd;
};

struct sim_give {
    struct sim_world *world;
    uint32_t next; /* index + 1 of the next free one */
    uint32_t n;    /* bytes given; 0: free */
    uint8_t bytes[SIM_GIVE_BYTES];
};

/* One host's application on one of its cores. */
struct sim_app {
    struct sim_world *world; /* borrowed */
    struct mr *m;            /* borrowed */
    unsigned host, core;
    bool ending;             /* everything is done: close what is still open */
    bool poll;               /* a timer could not be had: look at everything now and then */
    uint64_t poll_ns;        /* not before */
    uint32_t guests_lost;    /* ended before they said who they are */
    struct rng rng;
    struct sim_listener listener[SIM_LISTENERS];
    struct sim_guest guest[SIM_GUESTS];
    struct sim_udp udp;
};

/* The entries of struct mr_app. */
int sim_app_init(struct mr *m, void *arg, void **core_state);
void sim_app_event(struct mr *m, void *core_state, const struct mr_event *ev);
/* At every turn: what could not be put on a timer. */
void sim_app_poll(struct sim_app *a);
/* Close listeners and UDP sockets; called once when every plan has been carried out. */
void sim_app_end(struct sim_app *a);

/* ---- between the files of the application -------------------------------------------- */

/* end.c */
void sim_end_open(struct sim_app *a, struct sim_end *e, mr_sock s, uint64_t rcvd);
void sim_end_event(struct sim_app *a, struct sim_end *e, const struct mr_event *ev);
void sim_end_poke(struct sim_app *a, struct sim_end *e);
void sim_end_poke_later(struct sim_app *a, struct sim_end *e, uint32_t us);
/* The end is over; its handle is closed. */
void sim_end_done(struct sim_app *a, struct sim_end *e);
/* Ended from below with err (which needs a cause): close the handle. */
void sim_end_error(struct sim_app *a, struct sim_end *e, int err);
/* Quit rudely if the plan says so now. */
bool sim_end_quit(struct sim_app *a, struct sim_end *e);
/* Is e a server's end that may have been given up as a guest before its header had come? */
bool sim_end_is_unheard(const struct sim_world *w, const struct sim_end *e);

/* Find out soon when the peer is gone.  False: no memory for it. */
bool sim_app_keepalive(struct sim_app *a, mr_sock s);

/* stream.c: move bytes.  False: the end is over, or waits. */
bool sim_stream_read(struct sim_app *a, struct sim_end *e);
bool sim_stream_write(struct sim_app *a, struct sim_end *e);
void sim_stream_release(struct sim_app *a, struct sim_end *e, bool all);
/* The header of a connection's stream. */
void sim_hello_fill(const struct sim_world *w, uint32_t id, uint8_t hello[SIM_HELLO]);
struct sim_conn *sim_hello_find(struct sim_world *w, const uint8_t hello[SIM_HELLO]);

/* server.c: listeners and guests. */
void sim_server_open(struct sim_app *a, struct sim_listener *l);
void sim_server_close(struct sim_app *a, struct sim_listener *l);
void sim_server_accept(struct sim_app *a, struct sim_listener *l);
/* Connections wait at a listener, perhaps one that another core has opened on all. */
void sim_server_event(struct sim_app *a, const struct mr_event *ev);
void sim_server_toggle(struct sim_app *a, struct sim_listener *l);
void sim_guest_expire(struct sim_app *a, struct sim_guest *g);
void sim_guest_event(struct sim_app *a, struct sim_guest *g, const struct mr_event *ev);

/* client.c */
void sim_client_connect(struct sim_app *a, struct sim_conn *c);
/* The home of a connection with a fixed local port has refused it: try again later. */
void sim_client_again(struct sim_app *a, struct sim_end *e);

/* udp.c */
void sim_udp_open(struct sim_app *a);
void sim_udp_tick(struct sim_app *a);
void sim_udp_read(struct sim_app *a);

static inline bool sim_app_chance(struct sim_app *a, uint32_t percent)
{
    return percent > 0 && rng_below(&a->rng, 100) < percent;
}
