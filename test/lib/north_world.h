/* The REST interface on a source that is no controller, and a client of its HTTP. */
#pragma once

#include "lib/cmocka_first.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "north/north.h"
#include "sdn/pof_program.h"

/* ---- a source that knows two switches, one a core ---- */

struct fake {
    struct sdn_ask last; /* the last command */
    struct ofp_flow flow;
    struct ofp_group group;
    struct ofp_meter meter;
    struct pof_rule_words words;
    char said[256];         /* the words, one after the other */
    unsigned asked, status; /* of commands */
    const char *text;
};

#define SWITCH(n)                                                                                  \
    "{\"dpid\":\"000000000000000" n                                                                \
    "\",\"core\":0,\"connected\":true,\"dialect\":\"OpenFlow 1.3\","                               \
    "\"peer\":\"10.0.0." n                                                                         \
    ":4000\",\"role\":\"EQUAL\",\"manufacturer\":\"M\\\"x\",\"hardware\":\"H\","                   \
    "\"software\":\"S\",\"serial\":\"\",\"description\":\"s" n                                     \
    "\",\"packet_ins\":7,\"flow_mods\":3,"                                                         \
    "\"packet_outs\":2,\"errors\":1,\"ports\":[{\"port\":1,\"name\":\"s" n "-eth1\","              \
    "\"mac\":\"02:00:00:00:00:0" n                                                                 \
    "\",\"up\":true,\"admin_up\":true,\"link_up\":true,\"speed_kbps\":1000000,"                    \
    "\"rx_bytes\":100,\"rx_bps\":800},{\"port\":2,\"name\":\"s" n "-eth2\",\"up\":false}]}"

static const char flows[] =
    "{\"dpid\":\"0000000000000001\",\"flows\":[{\"table_id\":0,\"priority\":9,\"cookie\":\"0x5\","
    "\"idle_timeout\":0,\"hard_timeout\":0,\"flags\":0,\"match\":{\"in_port\":1,\"eth_type\":2048,"
    "\"ipv4_dst\":\"10.0.0.0/"
    "255.0.0.0\",\"vlan_vid\":5},\"actions\":[{\"type\":\"OUTPUT\",\"port\":2},"
    "{\"type\":\"SET_FIELD\",\"field\":\"eth_dst\",\"value\":\"02:00:00:00:00:09\"},"
    "{\"type\":\"GOTO_TABLE\",\"table_id\":1}],\"duration_s\":4,\"packets\":10,\"bytes\":1000}]}";

static const char *answer(unsigned core, const struct sdn_ask *q)
{
    switch (q->kind) {
    case SDN_ASK_SWITCHES:
    case SDN_ASK_METRICS:
        if (q->flag)
            return "{\"datapaths\":[{\"dpid\":\"0000000000000001\",\"connections\":2,"
                   "\"disconnections\":1},{\"dpid\":\"0000000000000009\",\"connections\":1,"
                   "\"disconnections\":1}]}";
        return core == 0 ? "{\"switches\":[" SWITCH("1") "]}" : "{\"switches\":[" SWITCH("2") "]}";
    case SDN_ASK_SWITCH:
    case SDN_ASK_PORTS:
        return q->dpid == 1 ? SWITCH("1") : SWITCH("2");
    case SDN_ASK_FLOWS:
        return flows;
    case SDN_ASK_LINKS:
        return "{\"links\":[{\"src_dpid\":\"0000000000000001\",\"src_port\":2,"
               "\"dst_dpid\":\"0000000000000002\",\"dst_port\":2,\"up\":true}]}";
    case SDN_ASK_HOSTS:
        return q->cursor == 0 ? "{\"hosts\":[{\"mac\":\"02:00:00:00:00:aa\",\"vlan\":0,"
                                "\"ip\":\"10.0.0.1\",\"dpid\":\"0000000000000001\",\"port\":1}]}"
                              : "{\"hosts\":[{\"mac\":\"02:00:00:00:00:bb\",\"vlan\":7,"
                                "\"ip\":\"\",\"dpid\":\"0000000000000002\",\"port\":1}]}";
    case SDN_ASK_EVENTS:
        return core == 0 ? "{\"events\":[{\"at_us\":5,\"text\":\"b\"}],\"last\":3}"
                         : "{\"events\":[{\"at_us\":2,\"text\":\"a\"}],\"last\":9}";
    case SDN_ASK_COUNTERS:
        return "{\"sdn\":{\"packet_ins\":21}}";
    default:
        return "{}";
    }
}

static void keep_words(struct fake *f, const struct pof_rule_words *w)
{
    f->words = *w;
    snprintf(f->said, sizeof(f->said), "%s|%s=%s|%s", w->table ? w->table : "-",
             w->matches ? w->match[0].field : "", w->matches ? w->match[0].value : "",
             w->steps ? w->step[0] : "");
}

