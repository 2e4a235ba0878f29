/* The file that tells of a network: what is right is taken, what is wrong is said with its line. */
#include "lib/cmocka_first.h"

#include <stdlib.h>
#include <unistd.h>

#include "ofd/network.h"

static char path[] = "/tmp/test_ofd_network_XXXXXX";
static char why[400];

static struct network *read_text(const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    why[0] = '\0';
    return network_read(path, why, sizeof(why));
}

static void expect_refused(const char *text, const char *words)
{
    char want[300];

    assert_null(read_text(text));
    snprintf(want, sizeof(want), "%s:%s", path, words);
    if (strncmp(why, want, strlen(want)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", why, want);
}

static void links_are_taken_in_every_manner_of_writing(void **state)
{
    struct sdn_config c = {0};

    (void)state;
    struct network *n = read_text("# ours\n"
                                  "links:\n"
                                  "  - [1/2, 0x0b/1]\n"
                                  "  - - 00000000000000aa/3\n"
                                  "    - 4/7\n");
    assert_non_null(n);
    network_into(n, &c);
    assert_int_equal(c.n_link, 2);
    assert_int_equal(c.link[0].dpid[0], 1);
    assert_int_equal(c.link[0].port[0], 2);
    assert_int_equal(c.link[0].dpid[1], 11);
    assert_int_equal(c.link[1].dpid[0], 0xaa);
    assert_int_equal(c.link[1].port[1], 7);
    assert_null(c.pof);
    network_free(n);
    /* JSON is YAML. */
    n = read_text("{\"links\": [[\"1/2\", \"2/1\"]]}");
    assert_non_null(n);
    network_free(n);
    n = read_text("");
    assert_non_null(n);
    network_free(n);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
    expect_refused("links:\n  - [1/2]\n", "2: expected a link of two ends");
    expect_refused("links:\n  - [1/2, 2/1]\n  - [1/3, 2]\n", "3: expected an end of a link");
    expect_refused("links: 7\n", "1: expected a list of links");
    expect_refused("\n\nlinx: []\n", "3: the file has no member 'linx'; expected links pof");
    expect_refused("links: [\n", "2: not YAML: ");
    expect_refused("- 1\n", "1: expected the file: a mapping");
    expect_refused("links:\n  - [1/0, 2/1]\n", "2: expected an end of a link");
    expect_refused("links:\n  - [x/1, 2/1]\n", "2: expected an end of a link");
    expect_refused("links:\n  - [1/99999999999999999999, 2/1]\n", "2: expected an end of a link");
    assert_null(network_read("/nonexistent/file", why, sizeof(why)));
    assert_string_equal(why, "/nonexistent/file: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_taken_in_every_manner_of_writing),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
    };
    int fd = mkstemp(path), rc;

    rc = cmocka_run_group_tests_name("ofd_network", tests, NULL, NULL);
    close(fd);
    unlink(path);
    return rc;
}
