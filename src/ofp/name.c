/* Names of things, for people. */
#include "ofp/ofp_int.h"

const char *ofp_dialect_name(enum ofp_dialect d)
{
    static const char *const names[OFP_DIALECTS] = {
        [OFP_NONE] = "none",           [OFP_10] = "OpenFlow 1.0", [OFP_13] = "OpenFlow 1.3",
        [POF_HUAWEI] = "POF (Huawei)", [POF_USTC] = "POF (USTC)",
    };

    return (unsigned)d < OFP_DIALECTS ? names[d] : "?";
}

const char *ofp_kind_name(enum ofp_kind k)
{
    static const char *const names[OFP_KINDS] = {
        [OFP_HELLO] = "HELLO",
        [OFP_ERROR] = "ERROR",
        [OFP_ECHO_REQUEST] = "ECHO_REQUEST",
        [OFP_ECHO_REPLY] = "ECHO_REPLY",
        [OFP_EXPERIMENTER] = "EXPERIMENTER",
        [OFP_FEATURES_REQUEST] = "FEATURES_REQUEST",
        [OFP_FEATURES_REPLY] = "FEATURES_REPLY",
        [OFP_GET_CONFIG_REQUEST] = "GET_CONFIG_REQUEST",
        [OFP_GET_CONFIG_REPLY] = "GET_CONFIG_REPLY",
        [OFP_SET_CONFIG] = "SET_CONFIG",
        [OFP_PACKET_IN] = "PACKET_IN",
        [OFP_FLOW_REMOVED] = "FLOW_REMOVED",
        [OFP_PORT_STATUS] = "PORT_STATUS",
        [OFP_PACKET_OUT] = "PACKET_OUT",
        [OFP_FLOW_MOD] = "FLOW_MOD",
        [OFP_GROUP_MOD] = "GROUP_MOD",
        [OFP_PORT_MOD] = "PORT_MOD",
        [OFP_TABLE_MOD] = "TABLE_MOD",
        [OFP_MULTIPART_REQUEST] = "MULTIPART_REQUEST",
        [OFP_MULTIPART_REPLY] = "MULTIPART_REPLY",
        [OFP_BARRIER_REQUEST] = "BARRIER_REQUEST",
        [OFP_BARRIER_REPLY] = "BARRIER_REPLY",
        [OFP_QUEUE_GET_CONFIG_REQUEST] = "QUEUE_GET_CONFIG_REQUEST",
        [OFP_QUEUE_GET_CONFIG_REPLY] = "QUEUE_GET_CONFIG_REPLY",
        [OFP_ROLE_REQUEST] = "ROLE_REQUEST",
        [OFP_ROLE_REPLY] = "ROLE_REPLY",
        [OFP_GET_ASYNC_REQUEST] = "GET_ASYNC_REQUEST",
        [OFP_GET_ASYNC_REPLY] = "GET_ASYNC_REPLY",
        [OFP_SET_ASYNC] = "SET_ASYNC",
        [OFP_METER_MOD] = "METER_MOD",
        [POF_RESOURCE_REPORT] = "RESOURCE_REPORT",
        [POF_COUNTER_MOD] = "COUNTER_MOD",
        [POF_COUNTER_REQUEST] = "COUNTER_REQUEST",
        [POF_COUNTER_REPLY] = "COUNTER_REPLY",
        [POF_QUERYALL_REQUEST] = "QUERYALL_REQUEST",
        [POF_QUERYALL_FIN] = "QUERYALL_FIN",
    };

    return (unsigned)k < OFP_KINDS ? names[k] : "?";
}

const char *ofp_err_name(enum ofp_err e)
{
    static const char *const names[] = {
        [OFP_OK] = "ok",
        [OFP_MORE] = "more bytes wanted",
        [OFP_BAD_VERSION] = "bad version",
        [OFP_BAD_TYPE] = "bad type",
        [OFP_BAD_LEN] = "bad length",
        [OFP_BAD_FIELD] = "bad field",
        [OFP_BAD_MATCH] = "bad match",
        [OFP_BAD_ACTION] = "bad action",
        [OFP_BAD_INSTRUCTION] = "bad instruction",
        [OFP_TOO_MANY] = "too many",
    };

    return (unsigned)e < ARRAY_LEN(names) ? names[e] : "?";
}
