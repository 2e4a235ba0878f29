/* JSON (RFC 8259) into a bounded buffer.
 *
 * Values are written in order; inside an object each has a key, inside an array (and at the
 * top) key is NULL.  What does not fit is left out and remembered: json_fini then returns 0, and
 * the caller tries again with a larger buffer or says so; half a document is never a document. */
#pragma once

#include "base/fmt.h"
#include "base/types.h"

#define JSON_DEPTH_MAX 32u

struct json {
    struct fmt out;
    uint32_t is_array; /* bit d: what is open at depth d is an array */
    uint32_t has_item; /* bit d: it has an item already */
    unsigned depth;
};

/* libjansson has functions of these names, and a program may be linked with both: ours have others
 * for the linker. */
#define JSON_LINKED_AS(name) __asm__("stat_" #name)

/* size > 0. */
void json_init(struct json *j, char *buf, size_t size);
void json_object(struct json *j, const char *key)
    JSON_LINKED_AS(json_object); /* until the matching json_end */
void json_array(struct json *j, const char *key)
    JSON_LINKED_AS(json_array); /* until the matching json_end */
void json_end(struct json *j);

void json_u64(struct json *j, const char *key, uint64_t v);
void json_i64(struct json *j, const char *key, int64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key) JSON_LINKED_AS(json_null);
/* A value that is JSON already; the caller's word for it. */
void json_raw(struct json *j, const char *key, const char *v, size_t n);

/* Strings may hold any bytes: what is not well formed UTF-8 is written as U+FFFD. */
void json_str(struct json *j, const char *key, const char *v);
void json_str_n(struct json *j, const char *key, const char *v, size_t n);

/* The document's length, all of it closed and ended by a 0; 0 if it did not fit. */
size_t json_fini(struct json *j);
