/* The network options of every program: what is taken, what is refused. */
#define _GNU_SOURCE 1
#include "lib/cmocka_first.h"

#include <fcntl.h>
#include <unistd.h>

#include <millrace/millrace.h>

/* Parse one option; what it printed to stderr lands in said. */
static int take(struct mr_config *c, const char *name, const char *value, int *i, char said[512])
{
    char *argv[] = {"prog", (char *)(uintptr_t)name, (char *)(uintptr_t)value, NULL};
    int argc = value != NULL ? 3 : 2, pipes[2], keep = dup(STDERR_FILENO), r;
    ssize_t n;

    assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
    dup2(pipes[1], STDERR_FILENO);
    *i = 1;
    r = mr_config_option(c, argc, argv, i);
    dup2(keep, STDERR_FILENO);
    n = read(pipes[0], said, 511);
    said[n > 0 ? n : 0] = '\0';
    close(pipes[0]);
    close(pipes[1]);
    close(keep);
    return r;
}

static struct mr_config taken(const char *name, const char *value)
{
    struct mr_config c;
    char said[512];
    int i;

    mr_config_init(&c);
    assert_int_equal(take(&c, name, value, &i, said), 1);
    assert_int_equal(i, 2);
    assert_string_equal(said, "");
    return c;
}

static void good_values_are_taken(void **state)
{
    struct mr_addr a = mr_addr4(10, 1, 2, 3, 0);

    (void)state;
    assert_string_equal(taken("--net", "tap:mr0").dev, "tap:mr0");
    assert_string_equal(taken("--dev", "wire:/tmp/x:1").dev, "wire:/tmp/x:1");
    assert_string_equal(taken("--dev", "shm:/tmp/x:1").dev, "shm:/tmp/x:1");
    assert_string_equal(taken("--dev", "xdp:eth0,queues=2").dev, "xdp:eth0,queues=2");
    assert_string_equal(taken("--dev", "dpdk:0000:03:00.0").dev, "dpdk:0000:03:00.0");
    assert_string_equal(taken("--eal", "-n 4").eal, "-n 4");
    assert_string_equal(taken("--exception", "vEth0").exception, "vEth0");
    assert_memory_equal(taken("--addr", "10.1.2.3/8").addr.ip, a.ip, 16);
    assert_int_equal(taken("--addr", "10.1.2.3/8").prefix_len, 8);
    assert_int_equal(taken("--addr", "10.1.2.3").prefix_len, 24);
    assert_memory_equal(taken("--gateway", "10.1.2.3").gateway.ip, a.ip, 16);
    assert_int_equal(taken("--mtu", "9000").mtu, 9000);
    assert_int_equal(taken("--vlan", "4094").vlan, 4094);
    assert_string_equal(taken("--mac", "02:00:00:aB:cd:ef").mac, "02:00:00:aB:cd:ef");
    assert_string_equal(taken("--pcap", "x.pcapng").pcap, "x.pcapng");
    assert_string_equal(taken("--control", "/run/x").control, "/run/x");
    assert_int_equal(taken("--max-conns", "1000000").max_conns, 1000000);
    assert_int_equal(taken("--spin-us", "0").spin_us, 0);
    assert_int_equal(taken("--cc", "newreno").congestion, MR_CC_NEWRENO);
    assert_int_equal(taken("--cores", "64").cores, 64);
    assert_string_equal(taken("--cpus", "0-3,8").cpus, "0-3,8");
}

static void a_value_after_an_equals_sign_is_taken(void **state)
{
    struct mr_config c;
    char said[512];
    int i;

    (void)state;
    mr_config_init(&c);
    assert_int_equal(take(&c, "--mtu=1400", NULL, &i, said), 1);
    assert_int_equal(i, 1);
    assert_int_equal(c.mtu, 1400);
}

