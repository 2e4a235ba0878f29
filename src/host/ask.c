/* Questions on the control socket: the main thread asks, the cores answer between two turns.
 *
 * A core that does not answer in time keeps its question and its buffer until it does; meanwhile it
 * is shown as one that does not answer: so a stalled handler is found. */
#include "host/host_int.h"

#define PATIENCE_US USEC_PER_SEC

/* ---- a core's thread ----------------------------------------------------------------- */

static struct status_source source_of(const struct core *c)
{
    const struct host *h = c->host;

    return (struct status_source){
        .stack = c->shard.stack,
        .post = native_post_stats(c->shard.native),
        .app = c->shard.app,
        .core_state = c->shard.core_state,
        .rx_pool = host_port_rx_pool(&h->port, c->index),
        .no_queue = c->via != NULL,
        .cpu = c->cpu,
        .turns = c->shard.turns,
        .busy_turns = c->shard.busy_turns,
        .captured = c->capture ? capture_seen(c->capture) : 0,
        .capture_lost = c->capture ? capture_lost(c->capture) : 0,
        .frames_dropped = c->shard.frames_dropped,
    };
}

void core_answer(struct core *c)
{
    unsigned asked = atomic_load_explicit(&c->asked, memory_order_acquire);
    const struct status_source source = source_of(c);

    if (c->question.ask == STATUS_ASK_CONNS)
        c->text_n =
            status_conns(c->shard.stack, &c->question, c->host->cores, c->text, CTL_ANSWER_MAX);
    else
        status_take(&source, c->copy);
    atomic_store_explicit(&c->answered, asked, memory_order_release);
    os_bell_ring(c->host->bell);
}

/* ---- the main thread ----------------------------------------------------------------- */

static bool is_open(struct core *c)
{
    return atomic_load_explicit(&c->answered, memory_order_acquire) !=
           atomic_load_explicit(&c->asked, memory_order_relaxed);
}

/* False: the core has not answered the one before. */
static bool ask(struct core *c, const struct status_question *q)
{
    if (is_open(c))
        return false;
    c->question = *q;
    atomic_fetch_add_explicit(&c->asked, 1, memory_order_release);
    os_bell_ring(c->bell);
    return true;
}

/* Wait for cores [from, end). */
static void wait_for(struct host *h, unsigned from, unsigned end)
{
    uint64_t now = os_now_us(), until = now + PATIENCE_US;
    struct os_wait w = {.fd = h->bell};

    for (unsigned i = from; i < end; i++)
        while (is_open(&h->core[i]) && (now = os_now_us()) < until)
            if (os_wait(&w, 1, until - now) > 0)
                os_bell_quiet(h->bell);
}

/* bit by core: its answer to this question is there. */
static uint64_t ask_all(struct host *h, const struct status_question *q)
{
    uint64_t asked = 0, answered = 0;

    for (unsigned i = 0; i < h->cores; i++)
        asked |= (uint64_t)ask(&h->core[i], q) << i;
    wait_for(h, 0, h->cores);
    for (unsigned i = 0; i < h->cores; i++)
        if ((asked >> i & 1) && !is_open(&h->core[i]))
            answered |= UINT64_C(1) << i;
    return answered;
}

static size_t status(struct host *h, const struct status_question *q, char *buf, size_t n)
{
    struct nic *nic = h->port.nic;
    const struct status_port port = {
        .dev = h->config->dev,
        .nic = nic,
        .link_up = nic_link_is_up(nic),
        .counters = nic->ops->counters ? nic->ops->counters(nic, h->counter, NIC_COUNTERS_MAX) : 0,
        .counter = h->counter,
    };
    const struct status_program p = {h->app->name, host_port_spread(&h->port), h->spread, &port};
    const struct status_core *core[MR_CORES_MAX] = {0};
    uint64_t answered = ask_all(h, q);

    for (unsigned i = 0; i < h->cores; i++)
        if (answered >> i & 1)
            core[i] = h->core[i].copy;
    return status_merge(&p, core, h->cores, buf, n);
}

static size_t conns(struct host *h, const struct status_question *q, char *buf, size_t n)
{
    struct core *c = q->core < h->cores ? &h->core[q->core] : NULL;

    if (c && ask(c, q)) {
        wait_for(h, q->core, q->core + 1);
        if (!is_open(c) && c->text_n <= n) {
            memcpy(buf, c->text, c->text_n);
            return c->text_n;
        }
    }
    return status_conns(NULL, q, h->cores, buf, n);
}

size_t host_answer(void *host, const char *question, char *buf, size_t n)
{
    struct status_question q = status_question(question);

    switch (q.ask) {
    case STATUS_ASK_STATUS:
        return status(host, &q, buf, n);
    case STATUS_ASK_CONNS:
        return conns(host, &q, buf, n);
    case STATUS_ASK_STRANGE:
        break;
    }
    return status_sorry(buf, n);
}
