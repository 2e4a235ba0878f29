/* Objects of one size, taken from the heap a block at a time and given back to
 * it all at once. */
#pragma once

#include <stddef.h>

struct tool_pool {
    size_t size;  /* of an object */
    void *free;   /* owned: objects given back, linked by their first word */
    void *blocks; /* owned */
};

/* size >= sizeof(void *). */
void tool_pool_init(struct tool_pool *p, size_t size);
void tool_pool_fini(struct tool_pool *p);
/* NULL: no memory.  The bytes are whatever they were. */
void *tool_pool_get(struct tool_pool *p);
void tool_pool_put(struct tool_pool *p, void *object);
