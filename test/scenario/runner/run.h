/* run: one script from beginning to end. */
#pragma once

#include "script.h"

#define REPORT_MAX 6000

struct run_report {
    bool ok;
    char text[REPORT_MAX]; /* why not: lines for people */
};

/* Play the script of this name and text. */
void run_script(const char *path, const char *text, bool verbose, struct run_report *out);
/* Where the script being played is, for messages from inside the stack. */
const char *run_where(void);
