/* millrace-stat: what a running Millrace program tells about itself, for people. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/post.h"
#include "os/os.h"
#include "stack/stack.h"
#include "tools/jtree.h"

#include <millrace/millrace.h>

#define PATH_BYTES 256
#define FOUND_MAX 16

struct options {
    const char *path;
    double watch_s; /* 0: once */
    bool all, connections, pools, json;
};

struct answer {
    char *text; /* owned */
    size_t n, room;
    struct jtree tree;
};

/* ---- asking ------------------------------------------------------------------------- */

static void drop(struct answer *a)
{
    jtree_fini(&a->tree);
    free(a->text);
    *a = (struct answer){0};
}

static bool read_line(int fd, struct answer *a)
{
    for (;;) {
        if (a->room - a->n < 65536) {
            char *grown = realloc(a->text, a->room + (256u << 10));
            if (!grown)
                return false;
            a->text = grown;
            a->room += 256u << 10;
        }
        ssize_t n = read(fd, a->text + a->n, a->room - a->n - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        a->n += (size_t)n;
        if (a->text[a->n - 1] == '\n')
            break;
    }
    a->text[--a->n] = '\0';
    return true;
}

static bool ask(int fd, const char *question, struct answer *a)
{
    *a = (struct answer){0};
    if (os_write_all(fd, question, strlen(question)) == 0 && read_line(fd, a) &&
        jtree_parse(&a->tree, a->text, a->n))
        return true;
    drop(a);
    return false;
}

/* ---- printing ----------------------------------------------------------------------- */

static void print_interfaces(const struct jtree *t)
{
    uint32_t list = jtree_member(t, 0, "interfaces");

    printf("%-10s %-17s %6s %12s %14s %12s %14s %8s %8s %8s %8s\n", "interface", "mac", "mtu",
           "rx packets", "rx bytes", "tx packets", "tx bytes", "rx nobuf", "rx error", "tx full",
           "tx error");
    for (uint32_t i = jtree_first(t, list); i; i = jtree_next(t, list, i)) {
        int name_len, mac_len;
        const char *name = jtree_str(t, i, "name", &name_len);
        const char *mac = jtree_str(t, i, "mac", &mac_len);
        printf("%-10.*s %-17.*s %6llu", name_len, name, mac_len, mac,
               (unsigned long long)jtree_u64(t, i, "mtu"));
        if (jtree_member(t, i, "rx_packets"))
            printf(" %12llu %14llu %12llu %14llu %8llu %8llu %8llu %8llu",
                   (unsigned long long)jtree_u64(t, i, "rx_packets"),
                   (unsigned long long)jtree_u64(t, i, "rx_bytes"),
                   (unsigned long long)jtree_u64(t, i, "tx_packets"),
                   (unsigned long long)jtree_u64(t, i, "tx_bytes"),
                   (unsigned long long)jtree_u64(t, i, "rx_nobuf"),
                   (unsigned long long)jtree_u64(t, i, "rx_error"),
                   (unsigned long long)jtree_u64(t, i, "tx_full"),
                   (unsigned long long)jtree_u64(t, i, "tx_error"));
        printf("\n");
    }
}

/* What is in force, what costs, and what the driver itself counts. */
static void print_port(const struct jtree *t, const struct jtree *before, double seconds, bool all)
{
    uint32_t port = jtree_member(t, 0, "port"), counters = jtree_member(t, port, "counters");
    uint32_t old = before ? jtree_member(before, jtree_member(before, 0, "port"), "counters") : 0;
    static const char *const kinds[] = {"fast", "slow"};
    int n;

    if (!port)
        return;
    const char *dev = jtree_str(t, port, "dev", &n);
    const struct jnode *link = &t->node[jtree_member(t, port, "link_up")];
    printf("\nport %.*s: link %s, %llu queue%s\n", n, dev, link->len == 4 ? "up" : "down",
           (unsigned long long)jtree_u64(t, port, "queues"),
           jtree_u64(t, port, "queues") == 1 ? "" : "s");
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        uint32_t list = jtree_member(t, port, kinds[k]);
        for (uint32_t i = jtree_first(t, list); i; i = jtree_next(t, list, i))
            printf("  %s  %.*s\n", kinds[k], t->node[i].len, t->node[i].text);
    }
    for (uint32_t i = jtree_first(t, counters); i; i = jtree_next(t, counters, i)) {
        const struct jnode *c = &t->node[i];
        uint64_t v = strtoull(c->text, NULL, 10);
        char rate[32] = "", key[64];
        if (v == 0 && !all)
            continue;
        snprintf(key, sizeof(key), "%.*s", c->key_len, c->key);
        if (before)
            snprintf(rate, sizeof(rate), "%12.0f/s",
                     (double)(v - jtree_u64(before, old, key)) / seconds);
        printf("  %-32s %14llu%s\n", key, (unsigned long long)v, rate);
    }
}

