/* The panic hook, and ASSERT.
 *
 * An assertion states one fact about our own code and stays on in production.
 * It never judges bytes from the wire: a peer's errors are values (drop
 * reasons), not assertions.
 *
 * mr_panic is the only function the pure core needs from outside besides
 * mem*; the host room provides it (print, flush the trace, abort). */
#pragma once

_Noreturn void mr_panic(const char *file, int line, const char *what);

#define MR_ASSERT(fact)                                                                            \
    do {                                                                                           \
        if (__builtin_expect(!(fact), 0))                                                          \
            mr_panic(__FILE__, __LINE__, #fact);                                                   \
    } while (0)
