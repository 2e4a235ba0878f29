#include "sdn/store.h"
#include "base/hash.h"
#include "sdn/ask.h"

/* ---- the copy ---- */

static struct stored **bucket_of(const struct store *st, uint64_t dpid)
{
    return &st->bucket[(uint32_t)((dpid * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & st->mask];
}

static struct stored *of_dpid(struct stored *e, uint64_t dpid)
{
    while (e && e->dpid != dpid)
        e = e->next;
    return e;
}

struct stored *stored_first(const struct store *st, uint64_t dpid)
{
    return of_dpid(*bucket_of(st, dpid), dpid);
}

struct stored *stored_next(const struct stored *e)
{
    return of_dpid(e->next, e->dpid);
}

struct stored *stored_find(const struct store *st, uint64_t dpid, uint64_t seq)
{
    struct stored *e = stored_first(st, dpid);

    while (e && e->seq != seq)
        e = stored_next(e);
    return e;
}

void stored_remove(struct sdn *s, struct stored *e)
{
    struct stored **at = bucket_of(s->store, e->dpid);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    pool_put(&s->store->pool, e);
    s->store->n--;
    s->store->version++;
}

static bool stored_put(struct sdn *s, const struct store_note *c)
{
    struct stored **at = bucket_of(s->store, c->dpid);
    struct stored *e = pool_get(&s->store->pool);

    if (!e)
        return false;
    e->next = NULL;
    e->dpid = c->dpid;
    e->seq = c->seq;
    e->kind = c->kind;
    e->state = STATE_WAITING;
    e->n = c->n;
    memcpy(e->bytes, c->bytes, c->n);
    while (*at)
        at = &(*at)->next;
    *at = e;
    s->store->n++;
    s->store->version++;
    return true;
}

/* ---- who is meant ---- */

static bool frame_of(const uint8_t *b, size_t n, struct ofp_msg *m)
{
    uint32_t need;

    return ofp_frame(OFP_13, OFP_FROM_CONTROLLER, b, n, m, &need) == OFP_OK;
}

/* The number of a group or meter (1.3.5, 7.3.4.3: command, type, pad, group_id; 7.3.4.4: command,
 * flags, meter_id). */
static uint32_t id_of(const uint8_t *b)
{
    return load_be32(b + OFP_HLEN + 4);
}

/* 1.3.5, 7.3.4.2: table at 24, priority at 30, the match at 48. */
static bool same_flow(const uint8_t *a, size_t an, const uint8_t *b, size_t bn)
{
    size_t n = ((size_t)a[50] << 8 | a[51]), m = ((size_t)b[50] << 8 | b[51]);

    return n == m && 48 + n <= an && 48 + m <= bn && a[24] == b[24] && a[30] == b[30] &&
           a[31] == b[31] && memcmp(a + 48, b + 48, n) == 0;
}

/* Every packet of e's is one of f's. */
static bool match_covers(const struct ofp_match *f, const struct ofp_match *e)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const struct ofp_tlv *a = &f->f[i], *b = ofp_match_find(e, (enum ofp_field)a->field);
        unsigned bytes = ofp_field_info((enum ofp_field)a->field)->bytes;
        for (unsigned k = 0; k < bytes; k++) {
            uint8_t am = a->masked ? a->mask[k] : 0xff;
            uint8_t bm = !b ? 0 : b->masked ? b->mask[k] : 0xff;
            if ((am & bm) != am || ((b ? b->value[k] : 0) & am) != (a->value[k] & am))
                return false;
        }
    }
    return true;
}

static bool goes_to(const struct ofp_actions *a, const struct ofp_flow *f)
{
    bool port = f->out_port == OFPP_ANY, group = f->out_group == OFPP_ANY;

    for (uint32_t i = 0; i < a->n; i++) {
        port = port || (a->a[i].type == OFPA_OUTPUT && a->a[i].port == f->out_port);
        group = group || (a->a[i].type == OFPA_GROUP && a->a[i].id == f->out_group);
    }
    return port && group;
}

