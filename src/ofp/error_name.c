/* What errors are called.  OpenFlow 1.0.0, 5.4.4; 1.3.5, 7.4.4. */
#include "ofp/ofp_int.h"

enum { CODES_MAX = 17 };

struct errors {
    const char *type;
    const char *code[CODES_MAX];
};

static const struct errors errors10[] = {
    {"HELLO_FAILED", {"INCOMPATIBLE", "EPERM"}},
    {"BAD_REQUEST",
     {"BAD_VERSION", "BAD_TYPE", "BAD_STAT", "BAD_VENDOR", "BAD_SUBTYPE", "EPERM", "BAD_LEN",
      "BUFFER_EMPTY", "BUFFER_UNKNOWN"}},
    {"BAD_ACTION",
     {"BAD_TYPE", "BAD_LEN", "BAD_VENDOR", "BAD_VENDOR_TYPE", "BAD_OUT_PORT", "BAD_ARGUMENT",
      "EPERM", "TOO_MANY", "BAD_QUEUE"}},
    {"FLOW_MOD_FAILED",
     {"ALL_TABLES_FULL", "OVERLAP", "EPERM", "BAD_EMERG_TIMEOUT", "BAD_COMMAND", "UNSUPPORTED"}},
    {"PORT_MOD_FAILED", {"BAD_PORT", "BAD_HW_ADDR"}},
    {"QUEUE_OP_FAILED", {"BAD_PORT", "BAD_QUEUE", "EPERM"}},
};

static const struct errors errors13[] = {
    {"HELLO_FAILED", {"INCOMPATIBLE", "EPERM"}},
    {"BAD_REQUEST",
     {"BAD_VERSION", "BAD_TYPE", "BAD_MULTIPART", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "EPERM",
      "BAD_LEN", "BUFFER_EMPTY", "BUFFER_UNKNOWN", "BAD_TABLE_ID", "IS_SLAVE", "BAD_PORT",
      "BAD_PACKET", "MULTIPART_BUFFER_OVERFLOW"}},
    {"BAD_ACTION",
     {"BAD_TYPE", "BAD_LEN", "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "BAD_OUT_PORT", "BAD_ARGUMENT",
      "EPERM", "TOO_MANY", "BAD_QUEUE", "BAD_OUT_GROUP", "MATCH_INCONSISTENT", "UNSUPPORTED_ORDER",
      "BAD_TAG", "BAD_SET_TYPE", "BAD_SET_LEN", "BAD_SET_ARGUMENT"}},
    {"BAD_INSTRUCTION",
     {"UNKNOWN_INST", "UNSUP_INST", "BAD_TABLE_ID", "UNSUP_METADATA", "UNSUP_METADATA_MASK",
      "BAD_EXPERIMENTER", "BAD_EXP_TYPE", "BAD_LEN", "EPERM"}},
    {"BAD_MATCH",
     {"BAD_TYPE", "BAD_LEN", "BAD_TAG", "BAD_DL_ADDR_MASK", "BAD_NW_ADDR_MASK", "BAD_WILDCARDS",
      "BAD_FIELD", "BAD_VALUE", "BAD_MASK", "BAD_PREREQ", "DUP_FIELD", "EPERM"}},
    {"FLOW_MOD_FAILED",
     {"UNKNOWN", "TABLE_FULL", "BAD_TABLE_ID", "OVERLAP", "EPERM", "BAD_TIMEOUT", "BAD_COMMAND",
      "BAD_FLAGS"}},
    {"GROUP_MOD_FAILED",
     {"GROUP_EXISTS", "INVALID_GROUP", "WEIGHT_UNSUPPORTED", "OUT_OF_GROUPS", "OUT_OF_BUCKETS",
      "CHAINING_UNSUPPORTED", "WATCH_UNSUPPORTED", "LOOP", "UNKNOWN_GROUP", "CHAINED_GROUP",
      "BAD_TYPE", "BAD_COMMAND", "BAD_BUCKET", "BAD_WATCH", "EPERM"}},
    {"PORT_MOD_FAILED", {"BAD_PORT", "BAD_HW_ADDR", "BAD_CONFIG", "BAD_ADVERTISE", "EPERM"}},
    {"TABLE_MOD_FAILED", {"BAD_TABLE", "BAD_CONFIG", "EPERM"}},
    {"QUEUE_OP_FAILED", {"BAD_PORT", "BAD_QUEUE", "EPERM"}},
    {"SWITCH_CONFIG_FAILED", {"BAD_FLAGS", "BAD_LEN", "EPERM"}},
    {"ROLE_REQUEST_FAILED", {"STALE", "UNSUP", "BAD_ROLE"}},
    {"METER_MOD_FAILED",
     {"UNKNOWN", "METER_EXISTS", "INVALID_METER", "UNKNOWN_METER", "BAD_COMMAND", "BAD_FLAGS",
      "BAD_RATE", "BAD_BURST", "BAD_BAND", "BAD_BAND_VALUE", "OUT_OF_METERS", "OUT_OF_BANDS"}},
    {"TABLE_FEATURES_FAILED",
     {"BAD_TABLE", "BAD_METADATA", "BAD_TYPE", "BAD_LEN", "BAD_ARGUMENT", "EPERM"}},
};

static const struct errors *errors_of(enum ofp_dialect d, uint16_t type)
{
    if (d == OFP_10)
        return type < ARRAY_LEN(errors10) ? &errors10[type] : NULL;
    if (d == OFP_13 || ofp_is_pof(d)) /* POF shares the types, its codes are its own */
        return type < ARRAY_LEN(errors13) ? &errors13[type] : NULL;
    return NULL;
}

const char *ofp_error_type_name(enum ofp_dialect d, uint16_t type)
{
    const struct errors *e = errors_of(d, type);

    if (e != NULL)
        return e->type;
    return d == OFP_13 && type == 0xffff ? "EXPERIMENTER" : "?";
}

void ofp_error_print(struct fmt *f, enum ofp_dialect d, uint16_t type, uint16_t code)
{
    const struct errors *e = errors_of(d, type);

    if (e == NULL)
        fmt_add(f, "%s %u/%u", ofp_error_type_name(d, type), type, code);
    else if (!ofp_is_pof(d) && code < CODES_MAX && e->code[code] != NULL)
        fmt_add(f, "%s/%s", e->type, e->code[code]);
    else
        fmt_add(f, "%s/%u", e->type, code);
}
