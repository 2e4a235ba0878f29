/* The words of POF programs: a line is a step, or a field, a blank and a value; any bytes.
 *
 * Law: what was taken is printed in words that are taken again, for the same. */
#include <stdlib.h>
#include <string.h>

#include "lib/fuzz_target.h"
#include "sdn/pof_program.h"

#define LAW(fact)                                                                                  \
    do {                                                                                           \
        if (!(fact))                                                                               \
            __builtin_trap();                                                                      \
    } while (0)

static struct pof_program program;
static char text[200];

static struct fmt *why(void)
{
    static struct fmt f;

    fmt_init(&f, text, sizeof(text));
    return &f;
}

static void declare(void)
{
    struct pof_program *p = &program;

    pof_program_init(p, NULL, 0);
    LAW(pof_program_metadata(p, "mine", 32, why()) && pof_program_field(p, "id", -1, 16, why()) &&
        pof_program_protocol(p, "eth", 0, why()) && pof_program_field(p, "dst", -1, 48, why()) &&
        pof_program_field(p, "src", -1, 48, why()) && pof_program_field(p, "type", -1, 16, why()) &&
        pof_program_protocol(p, "ip", 112, why()) && pof_program_field(p, "sum", 80, 16, why()) &&
        pof_program_field(p, "dst", 128, 32, why()) && pof_program_protocol(p, "odd", 113, why()) &&
        pof_program_field(p, "bits", -1, 3, why()) && pof_program_table(p, "a", "MM", 8, why()) &&
        pof_program_key(p, "eth.dst", why()) && pof_program_key(p, "ip.dst", why()) &&
        pof_program_key(p, "odd.bits", why()) && pof_program_table(p, "b", "EM", 8, why()) &&
        pof_program_key(p, "meta.in_port", why()));
}

static void law_step(const char *line)
{
    struct pof_rule r, again;
    struct fmt f;
    char said[200];

    LAW(pof_rule_begin(&program, &r, "a", 1, 0, why()));
    again = r;
    if (!pof_rule_step(&program, &r, line, why())) {
        LAW(text[0] != 0);
        return;
    }
    fmt_init(&f, said, sizeof(said));
    pof_step_print(&f, &program, &r.step[0]);
    LAW(pof_rule_step(&program, &again, said, why()));
    LAW(memcmp(&r.step[0].kind, &again.step[0].kind, sizeof(r.step[0].kind)) == 0);
    LAW(r.step[0].action.arg == again.step[0].action.arg &&
        memcmp(r.step[0].action.value, again.step[0].action.value, POF_VALUE_BYTES) == 0);
    (void)pof_rule_check(&program, &r, OFP_NONE, why());
}

static void law_value(const char *line)
{
    char field[64];
    const char *blank = strchr(line, ' ');
    struct pof_rule r;

    if (!blank || blank - line >= (long)sizeof(field))
        return;
    memcpy(field, line, (size_t)(blank - line));
    field[blank - line] = 0;
    LAW(pof_rule_begin(&program, &r, "a", 1, 0, why()));
    if (!pof_rule_match(&program, &r, field, blank + 1, why()))
        LAW(text[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *all, *line, *end;

    if (size > 4096)
        return 0;
    if (program.tables == 0)
        declare();
    all = malloc(size + 1);
    LAW(all != NULL);
    memcpy(all, data, size);
    all[size] = 0;
    for (line = all; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        law_step(line);
        law_value(line);
    }
    free(all);
    return 0;
}
