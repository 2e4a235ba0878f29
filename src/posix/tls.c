#include "posix/tls.h"

_Thread_local struct px_thread px_thread __attribute__((tls_model("initial-exec")));
