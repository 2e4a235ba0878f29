/* host, private.
 *
 * THEORY OF OPERATION
 *
 * The main thread leads the cores through the steps of their lives.  It writes a core's `told` and
 * rings its bell; the core does the step and answers by `done` and the main thread's bell:
 *
 *      STEP_SETUP   all at once          memory, stack, interface
 *      STEP_INIT    one after the other  the application's init
 *      STEP_TURN    all at once          turn after turn, until told the next
 *      STEP_FINI    one after the other  the application's fini
 *      STEP_DRAIN   all at once          what is queued goes out; done when there is no more, but a
 *                                        core turns on, because others may need it
 *      STEP_CUT     all at once          what is left is reset
 *      STEP_LAST    all at once          one turn more, for what others have sent through us
 *      STEP_OVER                         the thread ends
 *
 * A turning core looks at `told` and `asked` once a turn; both lie in a line that nobody writes
 * meanwhile. */
#pragma once

#include <stdatomic.h>

#include "api/status.h"
#include "ctl/ctl.h"
#include "host/capture.h"
#include "host/port.h"
#include "os/os.h"
#include "shard/shard.h"
#include "shard/via.h"

enum step {
    STEP_NONE,
    STEP_SETUP,
    STEP_INIT,
    STEP_TURN,
    STEP_FINI,
    STEP_DRAIN,
    STEP_CUT,
    STEP_LAST,
    STEP_OVER,
    STEP_HALT, /* another core has broken a promise: the capture is written, nothing else */
};

struct host;

/* A core: all but the last two lines is its thread's. */
struct core {
    struct host *host; /* borrowed */
    unsigned index;
    int cpu; /* -1: anywhere */
    struct os_thread thread;
    bool started;
    int bell;

    uint8_t *memory; /* owned: the stack's arena and all that follows */
    size_t bytes;
    struct shard shard;
    struct mail mail;
    struct via *via;         /* NULL: it has a queue */
    struct pkt_pool *frames; /* for the frames of cores that have none; NULL: all have */
    struct capture *capture; /* borrowed; NULL: off */
    bool attached;           /* the port's queue is this thread's */
    bool ready;              /* the shard can be turned */
    uint64_t blind_sleep_us;
    int rc; /* of the last step */
    char why[200];

    /* A question: written by the main thread while none is open, then by the core. */
    struct status_question question;
    struct status_core *copy; /* owned */
    char *text;               /* owned: CTL_ANSWER_MAX bytes */
    size_t text_n;

    /* From the main thread to the core, */
    MR_ALIGNED(CACHE_LINE) _Atomic unsigned told; /* enum step */
    _Atomic unsigned asked;                       /* questions, counted */
    /* and back. */
    MR_ALIGNED(CACHE_LINE) _Atomic unsigned done; /* enum step */
    _Atomic unsigned answered;
};

struct host {
    const struct mr_config *config;
    const struct mr_app *app;
    struct mr_config ours; /* what config points to */
    struct host_port port;
    uint8_t *mail; /* owned: the rings; NULL with one core */
    size_t mail_bytes;
    uint8_t *post; /* owned: the program's rings; NULL with one core */
    size_t post_bytes;
    uint64_t secret[4], isn_secret[3];
    struct capture_file *capture; /* NULL: off */
    struct ctl *ctl;              /* NULL: off */
    int bell;
    unsigned cores;
    struct core core[MR_CORES_MAX];
    struct nic_counter counter[NIC_COUNTERS_MAX]; /* the driver's, for whoever asked last */
    char spread[400];                             /* how the port spreads frames, in words */
    char why[600];
};

/* ---- core.c: the core's thread ---------------------------------------------------------- */

void core_main(void *core);

/* ---- core_setup.c ------------------------------------------------------------------------ */

/* Memory, stack and interface of a core, in its thread.  0; or an error and c->why. */
int core_setup(struct core *c);
/* In its thread, at the end. */
void core_detach(struct core *c);
void core_release(struct core *c);

/* ---- core_end.c -------------------------------------------------------------------------- */

/* Close what the application left open. */
void core_close_the_rest(struct core *c);
bool core_all_is_said(struct core *c);
/* A shard's ring; arg is the core. */
void core_ring(void *arg, uint64_t cores);
void core_reset_the_rest(struct core *c);

/* ---- ask.c: questions of the control socket -------------------------------------------- */

/* The main thread's part: struct ctl_answerer's function. */
size_t host_answer(void *host, const char *question, char *buf, size_t n);
/* The core's part, between two turns. */
void core_answer(struct core *c);

/* ---- dying.c --------------------------------------------------------------------------- */

/* Say what is broken, and leave nothing behind; mr_panic then aborts. */
void host_die(const char *file, int line, const char *what);
/* The process is about to die: nobody is to be led anywhere. */
bool host_is_dying(void);
/* This thread is a core's; c NULL: no longer. */
void host_panic_core(struct core *c);
/* Files to remove when the process dies; NULL: none any more. */
void host_panic_files(struct host *h, const char *control, const char *wire);
