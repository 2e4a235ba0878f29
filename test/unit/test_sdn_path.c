/* Shortest paths and the tree, against what a slow and simple computation says. */
#include "lib/cmocka_first.h"

#include <time.h>

#include "lib/sdn_desk.h"

#define N 12u

static void link_put(struct desk *d, uint32_t place, uint32_t a, uint32_t a_port, uint32_t b,
                     uint32_t b_port, bool known)
{
    const struct net_change c = {.kind = CHANGE_LINK,
                                 .known = known,
                                 .place = place,
                                 .from = a,
                                 .from_port = a_port,
                                 .to = b,
                                 .to_port = b_port};

    net_apply(d->core[0], &c, d->now);
}

/* Both directions of link i, in places 2i and 2i + 1. */
static void edge_put(struct desk *d, uint32_t i, uint32_t a, uint32_t b, bool known)
{
    link_put(d, 2 * i, a, 1 + i, b, 1 + i, known);
    link_put(d, 2 * i + 1, b, 1 + i, a, 1 + i, known);
}

static void slow_hops(bool m[N][N], uint32_t far[N][N])
{
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++)
            far[i][j] = i == j ? 0 : m[i][j] ? 1 : PATH_FAR;
    for (uint32_t k = 0; k < N; k++)
        for (uint32_t i = 0; i < N; i++)
            for (uint32_t j = 0; j < N; j++)
                if (far[i][k] + far[k][j] < far[i][j])
                    far[i][j] = far[i][k] + far[k][j];
}

struct shape {
    struct desk d;
    struct sdn_switch *sw[N];
    struct {
        uint32_t a, b;
        bool there;
    } edge[40];
};

static void shape_make(struct shape *s, uint64_t seed)
{
    desk_config(&s->d, 1);
    rng_init(&s->d.rng, seed);
    desk_start(&s->d);
    for (uint32_t i = 0; i < N; i++)
        s->sw[i] = desk_switch(&s->d, 0, 100 + i * 7 % 12, 60);
    for (uint32_t i = 0; i < ARRAY_LEN(s->edge); i++) {
        s->edge[i].a = rng_below(&s->d.rng, N);
        s->edge[i].b = (s->edge[i].a + 1 + rng_below(&s->d.rng, N - 1)) % N;
        s->edge[i].there = false;
    }
}

static void edge_flip(struct shape *s)
{
    uint32_t i = rng_below(&s->d.rng, ARRAY_LEN(s->edge));

    s->edge[i].there = !s->edge[i].there;
    edge_put(&s->d, i, s->edge[i].a, s->edge[i].b, s->edge[i].there);
}

static void hops_are_checked(struct shape *s)
{
    bool m[N][N] = {0};
    uint32_t far[N][N], link[60];

    for (uint32_t i = 0; i < ARRAY_LEN(s->edge); i++)
        if (s->edge[i].there)
            m[s->edge[i].a][s->edge[i].b] = m[s->edge[i].b][s->edge[i].a] = true;
    slow_hops(m, far);
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++) {
            uint32_t want = 0;
            assert_int_equal(path_hops(s->d.core[0], i, j), far[i][j]);
            for (uint32_t e = 0; e < ARRAY_LEN(s->edge); e++) {
                uint32_t a = s->edge[e].a, b = s->edge[e].b;
                if (!s->edge[e].there || far[i][j] == PATH_FAR)
                    continue;
                want += (a == i && far[b][j] + 1 == far[i][j]) ||
                        (b == i && far[a][j] + 1 == far[i][j]);
            }
            assert_int_equal(path_links(s->d.core[0], i, j, link, 60), want);
        }
}

static void paths_are_the_shortest_whatever_comes_and_goes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct shape s;
        shape_make(&s, seed);
        for (unsigned step = 0; step < 200; step++) {
            edge_flip(&s);
            hops_are_checked(&s);
        }
        net_check(s.d.core[0]);
        desk_end(&s.d);
    }
}

static bool is_marked(const struct sdn_switch *sw, uint32_t port)
{
    const struct sdn_port *p = port_find(sw, port);

    return p && p->lost;
}

static void all_is_said(struct shape *s)
{
    for (uint32_t i = 0; i < N; i++)
        for (uint32_t j = 0; j < N; j++)
            reroute_said(s->d.core[0], s->sw[i], j);
}

