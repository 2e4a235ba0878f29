/* The file that tells of a network: what is right is taken, what is wrong is said with its line. */
#include "lib/cmocka_first.h"

#include <stdlib.h>
#include <unistd.h>

#include "ofd/network.h"
#include "sdn/pof_program.h"

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

#define LABEL                                                                                      \
    "pof:\n"                                                                                       \
    "  protocols:\n"                                                                               \
    "    - {name: label, at: 112, fields: [{name: id, bits: 16}, {name: ttl, bits: 8}]}\n"         \
    "  tables:\n"                                                                                  \
    "    - {name: labels, type: MM, size: 128, keys: [label.id], miss: forward}\n"                 \
    "  rules:\n"

static void a_program_of_pof_is_taken_word_by_word(void **state)
{
    struct sdn_config c = {0};

    (void)state;
    struct network *n = read_text(LABEL "    - table: labels\n"
                                        "      priority: 10\n"
                                        "      switch: 1\n"
                                        "      match: {label.id: 0x22}\n"
                                        "      steps: [set label.id 0x23, output 3]\n");
    if (!n)
        fail_msg("%s", why);
    network_into(n, &c);
    assert_non_null(c.pof);
    assert_int_equal(c.pof->protocols, 1 + 1); /* meta is there from the beginning */
    assert_int_equal(c.pof->tables, 1);
    assert_int_equal(c.pof->rules, 1);
    assert_int_equal(c.pof->rule[0].dpid, 1);
    assert_int_equal(c.pof->rule[0].priority, 10);
    network_free(n);
}

static void what_is_wrong_in_a_program_is_said_with_its_line(void **state)
{
    (void)state;
    expect_refused("pof:\n  protocols:\n    - {name: label, fields: []}\n",
                   "3: expected 'at: NUMBER' here");
    expect_refused("pof:\n  protocols:\n    - {name: label, at: many}\n",
                   "3: at: expected a number from 0 to 65535, not 'many'");
    expect_refused("pof:\n  tabels: []\n", "2: pof has no member 'tabels'");
    expect_refused(LABEL "    - {table: none, priority: 1, steps: [drop]}\n", "7: ");
    expect_refused(LABEL "    - {table: labels, priority: 1, match: {label.x: 1}, steps: [drop]}\n",
                   "7: ");
    expect_refused(LABEL "    - {table: labels, priority: 1, match: {label.id: 0x12345},\n"
                         "       steps: [drop]}\n",
                   "7: ");
    expect_refused(LABEL "    - table: labels\n"
                         "      priority: 1\n"
                         "      steps:\n"
                         "        - output 3\n"
                         "        - dance\n",
                   "11: ");
    expect_refused(LABEL "    - {table: labels, priority: 70000, steps: [drop]}\n",
                   "7: priority: expected a number from 0 to 65535, not '70000'");
    expect_refused(LABEL "    - {table: labels, priority: 1, switch: one, steps: [drop]}\n",
                   "7: switch: expected a datapath id, not 'one'");
    expect_refused(LABEL "    - {table: labels, priority: 1, steps: drop}\n",
                   "7: expected a list of steps");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_taken_in_every_manner_of_writing),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(a_program_of_pof_is_taken_word_by_word),
        cmocka_unit_test(what_is_wrong_in_a_program_is_said_with_its_line),
    };
    int fd = mkstemp(path), rc;

    rc = cmocka_run_group_tests_name("ofd_network", tests, NULL, NULL);
    close(fd);
    unlink(path);
    return rc;
}