/* The sentence that the room's list has for a counter; "" for one this version does not know. */
static const char *help_for(const struct jnode *group, const struct jnode *counter)
{
    static const struct stat_group *const groups[] = {&eth_stat_group,  &ip_stat_group,
                                                      &udp_stat_group,  &tcp_stat_group,
                                                      &sock_stat_group, &mail_stat_group,
                                                      &post_stat_group};

    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        if (strncmp(groups[g]->name, group->key, (size_t)group->key_len) != 0)
            continue;
        for (unsigned i = 0; i < groups[g]->n; i++)
            if (strlen(groups[g]->fields[i].name) == (size_t)counter->key_len &&
                strncmp(groups[g]->fields[i].name, counter->key, (size_t)counter->key_len) == 0)
                return groups[g]->fields[i].help;
    }
    return "";
}

/* The counters of one kind: drops are those whose name says so. */
static void print_counters(const struct jtree *t, const struct jtree *before, double seconds,
                           bool drops, bool all)
{
    uint32_t groups = jtree_member(t, 0, "counters");
    uint32_t old = before ? jtree_member(before, 0, "counters") : 0;
    bool any = false;

    printf("\n%s\n", drops ? "dropped, with the reason" : "counters");
    for (uint32_t g = jtree_first(t, groups); g; g = jtree_next(t, groups, g)) {
        char name[64];
        snprintf(name, sizeof(name), "%.*s", t->node[g].key_len, t->node[g].key);
        uint32_t old_g = before ? jtree_member(before, old, name) : 0;
        for (uint32_t i = jtree_first(t, g); i; i = jtree_next(t, g, i)) {
            const struct jnode *k = &t->node[i];
            uint64_t v = strtoull(k->text, NULL, 10);
            bool is_drop = k->key_len > 5 && memcmp(k->key, "drop_", 5) == 0;
            if (is_drop != drops || (v == 0 && !all))
                continue;
            any = true;
            char rate[32] = "", key[64];
            snprintf(key, sizeof(key), "%.*s", k->key_len, k->key);
            if (before)
                snprintf(rate, sizeof(rate), "%12.0f/s",
                         (double)(v - jtree_u64(before, old_g, key)) / seconds);
            printf("  %-4s %-22s %14llu%s  %s\n", name, key, (unsigned long long)v, rate,
                   help_for(&t->node[g], k));
        }
    }
    if (!any)
        printf("  none\n");
}

static void print_pools(const struct jtree *t)
{
    uint32_t list = jtree_member(t, 0, "pools");

    printf("\n%-26s %10s %10s %10s %8s %12s %12s %9s\n", "pool", "used", "most used", "limit",
           "size", "KB reserved", "KB touched", "refused");
    for (uint32_t i = jtree_first(t, list); i; i = jtree_next(t, list, i)) {
        int n;
        const char *name = jtree_str(t, i, "name", &n);
        printf("%-26.*s %10llu %10llu %10llu %8llu %12llu %12llu %9llu\n", n, name,
               (unsigned long long)jtree_u64(t, i, "used"),
               (unsigned long long)jtree_u64(t, i, "used_max"),
               (unsigned long long)jtree_u64(t, i, "capacity"),
               (unsigned long long)jtree_u64(t, i, "size"),
               (unsigned long long)jtree_u64(t, i, "bytes") >> 10,
               (unsigned long long)jtree_u64(t, i, "touched") >> 10,
               (unsigned long long)jtree_u64(t, i, "failures"));
    }
}

