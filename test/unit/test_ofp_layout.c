/* The table of layouts is the length checker: every row of every dialect. */
#include "lib/cmocka_first.h"

#include "ofp/ofp_int.h"

static const enum ofp_dialect dialects[] = {OFP_10, OFP_13, POF_HUAWEI, POF_USTC};

static size_t head(uint8_t *b, uint8_t version, uint8_t type, size_t len)
{
    memset(b, 0, OFP_MSG_MAX + 1);
    b[0] = version;
    b[1] = type;
    store_be16(b + 2, (uint16_t)len);
    store_be32(b + 4, 0x1234);
    return len;
}

static void each_row(void (*check)(enum ofp_dialect d, const struct ofp_codec *c, uint8_t type,
                                   const struct ofp_layout *l))
{
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        const struct ofp_codec *c = ofp_codec(dialects[i]);
        assert_true(c->layouts.n > 0);
        for (unsigned t = 0; t < c->layouts.n; t++) {
            if (c->layouts.row[t].from != 0)
                check(dialects[i], c, (uint8_t)t, &c->layouts.row[t]);
        }
    }
}

static enum ofp_from who(const struct ofp_layout *l)
{
    return (l->from & FROM_SWITCH) != 0 ? OFP_FROM_SWITCH : OFP_FROM_CONTROLLER;
}

static uint8_t big[OFP_MSG_MAX + 1];

static void check_lengths(enum ofp_dialect d, const struct ofp_codec *c, uint8_t type,
                          const struct ofp_layout *l)
{
    struct ofp_msg m;
    uint32_t need;
    size_t n = head(big, c->layouts.version, type, l->fixed);

    assert_true(l->fixed >= OFP_HLEN && l->max >= l->fixed && l->kind < OFP_KINDS);
    /* What goes deeper (a statistics body of its own) may find its least too short. */
    enum ofp_err e = ofp_frame(d, who(l), big, n, &m, &need);
    assert_true(e == OFP_OK || (l->deeper && e == OFP_BAD_LEN));
    if (e == OFP_OK) {
        assert_int_equal(m.kind, l->kind);
        assert_int_equal(m.len, l->fixed);
        assert_int_equal(m.xid, 0x1234);
        assert_ptr_equal(m.p, big);
    }
    if (l->fixed > OFP_HLEN) {
        n = head(big, c->layouts.version, type, l->fixed - 1u);
        assert_int_equal(ofp_frame(d, who(l), big, n, &m, &need), OFP_BAD_LEN);
        assert_int_equal(m.len, l->fixed - 1);
    }
    n = head(big, c->layouts.version, type, l->fixed + 1u);
    e = ofp_frame(d, who(l), big, n, &m, &need);
    if (l->step > 1 || l->max == l->fixed)
        assert_int_equal(e, OFP_BAD_LEN);
    else
        assert_true(e == OFP_OK || l->deeper);
    if (l->max < OFP_MSG_MAX) {
        n = head(big, c->layouts.version, type, l->max + 1u);
        assert_int_equal(ofp_frame(d, who(l), big, n, &m, &need), OFP_BAD_LEN);
    }
}

static void a_byte_too_short_or_too_long_is_refused_in_every_row(void **state)
{
    (void)state;
    each_row(check_lengths);
}

static void check_cuts(enum ofp_dialect d, const struct ofp_codec *c, uint8_t type,
                       const struct ofp_layout *l)
{
    struct ofp_msg m;
    uint32_t need;
    size_t n = head(big, c->layouts.version, type, l->fixed);

    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(ofp_frame(d, who(l), big, cut, &m, &need), OFP_MORE);
        assert_int_equal(need, cut < OFP_HLEN ? OFP_HLEN : n);
    }
}

static void a_message_cut_anywhere_waits_for_the_rest(void **state)
{
    (void)state;
    each_row(check_cuts);
}

static void check_direction(enum ofp_dialect d, const struct ofp_codec *c, uint8_t type,
                            const struct ofp_layout *l)
{
    struct ofp_msg m;
    uint32_t need;
    size_t n = head(big, c->layouts.version, type, l->fixed);

    for (unsigned from = 0; from < 2; from++) {
        bool may = (l->from >> from & 1) != 0;
        enum ofp_err e = ofp_frame(d, (enum ofp_from)from, big, n, &m, &need);
        assert_int_equal(e == OFP_BAD_TYPE, !may);
        assert_int_equal(ofp_can(d, (enum ofp_from)from, (enum ofp_kind)l->kind), may);
    }
}

static void only_those_may_say_it_who_the_row_names(void **state)
{
    (void)state;
    each_row(check_direction);
}

