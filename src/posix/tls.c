#include "posix/tls.h"

_Thread_local struct px_thread px_thread __attribute__((tls_model("initial-exec")));

/* Where there is no preload to put signals off, none was put off. */
__attribute__((weak)) void px_signals_run(void)
{
    px_thread.deferred = 0;
}
