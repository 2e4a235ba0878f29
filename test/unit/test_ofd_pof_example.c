/* The example of doc/pof.md: a header that nobody has heard of, declared in a file, matched and
 * rewritten by a switch of either dialect. */
#include "lib/pof_net.h"

#include "ofd/network.h"

static struct network *example(void)
{
    char why[200] = "";
    struct network *n = network_read(SOURCE_ROOT "/etc/pof-example.json", why, sizeof(why));

    if (!n)
        fail_msg("%s", why);
    return n;
}

static void labelled(uint16_t label, uint8_t ttl)
{
    uint8_t b[60] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5};

    b[14] = (uint8_t)(label >> 8);
    b[15] = (uint8_t)label;
    b[16] = ttl;
    b[17] = 8; /* inner: IPv4 */
    b[19] = 0x45;
    net_clear();
    pof_switch_packet(&net.node[0].w, 2, b, sizeof(b));
    net_pump();
}

static void a_header_nobody_has_heard_of_is_rewritten_and_forwarded(void **state)
{
    struct network *n = example();

    (void)state;
    for (int k = 0; k < 2; k++) {
        net_begin(SDN_LEARN, 1, (enum ofp_dialect[]){k ? POF_USTC : POF_HUAWEI}, 5);
        network_into(n, &net.config);
        net_start();
        net_run(5 * SECOND);
        net_sound();
        assert_int_equal(net.node[0].w.table_mods, 4);

        labelled(0x11, 9);
        assert_int_equal(net.arrivals, 1);
        assert_int_equal(net.got[0].port, 3);
        assert_int_equal(net.got[0].n, 60);
        assert_memory_equal(net.got[0].b + 12, "\x88\xb5\x00\x22\x08\x08\x00\x45", 8);

        labelled(0x22, 9);
        assert_int_equal(net.got[0].port, 4);
        assert_int_equal(net.got[0].b[15], 0x33);

        labelled(0x33, 9); /* the last hop takes it off */
        assert_int_equal(net.got[0].port, 1);
        assert_int_equal(net.got[0].n, 55);
        assert_memory_equal(net.got[0].b + 12, "\x08\x00\x45", 3);

        labelled(0x11, 1);
        labelled(0x11, 0);
        labelled(0x44, 9); /* no such label */
        assert_int_equal(net.arrivals, 0);

        net_clear();
        net_frame(0, 1, 2, 1, 0x45); /* the first hop puts it on */
        assert_int_equal(net.arrivals, 1);
        assert_int_equal(net.got[0].port, 2);
        assert_int_equal(net.got[0].n, 65);
        assert_memory_equal(net.got[0].b + 12, "\x88\xb5\x00\x11\x08\x08\x00\x45", 8);

        net_clear();
        net_frame(0, 5, 0xff, 5, 1); /* anything else is forwarded as ever */
        assert_int_equal(net.arrivals, 4);
        net_sound();
        net_end();
    }
    network_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_nobody_has_heard_of_is_rewritten_and_forwarded),
    };

    return cmocka_run_group_tests_name("ofd_pof_example", tests, NULL, NULL);
}
