/* Words of text, and the values they stand for; private to pof_program.c. */
#pragma once

#include "base/fmt.h"

struct word {
    const char *p;
    uint32_t n;
};

/* At most max of them, separated by blanks; max + 1: there are more. */
uint32_t words_of(const char *text, struct word *w, uint32_t max);
bool word_is(const struct word *w, const char *text);
bool word_u32(const struct word *w, uint32_t *v);
/* value[/mask], bits <= 128, from the left. */
bool word_value(const struct word *w, uint32_t bits, uint8_t value[16], uint8_t mask[16],
                struct fmt *why);