/* What a command that is not strict means (1.3.5, 6.4). */
static bool means(const struct ofp_flow *f, const struct stored *e, bool strict,
                  const struct store_note *c)
{
    struct ofp_flow have;
    struct ofp_msg m;

    if (e->kind != STORED_FLOW || e->state == STATE_DOOMED)
        return false;
    if (strict)
        return same_flow(e->bytes, e->n, c->bytes, c->n);
    if (!frame_of(e->bytes, e->n, &m) || ofp_parse_flow_mod(OFP_13, &m, &have) != OFP_OK)
        return false;
    return (f->table == OFP_TABLE_ALL || f->table == have.table) &&
           ((have.cookie ^ f->cookie) & f->cookie_mask) == 0 &&
           match_covers(&f->match, &have.match) &&
           (goes_to(&have.do_.apply, f) || goes_to(&have.do_.write, f));
}

/* ---- commands ---- */

static void flow_renew(struct sdn *s, struct stored *e, const struct ofp_flow *f)
{
    struct ofp_flow have;
    struct ofp_msg m;
    uint8_t b[STORED_BYTES];

    if (!frame_of(e->bytes, e->n, &m) || ofp_parse_flow_mod(OFP_13, &m, &have) != OFP_OK)
        return;
    have.do_ = f->do_;
    size_t n = ofp_emit_flow_mod(OFP_13, b, sizeof(b), 0, &have);
    if (n == 0)
        return;
    memcpy(e->bytes, b, n);
    e->n = (uint16_t)n;
    s->store->version++;
}

static bool flow_apply(struct sdn *s, const struct store_note *c)
{
    bool strict = c->command == STORE_DELETE_STRICT || c->command == STORE_MODIFY_STRICT ||
                  c->command == STORE_PUT;
    struct stored *e = stored_first(s->store, c->dpid), *next;
    struct ofp_flow f;
    struct ofp_msg m;

    if (!frame_of(c->bytes, c->n, &m) || ofp_parse_flow_mod(OFP_13, &m, &f) != OFP_OK)
        return false;
    for (; e; e = next) {
        next = stored_next(e);
        if (!means(&f, e, strict, c))
            continue;
        if (c->command == STORE_MODIFY || c->command == STORE_MODIFY_STRICT)
            flow_renew(s, e, &f);
        else
            stored_remove(s, e);
    }
    return c->command != STORE_PUT || !c->keep || stored_put(s, c);
}

static bool id_apply(struct sdn *s, const struct store_note *c)
{
    uint32_t id = id_of(c->bytes);
    /* OFPG_ALL 0xfffffffc, OFPM_ALL 0xffffffff */
    bool all = c->command == STORE_DELETE && id >= 0xfffffffcu, had = false;

    for (struct stored *e = stored_first(s->store, c->dpid), *next; e; e = next) {
        next = stored_next(e);
        if (e->kind != c->kind || (!all && id_of(e->bytes) != id))
            continue;
        had = true;
        stored_remove(s, e);
    }
    if (c->command == STORE_DELETE)
        return true;
    if (c->command == STORE_MODIFY && !had)
        return true;
    /* What is kept is always the command that makes it. */
    struct store_note put = *c;
    put.bytes[OFP_HLEN] = put.bytes[OFP_HLEN + 1] = 0;
    return stored_put(s, &put);
}

static void clear_apply(struct sdn *s, const struct store_note *c, bool doom)
{
    for (struct stored *e = stored_first(s->store, c->dpid), *next; e; e = next) {
        next = stored_next(e);
        if (e->kind != STORED_FLOW)
            continue;
        if (doom)
            e->state = STATE_DOOMED;
        else
            stored_remove(s, e);
    }
    s->store->version++;
}

bool store_apply(struct sdn *s, const struct store_note *c, bool doom)
{
    if (c->command == STORE_CLEAR) {
        clear_apply(s, c, doom);
        return true;
    }
    return c->kind == STORED_FLOW ? flow_apply(s, c) : id_apply(s, c);
}

