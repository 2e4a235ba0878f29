/* Buffers in three sizes, kept for reuse in last-in first-out order so that the
 * warm ones come back first. */
#include <stdlib.h>

#include "kapi/kapi_int.h"

static const uint32_t class_bytes[KBUF_CLASSES] = {
    [KBUF_REF] = 0, [KBUF_SMALL] = 2048 - sizeof(struct kbuf), [KBUF_LARGE] = 65536};

static const uint32_t class_keep[KBUF_CLASSES] = {
    [KBUF_REF] = 65536, [KBUF_SMALL] = 16384, [KBUF_LARGE] = 512};

struct kbuf *kbuf_get(struct kapi *k, enum kbuf_class class)
{
    struct kbuf *b = k->pool[class];

    if (b != NULL) {
        k->pool[class] = b->next;
        k->pooled[class]--;
    } else {
        b = malloc(sizeof(*b) + class_bytes[class]);
        if (b == NULL)
            return NULL;
        b->class = class;
        b->cap = class_bytes[class];
    }
    b->next = NULL;
    b->release = NULL;
    b->n = b->off = b->lent = 0;
    b->ptr = b->data;
    return b;
}

void kbuf_put(struct kapi *k, struct kbuf *b)
{
    if (k->pooled[b->class] >= class_keep[b->class]) {
        free(b);
        return;
    }
    b->next = k->pool[b->class];
    k->pool[b->class] = b;
    k->pooled[b->class]++;
}

void kbuf_free_pools(struct kapi *k)
{
    for (int c = 0; c < KBUF_CLASSES; c++) {
        while (k->pool[c] != NULL) {
            struct kbuf *b = k->pool[c];
            k->pool[c] = b->next;
            free(b);
        }
    }
}
