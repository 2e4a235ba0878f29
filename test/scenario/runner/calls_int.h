/* calls_int: what the files of calls share. */
#pragma once

#include "calls.h"

typedef enum call_status (*call_fn)(struct app *a, struct fd *f, const struct call_spec *c,
                                    struct call_state *st, struct call_result *r);

enum call_status call_bad(struct app *a, const char *how, ...)
    __attribute__((format(printf, 2, 3)));
/* Fill in the result of an API call: a count, or a negative error. */
enum call_status call_done(struct call_result *r, int64_t value);
/* Nothing now: wait, or say so. */
enum call_status call_again(const struct fd *f, const struct call_spec *c, struct call_result *r);
int64_t arg_number(const struct call_spec *c, int i);
/* The first value of a list, or the number. */
int64_t arg_value(const struct call_spec *c, int i);

/* socket.c */
enum call_status call_socket(struct app *, struct fd *, const struct call_spec *,
                             struct call_state *, struct call_result *);
enum call_status call_bind(struct app *, struct fd *, const struct call_spec *,
                           struct call_state *, struct call_result *);
enum call_status call_listen(struct app *, struct fd *, const struct call_spec *,
                             struct call_state *, struct call_result *);
enum call_status call_accept(struct app *, struct fd *, const struct call_spec *,
                             struct call_state *, struct call_result *);
enum call_status call_connect(struct app *, struct fd *, const struct call_spec *,
                              struct call_state *, struct call_result *);
enum call_status call_close(struct app *, struct fd *, const struct call_spec *,
                            struct call_state *, struct call_result *);
enum call_status call_abort(struct app *, struct fd *, const struct call_spec *,
                            struct call_state *, struct call_result *);
enum call_status call_shutdown(struct app *, struct fd *, const struct call_spec *,
                               struct call_state *, struct call_result *);
bool fd_open_udp(struct app *a, struct fd *f, struct call_result *r);
void fd_apply_opts(struct app *a, struct fd *f);

/* data.c */
enum call_status call_recv(struct app *, struct fd *, const struct call_spec *,
                           struct call_state *, struct call_result *);
enum call_status call_send(struct app *, struct fd *, const struct call_spec *,
                           struct call_state *, struct call_result *);
enum call_status call_give(struct app *, struct fd *, const struct call_spec *,
                           struct call_state *, struct call_result *);
enum call_status call_released(struct app *, struct fd *, const struct call_spec *,
                               struct call_state *, struct call_result *);

/* option.c */
enum call_status call_setsockopt(struct app *, struct fd *, const struct call_spec *,
                                 struct call_state *, struct call_result *);
enum call_status call_getsockopt(struct app *, struct fd *, const struct call_spec *,
                                 struct call_state *, struct call_result *);
enum call_status call_fcntl(struct app *, struct fd *, const struct call_spec *,
                            struct call_state *, struct call_result *);
enum call_status call_ioctl(struct app *, struct fd *, const struct call_spec *,
                            struct call_state *, struct call_result *);
enum call_status call_poll(struct app *, struct fd *, const struct call_spec *,
                           struct call_state *, struct call_result *);
enum call_status call_event(struct app *, struct fd *, const struct call_spec *,
                            struct call_state *, struct call_result *);
