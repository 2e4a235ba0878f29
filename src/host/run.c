/* The choice of a back end. */
#include <string.h>

#include "host/host.h"
#include "kapi/kapi.h"

int mr_run(const struct mr_config *c, const struct mr_app *app)
{
    return strcmp(c->dev, "kernel") == 0 ? kapi_run(c, app) : host_run(c, app);
}
