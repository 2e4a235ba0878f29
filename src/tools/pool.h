/* Objects of one size, taken from the heap a block at a time and given back to
 * it all at once. */
#pragma once

#include <stddef.h>

struct pool {
    size_t size;  /* of an object */
    void *free;   /* owned: objects given back, linked by their first word */
    void *blocks; /* owned */
};

/* size >= sizeof(void *). */
void pool_init(struct pool *p, size_t size);
void pool_fini(struct pool *p);
/* NULL: no memory.  The bytes are whatever they were. */
void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *object);
