/* Facts about exec, vfork, posix_spawn and daemon: this program starts itself again. */
#include "conform.h"

#include <spawn.h>

extern char **environ;

/* conform --exec WHAT FD... : what the new image does with what it has inherited. */
int exec_main(int argc, char **argv)
{
    int fd = argc > 1 ? atoi(argv[1]) : -1, err;
    char c;

    if (strcmp(argv[0], "echo") == 0) { /* until the end */
        while (recv(fd, &c, 1, 0) == 1)
            if (send(fd, &c, 1, 0) != 1)
                return 2;
        return 0;
    }
    if (strcmp(argv[0], "is") == 0) /* whether it is open */
        return fcntl(fd, F_GETFD) < 0 ? errno : 0;
    if (strcmp(argv[0], "serve") == 0) { /* one connection of a listener */
        int got = accept(fd, NULL, NULL);
        return got < 0 ? errno : receive(got, 10, 0, &err) == 10 ? 0 : 99;
    }
    if (strcmp(argv[0], "epoll") == 0) { /* a set, and its member */
        struct epoll_event ev = {0, {0}};
        int r = epoll_wait(fd, &ev, 1, PATIENCE_MS);
        return r < 0 ? errno : r == 1 && ev.data.fd == atoi(argv[2]) ? 0 : 98;
    }
    if (strcmp(argv[0], "again") == 0) { /* exec N times more, then echo */
        int n = atoi(argv[2]);
        char left[16];

        snprintf(left, sizeof left, "%d", n - 1);
        if (n > 0)
            execl(self, self, "--exec", "again", argv[1], left, NULL);
        argv[0] = (char[]){"echo"};
        return exec_main(2, argv);
    }
    return 97;
}

static const char *text(int n)
{
    static char rooms[4][12];
    static unsigned next;
    char *room = rooms[next++ % 4];

    snprintf(room, sizeof rooms[0], "%d", n);
    return room;
}

static int run(const char *what, int a, int b)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        execl(self, self, "--exec", what, text(a), text(b), NULL);
        _exit(96);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void execs(void)
{
    int id, fd = pair_in(&id), status, port;
    pid_t pid = fork();

    if (pid == 0) {
        execl(self, self, "--exec", "echo", text(fd), NULL);
        _exit(96);
    }
    close(fd);
    peer("send %d 1000 0", id);
    fact("echoed after exec: %ld", peer("recv %d 1000 0", id));
    peer("shut %d 1", id);
    told("the peer's end", peer("drain %d 0", id));
    waitpid(pid, &status, 0);
    fact("exit status: %d", WEXITSTATUS(status));
    fd = pair_in(&id);
    fact("plain: %s", error_name(run("is", fd, 0)));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fact("CLOEXEC: %s", error_name(run("is", fd, 0)));
    fact("and here it lives: %s", events(polled(fd, POLLIN | POLLOUT)));
    port = next_port();
    int l = listener(port);
    int one = (int)peer("connect %d", port);
    peer("send %d 10 0", one);
    fact("a listener: %s", error_name(run("serve", l, 0)));
    int ep = epoll_create1(0);
    fcntl(fd, F_SETFD, 0);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}});
    peer("send %d 10 0", id);
    await(fd, POLLIN);
    fact("a set: %s", error_name(run("epoll", ep, fd)));
    /* Generations. */
    fd = pair_in(&id);
    pid = fork();
    if (pid == 0) {
        execl(self, self, "--exec", "again", text(fd), "3", NULL);
        _exit(96);
    }
    close(fd);
    peer("send %d 100 0", id);
    fact("echoed after four: %ld", peer("recv %d 100 0", id));
    peer("shut %d 1", id);
    waitpid(pid, &status, 0);
    fact("exit status: %d", WEXITSTATUS(status));
    /* CLOEXEC closes at exec: the peer sees it. */
    fd = pair_in(&id);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    pid = fork();
    if (pid == 0) {
        execl(self, self, "--exec", "again", "77", "0", NULL);
        _exit(96);
    }
    close(fd);
    told("closed by exec", peer("drain %d 0", id));
    waitpid(pid, &status, 0);
    say("exec of nothing", execl("/nonexistent", "x", NULL));
}

static void others(void)
{
    int id, fd = pair_in(&id), status;
    pid_t pid = vfork();
    posix_spawn_file_actions_t acts;
    char *argv[] = {(char *)self, (char[]){"--exec"}, (char[]){"echo"}, (char[]){"55"}, NULL};

    if (pid == 0) {
        execl(self, self, "--exec", "echo", text(fd), NULL);
        _exit(96);
    }
    close(fd);
    peer("send %d 100 0", id);
    fact("vfork and exec: %ld", peer("recv %d 100 0", id));
    peer("shut %d 1", id);
    waitpid(pid, &status, 0);
    fact("exit status: %d", WEXITSTATUS(status));
    /* posix_spawn with a dup2. */
    fd = pair_in(&id);
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_adddup2(&acts, fd, 55);
    say("posix_spawn", posix_spawn(&pid, self, &acts, NULL, argv, environ));
    close(fd);
    peer("send %d 100 0", id);
    peer("shut %d 1", id);
    fact("echoed by what was spawned: %ld", peer("drain %d 0", id));
    waitpid(pid, &status, 0);
    fact("exit status: %d", WEXITSTATUS(status));
    /* daemon: the process goes on in a child, with all descriptors. */
    fd = pair_in(&id);
    pid = fork();
    if (pid == 0) {
        char room[10];
        if (daemon(0, 0) < 0)
            _exit(95);
        ssize_t n = recv(fd, room, sizeof room, MSG_WAITALL);
        if (n > 0)
            send(fd, room, (size_t)n, 0);
        _exit(0);
    }
    close(fd);
    waitpid(pid, &status, 0);
    fact("daemon's parent: %d", WEXITSTATUS(status));
    peer("send %d 10 0", id);
    told("the daemon", peer("drain %d 0", id));
    /* By a shell, on standard input and output. */
    fd = pair_in(&id);
    pid = fork();
    if (pid == 0) {
        dup2(fd, 0);
        dup2(fd, 1);
        close(fd);
        execl("/bin/sh", "sh", "-c", "head -c 10", NULL);
        _exit(96);
    }
    close(fd);
    peer("send %d 10 0", id);
    told("a shell", peer("drain %d 0", id));
    waitpid(pid, &status, 0);
    fact("exit status: %d", WEXITSTATUS(status));
}

const struct topic topics_exec[] = {{"exec", execs}, {"spawn", others}, {0}};
