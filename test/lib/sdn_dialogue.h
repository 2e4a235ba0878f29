/* One controller and one switch's connection, for tests of their dialogue. */
#pragma once

#include "lib/sdn_world.h"

enum {
    HELLO = 0,
    ERROR = 1,
    ECHO_REQUEST = 2,
    ECHO_REPLY = 3,
    FEATURES_REQUEST = 5,
    SET_CONFIG = 9
};
enum { FLOW_MOD = 14, STATS10 = 16, MULTIPART = 18, ROLE13 = 24 };

static struct sdn_world w;
static struct sdn_line l;

static inline int begin(void **state)
{
    struct sdn_config c = world_config();

    (void)state;
    world_open(&w, &c);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static inline const uint8_t *expect(struct sdn_line *from, unsigned type)
{
    const uint8_t *m = line_next(from);

    assert_non_null(m);
    assert_int_equal(m[1], type);
    return m;
}

/* The same, behind whatever else it is told or asked meanwhile. */
static inline const uint8_t *await(struct sdn_line *from, unsigned type)
{
    const uint8_t *m;

    while ((m = line_next(from)) != NULL && m[1] != type)
        ;
    assert_non_null(m);
    return m;
}

static inline void expect_error(struct sdn_line *from, uint32_t xid, unsigned type, unsigned code,
                                const uint8_t *data, size_t n)
{
    const uint8_t *m = expect(from, ERROR);

    assert_int_equal(load_be32(m + 4), xid);
    assert_int_equal(load_be16(m + 8), type);
    assert_int_equal(load_be16(m + 10), code);
    if (data) {
        assert_int_equal(load_be16(m + 2), 12 + n);
        assert_memory_equal(m + 12, data, n);
    }
}

static inline void say_hello(enum ofp_dialect d)
{
    uint8_t b[64];

    line_say(&l, b, hello_bytes(d, b, sizeof(b)));
}

static inline void say_features(uint64_t dpid)
{
    uint8_t b[512];

    line_say(&l, b, features_bytes(l.dialect, dpid, 2, b, sizeof(b)));
}

static inline void say_type(uint8_t version, uint8_t type, uint32_t xid)
{
    uint8_t b[8] = {version, type, 0, 8};

    store_be32(b + 4, xid);
    line_say(&l, b, sizeof(b));
}

/* What a switch says from its HELLO on, in one piece; of all kinds. */
static inline size_t conversation(enum ofp_dialect d, uint8_t *b, size_t cap)
{
    struct ofp_port ports[4];
    uint8_t frame[64], mac[6] = {2, 0, 0, 0, 0, 1}, other[6] = {2, 0, 0, 0, 0, 2};
    size_t n = hello_bytes(d, b, cap);

    n += features_bytes(d, 9, 2, b + n, cap - n);
    for (uint32_t i = 0; i < 4; i++)
        ports[i] = a_port(i + 1);
    if (d == OFP_13) /* our numbers: 1 HELLO, 2 FEATURES_REQUEST, 3 SET_CONFIG, 4 DESC, 5 */
        n += ofp_emit_port_desc_reply(OFP_13, b + n, cap - n, 5, ports, 4);
    a_frame(frame, other, mac);
    n += packet_in_bytes(d, b + n, cap - n, 1, 1, frame, 64);
    n += ofp_emit(d, b + n, cap - n, OFP_ECHO_REQUEST, 77, "echo", 4);
    a_frame(frame, mac, other);
    n += packet_in_bytes(d, b + n, cap - n, 2, 2, frame, 64);
    n += ofp_emit_port_status(d, b + n, cap - n, 0, OFPPR_ADD, &(struct ofp_port){.no = 9});
    b[n] = d == OFP_10 ? OFP_VERSION_10 : OFP_VERSION_13; /* no such type */
    memcpy(b + n + 1, "\x63\0\x0a\0\0\0\x4d??", 9);
    n += 10;
    n += packet_in_bytes(d, b + n, cap - n, 3, 2, frame, 64);
    return n;
}

/* Flows say which connection of their switch they are of; here that makes no difference. */
static inline void cookies_forget(struct sdn_line *line)
{
    for (size_t at = 0; at + 8 <= line->n; at += load_be16(line->got + at + 2))
        if (line->got[at + 1] == 14)
            memset(line->got + at + (line->dialect == OFP_10 ? 48 : 8), 0, 8);
}
