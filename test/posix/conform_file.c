/* Facts about sendfile, splice, and streams of stdio on sockets. */
#include "conform.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

#define SIZE 300000

static int file_of(uint64_t size)
{
    static unsigned char room[SIZE];
    int fd = memfd_create("file", 0);

    fill(room, size, 0);
    if (write(fd, room, size) != (ssize_t)size)
        return -1;
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void sendfiles(void)
{
    int id, fd = pair_in(&id), file = file_of(SIZE), p[2];
    off_t at_byte = 100;
    long sent = 0;

    say("sendfile", sendfile(fd, file, NULL, 1000));
    fact("the file's offset: %ld", (long)lseek(file, 0, SEEK_CUR));
    say("with an offset", sendfile(fd, file, &at_byte, 500));
    fact("offset: %ld, the file's: %ld", (long)at_byte, (long)lseek(file, 0, SEEK_CUR));
    fact("the peer received: %ld", peer("recv %d 1000 0", id));
    fact("the peer received: %ld", peer("recv %d 500 100", id));
    peer("after 0 recv %d %d 1000", id, SIZE - 1000);
    while (sent < SIZE - 1000) {
        ssize_t r = sendfile(fd, file, NULL, SIZE);
        if (r <= 0)
            break;
        sent += r;
    }
    fact("the rest: %ld", sent);
    say("at the end", sendfile(fd, file, NULL, 1000));
    say("of nothing", sendfile(fd, file, NULL, 0));
    at_byte = -1;
    say("negative offset", sendfile(fd, file, &at_byte, 10));
    say("from nothing", sendfile(fd, 99, NULL, 10));
    say("to nothing", sendfile(99, file, NULL, 10));
    say("from a socket", sendfile(file, fd, NULL, 10));
    if (pipe(p) == 0)
        say("from an empty pipe's write end", sendfile(fd, p[1], NULL, 10));
    at_byte = 0;
    nonblock(fd);
    fill_up(fd, file);
    at_byte = 0;
    say("into a full buffer", sendfile(fd, file, &at_byte, SIZE));
    shutdown(fd, SHUT_WR);
    signal(SIGPIPE, SIG_IGN);
    say("after shutdown", sendfile(fd, file, NULL, 10));
    int fresh = tcp();
    say("to a fresh one", sendfile(fresh, file, &(off_t){0}, 10));
}

static void splices(void)
{
    int id, fd = pair_in(&id), p[2], file = file_of(1000), out = memfd_create("out", 0), other;
    unsigned char room[1000];
    unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

    if (pipe(p) < 0)
        return;
    peer("after 30 send %d 4 0", id);
    say("NONBLOCK is for the pipe: it waits", splice(fd, NULL, p[1], NULL, 1000, flags));
    say("the pipe has", read(p[0], room, 100));
    nonblock(fd);
    say("from an empty socket", splice(fd, NULL, p[1], NULL, 1000, flags));
    peer("send %d 1000 0", id);
    await_bytes(fd, 1000);
    say("socket to pipe", splice(fd, NULL, p[1], NULL, 400, flags));
    say("the pipe has", read(p[0], room, 100));
    fact("right bytes: %d", is_pattern(room, 100, 0));
    say("pipe to file", splice(p[0], NULL, out, NULL, 1000, 0));
    say("the file has", pread(out, room, 1000, 0));
    fact("right bytes: %d", is_pattern(room, 300, 100));
    say("socket to pipe, the rest", splice(fd, NULL, p[1], NULL, 5000, flags));
    fd = pair_in(&other);
    say("pipe to socket", splice(p[0], NULL, fd, NULL, 200, flags | SPLICE_F_MORE));
    say("pipe to socket, the rest", splice(p[0], NULL, fd, NULL, 5000, flags));
    fact("the peer received: %ld", peer("recv %d 600 400", other));
    say("from an empty pipe", splice(p[0], NULL, fd, NULL, 100, flags));
    say("file to pipe", splice(file, NULL, p[1], NULL, 1000, 0));
    say("pipe to socket", splice(p[0], NULL, fd, NULL, 1000, 0));
    fact("the peer received: %ld", peer("recv %d 1000 0", other));
    say("socket to socket", splice(fd, NULL, fd, NULL, 10, 0));
    say("socket to file", splice(fd, NULL, out, NULL, 10, 0));
    say("with an offset", splice(fd, &(off_t){0}, p[1], NULL, 10, 0));
    say("unknown flags", splice(fd, NULL, p[1], NULL, 10, 0x100));
    say("of 0 bytes", splice(fd, NULL, p[1], NULL, 0, 0));
    say("the wrong end", splice(fd, NULL, p[0], NULL, 10, flags));
    say("of nothing", splice(99, NULL, p[1], NULL, 10, 0));
    /* A full pipe. */
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    while (write(p[1], room, 1000) > 0)
        continue;
    peer("send %d 100 0", other);
    await_bytes(fd, 100);
    say("into a full pipe", splice(fd, NULL, p[1], NULL, 100, flags));
    int left;
    ioctl(fd, FIONREAD, &left);
    fact("left in the socket: %d", left);
    /* Blocking, and the end. */
    close(p[0]);
    close(p[1]);
    if (pipe(p) < 0)
        return;
    recv(fd, room, 100, 0);
    peer("after 30 send %d 50 0", other);
    say("a blocking one", splice(fd, NULL, p[1], NULL, 1000, 0));
    nonblock(fd);
    say("O_NONBLOCK", splice(fd, NULL, p[1], NULL, 1000, 0));
    fcntl(fd, F_SETFL, 0);
    peer("shut %d 1", other);
    await(fd, POLLRDHUP);
    say("at the end", splice(fd, NULL, p[1], NULL, 1000, flags));
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    say("pipe without a reader", splice(fd, NULL, p[1], NULL, 1000, flags));
}

/* Large amounts through a pipe, as haproxy does. */
static void through(void)
{
    int id, other, in = pair_in(&id), out = pair_out(&other), p[2];
    long moved = 0;

    if (pipe(p) < 0)
        return;
    peer("after 0 send %d 150000 0", id);
    while (moved < 150000) {
        ssize_t n = splice(in, NULL, p[1], NULL, 65536, 0);
        if (n <= 0)
            break;
        for (ssize_t m = 0; m < n;) {
            ssize_t r = splice(p[0], NULL, out, NULL, (size_t)(n - m), 0);
            if (r <= 0)
                break;
            m += r;
        }
        moved += n;
    }
    fact("moved: %ld", moved);
    fact("the peer received: %ld", peer("recv %d 150000 0", other));
}

static void streams(void)
{
    int id, fd = pair_in(&id);
    FILE *f = fdopen(fd, "r+");
    char line[50];

    say("fdopen", f ? 0 : -1);
    say("fileno", fileno(f) == fd ? 0 : -1);
    peer("send %d 26 97", id);
    say("fgetc", fgetc(f));
    say("fread", (long)fread(line, 1, 10, f));
    fact("right bytes: %d", is_pattern(line, 10, 98));
    fflush(f);
    say("fputs", fputs("line\n", f) >= 0 ? 0 : -1);
    say("fflush", fflush(f));
    fact("arrived: %ld", (peer("poll %d %d", id, POLLIN), peer("peek %d", id)));
    say("fprintf", fprintf(f, "%d\n", 12345));
    say("fseek", fseek(f, 0, SEEK_SET));
    say("fclose", fclose(f));
    peer("drain %d 0", id);
    fact("closed: %s", fcntl(fd, F_GETFD) < 0 ? error_name(errno) : "no");
    fd = pair_in(&id);
    say("dprintf", dprintf(fd, "%s", "abc"));
    fact("arrived: %ld", (peer("poll %d %d", id, POLLIN), peer("peek %d", id)));
    f = fdopen(dup(fd), "r");
    peer("shut %d 1", id);
    fact("fgets at the end: %d", fgets(line, sizeof line, f) != NULL);
    fact("feof %d, ferror %d", feof(f) != 0, ferror(f) != 0);
}

const struct topic topics_file[] = {
    {"sendfile", sendfiles},
    {"splice", splices},
    {"through a pipe", through},
    {"stdio", streams},
    {0},
};