/* ---- letters ---- */

static void state_told(struct sdn *s, const struct store_note *n)
{
    for (struct stored *e = stored_first(s->store, n->dpid); e; e = stored_next(e)) {
        if (n->seq != 0 ? e->seq != n->seq
                        : e->state == STATE_REFUSED && n->state == STATE_INSTALLED)
            continue;
        e->state = n->state;
        e->err_type = n->err_type;
        e->err_code = n->err_code;
    }
}

void store_letter(struct sdn *s, unsigned from, const uint8_t *p, size_t n, instant now)
{
    struct store_note c;

    (void)now;
    if (n < NOTE_HEAD || n > sizeof(c))
        return;
    memcpy(&c, p, n);
    if (c.n != n - NOTE_HEAD)
        return;
    switch ((enum store_what)c.what) {
    case STORE_DO:
        store_send(s, &c);
        return;
    case STORE_DROP: {
        struct stored *e = stored_find(s->store, c.dpid, c.seq);
        if (e)
            stored_remove(s, e);
        return;
    }
    case STORE_RESULT:
        if (sdn_is_seat(s))
            store_op_told(s, from, &c);
        return;
    case STORE_STATE:
        if (sdn_is_seat(s))
            state_told(s, &c);
        return;
    }
}

void store_carve(struct sdn *s)
{
    uint32_t buckets = 64;

    while (buckets < s->config.switches && buckets < 65536)
        buckets *= 2;
    s->store = mem_carve(&s->mem, sizeof(struct store), CACHE_LINE);
    struct stored **bucket = mem_carve(&s->mem, buckets * sizeof(*bucket), CACHE_LINE);
    struct store_note *wait = mem_carve(&s->mem, STORE_RESULTS * sizeof(*wait), CACHE_LINE);
    struct store_op *op =
        sdn_is_seat(s) ? mem_carve(&s->mem, STORE_OPS * sizeof(*op), CACHE_LINE) : NULL;
    struct pool pool = {0};

    pool_init(&pool, &s->mem, max_u32(s->config.stored, 1), sizeof(struct stored), MEM_UNIT);
    if (mem_is_measuring(&s->mem))
        return;
    *s->store = (struct store){
        .pool = pool, .bucket = bucket, .mask = buckets - 1, .wait = wait, .op = op, .seq = 1};
}

/* ---- what is kept, for people ---- */

static void flow_written(struct json *j, const struct stored *e)
{
    struct ofp_flow f;
    struct ofp_msg m;

    json_object(j, "flow");
    if (frame_of(e->bytes, e->n, &m) && ofp_parse_flow_mod(OFP_13, &m, &f) == OFP_OK)
        ask_json_flow(j, &f);
    json_end(j);
}

static void stored_written(struct json *j, const struct stored *e)
{
    static const char *const kinds[] = {"group", "meter", "flow"};
    static const char *const states[] = {"waiting", "installed", "refused", "deleting"};
    char text[64];
    struct fmt f;

    json_object(j, NULL);
    ask_json_dpid(j, "dpid", e->dpid);
    json_str(j, "kind", kinds[e->kind]);
    json_str(j, "state", states[e->state]);
    if (e->state == STATE_REFUSED) {
        fmt_init(&f, text, sizeof(text));
        ofp_error_print(&f, OFP_13, e->err_type, e->err_code);
        json_str(j, "error", text);
    }
    if (e->kind == STORED_FLOW)
        flow_written(j, e);
    else
        json_u64(j, e->kind == STORED_GROUP ? "group_id" : "meter_id", id_of(e->bytes));
    json_end(j);
}

