/* Questions on the control socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"
#include "posix/janitor_int.h"

static struct status_source source_of(const struct px_inst *i)
{
    const struct session_own *o = session_own();
    struct capture *c = o->capture ? capture_of(o->capture, i->slot) : NULL;

    return (struct status_source){
        .stack = i->shard.stack,
        .post = native_post_stats(i->shard.native),
        .rx_pool = host_port_rx_pool(&o->port, i->slot),
        .cpu = -1,
        .turns = i->shard.turns,
        .busy_turns = i->shard.busy_turns,
        .captured = c ? capture_seen(c) : 0,
        .capture_lost = c ? capture_lost(c) : 0,
    };
}

/* An instance that nobody has entered yet has nothing to say, and one that cannot be entered is
 * shown as one that does not answer. */
static size_t status(struct janitor *j, char *buf, size_t n)
{
    const struct session_own *o = session_own();
    struct nic *nic = px_session->nic;
    const struct status_port port = {
        .dev = o->config.dev,
        .nic = nic,
        .link_up = nic_link_is_up(nic),
        .counters = nic->ops->counters ? nic->ops->counters(nic, j->counter, NIC_COUNTERS_MAX) : 0,
        .counter = j->counter,
    };
    const struct status_program p = {"run", host_port_spread(&o->port), j->spread, &port};
    const struct status_core *core[PX_SLOTS_MAX] = {0};

    for (unsigned k = 0; k < px_session->slots; k++) {
        struct px_inst *i = &px_session->inst[k];
        if (!atomic_load(&i->live) || !janitor_enter(i))
            continue;
        const struct status_source source = source_of(i);
        status_take(&source, &j->copy[k]);
        inst_leave(i);
        core[k] = &j->copy[k];
    }
    return status_merge(&p, core, px_session->slots, buf, n);
}

static size_t conns(const struct status_question *q, char *buf, size_t n)
{
    struct px_inst *i = q->core < px_session->slots ? &px_session->inst[q->core] : NULL;

    if (!i || !atomic_load(&i->live) || !janitor_enter(i))
        return status_conns(NULL, q, px_session->slots, buf, n);
    size_t text = status_conns(i->shard.stack, q, px_session->slots, buf, n);
    inst_leave(i);
    return text;
}

static size_t answer(void *arg, const char *question, char *buf, size_t n)
{
    struct status_question q = status_question(question);

    if (strncmp(question, "why", 3) == 0)
        return why_answer(question, buf, n);
    if (strncmp(question, "session", 7) == 0)
        return account_answer(buf, n);
    switch (q.ask) {
    case STATUS_ASK_STATUS:
        return status(arg, buf, n);
    case STATUS_ASK_CONNS:
        return conns(&q, buf, n);
    case STATUS_ASK_STRANGE:
        break;
    }
    return status_sorry(buf, n);
}

/* By the number of the program, which began as session_create's caller. */
static void default_path(char *path, size_t n)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");

    if (!dir || dir[0] != '/' || access(dir, W_OK) < 0)
        dir = "/tmp";
    snprintf(path, n, "%s/millrace-run-%d.sock", dir, (int)atomic_load(&px_proc->pid));
}

bool janitor_ctl_open(struct janitor *j)
{
    const char *given = session_own()->config.control;
    struct ctl_answerer a = {answer, j};
    char why[200], *path = px_session->control;

    host_port_say(&session_own()->port, j->spread, sizeof(j->spread));
    if (!j->copy)
        j->copy = os_reserve(PX_SLOTS_MAX * sizeof(*j->copy), false);
    if (!j->copy || (given && strcmp(given, "none") == 0))
        return j->copy != NULL;
    if (given)
        snprintf(path, sizeof(px_session->control), "%s", given);
    else if (!path[0])
        default_path(path, sizeof(px_session->control));
    j->ctl = ctl_open(path, &a, why, sizeof(why));
    if (j->ctl)
        return true;
    path[0] = '\0';
    fprintf(stderr, "millrace: %s\n", why);
    return false;
}
