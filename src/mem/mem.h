/* mem: fixed pools carved from memory handed in.
 *
 * THEORY OF OPERATION
 *
 * The caller hands one range of memory to the stack: the arena.  At start every room carves what
 * its limits name; after that nothing is carved or freed, only taken from pools and put back. Pools
 * hand out never-used objects in address order before they look further, and reuse the last
 * returned first: memory that a limit reserves but no load touches is never committed by the
 * operating system.
 *
 * Inside the arena, objects refer to each other by 32-bit references in units of 16 bytes (64 GiB
 * reachable), half the size of a pointer and meaningful only with the arena's base.
 *
 * An arena whose base is NULL measures: carving only adds up sizes.  mem_carve then returns NULL,
 * and initialisers must not write.  This is how the memory cost of a set of limits is known before
 * it is reserved. */
#pragma once

#include "base/bits.h"
#include "base/types.h"

#define MEM_UNIT 16u

struct mem {
    uint8_t *base; /* borrowed from the caller for the stack's life; NULL: measuring */
    size_t size;
    size_t used;
};

typedef uint32_t mem_ref;
#define MEM_NONE 0u

/* base: aligned to 4096, or NULL to measure. */
void mem_init(struct mem *m, void *base, size_t size);

/* Carve size bytes aligned to align (a power of two, >= MEM_UNIT is made so).  Fresh arena memory
 * is expected to be zero. Exhaustion is our own error (the arena was measured): ASSERT. */
void *mem_carve(struct mem *m, size_t size, size_t align);

static inline bool mem_is_measuring(const struct mem *m)
{
    return m->base == NULL;
}

static inline mem_ref mem_ref_of(const uint8_t *base, const void *p)
{
    return p ? (mem_ref)((size_t)((const uint8_t *)p - base) / MEM_UNIT) : MEM_NONE;
}
static inline void *mem_ptr(uint8_t *base, mem_ref r)
{
    return r ? base + (size_t)r * MEM_UNIT : NULL;
}

/* A pool of objects of one size.  A free object's first eight bytes link it; the rest keeps what
 * its last user left there. */
struct pool {
    void *free_head;   /* last returned; NULL: none */
    uint8_t *base;     /* borrowed from the arena */
    uint32_t stride;   /* bytes from one object to the next */
    uint32_t shift;    /* stride is 1 << shift; 0: it is no power of two */
    uint32_t capacity; /* objects */
    uint32_t fresh;    /* objects [fresh, capacity) were never taken */
    uint32_t used;     /* objects out */
    uint32_t used_max; /* high-water mark */
    uint64_t failures; /* gets refused because the pool was empty */
};

/* object_size is rounded up to align (>= 16). */
void pool_init(struct pool *p, struct mem *m, uint32_t capacity, size_t object_size, size_t align);

static inline uint32_t pool_index(const struct pool *p, const void *object)
{
    size_t off = (size_t)((const uint8_t *)object - p->base);
    return (uint32_t)(likely(p->shift) ? off >> p->shift : off / p->stride);
}
static inline void *pool_at(const struct pool *p, uint32_t index)
{
    return p->base + (size_t)index * p->stride;
}
static inline uint32_t pool_available(const struct pool *p)
{
    return p->capacity - p->used;
}

/* NULL when empty (counted).  The object's content is undefined, except that a never-used one is
 * zero. */
static inline void *pool_get(struct pool *p)
{
    void *object = p->free_head;

    if (likely(object != NULL)) {
        memcpy(&p->free_head, object, sizeof(p->free_head));
    } else if (p->fresh < p->capacity) {
        object = pool_at(p, p->fresh++);
    } else {
        p->failures++;
        return NULL;
    }
    p->used++;
    p->used_max = max_u32(p->used_max, p->used);
    return object;
}

static inline void pool_put(struct pool *p, void *object)
{
    MR_ASSERT((size_t)((uint8_t *)object - p->base) < (size_t)p->fresh * p->stride && p->used > 0);
    memcpy(object, &p->free_head, sizeof(p->free_head));
    p->free_head = object;
    p->used--;
}