static bool fake_ask(void *arg, unsigned core, struct sdn_ask *q)
{
    struct fake *f = arg;
    const char *text;

    __atomic_fetch_add(&f->asked, 1, __ATOMIC_SEQ_CST);
    q->status = 200;
    q->n = 0;
    if (q->dpid > 2) {
        q->status = 404;
        return true;
    }
    /* Switch 2 is core 1's. */
    if (q->dpid == 2 && core == 0 && q->kind < SDN_DO_FLOW) {
        q->status = 421;
        q->core = 1;
        return true;
    }
    if (q->kind >= SDN_DO_FLOW) {
        f->last = *q;
        if (q->flow)
            f->flow = *q->flow;
        if (q->group)
            f->group = *q->group;
        if (q->meter)
            f->meter = *q->meter;
        if (q->pof_entry)
            keep_words(f, q->pof_entry);
        q->status = f->status != 0 ? f->status : 200;
        text = f->text;
    } else {
        text = answer(core, q);
        if (q->kind == SDN_ASK_HOSTS)
            q->cursor = q->cursor == 0 ? 1 : 0;
    }
    if (text != NULL)
        q->n = (size_t)snprintf(q->buf, q->cap, "%s", text);
    return true;
}

/* ---- a client ---- */

struct reply {
    int status;
    char text[1 << 20];
    json_t *json;
};

static struct reply *reply;
static struct fake fake;
static struct north *north;

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        p += k;
        n -= (size_t)k;
    }
}

static json_t *http(const char *verb, const char *path, const char *headers, const char *body)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)north_port(north)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char head[2048];
    size_t n = 0;
    ssize_t k;

    json_decref(reply->json);
    reply->json = NULL;
    reply->status = 0;
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    int len = snprintf(head, sizeof(head),
                       "%s %s HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n"
                       "Content-Length: %zu\r\n%s\r\n",
                       verb, path, body ? strlen(body) : 0, headers ? headers : "");
    send_all(fd, head, (size_t)len);
    if (body)
        send_all(fd, body, strlen(body));
    while ((k = read(fd, reply->text + n, sizeof(reply->text) - 1 - n)) > 0)
        n += (size_t)k;
    close(fd);
    reply->text[n] = '\0';
    sscanf(reply->text, "HTTP/1.1 %d", &reply->status);
    char *at = strstr(reply->text, "\r\n\r\n");
    if (at)
        reply->json = json_loads(at + 4, JSON_DECODE_ANY, NULL);
    return reply->json;
}

static json_t *get(const char *path)
{
    json_t *j = http("GET", path, NULL, NULL);

    if (reply->status != 200)
        print_message("# %s: %s\n", path, reply->text);
    assert_int_equal(reply->status, 200);
    return j;
}

/* What is at a path of keys and numbers, "a.0.b", as text. */
static const char *at(json_t *j, const char *path)
{
    static char text[256];
    char copy[128], *save = NULL;

    snprintf(copy, sizeof(copy), "%s", path);
    for (char *w = strtok_r(copy, ".", &save); w && j; w = strtok_r(NULL, ".", &save))
        j = json_is_array(j) ? json_array_get(j, (size_t)atoi(w)) : json_object_get(j, w);
    if (json_is_string(j))
        return json_string_value(j);
    char *out = j ? json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    snprintf(text, sizeof(text), "%s", out ? out : "(nothing)");
    free(out);
    return text;
}

static int setup_with(const char *tokens)
{
    const struct north_config c = {
        .listen = "127.0.0.1:0",
        .token_file = tokens,
        .source = {.arg = &fake, .cores = 2, .ask = fake_ask},
    };
    char why[200] = "";

    memset(&fake, 0, sizeof(fake));
    reply = calloc(1, sizeof(*reply));
    north = north_open(&c, why, sizeof(why));
    if (!north)
        print_message("# %s\n", why);
    return north ? 0 : -1;
}

static int open_plain(void **state)
{
    (void)state;
    return setup_with(NULL);
}

static int open_tokens(void **state)
{
    char path[] = "/tmp/north-tokens-XXXXXX";
    int fd = mkstemp(path), rc;
    const char words[] = "# two\nro reader-123\nrw writer-456\n";

    (void)state;
    assert_int_equal(write(fd, words, sizeof(words) - 1), sizeof(words) - 1);
    close(fd);
    rc = setup_with(path);
    unlink(path);
    return rc;
}

static int shut(void **state)
{
    (void)state;
    north_close(north);
    json_decref(reply->json);
    free(reply);
    return 0;
}
