/* One program, two kernels: facts about sockets, in plain calls of libc.
 *
 *      conform US PEER CONTROL topic...          the program: prints its transcript
 *      conform --peer US PEER CONTROL            its peer: a process in another network namespace
 *
 * It runs once on the kernel and once under `millrace run`, with one address (US), and the same
 * peer beside it on the kernel's stack (PEER); what it prints must be equal, line by line
 * (conform.py).  A line is a fact: "topic: what: result".  Nothing in it may depend on time, on the
 * machine, or on chance.
 *
 * Each topic runs in a process of its own, with a range of ports of its own, and drives a process
 * of the peer's by one-line commands over a UNIX socket (conform_peer.c). */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 3000 /* until what must come has come */
#define QUIET_MS 25      /* after which what has not come will not come */

struct topic {
    const char *name;
    void (*run)(void);
};
/* Lists of topics, by file; a NULL name ends each. */
extern const struct topic topics_socket[], topics_accept[], topics_connect[], topics_data[],
    topics_half[], topics_option[], topics_fd[], topics_poll[], topics_epoll[], topics_epoll_mix[],
    topics_signal[], topics_process[], topics_exec[], topics_thread[], topics_udp[], topics_file[],
    topics_local[];

/* ---- the transcript (conform.c) -------------------------------------------------------------- */

extern const char *our_ip, *peer_ip, *self; /* self: path of this program */

__attribute__((format(printf, 1, 2))) void fact(const char *format, ...);
/* "what: 12", or "what: EAGAIN" by errno if r is negative. */
void say(const char *what, long r);
/* "what: 12 end": what the peer has answered. */
void told(const char *what, long r);
/* "what: ok", or by errno. */
void say_ok(const char *what, long r);
const char *error_name(int error);
/* "12" or "EAGAIN"; one of some buffers. */
const char *result(long r);
/* "IN|OUT|HUP", of poll or epoll. */
const char *events(uint32_t ev);
/* "us:7000", "peer:eph", "any:0" ... */
const char *who(const void *a, socklen_t n);
const char *name_of(int fd); /* by getsockname */
const char *peer_of(int fd); /* by getpeername */

/* ---- sockets --------------------------------------------------------------------------------- */

int next_port(void); /* not used before */
struct sockaddr_in at(const char *ip, int port);
int tcp(void); /* blocking stream socket, or the end of the topic */
int udp(void);
void set_int(int fd, int level, int name, int value);
int get_int(int fd, int level, int name);
void nonblock(int fd);
int bind_to(int fd, const char *ip, int port);
int connect_to(int fd, const char *ip, int port);
/* Bound to our address and port, listening. */
int listener(int port);
/* A connection that the peer has opened; *peer is its number there. */
int pair_in(int *peer);
/* One that we have opened. */
int pair_out(int *peer);
/* Wait for one of `want` at most PATIENCE_MS; what is. */
uint32_t await(int fd, int want);
/* What poll says now. */
uint32_t polled(int fd, int want);
void await_bytes(int fd, int n);     /* FIONREAD */
void await_state(int fd, int state); /* TCP_INFO */
void rest(int ms);
uint64_t now_ms(void);
/* Byte at `offset` of every stream that is checked. */
unsigned char pattern(uint64_t offset);
void fill(void *p, size_t n, uint64_t offset);
bool is_pattern(const void *p, size_t n, uint64_t offset);
/* Send into fd, which does not block, until it is full and stays so; the count.  What is sent is
 * the pattern, or (if it is not -1) what is in `file`, by sendfile. */
long fill_up(int fd, int file);
/* Receive until the end, an error or n bytes; the count, errno in *err; -1: wrong bytes. */
long receive(int fd, uint64_t n, uint64_t offset, int *err);

/* ---- the peer (conform_peer.c) --------------------------------------------------------------- */

/* One command; its number, or minus an errno as a negative number and in errno.
 *
 *      listen PORT BACKLOG        -> id          accept ID   -> id       connect PORT [LOCAL] -> id
 *      send ID N OFFSET [FLAGS]   -> sent        recv ID N OFFSET -> received, all or to the end
 *      drain ID OFFSET            -> received to the end; "text" is how it ended
 *      shut ID HOW   close ID   rst ID           opt ID LEVEL NAME VALUE
 *      udp PORT -> id             sendto ID PORT N    recvfrom ID -> received, waits PATIENCE_MS
 *      poll ID WANT -> revents    peek ID -> FIONREAD        wnd ID -> the window it may send into
 *      after MS COMMAND...        answers at once, does it later */
__attribute__((format(printf, 1, 2))) long peer(const char *format, ...);
const char *peer_text(void); /* of the last answer */
int peer_main(const char *control);
void peer_open(const char *control); /* a peer's process for this topic */
void peer_close(void);

/* conform --exec WHAT FD...: what a new image does with what it has inherited (conform_exec.c). */
int exec_main(int argc, char **argv);
