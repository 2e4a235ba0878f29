/* Which programs cannot be preloaded. */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/types.h"
#include "posix/sys.h"
#include "preload/preload.h"

#define SCRIPTS_DEEP 4 /* a script's interpreter may be a script: as deep as the kernel goes */
#define LINE_BYTES 256 /* of a script's first line, as the kernel reads it */
#define NOTES_BYTES 1024
#define PHDRS_MAX 64
#define SAYS_GO 4 /* type of Go's note: a build's identity */

/* The interpreter that a script's first line names, into path.  False: it names none. */
static bool script_interpreter(const char *line, size_t n, char *path, size_t room)
{
    size_t i = 2, len = 0;

    while (i < n && (line[i] == ' ' || line[i] == '\t'))
        i++;
    while (i + len < n && !strchr(" \t\n", line[i + len]) && line[i + len])
        len++;
    if (len == 0 || len >= room)
        return false;
    memcpy(path, line + i, len);
    path[len] = '\0';
    return true;
}

/* ld.so(8), secure-execution mode: whoever the program will act for is not who has started it. 
 * With rights from its file, or because the caller is two persons already, as squid's kids are. */
static enum px_note judge_rights(int fd)
{
    struct stat st;
    char caps[64];

    if (sys_fstat(fd, &st) < 0)
        return PX_NOTE_NONE;
    bool setuid = st.st_mode & S_ISUID, setgid = (st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP);
    if ((setuid && st.st_uid != getuid()) || (setgid && st.st_gid != getgid()))
        return PX_NOTE_SETUID;
    if (getuid() != 0 && fgetxattr(fd, "security.capability", caps, sizeof(caps)) > 0)
        return PX_NOTE_SETUID;
    if ((!setuid && geteuid() != getuid()) || (!setgid && getegid() != getgid()))
        return PX_NOTE_IDENTITY;
    return PX_NOTE_NONE;
}

static bool has_go_note(int fd, const Elf64_Phdr *p)
{
    _Alignas(Elf64_Nhdr) char notes[NOTES_BYTES];
    ssize_t n = sys_pread(fd, notes, sizeof(notes) < p->p_filesz ? sizeof(notes) : p->p_filesz,
                          (off_t)p->p_offset);

    for (ssize_t at = 0; at + (ssize_t)sizeof(Elf64_Nhdr) <= n;) {
        Elf64_Nhdr h;
        memcpy(&h, notes + at, sizeof(h));
        const char *name = notes + at + sizeof(h);
        if (h.n_type == SAYS_GO && h.n_namesz == 4 && at + (ssize_t)sizeof(h) + 4 <= n &&
            memcmp(name, "Go\0", 4) == 0)
            return true;
        at += (ssize_t)sizeof(h) + (((ssize_t)h.n_namesz + 3) & ~3) +
              (((ssize_t)h.n_descsz + 3) & ~3);
    }
    return false;
}

static enum px_note judge_elf(int fd, const char *head)
{
    Elf64_Phdr p[PHDRS_MAX];
    bool interp = false, go = false;
    Elf64_Ehdr h;

    memcpy(&h, head, sizeof(h));
    if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64)
        return PX_NOTE_MACHINE;
    unsigned count = h.e_phnum < PHDRS_MAX ? h.e_phnum : PHDRS_MAX;
    if (sys_pread(fd, p, count * sizeof(p[0]), (off_t)h.e_phoff) != (ssize_t)(count * sizeof(p[0])))
        return PX_NOTE_NONE;
    for (unsigned i = 0; i < count; i++) {
        interp |= p[i].p_type == PT_INTERP;
        go |= p[i].p_type == PT_NOTE && has_go_note(fd, &p[i]);
    }
    if (go)
        return PX_NOTE_GO;
    if (!interp)
        return PX_NOTE_STATIC;
    return judge_rights(fd);
}

/* The dynamic linker itself, started as a program, preloads like any other time. */
static bool is_linker(const char *path)
{
    const char *name = strrchr(path, '/');

    return strncmp(name ? name + 1 : path, "ld-linux", 8) == 0;
}

/* PX_NOTE_KINDS: path holds a script's interpreter now. */
static enum px_note judge(char *path, size_t room)
{
    _Alignas(Elf64_Ehdr) char head[LINE_BYTES];
    int fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    enum px_note note = PX_NOTE_NONE;

    if (fd < 0)
        return PX_NOTE_NONE;
    ssize_t n = sys_pread(fd, head, sizeof(head), 0);
    if (n > 2 && memcmp(head, "#!", 2) == 0)
        note = script_interpreter(head, (size_t)n, path, room) ? PX_NOTE_KINDS : PX_NOTE_NONE;
    else if (n >= (ssize_t)sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0)
        note = is_linker(path) ? PX_NOTE_NONE : judge_elf(fd, head);
    sys_close(fd);
    return note;
}

enum px_note mr_preload_check(const char *path, char *why, size_t n)
{
    enum px_note note = PX_NOTE_KINDS;
    char at[PATH_MAX];

    if (strlen(path) >= sizeof(at))
        return PX_NOTE_NONE;
    memcpy(at, path, strlen(path) + 1);
    for (int i = 0; i <= SCRIPTS_DEEP && note == PX_NOTE_KINDS; i++)
        note = judge(at, sizeof(at));
    if (note == PX_NOTE_KINDS)
        note = PX_NOTE_NONE;
    if (note != PX_NOTE_NONE && why) {
        if (strcmp(at, path) == 0)
            snprintf(why, n, "%s %s", path, px_note_text[note]);
        else
            snprintf(why, n, "%s is run by %s, which %s", path, at, px_note_text[note]);
    }
    return note;
}