static void types_nobody_has_and_versions_of_others_are_refused(void **state)
{
    struct ofp_msg m;
    uint32_t need;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(dialects); i++) {
        const struct ofp_codec *c = ofp_codec(dialects[i]);
        for (unsigned t = c->layouts.n; t < 256; t++) {
            head(big, c->layouts.version, (uint8_t)t, 8);
            assert_int_equal(ofp_frame(dialects[i], OFP_FROM_SWITCH, big, 8, &m, &need),
                             OFP_BAD_TYPE);
            assert_int_equal(m.len, 8);
        }
        head(big, (uint8_t)(c->layouts.version + 1), 0, 8);
        assert_int_equal(ofp_frame(dialects[i], OFP_FROM_SWITCH, big, 8, &m, &need),
                         OFP_BAD_VERSION);
        head(big, c->layouts.version, 0, 7);
        assert_int_equal(ofp_frame(dialects[i], OFP_FROM_SWITCH, big, 8, &m, &need), OFP_BAD_LEN);
    }
}

static void before_a_version_is_agreed_only_hello_and_error_are_heard(void **state)
{
    struct ofp_msg m;
    uint32_t need;

    (void)state;
    head(big, 6, 0, 16);
    assert_int_equal(ofp_frame_hello(big, 15, &m, &need), OFP_MORE);
    assert_int_equal(need, 16);
    assert_int_equal(ofp_frame_hello(big, 16, &m, &need), OFP_OK);
    assert_int_equal(m.kind, OFP_HELLO);
    head(big, 1, 1, 12);
    assert_int_equal(ofp_frame_hello(big, 12, &m, &need), OFP_OK);
    assert_int_equal(m.kind, OFP_ERROR);
    head(big, 1, 1, 11);
    assert_int_equal(ofp_frame_hello(big, 11, &m, &need), OFP_BAD_LEN);
    head(big, 1, 2, 8);
    assert_int_equal(ofp_frame_hello(big, 8, &m, &need), OFP_BAD_TYPE);
    head(big, 0, 0, 8);
    assert_int_equal(ofp_frame_hello(big, 8, &m, &need), OFP_BAD_VERSION);
}

static void a_statistics_body_must_be_that_of_its_type(void **state)
{
    static const struct {
        enum ofp_dialect d;
        enum ofp_from from;
        uint16_t type, good, bad;
    } cases[] = {
        {OFP_10, OFP_FROM_SWITCH, 0, 1056, 1055},   {OFP_10, OFP_FROM_SWITCH, 3, 128, 127},
        {OFP_10, OFP_FROM_SWITCH, 4, 208, 104 + 1}, {OFP_10, OFP_FROM_CONTROLLER, 1, 44, 48},
        {OFP_10, OFP_FROM_CONTROLLER, 4, 8, 0},     {OFP_10, OFP_FROM_SWITCH, 2, 24, 32},
        {OFP_13, OFP_FROM_SWITCH, 0, 1056, 1064},   {OFP_13, OFP_FROM_SWITCH, 3, 24, 32},
        {OFP_13, OFP_FROM_SWITCH, 13, 128, 72},     {OFP_13, OFP_FROM_CONTROLLER, 1, 40, 32},
        {OFP_13, OFP_FROM_SWITCH, 11, 16, 24},      {OFP_13, OFP_FROM_CONTROLLER, 13, 0, 8},
    };
    struct ofp_msg m;
    uint32_t need;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool v10 = cases[i].d == OFP_10, reply = cases[i].from == OFP_FROM_SWITCH;
        size_t fixed = v10 ? 12 : 16;
        uint8_t type = (uint8_t)((v10 ? 16 : 18) + reply);
        size_t n = head(big, v10 ? 1 : 4, type, fixed + cases[i].good);
        store_be16(big + 8, cases[i].type);
        assert_int_equal(ofp_frame(cases[i].d, cases[i].from, big, n, &m, &need), OFP_OK);
        n = head(big, v10 ? 1 : 4, type, fixed + cases[i].bad);
        store_be16(big + 8, cases[i].type);
        assert_int_equal(ofp_frame(cases[i].d, cases[i].from, big, n, &m, &need), OFP_BAD_LEN);
        store_be16(big + 8, 99);
        assert_int_equal(ofp_frame(cases[i].d, cases[i].from, big, n, &m, &need), OFP_BAD_FIELD);
    }
}

