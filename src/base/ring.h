/* A single-producer single-consumer ring of 32-bit values, usable between two
 * threads or two processes (the memory may be shared; it holds no pointers).
 *
 * One side pushes bursts, the other pops bursts; neither waits.  Each side
 * keeps a private copy of the other's index on its own cache line and reads
 * the shared one only when its copy says full (empty): a steady burst costs
 * one shared line each way. */
#pragma once

#include <stdatomic.h>

#include "base/bits.h"
#include "base/types.h"

struct ring_u32 {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t tail; /* written by the producer */
    uint32_t head_seen;                           /* producer's copy of head */
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t head; /* written by the consumer */
    uint32_t tail_seen;                           /* consumer's copy of tail */
    MR_ALIGNED(CACHE_LINE) uint32_t mask;         /* size - 1, size a power of two */
    uint32_t slot[];
};

static inline size_t ring_u32_bytes(uint32_t size)
{
    return sizeof(struct ring_u32) + (size_t)size * sizeof(uint32_t);
}

/* size: a power of two. */
static inline void ring_u32_init(struct ring_u32 *r, uint32_t size)
{
    MR_ASSERT(is_pow2(size));
    atomic_store_explicit(&r->tail, 0, memory_order_relaxed);
    atomic_store_explicit(&r->head, 0, memory_order_relaxed);
    r->head_seen = r->tail_seen = 0;
    r->mask = size - 1;
}

/* Producer: push up to n values; returns how many fitted. */
static inline uint32_t ring_u32_push(struct ring_u32 *r, const uint32_t *v, uint32_t n)
{
    uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    uint32_t room = r->mask + 1 - (tail - r->head_seen);

    if (room < n) {
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        room = r->mask + 1 - (tail - r->head_seen);
        n = min_u32(n, room);
    }
    for (uint32_t i = 0; i < n; i++)
        r->slot[(tail + i) & r->mask] = v[i];
    atomic_store_explicit(&r->tail, tail + n, memory_order_release);
    return n;
}

/* Consumer: pop up to n values; returns how many there were. */
static inline uint32_t ring_u32_pop(struct ring_u32 *r, uint32_t *v, uint32_t n)
{
    uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t used = r->tail_seen - head;

    if (used < n) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        used = r->tail_seen - head;
        n = min_u32(n, used);
    }
    for (uint32_t i = 0; i < n; i++)
        v[i] = r->slot[(head + i) & r->mask];
    atomic_store_explicit(&r->head, head + n, memory_order_release);
    return n;
}

/* Either side: how many values wait (a snapshot). */
static inline uint32_t ring_u32_count(struct ring_u32 *r)
{
    return atomic_load_explicit(&r->tail, memory_order_acquire) -
           atomic_load_explicit(&r->head, memory_order_acquire);
}
