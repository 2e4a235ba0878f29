/* Runs a fuzz target over the files of a corpus, one TAP point a file, where
 * libFuzzer is not: in the gcc tree and in the sanitizer tree.
 *
 * A target that crashes takes the process with it; the plan, printed first, then
 * tells that points are missing, and the last line says which file it was. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/fuzz_target.h"

#define INPUT_BYTES_MAX ((size_t)1 << 20)

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* replay_file returns false where the file cannot be read. */
static bool replay_file(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *bytes;
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "rb");
    if (f == NULL)
        return false;
    /* Exactly as large as the input, so that a sanitizer sees the first byte too far. */
    bytes = malloc(INPUT_BYTES_MAX);
    n = bytes != NULL ? fread(bytes, 1, INPUT_BYTES_MAX, f) : 0;
    fclose(f);
    if (bytes != NULL) {
        uint8_t *exact = realloc(bytes, n != 0 ? n : 1);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    return bytes != NULL;
}

int main(int argc, char **argv)
{
    struct dirent **inputs = NULL;
    int failed = 0;
    int count = argc == 2 ? scandir(argv[1], &inputs, is_input, alphasort) : -1;

    if (count < 0)
        count = 0;
    printf("1..%d\n", count + 1);
    fflush(stdout);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok 1 - the empty input\n");
    for (int i = 0; i < count; i++) {
        printf("# %s\n", inputs[i]->d_name);
        fflush(stdout);
        bool ok = replay_file(argv[1], inputs[i]->d_name);
        printf("%s %d - %s\n", ok ? "ok" : "not ok", i + 2, inputs[i]->d_name);
        failed += !ok;
        free(inputs[i]);
    }
    free(inputs);
    return failed != 0;
}
