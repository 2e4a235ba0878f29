/* What a session holds, for people and for tests that look for what grows. */
#include "posix/pools.h"
#include "posix/session_int.h"
#include "stat/json.h"

static void put_pool(struct json *j, const char *key, const struct px_pool *p, uint32_t limit)
{
    json_object(j, key);
    json_u64(j, "used", p->taken);
    json_u64(j, "used_max", p->used - 1);
    json_u64(j, "capacity", limit - 1);
    json_end(j);
}

/* ---- files ----------------------------------------------------------------------------------- */

static void name_files(uint8_t *named)
{
    for (unsigned k = 0; k < atomic_load(&px_session->procs); k++) {
        const struct px_proc *p = &px_session->proc[k];
        uint32_t fds = atomic_load(&p->pid) ? atomic_load(&p->fds) : 0;
        for (uint32_t i = 0; i < fds; i++)
            named[atomic_load_explicit(&p->fd[i].file, memory_order_relaxed) % PX_FILES] = 1;
    }
    for (unsigned k = 0; k < PX_SENT; k++)
        if (px_session->pools->sent[k].cookie)
            named[px_session->pools->sent[k].file % PX_FILES] = 1;
}

/* Those that nobody names are on their way to a descriptor or from it: few, and others each time
 * that somebody looks; or they were lost. */
static void put_files(struct json *j)
{
    static uint8_t named[PX_FILES];
    uint32_t used = px_session->pools->files.used, lost = 0, conns = 0;

    memset(named, 0, used);
    name_files(named);
    for (uint32_t i = 1; i < used; i++) {
        bool lives = atomic_load(&file_of(i)->refs) != 0;
        lost += lives && !named[i];
        conns += lives && file_of(i)->kind == PX_CONN;
    }
    put_pool(j, "files", &px_session->pools->files, PX_FILES);
    json_u64(j, "connections", conns);
    json_u64(j, "unnamed", lost);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void put_processes(struct json *j)
{
    unsigned processes = 0, waiters = 0, listeners = 0;

    for (unsigned k = 0; k < atomic_load(&px_session->procs); k++)
        processes += atomic_load(&px_session->proc[k].pid) != 0;
    for (unsigned k = 0; k < PX_WAITERS; k++)
        waiters += atomic_load(&px_session->waiter[k].tid) != 0;
    for (unsigned k = 0; k < PX_LISTENS; k++)
        listeners += atomic_load(&px_session->listens[k].used) != 0;
    json_u64(j, "processes", processes);
    json_u64(j, "processes_max", PX_PROCS);
    json_u64(j, "turned_away", atomic_load(&px_session->turned_away));
    json_u64(j, "waiters", waiters);
    json_u64(j, "listeners", listeners);
}

static void put_instances(struct json *j)
{
    uint64_t broken = 0;

    json_array(j, "instances");
    for (unsigned k = 0; k < px_session->slots; k++) {
        const struct px_inst *i = &px_session->inst[k];
        json_object(j, NULL);
        json_i64(j, "pid", atomic_load(&i->pid));
        json_u64(j, "files", atomic_load(&i->files));
        json_u64(j, "turns", atomic_load(&i->turns));
        json_end(j);
        broken += atomic_load(&i->broken);
    }
    json_end(j);
    json_u64(j, "made_anew", broken);
}

size_t account_answer(char *buf, size_t n)
{
    struct px_pools *p = px_session->pools;
    struct stat st = {0};
    struct json j;

    sys_fstat(px_session->memory_fd, &st);
    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_i64(&j, "janitor", atomic_load(&px_session->janitor_pid));
    json_i64(&j, "guard", atomic_load(&px_session->guard_pid));
    json_u64(&j, "janitors_killed", atomic_load(&px_session->janitors));
    put_processes(&j);
    put_files(&j);
    put_pool(&j, "watches", &p->watches, PX_WATCHES);
    put_pool(&j, "epoll_sets", &p->sets, PX_SETS);
    json_u64(&j, "messages", atomic_load(&p->sents));
    json_u64(&j, "memory", (uint64_t)st.st_blocks * 512);
    json_u64(&j, "claims", atomic_load(&px_session->claims));
    put_instances(&j);
    json_end(&j);
    return json_fini(&j);
}