void ask_stored(struct sdn *s, struct sdn_ask *q)
{
    struct ask_list l;

    ask_list_begin(&l, q, "stored");
    for (uint32_t b = 0; b <= s->store->mask; b++)
        for (const struct stored *e = s->store->bucket[b]; e; e = e->next) {
            if ((q->dpid != 0 && e->dpid != q->dpid) || !ask_list_wants(&l))
                continue;
            stored_written(&l.j, e);
            if (!ask_list_kept(&l)) {
                b = s->store->mask;
                break;
            }
        }
    ask_list_end(s, &l);
}

/* ---- as a file ---- */

static const uint8_t file_magic[8] = {'M', 'R', 'S', 'T', 'O', 'R', 'E', '1'};
#define RECORD_HEAD 12u /* dpid, kind, pad, length */

uint64_t sdn_store_version(const struct sdn *s)
{
    return s->store->version;
}

size_t sdn_store_save(const struct sdn *s, uint8_t *b, size_t cap)
{
    size_t need = sizeof(file_magic), at = sizeof(file_magic);

    for (uint32_t i = 0; i <= s->store->mask; i++)
        for (const struct stored *e = s->store->bucket[i]; e; e = e->next)
            need += e->state == STATE_DOOMED ? 0 : RECORD_HEAD + e->n;
    if (need > cap)
        return need;
    memcpy(b, file_magic, sizeof(file_magic));
    for (uint32_t i = 0; i <= s->store->mask; i++)
        for (const struct stored *e = s->store->bucket[i]; e; e = e->next) {
            if (e->state == STATE_DOOMED)
                continue;
            for (unsigned k = 0; k < 8; k++)
                b[at + k] = (uint8_t)(e->dpid >> (56 - 8 * k));
            b[at + 8] = e->kind;
            b[at + 9] = 0;
            b[at + 10] = (uint8_t)(e->n >> 8);
            b[at + 11] = (uint8_t)e->n;
            memcpy(b + at + RECORD_HEAD, e->bytes, e->n);
            at += RECORD_HEAD + e->n;
        }
    return need;
}

void ask_store_file(struct sdn *s, struct sdn_ask *q)
{
    if (q->cursor == s->store->version) {
        ask_answered(s, q, 304);
        return;
    }
    q->n = sdn_store_save(s, (uint8_t *)q->buf, q->cap);
    q->max = (uint32_t)q->n;
    q->cursor = s->store->version;
    ask_answered(s, q, q->n > q->cap ? 413 : 200);
}

/* One record is what it should be; its length, or 0. */
static size_t record_read(const uint8_t *p, size_t n, struct store_note *c)
{
    struct ofp_msg m;
    static const enum ofp_kind kinds[] = {OFP_GROUP_MOD, OFP_METER_MOD, OFP_FLOW_MOD};

    if (n < RECORD_HEAD)
        return 0;
    *c = (struct store_note){.what = STORE_DO, .command = STORE_PUT, .keep = 1, .kind = p[8]};
    c->dpid = (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
    c->n = (uint16_t)(p[10] << 8 | p[11]);
    if (c->kind >= STORED_KINDS || c->n > STORED_BYTES || c->n > n - RECORD_HEAD)
        return 0;
    memcpy(c->bytes, p + RECORD_HEAD, c->n);
    if (!frame_of(c->bytes, c->n, &m) || m.len != c->n || m.kind != kinds[c->kind])
        return 0;
    return RECORD_HEAD + c->n;
}

int sdn_store_load(struct sdn *s, const uint8_t *p, size_t n)
{
    struct store_note c;
    int kept = 0;

    if (n < sizeof(file_magic) || memcmp(p, file_magic, sizeof(file_magic)) != 0)
        return -1;
    for (size_t at = sizeof(file_magic), len; at < n; at += len) {
        len = record_read(p + at, n - at, &c);
        if (len == 0)
            return -1;
    }
    for (size_t at = sizeof(file_magic); at < n; at += RECORD_HEAD + c.n) {
        record_read(p + at, n - at, &c);
        c.seq = s->store->seq++;
        kept += store_apply(s, &c, false) ? 1 : 0;
    }
    return kept;
}
