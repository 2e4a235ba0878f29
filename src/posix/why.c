/* Why a descriptor or a process is the kernel's, for people. */
#include "posix/file.h"
#include "stat/json.h"

#define PAGE 1500u /* entries of an answer; one takes less than 300 bytes */

const char *const px_why_text[PX_WHY_KINDS] = {
    [PX_WHY_NOTHING] = "nothing is decided yet",
    [PX_WHY_OURS] = "accelerated",
    [PX_WHY_BOTH] = "bound to any address: accelerated, and the kernel's beside it",
    [PX_WHY_FAMILY] = "the kernel's: neither IPv4 nor IPv6 that carries IPv4",
    [PX_WHY_TYPE] = "the kernel's: neither TCP nor UDP",
    [PX_WHY_LOOPBACK] = "the kernel's: loopback",
    [PX_WHY_ROUTE] = "the kernel's: no route of ours leads to the peer, or it was excluded",
    [PX_WHY_LOCAL] = "the kernel's: bound to an address that is not ours",
    [PX_WHY_FULL] = "the kernel's: the session has no room left for it",
    [PX_WHY_OPTION] = "the kernel's: needs an option that only the kernel has",
};

const char *const px_note_text[PX_NOTE_KINDS] = {
    [PX_NOTE_NONE] = "",
    [PX_NOTE_STATIC] = "is statically linked: nothing can be preloaded into it",
    [PX_NOTE_SETUID] = "gets rights from its file: the dynamic linker preloads nothing into it",
    [PX_NOTE_IDENTITY] = "acts for another user than it belongs to: nothing is preloaded into it",
    [PX_NOTE_GO] = "is written in Go, which makes its system calls itself",
    [PX_NOTE_MACHINE] = "is not a 64-bit x86 program",
    [PX_NOTE_IO_URING] =
        "asked for io_uring and was told that there is none: its calls would pass us by",
};

static const char *const kind_name[] = {
    [PX_FREE] = "none",       [PX_FRESH] = "socket",   [PX_LISTENER] = "listener",
    [PX_CONN] = "connection", [PX_DGRAM] = "datagram", [PX_EPOLL] = "epoll",
};
static const char *const state_name[] = {
    [PX_IDLE] = "idle",
    [PX_CONNECTING] = "connecting",
    [PX_CONNECTED] = "connected",
    [PX_OVER] = "over",
};

/* ---- one descriptor -------------------------------------------------------------------------- */

static void put_addr(struct json *j, const char *key, const struct mr_addr *a)
{
    char text[MR_ADDR_TEXT];

    if (a->port)
        json_str(j, key, mr_addr_print(a, text));
}

static void put_file(struct json *j, uint32_t index)
{
    const struct px_file *f = &px_session->file[index];
    unsigned kind = f->kind, state = f->state;

    json_u64(j, "file", index);
    if (kind < ARRAY_LEN(kind_name))
        json_str(j, "kind", kind_name[kind]);
    if (kind == PX_EPOLL)
        return;
    put_addr(j, "local", &f->local);
    put_addr(j, "peer", &f->peer);
    if (kind == PX_CONN && state < ARRAY_LEN(state_name))
        json_str(j, "state", state_name[state]);
    if (kind == PX_CONN || kind == PX_DGRAM)
        json_u64(j, "slot", f->slot);
}

/* False: there is nothing to tell. */
static bool put_fd(struct json *j, const struct px_proc *p, uint32_t fd)
{
    uint32_t file = atomic_load_explicit(&p->fd[fd].file, memory_order_acquire);
    unsigned why = p->fd[fd].why;

    if (!file && why == PX_WHY_NOTHING)
        return false;
    json_object(j, NULL);
    json_u64(j, "fd", fd);
    json_bool(j, "ours", file && (why == PX_WHY_OURS || why == PX_WHY_BOTH));
    if (file < PX_FILES && file)
        put_file(j, file);
    if (why < PX_WHY_KINDS)
        json_str(j, "why", px_why_text[why]);
    json_end(j);
    return true;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static uint64_t take_number(const char **s)
{
    uint64_t v = 0;

    while (**s && (**s < '0' || **s > '9'))
        ++*s;
    for (; **s >= '0' && **s <= '9'; ++*s)
        v = v * 10 + (uint64_t)(**s - '0');
    return v;
}

/* Its descriptors from *fd on; false: the page is full, and *fd the next. */
static bool put_proc(struct json *j, struct px_proc *p, uint32_t *fd, unsigned *entries,
                     unsigned max)
{
    uint32_t end = atomic_load(&p->fds);
    unsigned note = atomic_load(&p->note);
    bool whole = true;

    json_object(j, NULL);
    json_i64(j, "pid", atomic_load(&p->pid));
    json_str_n(j, "name", p->name, strnlen(p->name, sizeof(p->name)));
    if (note && note < PX_NOTE_KINDS)
        json_str(j, "note", px_note_text[note]);
    json_array(j, "descriptors");
    for (; *fd < end && *fd < PX_FDS && whole; ++*fd) {
        if (*entries >= max) {
            whole = false;
            break;
        }
        *entries += put_fd(j, p, *fd);
    }
    json_end(j);
    json_end(j);
    return whole;
}

size_t why_answer(const char *question, char *buf, size_t n)
{
    uint64_t at = take_number(&question), from = take_number(&question);
    uint32_t fd = from < PX_FDS ? (uint32_t)from : PX_FDS;
    unsigned entries = 0, max = n / 300 < PAGE ? (unsigned)(n / 300) : PAGE;
    struct json j;

    json_init(&j, buf, n);
    json_object(&j, NULL);
    json_i64(&j, "janitor", atomic_load(&px_session->janitor_pid));
    json_u64(&j, "room", PX_PROCS);
    json_u64(&j, "turned_away", atomic_load(&px_session->turned_away));
    json_array(&j, "processes");
    for (; at < atomic_load(&px_session->procs); at++, fd = 0)
        if (atomic_load(&px_session->proc[at].pid) > 0 &&
            !put_proc(&j, &px_session->proc[at], &fd, &entries, max))
            break;
    json_end(&j);
    if (at < atomic_load(&px_session->procs)) {
        json_u64(&j, "next_process", at);
        json_u64(&j, "next_descriptor", fd);
    }
    json_end(&j);
    return json_fini(&j);
}
