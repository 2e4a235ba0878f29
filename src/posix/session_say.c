/* What a process is told of its session while it runs: one line on its standard error.
 *
 * By then descriptor 2 may be another file, which a line of ours would spoil: it is written to what
 * was standard error when the program began, to terminals, pipes and devices, and to what only
 * grows, as logs do; else nowhere. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "posix/file.h"
#include "posix/session_int.h"

#define LINE_BYTES 400

static dev_t began_dev;
static ino_t began_ino;

void session_say_begin(void)
{
    struct stat st;

    if (sys_fstat(2, &st) == 0) {
        began_dev = st.st_dev;
        began_ino = st.st_ino;
    }
}

static bool may_be_told(void)
{
    struct stat st;

    if (sys_fstat(2, &st) < 0 || (px_session && file_peek(2)))
        return false;
    return S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode) ||
           (st.st_dev == began_dev && st.st_ino == began_ino) ||
           (S_ISREG(st.st_mode) && (sys_fcntl(2, F_GETFL, 0) & O_APPEND));
}

size_t session_line(char *text, size_t size, size_t n, const char *how, va_list args)
{
    n += (size_t)vsnprintf(text + n, size - n, how, args);
    if (n > size - 2)
        n = size - 2;
    text[n++] = '\n';
    return n;
}

void session_say(const char *how, ...)
{
    char text[LINE_BYTES], name[16] = "";
    va_list args;

    if (!may_be_told())
        return;
    sys_call4(SYS_prctl, PR_GET_NAME, (long)name, 0, 0);
    size_t n =
        (size_t)snprintf(text, sizeof(text), "millrace: %.16s[%d]: ", name, sys_getpid());
    va_start(args, how);
    n = session_line(text, sizeof(text), n, how, args);
    va_end(args);
    (void)sys_write(2, text, n);
}
