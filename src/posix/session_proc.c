/* Processes of a session: who they are, fork, exec, the end. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "posix/file.h"
#include "posix/session_int.h"

static pthread_key_t key;
static bool have_key;
static struct px_proc *forking; /* the record of a child that is about to be */

/* ---- threads --------------------------------------------------------------------------- */

static void thread_ends(void *kept)
{
    (void)kept;
    session_thread_ends();
}

void session_threads_init(void)
{
    if (!have_key)
        have_key = pthread_key_create(&key, thread_ends) == 0;
}

void session_thread_keeps(void)
{
    if (have_key)
        pthread_setspecific(key, &have_key);
}

/* ---- records ------------------------------------------------------------------------------ */

/* The name may hold anything, and ends with the last bracket. */
char *session_proc_stat(int pid, char text[PX_STAT_BYTES])
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t n = fd < 0 ? fd : sys_read(fd, text, PX_STAT_BYTES - 1);
    if (fd >= 0)
        sys_close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strrchr(text, ')');
}

/* Field 22; 0: it cannot be read (another root directory). */
uint64_t session_proc_started(int pid)
{
    char text[PX_STAT_BYTES], *at = session_proc_stat(pid, text);

    for (unsigned field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    uint64_t v = 0;
    for (at = at ? at + 1 : NULL; at && *at >= '0' && *at <= '9'; at++)
        v = v * 10 + (uint64_t)(*at - '0');
    return v;
}

static struct px_proc *claim(int32_t mark)
{
    for (unsigned i = 0; i < PX_PROCS; i++) {
        int32_t none = 0;
        struct px_proc *p = &px_session->proc[i];
        if (atomic_load_explicit(&p->pid, memory_order_relaxed) != 0)
            continue;
        /* Before the record is anybody's: who looks at all sees it. */
        uint32_t had = atomic_load(&px_session->procs);
        while (had <= i && !atomic_compare_exchange_weak(&px_session->procs, &had, i + 1))
            continue;
        if (atomic_compare_exchange_strong(&p->pid, &none, mark))
            return p;
    }
    return NULL;
}

static void say_name(struct px_proc *p)
{
    memset(p->name, 0, sizeof(p->name));
    sys_call4(SYS_prctl, PR_GET_NAME, (long)p->name, 0, 0);
}

/* From now on it is watched. */
static void become(struct px_proc *p)
{
    int pid = sys_getpid();

    p->started = session_proc_started(pid);
    say_name(p);
    atomic_store(&p->pid, pid);
    session_ring();
}

struct px_proc *session_proc_new(void)
{
    struct px_proc *p = claim(-sys_getpid());

    if (p)
        become(p);
    return p;
}

static struct px_proc *find(int pid)
{
    for (unsigned i = 0; i < atomic_load(&px_session->procs); i++)
        if (atomic_load(&px_session->proc[i].pid) == pid)
            return &px_session->proc[i];
    return NULL;
}

/* ---- entries ------------------------------------------------------------------------------ */

/* A reference to what an entry names, unless it is just going. */
static uint32_t refer(const struct px_fd *e)
{
    uint32_t index = atomic_load(&e->file);
    struct px_file *f = &px_session->file[index];
    uint32_t refs = index ? atomic_load(&f->refs) : 0;

    while (refs && !atomic_compare_exchange_weak(&f->refs, &refs, refs + 1))
        continue;
    if (refs && atomic_load(&e->file) != index) {
        file_put(f);
        refs = 0;
    }
    return refs ? index : 0;
}

static void clear_entry(struct px_fd *e)
{
    uint32_t index = atomic_exchange(&e->file, 0);

    e->why = PX_WHY_NOTHING;
    if (index)
        file_put(&px_session->file[index]);
}

static void copy_entry(struct px_fd *to, const struct px_fd *from)
{
    to->why = from->why;
    atomic_store(&to->file, refer(from));
}

/* ---- fork ------------------------------------------------------------------------------- */

void session_forking(void)
{
    forking = NULL;
    if (!px_session)
        return;
    session_look_for_janitor();
    struct px_proc *p = claim(-sys_getpid());
    if (!p)
        return;
    desc_copy(p, px_proc);
    forking = p;
}

static void forget_thread(void)
{
    px_thread.tid = 0;
    px_thread.slot = 0;
    px_thread.waiter = 0;
    px_thread.round_us = 0;
}

/* Without a record it has descriptors that name nothing, and the kernel's. */
static void turn_away(void)
{
    atomic_fetch_add(&px_session->turned_away, 1);
    session_say("the session has room for %u processes: this one goes on without its connections, "
                "on the kernel's sockets",
                PX_PROCS);
}

void session_forked(void)
{
    forget_thread();
    if (!px_session)
        return;
    if (!forking) {
        turn_away();
        px_session = NULL;
        px_proc = NULL;
        return;
    }
    px_proc = forking;
    forking = NULL;
    become(px_proc);
    session_is_fork = true;
}

void session_fork_over(int pid)
{
    struct px_proc *p = forking;
    int32_t mark = -sys_getpid();

    forking = NULL;
    if (!p)
        return;
    if (pid < 0) {
        session_proc_bury(p);
        return;
    }
    /* The child says so itself, unless it is killed before. */
    if (atomic_compare_exchange_strong(&p->pid, &mark, pid))
        session_ring();
}

int session_forking_record(void)
{
    return forking ? (int)(forking - px_session->proc) : -1;
}

void session_forking_dup(int from, int to)
{
    struct px_fd none = {0};

    if (!forking || (unsigned)to >= PX_FDS || from == to)
        return;
    clear_entry(&forking->fd[to]);
    copy_entry(&forking->fd[to], (unsigned)from < PX_FDS ? &forking->fd[from] : &none);
    if ((uint32_t)to >= atomic_load(&forking->fds))
        atomic_store(&forking->fds, (uint32_t)to + 1);
}

/* ---- exec ------------------------------------------------------------------------------- */

static int map_all(int memory_fd, char *why, size_t n)
{
    struct stat st;
    int rc = sys_fstat(memory_fd, &st);

    if (rc < 0 || (size_t)st.st_size < sizeof(struct px_session)) {
        snprintf(why, n, "descriptor %d is no session's", memory_fd);
        return rc < 0 ? rc : -EINVAL;
    }
    void *p = sys_mmap((void *)PX_BASE, (size_t)st.st_size, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_NORESERVE, memory_fd, 0);
    if (sys_mmap_failed(p)) {
        snprintf(why, n, "the session's addresses are taken in this process");
        return (int)(intptr_t)p;
    }
    sys_madvise(p, (size_t)st.st_size, MADV_DONTDUMP);
    px_session = p;
    if (px_session->magic == SESSION_MAGIC && px_session->image == session_image())
        return 0;
    snprintf(why, n, "%s",
             px_session->magic != SESSION_MAGIC ? "the session is of another version"
                                                : "the library could not be loaded at its address");
    sys_munmap(p, (size_t)st.st_size);
    px_session = NULL;
    return -EINVAL;
}

static int map_port(char *why, size_t n)
{
    const struct session_own *o = session_own();

    for (unsigned i = 0; i < o->maps; i++) {
        const struct session_map *m = &o->map[i];
        void *p = sys_mmap((void *)m->at, m->bytes, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_FIXED_NOREPLACE, m->fd, 0);
        if (sys_mmap_failed(p)) {
            snprintf(why, n, "the port's addresses are taken in this process");
            return (int)(intptr_t)p;
        }
    }
    return 0;
}

/* Nothing of the session stays, but its descriptors. */
static void unmap_all(void)
{
    const struct session_own *o = session_own();

    for (unsigned i = 0; i < o->maps; i++)
        sys_munmap((void *)o->map[i].at, o->map[i].bytes);
    sys_munmap((void *)PX_BASE, o->bytes);
    px_session = NULL;
    px_proc = NULL;
}

/* The same process as before: its other threads, and what was to be closed, have gone. */
static void go_on(struct px_proc *p)
{
    session_slots_release(sys_getpid());
    px_proc = p;
    desc_after_exec();
    say_name(p);
}

/* The record that the parent has made for its posix_spawn, unless that is another's long since. */
static struct px_proc *adopt(int record)
{
    struct px_proc *p = record >= 0 && record < (int)PX_PROCS ? &px_session->proc[record] : NULL;
    int32_t mark = -sys_getppid();

    if (!p || !atomic_compare_exchange_strong(&p->pid, &mark, sys_getpid()))
        return NULL;
    p->started = session_proc_started(sys_getpid());
    session_ring();
    return p;
}

/* Which of its parent's sockets a descriptor is: the one at the same number, else any.  All
 * connections that were accepted look alike: of those only the first. */
static const struct px_fd *inherited(const struct px_proc *parent, uint32_t fd)
{
    uint64_t cookie = session_cookie((int)fd);
    uint32_t fds = atomic_load(&parent->fds), index = atomic_load(&parent->fd[fd].file);

    if (!cookie)
        return NULL;
    if (index &&
        (cookie == px_session->placeholder_cookie || cookie == px_session->file[index].cookie))
        return &parent->fd[fd];
    for (uint32_t i = 0; i < fds && cookie != px_session->placeholder_cookie; i++) {
        index = atomic_load(&parent->fd[i].file);
        if (index && px_session->file[index].fd_is_own && px_session->file[index].cookie == cookie)
            return &parent->fd[i];
    }
    return NULL;
}

/* Made by posix_spawn, or by a vfork that was none of ours: what it has of its parent's is found by
 * looking. */
static struct px_proc *arrive(void)
{
    struct px_proc *p = claim(-sys_getpid()), *parent = find(sys_getppid());
    uint32_t fds = parent ? atomic_load(&parent->fds) : 0;

    for (uint32_t i = 0; p && i < fds; i++) {
        const struct px_fd *e = inherited(parent, i);
        if (e) {
            copy_entry(&p->fd[i], e);
            atomic_store(&p->fds, i + 1);
        }
    }
    if (p)
        become(p);
    return p;
}

int session_join(int memory_fd, int record, char *why, size_t n)
{
    int rc = map_all(memory_fd, why, n);

    if (rc < 0)
        return rc;
    rc = map_port(why, n);
    if (rc < 0) {
        unmap_all();
        return rc;
    }
    session_threads_init();
    session_say_begin();
    forget_thread();
    px_proc = find(sys_getpid());
    if (!px_proc)
        px_proc = adopt(record);
    if (px_proc)
        go_on(px_proc);
    else
        px_proc = arrive();
    if (px_proc && atomic_load(&session_own()->closed)) {
        snprintf(why, n, "the session is ending");
        session_proc_bury(px_proc);
        unmap_all();
        return -ESHUTDOWN;
    }
    if (px_proc)
        return 0;
    atomic_fetch_add(&px_session->turned_away, 1);
    unmap_all();
    snprintf(why, n, "the session has room for %u processes, and not for this one", PX_PROCS);
    return -EAGAIN;
}

/* ---- the end ---------------------------------------------------------------------------- */

/* What it had claimed first: an instance whose owner is gone is attended by the janitor when its
 * files are closed.  Then who accepts is told again what waits: of those who ask for one waiter
 * only (EPOLLEXCLUSIVE) it may have been the one. */
void session_proc_bury(struct px_proc *p)
{
    int32_t pid = atomic_load(&p->pid);

    if (pid > 0)
        session_slots_release(pid);
    desc_bury(p);
    listeners_again();
    atomic_store(&p->fds, 0);
    p->started = 0;
    p->name[0] = '\0';
    atomic_store(&p->pid, 0);
}
