#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "north/north_int.h"

static bool token_add(struct north *n, char *line, unsigned number, const char *path, struct why *w)
{
    char *save = NULL;
    char *what = strtok_r(line, " \t\r\n", &save);

    if (what == NULL || what[0] == '#')
        return true;
    const char *word = strtok_r(NULL, " \t\r\n", &save);
    bool writes = strcmp(what, "rw") == 0;
    if ((!writes && strcmp(what, "ro") != 0) || word == NULL || word[0] == '#')
        return why_say(w, "%s:%u: a line is 'ro WORD' or 'rw WORD'", path, number);
    if (strlen(word) < 8 || strlen(word) >= TOKEN_MAX)
        return why_say(w, "%s:%u: a token has 8 to %u characters", path, number, TOKEN_MAX - 1);
    if (n->n_tokens == TOKENS_MAX)
        return why_say(w, "%s: more than %u tokens", path, TOKENS_MAX);
    struct token *t = &n->token[n->n_tokens++];
    memcpy(t->word, word, strlen(word)); /* the rest is 0 */
    t->writes = writes;
    return true;
}

bool tokens_read(struct north *n, const char *path, struct why *w)
{
    FILE *f = fopen(path, "re");
    char line[512];
    bool good = true;

    if (f == NULL)
        return why_say(w, "%s: %s", path, strerror(errno));
    n->has_tokens = true;
    for (unsigned i = 1; good && fgets(line, sizeof(line), f) != NULL; i++)
        good = token_add(n, line, i, path, w);
    fclose(f);
    if (good && n->n_tokens == 0)
        return why_say(w, "%s: no token in it", path);
    return good;
}

/* Every token is compared to its end, so the time taken says nothing about any of them. */
static const struct token *token_find(const struct north *n, const char *word)
{
    char padded[TOKEN_MAX] = {0};
    const struct token *found = NULL;
    size_t len = strnlen(word, TOKEN_MAX);

    if (len >= TOKEN_MAX)
        return NULL;
    memcpy(padded, word, len);
    for (unsigned i = 0; i < n->n_tokens; i++) {
        volatile uint8_t differ = 0;
        for (size_t k = 0; k < TOKEN_MAX; k++)
            differ |= (uint8_t)(padded[k] ^ n->token[i].word[k]);
        if (differ == 0)
            found = &n->token[i];
    }
    return found;
}

static bool is_loopback_host(const char *host)
{
    char name[64];
    struct in_addr a;
    size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

    if (n >= sizeof(name))
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (inet_pton(AF_INET, name, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

static const char *header(struct MHD_Connection *conn, const char *name)
{
    return MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

/* A page from elsewhere must not use the browser of somebody who may reach us: not by a form or a
 * script (Origin), nor by a name of its own that leads to our address (Host). */
static unsigned guard_browser(const struct north *n, struct MHD_Connection *conn, struct why *w)
{
    const char *origin = header(conn, "Origin"), *host = header(conn, "Host");

    if (origin != NULL &&
        (host == NULL || strncmp(origin, "http://", 7) != 0 || strcmp(origin + 7, host) != 0)) {
        why_say(w, "Origin: requests from pages of other sites are refused");
        return 403;
    }
    if (!n->has_tokens && host != NULL && !is_loopback_host(host)) {
        why_say(w, "Host: without tokens only a loopback address is answered");
        return 403;
    }
    return 0;
}

unsigned guard(const struct north *n, struct MHD_Connection *conn, enum access a, struct why *w)
{
    unsigned status = guard_browser(n, conn, w);
    const char *said = header(conn, "Authorization");
    const struct token *t = NULL;

    if (status != 0 || a == ACCESS_OPEN || !n->has_tokens)
        return status;
    if (said != NULL && strncasecmp(said, "Bearer ", 7) == 0) {
        t = token_find(n, said + 7);
    } else if (said != NULL) {
        /* ONOS's users have a name and a password: the password is the token. */
        char *password = NULL, *user = MHD_basic_auth_get_username_password(conn, &password);
        if (user != NULL && password != NULL)
            t = token_find(n, password);
        MHD_free(user);
        MHD_free(password);
    }
    if (t == NULL) {
        why_say(w, "Authorization: %s",
                said == NULL ? "a token is wanted (Bearer)" : "not a token");
        return 401;
    }
    if (a == ACCESS_WRITE && !t->writes) {
        why_say(w, "Authorization: this token may only read");
        return 403;
    }
    return 0;
}
