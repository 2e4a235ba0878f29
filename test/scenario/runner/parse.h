/* parse: a cursor over one statement of a script, and the parsers of its parts. */
#pragma once

#include "script.h"

struct cursor {
    const char *at;
    char error[256]; /* the first one */
};

void cursor_init(struct cursor *c, const char *text);
/* Remember an error; always false. */
bool cursor_fail(struct cursor *c, const char *how, ...) __attribute__((format(printf, 2, 3)));
void skip_space(struct cursor *c);
bool at_end(struct cursor *c);
/* Take the text if it is next; a word only where it ends as a word. */
bool take(struct cursor *c, const char *text);
bool take_word(struct cursor *c, const char *word);
bool expect(struct cursor *c, const char *text);
/* Decimal or 0x hexadecimal, with sign. */
bool take_number(struct cursor *c, int64_t *out);
bool expect_number(struct cursor *c, int64_t *out);
bool expect_u32(struct cursor *c, uint32_t *out);
bool take_name(struct cursor *c, char *out, size_t n);
bool expect_ip4(struct cursor *c, uint32_t *out);

bool parse_when(struct cursor *c, struct when *out);
/* Behind '<' or '>'. */
bool parse_packet(struct cursor *c, struct pkt_spec *out, bool outgoing);
bool parse_call(struct cursor *c, struct call_spec *out);

/* Value of a named constant: SOCK_STREAM, SO_LINGER, MSG_OOB, POLLIN ... */
bool constant_value(const char *name, int64_t *out);
/* Value of an errno name, and the name of a value ("?" if unknown). */
bool errno_value(const char *name, int *out);
const char *errno_text(int value);
