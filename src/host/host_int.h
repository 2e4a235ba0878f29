/* host, private. */
#pragma once

/* Write what the capture holds, if there is one; callable from a dying process. */
void host_flush_capture(void);