static void a_vendor_message_that_is_niciras_role_is_told_from_others(void **state)
{
    struct ofp_role_msg r = {OFP_ROLE_MASTER, 0}, got;
    struct ofp_msg m;
    uint32_t need;
    uint8_t b[32];

    (void)state;
    assert_int_equal(ofp_emit_role_reply(OFP_10, b, sizeof(b), 3, &r), 20);
    assert_int_equal(ofp_frame(OFP_10, OFP_FROM_SWITCH, b, 20, &m, &need), OFP_OK);
    assert_int_equal(m.kind, OFP_ROLE_REPLY);
    assert_int_equal(ofp_parse_role(OFP_10, &m, &got), OFP_OK);
    assert_int_equal(got.role, OFP_ROLE_MASTER);
    /* Said by the wrong side it is a vendor message like any other. */
    assert_int_equal(ofp_frame(OFP_10, OFP_FROM_CONTROLLER, b, 20, &m, &need), OFP_OK);
    assert_int_equal(m.kind, OFP_EXPERIMENTER);
    b[3] = 16;
    assert_int_equal(ofp_frame(OFP_10, OFP_FROM_SWITCH, b, 16, &m, &need), OFP_BAD_LEN);
    assert_true(ofp_can(OFP_10, OFP_FROM_SWITCH, OFP_ROLE_REPLY));
    assert_false(ofp_can(OFP_10, OFP_FROM_SWITCH, OFP_ROLE_REQUEST));
}

static void a_hello_offers_what_its_bitmap_or_its_header_says(void **state)
{
    struct ofp_msg m;
    uint32_t need, versions;
    uint8_t b[64];
    bool bitmap;

    (void)state;
    assert_int_equal(ofp_emit_hello(b, sizeof(b), 1, 1u << 1 | 1u << 4), 16);
    assert_int_equal(b[0], 4);
    assert_int_equal(ofp_frame_hello(b, 16, &m, &need), OFP_OK);
    assert_int_equal(ofp_parse_hello(&m, &versions, &bitmap), OFP_OK);
    assert_true(bitmap);
    assert_int_equal(versions, 0x12);
    b[3] = 8;
    assert_int_equal(ofp_frame_hello(b, 8, &m, &need), OFP_OK);
    assert_int_equal(ofp_parse_hello(&m, &versions, &bitmap), OFP_OK);
    assert_false(bitmap);
    assert_int_equal(versions, 0x1e);
    /* An element that overruns. */
    b[3] = 16;
    b[11] = 9;
    assert_int_equal(ofp_frame_hello(b, 16, &m, &need), OFP_OK);
    assert_int_equal(ofp_parse_hello(&m, &versions, &bitmap), OFP_BAD_LEN);
}

static void print_is(enum ofp_dialect d, size_t n, const char *want)
{
    char text[200];
    struct fmt f;

    fmt_init(&f, text, sizeof(text));
    ofp_print(&f, d, big, n);
    assert_string_equal(text, want);
}

static void what_is_no_message_is_printed_as_what_it_is(void **state)
{
    (void)state;
    print_is(OFP_10, 7, "7 bytes, less than a header");
    head(big, 1, 14, 72);
    print_is(OFP_10, 71, "OFPT_FLOW_MOD (OF1.0) (xid=0x1234): ***71 of 72 bytes***");
    head(big, 1, 77, 8);
    print_is(OFP_10, 8, "type 77 (OF1.0) (xid=0x1234): ***decode error: bad type (length 8)***");
    head(big, 9, 0, 8);
    print_is(OFP_10, 8,
             "type 0 (version 0x9) (xid=0x1234): ***decode error: bad version (length 8)***");
    print_is(OFP_NONE, 8, "OFPT_HELLO (version 0x9) (xid=0x1234):");
    ofp_emit_error(4, big, sizeof(big), 0x1234, 5, 3, "abc", 3);
    print_is(OFP_13, 15, "OFPT_ERROR (OF1.3) (xid=0x1234): FLOW_MOD_FAILED/OVERLAP data_len=3");
    ofp_emit_error(4, big, sizeof(big), 0x1234, 99, 3, NULL, 0);
    print_is(OFP_13, 12, "OFPT_ERROR (OF1.3) (xid=0x1234): ? 99/3");
    head(big, 4, 5, 8);
    print_is(POF_HUAWEI, 8, "OFPT_FEATURES_REQUEST (POF Huawei) (xid=0x1234):");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_too_short_or_too_long_is_refused_in_every_row),
        cmocka_unit_test(a_message_cut_anywhere_waits_for_the_rest),
        cmocka_unit_test(only_those_may_say_it_who_the_row_names),
        cmocka_unit_test(types_nobody_has_and_versions_of_others_are_refused),
        cmocka_unit_test(before_a_version_is_agreed_only_hello_and_error_are_heard),
        cmocka_unit_test(a_statistics_body_must_be_that_of_its_type),
        cmocka_unit_test(a_vendor_message_that_is_niciras_role_is_told_from_others),
        cmocka_unit_test(a_hello_offers_what_its_bitmap_or_its_header_says),
        cmocka_unit_test(what_is_no_message_is_printed_as_what_it_is),
    };

    return cmocka_run_group_tests_name("ofp_layout", tests, NULL, NULL);
}
