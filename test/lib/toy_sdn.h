/* A toy that has sdn's door, for tests of the shell around it.  It says back what it hears, in
 * chunks that it gets back, has a limit of them a connection, and obeys a few words:
 *
 *     "C"  close me when all is said    "A"  abort me    "L"  write to the next core
 *
 * A connection is new until its first byte. */
#pragma once

#include "lib/cmocka_first.h"

#include <stdatomic.h>
#include <unistd.h>

#include "sdn/sdn.h"

#define TOY_CONNS 64u
#define TOY_CHUNKS 8u /* of one connection */

struct toy_chunk {
    uint8_t data[SDN_CHUNK_BYTES];
    uint32_t n;
    bool used, lent;
};

struct toy_conn {
    bool open, is_new, ready;
    enum sdn_do what;
    struct toy_chunk chunk[TOY_CHUNKS];
    unsigned first, count; /* a ring: filled, not yet handed out */
    unsigned out;          /* handed out and not done */
};

struct sdn {
    struct sdn_config config;
    struct toy_conn conn[TOY_CONNS];
    struct sdn_stats stats;
    unsigned letters; /* to be written */
    unsigned letters_in;
    struct sdn_ask *asked, *answered;
    instant advance_at;
};

static _Atomic unsigned toy_open, toy_lent, toy_letters_in, toy_advanced;
static _Atomic uint64_t toy_in;
static _Atomic bool toy_keeps_questions;
static _Atomic bool toy_asker_waits; /* the test's: its question is still its own to write to */

void sdn_config_init(struct sdn_config *c)
{
    *c = (struct sdn_config){.conns = 16, .chunks = 64, .handshake_us = 500000};
}

size_t sdn_bytes(const struct sdn_config *c, struct fmt *f)
{
    (void)c;
    (void)f;
    return sizeof(struct sdn);
}

struct sdn *sdn_init(void *memory, const struct sdn_config *c, instant now)
{
    struct sdn *s = memory;

    s->config = *c;
    s->advance_at = now + 1000;
    return s;
}

static struct toy_conn *toy_of(const struct sdn *s, sdn_conn c)
{
    return (struct toy_conn *)(uintptr_t)&s->conn[c % TOY_CONNS];
}

sdn_conn sdn_open(struct sdn *s, enum sdn_speech speech, const struct sdn_peer *peer, instant now)
{
    (void)speech;
    (void)peer;
    (void)now;
    for (unsigned i = 1; i <= s->config.conns; i++)
        if (!s->conn[i].open) {
            s->conn[i].open = s->conn[i].is_new = true;
            s->conn[i].what = SDN_DO_NOTHING;
            s->conn[i].first = s->conn[i].count = 0;
            toy_open++;
            return i;
        }
    return 0;
}

size_t sdn_input(struct sdn *s, sdn_conn id, const uint8_t *p, size_t n, instant now)
{
    struct toy_conn *c = toy_of(s, id);
    size_t taken = 0;

    (void)now;
    assert_true(c->open);
    while (taken < n && c->what == SDN_DO_NOTHING && c->count + c->out < TOY_CHUNKS) {
        struct toy_chunk *k = &c->chunk[(c->first + c->count) % TOY_CHUNKS];
        if (k->lent)
            break;
        k->n = (uint32_t)(n - taken < sizeof(k->data) ? n - taken : sizeof(k->data));
        memcpy(k->data, p + taken, k->n);
        c->count++;
        taken += k->n;
        c->ready = true;
        c->is_new = false;
        if (n == 1)
            c->what = *p == 'C' ? SDN_DO_CLOSE : *p == 'A' ? SDN_DO_ABORT : SDN_DO_NOTHING;
        if (n == 1 && *p == 'L')
            s->letters += 3;
    }
    toy_in += taken;
    return taken;
}

void sdn_closed(struct sdn *s, sdn_conn id, instant now)
{
    struct toy_conn *c = toy_of(s, id);

    (void)now;
    assert_true(c->open);
    /* As sdn does: who waits for this switch is answered, in the asker's memory. */
    if (s->asked) {
        usleep(20000);
        assert_true(toy_asker_waits);
        s->asked->status = 504;
    }
    toy_open--;
    c->open = false;
    c->ready = false;
    c->count = 0;
}

bool sdn_is_new(const struct sdn *s, sdn_conn c)
{
    return toy_of(s, c)->is_new;
}

