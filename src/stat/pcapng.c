#include "stat/pcapng.h"

/* Block types and option codes of draft-ietf-opsawg-pcapng. */
#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_STATS 5u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

enum {
    OPT_END = 0,
    OPT_COMMENT = 1,
    SHB_USERAPPL = 4,
    IF_NAME = 2,
    IF_TSRESOL = 9,
    EPB_FLAGS = 2,
    ISB_IFRECV = 4,
    ISB_IFDROP = 5,
};
#define TSRESOL_US 6 /* 10^-6 s */

/* A block being written.  at runs on past the end of the buffer, without writing, when there is
 * no room: the size of a block is known only at its end. */
struct block {
    uint8_t *b;
    size_t size;
    size_t at;
};

static void put(struct block *w, const void *p, size_t n)
{
    if (n <= w->size && w->at <= w->size - n && n > 0)
        memcpy(w->b + w->at, p, n);
    w->at += n;
}

/* In the writer's byte order, which the magic tells the reader. */
static void put_u16(struct block *w, unsigned v)
{
    uint16_t half = (uint16_t)v;
    put(w, &half, 2);
}

static void put_u32(struct block *w, uint32_t v)
{
    put(w, &v, 4);
}

static void put_zeros_to_word(struct block *w)
{
    put(w, &(uint32_t){0}, -w->at & 3);
}

static void put_option(struct block *w, unsigned code, const void *p, size_t n)
{
    put_u16(w, code);
    put_u16(w, (unsigned)n);
    put(w, p, n);
    put_zeros_to_word(w);
}

/* Cut to what the option's 16 bits of length can say. */
static void put_text_option(struct block *w, unsigned code, const char *text)
{
    size_t n = 0;

    if (text == NULL)
        return;
    while (n < UINT16_MAX && text[n] != '\0')
        n++;
    put_option(w, code, text, n);
}

static struct block block_begin(uint8_t *b, size_t size, uint32_t type)
{
    struct block w = {b, size, 0};

    put_u32(&w, type);
    put_u32(&w, 0); /* the length, when it is known */
    return w;
}

/* The length stands at both ends, so that a reader can go backwards. */
static size_t block_end(struct block *w)
{
    uint32_t len = (uint32_t)(w->at + 4);

    put_u32(w, len);
    if (w->at > w->size)
        return 0;
    memcpy(w->b + 4, &len, 4);
    return w->at;
}

static void put_time(struct block *w, uint64_t us)
{
    put_u32(w, (uint32_t)(us >> 32));
    put_u32(w, (uint32_t)us);
}

static void put_end_of_options(struct block *w)
{
    put_option(w, OPT_END, NULL, 0);
}

size_t pcapng_section(uint8_t *b, size_t size, const char *app)
{
    struct block w = block_begin(b, size, BLOCK_SECTION);

    put_u32(&w, BYTE_ORDER_MAGIC);
    put_u16(&w, 1); /* version 1.0 */
    put_u16(&w, 0);
    put_u32(&w, UINT32_MAX); /* the section's length, 64 bits: not known */
    put_u32(&w, UINT32_MAX);
    put_text_option(&w, SHB_USERAPPL, app);
    put_end_of_options(&w);
    return block_end(&w);
}

size_t pcapng_interface(uint8_t *b, size_t size, enum pcapng_link link, uint32_t snaplen,
                        const char *name)
{
    struct block w = block_begin(b, size, BLOCK_INTERFACE);

    put_u16(&w, link);
    put_u16(&w, 0);
    put_u32(&w, snaplen);
    put_text_option(&w, IF_NAME, name);
    put_option(&w, IF_TSRESOL, &(uint8_t){TSRESOL_US}, 1);
    put_end_of_options(&w);
    return block_end(&w);
}

static void put_parts(struct block *w, const struct pcapng_packet *p)
{
    for (unsigned i = 0; i < p->parts; i++)
        put(w, p->part[i].p, p->part[i].n);
    put_zeros_to_word(w);
}

size_t pcapng_packet(uint8_t *b, size_t size, const struct pcapng_packet *p)
{
    struct block w = block_begin(b, size, BLOCK_PACKET);
    uint32_t len = 0;

    for (unsigned i = 0; i < p->parts; i++)
        len += (uint32_t)p->part[i].n;
    put_u32(&w, p->iface);
    put_time(&w, p->us);
    put_u32(&w, len);
    put_u32(&w, p->orig_len != 0 ? p->orig_len : len);
    put_parts(&w, p);
    put_text_option(&w, OPT_COMMENT, p->comment);
    if (p->dir != PCAPNG_DIR_UNKNOWN)
        put_option(&w, EPB_FLAGS, &(uint32_t){p->dir}, 4);
    put_end_of_options(&w);
    return block_end(&w);
}

size_t pcapng_stats(uint8_t *b, size_t size, uint32_t iface, uint64_t us, uint64_t seen,
                    uint64_t lost)
{
    struct block w = block_begin(b, size, BLOCK_STATS);

    put_u32(&w, iface);
    put_time(&w, us);
    put_option(&w, ISB_IFRECV, &seen, 8);
    put_option(&w, ISB_IFDROP, &lost, 8);
    put_end_of_options(&w);
    return block_end(&w);
}
