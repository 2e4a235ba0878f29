/* The program: what its cores share. */
#include <stdio.h>
#include <stdlib.h>

#include "ofd/ofd_int.h"
#include "os/os.h"
#include "stat/json.h"

static bool wants_tls(const struct ofd_config *c)
{
    for (unsigned i = 0; i < c->listeners; i++)
        if (c->listener[i].tls)
            return true;
    return false;
}

struct ofd *ofd_open(const struct ofd_config *c, char *why, size_t n)
{
    struct ofd *o = os_reserve(sizeof(*o), false);

    if (!o) {
        snprintf(why, n, "no memory");
        return NULL;
    }
    o->config = *c;
    o->cores = c->cores ? c->cores : 1;
    o->started = os_now_us();
    os_random(o->config.sdn.secret, sizeof(o->config.sdn.secret));
    for (unsigned i = 0; i < o->cores; i++)
        questions_init(&o->questions[i]);
    if (wants_tls(c)) {
        o->tls = tls_context_open(&c->tls, why, n);
        if (!o->tls) {
            ofd_close(o);
            return NULL;
        }
    }
    if (c->store) {
        o->store = store_file_open(o, c->store, why, n);
        if (!o->store) {
            ofd_close(o);
            return NULL;
        }
        store_file_begin(o->store);
    }
    return o;
}

struct mr_app ofd_app(struct ofd *o)
{
    return (struct mr_app){
        .name = o->config.name,
        .arg = o,
        .init = ofd_init,
        .event = ofd_event,
        .fini = ofd_fini,
        .status = ofd_status,
    };
}

void ofd_refuse_all(struct ofd *o)
{
    for (unsigned i = 0; i < o->cores; i++)
        questions_end(&o->questions[i]);
}

void ofd_close(struct ofd *o)
{
    ofd_refuse_all(o);
    store_file_close(o->store);
    for (unsigned i = 0; i < o->cores; i++) {
        struct ofd_core *c = &o->core[i];
        os_release(c->sdn_memory, c->sdn_bytes);
        os_release(c->conns, c->max_conns * sizeof(*c->conns));
        free(c->bucket);
        free(c->gives);
    }
    tls_context_close(o->tls);
    os_release(o, sizeof(*o));
}

/* ---- for the REST interface ----------------------------------------------------------- */

static const char *speech_name(enum sdn_speech s)
{
    switch (s) {
    case SDN_SPEAKS_OPENFLOW:
        return "OpenFlow";
    case SDN_SPEAKS_POF:
        return "POF";
    case SDN_SPEAKS_HUAWEI:
        return "POF (Huawei)";
    case SDN_SPEAKS_USTC:
        return "POF (USTC)";
    }
    return "?";
}

static size_t facts(void *arg, char *buf, size_t cap)
{
    const struct ofd *o = arg;
    char text[MR_ADDR_TEXT];
    struct json j;

    json_init(&j, buf, cap);
    json_object(&j, NULL);
    json_str(&j, "program", o->config.name);
    json_str(&j, "version", MR_VERSION);
    json_u64(&j, "uptime_us", os_now_us() - o->started);
    json_u64(&j, "cores", o->cores);
    json_array(&j, "listeners");
    for (unsigned i = 0; i < o->config.listeners; i++) {
        const struct ofd_listener *l = &o->config.listener[i];
        json_object(&j, NULL);
        json_str(&j, "address", mr_addr_print(&l->at, text));
        json_str(&j, "speaks", speech_name(l->speech));
        json_bool(&j, "tls", l->tls);
        json_end(&j);
    }
    json_end(&j);
    json_end(&j);
    return json_fini(&j);
}

struct north_source ofd_source(struct ofd *o)
{
    return (struct north_source){.arg = o, .cores = o->cores, .ask = ofd_ask, .facts = facts};
}
