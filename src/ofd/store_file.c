/* What operators have asked for, in a file: read before the cores turn, written by a thread of its
 * own whenever it has changed, and once more when the core that keeps it ends.
 *
 * The file is replaced, never changed: whoever looks finds the old one or the new one, whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ofd/ofd_int.h"

#define LOOK_MS 200
#define FILE_MAX (256u << 20)

struct store_file {
    const char *path; /* borrowed */
    const char *name; /* of the program; borrowed */
    uint8_t *bytes;   /* owned: as it was at the start; NULL: there was none */
    size_t n;
    struct ofd *ofd; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows, and of the file */
    pthread_cond_t wake;
    bool runs, stop, complained;
    uint64_t version; /* that the file has */
};

/* ---- reading ---- */

static bool read_all(struct store_file *f, FILE *in)
{
    size_t room = 65536;

    f->bytes = malloc(room);
    while (f->bytes) {
        f->n += fread(f->bytes + f->n, 1, room - f->n, in);
        if (f->n < room || room >= FILE_MAX)
            return !ferror(in) && f->n < room;
        uint8_t *more = realloc(f->bytes, room *= 2);
        if (!more)
            break;
        f->bytes = more;
    }
    return false;
}

struct store_file *store_file_open(struct ofd *o, const char *path, char *why, size_t n)
{
    struct store_file *f = calloc(1, sizeof(*f));
    FILE *in = fopen(path, "re");
    bool good = f && (in || errno == ENOENT);

    if (f) {
        *f = (struct store_file){.path = path,
                                 .name = o->config.name,
                                 .ofd = o,
                                 .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .wake = PTHREAD_COND_INITIALIZER};
    }
    if (good && in)
        good = read_all(f, in);
    if (!good)
        snprintf(why, n, "%s: %s", path, errno ? strerror(errno) : "cannot be read");
    if (in)
        fclose(in);
    if (!good && f) {
        free(f->bytes);
        free(f);
    }
    return good ? f : NULL;
}

bool store_file_load(struct store_file *f, struct sdn *s)
{
    int kept = f->bytes ? sdn_store_load(s, f->bytes, f->n) : 0;

    pthread_mutex_lock(&f->lock);
    f->version = sdn_store_version(s);
    pthread_mutex_unlock(&f->lock);
    return kept >= 0;
}

/* ---- writing ---- */

static bool put(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return fsync(fd) == 0;
}

static bool replace(const char *path, const uint8_t *p, size_t n)
{
    char next[4096];
    bool good;
    int fd;

    if ((size_t)snprintf(next, sizeof(next), "%s.new", path) >= sizeof(next)) {
        errno = ENAMETOOLONG;
        return false;
    }
    fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    good = put(fd, p, n);
    good = close(fd) == 0 && good;
    return good && rename(next, path) == 0;
}

/* With the lock held. */
static void write_file(struct store_file *f, const uint8_t *p, size_t n, uint64_t version)
{
    if (replace(f->path, p, n)) {
        f->version = version;
        f->complained = false;
        return;
    }
    if (!f->complained)
        fprintf(stderr, "%s: %s: %s\n", f->name, f->path, strerror(errno));
    f->complained = true;
}

/* Asks core 0 for what has changed; false: it cannot be asked any more. */
static bool look(struct store_file *f)
{
    size_t cap = 65536;
    char *buf = malloc(cap);
    bool goes_on = buf != NULL;

    pthread_mutex_lock(&f->lock);
    uint64_t version = f->version;
    pthread_mutex_unlock(&f->lock);
    while (buf) {
        struct sdn_ask q = {.kind = SDN_ASK_STORE_FILE, .cursor = version, .buf = buf, .cap = cap};
        goes_on = ofd_ask(f->ofd, 0, &q);
        if (goes_on && q.status == 413 && q.max < FILE_MAX) {
            free(buf);
            cap = q.max + 4096u;
            buf = malloc(cap);
            continue;
        }
        pthread_mutex_lock(&f->lock);
        if (goes_on && q.status == 200)
            write_file(f, (const uint8_t *)buf, q.n, q.cursor);
        pthread_mutex_unlock(&f->lock);
        break;
    }
    free(buf);
    return goes_on;
}

static void *run(void *arg)
{
    struct store_file *f = arg;
    bool goes_on = true;

    while (goes_on) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_nsec += LOOK_MS * 1000000L;
        at.tv_sec += at.tv_nsec / 1000000000L;
        at.tv_nsec %= 1000000000L;
        pthread_mutex_lock(&f->lock);
        while (!f->stop && pthread_cond_timedwait(&f->wake, &f->lock, &at) == 0)
            ;
        goes_on = !f->stop;
        pthread_mutex_unlock(&f->lock);
        goes_on = goes_on && look(f);
    }
    return NULL;
}

void store_file_begin(struct store_file *f)
{
    f->runs = pthread_create(&f->thread, NULL, run, f) == 0;
}

void store_file_save(struct store_file *f, const struct sdn *s)
{
    size_t n = sdn_store_save(s, NULL, 0);
    uint8_t *p = malloc(n);

    pthread_mutex_lock(&f->lock);
    if (p && f->version != sdn_store_version(s)) {
        sdn_store_save(s, p, n);
        write_file(f, p, n, sdn_store_version(s));
    }
    pthread_mutex_unlock(&f->lock);
    free(p);
}

void store_file_close(struct store_file *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    if (f->runs)
        pthread_join(f->thread, NULL);
    free(f->bytes);
    free(f);
}
