#include "tools/pool.h"

#include <stdlib.h>

#define BLOCK_BYTES_MIN ((size_t)64 << 10)

void pool_init(struct pool *p, size_t size)
{
    *p = (struct pool){.size = (size + 15) & ~(size_t)15};
}

void pool_fini(struct pool *p)
{
    while (p->blocks != NULL) {
        void *block = p->blocks;
        p->blocks = *(void **)block;
        free(block);
    }
    p->free = NULL;
}

/* The first 16 bytes of a block link it to the others. */
static void grow(struct pool *p)
{
    size_t n = BLOCK_BYTES_MIN / p->size + 1;
    char *block = malloc(16 + n * p->size);

    if (block == NULL)
        return;
    *(void **)(void *)block = p->blocks;
    p->blocks = block;
    for (size_t i = n; i-- > 0;)
        pool_put(p, block + 16 + i * p->size);
}

void *pool_get(struct pool *p)
{
    void *object;

    if (p->free == NULL)
        grow(p);
    object = p->free;
    if (object != NULL)
        p->free = *(void **)object;
    return object;
}

void pool_put(struct pool *p, void *object)
{
    *(void **)object = p->free;
    p->free = object;
}