static void an_option_without_a_value_leaves_the_next_word_alone(void **state)
{
    struct mr_config c;
    char said[512];
    int i;

    (void)state;
    mr_config_init(&c);
    assert_int_equal(c.cores, 1);
    assert_int_equal(take(&c, "--busy", "7", &i, said), 1);
    assert_int_equal(i, 1);
    assert_int_equal(c.spin_us, MR_SPIN_ALWAYS);
    assert_int_equal(take(&c, "--rss-symmetric", NULL, &i, said), 1);
    assert_int_equal(take(&c, "--rss-off", NULL, &i, said), 1);
    assert_true(c.rss_symmetric && c.rss_off);
    assert_int_equal(take(&c, "--busy=yes", NULL, &i, said), 0);
}

static void a_foreign_option_is_left_alone(void **state)
{
    struct mr_config c;
    char said[512];
    int i;

    (void)state;
    mr_config_init(&c);
    assert_int_equal(take(&c, "--port", "80", &i, said), 0);
    assert_int_equal(take(&c, "--network", "kernel", &i, said), 0);
    assert_int_equal(take(&c, "--ne", "kernel", &i, said), 0);
    assert_string_equal(said, "");
}

static void bad_values_get_one_line(void **state)
{
    static const char *const bad[][2] = {
        {"--net", "tap:"},
        {"--net", "wire:"},
        {"--dev", "nonsense:x"},
        {"--exception", "a/b"},
        {"--net", "dpdk"},
        {"--net", ""},
        {"--net", NULL},
        {"--addr", "10.0.0.1/33"},
        {"--addr", "10.0.0.1/0"},
        {"--addr", "10.0.0.1/"},
        {"--addr", "10.0.0/24"},
        {"--addr", "10.0.0.1:80"},
        {"--addr", "0.0.0.0"},
        {"--addr", "127.0.0.1"},
        {"--addr", "224.0.0.1"},
        {"--addr", "10.0.0.1/24/7"},
        {"--addr", "80"},
        {"--gateway", "10.0.0.1/24"},
        {"--gateway", "x"},
        {"--mtu", "575"},
        {"--mtu", "65536"},
        {"--mtu", "-1500"},
        {"--mtu", "1500 "},
        {"--mtu", "99999999999999999999999"},
        {"--vlan", "0"},
        {"--vlan", "4095"},
        {"--mac", "01:00:00:00:00:01"},
        {"--mac", "00:00:00:00:00:00"},
        {"--mac", "02:00:00:00:00"},
        {"--mac", "02:00:00:00:00:0g"},
        {"--pcap", ""},
        {"--max-conns", "0"},
        {"--spin-us", "1e6"},
        {"--cc", "reno2"},
        {"--cores", "0"},
        {"--cores", "65"},
        {"--cores", "two"},
        {"--cpus", ""},
        {"--cpus", "-1"},
        {"--cpus", "3-1"},
        {"--cpus", "1,"},
        {"--cpus", "1-"},
        {"--cpus", "0x1"},
        {"--cpus", "1024"},
        {"--cpus", NULL},
    };
    (void)state;
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
        struct mr_config c;
        char said[512];
        int i;
        mr_config_init(&c);
        assert_int_equal(take(&c, bad[k][0], bad[k][1], &i, said), -1);
        assert_non_null(strstr(said, bad[k][0]));
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    }
}

static void the_help_names_every_option(void **state)
{
    static const char *const names[] = {
        "--dev",   "--eal",  "--exception", "--net",           "--addr",      "--gateway", "--mtu",
        "--vlan",  "--mac",  "--pcap",      "--control",       "--max-conns", "--spin-us", "--cc",
        "--cores", "--cpus", "--busy",      "--rss-symmetric", "--rss-off"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_non_null(strstr(mr_config_help(), names[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(a_value_after_an_equals_sign_is_taken),
        cmocka_unit_test(an_option_without_a_value_leaves_the_next_word_alone),
        cmocka_unit_test(a_foreign_option_is_left_alone),
        cmocka_unit_test(bad_values_get_one_line),
        cmocka_unit_test(the_help_names_every_option),
    };
    return cmocka_run_group_tests_name("host_config", tests, NULL, NULL);
}
