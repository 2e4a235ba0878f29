/* The words of a device's name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drv/dev.h"

void dev_words_init(struct dev_words *w, const char *text)
{
    *w = (struct dev_words){.at = text};
}

static bool copy(char *out, size_t size, const char *from, size_t n)
{
    bool fits = n < size;

    n = fits ? n : size - 1;
    memcpy(out, from, n);
    out[n] = '\0';
    return fits;
}

bool dev_words_next(struct dev_words *w)
{
    const char *word = w->at;

    if (!word)
        return false;
    size_t n = strcspn(word, ","), key = strcspn(word, ",=");
    w->at = word[n] == ',' ? word + n + 1 : NULL;
    w->too_long = !copy(w->key, sizeof(w->key), word, key);
    w->value[0] = '\0';
    if (key < n)
        w->too_long |= !copy(w->value, sizeof(w->value), word + key + 1, n - key - 1);
    return true;
}

bool dev_words_name(struct dev_words *w, char *name, size_t size, char *why, size_t n)
{
    bool good = dev_words_next(w) && !w->value[0] && copy(name, size, w->key, strlen(w->key));

    if (!good)
        snprintf(why, n, "'%.40s%s%.40s' cannot be the name of a network device", w->key,
                 w->value[0] ? "=" : "", w->value);
    return good;
}

bool dev_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    unsigned long v;
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    v = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || v < min || v > max)
        return false;
    *out = (uint32_t)v;
    return true;
}