static void print_conn(const struct jtree *t, uint32_t i)
{
    int ln, rn, sn;
    const char *local = jtree_str(t, i, "local", &ln), *remote = jtree_str(t, i, "remote", &rn);
    const char *state = jtree_str(t, i, "state", &sn);

    printf("%-21.*s %-21.*s %-12.*s %10llu %9.3f %9.1f %6llu %9llu %9llu %9llu %9llu\n", ln, local,
           rn, remote, sn, state, (unsigned long long)jtree_u64(t, i, "cwnd"),
           (double)jtree_u64(t, i, "srtt_us") / 1000, (double)jtree_u64(t, i, "rto_us") / 1000,
           (unsigned long long)jtree_u64(t, i, "mss"),
           (unsigned long long)jtree_u64(t, i, "in_flight"),
           (unsigned long long)jtree_u64(t, i, "sndq"), (unsigned long long)jtree_u64(t, i, "rcvq"),
           (unsigned long long)jtree_u64(t, i, "rcv_wnd"));
}

static bool print_conns(int fd, bool json)
{
    char question[64];
    uint64_t from = 0;
    struct answer a;
    uint32_t next;

    if (!json)
        printf("\n%-21s %-21s %-12s %10s %9s %9s %6s %9s %9s %9s %9s\n", "local", "remote", "state",
               "cwnd", "srtt ms", "rto ms", "mss", "in flight", "sndq", "rcvq", "rcv wnd");
    do {
        snprintf(question, sizeof(question), "conns %llu 500\n", (unsigned long long)from);
        if (!ask(fd, question, &a))
            return false;
        uint32_t list = jtree_member(&a.tree, 0, "connections");
        if (json)
            printf("%s\n", a.text);
        for (uint32_t i = jtree_first(&a.tree, list); i && !json; i = jtree_next(&a.tree, list, i))
            print_conn(&a.tree, i);
        next = jtree_member(&a.tree, 0, "next");
        next = next && a.tree.node[next].type == J_NUMBER;
        from = jtree_u64(&a.tree, 0, "next");
        drop(&a);
    } while (next);
    return true;
}

static void print_head(const struct jtree *t)
{
    int n;
    const char *program = jtree_str(t, 0, "program", &n);

    printf("%.*s: %llu connections, %llu half-open, %llu in TIME-WAIT", n, program,
           (unsigned long long)jtree_u64(t, 0, "connections"),
           (unsigned long long)jtree_u64(t, 0, "half_open"),
           (unsigned long long)jtree_u64(t, 0, "time_wait"));
    if (jtree_u64(t, 0, "captured"))
        printf(", %llu frames captured, %llu lost", (unsigned long long)jtree_u64(t, 0, "captured"),
               (unsigned long long)jtree_u64(t, 0, "capture_lost"));
    printf("\n\n");
}

/* Of a row, since the one before if there is one. */
static uint64_t since(const struct jtree *t, uint32_t row, const struct jtree *before, uint32_t old,
                      const char *key)
{
    return jtree_u64(t, row, key) - (old ? jtree_u64(before, old, key) : 0);
}

