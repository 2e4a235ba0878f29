/* Calls that signals end. */
#include "preload/call.h"

bool call_interrupted(int fd, enum call_waits waits)
{
    const struct px_file *f = file_peek(fd);
    bool again = px_thread.deferred && !px_thread.hard && f &&
                 (waits == WAITS_READ ? f->opts.rcvtimeo_us : f->opts.sndtimeo_us) <= 0;

    call_end();
    return again;
}