bool sdn_takes_input(const struct sdn *s, sdn_conn id)
{
    const struct toy_conn *c = toy_of(s, id);

    return c->count + c->out < TOY_CHUNKS && !c->chunk[(c->first + c->count) % TOY_CHUNKS].lent;
}

sdn_conn sdn_next_ready(struct sdn *s)
{
    for (unsigned i = 1; i < TOY_CONNS; i++)
        if (s->conn[i].open && s->conn[i].ready) {
            s->conn[i].ready = false;
            return i;
        }
    return 0;
}

bool sdn_output(struct sdn *s, sdn_conn id, struct sdn_out *out)
{
    struct toy_conn *c = toy_of(s, id);

    if (c->count == 0)
        return false;
    struct toy_chunk *k = &c->chunk[c->first];
    *out = (struct sdn_out){.p = k->data, .n = k->n, .chunk = id * TOY_CHUNKS + c->first};
    k->lent = true;
    c->first = (c->first + 1) % TOY_CHUNKS;
    c->count--;
    c->out++;
    toy_lent++;
    return true;
}

void sdn_output_done(struct sdn *s, const struct sdn_out *out)
{
    struct toy_conn *c = toy_of(s, out->chunk / TOY_CHUNKS);
    struct toy_chunk *k = &c->chunk[out->chunk % TOY_CHUNKS];

    assert_true(k->lent && out->p == k->data);
    k->lent = false;
    c->out--;
    toy_lent--;
}

enum sdn_do sdn_do(const struct sdn *s, sdn_conn c)
{
    return toy_of(s, c)->what;
}

const char *sdn_why(const struct sdn *s, sdn_conn c)
{
    (void)s;
    (void)c;
    return "so it was asked for";
}

bool sdn_who(const struct sdn *s, sdn_conn c, struct sdn_who *out)
{
    (void)s;
    *out = (struct sdn_who){.dpid = c, .dialect = OFP_10, .up = true};
    return true;
}

void sdn_advance(struct sdn *s, instant now)
{
    if (now >= s->advance_at) {
        toy_advanced++;
        s->advance_at = now + 1000;
    }
}

instant sdn_deadline(const struct sdn *s)
{
    return s->advance_at;
}

bool sdn_letter_next(struct sdn *s, uint64_t to_blocked, struct sdn_letter *out)
{
    static const uint8_t text[SDN_LETTER_MAX] = "a letter";
    unsigned to = (s->config.core + 1) % s->config.cores;

    if (s->letters == 0 || s->config.cores == 1 || (to_blocked >> to & 1))
        return false;
    *out = (struct sdn_letter){.to = to, .p = text, .n = SDN_LETTER_MAX};
    return true;
}

void sdn_letter_done(struct sdn *s, unsigned to)
{
    assert_int_equal(to, (s->config.core + 1) % s->config.cores);
    s->letters--;
}

/* Every core answers the first with more, until there were many. */
void sdn_letter(struct sdn *s, unsigned from, const uint8_t *p, size_t n, instant now)
{
    (void)now;
    assert_int_equal(n, SDN_LETTER_MAX);
    assert_string_equal((const char *)p, "a letter");
    assert_int_not_equal(from, s->config.core);
    if (++s->letters_in == 1)
        s->letters += 200;
    toy_letters_in++;
}

void sdn_ask(struct sdn *s, struct sdn_ask *q, instant now)
{
    (void)now;
    if (toy_keeps_questions) {
        s->asked = q;
        return;
    }
    q->n = (size_t)snprintf(q->buf, q->cap, "core %u", s->config.core);
    q->status = 200;
    q->next = s->answered;
    s->answered = q;
}

uint64_t sdn_store_version(const struct sdn *s)
{
    (void)s;
    return 0;
}

size_t sdn_store_save(const struct sdn *s, uint8_t *b, size_t cap)
{
    (void)s, (void)b, (void)cap;
    return 0;
}

int sdn_store_load(struct sdn *s, const uint8_t *p, size_t n)
{
    (void)s, (void)p, (void)n;
    return 0;
}

struct sdn_ask *sdn_next_answered(struct sdn *s)
{
    struct sdn_ask *q = s->answered;

    if (q)
        s->answered = q->next;
    return q;
}

#define NAME_(name, help) {#name, help},
static const struct stat_field fields[] = {SDN_STATS(NAME_)};
const struct stat_group sdn_stat_group = {"sdn", fields, ARRAY_LEN(fields)};

const struct sdn_stats *sdn_stats(const struct sdn *s)
{
    return &s->stats;
}

void sdn_check(const struct sdn *s)
{
    (void)s;
}