static void print_core(const struct jtree *t, uint32_t i, const struct jtree *before, uint32_t old)
{
    uint64_t turns = since(t, i, before, old, "turns");
    uint64_t busy = since(t, i, before, old, "busy_turns");
    uint32_t mail = jtree_member(t, i, "mail");
    char cpu[24];
    int n;

    if (!jtree_member(t, i, "cpu")) {
        printf("%4llu  does not answer\n", (unsigned long long)jtree_u64(t, i, "core"));
        return;
    }
    const struct jnode *where = &t->node[jtree_member(t, i, "cpu")];
    n = where->len > 0 && where->text[0] != '-' ? where->len : 0;
    snprintf(cpu, sizeof(cpu), "%.*s", n ? n : 3, n ? where->text : "any");
    printf("%4llu %4s %12llu %7.1f %14llu %14llu %12llu %12llu\n",
           (unsigned long long)jtree_u64(t, i, "core"), cpu,
           (unsigned long long)jtree_u64(t, i, "connections"),
           turns ? 100.0 * (double)busy / (double)turns : 0.0,
           (unsigned long long)jtree_u64(t, i, "rx_packets"),
           (unsigned long long)jtree_u64(t, i, "tx_packets"),
           (unsigned long long)jtree_u64(t, mail, "packets_sent"),
           (unsigned long long)jtree_u64(t, mail, "packets_received"));
}

/* How the connections are spread, where there is anything to spread them over. */
static void print_cores(const struct jtree *t, const struct jtree *before)
{
    uint32_t list = jtree_member(t, 0, "cores"), first = jtree_first(t, list);
    uint32_t old_list = 0, old = 0;
    int n;

    if (!first || !jtree_next(t, list, first))
        return;
    if (before) {
        old_list = jtree_member(before, 0, "cores");
        old = jtree_first(before, old_list);
    }
    printf("\n%4s %4s %12s %7s %14s %14s %12s %12s\n", "core", "cpu", "connections", "busy %",
           "packets in", "packets out", "passed on", "taken over");
    for (uint32_t i = first; i; i = jtree_next(t, list, i)) {
        print_core(t, i, before, old);
        old = old ? jtree_next(before, old_list, old) : 0;
    }
    const char *why = jtree_str(t, jtree_member(t, 0, "spread"), "why", &n);
    printf("%.*s\n", n, why);
}

static void print_all(const struct options *o, const struct jtree *t, const struct jtree *before)
{
    double seconds =
        before ? (double)(jtree_u64(t, 0, "now_us") - jtree_u64(before, 0, "now_us")) / 1e6 : 0;

    if (before && seconds <= 0)
        seconds = o->watch_s;
    print_head(t);
    print_interfaces(t);
    print_port(t, before, seconds, o->all);
    print_cores(t, before);
    print_counters(t, before, seconds, false, o->all);
    print_counters(t, before, seconds, true, o->all);
    if (o->pools)
        print_pools(t);
}

/* ---- finding a program -------------------------------------------------------------- */

static unsigned look_in(const char *dir, char found[][PATH_BYTES], unsigned n)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d && (e = readdir(d)) && n < FOUND_MAX) {
        size_t len = strlen(e->d_name);
        if (strncmp(e->d_name, "millrace-", 9) != 0 || len < 15 ||
            strcmp(e->d_name + len - 5, ".sock") != 0 || strlen(dir) + len + 2 > PATH_BYTES)
            continue;
        sprintf(found[n], "%s/%s", dir, e->d_name);
        int fd = os_unix_connect(found[n]);
        os_close(fd);
        n += fd >= 0;
    }
    if (d)
        closedir(d);
    return n;
}

static const char *find(void)
{
    static char found[FOUND_MAX][PATH_BYTES];
    const char *dir = getenv("XDG_RUNTIME_DIR");
    unsigned n = 0;

    if (dir && strcmp(dir, "/tmp") != 0)
        n = look_in(dir, found, n);
    n = look_in("/tmp", found, n);
    if (n == 1)
        return found[0];
    if (n == 0)
        fprintf(stderr, "millrace-stat: no running program found; give its control socket\n");
    else
        fprintf(stderr, "millrace-stat: several programs run; choose one:\n");
    for (unsigned i = 0; i < n; i++)
        fprintf(stderr, "  millrace-stat %s\n", found[i]);
    return NULL;
}

