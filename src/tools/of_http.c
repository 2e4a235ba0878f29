#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/of_client.h"

#define ANSWER_MAX (256u << 20)

struct answer {
    char *text; /* owned */
    size_t n;
};

static size_t on_data(char *p, size_t one, size_t n, void *arg)
{
    struct answer *a = arg;

    if (a->n + n > ANSWER_MAX)
        return 0;
    char *more = realloc(a->text, a->n + n + 1);
    if (more == NULL)
        return 0;
    memcpy(more + a->n, p, n);
    a->text = more;
    a->n += n;
    a->text[a->n] = '\0';
    return one * n;
}

static long perform(struct of_client *c, const char *verb, const char *path, const char *body,
                    struct answer *a, char *error)
{
    char url[1024], authorization[256];
    struct curl_slist *headers = NULL;
    CURL *h = curl_easy_init();
    long status = 0;

    if (h == NULL)
        return 0;
    snprintf(url, sizeof(url), "%s%s", c->url, path);
    headers = curl_slist_append(headers, "Content-Type: application/json");
    if (c->token != NULL) {
        snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", c->token);
        headers = curl_slist_append(headers, authorization);
    }
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, verb);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_PROXY, "");
    curl_easy_setopt(h, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error);
    if (body != NULL)
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
    if (curl_easy_perform(h) == CURLE_OK)
        curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(h);
    return status;
}

json_t *of_ask(struct of_client *c, const char *verb, const char *path, json_t *body)
{
    char error[CURL_ERROR_SIZE] = "";
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct answer a = {0};
    long status = perform(c, verb, path, text, &a, error);
    json_t *out = a.text != NULL ? json_loadb(a.text, a.n, JSON_DECODE_ANY, NULL) : NULL;

    free(text);
    free(a.text);
    if (status >= 200 && status < 300)
        return out != NULL ? out : json_object();
    if (status == 0) {
        fprintf(stderr, "millrace-of: %s: %s\n", c->url, error[0] != '\0' ? error : "no answer");
        c->status = OF_UNREACHABLE;
    } else {
        const char *why = of_text(out, "error");
        fprintf(stderr, "millrace-of: %s (%ld)\n", why[0] != '\0' ? why : "refused", status);
        c->status = OF_REFUSED;
    }
    json_decref(out);
    return NULL;
}
