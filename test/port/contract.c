#define _GNU_SOURCE
#include "contract.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_MAX 100u /* then something hangs */

static const struct check *const lists[] = {traffic_checks, lend_checks,  offload_checks,
                                            link_checks,    count_checks, queue_checks};

/* Opening takes some ports a second, so checks that want the same share one. */
static bool is_same(const struct check *a, const struct check *b)
{
    return a && b && !a->apart && !b->apart && !b->itself && a->queues == b->queues &&
           a->buffers == b->buffers && a->plain == b->plain;
}

/* A check that does not apply to the port is a remark and no point. */
static void tell(const struct rig *r, const struct check *c, unsigned *points)
{
    if (r->skip[0] && !r->failed)
        printf("# %s: %s: does not apply, %s\n", r->kind->name, c->name, r->skip);
    else
        printf("%s %u - %s: %s\n", r->failed ? "not ok" : "ok", ++*points, r->kind->name, c->name);
}

static void do_check(struct rig *r, const struct check *c, unsigned *points)
{
    r->failed = false;
    r->skip[0] = '\0';
    if (!is_same(r->open_for, c))
        rig_close(r);
    if (c->itself || r->open_for || rig_open(r, c))
        c->run(r);
    rig_settle(r);
    if (r->failed)
        rig_close(r);
    tell(r, c, points);
}

static int run(const struct rig_kind *kind, const char *only)
{
    struct rig r = {.kind = kind, .sock = -1};
    const char *why = kind->start ? kind->start(&r) : NULL;
    unsigned points = 0, bad = 0;

    alarm(SECONDS_MAX);
    if (why) {
        printf("1..0 # SKIP %s: %s\n", kind->name, why);
        return 0;
    }
    for (size_t l = 0; l < ARRAY_LEN(lists); l++)
        for (const struct check *c = lists[l]; c->name; c++) {
            if (only && !strstr(c->name, only))
                continue;
            do_check(&r, c, &points);
            bad += r.failed;
        }
    r.failed = false;
    rig_close(&r);
    printf("%s %u - %s: and at last all is closed\n", r.failed ? "not ok" : "ok", ++points,
           kind->name);
    bad += r.failed;
    if (kind->end)
        kind->end(&r);
    printf("1..%u\n", points);
    return bad > 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN); /* as every program of ours has it */
    for (unsigned i = 0; argc > 1 && rigs[i]; i++)
        if (strcmp(rigs[i]->name, argv[1]) == 0)
            return run(rigs[i], argc > 2 ? argv[2] : NULL);
    fprintf(stderr, "usage: contract PORT [WORDS OF A CHECK]\nports:");
    for (unsigned i = 0; rigs[i]; i++)
        fprintf(stderr, " %s", rigs[i]->name);
    fprintf(stderr, "\n");
    return 2;
}
