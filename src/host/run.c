/* The choice of a back end. */
#include <stdio.h>
#include <string.h>

#include "kapi/kapi.h"

int mr_run(const struct mr_config *c, const struct mr_app *app)
{
    if (strcmp(c->net, "kernel") == 0)
        return kapi_run(c, app);
    fprintf(stderr, "%s: this build knows only --net kernel\n", app->name);
    return MR_EINVAL;
}
