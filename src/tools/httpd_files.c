/* Files by name: open mappings, kept as long as they are used or recent. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tools/httpd.h"

#define CHECK_US 1000000u /* a cached file is compared with the file system this often */
#define POPULATE_BYTES_MAX ((size_t)1 << 20)
#define INDEX "index.html"

int files_init(struct files *f, const char *root, uint32_t count_max)
{
    *f = (struct files){.count_max = count_max};
    f->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return f->root_fd >= 0 ? MR_OK : -errno;
}

/* Symbolic links may point anywhere below the root and nowhere else.  Without
 * O_NONBLOCK a FIFO would stop the whole core. */
static int open_below(int root_fd, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

static int status_of_errno(void)
{
    switch (errno) {
    case EACCES:
    case EPERM:
    case EXDEV: /* a link out of the root */
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    default:
        return 404;
    }
}

static uint64_t mtime_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}

/* FNV-1a over words, then bytes.  Only names that the file system has are kept, so nobody can fill
 * one bucket from outside. */
static uint32_t hash_path(const char *path, size_t n)
{
    uint64_t h = 14695981039346656037u, word;
    size_t i = 0;

    for (; i + sizeof(word) <= n; i += sizeof(word)) {
        memcpy(&word, path + i, sizeof(word));
        h = (h ^ word) * 1099511628211u;
        h ^= h >> 32;
    }
    for (; i < n; i++)
        h = (h ^ (uint8_t)path[i]) * 1099511628211u;
    return (uint32_t)(h ^ h >> 32);
}

static void lru_unlink(struct files *f, struct file *x)
{
    *(x->newer != NULL ? &x->newer->older : &f->newest) = x->older;
    *(x->older != NULL ? &x->older->newer : &f->oldest) = x->newer;
}

static void lru_link(struct files *f, struct file *x)
{
    x->newer = NULL;
    x->older = f->newest;
    *(f->newest != NULL ? &f->newest->newer : &f->oldest) = x;
    f->newest = x;
}

void ready_put(struct ready *r)
{
    if (r != NULL && --r->refs == 0)
        free(r);
}

void file_put(struct file *x)
{
    if (--x->refs > 0)
        return;
    if (x->map != NULL)
        munmap((void *)(uintptr_t)x->map, x->size);
    free(x->text);
    ready_put(x->ready);
    free(x);
}

static void uncache(struct files *f, struct file *x)
{
    struct file **at = &f->bucket[x->hash % FILE_BUCKETS];

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    lru_unlink(f, x);
    f->count--;
    file_put(x);
}

void files_fini(struct files *f)
{
    while (f->oldest != NULL)
        uncache(f, f->oldest);
    close(f->root_fd);
}

static struct file *lookup(struct files *f, const char *path, size_t n)
{
    uint32_t hash = hash_path(path, n);
    struct file *x = f->bucket[hash % FILE_BUCKETS];

    while (x != NULL && (x->hash != hash || x->path_n != n || memcmp(x->path, path, n) != 0))
        x = x->next;
    return x;
}

/* Is the file still the one that is mapped? */
static bool is_current(const struct files *f, struct file *x, uint64_t now_us)
{
    struct stat st;

    if (now_us - x->checked_us < CHECK_US)
        return true;
    if (fstatat(f->root_fd, x->path, &st, 0) != 0 || !S_ISREG(st.st_mode) ||
        st.st_ino != x->inode || (uint64_t)st.st_size != x->size || mtime_ns(&st) != x->mtime_ns)
        return false;
    x->checked_us = now_us;
    return true;
}

static struct file *map_file(int fd, const char *path, const struct stat *st)
{
    size_t n = strlen(path), size = (size_t)st->st_size;
    struct file *x = calloc(1, sizeof(*x) + n + 1);
    void *map = NULL;

    if (x == NULL)
        return NULL;
    if (size > 0)
        map = mmap(NULL, size, PROT_READ,
                   MAP_SHARED | (size <= POPULATE_BYTES_MAX ? MAP_POPULATE : 0), fd, 0);
    if (map == MAP_FAILED) {
        free(x);
        return NULL;
    }
    memcpy(x->path, path, n + 1);
    x->path_n = n;
    x->map = map;
    x->size = size;
    x->mtime_ns = mtime_ns(st);
    x->mtime_s = st->st_mtim.tv_sec > 0 ? (uint64_t)st->st_mtim.tv_sec : 0;
    x->inode = st->st_ino;
    x->hash = hash_path(path, n);
    x->type = http_mime(path);
    http_etag_emit(x->etag, x->mtime_ns, x->size);
    http_date_emit(x->last_modified, x->mtime_s);
    return x;
}

static void cache(struct files *f, struct file *x, uint64_t now_us)
{
    while (f->count >= f->count_max && f->oldest != NULL) {
        f->evicted++;
        uncache(f, f->oldest);
    }
    x->owner = f;
    x->refs = 1;
    x->checked_us = now_us;
    x->next = f->bucket[x->hash % FILE_BUCKETS];
    f->bucket[x->hash % FILE_BUCKETS] = x;
    lru_link(f, x);
    f->count++;
}

int files_add(struct files *f, const char *path, int fd, uint64_t now_us, struct file **out)
{
    struct stat st;
    int status = 200;

    if (fstat(fd, &st) != 0)
        status = 503;
    else if (S_ISDIR(st.st_mode))
        status = 301;
    else if (!S_ISREG(st.st_mode))
        status = 403;
    *out = status == 200 ? map_file(fd, path, &st) : NULL;
    close(fd);
    if (status == 200 && *out == NULL)
        return 503;
    if (*out != NULL)
        cache(f, *out, now_us);
    return status;
}

static int load(struct files *f, const char *path, uint64_t now_us, struct file **out)
{
    int fd = open_below(f->root_fd, path);

    return fd < 0 ? status_of_errno() : files_add(f, path, fd, now_us, out);
}

int files_get(struct files *f, const char *path, uint64_t now_us, struct file **out)
{
    char with_index[FILE_PATH_MAX + sizeof(INDEX)];
    const char *name = path + 1;
    size_t n = strlen(name), name_n = n;
    struct file *x;
    int status;

    if (n >= FILE_PATH_MAX)
        return 404;
    if (path[n] == '/') {
        memcpy(with_index, name, n);
        memcpy(with_index + n, INDEX, sizeof(INDEX));
        name = with_index;
        name_n += sizeof(INDEX) - 1;
    }
    x = lookup(f, name, name_n);
    if (x != NULL && !is_current(f, x, now_us)) {
        f->changed++;
        uncache(f, x);
        x = NULL;
    }
    if (x != NULL) {
        f->hits++;
        if (f->newest != x) {
            lru_unlink(f, x);
            lru_link(f, x);
        }
    } else {
        f->misses++;
        status = load(f, name, now_us, &x);
        if (status != 200)
            return status == 301 && path[n] == '/' ? 403 : status;
    }
    x->refs++;
    *out = x;
    return 200;
}