/* ---- the program -------------------------------------------------------------------- */

static const char help[] =
    "usage: millrace-stat [options] [CONTROL-SOCKET]\n"
    "Show what a running Millrace program counts.  Without a socket: the one that runs.\n"
    "  -c, --connections    every connection: state, congestion window, round trip, queues\n"
    "  -p, --pools          every pool of memory: in use, limit, refusals\n"
    "  -a, --all            counters that are zero, too\n"
    "  -w, --watch SECONDS  again and again, with rates\n"
    "      --json           the answers as they come, one JSON document a line\n"
    "  -h, --help           this text\n"
    "      --version\n";

static int once(const struct options *o, int fd, struct answer *before)
{
    struct answer a;

    if (!ask(fd, "status\n", &a)) {
        fprintf(stderr, "millrace-stat: %s: the program has gone\n", o->path);
        return 1;
    }
    if (o->watch_s > 0 && isatty(1) && !o->json)
        printf("\033[H\033[2J");
    if (o->json)
        printf("%s\n", a.text);
    else
        print_all(o, &a.tree, before->n ? &before->tree : NULL);
    drop(before);
    *before = a;
    return !o->connections || print_conns(fd, o->json) ? 0 : 1;
}

static int run(const struct options *o)
{
    struct answer before = {0};
    int fd = os_unix_connect(o->path), rc;

    if (fd < 0) {
        fprintf(stderr, "millrace-stat: %s: %s\n", o->path, strerror(-fd));
        return 1;
    }
    do {
        rc = once(o, fd, &before);
        fflush(stdout);
        if (rc == 0 && o->watch_s > 0)
            nanosleep(&(struct timespec){(time_t)o->watch_s,
                                         (long)((o->watch_s - (double)(time_t)o->watch_s) * 1e9)},
                      NULL);
    } while (rc == 0 && o->watch_s > 0 && !ferror(stdout));
    drop(&before);
    os_close(fd);
    return rc;
}

static bool take_seconds(struct options *o, const char *text)
{
    char *end = NULL;

    o->watch_s = text ? strtod(text, &end) : 0;
    return text && end != text && *end == '\0' && o->watch_s >= 0.05 && o->watch_s <= 86400;
}

/* 0: go on; else the exit status + 1. */
static int take_option(struct options *o, int argc, char **argv, int *i)
{
    const char *w = argv[*i];

    if (strcmp(w, "-c") == 0 || strcmp(w, "--connections") == 0) {
        o->connections = true;
    } else if (strcmp(w, "-p") == 0 || strcmp(w, "--pools") == 0) {
        o->pools = true;
    } else if (strcmp(w, "-a") == 0 || strcmp(w, "--all") == 0) {
        o->all = true;
    } else if (strcmp(w, "--json") == 0) {
        o->json = true;
    } else if (strcmp(w, "-w") == 0 || strcmp(w, "--watch") == 0) {
        ++*i;
        if (!take_seconds(o, *i < argc ? argv[*i] : NULL)) {
            fprintf(stderr, "millrace-stat: --watch wants seconds, 0.05 to 86400\n");
            return 3;
        }
    } else if (strcmp(w, "-h") == 0 || strcmp(w, "--help") == 0) {
        fputs(help, stdout);
        return 1;
    } else if (strcmp(w, "--version") == 0) {
        printf("millrace-stat %s\n", MR_VERSION);
        return 1;
    } else if (w[0] == '-' || o->path) {
        fprintf(stderr, "millrace-stat: %s '%s'; see --help\n",
                w[0] == '-' ? "unknown option" : "one control socket only, not", w);
        return 3;
    } else {
        o->path = w;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {0};

    for (int i = 1; i < argc; i++) {
        int done = take_option(&o, argc, argv, &i);
        if (done)
            return done - 1;
    }
    signal(SIGPIPE, SIG_IGN);
    if (!o.path)
        o.path = find();
    return o.path ? run(&o) : 1;
}
