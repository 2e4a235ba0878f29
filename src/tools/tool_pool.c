#include "tools/tool_pool.h"

#include <stdlib.h>

#define BLOCK_BYTES_MIN ((size_t)64 << 10)

void tool_pool_init(struct tool_pool *p, size_t size)
{
    *p = (struct tool_pool){.size = (size + 15) & ~(size_t)15};
}

void tool_pool_fini(struct tool_pool *p)
{
    while (p->blocks != NULL) {
        void *block = p->blocks;
        p->blocks = *(void **)block;
        free(block);
    }
    p->free = NULL;
}

/* The first 16 bytes of a block link it to the others. */
static void grow(struct tool_pool *p)
{
    size_t n = BLOCK_BYTES_MIN / p->size + 1;
    char *block = malloc(16 + n * p->size);

    if (block == NULL)
        return;
    *(void **)(void *)block = p->blocks;
    p->blocks = block;
    for (size_t i = n; i-- > 0;)
        tool_pool_put(p, block + 16 + i * p->size);
}

void *tool_pool_get(struct tool_pool *p)
{
    void *object;

    if (p->free == NULL)
        grow(p);
    object = p->free;
    if (object != NULL)
        p->free = *(void **)object;
    return object;
}

void tool_pool_put(struct tool_pool *p, void *object)
{
    *(void **)object = p->free;
    p->free = object;
}
