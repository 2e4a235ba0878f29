#include "north/serve.h"

void serve_pof(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_POF};

    call_reply(c, ask_one(c, 0, &q));
}

void serve_pof_switch(struct call *c)
{
    struct sdn_ask q = {.kind = SDN_ASK_POF};

    if (call_dpid(c, 0, true, &q.dpid))
        call_reply(c, ask_one(c, 0, &q));
}

void do_pof_add(struct call *c)
{
    call_fail(c, 501, "not yet");
}

void do_pof_delete(struct call *c)
{
    call_fail(c, 501, "not yet");
}
