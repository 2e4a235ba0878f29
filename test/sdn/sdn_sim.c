/* Runs simulated networks under the controller and prints TAP: a point for every kept seed and one
 * for each block of others.
 *
 *   sdn_sim [--seeds A..B] [--seed N] [--kept FILE] [-v] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdn/world.h"

#define BLOCK 20u

static struct world world;
static unsigned points;

static bool one(uint64_t seed, bool verbose)
{
    bool good = world_run(&world, seed, verbose);

    if (!good)
        printf("# seed %" PRIu64 ": %s\n# again: sdn_sim --seed %" PRIu64 " -v\n", seed, world.why,
               seed);
    if (verbose)
        printf("# digest %016" PRIx64 ", %u switches, %u links, %u hosts, %u cores\n", world.digest,
               world.switches, world.links, world.hosts, world.cores);
    fflush(stdout);
    return good;
}

static void point(bool good, const char *name, uint64_t a, uint64_t b)
{
    printf("%sok %u - %s %" PRIu64 "..%" PRIu64 "\n", good ? "" : "not ", ++points, name, a, b);
}

static bool kept(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[200];
    bool good = true;

    if (f == NULL)
        return false;
    while (fgets(line, sizeof(line), f) != NULL) {
        uint64_t seed = strtoull(line, NULL, 10);
        if (seed == 0)
            continue;
        bool ok = one(seed, false);
        point(ok, "kept seed", seed, seed);
        good &= ok;
    }
    fclose(f);
    return good;
}

int main(int argc, char **argv)
{
    uint64_t from = 1, to = 40;
    bool verbose = false, good = true;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            from = to = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%" SCNu64 "..%" SCNu64, &from, &to) == 2) {
            i++;
        } else if (strcmp(argv[i], "--kept") == 0 && i + 1 < argc) {
            good &= kept(argv[++i]);
        } else {
            fprintf(stderr, "usage: sdn_sim [--seeds A..B] [--seed N] [--kept FILE] [-v]\n");
            return 2;
        }
    }
    for (uint64_t b = from; b <= to; b += BLOCK) {
        uint64_t last = b + BLOCK - 1 < to ? b + BLOCK - 1 : to;
        bool block = true;
        for (uint64_t s = b; s <= last; s++)
            block &= one(s, verbose);
        point(block, "networks of seeds", b, last);
        good &= block;
    }
    printf("1..%u\n", points);
    return !good;
}