/* A next hop that is none any more is marked, so that no flow stays that leads away. */
static void every_lost_next_hop_is_marked(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct shape s;
        static bool was[N][N][64];
        uint32_t link[60], n;
        shape_make(&s, seed);
        all_is_said(&s);
        const struct net *net = s.d.core[0]->net;
        for (unsigned step = 0; step < 150; step++) {
            memset(was, 0, sizeof(was));
            for (uint32_t i = 0; i < N; i++)
                for (uint32_t j = 0; j < N; j++) {
                    n = path_links(s.d.core[0], i, j, link, 60);
                    for (uint32_t k = 0; k < n; k++)
                        was[i][j][net->link[link[k]].from_port] = true;
                }
            edge_flip(&s);
            for (uint32_t i = 0; i < N; i++)
                for (uint32_t j = 0; j < N; j++) {
                    n = path_links(s.d.core[0], i, j, link, 60);
                    for (uint32_t k = 0; k < n; k++)
                        was[i][j][net->link[link[k]].from_port] = false;
                    for (uint32_t p = 1; p < 60; p++)
                        if (was[i][j][p])
                            assert_true(is_marked(s.sw[i], p));
                }
            s.d.now += 10000;
            sdn_advance(s.d.core[0], s.d.now);
            desk_mute(&s.d);
            for (uint32_t i = 0; i < N; i++)
                assert_int_equal(s.sw[i]->lost, 0);
        }
        desk_end(&s.d);
    }
}

/* Who has just started finds one link after the other: what an earlier run has put into the
 * switches leads right, and in 1.0 a deletion would take it.  A ring of four: 3 reaches 0 over 2
 * and 1 first. */
static void a_nearer_way_takes_nothing_from_who_was_told_nothing(void **state)
{
    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        struct desk d;
        struct sdn_switch *sw = NULL;
        desk_config(&d, 1);
        desk_start(&d);
        for (uint32_t i = 0; i < 4; i++)
            sw = desk_switch(&d, 0, 10 + i, 10);
        for (uint32_t i = 0; i < 3; i++)
            edge_put(&d, i, i, i + 1, true);
        assert_int_equal(path_hops(d.core[0], 3, 0), 3);
        if (told)
            reroute_said(d.core[0], sw, 0);
        edge_put(&d, 3, 3, 0, true);
        assert_int_equal(path_hops(d.core[0], 3, 0), 1);
        assert_int_equal(is_marked(sw, 3), told);
        assert_int_equal(sw->lost, told);
        desk_end(&d);
    }
}

static void packets_of_two_hosts_take_one_way_and_many_take_all(void **state)
{
    struct desk d;
    uint32_t used[8] = {0};

    (void)state;
    desk_config(&d, 1);
    desk_start(&d);
    /* 0 - 1, 2, 3, 4 - 5: four ways of the same length. */
    for (uint32_t i = 0; i < 6; i++)
        desk_switch(&d, 0, 10 + i, 10);
    for (uint32_t i = 0; i < 4; i++) {
        edge_put(&d, i, 0, 1 + i, true);
        edge_put(&d, 4 + i, 1 + i, 5, true);
    }
    for (unsigned k = 0; k < 4000; k++) {
        const struct mac_addr a = {{2, 0, 0, 0, (uint8_t)(k >> 8), (uint8_t)k}}, b = {{2, 1}};
        uint64_t h = path_hash(d.core[0], &a, &b, 0);
        uint32_t port = path_port(d.core[0], 0, 5, h, 0);
        assert_in_range(port, 1, 4);
        assert_int_equal(path_port(d.core[0], 0, 5, h, 0), port);
        assert_int_not_equal(path_port(d.core[0], 0, 5, h, port), port);
        used[port]++;
    }
    for (uint32_t p = 1; p <= 4; p++)
        assert_in_range(used[p], 850, 1150);
    desk_end(&d);
}

/* The tree: as many edges as it takes, all reached, and the same in whatever places links lie. */
static void the_tree_spans_and_does_not_depend_on_places(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct shape s[2];
        for (unsigned k = 0; k < 2; k++) {
            shape_make(&s[k], seed);
            for (uint32_t e = 0; e < ARRAY_LEN(s[k].edge); e++) {
                uint32_t i = k ? (uint32_t)ARRAY_LEN(s[k].edge) - 1 - e : e;
                s[k].edge[i].there = i % 3 != 0;
                /* The same ports, other places. */
                link_put(&s[k].d, 2 * e, s[k].edge[i].a, 1 + i, s[k].edge[i].b, 1 + i,
                         s[k].edge[i].there);
                link_put(&s[k].d, 2 * e + 1, s[k].edge[i].b, 1 + i, s[k].edge[i].a, 1 + i,
                         s[k].edge[i].there);
            }
            net_tree(s[k].d.core[0]);
        }
        unsigned in_tree = 0, parts = 0;
        for (uint32_t i = 0; i < N; i++)
            for (uint32_t p = 1; p <= ARRAY_LEN(s[0].edge); p++) {
                bool is = tree_has(s[0].d.core[0], s[0].sw[i], p);
                assert_int_equal(is, tree_has(s[1].d.core[0], s[1].sw[i], p));
                in_tree += is;
            }
        for (uint32_t i = 0; i < N; i++) {
            bool first = true;
            for (uint32_t j = 0; j < i; j++)
                first = first && path_hops(s[0].d.core[0], i, j) == PATH_FAR;
            parts += first;
        }
        assert_int_equal(in_tree, 2 * (N - parts));
        desk_end(&s[0].d);
        desk_end(&s[1].d);
    }
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A thousand switches, ten thousand links, every one of them somebody's destination. */
static void a_change_of_a_large_network_costs_milliseconds(void **state)
{
    struct desk d;
    double worst = 0, all = 0, t;
    enum { SW = 1000, LINKS = 10000, CHANGES = 50 };
    static uint32_t a[LINKS], b[LINKS];
    uint32_t ports[SW] = {0}, port[2][LINKS];

    (void)state;
    desk_config(&d, 1);
    d.config.conns = 16;
    d.config.switches = SW;
    d.config.links = 2 * LINKS;
    desk_start(&d);
    for (uint32_t i = 0; i < SW; i++) {
        const struct net_change c = {.kind = CHANGE_SWITCH,
                                     .known = true,
                                     .connected = true,
                                     .place = i,
                                     .dpid = 1 + i,
                                     .core = 1};
        net_apply(d.core[0], &c, d.now);
    }
    for (uint32_t i = 0; i < LINKS; i++) {
        a[i] = i < SW ? i : rng_below(&d.rng, SW);
        b[i] = i < SW ? (i + 1) % SW : (a[i] + 1 + rng_below(&d.rng, SW - 1)) % SW;
        port[0][i] = ++ports[a[i]];
        port[1][i] = ++ports[b[i]];
        link_put(&d, 2 * i, a[i], port[0][i], b[i], port[1][i], true);
        link_put(&d, 2 * i + 1, b[i], port[1][i], a[i], port[0][i], true);
    }
    for (uint32_t i = 0; i < SW; i++)
        path_hops(d.core[0], 0, i);
    for (unsigned k = 0; k < CHANGES; k++) {
        uint32_t i = rng_below(&d.rng, LINKS);
        t = seconds();
        link_put(&d, 2 * i, a[i], port[0][i], b[i], port[1][i], false);
        link_put(&d, 2 * i + 1, b[i], port[1][i], a[i], port[0][i], false);
        net_tree(d.core[0]);
        t = seconds() - t;
        worst = t > worst ? t : worst;
        all += t;
        link_put(&d, 2 * i, a[i], port[0][i], b[i], port[1][i], true);
        link_put(&d, 2 * i + 1, b[i], port[1][i], a[i], port[0][i], true);
        net_tree(d.core[0]);
    }
    printf("# 1,000 switches, 10,000 links: a lost link costs %.2f ms, at worst %.2f ms\n",
           all / CHANGES * 1e3, worst * 1e3);
    desk_end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_the_shortest_whatever_comes_and_goes),
        cmocka_unit_test(every_lost_next_hop_is_marked),
        cmocka_unit_test(a_nearer_way_takes_nothing_from_who_was_told_nothing),
        cmocka_unit_test(packets_of_two_hosts_take_one_way_and_many_take_all),
        cmocka_unit_test(the_tree_spans_and_does_not_depend_on_places),
        cmocka_unit_test(a_change_of_a_large_network_costs_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
